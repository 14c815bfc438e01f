//! The lake's memory of its input: `_trailweave/ledger/part-<batch_id>-0.parquet`, one row per object read. `compact` merges
//! such files, so the column `batch_id` alone tells of every row which batch it is of.

pub(crate) mod rewrite;

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::Array;
use arrow::array::ArrayRef;
use arrow::array::AsArray;
use arrow::array::Int64Array;
use arrow::array::ListBuilder;
use arrow::array::RecordBatch;
use arrow::array::StringArray;
use arrow::array::StringBuilder;
use arrow::array::TimestampMicrosecondArray;
use arrow::datatypes::DataType;
use arrow::datatypes::Int64Type;
use trailweave_decode::Sha256;
use trailweave_digest::to_hex;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::Part;
use trailweave_lake::TableWriter;
use trailweave_lake::read;
use trailweave_lake::read_once;
use trailweave_table::LEDGER;
use trailweave_table::Tally;
use trailweave_table::batch_id;
use trailweave_table::part_name;
use trailweave_table::time_of_ms;

use crate::fingerprint::fingerprint;
use crate::rows::amendment::Amendment;
use crate::rows::amendment::Amendments;
use crate::source::listing::ObjectRef;

/// The columns that say whether an object is known, and by which batch.
const IDENTITY: [&str; 4] = ["source_object", "version", "status", BATCH_ID];
/// The column of batches.
const BATCH_ID: &str = "batch_id";
/// The column that says which of its records amend others; ledgers of earlier releases lack it.
const AMENDMENTS: &str = "amendments";
/// The status of an object whose rows are in the lake.
pub(crate) const DONE: &str = "done";
/// That of an object which was done and was read again; its counts repeat those of the entry that says so.
pub(crate) const AGAIN: &str = "again";
/// That of an object of which no row is.
const QUARANTINED: &str = "quarantined";
/// The column of what `verify` found.
pub(crate) const VERDICT: &str = "verdict";
/// The column of notes by which objects were dismissed, which such ledgers lack, too.
pub(crate) const NOTE: &str = "note";
/// The column of hashes, which such ledgers lack, too.
pub(crate) const SHA256: &str = "sha256";

/// The state of an object by one row of the ledger. Of several rows of the same object the greatest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ObjectState {
    /// It gave no row, and a person said that this is right.
    Dismissed,
    /// It was refused as a whole.
    Quarantined,
    /// Every record of it was rejected.
    Rejected,
    /// It is of a day that was pruned.
    Pruned,
    /// It was read.
    Done,
}

impl ObjectState {
    /// The number of states.
    pub(crate) const COUNT: usize = Self::Done as usize + 1;

    /// Reads the state of an object of so many records.
    pub(crate) fn of(status: &str, records: u64, rejects: u64, is_noted: bool) -> Self {
        match (status != QUARANTINED, records > 0 && records == rejects) {
            (true, false) => Self::Done,
            _ if is_noted => Self::Dismissed,
            (true, true) => Self::Rejected,
            (false, _) => Self::Quarantined,
        }
    }

    /// Tells whether somebody has to look at it.
    pub(crate) fn stands(self) -> bool {
        matches!(self, Self::Quarantined | Self::Rejected)
    }
}

/// The objects that were read before. It keeps some 30 bytes per object, and every amendment. Trees of fingerprints
/// grow leaf by leaf, where a table of hashes would double.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Objects that earlier runs have read.
    done: BTreeSet<u128>,
    /// How often it was read again, where it was.
    again: HashMap<u128, u32>,
    /// How often earlier runs have quarantined an object.
    quarantined: HashMap<u128, u32>,
    /// How many of these quarantines were dismissed.
    dismissed: HashMap<u128, u32>,
    /// Objects that this run has read and may be asked for.
    fresh: BTreeSet<u128>,
    batches: HashSet<String>,
    /// Those of this run.
    fresh_batches: HashSet<String>,
    amendments: Amendments,
    /// True if an object may stand in quarantine, unless it was read since.
    is_suspect: bool,
}

