//! Lakes of given events, and the products that the join makes of them.

use std::num::NonZeroUsize;

use arrow::array::RecordBatch;
use trailweave_correlate::Correlate;
use trailweave_correlate::Progress;
use trailweave_correlate::Scope;
use trailweave_correlate::correlate;
use trailweave_lake::Lake;
use trailweave_oracle::Products;
use trailweave_oracle::deliver;
use trailweave_oracle::files;
use trailweave_oracle::products;

use crate::duckdb::assert_duckdb_agrees;

/// Every product.
pub(crate) const OPTIONS: Correlate =
    Correlate { memory_bytes: 256 << 20, threads: NonZeroUsize::new(2).unwrap(), scope: Scope::Whole };

/// The ways to join, which make the same bytes.
const WAYS: [Correlate; 1] = [OPTIONS];

/// The products of `deliveries`, each of which becomes files of its own. All ways to join make the same bytes, and
/// DuckDB the same rows of `correlated`.
pub(crate) fn products_of_join(deliveries: &[RecordBatch]) -> Products {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), Some("all")).unwrap();
    for (at, delivery) in deliveries.iter().enumerate() {
        deliver(&lake, at, delivery);
    }
    let mut made = WAYS.into_iter().map(|options| {
        correlate(&lake, &options, &Progress::default()).unwrap();
        files(&lake)
    });
    let first = made.next().unwrap();
    assert!(made.all(|files| files == first), "two ways to join make other bytes");
    assert_duckdb_agrees(folder.path());
    products(&lake)
}
