//! From what was typed, the environment and the file to a configuration that holds.
//!
//! Clap lays flags over the environment; this module lays the outcome over the file and the defaults, and checks it.

mod error;
mod time;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use trailweave_correlate::{HASHABLE, reads_column};
use trailweave_ingest::Filter;
use trailweave_ingest::Names;
use trailweave_ingest::S3Options;
use trailweave_ingest::Shard;
use trailweave_ingest::Source;
use trailweave_lake::{Omission, Omit};
use trailweave_table::{Kind, LOGGED};

pub(crate) use error::ConfigError;
pub(crate) use time::{before, duration, keep, range, time, wait};
use time::{retain, when};

use crate::args::Common;
use crate::args::IngestArgs;
use crate::args::S3Args;
use crate::otlp::Endpoint;

/// The settings, resolved and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) sources: Vec<Source>,
    pub(crate) keys: Vec<PathBuf>,
    pub(crate) inventories: Vec<Source>,
    pub(crate) queue_url: Option<String>,
    pub(crate) s3: S3Options,
    pub(crate) lake: Source,
    pub(crate) filter: Filter,
    /// The texts of `from` and `to`, for verbs that go by the time and not by days.
    pub(crate) days: [String; 2],
    pub(crate) events: Option<String>,
    /// The columns that are left out, where the configuration names any.
    pub(crate) omit: Option<Omit>,
    pub(crate) memory: ByteSize,
    pub(crate) threads: NonZeroUsize,
    pub(crate) cap: ByteSize,
    pub(crate) sha256: bool,
    pub(crate) shard: Option<Shard>,
    /// How long another run that holds the lake is waited for.
    pub(crate) wait: Duration,
    /// The first day that `run` keeps in the lake.
    pub(crate) retain: Option<Date>,
    pub(crate) publish: bool,
    pub(crate) glue_database: Option<String>,
    pub(crate) glue_endpoint_url: Option<String>,
    pub(crate) metrics_file: Option<PathBuf>,
    pub(crate) otlp_endpoint: Option<Endpoint>,
}

/// The file, with the keys and defaults of `config/default.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_field_names, clippy::struct_excessive_bools, reason = "named as the flags are")]
struct File {
    source: Vec<String>,
    keys: Vec<PathBuf>,
    inventory: Vec<String>,
    queue_url: String,
    endpoint_url: String,
    profile: String,
    assume_role_arn: String,
    path_style: bool,
    requester_pays: bool,
    no_sign_request: bool,
    lake: String,
    from: String,
    to: String,
    account: Vec<String>,
    region: Vec<String>,
    all_names: bool,
    events: String,
    omit: BTreeMap<String, String>,
    memory: String,
    threads: usize,
    cap: String,
    sha256: bool,
    shard: String,
    wait: String,
    retain: String,
    publish: bool,
    glue_database: String,
    glue_endpoint_url: String,
    metrics_file: PathBuf,
    otlp_endpoint: String,
}

impl Default for File {
    fn default() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            source: Vec::new(),
            keys: Vec::new(),
            inventory: Vec::new(),
            queue_url: String::new(),
            endpoint_url: String::new(),
            profile: String::new(),
            assume_role_arn: String::new(),
            path_style: false,
            requester_pays: false,
            no_sign_request: false,
            lake: text("lake"),
            from: String::new(),
            to: String::new(),
            account: Vec::new(),
            region: Vec::new(),
            all_names: false,
            events: String::new(),
            omit: BTreeMap::new(),
            memory: text("1GiB"),
            threads: 0,
            cap: text("2GiB"),
            sha256: true,
            shard: String::new(),
            wait: String::new(),
            retain: String::new(),
            publish: false,
            glue_database: String::new(),
            glue_endpoint_url: String::new(),
            metrics_file: PathBuf::new(),
            otlp_endpoint: String::new(),
        }
    }
}

