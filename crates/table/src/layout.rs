//! Where the files of a table stand.

use crate::audit::LEDGER;
use crate::column::Table;

/// The folder of the lake's own state, which Athena, Spark and Hive do not see from above.
pub const STATE_DIR: &str = "_trailweave";

/// The partition column of every dated table: the UTC date, `YYYY-MM-DD`.
pub const DATE_PARTITION: &str = "event_date";

/// The one file of a date in a table that the read arm replaces as a whole.
pub const PRODUCT_FILE: &str = "part-0.parquet";

/// Returns the folder of a table inside the lake.
pub fn table_dir(table: &Table) -> String {
    if table.name == LEDGER.name { format!("{STATE_DIR}/{}", table.name) } else { table.name.to_owned() }
}

/// The name of the `n`-th part that a batch adds to a partition. It derives from the batch alone, so a batch that
/// is written again replaces its own parts.
pub fn part_name(batch_id: &str, n: usize) -> String {
    format!("part-{batch_id}-{n}.parquet")
}

/// The folder of a date inside a dated table.
pub fn partition_dir(event_date: &str) -> String {
    format!("{DATE_PARTITION}={event_date}")
}
