//! Turns one CloudTrail object into Arrow rows of `events`, rows of `rejects` and a tally.
//!
//! ```text
//! stored: &[u8] --gunzip--> inflated: &[u8] --ordinary--> record: &[u8] --glance--> --simd-json--> tape
//!  as in S3                 capped            borders     + its fields    may be a    one record     |
//!                              |              alone            ^          row                      append
//!                              '- an odd one -> envelope, split '                                     |
//!                                                Decoded { events, rejects, tally } <-- builders <----'
//! ```
//!
//! Only the border and three fields are looked at of a record that is not a row: see docs/adr/0006.
//!
//! It does no I/O, reads no clock and spawns nothing; a worker owns a [`Decoder`] and feeds it objects, whose rows it
//! takes together; of a large object, which is cut into [`Pieces`], each may take one. One bad record never fails an
//! object: it becomes a row of `rejects`. An object fails as a whole, with a [`DecodeError`], when its records cannot be
//! told apart or its bytes cannot be trusted.
//!
//! [`oracle`] does the same in the slow, obvious way; tests hold the two together. So does, for as many seconds as it
//! is told, `cargo run -p trailweave-decode --example fuzz -- 60`, over mutated objects;
//! `fuzz/` holds a target for cargo-fuzz, which needs a nightly compiler, as does `make miri`, which runs the vector
//! instructions under Miri.

mod append;
mod ec2;
mod envelope;
mod error;
mod exported;
mod glance;
mod gunzip;
mod identity;
mod json;
mod kms;
mod mask;
mod normalise;
pub mod oracle;
mod ordinary;
mod parser;
mod pieces;
mod record;
mod reject;
mod relevant;
mod resource_ids;
mod split;

use std::fmt;
use std::str::FromStr;

use arrow::array::RecordBatch;
use trailweave_table::EVENTS;
use trailweave_table::Tally;

use crate::append::{Mark, Rows, position};
use crate::envelope::{Envelope, Found};
use crate::glance::{Glance, glance};
use crate::gunzip::Gunzip;
use crate::ordinary::Ordinary;
use crate::parser::Parser;
use crate::parser::is_oversized;
use crate::record::Record;
use crate::reject::{Reason, Rejects};
use crate::split::Field;

pub use crate::error::DecodeError;
pub use crate::gunzip::inflated_estimate_bytes;
pub use crate::pieces::{Cuts, Piece, Pieces, Survey};

/// How deep a record may nest; the record itself is the first level.
const MAX_DEPTH: usize = 128;
/// What a row may add to a column besides parts of the record: the rest of a key's ARN.
const ROW_OVERHEAD_BYTES: usize = 256;

const SOURCE_OBJECT: usize = position(&EVENTS, "source_object");
const SOURCE_INDEX: usize = position(&EVENTS, "source_index");

/// How objects are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// An object that inflates past this is refused.
    pub cap_bytes: usize,
    /// Which records become rows.
    pub selection: Selection,
}

/// Which records become rows of `events`. Which are rejected does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Selection {
    /// Those that the join can use, and those that change a key or issue credentials.
    #[default]
    Relevant,
    /// Every record.
    All,
}

/// A name that is no [`Selection`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither `relevant` nor `all`")]
pub struct UnknownSelection(pub String);

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// What became of the records; no duplicates, which only the lake can tell.
    pub tally: Tally,
    /// The size of the object when inflated.
    pub inflated_bytes: u64,
}

/// The rows of objects, one object after the other, each in logged order. No batch is empty.
#[derive(Debug)]
pub struct Taken {
    /// Rows of `events`.
    pub events: Vec<RecordBatch>,
    /// What the rows would be of records outside of the selection that amend others, which therefore may not stay.
    pub amendments: Vec<RecordBatch>,
    /// Rows of `rejects`.
    pub rejects: Vec<RecordBatch>,
}

/// What became of one object, with its rows.
#[derive(Debug)]
pub struct Decoded {
    /// Rows of `events`, in logged order; no batch is empty.
    pub events: Vec<RecordBatch>,
    /// What the rows would be of records outside of the selection that amend others, in logged order.
    pub amendments: Vec<RecordBatch>,
    /// Rows of `rejects`, in logged order; no batch is empty.
    pub rejects: Vec<RecordBatch>,
    /// What became of the records; no duplicates, which only the lake can tell.
    pub tally: Tally,
    /// The size of the object when inflated.
    pub inflated_bytes: u64,
}

/// Decodes objects one after the other and keeps its buffers between them.
pub struct Decoder {
    options: Options,
    gunzip: Gunzip,
    ordinary: Ordinary,
    envelope: Envelope,
    /// The fields of the record that is being read.
    fields: Vec<Field>,
    records: Records,
}

impl Default for Options {
    fn default() -> Self {
        Self { cap_bytes: 2 << 30, selection: Selection::default() }
    }
}