/// The ledger's knowledge of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing: it is new, or has changed.
    New,
    /// It was read earlier in this run.
    Fresh,
    /// Its rows are in the lake.
    Done,
    /// It was refused, so often.
    Quarantined(u32),
    /// The same, and a person said that this is right.
    Dismissed(u32),
}

/// An object that was read, with what became of it.
#[derive(Debug, Clone)]
pub(crate) struct LedgerEntry {
    pub(crate) source_object: Box<str>,
    pub(crate) version: Box<str>,
    pub(crate) bytes: u64,
    /// Why it was quarantined; `None`: it is done.
    pub(crate) error: Option<String>,
    pub(crate) tally: Tally,
    /// True if it was done before, so that an earlier entry says what became of its records.
    pub(crate) is_again: bool,
    /// That of the object when inflated, if it is one member of gzip.
    pub(crate) sha256: Option<Sha256>,
    /// The earliest and the latest `event_time` among its rows.
    pub(crate) event_times_ms: Option<(i64, i64)>,
    /// Those of its records that amend others, but for copies of such as were read before.
    pub(crate) amendments: Vec<Amendment>,
}

impl LedgerEntry {
    fn state(&self) -> ObjectState {
        ObjectState::of(self.status(), self.tally.records, self.tally.rejects, false)
    }

    fn status(&self) -> &'static str {
        match self.error {
            None if self.is_again => AGAIN,
            None => DONE,
            Some(_) => QUARANTINED,
        }
    }
}

impl Ledger {
    /// Reads the ledger of a lake.
    pub(crate) fn read(lake: &Lake) -> Result<Self, LakeError> {
        read_once(lake, &LEDGER, |parts| {
            let mut ledger = Self::default();
            parts.iter().try_for_each(|part| ledger.read_part(lake, &part.path))?;
            Ok(ledger)
        })
    }

    fn read_part(&mut self, lake: &Lake, path: &Path) -> Result<(), LakeError> {
        let [object, version, status, batch] = IDENTITY;
        let columns = [object, version, status, batch, "records", "rejects", NOTE, AMENDMENTS];
        for rows in read_columns(lake, path, &columns)? {
            let rows = rows?;
            let column = |name| rows.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
            let [Some(objects), Some(versions), Some(statuses), Some(batches)] = IDENTITY.map(column) else {
                let source = "it has no column `source_object`, `version`, `status` or `batch_id`".into();
                return Err(LakeError::Damaged { path: path.into(), source });
            };
            for (row, state) in states_of(&rows).enumerate() {
                let read = identity(objects.value(row), versions.value(row));
                self.insert(read, statuses.value(row), state == ObjectState::Dismissed);
                self.is_suspect |= state.stands();
            }
            note_batches(batches, &mut self.batches);
            self.read_amendments(path, objects, batches, &rows)?;
        }
        Ok(())
    }

    fn read_amendments(
        &mut self,
        path: &Path,
        objects: &StringArray,
        batches: &StringArray,
        rows: &RecordBatch,
    ) -> Result<(), LakeError> {
        let lists = rows.column_by_name(AMENDMENTS).and_then(|column| column.as_list_opt::<i32>());
        let Some(lists) = lists.filter(|lists| lists.null_count() < lists.len()) else {
            return Ok(());
        };
        for (row, texts) in lists.iter().enumerate() {
            let texts = texts.as_ref().and_then(|texts| texts.as_string_opt::<i32>());
            for text in texts.into_iter().flatten().flatten() {
                let amendment = serde_json::from_str(text)
                    .map_err(|source| LakeError::Damaged { path: path.into(), source: source.into() })?;
                self.amendments.note(batches.value(row), objects.value(row), amendment);
            }
        }
        Ok(())
    }

