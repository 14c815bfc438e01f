//! The rows of objects, and the counts of one.

use arrow::array::RecordBatch;
use trailweave_table::EVENTS;
use trailweave_table::SESSIONS;
use trailweave_table::Tally;

use crate::append::{Mark, RowBuilder};
use crate::envelope::{Envelope, RawRecord};
use crate::exported;
use crate::glance::{Glance, glance};
use crate::identity::Identities;
use crate::options::Selection;
use crate::ordinary;
use crate::parser;
use crate::parser::{MAX_DEPTH, Parser, is_oversized};
use crate::position::{IntegerAt, TextAt};
use crate::record::Record;
use crate::reject;
use crate::reject::{Reason, Rejects};
use crate::row;
use crate::row::RowOf;
use crate::session::Issued;
use crate::split;
use crate::split::Field;

/// The bytes that a row may add to a column besides parts of the record: the rest of a key's ARN.
pub(crate) const ROW_OVERHEAD_BYTES: usize = 256;

/// The columns that say where a record came from, of `events` and of `sessions`.
const LOGGED_AT: (TextAt, IntegerAt) = (TextAt::of(&EVENTS, "source_object"), IntegerAt::of(&EVENTS, "source_index"));
const SESSION_LOGGED_AT: (TextAt, IntegerAt) =
    (TextAt::of(&SESSIONS, "source_object"), IntegerAt::of(&SESSIONS, "source_index"));

/// The rows of objects, one object after the other, each in logged order. No batch is empty. Columns of few values are
/// dictionaries; [`plain`](crate::plain) makes texts of them.
#[derive(Debug)]
pub struct Taken {
    /// Rows of `events`.
    pub events: Vec<RecordBatch>,
    /// Rows of `sessions`.
    pub sessions: Vec<RecordBatch>,
    /// The rows that records outside of the selection that amend others would be; they may not stay.
    pub amendments: Vec<RecordBatch>,
    /// Rows of `rejects`.
    pub rejects: Vec<RecordBatch>,
}

/// Collects rows, and counts the records of one object.
pub(crate) struct Records {
    selection: Selection,
    events: RowBuilder,
    sessions: RowBuilder,
    amendments: RowBuilder,
    rejects: Rejects,
    /// The position in its object of the first record that is counted.
    first: u64,
    pub(crate) tally: Tally,
    /// Those of its rows that are of `sessions`.
    pub(crate) n_sessions: u64,
    pub(crate) room: Room,
    parser: Parser,
    identities: [Identities; 2],
    /// Fields of an object inside of a plain record.
    inner: Vec<Field>,
}

/// The memory that the rows since the last [`Decoder::take`] take, about, and may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) held_bytes: usize,
    most_bytes: usize,
    /// True once a row was left out because they would take more.
    pub(crate) is_full: bool,
}

/// The rows before an object.
pub(crate) struct Before {
    marks: [Mark; 4],
    room: Room,
}

impl Records {
    pub(crate) fn new(selection: Selection) -> Self {
        Self {
            selection,
            events: RowBuilder::coded(&EVENTS),
            sessions: RowBuilder::coded(&SESSIONS),
            amendments: RowBuilder::coded(&EVENTS),
            rejects: Rejects::new(),
            first: 0,
            tally: Tally::default(),
            n_sessions: 0,
            room: Room { held_bytes: 0, most_bytes: usize::MAX, is_full: false },
            parser: Parser::default(),
            identities: Default::default(),
            inner: Vec::new(),
        }
    }

    /// Begins to count for an object, from this record of it on; returns where its rows begin.
    pub(crate) fn begin(&mut self, first: u64, room_bytes: usize) -> Before {
        self.first = first;
        (self.tally, self.n_sessions) = (Tally::default(), 0);
        self.room.most_bytes = room_bytes;
        let marks = [self.events.mark(), self.sessions.mark(), self.amendments.mark(), self.rejects.mark()];
        Before { marks, room: self.room }
    }

    /// Forgets an object.
    pub(crate) fn forget_since(&mut self, Before { marks: [events, sessions, amendments, rejects], room }: &Before) {
        (self.tally, self.n_sessions) = (Tally::default(), 0);
        self.room = *room;
        self.events.forget_since(*events);
        self.sessions.forget_since(*sessions);
        self.amendments.forget_since(*amendments);
        self.rejects.forget_since(*rejects);
    }

    /// Returns the rows since the last call.
    pub(crate) fn take_rows(&mut self) -> Taken {
        let Self { events, sessions, amendments, rejects, room, .. } = self;
        room.held_bytes = 0;
        Taken {
            events: events.take(),
            sessions: sessions.take(),
            amendments: amendments.take(),
            rejects: rejects.take(),
        }
    }

    /// Counts the bytes that the buffers for texts take.
    pub(crate) fn held_bytes(&self) -> usize {
        let builders = [&self.events, &self.sessions, &self.amendments];
        builders.into_iter().map(RowBuilder::held_bytes).sum::<usize>() + self.rejects.held_bytes()
    }

