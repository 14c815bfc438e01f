//! The decoder: its buffers, and what it makes of one object after the other.

use std::fmt;

use arrow::array::RecordBatch;
use trailweave_table::Tally;

use crate::append::plain;
use crate::envelope::Envelope;
use crate::error::DecodeError;
use crate::gunzip;
use crate::gunzip::Gunzip;
use crate::gunzip::Sha256;
use crate::options::DecodeOptions;
use crate::ordinary;
use crate::ordinary::Ordinary;
use crate::records::{Records, Taken};
use crate::split::Field;

/// The outcome of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// The counts of the records; no duplicates, which only the lake can tell.
    pub tally: Tally,
    /// The number of its rows that are of `sessions`.
    pub n_sessions: u64,
    /// The size of the object when inflated.
    pub inflated_bytes: u64,
    /// The SHA-256 of the object when inflated, as CloudTrail's digests tell it; `None` where the object is not one
    /// member of gzip. The pieces of an object carry that of the whole object.
    pub sha256: Option<Sha256>,
}

/// The outcome of one object, with its rows.
#[derive(Debug)]
pub struct Decoded {
    /// Rows of `events`, in logged order; no batch is empty.
    pub events: Vec<RecordBatch>,
    /// Rows of `sessions`, in logged order; no batch is empty.
    pub sessions: Vec<RecordBatch>,
    /// The rows that records outside of the selection that amend others would be, in logged order.
    pub amendments: Vec<RecordBatch>,
    /// Rows of `rejects`, in logged order; no batch is empty.
    pub rejects: Vec<RecordBatch>,
    /// The counts of the records; no duplicates, which only the lake can tell.
    pub tally: Tally,
    /// The size of the object when inflated.
    pub inflated_bytes: u64,
}

/// Decodes objects one after the other and keeps its buffers between them.
pub struct Decoder {
    pub(crate) options: DecodeOptions,
    gunzip: Gunzip,
    pub(crate) ordinary: Ordinary,
    pub(crate) envelope: Envelope,
    /// The fields of the record that is being read.
    pub(crate) fields: Vec<Field>,
    pub(crate) records: Records,
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Decoder {
    /// Makes a decoder with empty buffers.
    pub fn new(options: DecodeOptions) -> Self {
        Self {
            options,
            gunzip: Gunzip::new(options.sha256),
            ordinary: Ordinary::default(),
            envelope: Envelope::default(),
            fields: Vec::new(),
            records: Records::new(options.selection),
        }
    }

    /// Decodes an object, `stored` as it lies in S3. `source_object` is what the rows will name it.
    pub fn decode(&mut self, source_object: &str, stored: &[u8]) -> Result<Decoded, DecodeError> {
        let Read { tally, inflated_bytes, .. } = self.read(source_object, stored)?;
        let plain = |rows: Vec<RecordBatch>| rows.iter().map(plain).collect();
        let Taken { events, sessions, amendments, rejects } = self.take();
        let (events, sessions, amendments) = (plain(events), plain(sessions), plain(amendments));
        Ok(Decoded { events, sessions, amendments, rejects, tally, inflated_bytes })
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
        let (inflated, sha256) = gunzip.inflate(stored, options.cap_bytes, text_room)?;
        let text_bytes = if gunzip::is_gzip(stored) { inflated.len() } else { 0 };
        let before = records.begin(0, room_bytes.saturating_sub(text_bytes));
        let mut take = |found: ordinary::OrdinaryRecord<'_>| records.take(source_object, &found, fields, envelope);
        let outcome = ordinary.records(inflated, &mut take).or_else(|ordinary::Odd| {
            records.forget_since(&before);
            envelope.records(inflated, &mut |found| records.push(source_object, &found))
        });
        let outcome = if records.room.is_full { Err(DecodeError::NoRoom { room_bytes }) } else { outcome };
        if let Err(error) = outcome {
            records.forget_since(&before);
            return Err(error);
        }
        let inflated_bytes = inflated.len() as u64;
        Ok(Read { tally: records.tally, n_sessions: records.n_sessions, inflated_bytes, sha256 })
    }

    /// Returns the rows of the objects that were read since the last call.
    pub fn take(&mut self) -> Taken {
        self.records.take_rows()
    }

    /// Counts the bytes that its buffers for texts take, which are the large ones.
    pub fn held_bytes(&self) -> usize {
        self.gunzip.held_bytes() + self.records.held_bytes()
    }
}
