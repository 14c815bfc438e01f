//! Lakes of given events, and the products that the join makes of them.

use std::num::NonZeroUsize;

use arrow::array::RecordBatch;
use trailweave_correlate::CorrelateOptions;
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
pub(crate) const OPTIONS: CorrelateOptions = CorrelateOptions {
    memory_bytes: 256 << 20,
    threads: NonZeroUsize::new(2).unwrap(),
    slice_rows: None,
    scope: Scope::Whole,
    give_back: || (),
};

/// Into how many slices the events are cut in turn, which all make the same bytes.
const SLICES: [usize; 4] = [1, 2, 5, 17];

/// The products of `deliveries`, each of which becomes files of its own. Slices of any size make the same
/// bytes, and DuckDB the same rows of `correlated`.
pub(crate) fn products_of_join(deliveries: &[RecordBatch]) -> Products {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), Some("all")).unwrap();
    for (at, delivery) in deliveries.iter().enumerate() {
        deliver(&lake, at, delivery);
    }
    let n_events: usize = deliveries.iter().map(RecordBatch::num_rows).sum();
    let mut made = SLICES.into_iter().map(|n_slices| {
        let slice_rows = NonZeroUsize::new(n_events.div_ceil(n_slices));
        correlate(&lake, &CorrelateOptions { slice_rows, ..OPTIONS }, &Progress::default()).unwrap();
        (n_slices, files(&lake))
    });
    let (_, whole) = made.next().unwrap();
    for (n_slices, folded) in made {
        assert!(folded == whole, "{n_slices} slices make other bytes than one");
    }
    assert_duckdb_agrees(folder.path());
    products(&lake)
}
