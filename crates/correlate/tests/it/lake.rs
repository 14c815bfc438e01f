//! Lakes of given events, and the products that the join makes of them.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use arrow::array::RecordBatch;
use tempfile::TempDir;
use trailweave_correlate::CorrelateOptions;
use trailweave_correlate::Progress;
use trailweave_correlate::Scope;
use trailweave_correlate::correlate;
use trailweave_lake::Lake;
use trailweave_oracle::Products;
use trailweave_oracle::deliver;
use trailweave_oracle::differences;
use trailweave_oracle::files;
use trailweave_oracle::products;

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
/// bytes in a lake of either choice of events.
pub(crate) fn products_of_join(deliveries: &[RecordBatch]) -> Products {
    let [(of_relevant, _), (of_all, all)] =
        [("relevant", &SLICES[..]), ("all", &SLICES[..1])].map(|(events, slices)| made(events, deliveries, slices));
    assert!(of_relevant == of_all, "sessions make other bytes than their events");
    products(&Lake::open_or_create(all.path(), None).unwrap())
}

/// Says how the products of a lake differ from those that all events at once make.
fn other_rows(lake: &Lake) -> String {
    let found = products(lake);
    correlate(lake, &OPTIONS, &Progress::default()).unwrap();
    differences(&found, &products(lake))
}

/// Makes the products of `deliveries` in slices of several sizes; returns their files by path below the lake.
fn made(events: &str, deliveries: &[RecordBatch], slices: &[usize]) -> (Vec<(PathBuf, Vec<u8>)>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), Some(events)).unwrap();
    for (at, delivery) in deliveries.iter().enumerate() {
        deliver(&lake, at, delivery);
    }
    let n_events: usize = deliveries.iter().map(RecordBatch::num_rows).sum();
    let mut made = slices.iter().map(|n_slices| {
        let slice_rows = NonZeroUsize::new(n_events.div_ceil(*n_slices));
        correlate(&lake, &CorrelateOptions { slice_rows, ..OPTIONS }, &Progress::default()).unwrap();
        (n_slices, files(&lake))
    });
    let (_, whole) = made.next().unwrap();
    for (n_slices, folded) in made {
        assert!(folded == whole, "{n_slices} slices make other bytes than one; {}", other_rows(&lake));
    }
    let below = |(path, content): (PathBuf, Vec<u8>)| (lake.below(&path).to_owned(), content);
    (whole.into_iter().map(below).collect(), folder)
}
