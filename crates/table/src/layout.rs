//! Where the files of a table stand, and their names.

use std::path::Path;

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

/// Returns the batch that a part belongs to, of the name `part-<16 hexadecimal digits>-<n>.parquet`; none for a part of
/// several batches, and for other files.
pub fn batch_id(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    let (batch_id, n) = name.strip_prefix("part-")?.strip_suffix(".parquet")?.split_once('-')?;
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_ours = batch_id.len() == 16 && batch_id.bytes().all(is_hex) && n.bytes().all(|byte| byte.is_ascii_digit());
    is_ours.then_some(batch_id)
}

/// Names a part that is merged from others; `id` derives from these.
pub fn merged_part_name(id: &str) -> String {
    format!("compact-{id}-0.parquet")
}

/// The folder of a date inside a dated table.
pub fn partition_dir(event_date: &str) -> String {
    format!("{DATE_PARTITION}={event_date}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_ingest_gives_belong_to_a_batch() {
        let batch = "00ff00ff00ff00ff";
        assert_eq!(batch_id(&Path::new("x").join(part_name(batch, 12))), Some(batch));
        for name in [PRODUCT_FILE, "part-00ff-1.parquet", &merged_part_name(batch), "lake.json"] {
            assert_eq!(batch_id(Path::new(name)), None, "{name}");
        }
    }
}
