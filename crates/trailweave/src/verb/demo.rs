//! `demo`: the whole job on a trail of our own making.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use anyhow::bail;
use jiff::Timestamp;
use trailweave_corpus::{BUCKET, DIGEST_METADATA, PUBLIC_KEYS};
use trailweave_correlate::Action;

use super::ingest;
use super::read::trace;
use super::report;
use super::verify;
use crate::args::Common;
use crate::args::DemoArgs;
use crate::args::IngestArgs;
use crate::args::TraceArgs;
use crate::args::VerifyArgs;
use crate::job::Job;
use crate::outcome::Outcome;

/// The file that says that a folder is ours to replace.
const MARKER: &str = ".trailweave-demo";

/// Generates, runs, and shows what comes out.
pub(super) fn demo(common: Common, args: &DemoArgs, now: fn() -> Timestamp) -> anyhow::Result<Outcome> {
    let (folder, lake) = (args.dir.join("trail"), args.dir.join("lake"));
    clear(&args.dir)?;
    let corpus = generate(args, &folder)?;
    // The generator's truth stands beside it, and is not an object of the trail.
    let trail = folder.join("AWSLogs");
    say(&format!("# trailweave run --source {} --lake {}", trail.display(), lake.display()))?;
    let typed = |path: &Path| path.to_string_lossy().into_owned();
    // The demo is the same whatever a configuration says.
    let Common { memory, threads, quiet, verbose, .. } = common;
    let common = Common { lake: Some(typed(&lake)), memory, threads, quiet, verbose, ..Common::default() };
    let sources = IngestArgs { source: vec![typed(&trail)], ..IngestArgs::default() };
    let job = Job::new(common, &sources, now)?;
    let outcome = job.report(ingest::run)?;

    say(&format!("\n# trailweave trace --lake {} {}", lake.display(), corpus.first_instance))?;
    trace(&job, &TraceArgs { id: corpus.first_instance, ..TraceArgs::default() })?;
    answer(&job, &lake)?;
    let proven = prove(&job, &folder, &lake)?;
    let page = args.dir.join("report.html");
    say(&format!("\n# trailweave report --lake {} --out {}", lake.display(), page.display()))?;
    report::write(&job, &page, &[])?;
    Ok(if outcome == Outcome::Done { proven } else { outcome })
}

fn generate(args: &DemoArgs, trail: &Path) -> anyhow::Result<trailweave_corpus::Corpus> {
    let options = trailweave_corpus::CorpusOptions {
        seed: args.seed,
        records: args.records,
        digests: true,
        ..trailweave_corpus::CorpusOptions::default()
    };
    let corpus = trailweave_corpus::generate(&options, trail)?;
    say(&format!(
        "A week of synthetic trail: {} records in {} objects, some late, some delivered twice ({})\n",
        corpus.delivered,
        corpus.objects,
        trail.display()
    ))?;
    Ok(corpus)
}

/// Proves by the digests of the trail that the lake has all of it, unchanged.
fn prove(job: &Job, folder: &Path, lake: &Path) -> anyhow::Result<Outcome> {
    let [keys, metadata] = [PUBLIC_KEYS, DIGEST_METADATA].map(|name| folder.join(name));
    say(&format!(
        "\n# trailweave verify --source {} --bucket {BUCKET} --lake {} --public-keys {} --digest-metadata {}",
        folder.join("AWSLogs").display(),
        lake.display(),
        keys.display(),
        metadata.display()
    ))?;
    let args = VerifyArgs {
        bucket: vec![BUCKET.to_owned()],
        public_keys: Some(keys),
        digest_metadata: Some(metadata),
        ..VerifyArgs::default()
    };
    verify::prove(job, &args)
}

/// Empties the demo's folder, but only if an earlier demo made it.
fn clear(dir: &Path) -> anyhow::Result<()> {
    let ours = dir.join(MARKER).exists();
    let empty = fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none());
    if !ours && !empty {
        bail!("`{}` holds something else than a demo; name another folder with --dir", dir.display());
    }
    if ours {
        fs::remove_dir_all(dir).with_context(|| format!("cannot remove `{}`", dir.display()))?;
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
    fs::write(dir.join(MARKER), "").with_context(|| format!("cannot write in `{}`", dir.display()))
}

/// Says which EC2 actions made the KMS calls of the lake, and how to ask the same in SQL.
fn answer(job: &Job, lake: &Path) -> anyhow::Result<()> {
    let actions = trailweave_correlate::actions(&job.lake()?)?;
    say("\n# Which EC2 actions made the KMS calls, and how is it known?\n")?;
    say(&format!("{:<28} {:<12} {:>8} {:>10}", "ec2_event_name", "link", "calls", "instances"))?;
    for Action { name, link, calls, instances } in actions {
        say(&format!("{:<28} {link:<12} {calls:>8} {instances:>10}", name.unwrap_or_else(|| "-".to_owned())))?;
    }
    let lake = lake.display();
    say("\nThe lake is yours to ask in SQL:")?;
    if cfg!(feature = "query") {
        let question = "SELECT ec2_event_name, link, count(*) FROM correlated GROUP BY ALL";
        say(&format!("  trailweave query --lake {lake} \"{question}\""))?;
    }
    Ok(say(&format!("  trailweave ddl duckdb --lake {lake} > lake.sql && duckdb -init lake.sql"))?)
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
