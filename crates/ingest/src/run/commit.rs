//! One batch on its way into the lake: rows gather in buffers, full buffers become parts, and when all parts are
//! durable the ledger says so.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::mem;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use tokio::task::JoinSet;
use trailweave_decode::Read;
use trailweave_lake::Lake;
use trailweave_table::EVENTS;
use trailweave_table::LOGGED;
use trailweave_table::REJECTS;
use trailweave_table::Table;
use trailweave_table::Tally;
use trailweave_table::date_of_day;
use trailweave_table::part_name;
use trailweave_table::partition_dir;

use crate::IngestError;
use crate::cpu::Cpu;
use crate::crash_points::CrashPoints;
use crate::kept_days::KeptDays;
use crate::ledger::{Ledger, LedgerEntry};
use crate::panicked::Panicked;
use crate::rows::amendment::{Amendment, Amendments};
use crate::rows::chunk::{Buffer, Chunk, Dated, DecodedRows};
use crate::rows::duplicates::known_to_lake;
use crate::rows::part;
use crate::rows::row_key::RowKeys;
use crate::rows::texts::Texts;
use crate::run::budget::{Budget, Shares};
use crate::run::omit::Omissions;
use crate::source::listing::ObjectRef;

/// A part ends where its rows take this much memory; as Parquet they take about a tenth.
const PART_BYTES: u64 = 128 << 20;
/// Writing a part needs its rows, and about as much to sort and encode them.
const WRITE_FACTOR: u64 = 2;
/// So many full parts fit into the budget for writing, however small it is.
const PARALLEL_WRITES: u64 = 2;

/// The means that writing parts shares over all batches.
#[derive(Debug)]
pub(crate) struct Outflow {
    pub(crate) lake: Lake,
    pub(crate) cpu: Cpu,
    pub(crate) crash_points: CrashPoints,
    pub(crate) kept: KeptDays,
    omissions: Omissions,
    buffer_bytes: u64,
    part_bytes: u64,
    writing: Budget,
}

/// A batch of which nothing is committed yet.
#[derive(Debug)]
pub(crate) struct OpenBatch {
    outflow: Arc<Outflow>,
    batch_id: String,
    /// The outcome of each object, by its position; `None`: it was left, or is still to come.
    entries: Vec<Option<LedgerEntry>>,
    /// The keys of the rows so far, by table; bounded, like the entries, by what a batch may hold.
    seen: [RowKeys; LOGGED.len()],
    /// The amendments that it has brought.
    amending: HashSet<u128>,
    partitions: BTreeMap<Day, Partition>,
    rejects: Partition,
    /// The memory of all buffers.
    buffered_bytes: u64,
    writes: JoinSet<Result<Written, IngestError>>,
    /// Every part that was begun and that no ledger knows.
    paths: Vec<PathBuf>,
    written_rows: u64,
    n_parts: u64,
}

/// A day of a table of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Day {
    /// Counted from 1970-01-01.
    day: i32,
    /// The position in [`LOGGED`].
    table: usize,
}

/// The results of a batch.
#[derive(Debug)]
pub(crate) struct Committable {
    pub(crate) entries: Vec<LedgerEntry>,
    pub(crate) n_parts: u64,
    pub(crate) event_dates: Vec<String>,
}

#[derive(Debug, Default)]
struct Partition {
    buffer: Buffer,
    /// How many parts it was given.
    n: usize,
    /// True if any of them holds a row.
    has_rows: bool,
}

/// A part that is durable.
#[derive(Debug)]
struct Written {
    /// None: of rejects.
    day: Option<Day>,
    n_rows: u64,
    /// By the position of the object.
    objects: BTreeMap<u32, Kept>,
}

/// The outcome of an object's rows in a part.
#[derive(Debug, Default)]
struct Kept {
    duplicates: u64,
    event_times_ms: Option<(i64, i64)>,
}

impl Outflow {
    pub(crate) fn new(lake: Lake, cpu: Cpu, shares: Shares, crash_points: CrashPoints, kept: KeptDays) -> Self {
        let Shares { buffer_bytes, writing_bytes, .. } = shares;
        let part_bytes = PART_BYTES.min(buffer_bytes / WRITE_FACTOR / PARALLEL_WRITES);
        let omissions = Omissions::of(&lake);
        Self { lake, cpu, crash_points, kept, omissions, buffer_bytes, part_bytes, writing: Budget::new(writing_bytes) }
    }
}

impl Day {
    fn table(self) -> &'static Table {
        LOGGED[self.table]
    }
}

