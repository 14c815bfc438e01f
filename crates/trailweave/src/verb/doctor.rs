//! `doctor`: whether a run can do its work here, whether the lake adds up, and the command that mends what does not.

use std::io;
use std::io::Write;
use std::path::PathBuf;

use bytesize::ByteSize;
use jiff::Timestamp;
use serde::Serialize;
use trailweave_correlate::Freshness;
use trailweave_ingest::LackingDay;
use trailweave_ingest::Reconciled;
use trailweave_ingest::Source;
use trailweave_ingest::Status;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_table::EVENTS;
use trailweave_table::PRODUCTS;
use trailweave_table::REMEMBERED;

use super::ingest::options;
use crate::freshness::Age;
use crate::job::Job;
use crate::machine;
use crate::outcome::Outcome;
use crate::report::counted;
use crate::spoken::spoken;

/// A run opens an object for each fetch, and a file for each day that it writes.
const OPEN_FILES: u64 = 1024;
/// The remedy of a fault whose message says it.
const AS_IT_SAYS: &str = "do what the message says";
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
        Err(error) => findings.push(closed(job, &error)),
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
        Err(error) => Finding::ok("source", spoken(&error.into())).fault(AS_IT_SAYS.into()),
    };
    probed.into_iter().map(finding).collect()
}

/// Tells why there is no lake to look into. A first run makes one where there is none.
fn closed(job: &Job, error: &anyhow::Error) -> Finding {
    let finding = Finding::ok("lake", spoken(error));
    match error.downcast_ref() {
        Some(LakeError::NotALake { .. }) => finding.warn(format!("{}, which makes it", with_sources(job, "run"))),
        _ => finding.fault(AS_IT_SAYS.into()),
    }
}

fn lake_findings(job: &Job, lake: &Lake) -> anyhow::Result<Vec<Finding>> {
    let mut findings = room(job, lake)?;
    findings.extend(catalog(job, lake)?);
    findings.extend(elsewhere(job, lake));
    let status = job.runtime.block_on(trailweave_ingest::status(lake, &options(job), false))?;
    match job.lock(lake) {
        Ok(_lock) => {
            findings.push(Finding::ok("lake", format!("{} can be written", lake.root().display())));
            let it = trailweave_ingest::reconcile(lake)?;
            let of_events = match forgotten_days(job, lake, &it)? {
                Some(finding) => vec![finding],
                None => events(job, &it),
            };
            // What is wrong with the events is wrong with the tables, and is mended first.
            let is_well = of_events.iter().all(|finding| finding.state != State::Fault);
            findings.extend(of_events);
            if is_well {
                findings.extend(tables(job, lake, &it)?);
            }
            findings.extend(runs(job, &status));
        }
        Err(error @ LakeError::Locked { .. }) => {
            let says = format!("{}; its rows were not counted", spoken(&error.into()));
            findings.push(Finding::ok("lake", says).warn(on_lake(job, "doctor --wait 10m")));
        }
        Err(error) => findings.push(Finding::ok("lake", spoken(&error.into())).fault(AS_IT_SAYS.into())),
    }
    findings.extend(clock(&Age::new(&status, Freshness::default(), 0, job.began), job.began));
    let standing = status.quarantined + status.rejected;
    if standing > 0 {
        let says = format!("{} in quarantine", counted(standing, "object stands", "objects stand"));
        findings.push(Finding::ok("quarantine", says).warn(on_lake(job, "quarantine list")));
    }
    Ok(findings)
}

/// Tells what the last runs left to do. Needs: no run is at work.
fn runs(job: &Job, status: &Status) -> Vec<Finding> {
    let mut findings = Vec::new();
    let unfinished: u64 = status.unfinished.iter().map(|run| run.objects).sum();
    if !status.unfinished.is_empty() {
        let says = format!("a run died and left {} of its plan", counted(unfinished, "object", "objects"));
        findings.push(Finding::ok("runs", says).warn(format!("{}, which finishes it", with_sources(job, "run"))));
    }
    if status.left > 0 {
        let says =
            format!("the last run could not read {}, which its log names", counted(status.left, "object", "objects"));
        findings.push(Finding::ok("runs", says).warn(format!("make them readable, then {}", with_sources(job, "run"))));
    }
    findings
}

