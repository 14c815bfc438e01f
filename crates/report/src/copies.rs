//! Copies of calls in the trails of several accounts. One row stands for a call; the others are passed over.
//!
//! ```text
//!  parts --row groups with shared ids alone--> Shared --sorted by call and rank--> all but the first of a call
//! ```

use ahash::RandomState;
use arrow::array::{Array, RecordBatch};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;
use trailweave_lake::read::{Reader, leaf, load_shared};
use trailweave_lake::{Lake, LakeError, Part};
use trailweave_table::CORRELATED;

use crate::choice::Choice;
use crate::texts::{NONE, Texts, micros, texts, value};

/// The id that copies share. Few rows have one.
const SHARED_ID: &str = "shared_event_id";
const COLUMNS: [&str; 8] = [
    SHARED_ID,
    "kms_event_id",
    "kms_event_time",
    "kms_event_name",
    "kms_principal_arn",
    "key_account_id",
    "recipient_account_id",
    "aws_region",
];
/// Those that hold few values.
const CODED: [&str; 5] =
    ["kms_event_name", "kms_principal_arn", "key_account_id", "recipient_account_id", "aws_region"];

/// A part of `correlated`.
#[derive(Debug)]
pub(crate) struct CallPart {
    pub(crate) part: Part,
    /// The positions of the rows in it for whose calls other rows stand, in order.
    pub(crate) copies: Vec<u32>,
}

/// A row that may be one of several copies of a call. The first of them in this order stands for the call, as the SQL of
/// `Choice::calls` says.
///
/// Every row of a lake may be one, so it is small: 56 bytes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shared {
    /// The hash of the id that they share and the name of the event.
    call: [u8; 12],
    has_no_caller: bool,
    is_owners: bool,
    time_us: i64,
    account: [u8; 12],
    /// The beginning of the event id, which tells two of one second and account apart.
    event: [u8; 12],
    part: u32,
    row: u32,
}

/// Lists the chosen parts of `correlated` with the rows that are copies. Only chosen rows count, so that a call whose copy
/// alone is chosen is not lost.
pub(crate) fn parts(lake: &Lake, choice: &Choice) -> Result<Vec<CallPart>, LakeError> {
    let mut parts: Vec<_> =
        lake.parts(&CORRELATED)?.into_iter().map(|part| CallPart { part, copies: Vec::new() }).collect();
    parts.retain(|it| choice.takes_part(&it.part));
    let hashes = Hashes::default();
    let of_part = |(nth, it): (usize, &CallPart)| read(lake, choice, &hashes, (nth, &it.part));
    let of_parts = parts.par_iter().enumerate().map(of_part).collect::<Result<Vec<_>, _>>()?;
    let mut all = Vec::with_capacity(of_parts.iter().map(Vec::len).sum());
    for of_part in of_parts {
        all.extend(of_part);
    }
    all.par_sort_unstable();
    for copy in all.windows(2).filter(|pair| pair[0].call == pair[1].call).map(|pair| &pair[1]) {
        parts[copy.part as usize].copies.push(copy.row);
    }
    for part in &mut parts {
        part.copies.sort_unstable();
    }
    Ok(parts)
}

/// Tells how many rows a row group has.
pub(crate) fn n_rows(end: &ArrowReaderMetadata, group: usize) -> u32 {
    u32::try_from(end.metadata().row_group(group).num_rows()).expect("a row group has fewer rows than numbers")
}

/// Reads the rows of a part that share an id with others.
fn read(lake: &Lake, choice: &Choice, hashes: &Hashes, (nth, part): (usize, &Part)) -> Result<Vec<Shared>, LakeError> {
    let nth = u32::try_from(nth).expect("a lake has fewer parts than numbers");
    let file = lake.open_listed(part)?;
    let read = || {
        let end = load_shared(&file, |name| CODED.contains(&name))?;
        // A part that was written before the table got the column lacks it.
        let Some(leaf) = leaf(&end, SHARED_ID) else { return Ok(Vec::new()) };
        let columns = ProjectionMask::columns(end.parquet_schema(), COLUMNS);
        let (mut known, mut found, mut first) = (Texts::default(), Vec::new(), 0);
        for group in 0..end.metadata().num_row_groups() {
            if is_null(end.metadata().row_group(group).column(leaf)) {
                first += n_rows(&end, group);
                continue;
            }
            let reader = Reader::new_with_metadata(file.try_clone()?, end.clone()).with_projection(columns.clone());
            for rows in reader.with_row_groups(vec![group]).build()? {
                let rows = rows?;
                add(&mut found, &rows, &mut known, choice, hashes, (nth, first));
                first += u32::try_from(rows.num_rows()).expect("a batch has fewer rows than numbers");
            }
        }
        Ok(found)
    };
    read().map_err(LakeError::parquet(&part.path))
}

/// Tells whether the statistics say that a column of a row group holds nothing.
fn is_null(column: &ColumnChunkMetaData) -> bool {
    let n_nulls = column.statistics().and_then(Statistics::null_count_opt);
    n_nulls.is_some_and(|n_nulls| i64::try_from(n_nulls) == Ok(column.num_values()))
}

/// Adds the chosen rows that share an id. The first stands at this position of this part.
fn add(
    found: &mut Vec<Shared>,
    rows: &RecordBatch,
    known: &mut Texts,
    choice: &Choice,
    hashes: &Hashes,
    (part, first): (u32, u32),
) {
    let [shared, events] = [SHARED_ID, "kms_event_id"].map(|column| texts(rows, column));
    let [names, owners, accounts, regions] =
        ["kms_event_name", "key_account_id", "recipient_account_id", "aws_region"].map(|it| known.codes(rows, it));
    let callers = rows.column_by_name("kms_principal_arn");
    for (position, row) in (first..).zip(0..rows.num_rows()) {
        let Some(id) = value(shared, row) else { continue };
        let [name, account, region] = [names[row], accounts[row], regions[row]].map(|code| known.text(code));
        if !choice.takes_place(account.unwrap_or_default(), region.unwrap_or_default()) {
            continue;
        }
        found.push(Shared {
            call: hashes.hash(id, name),
            has_no_caller: callers.is_none_or(|callers| callers.is_null(row)),
            is_owners: owners[row] != NONE && owners[row] == accounts[row],
            time_us: micros(rows, "kms_event_time", row).unwrap_or(i64::MAX),
            account: beginning(account),
            event: beginning(value(events, row)),
            part,
            row: position,
        });
    }
}

/// Returns the beginning of a text, so long that it tells accounts from others. No text comes last, as in SQL.
fn beginning(text: Option<&str>) -> [u8; 12] {
    let Some(text) = text else { return [u8::MAX; 12] };
    let mut beginning = [0; 12];
    beginning.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    beginning
}

/// Two functions, whose values together are as good as the texts: 96 bits are hardly ever those of two calls.
#[derive(Debug, Default)]
struct Hashes([RandomState; 2]);

impl Hashes {
    fn hash(&self, id: &str, name: Option<&str>) -> [u8; 12] {
        let [one, other] = self.0.each_ref().map(|state| state.hash_one((id, name)).to_le_bytes());
        let mut hash = [0; 12];
        hash[..8].copy_from_slice(&one);
        hash[8..].copy_from_slice(&other[..4]);
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_may_be_a_copy_is_small() {
        assert_eq!(size_of::<Shared>(), 56);
    }

    #[test]
    fn texts_are_in_order_by_their_beginnings_and_none_is_last() {
        let accounts = [Some("111122223333"), Some("111122223334"), Some("a"), None];
        assert!(accounts.map(beginning).is_sorted_by(|one, other| one < other));
    }
}
