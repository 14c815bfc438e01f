//! Where the files of a table stand.

/// The partition column of every dated table: the UTC date, `YYYY-MM-DD`.
pub const DATE_PARTITION: &str = "event_date";

/// The one file of a date in a table that the read arm replaces as a whole.
pub const PRODUCT_FILE: &str = "part-0.parquet";

/// The name of the `n`-th part that a batch adds to a partition. It derives from the batch alone, so a batch that
/// is written again replaces its own parts.
pub fn part_name(batch_id: &str, n: usize) -> String {
    format!("part-{batch_id}-{n}.parquet")
}

/// The folder of a date inside a dated table.
pub fn partition_dir(event_date: &str) -> String {
    format!("{DATE_PARTITION}={event_date}")
}
