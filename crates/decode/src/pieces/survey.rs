//! The places where a large object can be cut.

use std::ops::Range;

use crate::decoder::Decoder;
use crate::envelope::Envelope;
use crate::envelope::may_wrap;
use crate::error::DecodeError;
use crate::glance::{Glance, glance};
use crate::gunzip;
use crate::options::DecodeOptions;
use crate::options::Selection;
use crate::ordinary;
use crate::ordinary::Next;
use crate::ordinary::Ordinary;
use crate::parser::MAX_RECORD_BYTES;
use crate::pieces::Around;
use crate::pieces::Cut;
use crate::pieces::Cuts;
use crate::pieces::RECORDS_OF_A_PIECE;
use crate::pieces::documents;
use crate::pieces::text::Text;
use crate::pieces::text::Value;
use crate::split;

/// An object is not cut into more pieces, since all cuts are held.
const MAX_CUTS: usize = 1 << 16;

/// The head, all before an array, is read again with each piece of the array, so it must be short.
const MAX_HEAD_BYTES: usize = 4 << 10;

/// The result of a survey.
#[derive(Debug)]
pub enum Survey {
    /// The object can be cut at these places.
    Cut(Cuts),
    /// It can be read as a whole only, and then its text takes so many bytes.
    Whole {
        /// The size of the object when inflated.
        inflated_bytes: usize,
    },
}

/// Cuts a text where records end.
struct Cutter {
    piece_bytes: usize,
    cuts: Vec<Cut>,
    n_records: u64,
    /// True where no cuts could keep the pieces small, or themselves few.
    is_unfit: bool,
}

impl Decoder {
    /// Finds out where an object can be cut into pieces of about `piece_bytes`, and checks all of it: what is cut is not
    /// refused later. It holds a few pieces of the text at most.
    pub fn survey(&mut self, stored: &[u8], piece_bytes: usize) -> Result<Survey, DecodeError> {
        let piece_bytes = piece_bytes.max(1);
        let DecodeOptions { cap_bytes, sha256, .. } = self.options;
        let text = || {
            let text = Text::new(stored, cap_bytes, piece_bytes)?;
            Ok::<_, DecodeError>(if sha256 { text.hashed() } else { text })
        };
        let Self { ordinary, envelope, .. } = self;
        if let Some(cuts) = records(ordinary, envelope, text()?, piece_bytes)? {
            return Ok(Survey::Cut(cuts));
        }
        let mut odd = text()?;
        odd.fill(piece_bytes)?;
        if gunzip::is_gzip(odd.rest()) {
            odd.pass_to(usize::MAX)?;
            return Ok(Survey::Whole { inflated_bytes: gunzip::usual_bytes(odd.at()) });
        }
        let cuts = match large_array(odd.rest()) {
            Some(head_bytes) => array(envelope, odd, head_bytes, piece_bytes)?,
            None => several(envelope, odd, piece_bytes)?,
        };
        if let Some(cuts) = cuts {
            return Ok(Survey::Cut(cuts));
        }
        let mut all = text()?;
        all.pass_to(usize::MAX)?;
        Ok(Survey::Whole { inflated_bytes: all.at() })
    }
}

