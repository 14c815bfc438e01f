//! The records of an ordinary object, `{"Records":[{..},{..}]}`, in one pass and without parsing them.
//!
//! Blocks of 64 bytes become bit masks; quotes tell what is inside strings; brackets outside them tell the depth. Where
//! a block stays inside a record's own values, which most do, counting its brackets is all that happens. So a
//! record's border and the colons of its own fields are found at several times the speed of a parser.
//!
//! Odd ones are left to those modules that can deal with them: another envelope to [`envelope`](crate::envelope), a
//! record with escapes or bytes beyond ASCII to [`split`](crate::split) and the parser.

use crate::mask::processor::Processor;
use crate::mask::{BLOCK_BYTES, Block, Instructions, Masks, Work};
use crate::parser::MAX_DEPTH;
use crate::split;
use crate::split::{Field, MAX_FIELDS, Span};

/// The object is none of those that this module reads; what was found so far may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Odd;

/// A record as it was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OrdinaryRecord<'a> {
    /// From its `{` to its `}`.
    pub(crate) raw: &'a [u8],
    /// Where in the object that is.
    pub(crate) at: usize,
    /// Where in `raw` the colons of its own fields are.
    pub(crate) colons: &'a [usize],
    /// True if its strings are printable ASCII without escapes.
    pub(crate) is_plain: bool,
}

/// Finds the records of inflated objects; keeps its buffers.
#[derive(Debug)]
pub(crate) struct Ordinary {
    processor: Processor,
    colons: Vec<usize>,
}

impl Default for Ordinary {
    fn default() -> Self {
        Self { processor: Processor::detect(), colons: Vec::new() }
    }
}

impl Ordinary {
    /// Calls `each` for every record of `bytes`, in logged order.
    pub(crate) fn records(&mut self, bytes: &[u8], each: &mut impl FnMut(OrdinaryRecord<'_>)) -> Result<(), Odd> {
        let end = match head(bytes)? {
            Next::Element(first) => self.records_from(first, bytes, each)?,
            Next::End(end) => end,
        };
        tail(bytes, end)
    }

    /// Calls `each` for the records from the one that begins at `first`, up to the end of `bytes` or of the array, and
    /// returns where that is.
    pub(crate) fn records_from(
        &mut self,
        first: usize,
        bytes: &[u8],
        each: &mut impl FnMut(OrdinaryRecord<'_>),
    ) -> Result<usize, Odd> {
        self.processor.run(Pass { first, bytes, colons: &mut self.colons, each })
    }
}

/// The pass over the records of an object.
struct Pass<'p, F> {
    first: usize,
    bytes: &'p [u8],
    colons: &'p mut Vec<usize>,
    each: &'p mut F,
}

impl<F: FnMut(OrdinaryRecord<'_>)> Work for Pass<'_, F> {
    type Output = Result<usize, Odd>;

    #[expect(clippy::inline_always, reason = "only what is inlined is compiled for the instructions")]
    #[inline(always)]
    fn work(self, instructions: impl Instructions) -> Result<usize, Odd> {
        let Self { first, bytes, colons, each } = self;
        colons.clear();
        let mut walk = Walk::new(bytes, element(bytes, first)?, colons);
        let (blocks, rest) = bytes[first..].as_chunks::<BLOCK_BYTES>();
        let mut last: Block = [b' '; BLOCK_BYTES];
        last[..rest.len()].copy_from_slice(rest);
        let mut at = first;
        for block in blocks.iter().chain([&last]) {
            if let Some(end) = walk.block(instructions, at, instructions.masks(block), each)? {
                return Ok(end);
            }
            at += BLOCK_BYTES;
        }
        Err(Odd)
    }
}

/// Where the pass over the blocks is.
struct Walk<'a> {
    bytes: &'a [u8],
    /// Where the record begins that the pass is in, or that it comes to next.
    start: usize,
    /// Colons of that record's own fields, counted from `start`.
    colons: &'a mut Vec<usize>,
    is_plain: bool,
    depth: usize,
    /// All ones when the last block ended inside a string.
    in_string: u64,
    /// One when the last block ended with a backslash that escapes what follows.
    escapes_next: u64,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8], start: usize, colons: &'a mut Vec<usize>) -> Self {
        Self { bytes, start, colons, is_plain: true, depth: 0, in_string: 0, escapes_next: 0 }
    }

    /// Takes the block at `at`; returns where the array of records ends, if it does so here.
    #[expect(clippy::inline_always, reason = "see `Pass`")]
    #[inline(always)]
    fn block(
        &mut self,
        instructions: impl Instructions,
        at: usize,
        masks: Masks,
        each: &mut impl FnMut(OrdinaryRecord<'_>),
    ) -> Result<Option<usize>, Odd> {
        let quote = masks.quote & !self.escaped(masks.backslash);
        let in_string = instructions.inside(quote) ^ self.in_string;
        self.in_string = if in_string >> 63 == 1 { u64::MAX } else { 0 };
        if masks.backslash & !in_string != 0 {
            return Err(Odd);
        }
        let (open, close, colon) = (masks.open & !in_string, masks.close & !in_string, masks.colon & !in_string);
        let (n_open, n_close) = (open.count_ones() as usize, close.count_ones() as usize);
        let odd = masks.backslash | masks.unprintable & in_string;
        if self.depth + n_open > MAX_DEPTH {
            return Err(Odd);
        }
        if self.depth > n_close + 1 {
            self.is_plain &= odd == 0;
            self.depth = self.depth + n_open - n_close;
            return Ok(None);
        }
        let mut since_bracket = u64::MAX;
        let mut since_record = u64::MAX;
        let mut brackets = open | close;
        while brackets != 0 {
            let bit = brackets & brackets.wrapping_neg();
            brackets ^= bit;
            let before = bit - 1;
            if self.depth == 1 {
                self.colons(at, colon & since_bracket & before);
            }
            since_bracket = !(before | bit);
            if open & bit != 0 {
                self.depth += 1;
                continue;
            }
            self.depth -= 1;
            if self.depth == 0 {
                self.is_plain &= odd & since_record & before == 0;
                since_record = since_bracket;
                match self.end_record(at + bit.trailing_zeros() as usize + 1, each)? {
                    Next::Element(start) => self.start = start,
                    Next::End(end) => return Ok(Some(end)),
                }
            }
        }
        if self.depth == 1 {
            self.colons(at, colon & since_bracket);
        }
        self.is_plain &= odd & since_record == 0;
        Ok(None)
    }

    #[inline(never)]
    fn end_record(&mut self, end: usize, each: &mut impl FnMut(OrdinaryRecord<'_>)) -> Result<Next, Odd> {
        let raw = &self.bytes[self.start..end];
        each(OrdinaryRecord { raw, at: self.start, colons: self.colons, is_plain: self.is_plain });
        self.colons.clear();
        self.is_plain = true;
        separator(self.bytes, end)
    }

    fn colons(&mut self, at: usize, mut colons: u64) {
        if self.colons.len() >= MAX_FIELDS {
            self.is_plain &= colons == 0;
            return;
        }
        while colons != 0 {
            self.colons.push(at + colons.trailing_zeros() as usize - self.start);
            colons &= colons - 1;
        }
    }

    /// The bytes that a backslash before them escapes.
    #[inline]
    fn escaped(&mut self, backslash: u64) -> u64 {
        if backslash == 0 {
            return std::mem::take(&mut self.escapes_next);
        }
        let mut escaped = self.escapes_next;
        let mut rest = backslash & !escaped;
        self.escapes_next = 0;
        while rest != 0 {
            let bit = rest & rest.wrapping_neg();
            self.escapes_next = bit >> 63;
            escaped |= bit << 1;
            rest &= !(bit | bit << 1);
        }
        escaped
    }
}

/// The continuation of an object after a record, or after its beginning.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Next {
    /// A record, which begins here.
    Element(usize),
    /// The end of the array, or of the bytes, which is here.
    End(usize),
}

