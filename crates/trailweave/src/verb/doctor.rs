//! `doctor`: whether a run can do its work here, whether the lake adds up, and the command that mends what does not.

use std::io;
use std::io::Write;

use bytesize::ByteSize;
use jiff::Timestamp;
use serde::Serialize;
use trailweave_correlate::Freshness;
use trailweave_ingest::Reconciled;
use trailweave_ingest::Source;
use trailweave_lake::Covered;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_table::PRODUCTS;

use super::ingest::options;
use crate::freshness::Age;
use crate::job::Job;
use crate::machine;
use crate::outcome::Outcome;
use crate::report::counted;
use crate::spoken::spoken;

/// A run opens an object for each fetch, and a file for each day that it writes.
const OPEN_FILES: u64 = 1024;
/// Less room than that ends the next run.
const LEAST_ROOM_BYTES: u64 = 256 << 20;

/// The state of what was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// A run works, but somebody should look at it.
    Warn,
    /// A run fails, or rows are lost.
    Fault,
}

/// The finding of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    says: String,
    /// The command, or the change, that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

/// Looks at everything that a job with these settings needs. It fails where something is at fault.
pub(super) fn doctor(job: &Job) -> anyhow::Result<Outcome> {
    let mut findings = machine(job);
    findings.extend(sources(job));
    match job.lake() {
        Ok(lake) => findings.extend(lake_findings(job, &lake)?),
        Err(error) => findings.push(closed(&error)),
    }
    job.put(&findings, |out, findings| write_text(out, findings))?;
    let is_at_fault = findings.iter().any(|finding| finding.state == State::Fault);
    Ok(if is_at_fault { Outcome::Failed } else { Outcome::Done })
}

fn machine(job: &Job) -> Vec<Finding> {
    let mut findings = Vec::new();
    let asked = job.config.memory;
    let needed = asked.as_u64() + asked.as_u64() / 4;
    if let Some(total) = machine::memory_bytes() {
        let says = format!("a run takes up to {}, a quarter above --memory, of {}", ByteSize(needed), ByteSize(total));
        let fits = Finding::ok("memory", says.clone());
        let free = machine::free_memory_bytes().unwrap_or(u64::MAX);
        findings.push(if needed > total {
            fits.fault(format!("--memory {}", without_reserve(total)))
        } else if needed > free {
            let says = format!("{says}, of which {} are free now", ByteSize(free));
            Finding::ok("memory", says).warn(format!("--memory {}, or stop what else runs", without_reserve(free)))
        } else {
            fits
        });
    }
    if let Some(limit) = machine::open_files() {
        let finding = Finding::ok("open files", format!("a process may hold {limit} open"));
        findings.push(if limit < OPEN_FILES {
            finding.warn(format!("ulimit -Hn {OPEN_FILES}, as root"))
        } else {
            finding
        });
    }
    findings
}

/// Returns the --memory, in whole MiB, of a run that takes so much.
fn without_reserve(bytes: u64) -> String {
    format!("{}MiB", (bytes / 5 * 4) >> 20)
}

fn sources(job: &Job) -> Vec<Finding> {
    let probed = job.runtime.block_on(trailweave_ingest::probe(&options(job)));
    let finding = |it: trailweave_ingest::Probed| match it.found {
        Ok(Some(object)) => Finding::ok("source", format!("{} can be listed, and `{object}` be read", it.place)),
        Ok(None) if job.config.queue_url.as_ref() == Some(&it.place) => {
            Finding::ok("source", format!("{} can be looked at", it.place))
        }
        Ok(None) => Finding::ok("source", format!("{} holds nothing", it.place)).warn("name another --source".into()),
        Err(error) => Finding::ok("source", spoken(&error.into())).fault("as the message says".into()),
    };
    probed.into_iter().map(finding).collect()
}

