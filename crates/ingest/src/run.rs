//! A run from its listing to its summary.

pub(crate) mod budget;
pub(crate) mod choice;
pub(crate) mod commit;
mod drain;
pub(crate) mod leftovers;
pub(crate) mod listed;
mod omit;
pub(crate) mod pipeline;
pub(crate) mod plan;
pub(crate) mod settle;

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;

use tokio::sync::mpsc;
use trailweave_decode::DecodeOptions;
use trailweave_decode::Selection;
use trailweave_lake::Change;
use trailweave_lake::Covered;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;

use crate::cpu::Cpu;
use crate::crash_points::CrashPoints;
use crate::error::chain;
use crate::kept_days::KeptDays;
use crate::ledger::{Ledger, LedgerEntry};
use crate::panicked::Panicked;
use crate::progress::add;
use crate::quarantine::quarantined;
use crate::run::budget::Shares;
use crate::run::choice::{Chosen, choose};
use crate::run::commit::{OpenBatch, Outflow};
use crate::run::listed::ListedSources;
use crate::run::pipeline::inflow::{Arrived, Inflow, ObjectOutcome};
use crate::run::plan::{Batch, Extent, Plan, batches};
use crate::source::fetch::FetchError;
use crate::source::key::place_of;
use crate::source::list::list;
use crate::source::listing::{Listing, ObjectRef};
use crate::source::s3::S3;
use crate::source::span::Span;
use crate::{IngestError, IngestOptions, Location, PlanSummary, Progress, Shard, Summary};

/// Below this a single part could not be written.
const MIN_MEMORY_BYTES: u64 = 48 << 20;

/// Reads every object of the sources that the lake does not know into the lake.
///
/// First it finishes what an earlier run planned and did not finish. Needs: the caller holds the lake's lock, or that
/// of the shard. If the future is dropped before its end, the lock is held until the process ends, as a worker may still
/// be writing.
pub async fn ingest(lake: &Lake, options: &IngestOptions, progress: &Progress) -> Result<Summary, IngestError> {
    ingest_until(CrashPoints::default(), lake, None, options, progress).await
}

/// Does the same with what was listed before there was a lake.
pub async fn ingest_listed(
    lake: &Lake,
    listed: ListedSources,
    options: &IngestOptions,
    progress: &Progress,
) -> Result<Summary, IngestError> {
    ingest_until(CrashPoints::default(), lake, Some(listed), options, progress).await
}

/// Foresees what a run with these options would read into a lake, or into one that is not made yet. It writes nothing,
/// and reads the listing and the ledger alone.
pub async fn plan(lake: Option<&Lake>, options: &IngestOptions) -> Result<PlanSummary, IngestError> {
    let s3 = S3::new(options.s3.clone());
    let Chosen { objects, known, is_matched } = foresee(lake, &s3, options).await?;
    let unfinished = lake.map(Plan::unfinished).transpose()?.unwrap_or_default();
    Ok(PlanSummary {
        nothing_matched: (!is_matched).then(|| objects.beyond.clone()),
        objects_listed: objects.n_listed() + known,
        objects_known: known,
        objects_filtered: objects.filtered,
        objects_skipped: objects.skipped.objects(),
        skipped: objects.skipped.clone(),
        objects: objects.len() as u64,
        bytes: (0..objects.len()).map(|position| objects.bytes(position)).sum(),
        batches: batches(&objects, options.batch_bytes).len() as u64,
        list_requests: s3.lists(),
        get_requests: objects.iter().filter(ObjectRef::is_in_s3).count() as u64,
        unfinished_runs: unfinished.into_iter().map(|plan| plan.run_id).collect(),
    })
}

/// Does what [`ingest`] does, and may be made to end at a crash point between two steps.
pub(crate) async fn ingest_until(
    crash_points: CrashPoints,
    lake: &Lake,
    listed: Option<ListedSources>,
    options: &IngestOptions,
    progress: &Progress,
) -> Result<Summary, IngestError> {
    let unfinished = unfinished(lake, options.shard)?;
    let mut run = Run::start(crash_points, lake, options, &unfinished, progress).await?;
    for plan in unfinished {
        tracing::info!(run_id = plan.run_id, "finishing the plan of an earlier run");
        run.carry_out(&plan).await?;
        plan.finish(lake, &run.summary)?;
    }
    if let Some(url) = &options.queue_url {
        run.drain(lake, url).await?;
    } else {
        run.is_listed_again = false;
        let listing = match listed {
            Some(ListedSources(listing)) => listing,
            None => list(&run.cpu, &run.inflow.s3, options).await?,
        };
        run.read(lake, listing, &options.run_id).await?;
        run.summary.close();
        if !run.is_matched && !run.summary.did_anything() {
            run.summary.nothing_matched = Some(mem::take(&mut run.beyond));
        }
    }
    run.summary.close();
    run.count_standing(lake).await?;
    Ok(run.summary)
}