impl Config {
    /// Resolves and checks the settings; `now` gives relative times their meaning.
    pub(crate) fn resolve(common: &Common, ingest: &IngestArgs, now: Timestamp) -> Result<Self, ConfigError> {
        let mut file = read(common.config.as_deref())?;
        // Sources, keys and the like are one choice, however they are named.
        if ingest.names_objects() {
            (file.source, file.keys, file.inventory, file.queue_url) = Default::default();
        }
        let or = |typed: &Option<String>, filed: &str| typed.clone().unwrap_or_else(|| filed.to_owned());
        let all = |typed: &[String], filed: &[String]| if typed.is_empty() { filed.to_vec() } else { typed.to_vec() };
        let memory = size("memory", &or(&common.memory, &file.memory), MIN_MEMORY)?;
        let places = |key, typed: &[String], filed: &[String]| {
            all(typed, filed).iter().map(|it| place(key, it)).collect::<Result<_, _>>()
        };
        Ok(Self {
            sources: places("source", &ingest.source, &file.source)?,
            keys: if ingest.keys.is_empty() { file.keys.clone() } else { ingest.keys.clone() },
            inventories: places("inventory", &ingest.inventory, &file.inventory)?,
            queue_url: queue_url(&or(&ingest.queue_url, &file.queue_url))?,
            s3: s3(&common.s3, &file),
            lake: place("lake", &or(&common.lake, &file.lake))?,
            filter: checked(Filter {
                from: when("from", &or(&ingest.from, &file.from), now)?,
                to: when("to", &or(&ingest.to, &file.to), now)?,
                accounts: accounts(all(&ingest.place.account, &file.account))?,
                regions: regions(all(&ingest.place.region, &file.region))?,
                names: if ingest.all_names.unwrap_or(file.all_names) { Names::All } else { Names::OfTrails },
            })?,
            days: [or(&ingest.from, &file.from), or(&ingest.to, &file.to)],
            events: events(&or(&ingest.events, &file.events))?,
            omit: omit(&file.omit)?,
            memory,
            threads: threads(&or(&common.threads, &file.threads.to_string()), memory)?,
            cap: size("cap", &or(&ingest.cap, &file.cap), ByteSize(1))?,
            sha256: ingest.sha256.unwrap_or(file.sha256),
            shard: shard(&or(&ingest.shard, &file.shard))?,
            wait: wait(&file.wait)?,
            retain: retain(&file.retain, now)?,
            publish: file.publish,
            glue_database: said(None, &file.glue_database),
            glue_endpoint_url: said(common.s3.glue_endpoint_url.as_deref(), &file.glue_endpoint_url),
            metrics_file: common
                .metrics_file
                .clone()
                .or(Some(file.metrics_file))
                .filter(|path| !path.as_os_str().is_empty()),
            otlp_endpoint: otlp_endpoint(common.otlp_endpoint.as_deref(), &file.otlp_endpoint)?,
        })
    }

    /// Tells whether anything is named that could be listed.
    pub(crate) fn has_source(&self) -> bool {
        !self.sources.is_empty() || !self.keys.is_empty() || !self.inventories.is_empty()
    }

    /// Refuses a run without a source, or with more than a queue.
    pub(crate) fn check_source(&self) -> Result<(), ConfigError> {
        let with = |with, because| Err(ConfigError::QueueWith { with, because });
        match (&self.queue_url, self.has_source()) {
            (None, false) => Err(ConfigError::NoSource),
            (Some(_), true) => with("--source, --keys and --inventory", "run once for each"),
            (Some(_), false) if self.shard.is_some() || self.filter.chooses_places() => with(
                "--from, --to, --account, --region and --shard",
                "what they pass over would be lost with its message; filter where S3 is told to notify",
            ),
            (None, true) | (Some(_), false) => Ok(()),
        }
    }
}

/// Below this the buffers of a run have no room.
const MIN_MEMORY: ByteSize = ByteSize(64 << 20);
/// The memory that a thread holds, whatever it works on.
const THREAD_MEMORY: u64 = 8 << 20;

fn checked(filter: Filter) -> Result<Filter, ConfigError> {
    match (filter.from, filter.to) {
        (Some(from), Some(to)) if from > to => Err(ConfigError::EmptyWindow { from, to }),
        _ => Ok(filter),
    }
}

fn read(path: Option<&Path>) -> Result<File, ConfigError> {
    let Some(path) = path else { return Ok(File::default()) };
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|source| ConfigError::Parse { path: path.to_owned(), source })
}

fn s3(typed: &S3Args, file: &File) -> S3Options {
    let text = |typed: &Option<String>, filed: &str| said(typed.as_deref(), filed);
    S3Options {
        endpoint_url: text(&typed.endpoint_url, &file.endpoint_url),
        path_style: typed.path_style.unwrap_or(file.path_style),
        requester_pays: typed.requester_pays.unwrap_or(file.requester_pays),
        profile: text(&typed.profile, &file.profile),
        assume_role_arn: text(&typed.assume_role_arn, &file.assume_role_arn),
        anonymous: typed.no_sign_request.unwrap_or(file.no_sign_request),
        read_timeout: None,
    }
}

