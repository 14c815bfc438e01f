//! A job: what Spark is to do, in one file that the lake writes and `join.py` reads.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;
use trailweave_correlate::RULES;
use trailweave_correlate::covered;
use trailweave_correlate::joined;
use trailweave_lake::Covered;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::Part;
use trailweave_lake::short_digest;
use trailweave_table::Kind;
use trailweave_table::Table;
use trailweave_table::{EVENTS, REMEMBERED, SESSIONS};

use crate::Product;
use crate::Step;
use crate::products;
use crate::steps;

/// The program that does a job, in Python.
pub const JOIN: &str = include_str!("../join.py");

/// Settings of a session, without which rows or their order would be others, or those of a default could be.
const SETTINGS: [(&str, &str); 12] = [
    // Else the dates of rows are those of the machine's zone.
    ("spark.sql.session.timeZone", "UTC"),
    // Spark 3.5 has another default, and answers null where 4 fails.
    ("spark.sql.ansi.enabled", "true"),
    // Else times are INT96, or lose their microseconds.
    ("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS"),
    // A time before 1900 is one, too.
    ("spark.sql.parquet.datetimeRebaseModeInRead", "CORRECTED"),
    ("spark.sql.parquet.datetimeRebaseModeInWrite", "CORRECTED"),
    ("spark.sql.parquet.compression.codec", "zstd"),
    ("spark.sql.sources.partitionOverwriteMode", "static"),
    // A date is one file.
    ("spark.sql.files.maxRecordsPerFile", "0"),
    // A file that is gone or damaged must end the job.
    ("spark.sql.files.ignoreMissingFiles", "false"),
    ("spark.sql.files.ignoreCorruptFiles", "false"),
    ("spark.sql.parser.escapedStringLiterals", "false"),
    // Many rows may have one key of a join, or none; what they do not share is worth a shuffle.
    ("spark.sql.adaptive.forceOptimizeSkewedJoin", "true"),
];

/// The work for Spark: statements, and the files that they read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its name, a digest of all else: the same events and rules are the same run.
    pub run: String,
    /// The version of the rules.
    pub rules: u32,
    /// The tables that the steps read.
    pub inputs: Vec<Input>,
    /// Settings of the session.
    pub settings: BTreeMap<String, String>,
    /// The steps in their order.
    pub steps: Vec<Step>,
    /// The products, which read the steps.
    pub products: Vec<Product>,
}

/// A table that the steps read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Its name.
    pub table: String,
    /// Its columns and their types.
    pub schema: String,
    /// The folder of the lake, as Spark names it.
    pub root: String,
    /// The sizes of its files by their paths below that.
    pub files: BTreeMap<PathBuf, u64>,
}

impl Job {
    /// Makes the job of all events of `lake`, which Spark finds at `root`.
    pub fn of(lake: &Lake, root: &str) -> Result<Self, LakeError> {
        // Its columns are those of `events`, so its files are read as such.
        let of_events = input(lake, root, [&EVENTS, &REMEMBERED])?;
        let inputs = vec![of_events, input(lake, root, [&SESSIONS])?];
        let settings = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let job = Self { run: String::new(), rules: RULES, inputs, settings, steps: steps(), products: products() };
        let digest = Sha256::digest([&job.text(), JOIN.as_bytes()].concat());
        Ok(Self { run: short_digest(&digest.into()), ..job })
    }

    /// Returns the content of its file.
    pub fn text(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("paths of a lake are text")
    }

    /// Counts the files that it reads.
    pub fn n_files(&self) -> usize {
        self.inputs.iter().map(|input| input.files.len()).sum()
    }

    /// Tells whether it reads the lake that Spark finds at `root`, and not one that this was copied from.
    pub fn is_of(&self, root: &str) -> bool {
        self.inputs.iter().all(|input| input.root == root)
    }

    /// Returns what the products cover that it makes, of the parts that there are now: parts may have been merged since.
    pub fn covers(&self, lake: &Lake) -> Result<Covered, LakeError> {
        let mut covers = self.read(lake);
        covers.follow(lake, &joined(lake)?)?;
        Ok(covers)
    }

    /// Returns the parts that it reads, whatever has become of them.
    fn read(&self, lake: &Lake) -> Covered {
        let files = self.inputs.iter().flat_map(|input| &input.files);
        let part = |(below, bytes): (&PathBuf, &u64)| {
            let path = lake.root().join(below);
            Part { event_date: None, path, bytes: *bytes }
        };
        Covered::of(lake, self.rules, &files.map(part).collect::<Vec<_>>())
    }

    /// Tells whether the products of the lake know all events already that it reads.
    pub fn is_known(&self, lake: &Lake) -> Result<bool, LakeError> {
        // By the parts as they were named then: once merged with later ones, they cannot be told apart.
        let noted = Covered::read(lake)?.filter(|it| it.rules == self.rules && it.has_all_of(&self.read(lake)));
        if noted.map(|it| it.has_its_products(lake)).transpose()? == Some(true) {
            return Ok(true);
        }
        let covers = self.covers(lake)?;
        Ok(covered(lake, &joined(lake)?)?.is_some_and(|it| it.has_all_of(&covers)))
    }

    /// Finds a part that it reads and that the lake holds no longer.
    pub fn gone(&self, lake: &Lake) -> Result<Option<PathBuf>, LakeError> {
        let covers = self.covers(lake)?;
        Ok(covers.gone(&Covered::of(lake, self.rules, &joined(lake)?)).next().map(PathBuf::from))
    }
}

/// Makes an input of the files of tables that have the columns of the first.
fn input<const N: usize>(lake: &Lake, root: &str, tables: [&Table; N]) -> Result<Input, LakeError> {
    let columns = tables[0].columns.iter().map(|column| format!("{} {}", column.name, kind(column.kind)));
    let mut files = BTreeMap::new();
    for table in tables {
        files.extend(lake.parts(table)?.into_iter().map(|part| (lake.below(&part.path).to_owned(), part.bytes)));
    }
    let (table, schema) = (tables[0].name.to_owned(), columns.collect::<Vec<_>>().join(", "));
    Ok(Input { table, schema, root: root.to_owned(), files })
}

/// Names a type as Spark does.
fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "STRING",
        Kind::Time => "TIMESTAMP",
        Kind::Bool => "BOOLEAN",
        Kind::Integer => "BIGINT",
        Kind::TextList => "ARRAY<STRING>",
        Kind::TextMap => "MAP<STRING, STRING>",
    }
}