    fn insert(&mut self, read: u128, status: &str, is_dismissed: bool) {
        match status {
            DONE => {
                self.done.insert(read);
            }
            AGAIN => *self.again.entry(read).or_default() += 1,
            _ => {
                *self.quarantined.entry(read).or_default() += 1;
                if is_dismissed {
                    *self.dismissed.entry(read).or_default() += 1;
                }
            }
        }
    }

    /// Tells whether the rows of an object are in the lake, as far as the ledger knows.
    pub(crate) fn is_done(&self, object: &ObjectRef) -> bool {
        self.done.contains(&identity(&object.source_object, &object.version))
    }

    /// Counts how often an object was read that is done.
    pub(crate) fn n_attempts(&self, object: &ObjectRef) -> u32 {
        let read = identity(&object.source_object, &object.version);
        let times = |of: &HashMap<u128, u32>| of.get(&read).copied().unwrap_or_default();
        1 + times(&self.again) + times(&self.quarantined)
    }

    /// Returns what is known of an object. Once done it is never read again, so that outweighs every quarantine before.
    pub(crate) fn knows(&self, object: &ObjectRef) -> Known {
        if self.fresh.is_empty() && self.done.is_empty() && self.quarantined.is_empty() {
            return Known::New;
        }
        let read = identity(&object.source_object, &object.version);
        match self.quarantined.get(&read) {
            _ if self.fresh.contains(&read) => Known::Fresh,
            _ if self.done.contains(&read) => Known::Done,
            // One that was refused again since stands in quarantine.
            Some(times) if self.dismissed.get(&read) == Some(times) => Known::Dismissed(*times),
            Some(times) => Known::Quarantined(*times),
            None => Known::New,
        }
    }

    /// Returns the batches that are committed.
    pub(crate) fn batches(&self) -> &HashSet<String> {
        &self.batches
    }

    /// Tells whether an object may stand in quarantine.
    pub(crate) fn is_suspect(&self) -> bool {
        self.is_suspect
    }

    /// Returns every amendment that was read.
    pub(crate) fn amendments(&self) -> &Amendments {
        &self.amendments
    }

    /// Tells whether this run has committed a batch.
    pub(crate) fn is_fresh(&self, batch_id: &str) -> bool {
        self.fresh_batches.contains(batch_id)
    }

    /// Notes that this run reads objects, in case another listing names them.
    pub(crate) fn note_fresh(&mut self, entries: &[LedgerEntry]) {
        self.fresh.extend(entries.iter().map(|entry| identity(&entry.source_object, &entry.version)));
    }

    /// Tells whether objects gave rows that were read before in the same version: the lake had lost these.
    pub(crate) fn brings_back(&self, entries: &[LedgerEntry]) -> bool {
        entries.iter().any(|entry| entry.tally.rows > 0 && self.is_read(entry))
    }

    fn is_read(&self, entry: &LedgerEntry) -> bool {
        self.done.contains(&identity(&entry.source_object, &entry.version))
    }

    /// Commits a batch: from here on its objects are known and its parts count.
    pub(crate) fn commit(
        &mut self,
        lake: &Lake,
        batch_id: &str,
        run_id: &str,
        mut entries: Vec<LedgerEntry>,
    ) -> Result<(), LakeError> {
        entries.sort_by(|a, b| a.source_object.cmp(&b.source_object));
        for entry in &mut entries {
            entry.is_again = self.is_read(entry);
        }
        let path = lake.table_dir(&LEDGER).join(part_name(batch_id, 0));
        let mut writer = TableWriter::new(lake.create_file(&path)?, &LEDGER)?;
        writer.write(&rows(&entries, batch_id, run_id))?;
        writer.commit()?;
        for entry in entries {
            self.is_suspect |= entry.state().stands();
            for amendment in entry.amendments {
                self.amendments.note(batch_id, &entry.source_object, amendment);
            }
        }
        self.batches.insert(batch_id.to_owned());
        self.fresh_batches.insert(batch_id.to_owned());
        Ok(())
    }
}