/// Tells why there is no lake to look into. A first run makes one where there is none.
fn closed(error: &anyhow::Error) -> Finding {
    let finding = Finding::ok("lake", spoken(error));
    match error.downcast_ref() {
        Some(LakeError::NotALake { .. }) => finding.warn("trailweave run --source .. makes it".into()),
        _ => finding.fault("as the message says".into()),
    }
}

fn lake_findings(job: &Job, lake: &Lake) -> anyhow::Result<Vec<Finding>> {
    let mut findings = room(job, lake)?;
    findings.extend(catalog(job, lake)?);
    match job.lock(lake) {
        Ok(_lock) => {
            findings.push(Finding::ok("lake", format!("{} can be written", lake.root().display())));
            findings.extend(events(&trailweave_ingest::reconcile(lake)?));
        }
        Err(error @ LakeError::Locked { .. }) => {
            let says = format!("{}; its rows were not counted", spoken(&error.into()));
            findings.push(Finding::ok("lake", says).warn("trailweave doctor --wait 10m".into()));
        }
        Err(error) => findings.push(Finding::ok("lake", spoken(&error.into())).fault("as the message says".into())),
    }
    let status = job.runtime.block_on(trailweave_ingest::status(lake, &options(job), false))?;
    let fresh = Freshness::read(lake)?;
    findings.push(tables(lake, fresh)?);
    findings.extend(clock(&Age::new(&status, fresh, job.began), job.began));
    let unfinished: u64 = status.unfinished.iter().map(|run| run.objects).sum();
    if !status.unfinished.is_empty() {
        let says = format!("a run died and left {} of its plan", counted(unfinished, "object", "objects"));
        findings.push(Finding::ok("runs", says).warn("trailweave run finishes it".into()));
    }
    let standing = status.quarantined + status.rejected;
    if standing > 0 {
        let says = format!("{} in quarantine", counted(standing, "object stands", "objects stand"));
        findings.push(Finding::ok("quarantine", says).warn("trailweave quarantine list".into()));
    }
    Ok(findings)
}

/// Compares the room on the lake's disk with the tables, which a join of everything writes beside the old ones.
fn room(job: &Job, lake: &Lake) -> anyhow::Result<Vec<Finding>> {
    let Source::Local(folder) = &job.config.lake else { return Ok(Vec::new()) };
    let Some(free) = machine::free_disk_bytes(folder) else { return Ok(Vec::new()) };
    let mut tables = 0;
    for table in PRODUCTS {
        tables += lake.parts(table)?.iter().map(|part| part.bytes).sum::<u64>();
    }
    let says = format!(
        "{} are free; the tables of the join, {}, are written beside the old ones",
        ByteSize(free),
        ByteSize(tables)
    );
    let finding = Finding::ok("disk", says);
    let mend = || "free some, or prune old days: trailweave prune --before 400d".to_owned();
    Ok(vec![match free {
        _ if free < LEAST_ROOM_BYTES => finding.fault(mend()),
        _ if free < tables => finding.warn(mend()),
        _ => finding,
    }])
}

/// Looks at the database of AWS Glue that follows the lake, or is to.
fn catalog(job: &Job, lake: &Lake) -> anyhow::Result<Option<Finding>> {
    let follows = || Ok::<_, LakeError>(lake.iceberg()?.and_then(|iceberg| iceberg.glue_database));
    let Some(database) = job.config.glue_database.clone().map_or_else(follows, |asked| Ok(Some(asked)))? else {
        return Ok(None);
    };
    Ok(Some(match lake.look_at_catalog(&database) {
        Ok(()) => Finding::ok("glue", format!("the tables of the database `{database}` can be looked at")),
        Err(error) => Finding::ok("glue", spoken(&error.into())).fault("as the message says".into()),
    }))
}