impl OpenBatch {
    pub(crate) fn new(outflow: &Arc<Outflow>, batch_id: &str, n_objects: usize) -> Self {
        Self {
            outflow: Arc::clone(outflow),
            batch_id: batch_id.to_owned(),
            entries: vec![None; n_objects],
            seen: Default::default(),
            amending: HashSet::new(),
            partitions: BTreeMap::new(),
            rejects: Partition::default(),
            buffered_bytes: 0,
            writes: JoinSet::new(),
            paths: Vec::new(),
            written_rows: 0,
            n_parts: 0,
        }
    }

    /// Notes that an object is quarantined.
    pub(crate) fn quarantine(&mut self, position: usize, object: &ObjectRef, error: String) {
        self.entries[position] = Some(entry(object, Some(error), Tally::default()));
    }

    /// Takes rows of some objects, of which `read` says what became; there may be more of them to come. Returns their
    /// tally, in which duplicates inside the batch, records that an amendment has replaced which is `known`, and rows of
    /// pruned days are counted.
    pub(crate) async fn append(
        &mut self,
        objects: &[ObjectRef],
        read: &[(usize, Read)],
        rows: DecodedRows,
        ledger: &Ledger,
    ) -> Result<Tally, IngestError> {
        let known = ledger.amendments();
        self.check(objects, read, &rows)?;
        // From its first buffered row on, a part that is written may report on an object.
        for (position, read) in read {
            let entry =
                self.entries[*position].get_or_insert_with(|| entry(&objects[*position], None, Tally::default()));
            entry.tally += read.tally;
            entry.sha256 = read.sha256;
        }
        for rows in &rows.amendments {
            self.note_left_out(objects, read, rows, known);
        }
        let (mut n_duplicates, mut n_pruned) = (0, 0);
        for mut dated in rows.logged {
            let table = LOGGED.iter().position(|table| table.name == dated.table.name).expect("rows of records");
            self.note_amendments(&mut dated, known);
            let seen = &mut self.seen[table];
            let keep = |key: &u128| *key == 0 || !known.replace(*key) && seen.insert(*key);
            let keep: Vec<bool> = dated.keys.iter().map(keep).collect();
            for (origin, _) in dated.origins.iter().zip(&keep).filter(|(_, keep)| !**keep) {
                self.entry(*origin).tally.count_duplicates(1);
                n_duplicates += 1;
            }
            for (day, chunk) in dated.into_days(&keep) {
                if !self.outflow.kept.has(day) {
                    chunk.origins.iter().for_each(|origin| self.entry(*origin).tally.count_filtered(1));
                    n_pruned += chunk.origins.len() as u64;
                    continue;
                }
                self.buffer(Some(Day { day, table }), chunk).await?;
            }
        }
        for rows in rows.rejects {
            self.buffer(None, new_rejects(rows, objects, read, ledger)).await?;
        }
        let mut tally: Tally = read.iter().map(|(_, read)| read.tally).sum();
        tally.count_duplicates(n_duplicates);
        tally.count_filtered(n_pruned);
        Ok(tally)
    }

    /// Notes what amends others. An amendment that is new stands beside them until the run settles it; what comes after
    /// it is a duplicate of it, and so is a copy of an amendment that is known.
    fn note_amendments(&mut self, dated: &mut Dated, known: &Amendments) {
        for (row, amendment) in Amendment::among(dated.table, &dated.rows) {
            if self.note_amendment(dated.origins[row], amendment, known) {
                dated.keys[row] = 0;
            }
        }
    }

    /// Does the same for records that are not rows, whose objects their rows name.
    fn note_left_out(&mut self, objects: &[ObjectRef], read: &[(usize, Read)], rows: &RecordBatch, known: &Amendments) {
        let names = Texts::at(rows, EVENTS.position("source_object"));
        for (row, amendment) in Amendment::among(&EVENTS, rows) {
            let origin = read.iter().find(|(at, _)| names.get(row) == Some(&*objects[*at].source_object));
            let (origin, _) = origin.expect("rows come from objects that were read");
            self.note_amendment(u32::try_from(*origin).expect("a batch holds few objects"), amendment, known);
        }
    }

    /// Notes an amendment, and tells whether it is new.
    fn note_amendment(&mut self, origin: u32, amendment: Amendment, known: &Amendments) -> bool {
        for seen in &mut self.seen {
            seen.extend(amendment.keys());
        }
        let is_new = !known.has(&amendment) && self.amending.insert(amendment.identity());
        if is_new {
            self.entry(origin).amendments.push(amendment);
        }
        is_new
    }

    /// Refuses objects of which a record is not accounted for.
    fn check(&self, objects: &[ObjectRef], read: &[(usize, Read)], rows: &DecodedRows) -> Result<(), IngestError> {
        let tally: Tally = read.iter().map(|(_, read)| read.tally).sum();
        if read.iter().all(|(_, read)| read.tally.balances()) && rows.n_rows() == (tally.rows, tally.rejects) {
            return Ok(());
        }
        let names: Vec<_> = read.iter().map(|(at, _)| format!("`{}`", objects[*at].source_object)).collect();
        Err(self.unbalanced(names.join(", "), tally))
    }