/// Returns the batches that are committed, by the names of the ledger's files where these are of one batch.
pub(crate) fn committed(lake: &Lake) -> Result<HashSet<String>, LakeError> {
    read_once(lake, &LEDGER, |parts| {
        let mut committed = HashSet::new();
        for Part { path, .. } in parts {
            if let Some(batch_id) = batch_id(&path) {
                committed.insert(batch_id.to_owned());
                continue;
            }
            for rows in read_columns(lake, &path, &[BATCH_ID])? {
                if let Some(batches) = rows?.column(0).as_string_opt::<i32>() {
                    note_batches(batches, &mut committed);
                }
            }
        }
        Ok(committed)
    })
}

fn note_batches(batches: &StringArray, known: &mut HashSet<String>) {
    for batch_id in batches.iter().flatten() {
        if !known.contains(batch_id) {
            known.insert(batch_id.to_owned());
        }
    }
}

/// Tells whether a part is of a committed batch, or merged from such. The run that finishes its plan removes any other.
pub(crate) fn is_committed(part: &Path, batches: &HashSet<String>) -> bool {
    batch_id(part).is_none_or(|batch_id| batches.contains(batch_id))
}

/// Reads columns of a file of the ledger, batch by batch: a merged file has those of years.
pub(crate) fn read_columns<'p>(
    lake: &Lake,
    path: &'p Path,
    columns: &[&str],
) -> Result<impl Iterator<Item = Result<RecordBatch, LakeError>> + use<'p>, LakeError> {
    let file = lake.open_part(path)?;
    let reader = || read::columns(file, columns.iter().copied())?.build();
    let rows = reader().map_err(LakeError::parquet(path))?;
    Ok(rows.map(move |rows| rows.map_err(|source| LakeError::parquet(path)(source.into()))))
}