/// Tells whether the parts hold the rows that the ledger counts.
fn events(it: &Reconciled) -> Vec<Finding> {
    let mut findings: Vec<Finding> = it.lacking.iter().map(lacking_day).collect();
    for path in &it.damaged {
        let says = format!("`{}` is damaged", path.display());
        findings.push(
            Finding::ok("events", says)
                .fault("remove that file, then trailweave doctor says what to read again".into()),
        );
    }
    if findings.is_empty() && it.lacking_rows() > 0 {
        let says =
            format!("{} of {} rows are lacking, of which days cannot be told", it.lacking_rows(), it.counted_rows);
        findings.push(Finding::ok("events", says).fault(again(it.delivered.as_ref())));
    }
    if it.surplus_rows() > 0 {
        let says = format!("{} more than the ledger counts", counted(it.surplus_rows(), "row", "rows"));
        findings.push(
            Finding::ok("events", says).warn("make a new lake of these days, if they were not read --again".into()),
        );
    }
    if findings.is_empty() {
        let says = format!("{} by the ledger, and as many in the parts", counted(it.counted_rows, "row", "rows"));
        findings.push(Finding::ok("events", says));
    }
    if it.leftovers > 0 {
        let says = counted(it.leftovers, "file of a killed run", "files of killed runs");
        findings.push(Finding::ok("leftovers", says).warn("trailweave gc".into()));
    }
    findings
}

fn lacking_day(day: &trailweave_ingest::LackingDay) -> Finding {
    let says = format!("{} has {} of at least {} rows", day.event_date, day.found_rows, day.counted_rows);
    Finding::ok("events", says).fault(again(day.delivered.as_ref()))
}

/// Names the command that reads the objects of these days of delivery again.
fn again(delivered: Option<&(String, String)>) -> String {
    let (from, to) = delivered.map_or(("..", ".."), |(from, to)| (from, to));
    format!("trailweave ingest --again --from {from} --to {to} --source .., then trailweave correlate")
}

/// Tells whether the tables of the join are whole, and made of all events.
fn tables(lake: &Lake, fresh: Freshness) -> anyhow::Result<Finding> {
    if let Some(covered) = Covered::read(lake)?
        && !covered.has_its_products(lake)?
    {
        let finding = Finding::ok("tables", "files of the tables of the join are gone, or are others now".into());
        return Ok(finding.fault("trailweave correlate".into()));
    }
    if fresh.is_behind() {
        let says = format!(
            "{} not in the tables of the join",
            counted(fresh.waiting_parts, "file of events is", "files of events are")
        );
        return Ok(Finding::ok("tables", says).warn("trailweave correlate".into()));
    }
    Ok(Finding::ok("tables", "made of all events".into()))
}

/// Tells whether this machine's clock can be right.
fn clock(age: &Age, now: Timestamp) -> Option<Finding> {
    let newest = age.newest_delivery?;
    let says = format!("it is {}", now.strftime("%Y-%m-%dT%H:%MZ"));
    if age.delivery_age_secs? < 0 {
        let says = format!("{says}, and the newest delivery is of {}", newest.strftime("%Y-%m-%dT%H:%MZ"));
        return Some(
            Finding::ok("clock", says).fault("set the clock: S3 refuses requests that are 15 minutes off".into()),
        );
    }
    Some(Finding::ok("clock", format!("{says}, after the newest delivery")))
}

fn write_text(out: &mut impl Write, findings: &[Finding]) -> io::Result<()> {
    for Finding { check, state, says, mend } in findings {
        let state = match state {
            State::Ok => "ok",
            State::Warn => "warn",
            State::Fault => "fault",
        };
        writeln!(out, "{state:<6} {check:<11} {says}")?;
        if let Some(mend) = mend {
            writeln!(out, "       {:<11} -> {mend}", "")?;
        }
    }
    Ok(())
}

impl Finding {
    fn ok(check: &'static str, says: String) -> Self {
        Self { check, state: State::Ok, says, mend: None }
    }

    fn warn(self, mend: String) -> Self {
        Self { state: State::Warn, mend: Some(mend), ..self }
    }

    fn fault(self, mend: String) -> Self {
        Self { state: State::Fault, mend: Some(mend), ..self }
    }
}