/// Cuts an ordinary object.
fn records(
    ordinary: &mut Ordinary,
    envelope: &mut Envelope,
    mut text: Text<&[u8]>,
    piece_bytes: usize,
) -> Result<Option<Cuts>, DecodeError> {
    let mut cutter = Cutter::new(piece_bytes);
    let mut is_at_head = true;
    while !cutter.is_unfit {
        let goes_on = text.fill(text.rest().len() + piece_bytes)?;
        let (rest, at) = (text.rest(), text.at());
        match if is_at_head { ordinary::head(rest) } else { ordinary::separator(rest, 0) } {
            Ok(Next::Element(first)) => {
                let mut end = 0;
                // The held text may end inside a record, as long as the object goes on.
                let _ = ordinary.records_from(first, rest, &mut |found| {
                    end = found.at + found.raw.len();
                    let n_records = count(envelope, &found);
                    cutter.take(at + found.at..at + end, n_records);
                });
                if end == 0 && goes_on && rest.len() > MAX_RECORD_BYTES {
                    text.pass(first);
                    let start = text.at();
                    // A record that is no giant was too odd for the quick pass, and another looks at all of them.
                    if !text.pass_container(may_wrap)? || text.at() - start <= MAX_RECORD_BYTES {
                        return Ok(None);
                    }
                    cutter.take_giant(start..text.at());
                } else if end == 0 && !goes_on {
                    return Ok(None);
                }
                is_at_head &= text.at() == at && end == 0;
                text.pass(end);
            }
            Ok(Next::End(_)) if goes_on && rest.len() <= MAX_RECORD_BYTES => {}
            Ok(Next::End(array)) if !goes_on && ordinary::tail(rest, array).is_ok() => {
                return Ok(cutter.finish(at + rest.len(), Around::Records, text));
            }
            Ok(Next::End(_)) | Err(ordinary::Odd) => return Ok(None),
        }
    }
    Ok(None)
}

/// Counts the records of an ordinary object's element, which may wrap several.
fn count(envelope: &mut Envelope, found: &ordinary::OrdinaryRecord<'_>) -> u64 {
    let mut n_records = 0;
    match glance(found, Selection::All) {
        Glance::Parse if found.is_plain => n_records = 1,
        _ => envelope.record(found.raw, &mut |_| n_records += 1),
    }
    n_records
}

/// Finds the first element of the array that makes an object large: the object itself, or a field of it. `text` is its
/// beginning, or all of it; then the longest such field is meant. None where several documents begin.
fn large_array(text: &[u8]) -> Option<usize> {
    let start = split::skip_space_and_marks(text, 0);
    if let Ok(document) = split::value(text, start)
        && split::skip_space_and_marks(text, document.end) < text.len()
    {
        return None;
    }
    let expect = |at: usize, byte: u8| (text.get(at) == Some(&byte)).then_some(at + 1);
    if let Some(first) = expect(start, b'[') {
        return Some(first);
    }
    let mut longest = 0..0;
    let mut at = split::skip_space(text, expect(start, b'{')?);
    loop {
        expect(at, b'"')?;
        let key = split::value(text, at).ok()?;
        let colon = expect(split::skip_space(text, key.end), b':')?;
        let begin = split::skip_space(text, colon);
        let Ok(value) = split::value(text, begin) else { return expect(begin, b'[') };
        if text[begin] == b'[' && value.end - begin > longest.len() {
            longest = begin + 1..value.end;
        }
        match expect(split::skip_space(text, value.end), b',') {
            Some(next) => at = split::skip_space(text, next),
            None => return (!longest.is_empty()).then_some(longest.start),
        }
    }
}

/// Cuts an object whose records are the elements of one array, which begins after `head_bytes`.
fn array(
    envelope: &mut Envelope,
    mut text: Text<&[u8]>,
    head_bytes: usize,
    piece_bytes: usize,
) -> Result<Option<Cuts>, DecodeError> {
    if head_bytes > MAX_HEAD_BYTES {
        return Ok(None);
    }
    let head = text.rest()[..head_bytes].to_vec();
    let is_object = head[split::skip_space_and_marks(&head, 0)] == b'{';
    let end: &[u8] = if is_object { b"]}" } else { b"]" };
    text.pass(head_bytes);
    let mut cutter = Cutter::new(piece_bytes);
    let mut framed = [&head[..], b"{}", end].concat();
    let mut n_records = 0;
    // In another array an element is not a record, such as in what CloudWatch Logs tries its destination with.
    let is_record = envelope.records(&framed, &mut |_| n_records += 1).is_ok() && n_records == 1;
    while !cutter.is_unfit {
        let Some(_) = text.pass_space(false)? else { return Ok(None) };
        let start = text.at();
        match text.value(piece_bytes, MAX_RECORD_BYTES)? {
            Value::Whole(n_bytes) => {
                framed.clear();
                framed.extend([&head[..], &text.rest()[..n_bytes], end].into_iter().flatten());
                let mut n_records = 0;
                if envelope.records(&framed, &mut |_| n_records += 1).is_err() {
                    return Ok(None);
                }
                text.pass(n_bytes);
                cutter.take(start..text.at(), n_records);
            }
            Value::Giant if is_record && matches!(text.rest()[0], b'{' | b'[') && text.pass_container(may_wrap)? => {
                cutter.take_giant(start..text.at());
            }
            Value::Giant | Value::Broken => return Ok(None),
        }
        match text.pass_space(false)? {
            Some(b',') => text.pass(1),
            Some(b']') => break,
            _ => return Ok(None),
        }
    }
    // Text after the array must not make something else of the elements.
    if text.fill(piece_bytes)? || text.rest().iter().any(|byte| matches!(byte, b'{' | b'[')) {
        return Ok(None);
    }
    let tail = text.rest().to_vec();
    let mut n_around = 0;
    let around = envelope.records(&[&head[..], &tail].concat(), &mut |_| n_around += 1);
    if around.is_err() || n_around > 0 {
        return Ok(None);
    }
    Ok(cutter.finish(text.at() + tail.len(), Around::Array { head, tail }, text))
}

