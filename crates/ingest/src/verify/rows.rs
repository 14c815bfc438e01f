//! Rows of the table `digests`.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use trailweave_digest::DigestName;
use trailweave_lake::{Lake, LakeError, read};
use trailweave_table::{DIGESTS, ms_of_time, time_of_ms};

/// The verdict about a digest that can be trusted.
pub(super) const VALID: &str = "valid";
/// The verdict about a digest that is not there.
pub(super) const DIGEST_MISSING: &str = "digest-missing";
/// The chain of a digest whose links do not hold.
pub(super) const BROKEN: &str = "broken";

/// A digest with its verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DigestRow {
    pub(crate) digest: String,
    pub(crate) aws_account_id: String,
    pub(crate) aws_region: String,
    pub(crate) trail_name: String,
    pub(crate) home_region: String,
    /// In seconds since 1970.
    pub(crate) digest_start_time: i64,
    pub(crate) digest_end_time: i64,
    pub(crate) is_backfill: bool,
    pub(crate) verdict: String,
    /// Empty: nothing is known of it.
    pub(crate) chain: String,
    pub(crate) log_files: i64,
    pub(crate) valid: i64,
    pub(crate) changed: i64,
    pub(crate) missing: i64,
    pub(crate) not_ingested: i64,
    pub(crate) faults: Vec<String>,
    pub(crate) version: String,
    pub(crate) previous_digest: String,
    pub(crate) listed: String,
}

impl DigestRow {
    pub(super) fn new(uri: String, name: &DigestName, start: i64, end: i64) -> Self {
        Self {
            digest: uri,
            aws_account_id: name.account().to_owned(),
            aws_region: name.region().to_owned(),
            trail_name: name.trail().to_owned(),
            home_region: name.home_region().to_owned(),
            digest_start_time: start,
            digest_end_time: end,
            is_backfill: name.is_backfill,
            ..Self::default()
        }
    }

    /// Returns what the rows of the table are sorted by.
    pub(super) fn order(&self) -> (&str, &str, i64, &str) {
        (&self.aws_account_id, &self.aws_region, self.digest_end_time, &self.digest)
    }

    /// Tells whether all that was delivered in its window is in the lake, unchanged.
    pub(crate) fn is_proven(&self) -> bool {
        self.verdict == VALID && self.valid == self.log_files
    }
}

/// Reads a file of the table, row by row.
pub(crate) fn read_rows(lake: &Lake, path: &Path, mut take: impl FnMut(DigestRow)) -> Result<(), LakeError> {
    let file = lake.open_part(path)?;
    let names = DIGESTS.columns.iter().map(|column| column.name);
    let batches = read::columns(file, names).and_then(read::Reader::build);
    for rows in batches.map_err(LakeError::parquet(path))? {
        let damaged = |source| LakeError::Damaged { path: path.into(), source: Box::new(source) };
        let rows = rows.and_then(|rows| read::filled(&DIGESTS, &rows)).map_err(damaged)?;
        (0..rows.num_rows()).for_each(|row| take(row_of(&rows, row)));
    }
    Ok(())
}

fn row_of(rows: &RecordBatch, row: usize) -> DigestRow {
    let column = |name| rows.column(DIGESTS.position(name));
    let text = |name| column(name).as_string::<i32>().value(row).to_owned();
    let number = |name| column(name).as_primitive::<Int64Type>().value(row);
    let time = |name| ms_of_time(column(name).as_primitive::<TimestampMicrosecondType>().value(row)).div_euclid(1_000);
    let faults = column("faults").as_list::<i32>().value(row);
    DigestRow {
        digest: text("digest"),
        aws_account_id: text("aws_account_id"),
        aws_region: text("aws_region"),
        trail_name: text("trail_name"),
        home_region: text("home_region"),
        digest_start_time: time("digest_start_time"),
        digest_end_time: time("digest_end_time"),
        is_backfill: column("is_backfill").as_boolean().value(row),
        verdict: text("verdict"),
        chain: text("chain"),
        log_files: number("log_files"),
        valid: number("valid"),
        changed: number("changed"),
        missing: number("missing"),
        not_ingested: number("not_ingested"),
        faults: faults.as_string::<i32>().iter().flatten().map(str::to_owned).collect(),
        version: text("version"),
        previous_digest: text("previous_digest"),
        listed: text("listed"),
    }
}

/// Makes a batch of rows.
pub(super) fn batch(rows: &[DigestRow]) -> RecordBatch {
    let text = |value: fn(&DigestRow) -> &str| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(value(row)).filter(|text| !text.is_empty())).collect::<StringArray>())
    };
    let number =
        |value: fn(&DigestRow) -> i64| -> ArrayRef { Arc::new(rows.iter().map(value).collect::<Int64Array>()) };
    let time = |value: fn(&DigestRow) -> i64| -> ArrayRef {
        let times = rows.iter().map(|row| Some(time_of_ms(value(row) * 1_000)));
        Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let faults = || -> ArrayRef {
        let DataType::List(element) = DIGESTS.data_type(&DIGESTS.columns[DIGESTS.position("faults")]) else {
            unreachable!("the column holds lists")
        };
        let mut lists = ListBuilder::new(StringBuilder::new()).with_field(element);
        for row in rows {
            for uri in &row.faults {
                lists.values().append_value(uri);
            }
            lists.append(!row.faults.is_empty());
        }
        Arc::new(lists.finish())
    };
    let columns = DIGESTS.columns.iter().map(|column| match column.name {
        "digest" => text(|row| &row.digest),
        "aws_account_id" => text(|row| &row.aws_account_id),
        "aws_region" => text(|row| &row.aws_region),
        "trail_name" => text(|row| &row.trail_name),
        "home_region" => text(|row| &row.home_region),
        "digest_start_time" => time(|row| row.digest_start_time),
        "digest_end_time" => time(|row| row.digest_end_time),
        "is_backfill" => Arc::new(BooleanArray::from(rows.iter().map(|row| row.is_backfill).collect::<Vec<_>>())),
        "verdict" => text(|row| &row.verdict),
        "chain" => text(|row| &row.chain),
        "log_files" => number(|row| row.log_files),
        "valid" => number(|row| row.valid),
        "changed" => number(|row| row.changed),
        "missing" => number(|row| row.missing),
        "not_ingested" => number(|row| row.not_ingested),
        "faults" => faults(),
        "version" => text(|row| &row.version),
        "previous_digest" => text(|row| &row.previous_digest),
        "listed" => text(|row| &row.listed),
        other => unreachable!("the table `digests` has a column `{other}` that nobody fills"),
    });
    RecordBatch::try_new(DIGESTS.schema(), columns.collect()).expect("every column has the table's type and a row each")
}