impl FromStr for Selection {
    type Err = UnknownSelection;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "relevant" => Ok(Self::Relevant),
            "all" => Ok(Self::All),
            _ => Err(UnknownSelection(name.to_owned())),
        }
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Relevant => "relevant",
            Self::All => "all",
        })
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Decoder {
    /// A decoder with empty buffers.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            gunzip: Gunzip::new(),
            ordinary: Ordinary::default(),
            envelope: Envelope::default(),
            fields: Vec::new(),
            records: Records::new(options.selection),
        }
    }

    /// Decodes an object, `stored` as it lies in S3. `source_object` is what the rows will name it.
    pub fn decode(&mut self, source_object: &str, stored: &[u8]) -> Result<Decoded, DecodeError> {
        let Read { tally, inflated_bytes } = self.read(source_object, stored)?;
        let Taken { events, amendments, rejects } = self.take();
        Ok(Decoded { events, amendments, rejects, tally, inflated_bytes })
    }

    /// Decodes an object, and puts its rows behind those of the objects before it, so that small ones share batches.
    /// An object that fails leaves none.
    pub fn read(&mut self, source_object: &str, stored: &[u8]) -> Result<Read, DecodeError> {
        self.read_within(source_object, stored, usize::MAX)
    }

    /// Does the same if its text, its rows and all rows since the last [`Decoder::take`] fit into `room_bytes`; else
    /// fails with [`DecodeError::NoRoom`].
    pub fn read_within(&mut self, source_object: &str, stored: &[u8], room_bytes: usize) -> Result<Read, DecodeError> {
        let Self { options, gunzip, ordinary, envelope, fields, records } = self;
        let text_room = room_bytes.saturating_sub(records.room.held_bytes);
        let inflated = gunzip.inflate(stored, options.cap_bytes, text_room)?;
        let text_bytes = if gunzip::is_gzip(stored) { inflated.len() } else { 0 };
        let before = records.begin(0, room_bytes.saturating_sub(text_bytes));
        let mut take = |found: ordinary::Found<'_>| records.take(source_object, &found, fields, envelope);
        let outcome = ordinary.records(inflated, &mut take).or_else(|ordinary::Odd| {
            records.forget_since(&before);
            envelope.records(inflated, &mut |found| records.push(source_object, &found))
        });
        let outcome = if records.room.is_full { Err(DecodeError::NoRoom { room_bytes }) } else { outcome };
        if let Err(error) = outcome {
            records.forget_since(&before);
            return Err(error);
        }
        Ok(Read { tally: records.tally, inflated_bytes: inflated.len() as u64 })
    }

    /// The rows of the objects that were read since the last call.
    pub fn take(&mut self) -> Taken {
        let Records { events, amendments, rejects, room, .. } = &mut self.records;
        room.held_bytes = 0;
        Taken { events: events.take(), amendments: amendments.take(), rejects: rejects.take() }
    }

    /// Counts the bytes that its buffers for texts take, which are the large ones.
    pub fn held_bytes(&self) -> usize {
        let Records { events, amendments, rejects, .. } = &self.records;
        self.gunzip.held_bytes() + events.held_bytes() + amendments.held_bytes() + rejects.held_bytes()
    }
}

/// Collects rows, and counts the records of one object.
struct Records {
    selection: Selection,
    events: Rows,
    amendments: Rows,
    rejects: Rejects,
    /// The position in its object of the first record that is counted.
    first: u64,
    tally: Tally,
    room: Room,
    parser: Parser,
}

/// The memory that the rows since the last [`Decoder::take`] take, about, and may take.
#[derive(Debug, Clone, Copy)]
struct Room {
    held_bytes: usize,
    most_bytes: usize,
    /// True once a row was left out because they would take more.
    is_full: bool,
}

/// The rows before an object.
struct Before {
    marks: [Mark; 3],
    room: Room,
}

impl Records {
    fn new(selection: Selection) -> Self {
        Self {
            selection,
            events: Rows::new(&EVENTS),
            amendments: Rows::new(&EVENTS),
            rejects: Rejects::new(),
            first: 0,
            tally: Tally::default(),
            room: Room { held_bytes: 0, most_bytes: usize::MAX, is_full: false },
            parser: Parser::default(),
        }
    }

    /// Begins to count for an object, from this record of it on; returns where its rows begin.
    fn begin(&mut self, first: u64, room_bytes: usize) -> Before {
        self.first = first;
        self.tally = Tally::default();
        self.room.most_bytes = room_bytes;
        let marks = [self.events.mark(), self.amendments.mark(), self.rejects.mark()];
        Before { marks, room: self.room }
    }

    /// Forgets an object.
    fn forget_since(&mut self, Before { marks: [events, amendments, rejects], room }: &Before) {
        self.tally = Tally::default();
        self.room = *room;
        self.events.forget_since(*events);
        self.amendments.forget_since(*amendments);
        self.rejects.forget_since(*rejects);
    }

