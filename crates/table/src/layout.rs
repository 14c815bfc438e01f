//! The places of a table's files, and their names.

use std::ffi::OsStr;
use std::path::Path;

use crate::audit::AUDIT;
use crate::column::Table;

/// The folder of the lake's own state, which Athena, Spark and Hive do not see from above.
pub const STATE_DIR: &str = "_trailweave";

/// The partition column of every dated table: the UTC date, `YYYY-MM-DD`.
pub const DATE_PARTITION: &str = "event_date";

/// Returns the folder of a table inside the lake.
pub fn table_dir(table: &Table) -> String {
    if AUDIT.iter().any(|it| it.name == table.name) {
        format!("{STATE_DIR}/{}", table.name)
    } else {
        table.name.to_owned()
    }
}

/// Names the `n`-th part that a batch adds to a partition. The name derives from the batch alone, so a batch that
/// is written again replaces its own parts.
pub fn part_name(batch_id: &str, n: usize) -> String {
    format!("part-{batch_id}-{n}.parquet")
}

/// Names the file of a date in a table that the read arm replaces as a whole, by the digest of its bytes: a name is never
/// given to other bytes.
pub fn product_name(digest: &str) -> String {
    format!("part-{digest}.parquet")
}

/// Returns the batch that a part belongs to, of the name `part-<16 hexadecimal digits>-<n>.parquet`, or of that of such a
/// part which some rows have left; none for a part of several batches, and for other files.
pub fn batch_id(path: &Path) -> Option<&str> {
    batch_and_number(path).map(|(batch_id, _)| batch_id)
}

/// Takes the name of such a part apart: the batch, and the number of the part.
fn batch_and_number(path: &Path) -> Option<(&str, &str)> {
    let mut words = path.file_name()?.to_str()?.strip_prefix("part-")?.strip_suffix(".parquet")?.split('-');
    let (batch_id, n, digest) = (words.next()?, words.next()?, words.next());
    let is_number = n.bytes().all(|byte| byte.is_ascii_digit());
    let is_ours = is_digest(batch_id) && is_number && digest.is_none_or(is_digest) && words.next().is_none();
    is_ours.then_some((batch_id, n))
}

/// Names a part that is merged from others; `id` derives from these.
pub fn merged_part_name(id: &str) -> String {
    format!("compact-{id}-0.parquet")
}

/// Tells whether a part is merged from others.
pub fn is_merged(path: &Path) -> bool {
    path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("compact-"))
}

/// Names what is left of the part at `path` by the digest of its bytes. It still belongs to its batch, if it did to one.
pub fn settled_part_name(path: &Path, digest: &str) -> String {
    match batch_and_number(path) {
        Some((batch_id, n)) => format!("part-{batch_id}-{n}-{digest}.parquet"),
        None => merged_part_name(digest),
    }
}

fn is_digest(word: &str) -> bool {
    word.len() == 16 && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Returns the folder of a date inside a dated table.
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
        for name in [&*product_name(batch), "part-00ff-1.parquet", &merged_part_name(batch), "lake.json"] {
            assert_eq!(batch_id(Path::new(name)), None, "{name}");
        }
    }

    #[test]
    fn what_is_left_of_a_part_stays_with_its_batch() {
        let (batch, digest, other) = ("00ff00ff00ff00ff", "0123456789abcdef", "fedcba9876543210");
        let once = settled_part_name(Path::new(&part_name(batch, 12)), digest);
        assert_eq!(once, "part-00ff00ff00ff00ff-12-0123456789abcdef.parquet");
        assert_eq!(batch_id(Path::new(&once)), Some(batch));
        assert_eq!(settled_part_name(Path::new(&once), other), "part-00ff00ff00ff00ff-12-fedcba9876543210.parquet");
        assert_eq!(settled_part_name(Path::new(&merged_part_name(digest)), other), merged_part_name(other));
    }
}