/// Takes what was typed before what the file says; `None` where it is empty.
fn said(typed: Option<&str>, filed: &str) -> Option<String> {
    Some(typed.unwrap_or(filed)).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn queue_url(value: &str) -> Result<Option<String>, ConfigError> {
    let path = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
    match path.map(|path| path.split('/').count()) {
        _ if value.is_empty() => Ok(None),
        Some(3..) => Ok(Some(value.to_owned())),
        _ => {
            let expected = "https://sqs.<region>.amazonaws.com/<account>/<name> is expected";
            Err(ConfigError::Value { key: "queue-url", value: value.to_owned(), expected })
        }
    }
}

/// Reads a folder or a prefix of a bucket.
pub(crate) fn place(key: &'static str, value: &str) -> Result<Source, ConfigError> {
    let refuse = |expected| Err(ConfigError::Value { key, value: value.to_owned(), expected });
    match value.parse() {
        Ok(Source::S3(location)) if location.bucket.is_empty() => refuse("s3://bucket/prefix is expected"),
        Ok(Source::Local(_)) if value.is_empty() => refuse("a path or s3://bucket/prefix is expected"),
        Ok(Source::Local(_)) if value.contains("://") => refuse("of URLs only s3://bucket/prefix is known"),
        Ok(source) => Ok(source),
        Err(never) => match never {},
    }
}

/// Reads the name of a database of Athena.
pub(crate) fn database(value: &str) -> Result<&str, ConfigError> {
    let is_name = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
    let expected = "small letters, digits and _ are expected";
    if !value.is_empty() && value.bytes().all(is_name) {
        Ok(value)
    } else {
        Err(ConfigError::Value { key: "database", value: value.to_owned(), expected })
    }
}

/// Reads the ids of accounts.
pub(crate) fn accounts(values: Vec<String>) -> Result<BTreeSet<String>, ConfigError> {
    for value in &values {
        if value.len() != 12 || !value.bytes().all(|byte| byte.is_ascii_digit()) {
            let expected = "an AWS account id of 12 digits is expected";
            return Err(ConfigError::Value { key: "account", value: value.clone(), expected });
        }
    }
    Ok(values.into_iter().collect())
}

/// Checks the names of regions, which are those of CloudTrail's folders, such as `eu-west-1` and `us-gov-west-1`.
pub(crate) fn regions(values: Vec<String>) -> Result<BTreeSet<String>, ConfigError> {
    for value in &values {
        let is_named = value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let is_numbered = value.rsplit_once('-').is_some_and(|(area, number)| {
            area.contains('-') && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        if !is_named || !is_numbered {
            let expected = "an AWS region such as eu-west-1 is expected";
            return Err(ConfigError::Value { key: "region", value: value.clone(), expected });
        }
    }
    Ok(values.into_iter().collect())
}

fn events(value: &str) -> Result<Option<String>, ConfigError> {
    match value {
        "" => Ok(None),
        "relevant" | "all" => Ok(Some(value.to_owned())),
        _ => Err(ConfigError::Value {
            key: "events",
            value: value.to_owned(),
            expected: "`relevant` or `all` is expected",
        }),
    }
}

/// Reads which columns are left out. What the join reads stays, or its rows would be wrong.
fn omit(filed: &BTreeMap<String, String>) -> Result<Option<Omit>, ConfigError> {
    let read = |(column, how): (&String, &String)| Ok((column.clone(), omission(column, how)?));
    let omit = filed.iter().map(read).collect::<Result<Omit, _>>()?;
    Ok(Some(omit).filter(|omit| !omit.is_empty()))
}

fn omission(column: &str, how: &str) -> Result<Omission, ConfigError> {
    let refuse = |because| Err(ConfigError::Omit { column: column.to_owned(), because });
    let found = LOGGED.into_iter().flat_map(|table| table.columns).find(|it| it.name == column);
    let Some(found) = found else { return refuse("neither `events` nor `sessions` has such a column") };
    let (is_joined, is_hashable) = (reads_column(column), HASHABLE.contains(&column));
    match how {
        "drop" if is_hashable => refuse("the join reads it; `hash` keeps what it needs"),
        "drop" | "hash" if is_joined && !is_hashable => refuse("the join reads it, and would make wrong rows without"),
        "drop" | "hash" if column == AMENDED => refuse("it tells which record another one replaces"),
        "drop" => Ok(Omission::Drop),
        "hash" if found.kind == Kind::Text => Ok(Omission::Hash),
        "hash" => refuse("it holds no single text that could be hashed; `drop` it"),
        _ => refuse("`drop` or `hash` is expected"),
    }
}

/// The column by which amendments are settled.
const AMENDED: &str = "amended_event_id";

fn size(key: &'static str, value: &str, least: ByteSize) -> Result<ByteSize, ConfigError> {
    let expected = "a size such as 64MiB or 4GiB is expected, for memory at least 64MiB";
    let found = value.parse::<ByteSize>().ok().filter(|size| *size >= least);
    found.ok_or_else(|| ConfigError::Value { key, value: value.to_owned(), expected })
}

/// Reads a share. Each of its numbers may be the name of a variable that holds it, as an image has no shell to put in the
/// index that AWS Batch, Kubernetes or Slurm gives to each job of an array.
fn shard(value: &str) -> Result<Option<Shard>, ConfigError> {
    if value.is_empty() {
        return Ok(None);
    }
    let expected = "a share such as 0/8, the first of eight, or 7/8, the last, is expected, in numbers or in names of \
                    environment variables that hold them";
    let numbers: Vec<String> = value.split('/').map(number_of_variable).collect();
    let parsed = numbers.join("/").parse();
    // One share of one is all.
    let share = |shard: Shard| Some(shard).filter(|shard| shard.count() > 1);
    parsed.map(share).map_err(|_| ConfigError::Value { key: "shard", value: value.to_owned(), expected })
}

/// Returns what the variable of this name holds, else the text itself.
#[expect(clippy::disallowed_methods, reason = "the user names the variable, so clap cannot")]
fn number_of_variable(text: &str) -> String {
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) { env::var(text).ok() } else { None }
        .unwrap_or_else(|| text.to_owned())
}

/// Returns the number of threads that is asked for; else one for each core, as far as memory reaches.
fn threads(value: &str, memory: ByteSize) -> Result<NonZeroUsize, ConfigError> {
    let expected = "a number of threads is expected, or 0 for one per core";
    let most = usize::try_from(memory.as_u64() / THREAD_MEMORY).unwrap_or(usize::MAX);
    match value.parse::<usize>().map(NonZeroUsize::new) {
        Ok(None) => Ok(NonZeroUsize::new(most).map_or(NonZeroUsize::MIN, |most| cores().min(most))),
        Ok(Some(threads)) if threads.get() > 4096 => {
            Err(ConfigError::Value { key: "threads", value: value.to_owned(), expected })
        }
        Ok(Some(threads)) if threads.get() > most => {
            let least = ByteSize(threads.get() as u64 * THREAD_MEMORY);
            Err(ConfigError::Memory { memory, threads, least })
        }
        Ok(Some(threads)) => Ok(threads),
        Err(_) => Err(ConfigError::Value { key: "threads", value: value.to_owned(), expected }),
    }
}

/// Takes what is said to this program before what is said to all; an empty text that is typed goes before both.
fn otlp_endpoint(typed: Option<&str>, filed: &str) -> Result<Option<Endpoint>, ConfigError> {
    let said = typed.or_else(|| Some(filed).filter(|filed| !filed.is_empty()));
    let (key, value) = match said {
        Some(value) => ("--otlp-endpoint", value.to_owned()),
        None => (STANDARD_ENDPOINT, standard(STANDARD_ENDPOINT)),
    };
    if value.is_empty() {
        return Ok(None);
    }
    let endpoint: Endpoint = value.parse().map_err(|source| ConfigError::Endpoint { key, source })?;
    let [of_metrics, of_all] = STANDARD_HEADERS;
    let key = if standard(of_metrics).is_empty() { of_all } else { of_metrics };
    endpoint.with_headers(&standard(key)).map(Some).map_err(|source| ConfigError::Endpoint { key, source })
}

/// The variable that names an endpoint to every program.
const STANDARD_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Those that name the headers of its requests to every program: of metrics, else of all. A command line, which all
/// can see, is no place for a vendor's key.
const STANDARD_HEADERS: [&str; 2] = ["OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"];

/// Reads what a variable says to every program; nothing where this one could not follow it.
#[expect(clippy::disallowed_methods, reason = "clap takes one variable for an argument, and that one is ours")]
fn standard(name: &str) -> String {
    if cfg!(feature = "otlp") { env::var(name).unwrap_or_default() } else { String::new() }
}

fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests;
