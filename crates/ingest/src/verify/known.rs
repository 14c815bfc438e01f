//! The hashes that the ledger has, by the URLs of objects.

use std::ops::Range;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use trailweave_decode::Sha256;
use trailweave_digest::from_hex;
use trailweave_lake::{Lake, LakeError, Part};
use trailweave_table::LEDGER;

use super::copies::Copies;
use super::verdict::LogVerdict;
use crate::ledger::{DONE, SHA256, VERDICT, read_columns};

const COLUMNS: [&str; 6] = ["source_object", "version", "status", "rows", SHA256, VERDICT];

/// The objects whose rows are in the lake; some 80 bytes each.
pub(super) struct Known(Vec<KnownObject>);

/// An object in a version.
#[derive(Clone, Copy)]
pub(super) struct KnownObject {
    /// The fingerprint of its URL.
    pub(super) url: u128,
    /// The fingerprint of its path or URL, and its version.
    pub(super) identity: u128,
    /// None where an earlier release read it, or it is not one member of gzip.
    pub(super) sha256: Option<Sha256>,
    /// True if an earlier verification found it valid.
    pub(super) is_valid: bool,
    /// True if rows of it are in the lake.
    pub(super) gave_rows: bool,
}

impl Known {
    /// Reads the ledger.
    pub(super) fn read(lake: &Lake, copies: &Copies) -> Result<Self, LakeError> {
        let mut known = Vec::new();
        for Part { path, .. } in lake.parts(&LEDGER)? {
            for rows in read_columns(lake, &path, &COLUMNS)? {
                each(&rows?, copies, |object| known.push(object));
            }
        }
        known.sort_unstable_by_key(|object| object.url);
        Ok(Self(known))
    }

    /// Returns the versions of an object whose rows are in the lake.
    pub(super) fn of(&self, url: u128) -> &[KnownObject] {
        &self.0[self.range(url)]
    }

    /// Tells whether the lake holds rows of another text that it read as this object.
    pub(super) fn has_other_rows(&self, url: u128, sha256: Sha256) -> bool {
        self.of(url).iter().any(|object| object.gave_rows && object.sha256.is_some_and(|read| read != sha256))
    }

    /// Finds the position of the first version that is meant.
    pub(super) fn position(&self, url: u128, is_meant: impl Fn(&KnownObject) -> bool) -> Option<u32> {
        let at = self.range(url).find(|at| is_meant(&self.0[*at]))?;
        u32::try_from(at).ok()
    }

    /// Returns the version at a position.
    pub(super) fn at(&self, position: u32) -> &KnownObject {
        &self.0[position as usize]
    }

    fn range(&self, url: u128) -> Range<usize> {
        let from = self.0.partition_point(|object| object.url < url);
        from..from + self.0[from..].partition_point(|object| object.url == url)
    }
}

fn each(rows: &RecordBatch, copies: &Copies, mut take: impl FnMut(KnownObject)) {
    let column = |name| rows.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let (Some(objects), Some(versions), Some(statuses)) = (column(COLUMNS[0]), column(COLUMNS[1]), column(COLUMNS[2]))
    else {
        return;
    };
    let n_rows = rows.column_by_name(COLUMNS[3]).and_then(|column| column.as_primitive_opt::<Int64Type>());
    // Ledgers of earlier releases lack them.
    let (hashes, verdicts) = (column(SHA256), column(VERDICT));
    for row in (0..rows.num_rows()).filter(|row| statuses.value(*row) == DONE) {
        let Some(url) = copies.fingerprint(objects.value(row)) else { continue };
        let sha256 = hashes.and_then(|hashes| from_hex(hashes.value(row))?.try_into().ok());
        let is_valid = verdicts.is_some_and(|verdicts| verdicts.value(row) == LogVerdict::Valid.name());
        let gave_rows = n_rows.is_some_and(|n_rows| n_rows.value(row) > 0);
        let identity = copies.identity(objects.value(row), versions.value(row));
        take(KnownObject { url, identity, sha256, is_valid, gave_rows });
    }
}