/// Writes a command on the lake that was looked at.
fn on_lake(job: &Job, verb: &str) -> String {
    let config = job.common.config.as_ref().map(|path| format!(" --config {}", typed(&path.to_string_lossy())));
    format!("trailweave {verb}{} --lake {}", config.unwrap_or_default(), typed(&job.config.lake.to_string()))
}

/// Writes a command that also reads the sources.
fn with_sources(job: &Job, verb: &str) -> String {
    let sources: Vec<String> = options(job).sources.iter().map(|source| typed(&source.to_string())).collect();
    let sources = if sources.is_empty() { "SOURCE".to_owned() } else { sources.join(" --source ") };
    format!("{} --source {sources}", on_lake(job, verb))
}

/// Names the commands by which `verb` reads all objects, and the tables are made of what is there then.
fn read_all(job: &Job, verb: &str) -> String {
    let commands = format!("{}, then {}", with_sources(job, verb), on_lake(job, "correlate --whole"));
    let filter = &job.config.filter;
    let narrowing = [
        ("from", filter.from.is_some()),
        ("to", filter.to.is_some()),
        ("account", !filter.accounts.is_empty()),
        ("region", !filter.regions.is_empty()),
        ("shard", job.config.shard.is_some()),
    ];
    let set: Vec<&str> = narrowing.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect();
    match set[..] {
        [] => commands,
        _ => format!("without the settings {}, which leave objects out: {commands}", set.join(", ")),
    }
}

/// Writes a word as a shell takes it.
fn typed(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
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
    let mend = || format!("free some, or prune old days: {}", on_lake(job, "prune --before 400d"));
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
        Err(error) => Finding::ok("glue", spoken(&error.into())).fault(AS_IT_SAYS.into()),
    }))
}

/// Tells whether engines that read the lake by Iceberg are led to another place, from which it was copied or moved.
fn elsewhere(job: &Job, lake: &Lake) -> Option<Finding> {
    let finding = |says| Finding::ok("iceberg", says);
    match trailweave_lake::published_elsewhere(lake) {
        Ok(None) => None,
        Ok(Some(place)) => {
            let says = format!("the tables were published at `{place}`, and the lake stands elsewhere now");
            Some(finding(says).warn(on_lake(job, "publish")))
        }
        Err(error) => Some(finding(spoken(&error.into())).fault(AS_IT_SAYS.into())),
    }
}

/// Tells whether a lake has forgotten that days of it were pruned, which would count as lost.
fn forgotten_days(job: &Job, lake: &Lake, it: &Reconciled) -> anyhow::Result<Option<Finding>> {
    if it.is_pruned || lake.parts(&REMEMBERED)?.is_empty() {
        return Ok(None);
    }
    let first = lake.parts(&EVENTS)?.into_iter().find_map(|part| part.event_date).unwrap_or_else(|| "DAY".into());
    let says = "`_trailweave/pruned.json` is gone, which says before which day days were pruned".into();
    let again = on_lake(job, &format!("prune --before {first}"));
    Ok(Some(Finding::ok("events", says).fault(format!("restore it from a copy; without one: {again}"))))
}