/// Lists the objects that a run with these options would read.
pub(crate) async fn unread(lake: &Lake, options: &IngestOptions) -> Result<Chosen, IngestError> {
    foresee(Some(lake), &S3::new(options.s3.clone()), options).await
}

/// Lists what a run with these options would find to be new.
async fn foresee(lake: Option<&Lake>, s3: &S3, options: &IngestOptions) -> Result<Chosen, IngestError> {
    let cpu = Cpu::new(options.threads)?;
    let ledger = lake.map(Ledger::read).transpose()?.unwrap_or_default();
    let selection = lake.map(selection).transpose()?.unwrap_or_default();
    let kept = lake.map(KeptDays::of).transpose()?.unwrap_or_default();
    choose(list(&cpu, s3, options).await?, &ledger, options, selection, kept)
}

/// Finds the plans that a run has to finish first: all that no run has finished; of a shard, its own.
fn unfinished(lake: &Lake, shard: Option<Shard>) -> Result<Vec<Plan>, IngestError> {
    let mut plans = Plan::unfinished(lake)?;
    if let Some(shard) = shard {
        let is_other = |plan: &&Plan| plan.shard.is_none_or(|other| other.count() != shard.count());
        if let Some(other) = plans.iter().find(is_other) {
            return Err(IngestError::OtherPlan { run_id: other.run_id.clone() });
        }
        plans.retain(|plan| plan.shard == Some(shard));
    }
    Ok(plans)
}

struct Run<'a> {
    options: &'a IngestOptions,
    progress: &'a Progress,
    cpu: Cpu,
    inflow: Arc<Inflow>,
    outflow: Arc<Outflow>,
    ledger: Ledger,
    summary: Summary,
    /// True if the sources hold anything that is asked for.
    is_matched: bool,
    /// The places that the filter passed over.
    beyond: Span,
    /// True if another listing follows the one that is read.
    is_listed_again: bool,
    /// True once the tables of the join are to be made anew.
    is_covered_forgotten: bool,
    /// Objects that were deleted before they were read.
    gone: HashSet<Box<str>>,
    /// Objects of S3 whose content was replaced before it was read.
    changed: Vec<Location>,
}

impl<'a> Run<'a> {
    /// Reads the ledger and removes what it does not know; of a shard, what its own unfinished plans left.
    async fn start(
        crash_points: CrashPoints,
        lake: &Lake,
        options: &'a IngestOptions,
        unfinished: &[Plan],
        progress: &'a Progress,
    ) -> Result<Self, IngestError> {
        let cpu = Cpu::new(options.threads)?;
        let cap_bytes = usize::try_from(options.cap_bytes).unwrap_or(usize::MAX);
        let decode = DecodeOptions { cap_bytes, selection: selection(lake)?, sha256: options.sha256 };
        let shares = Shares::new(options.memory_bytes.max(MIN_MEMORY_BYTES));
        let inflow = Inflow::new(cpu.clone(), options, shares, decode, Arc::new(S3::new(options.s3.clone())));
        let outflow = Outflow::new(lake.clone(), cpu.clone(), shares, crash_points, KeptDays::of(lake)?);
        let of_ledger = lake.clone();
        let batches = unfinished.iter().flat_map(|plan| &plan.batches);
        let ours = options.shard.map(|_| batches.map(|batch| batch.batch_id.clone()).collect::<HashSet<_>>());
        let ledger = cpu.run(move || {
            let ledger = Ledger::read(&of_ledger)?;
            match ours {
                Some(ours) => leftovers::remove_ours(&of_ledger, ledger.batches(), &ours)?,
                None => leftovers::remove(&of_ledger, ledger.batches())?,
            }
            Ok::<_, IngestError>(ledger)
        });
        let ledger = ledger.await.map_err(IngestError::worker("read the ledger"))??;
        let (inflow, outflow) = (Arc::new(inflow), Arc::new(outflow));
        Ok(Self {
            options,
            progress,
            cpu,
            inflow,
            outflow,
            ledger,
            summary: Summary::default(),
            is_matched: false,
            beyond: Span::default(),
            is_listed_again: true,
            is_covered_forgotten: false,
            gone: HashSet::new(),
            changed: Vec::new(),
        })
    }