    /// Makes of an ordinary object's element what it is, and counts it. `fields` and `envelope` lend their buffers.
    fn take(
        &mut self,
        source_object: &str,
        found: &ordinary::Found<'_>,
        fields: &mut Vec<Field>,
        envelope: &mut Envelope,
    ) {
        let is_usual = found.is_plain && found.raw.len() <= parser::USUAL_RECORD_BYTES;
        let seen = if is_usual { glance(found, self.selection) } else { Glance::Odd };
        match seen {
            Glance::Filtered => {
                self.tally.records += 1;
                self.tally.filtered += 1;
            }
            Glance::Parse if found.fields(fields).is_ok() => {
                self.push(source_object, &Found { raw: found.raw, depth: 1, fields: Some(fields) });
            }
            _ => envelope.record(found.raw, &mut |found| self.push(source_object, &found)),
        }
    }

    /// Makes a row of `events` of a record, or a row of `rejects`, or neither, and counts it.
    fn push(&mut self, source_object: &str, found: &Found<'_>) {
        if self.room.is_full {
            return;
        }
        let source_index = self.first + self.tally.records;
        self.tally.records += 1;
        match self.append(source_object, source_index, found) {
            Ok(true) => self.tally.rows += 1,
            Ok(false) => self.tally.filtered += 1,
            Err(reason) => self.reject(source_object, source_index, reason, found.raw, found.raw.len()),
        }
    }

    /// Makes a row of `rejects` of a record of `n_bytes`, of which `raw` is all or the beginning.
    fn reject(&mut self, source_object: &str, source_index: u64, reason: Reason, raw: &[u8], n_bytes: usize) {
        self.tally.rejects += 1;
        if self.room.takes(raw.len().min(reject::KEEP_BYTES) + source_object.len() + ROW_OVERHEAD_BYTES) {
            self.rejects.push(source_object, source_index, reason, raw, n_bytes);
        }
    }

    /// Appends a row if the selection has the record, and says whether it has. Of one that amends another without being
    /// of the selection, the row is put aside.
    fn append(&mut self, source_object: &str, source_index: u64, found: &Found<'_>) -> Result<bool, Reason> {
        if matches!(found.raw, [b'{', ..]) && is_oversized(found.raw) {
            return Err(Reason::TooLarge);
        }
        let fields = found.fields.ok_or(Reason::InvalidJson)?;
        match found.raw {
            [b'{', ..] if found.depth > MAX_DEPTH => return Err(Reason::TooDeep),
            [b'{', ..] => {}
            _ => return Err(Reason::NotAnObject),
        }
        let raw = simdutf8::basic::from_utf8(found.raw).map_err(|_| Reason::InvalidJson)?;
        let parser = &mut self.parser;
        let is_json = |text: &str| !is_oversized(text.as_bytes()) && parser.parse(text.as_bytes(), |_| Ok(())).is_ok();
        let with_payloads = exported::with_payloads(raw, fields, is_json);
        let Some(record) = with_payloads.filter(|record| !is_oversized(record.as_bytes())) else {
            return self.append_record(source_object, source_index, raw, fields);
        };
        let mut fields = Vec::new();
        split::fields(record.as_bytes(), &mut fields).map_err(|_| Reason::InvalidJson)?;
        self.append_record(source_object, source_index, &record, &fields)
    }

    /// Parses a record and adds its row, if it is selected or amends another.
    fn append_record(
        &mut self,
        source_object: &str,
        source_index: u64,
        raw: &str,
        fields: &[Field],
    ) -> Result<bool, Reason> {
        let Self { selection, events, amendments, room, parser, .. } = self;
        parser.parse(raw.as_bytes(), |tape| {
            let record = Record::new(tape, raw, fields);
            let event_time_ms = record.validate()?;
            let is_selected = record.is_selected(*selection);
            if !is_selected && record.amended_event_id().is_none() {
                return Ok(false);
            }
            let n_bytes = raw.len() + source_object.len() + ROW_OVERHEAD_BYTES;
            if room.takes(n_bytes) {
                let rows = if is_selected { events } else { amendments };
                rows.begin_row(n_bytes);
                record.append(event_time_ms, rows);
                rows.text(SOURCE_OBJECT, Some(source_object));
                rows.integer(SOURCE_INDEX, i64::try_from(source_index).unwrap_or(i64::MAX));
                rows.end_row();
            }
            Ok(is_selected)
        })
    }
}

impl Room {
    /// Takes the room for a row of `n_bytes`, if there is enough.
    fn takes(&mut self, n_bytes: usize) -> bool {
        self.held_bytes += n_bytes;
        self.is_full |= self.held_bytes > self.most_bytes;
        !self.is_full
    }
}