    fn entry(&mut self, origin: u32) -> &mut LedgerEntry {
        self.entries[origin as usize].as_mut().expect("rows come from objects that were read")
    }

    fn unbalanced(&self, what: String, tally: Tally) -> IngestError {
        IngestError::Unbalanced { batch_id: self.batch_id.clone(), what, tally }
    }

    /// Takes rows of a day, or of rejects, and writes what is full.
    async fn buffer(&mut self, day: Option<Day>, chunk: Chunk) -> Result<(), IngestError> {
        if chunk.chosen.is_empty() {
            return Ok(());
        }
        let buffer = match day {
            Some(day) => &mut self.partitions.entry(day).or_default().buffer,
            None => &mut self.rejects.buffer,
        };
        let before = buffer.bytes;
        buffer.push(chunk);
        let is_full = buffer.bytes >= self.outflow.part_bytes;
        self.buffered_bytes = self.buffered_bytes + buffer.bytes - before;
        match day {
            Some(day) if is_full => self.write_day(day).await,
            None if is_full => self.write_rejects().await,
            _ => self.make_room().await,
        }
        while let Some(written) = self.writes.try_join_next() {
            self.note(joined(written)?);
        }
        Ok(())
    }

    /// Writes the largest buffers until the rest is within the budget.
    async fn make_room(&mut self) {
        while self.buffered_bytes > self.outflow.buffer_bytes {
            let largest = self.partitions.iter().rev().max_by_key(|(_, partition)| partition.buffer.bytes);
            match largest {
                Some((day, largest)) if largest.buffer.bytes >= self.rejects.buffer.bytes => {
                    let day = *day;
                    self.write_day(day).await;
                }
                _ => self.write_rejects().await,
            }
        }
    }

    /// Begins the next part of a day.
    async fn write_day(&mut self, day: Day) {
        let partition = self.partitions.entry(day).or_default();
        let folder = self.outflow.lake.table_dir(day.table()).join(partition_dir(&date_of_day(day.day)));
        let path = folder.join(part_name(&self.batch_id, partition.n));
        let buffer = mem::take(&mut partition.buffer);
        partition.n += 1;
        let (outflow, batch_id) = (Arc::clone(&self.outflow), self.batch_id.clone());
        self.begin(path, buffer, move |path, chunks| write_new(&outflow, day, &folder, &batch_id, chunks, path)).await;
    }

    /// Begins the next part of rejects.
    async fn write_rejects(&mut self) {
        let path = self.outflow.lake.table_dir(&REJECTS).join(part_name(&self.batch_id, self.rejects.n));
        let buffer = mem::take(&mut self.rejects.buffer);
        self.rejects.n += 1;
        let lake = self.outflow.lake.clone();
        let write = move |path: &Path, chunks: Vec<Chunk>| {
            part::write(&lake, &chunks, &REJECTS, path)?;
            Ok(Written { day: None, n_rows: 0, objects: BTreeMap::new() })
        };
        self.begin(path, buffer, write).await;
    }

    /// Begins to write a part as soon as there is memory for it.
    async fn begin(
        &mut self,
        path: PathBuf,
        buffer: Buffer,
        write: impl FnOnce(&Path, Vec<Chunk>) -> Result<Written, IngestError> + Send + 'static,
    ) {
        self.buffered_bytes -= buffer.bytes;
        let reservation = self.outflow.writing.reserve(buffer.bytes * WRITE_FACTOR).await;
        self.paths.push(path.clone());
        let outflow = Arc::clone(&self.outflow);
        self.writes.spawn(async move {
            let written = outflow.cpu.run(move || write(&path, buffer.into_chunks())).await;
            drop(reservation);
            let written = written.map_err(IngestError::worker("write a part"))??;
            outflow.crash_points.pass()?;
            Ok(written)
        });
    }

    fn note(&mut self, written: Written) {
        for (position, kept) in written.objects {
            let entry = self.entry(position);
            entry.tally.count_duplicates(kept.duplicates);
            entry.event_times_ms = span(entry.event_times_ms, kept.event_times_ms);
        }
        self.written_rows += written.n_rows;
        match written.day {
            None => self.n_parts += 1,
            Some(day) if written.n_rows > 0 => {
                self.n_parts += 1;
                self.partitions.entry(day).or_default().has_rows = true;
            }
            Some(_) => {}
        }
    }

