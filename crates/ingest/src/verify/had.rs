//! The log files that the sources hold.

use std::ops::Range;

use super::copies::Copies;
use crate::source::listing::{Listing, ObjectRef};

/// The log files that the sources hold, in the order of the fingerprints of their URLs.
#[derive(Default)]
pub(super) struct HadLogs {
    listing: Listing,
    urls: Vec<u128>,
    /// Where each stands in the listing.
    at: Vec<u32>,
}

impl HadLogs {
    pub(super) fn new(listing: Listing, copies: &Copies) -> Self {
        let found = (0..).zip(listing.iter());
        let mut found: Vec<(u128, u32)> =
            found.filter_map(|(at, object)| Some((copies.fingerprint(&object.source_object)?, at))).collect();
        found.sort_unstable();
        let (urls, at) = found.into_iter().unzip();
        Self { listing, urls, at }
    }

    /// Counts them.
    pub(super) fn len(&self) -> usize {
        self.urls.len()
    }

    /// Finds the positions of the objects with this URL, of which each source may have one.
    pub(super) fn positions(&self, url: u128) -> Range<u32> {
        let from = self.urls.partition_point(|other| *other < url);
        let n = self.urls[from..].iter().take_while(|other| **other == url).count();
        let position = |at: usize| u32::try_from(at).expect("positions in the listing are as small");
        position(from)..position(from + n)
    }

    /// Finds the position of the first of them.
    pub(super) fn position(&self, url: u128) -> Option<u32> {
        self.positions(url).next()
    }

    /// Returns the fingerprint of the URL of an object, by its position.
    pub(super) fn url(&self, position: u32) -> u128 {
        self.urls[position as usize]
    }

    /// Returns an object, by its position.
    pub(super) fn object(&self, position: u32) -> ObjectRef {
        self.listing.get(self.at[position as usize] as usize)
    }
}