    fn choose(&self, lake: &Lake, listing: Listing) -> Result<Chosen, IngestError> {
        choose(listing, &self.ledger, self.options, selection(lake)?, self.outflow.kept)
    }

    /// Reads what is new in a listing, by a plan of its own.
    async fn read(&mut self, lake: &Lake, listing: Listing, run_id: &str) -> Result<(), IngestError> {
        let Chosen { mut objects, known, is_matched } = self.choose(lake, listing)?;
        self.is_matched |= is_matched;
        self.beyond.extend(mem::take(&mut objects.beyond));
        self.summary.objects_known += known;
        self.summary.objects_filtered += objects.filtered;
        self.summary.objects_skipped += objects.skipped.objects();
        self.summary.skipped.extend(objects.skipped.clone());
        self.summary.objects_gone += objects.gone;
        self.summary.objects_left += objects.left;
        let (of_plan, run_id) = (lake.clone(), run_id.to_owned());
        let (shard, batch_bytes) = (self.options.shard, self.options.batch_bytes);
        // From here on the plan's file alone knows the objects.
        let plan = self.cpu.run(move || Plan::write(&of_plan, &run_id, shard, &objects, batch_bytes));
        let plan = plan.await.map_err(IngestError::worker("write the plan"))??;
        self.outflow.crash_points.pass()?;
        self.carry_out(&plan).await?;
        if self.options.shard.is_none() {
            self.settle().await?;
        }
        self.summary.close();
        Ok(plan.finish(lake, &self.summary)?)
    }