    /// Writes what is buffered, waits until every part is durable, and proves that nothing was lost.
    pub(crate) async fn finish(&mut self) -> Result<Committable, IngestError> {
        let days: Vec<Day> = self.partitions.keys().copied().collect();
        for day in days {
            if self.partitions[&day].buffer.bytes > 0 {
                self.write_day(day).await;
            }
        }
        if self.rejects.buffer.bytes > 0 {
            self.write_rejects().await;
        }
        while let Some(written) = self.writes.join_next().await {
            self.note(joined(written)?);
        }
        let entries: Vec<LedgerEntry> = mem::take(&mut self.entries).into_iter().flatten().collect();
        let tally: Tally = entries.iter().map(|entry| entry.tally).sum();
        if !tally.balances() || tally.rows != self.written_rows {
            return Err(self.unbalanced(format!("all of it, with {} rows written", self.written_rows), tally));
        }
        let dates = self.partitions.iter().filter(|(_, partition)| partition.has_rows);
        let mut event_dates: Vec<String> = dates.map(|(day, _)| date_of_day(day.day)).collect();
        event_dates.dedup();
        Ok(Committable { entries, n_parts: self.n_parts, event_dates })
    }

    /// Keeps the parts whatever follows, because the ledger may know of them from here on, also where its writing ends
    /// with an error. Those that it does not know are removed by the next run.
    pub(crate) fn keep(&mut self) {
        self.paths.clear();
    }

    /// Waits until nothing is being written any more.
    pub(crate) async fn wait(&mut self) {
        while self.writes.join_next().await.is_some() {}
    }

    /// Waits for what was begun and removes every part of the batch. A part that stays is not in the ledger, and
    /// the next run removes it.
    pub(crate) async fn discard(mut self) {
        self.wait().await;
        for path in &self.paths {
            if self.outflow.lake.remove(path).is_err() {
                tracing::warn!(path = %path.display(), "left for the next run to remove");
            }
        }
    }
}

/// Chooses the rejects of objects that were not read before: nothing tells rejects apart that are written twice.
fn new_rejects(rows: RecordBatch, objects: &[ObjectRef], read: &[(usize, Read)], ledger: &Ledger) -> Chunk {
    let again = read.iter().map(|(position, _)| &objects[*position]).filter(|object| ledger.is_done(object));
    let again: HashSet<&str> = again.map(|object| &*object.source_object).collect();
    let mut chunk = Chunk::all(rows);
    if !again.is_empty() {
        let names = Texts::at(&chunk.rows, REJECTS.position("source_object"));
        chunk.chosen.retain(|row| names.get(*row as usize).is_none_or(|name| !again.contains(name)));
    }
    chunk
}

fn entry(object: &ObjectRef, error: Option<String>, tally: Tally) -> LedgerEntry {
    LedgerEntry {
        source_object: object.source_object.clone(),
        version: object.version.clone(),
        bytes: object.bytes,
        error,
        tally,
        sha256: None,
        is_again: false,
        event_times_ms: None,
        amendments: Vec::new(),
    }
}

fn joined(written: Result<Result<Written, IngestError>, tokio::task::JoinError>) -> Result<Written, IngestError> {
    match written {
        Ok(written) => written,
        Err(error) => {
            let source = Panicked { message: error.to_string() };
            Err(IngestError::Worker { task: "write a part", source })
        }
    }
}

/// Writes the rows that no other batch has brought.
fn write_new(
    outflow: &Outflow,
    day: Day,
    folder: &Path,
    batch_id: &str,
    mut chunks: Vec<Chunk>,
    path: &Path,
) -> Result<Written, IngestError> {
    let (lake, table) = (&outflow.lake, day.table());
    let mut objects: BTreeMap<u32, Kept> = BTreeMap::new();
    let known = known_to_lake(lake, folder, batch_id, table, &chunks)?;
    if !known.is_empty() {
        let without = |chunk: Chunk| {
            let keep: Vec<bool> = chunk.keys.iter().map(|key| !known.contains(key)).collect();
            for (origin, _) in chunk.origins.iter().zip(&keep).filter(|(_, keep)| !**keep) {
                objects.entry(*origin).or_default().duplicates += 1;
            }
            chunk.filtered(&keep)
        };
        chunks = chunks.into_iter().map(without).collect();
    }
    for chunk in &chunks {
        for (origin, time) in chunk.origins.iter().zip(chunk.event_times_ms(table)) {
            let kept = objects.entry(*origin).or_default();
            kept.event_times_ms = span(kept.event_times_ms, Some((time, time)));
        }
    }
    let n_rows = chunks.iter().map(|chunk| chunk.chosen.len()).sum::<usize>() as u64;
    if n_rows > 0 {
        let chunks: Vec<_> = chunks.into_iter().map(|chunk| outflow.omissions.apply(table, chunk)).collect();
        part::write(lake, &chunks, table, path)?;
    }
    Ok(Written { day: Some(day), n_rows, objects })
}

/// Returns the time from the earlier start to the later end.
fn span(a: Option<(i64, i64)>, b: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (one, other) => one.or(other),
    }
}
