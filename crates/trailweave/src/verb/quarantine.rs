//! `quarantine`: the list of objects that gave no row, and the ways off it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::io::Write;

use anyhow::bail;
use jiff::Timestamp;
use serde::Serialize;
use trailweave_correlate::Scope;
use trailweave_ingest::Filter;
use trailweave_ingest::IngestOptions;
use trailweave_ingest::NamePattern;
use trailweave_ingest::QuarantinedObject;
use trailweave_ingest::Retry;
use trailweave_lake::Lake;

use super::correlate::correlate_locked;
use super::ingest::ingest_locked;
use super::ingest::options;
use super::publish::publish_locked;
use crate::args::Common;
use crate::args::IngestArgs;
use crate::args::LockArgs;
use crate::args::QuarantineVerb;
use crate::job::Job;
use crate::outcome::Outcome;
use crate::report::Report;
use crate::report::counted;

/// Carries out what was asked of the quarantine.
pub(super) fn quarantine(common: Common, verb: QuarantineVerb, now: fn() -> Timestamp) -> anyhow::Result<Outcome> {
    let job = |cap: Option<String>, lock: &LockArgs| {
        anyhow::Ok(Job::new(common, &IngestArgs { cap, ..IngestArgs::default() }, now)?.waiting(lock)?)
    };
    match verb {
        QuarantineVerb::List { objects, dismissed } => {
            list(&job(None, &LockArgs::default())?, &patterns(&objects), dismissed)
        }
        QuarantineVerb::Retry { objects, cap, lock } => retry(&job(cap, &lock)?, &patterns(&objects)),
        QuarantineVerb::Dismiss { objects, note, lock } => dismiss(&job(None, &lock)?, &patterns(&objects), &note),
    }
}

fn patterns(objects: &[String]) -> Vec<NamePattern> {
    objects.iter().map(|object| NamePattern::from(object.as_str())).collect()
}

/// Finds the objects that are asked for: all, where no name is given.
fn find(
    lake: &Lake,
    patterns: &[NamePattern],
    is_wanted: impl Fn(&QuarantinedObject) -> bool,
) -> anyhow::Result<Vec<QuarantinedObject>> {
    let mut found = trailweave_ingest::quarantined(lake)?;
    let is_asked =
        |it: &QuarantinedObject| patterns.is_empty() || patterns.iter().any(|pattern| pattern.takes(&it.source_object));
    found.retain(|it| is_wanted(it) && is_asked(it));
    Ok(found)
}

/// Returns the first of some patterns that takes none of these objects.
fn without_object<'p>(patterns: &'p [NamePattern], objects: &[String]) -> Option<&'p str> {
    let has_none = |pattern: &&NamePattern| !objects.iter().any(|object| pattern.takes(object));
    patterns.iter().find(has_none).map(NamePattern::as_str)
}

fn list(job: &Job, patterns: &[NamePattern], is_dismissed: bool) -> anyhow::Result<Outcome> {
    let found = find(&job.lake()?, patterns, |it| it.stands() != is_dismissed)?;
    job.put(&found, |out, found| write_list(out, found))?;
    Ok(if is_dismissed || found.is_empty() { Outcome::Done } else { Outcome::Quarantined })
}

/// Writes a line for each object, or for those of a folder that share a reason.
fn write_list(out: &mut impl Write, found: &[QuarantinedObject]) -> io::Result<()> {
    let mut groups: BTreeMap<(&str, &str), Vec<&QuarantinedObject>> = BTreeMap::new();
    for it in found {
        let folder = it.source_object.rfind('/').map_or("", |slash| &it.source_object[..=slash]);
        groups.entry((folder, it.note.as_deref().unwrap_or(&it.reason))).or_default().push(it);
    }
    for ((folder, why), objects) in groups {
        match objects.as_slice() {
            [one] => writeln!(out, "{}: {why}", one.source_object)?,
            many => writeln!(
                out,
                "{folder}: {}, such as {}: {why}",
                counted(many.len() as u64, "object", "objects"),
                &many[0].source_object[folder.len()..]
            )?,
        }
    }
    writeln!(out, "{} in all", counted(found.len() as u64, "object", "objects"))
}

/// Reads objects again by their names. Those of nothing but rejects are known, and stay as they are.
fn retry(job: &Job, patterns: &[NamePattern]) -> anyhow::Result<Outcome> {
    let lake = job.lake()?;
    let _lock = job.lock(&lake)?;
    let choice = if patterns.is_empty() { Retry::Standing } else { Retry::All };
    let found = find(&lake, patterns, |it| choice == Retry::All || it.stands())?;
    let refused = found.iter().filter(|it| it.is_refused);
    let names: Vec<String> = refused.map(|it| it.source_object.clone()).collect();
    if let Some(name) = without_object(patterns, &names) {
        if let Some(it) = found.iter().find(|it| NamePattern::from(name).takes(&it.source_object)) {
            let way = if it.stands() { "; `trailweave quarantine dismiss` takes it off the list" } else { "" };
            bail!("all records of `{}` were rejected, so reading it again gives the same{way}", it.source_object);
        }
        bail!("no object that was refused as a whole is called `{name}`; `trailweave quarantine list` names them");
    }
    let options = IngestOptions {
        sources: Vec::new(),
        keys: Vec::new(),
        inventories: Vec::new(),
        queue_url: None,
        filter: Filter::default(),
        shard: None,
        names,
        retry: choice,
        ..options(job)
    };
    job.report(|job| {
        let mut ingested = ingest_locked(job, &lake, None, &options)?;
        // What was named is what is asked for, even if there was nothing to name.
        ingested.nothing_matched = None;
        let correlated = correlate_locked(job, &lake, Scope::New)?;
        let published = publish_locked(job, &lake)?;
        Ok(Report { ingested: Some(ingested), correlated: Some(correlated), published, ..Report::default() })
    })
}

/// The objects that were dismissed, and how many still stand.
#[derive(Serialize)]
struct Dismissed {
    dismissed: Vec<String>,
    standing: u64,
}

fn dismiss(job: &Job, patterns: &[NamePattern], note: &str) -> anyhow::Result<Outcome> {
    let lake = job.lake()?;
    let _lock = job.lock(&lake)?;
    let mut standing = find(&lake, &[], QuarantinedObject::stands)?;
    let is_meant = |it: &QuarantinedObject| patterns.iter().any(|pattern| pattern.takes(&it.source_object));
    let dismissed: Vec<String> = standing.extract_if(.., |it| is_meant(it)).map(|it| it.source_object).collect();
    if let Some(name) = without_object(patterns, &dismissed) {
        bail!("no object in quarantine is called `{name}`; `trailweave quarantine list` names them");
    }
    let names: BTreeSet<&str> = dismissed.iter().map(String::as_str).collect();
    trailweave_ingest::dismiss(&lake, &names, note)?;
    job.put(&Dismissed { dismissed, standing: standing.len() as u64 }, |out, it| {
        let dismissed = counted(it.dismissed.len() as u64, "object", "objects");
        writeln!(out, "{dismissed} dismissed, {} left in quarantine", it.standing)
    })?;
    Ok(if standing.is_empty() { Outcome::Done } else { Outcome::Quarantined })
}
