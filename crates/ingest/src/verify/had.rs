//! The log files that the sources hold.

use super::copies::Copies;
use crate::source::listing::Listing;

/// The log files that the sources hold, to be found by their URLs.
pub(super) struct HadLogs {
    pub(super) listing: Listing,
    /// The fingerprints of URLs, with the positions in the listing; sorted.
    positions: Vec<(u128, u32)>,
}

impl HadLogs {
    pub(super) fn new(listing: Listing, copies: &Copies) -> Self {
        let found = (0..).zip(listing.iter());
        let mut positions: Vec<_> =
            found.filter_map(|(at, object)| Some((copies.fingerprint(&object.source_object)?, at))).collect();
        positions.sort_unstable();
        Self { listing, positions }
    }

    /// Finds the position of the object with this URL.
    pub(super) fn position(&self, url: u128) -> Option<u32> {
        let at = self.positions.partition_point(|(other, _)| *other < url);
        self.positions.get(at).filter(|(other, _)| *other == url).map(|(_, position)| *position)
    }
}