/// Finds what follows the beginning of an ordinary object.
pub(crate) fn head(bytes: &[u8]) -> Result<Next, Odd> {
    let expect = |at, token| expect(bytes, at, token).ok_or(Odd);
    let object = split::skip_space_and_marks(bytes, 0);
    let key = split::skip_space(bytes, expect(object, b"{")?);
    let colon = split::skip_space(bytes, expect(key, b"\"Records\"")?);
    let array = split::skip_space(bytes, expect(colon, b":")?);
    let first = split::skip_space(bytes, expect(array, b"[")?);
    if bytes.get(first) == Some(&b']') { Ok(Next::End(first)) } else { element(bytes, first).map(Next::Element) }
}

/// Checks that the array ends at `end`, and that nothing but the object's own end follows.
pub(crate) fn tail(bytes: &[u8], end: usize) -> Result<(), Odd> {
    let array = expect(bytes, end, b"]").ok_or(Odd)?;
    let object = expect(bytes, split::skip_space(bytes, array), b"}").ok_or(Odd)?;
    if split::skip_space_and_marks(bytes, object) == bytes.len() { Ok(()) } else { Err(Odd) }
}

/// Finds what follows the record that ends at `end`.
#[inline]
pub(crate) fn separator(bytes: &[u8], end: usize) -> Result<Next, Odd> {
    let at = split::skip_space(bytes, end);
    match bytes.get(at) {
        Some(b',') => element(bytes, split::skip_space(bytes, at + 1)).map(Next::Element),
        Some(b']') | None => Ok(Next::End(at)),
        _ => Err(Odd),
    }
}

/// Returns `at`, if an object begins there.
fn element(bytes: &[u8], at: usize) -> Result<usize, Odd> {
    expect(bytes, at, b"{").map(|_| at).ok_or(Odd)
}

/// Returns where `token` ends, if it stands at `at`.
fn expect(bytes: &[u8], at: usize, token: &[u8]) -> Option<usize> {
    bytes.get(at..)?.starts_with(token).then_some(at + token.len())
}

impl OrdinaryRecord<'_> {
    /// Replaces `found` by the record's own fields, if their borders are clear. They are right if the record is JSON.
    ///
    /// Needs: the record is plain.
    pub(crate) fn fields(&self, found: &mut Vec<Field>) -> Result<(), Odd> {
        let raw = self.raw;
        found.clear();
        for &colon in self.colons {
            let key_end = back_over_space(raw, colon);
            let [b'{', name @ .., b'"'] = &raw[..key_end] else {
                return Err(Odd);
            };
            let key = 1 + memchr::memrchr(b'"', name).ok_or(Odd)?;
            let before = back_over_space(raw, key);
            match (found.last_mut(), raw[before - 1]) {
                (Some(Field { value, .. }), b',') => value.end = back_over_space(raw, before - 1),
                (None, b'{') => {}
                _ => return Err(Odd),
            }
            let value = Span { start: split::skip_space(raw, colon + 1), end: raw.len(), depth: 0 };
            found.push(Field { key: Span { start: key, end: key_end, depth: 0 }, value });
        }
        if let Some(last) = found.last_mut() {
            last.value.end = back_over_space(raw, raw.len() - 1);
        }
        if found.iter().all(|field| field.value.start < field.value.end) { Ok(()) } else { Err(Odd) }
    }
}

/// Where the white space before `end` begins.
fn back_over_space(bytes: &[u8], end: usize) -> usize {
    let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    end - bytes[..end].iter().rev().take_while(is_space).count()
}