/// Tells whether a file of the ledger has an object whose name is meant.
pub(crate) fn names_any(lake: &Lake, path: &Path, is_meant: impl Fn(&str) -> bool) -> Result<bool, LakeError> {
    for rows in read_columns(lake, path, &["source_object"])? {
        let rows = rows?;
        let mut names = rows.column(0).as_string_opt::<i32>().into_iter().flatten().flatten();
        if names.any(&is_meant) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads the states of objects, row by row.
pub(crate) fn states_of(rows: &RecordBatch) -> impl Iterator<Item = ObjectState> {
    let number = |name| rows.column_by_name(name)?.as_primitive_opt::<Int64Type>();
    let columns = rows.column_by_name("status").and_then(|column| column.as_string_opt::<i32>());
    let columns = columns.zip(number("records")).zip(number("rejects"));
    let notes = rows.column_by_name(NOTE);
    columns.into_iter().flat_map(move |((statuses, records), rejects)| {
        let count = |n: i64| u64::try_from(n).unwrap_or_default();
        (0..statuses.len()).map(move |row| {
            let is_noted = notes.is_some_and(|notes| notes.is_valid(row));
            ObjectState::of(statuses.value(row), count(records.value(row)), count(rejects.value(row)), is_noted)
        })
    })
}

pub(crate) fn identity(source_object: &str, version: &str) -> u128 {
    fingerprint(&[source_object.as_bytes(), version.as_bytes()])
}

fn rows(entries: &[LedgerEntry], batch_id: &str, run_id: &str) -> RecordBatch {
    let text = |value: fn(&LedgerEntry) -> Option<&str>| -> ArrayRef {
        Arc::new(entries.iter().map(value).collect::<StringArray>())
    };
    let same = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value; entries.len()])) };
    let number = |value: fn(&LedgerEntry) -> u64| -> ArrayRef {
        let numbers = entries.iter().map(|entry| i64::try_from(value(entry)).unwrap_or(i64::MAX));
        Arc::new(Int64Array::from_iter_values(numbers))
    };
    let time = |value: fn(&LedgerEntry) -> Option<i64>| -> ArrayRef {
        Arc::new(
            entries
                .iter()
                .map(|entry| value(entry).map(time_of_ms))
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        )
    };
    let amendments = || -> ArrayRef {
        let DataType::List(element) = LEDGER.data_type(&LEDGER.columns[LEDGER.position(AMENDMENTS)]) else {
            unreachable!("the column holds lists")
        };
        let mut lists = ListBuilder::new(StringBuilder::new()).with_field(element);
        for entry in entries {
            for amendment in &entry.amendments {
                lists.values().append_value(serde_json::to_string(amendment).expect("amendments are plain data"));
            }
            lists.append(!entry.amendments.is_empty());
        }
        Arc::new(lists.finish())
    };
    let hashes = || -> ArrayRef {
        let texts = entries.iter().map(|entry| entry.sha256.map(|sha256| to_hex(&sha256)));
        Arc::new(texts.collect::<StringArray>())
    };
    let columns = LEDGER.columns.iter().map(|column| match column.name {
        "source_object" => text(|entry| Some(&entry.source_object)),
        "version" => text(|entry| Some(&entry.version)),
        BATCH_ID => same(batch_id),
        "status" => text(|entry| Some(entry.status())),
        "error" => text(|entry| entry.error.as_deref()),
        "bytes" => number(|entry| entry.bytes),
        SHA256 => hashes(),
        "records" => number(|entry| entry.tally.records),
        "rows" => number(|entry| entry.tally.rows),
        "duplicates" => number(|entry| entry.tally.duplicates),
        "filtered" => number(|entry| entry.tally.filtered),
        "rejects" => number(|entry| entry.tally.rejects),
        "min_event_time" => time(|entry| Some(entry.event_times_ms?.0)),
        "max_event_time" => time(|entry| Some(entry.event_times_ms?.1)),
        AMENDMENTS => amendments(),
        "run_id" => same(run_id),
        // `verify` and `quarantine dismiss` say it later.
        VERDICT | NOTE => text(|_| None),
        other => unreachable!("the ledger has a column `{other}` that nobody fills"),
    });
    RecordBatch::try_new(LEDGER.schema(), columns.collect())
        .expect("every column has the table's type and a row per entry")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(version: &str, error: Option<&str>) -> LedgerEntry {
        LedgerEntry {
            source_object: "a.json.gz".into(),
            version: version.into(),
            bytes: 1,
            error: error.map(str::to_owned),
            tally: Tally::default(),
            sha256: Some([0xa5; 32]),
            is_again: false,
            event_times_ms: Some((-1, 1)),
            amendments: Vec::new(),
        }
    }

    fn object(version: &str) -> ObjectRef {
        ObjectRef {
            source_object: "a.json.gz".into(),
            path: None,
            version: version.into(),
            bytes: 1,
            attempt: 0,
            place: None,
        }
    }

    #[test]
    fn an_object_is_known_by_name_and_version_and_done_outweighs_quarantined() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open_or_create(folder.path(), None).unwrap();
        let mut ledger = Ledger::default();
        let batches = ["00000000000000aa", "00000000000000bb", "00000000000000cc"];
        let both = vec![entry("1", Some("cut")), entry("2", Some("cut"))];
        ledger.commit(&lake, batches[0], "run", both).unwrap();
        ledger.commit(&lake, batches[1], "run", vec![entry("2", Some("cut"))]).unwrap();
        ledger.note_fresh(&[entry("1", None)]);
        ledger.commit(&lake, batches[2], "run", vec![entry("1", None)]).unwrap();
        assert_eq!(ledger.knows(&object("1")), Known::Fresh);
        assert!(ledger.is_fresh(batches[2]) && !Ledger::read(&lake).unwrap().is_fresh(batches[2]));
        let ledger = Ledger::read(&lake).unwrap();
        assert_eq!(ledger.knows(&object("1")), Known::Done);
        assert_eq!(ledger.knows(&object("2")), Known::Quarantined(2));
        assert_eq!(ledger.knows(&object("3")), Known::New);
        assert!(batches.iter().all(|batch| ledger.batches().contains(*batch)));
    }
}