/// Cuts an object of several documents.
fn several(envelope: &mut Envelope, mut text: Text<&[u8]>, piece_bytes: usize) -> Result<Option<Cuts>, DecodeError> {
    let mut cutter = Cutter::new(piece_bytes);
    let (mut n_documents, mut is_delivered) = (0, false);
    while text.pass_space(true)?.is_some() && !cutter.is_unfit {
        let start = text.at();
        let Value::Whole(n_bytes) = text.value(piece_bytes, MAX_RECORD_BYTES)? else {
            return Ok(None);
        };
        let document = &text.rest()[..n_bytes];
        is_delivered = is_delivered || envelope.is_delivered(document);
        let mut n_records = 0;
        documents(envelope, document, &mut |_| n_records += 1);
        text.pass(n_bytes);
        cutter.take(start..text.at(), n_records);
        n_documents += 1;
    }
    let is_cut = n_documents > 1 && is_delivered;
    Ok(if is_cut { cutter.finish(text.at(), Around::Documents, text) } else { None })
}

impl Cutter {
    fn new(piece_bytes: usize) -> Self {
        Self { piece_bytes, cuts: Vec::new(), n_records: 0, is_unfit: false }
    }

    /// Takes the next element, or document, and how many records it holds.
    fn take(&mut self, bytes: Range<usize>, n_records: u64) {
        let weight = n_records.max(1);
        match self.cuts.last_mut() {
            Some(cut)
                if !cut.is_giant
                    && bytes.end - cut.bytes.start <= self.piece_bytes
                    && cut.weight + weight <= RECORDS_OF_A_PIECE =>
            {
                cut.bytes.end = bytes.end;
                cut.weight += weight;
            }
            _ => self.push(bytes, weight, false),
        }
        self.n_records += n_records;
        self.is_unfit |= n_records > 4 * RECORDS_OF_A_PIECE;
    }

    /// Takes a record that is passed over.
    fn take_giant(&mut self, bytes: Range<usize>) {
        self.push(bytes, 1, true);
        self.n_records += 1;
    }

    fn push(&mut self, bytes: Range<usize>, weight: u64, is_giant: bool) {
        self.is_unfit |= self.cuts.len() == MAX_CUTS;
        self.cuts.push(Cut { bytes, first_record: self.n_records, weight, is_giant, share_bytes: 0 });
    }

    /// Returns the cuts of a text of this size, which is inflated to its end; none where it holds no record.
    fn finish(mut self, inflated_bytes: usize, kind: Around, text: Text<&[u8]>) -> Option<Cuts> {
        let mut end = inflated_bytes;
        for cut in self.cuts.iter_mut().rev() {
            cut.share_bytes = (end - cut.bytes.start) as u64;
            end = cut.bytes.start;
        }
        self.cuts.first_mut()?.share_bytes += end as u64;
        let is_fit = !self.is_unfit;
        is_fit.then(|| Cuts { places: self.cuts, kind, piece_bytes: self.piece_bytes, sha256: text.into_sha256() })
    }
}