    /// Takes an element of an ordinary object for what it is, and counts it. `fields` and `envelope` lend their
    /// buffers.
    pub(crate) fn take(
        &mut self,
        source_object: &str,
        found: &ordinary::OrdinaryRecord<'_>,
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
            Glance::Parse | Glance::Session if found.fields(fields).is_ok() => {
                if seen == Glance::Session && self.push_session(source_object, found.raw, fields) {
                    return;
                }
                self.push(source_object, &RawRecord { raw: found.raw, depth: 1, fields: Some(fields), account: None });
            }
            _ => envelope.record(found.raw, &mut |found| self.push(source_object, &found)),
        }
    }

    /// Makes a row of `sessions` of a plain record, and counts it, without parsing it; false where it is not as STS logs
    /// them.
    fn push_session(&mut self, source_object: &str, raw: &[u8], fields: &[Field]) -> bool {
        let Ok(raw) = simdutf8::basic::from_utf8(raw) else { return false };
        let Ok(issued) = Issued::of_plain(raw, fields, &mut self.inner) else { return false };
        let source_index = self.first + self.tally.records;
        if !self.room.is_full {
            self.tally.records += 1;
            self.tally.rows += 1;
            self.n_sessions += 1;
            self.append_session(source_object, source_index, raw.len(), &issued);
        }
        true
    }

    /// Appends a row of `sessions`, of a record of `n_bytes`, if there is room.
    fn append_session(&mut self, source_object: &str, source_index: u64, n_bytes: usize, issued: &Issued<'_>) {
        let n_bytes = n_bytes + source_object.len() + ROW_OVERHEAD_BYTES;
        if self.room.takes(n_bytes) {
            self.sessions.begin_row(n_bytes);
            issued.append(&mut self.sessions);
            let (object, index) = SESSION_LOGGED_AT;
            self.sessions.text(object, Some(source_object));
            self.sessions.integer(index, i64::try_from(source_index).unwrap_or(i64::MAX));
            self.sessions.end_row();
        }
    }

    /// Makes a row of `events` or `sessions` of a record, or a row of `rejects`, or neither, and counts it.
    pub(crate) fn push(&mut self, source_object: &str, found: &RawRecord<'_>) {
        if self.room.is_full {
            return;
        }
        let source_index = self.first + self.tally.records;
        self.tally.records += 1;
        match self.append(source_object, source_index, found) {
            Ok(RowOf::Events) => self.tally.rows += 1,
            Ok(RowOf::Sessions) => {
                self.tally.rows += 1;
                self.n_sessions += 1;
            }
            Ok(RowOf::NoTable) => self.tally.filtered += 1,
            Err(reason) => self.reject(source_object, source_index, reason, found.raw, found.raw.len()),
        }
    }

    /// Makes a row of `rejects` of a record of `n_bytes`, of which `raw` is all or the beginning.
    pub(crate) fn reject(
        &mut self,
        source_object: &str,
        source_index: u64,
        reason: Reason,
        raw: &[u8],
        n_bytes: usize,
    ) {
        self.tally.rejects += 1;
        if self.room.takes(raw.len().min(reject::KEEP_BYTES) + source_object.len() + ROW_OVERHEAD_BYTES) {
            self.rejects.push(source_object, source_index, reason, raw, n_bytes);
        }
    }

    /// Appends a row if the selection has the record, and says of which table. If it amends another without being of
    /// the selection, its row is put aside.
    fn append(&mut self, source_object: &str, source_index: u64, found: &RawRecord<'_>) -> Result<RowOf, Reason> {
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
            return self.append_record(source_object, source_index, found.account, raw, fields);
        };
        let mut fields = Vec::new();
        split::fields(record.as_bytes(), &mut fields).map_err(|_| Reason::InvalidJson)?;
        self.append_record(source_object, source_index, found.account, &record, &fields)
    }

    /// Parses a record and adds its row, if it is selected or amends another.
    fn append_record(
        &mut self,
        source_object: &str,
        source_index: u64,
        account: Option<&str>,
        raw: &str,
        fields: &[Field],
    ) -> Result<RowOf, Reason> {
        let Self { selection, events, sessions, amendments, room, parser, identities, .. } = self;
        parser.parse(raw.as_bytes(), |tape| {
            let record = Record::new(tape, raw, fields, account);
            if record.is_of_many_calls() {
                return Ok(RowOf::NoTable);
            }
            let event_time_ms = record.validate()?;
            let row_of = row::row_of(&record, *selection);
            // Codes are those of one builder.
            let [of_events, of_amendments] = identities;
            let (rows, (object, index), identities) = match row_of {
                RowOf::Events => (events, LOGGED_AT, of_events),
                RowOf::Sessions => (sessions, SESSION_LOGGED_AT, of_events),
                RowOf::NoTable if record.amended_event_id().is_none() => return Ok(row_of),
                RowOf::NoTable => (amendments, LOGGED_AT, of_amendments),
            };
            let n_bytes = raw.len() + source_object.len() + ROW_OVERHEAD_BYTES;
            if room.takes(n_bytes) {
                rows.begin_row(n_bytes);
                match row_of {
                    RowOf::Sessions => Issued::of(&record, event_time_ms).append(rows),
                    RowOf::Events | RowOf::NoTable => row::append(&record, event_time_ms, identities, rows),
                }
                rows.text(object, Some(source_object));
                rows.integer(index, i64::try_from(source_index).unwrap_or(i64::MAX));
                rows.end_row();
            }
            Ok(row_of)
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