/// Tells whether the parts hold the rows that the ledger counts.
fn events(job: &Job, it: &Reconciled) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(path) = it.orphans.first() {
        let files = counted(it.orphans.len() as u64, "part is", "parts are");
        let says =
            format!("{files} of batches that no file of `_trailweave/ledger` knows, such as `{}`", path.display());
        let anew = format!("{}, then {}", on_lake(job, "gc --orphans"), read_all(job, "ingest"));
        findings.push(
            Finding::ok("events", says)
                .fault(format!("restore the files of the ledger from a copy; without one: {anew}")),
        );
    }
    findings.extend(it.lacking.iter().map(|day| lacking_day(job, day)));
    for path in &it.damaged {
        let says = format!("`{}` is damaged", path.display());
        let mend = format!("remove that file, then {} says what to read again", on_lake(job, "doctor"));
        findings.push(Finding::ok("events", says).fault(mend));
    }
    if findings.is_empty() && it.lacking_rows() > 0 {
        let says =
            format!("{} of {} rows are lacking, of which days cannot be told", it.lacking_rows(), it.counted_rows);
        findings.push(Finding::ok("events", says).fault(again(job, it.delivered.as_ref())));
    }
    if it.surplus_rows() > 0 {
        let says = format!(
            "{} more than the ledger counts: files of it are gone, or were gone when their objects were read again, and what \
             else is lost cannot be counted",
            counted(it.surplus_rows(), "row", "rows")
        );
        let mend = "restore them from a copy, or make the lake anew: run over all sources with another --lake";
        findings.push(Finding::ok("events", says).warn(mend.into()));
    }
    if findings.is_empty() {
        let says = format!("{} by the ledger, and as many in the parts", counted(it.counted_rows, "row", "rows"));
        findings.push(Finding::ok("events", says));
    }
    if it.leftovers > 0 {
        let says = counted(it.leftovers, "file of a killed run", "files of killed runs");
        findings.push(Finding::ok("leftovers", says).warn(on_lake(job, "gc")));
    }
    findings
}

fn lacking_day(job: &Job, day: &LackingDay) -> Finding {
    let says = format!("{} has {} of at least {} rows", day.event_date, day.found_rows, day.counted_rows);
    Finding::ok("events", says).fault(again(job, day.delivered.as_ref()))
}

/// Names the commands that read the objects of these days of delivery again.
fn again(job: &Job, delivered: Option<&(String, String)>) -> String {
    let (from, to) = delivered.map_or(("DAY", "DAY"), |(from, to)| (from, to));
    // Objects of other shares are read again, too.
    let share = if job.config.shard.is_some() { " --shard 0/1" } else { "" };
    let read = with_sources(job, &format!("ingest --again{share} --from {from} --to {to}"));
    format!("{read}, then {}", on_lake(job, "correlate"))
}

/// Tells whether the tables of the join are whole, and made of all events.
fn tables(job: &Job, lake: &Lake, it: &Reconciled) -> anyhow::Result<Vec<Finding>> {
    let fault = |says: String, verb| Finding::ok("tables", says).fault(on_lake(job, verb));
    let damaged = |path: &PathBuf| fault(format!("`{}` is damaged", path.display()), "correlate --whole");
    let mut findings: Vec<Finding> = it.damaged_tables.iter().map(damaged).collect();
    let fresh = Freshness::read(lake)?;
    if fresh.lacks_products {
        let says = "files of the tables of the join are gone, or are others now".into();
        findings.push(fault(says, "correlate"));
    } else if fresh.gone_parts > 0 {
        let says = format!(
            "{} gone that they were made of",
            counted(fresh.gone_parts, "file of events is", "files of events are")
        );
        let why = if it.is_pruned { ", as nothing else brings back what `remembered` held of pruned days" } else { "" };
        let mend = format!("restore them from a copy{why}; without one: {}", read_all(job, "ingest"));
        findings.push(Finding::ok("tables", says).fault(mend));
    } else if fresh.is_behind() {
        let says = format!(
            "{} not in the tables of the join",
            counted(fresh.waiting_parts, "file of events is", "files of events are")
        );
        findings.push(Finding::ok("tables", says).warn(on_lake(job, "correlate")));
    } else if findings.is_empty() {
        findings.push(Finding::ok("tables", "made of all events".into()));
    }
    Ok(findings)
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