    /// Commits every batch of a plan that is not committed yet, one after the other.
    async fn carry_out(&mut self, plan: &Plan) -> Result<(), IngestError> {
        let committed = self.ledger.batches();
        let mut left: Vec<&Extent> = plan.batches.iter().filter(|it| !committed.contains(&it.batch_id)).collect();
        for batch in &left {
            add(&self.progress.objects_planned, batch.objects);
            add(&self.progress.bytes_planned, batch.bytes);
        }
        let is_in_s3 = left.iter().any(|batch| batch.objects_in_s3 > 0);
        let batches = plan.batches(&self.outflow.lake, committed)?;
        let (_reading, mut arrivals) = pipeline::start(&self.inflow, batches, is_in_s3);
        left.reverse();
        while let Some(expected) = left.pop() {
            let first = arrive(&mut arrivals).await?;
            let batch = Arc::clone(&first.done.batch);
            assert_eq!(batch.batch_id, expected.batch_id, "batches arrive in the order of their plan");
            let mut open = OpenBatch::new(&self.outflow, &batch.batch_id, batch.objects.len());
            match self.commit(&batch, &mut open, first, &mut arrivals).await {
                Ok(()) => {}
                Err(IngestError::Stopped) => {
                    // As after a kill, nobody writes any more and everything stays as it is.
                    open.wait().await;
                    return Err(IngestError::Stopped);
                }
                Err(error) => {
                    open.discard().await;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    async fn commit(
        &mut self,
        batch: &Batch,
        open: &mut OpenBatch,
        first: Arrived,
        arrivals: &mut mpsc::Receiver<Result<Arrived, IngestError>>,
    ) -> Result<(), IngestError> {
        let mut n_left = batch.objects.len() - first.done.n_finished();
        self.take(batch, open, first).await?;
        while n_left > 0 {
            let arrived = arrive(arrivals).await?;
            n_left -= arrived.done.n_finished();
            self.take(batch, open, arrived).await?;
        }
        let finished = open.finish().await?;
        self.outflow.crash_points.pass()?;
        for entry in &finished.entries {
            self.summary.add(entry);
        }
        self.summary.parts += finished.n_parts;
        self.summary.event_dates.extend(finished.event_dates);
        if !finished.entries.is_empty() {
            if finished.entries.iter().any(|entry| !entry.amendments.is_empty()) {
                settle::announce(&self.outflow.lake, &batch.batch_id)?;
            }
            if self.is_listed_again {
                self.ledger.note_fresh(&finished.entries);
            }
            self.forget_covered(&finished.entries)?;
            let run_id = &self.options.run_id;
            open.keep();
            self.ledger.commit(&self.outflow.lake, &batch.batch_id, run_id, finished.entries)?;
        }
        self.outflow.crash_points.pass()
    }

    /// Lets the tables of the join be made anew, and not followed, before rows come back for parts that are gone.
    fn forget_covered(&mut self, entries: &[LedgerEntry]) -> Result<(), LakeError> {
        if self.is_covered_forgotten || self.options.shard.is_some() || !self.ledger.brings_back(entries) {
            return Ok(());
        }
        let lake = &self.outflow.lake;
        let mut change = Change::new(lake, "again");
        Covered::forget(lake, &mut change);
        change.commit()?;
        self.is_covered_forgotten = true;
        Ok(())
    }

    /// Counts the objects that stand in quarantine; of a shard, those of its share.
    async fn count_standing(&mut self, lake: &Lake) -> Result<(), IngestError> {
        if !self.ledger.is_suspect() {
            return Ok(());
        }
        let (of_list, shard, selection) = (lake.clone(), self.options.shard, selection(lake)?);
        let standing = self.cpu.run(move || quarantined(&of_list));
        for object in standing.await.map_err(IngestError::worker("list the quarantine"))?? {
            let place = || place_of(&object.source_object);
            let is_ours = shard.is_none_or(|shard| place().is_none_or(|place| shard.takes(&place, selection)));
            if is_ours && object.stands() {
                self.summary.in_quarantine.count(&object);
            }
        }
        Ok(())
    }

    /// Removes rows that amendments replaced.
    async fn settle(&mut self) -> Result<(), IngestError> {
        let ledger = mem::take(&mut self.ledger);
        let outflow = Arc::clone(&self.outflow);
        let settled = self.cpu.run(move || {
            let lost = settle::settle_until(&outflow.crash_points, &outflow.lake, &ledger);
            (ledger, lost)
        });
        let (ledger, lost) = settled.await.map_err(IngestError::worker("settle amendments"))?;
        for (batch_id, n_rows) in lost? {
            self.summary.subtract(n_rows, ledger.is_fresh(&batch_id));
        }
        self.ledger = ledger;
        Ok(())
    }

    async fn take(&mut self, batch: &Batch, open: &mut OpenBatch, arrived: Arrived) -> Result<(), IngestError> {
        let mut read_objects = Vec::new();
        let mut bytes = 0;
        let n_objects = arrived.done.n_finished() as u64;
        for (position, outcome) in arrived.done.outcomes {
            let object = &batch.objects[position];
            bytes += if matches!(outcome, ObjectOutcome::Begun(_)) { 0 } else { object.bytes };
            match outcome {
                ObjectOutcome::Broken(source) => {
                    return Err(IngestError::Worker { task: "decode a large object", source });
                }
                ObjectOutcome::Read(read) | ObjectOutcome::Begun(read) => {
                    self.summary.inflated_bytes += read.inflated_bytes;
                    read_objects.push((position, read));
                }
                ObjectOutcome::Quarantined(error) => {
                    tracing::warn!(object = &*object.source_object, error, "quarantined");
                    open.quarantine(position, object, error);
                }
                ObjectOutcome::Left(FetchError::Gone { source_object }) => {
                    tracing::warn!(object = &*source_object, "deleted before it was read");
                    self.gone.insert(source_object);
                    self.summary.objects_gone += 1;
                }
                ObjectOutcome::Left(error) => {
                    if matches!(error, FetchError::Changed { .. }) {
                        self.changed.extend(Location::of(&object.source_object));
                    }
                    tracing::warn!(error = chain(&error), "left for the next run");
                    self.summary.objects_left += 1;
                }
            }
        }
        let tally = open.append(&batch.objects, &read_objects, arrived.done.rows, &self.ledger).await?;
        add(&self.progress.records, tally.records);
        add(&self.progress.rows, tally.rows);
        add(&self.progress.objects_done, n_objects);
        add(&self.progress.bytes_done, bytes);
        Ok(())
    }
}

/// Waits for what comes next out of the pipeline, which does not end before its plan.
async fn arrive(arrivals: &mut mpsc::Receiver<Result<Arrived, IngestError>>) -> Result<Arrived, IngestError> {
    arrivals.recv().await.unwrap_or_else(|| {
        let source = Panicked { message: "the pipeline ended before the plan".to_owned() };
        Err(IngestError::Worker { task: "read objects", source })
    })
}

/// Reads which records become rows, which the lake decides.
fn selection(lake: &Lake) -> Result<Selection, LakeError> {
    lake.format().events.parse().map_err(|source| {
        let path = lake.state_dir().join("lake.json");
        LakeError::Damaged { path, source: Box::new(source) }
    })
}

#[cfg(test)]
mod tests;
