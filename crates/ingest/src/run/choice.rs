//! The choice of what a run reads.

use std::mem;
use std::sync::Arc;

use trailweave_decode::Selection;

use crate::IngestError;
use crate::IngestOptions;
use crate::Retry;
use crate::kept_days::KeptDays;
use crate::ledger::Known;
use crate::ledger::Ledger;
use crate::source::listing::Listing;
use crate::source::skipped::{SkipReason, Skipped};

/// The new objects of a listing, sorted.
pub(crate) struct Chosen {
    pub(crate) objects: Listing,
    /// The number of objects that the ledger knows.
    pub(crate) known: u64,
    /// True if the sources hold anything that is asked for, whoever reads it.
    pub(crate) is_matched: bool,
}

/// Takes the objects out of a listing that the options ask for and the ledger does not know.
pub(crate) fn choose(
    mut listing: Listing,
    ledger: &Ledger,
    options: &IngestOptions,
    selection: Selection,
    kept: KeptDays,
) -> Result<Chosen, IngestError> {
    let (mut known, mut filtered, mut not_to_share) = (0, 0, None);
    let mut is_matched = listing.gone + listing.left > 0;
    let (mut beyond, mut passed) = (mem::take(&mut listing.beyond), None);
    let mut pruned = Skipped::default();
    listing.retain(|object| {
        let state = ledger.knows(object);
        if !options.filter.takes(object.place.as_deref()) {
            // An object that was read for an unfinished plan is counted there.
            filtered += u64::from(state != Known::Fresh);
            if let Some(place) = object.place.as_ref().filter(|place| passed.as_ref() != Some(*place)) {
                beyond.note(place);
                passed = Some(Arc::clone(place));
            }
            return false;
        }
        is_matched = true;
        match (options.shard, &object.place) {
            (Some(shard), Some(place)) if !shard.takes(place, selection) => {
                filtered += 1;
                return false;
            }
            (Some(_), None) => not_to_share = Some(object.source_object.clone()),
            _ => {}
        }
        let is_kept = kept.has_place(object.place.as_deref());
        match state {
            Known::New if !is_kept => pruned.add_object(SkipReason::Pruned, &object.source_object),
            Known::New => return true,
            Known::Quarantined(times) if options.retry != Retry::None && is_kept => {
                object.attempt = times;
                return true;
            }
            Known::Dismissed(times) if options.retry == Retry::All && is_kept => {
                object.attempt = times;
                return true;
            }
            Known::Done if options.again && is_kept => {
                object.attempt = ledger.n_attempts(object);
                return true;
            }
            Known::Done | Known::Quarantined(_) | Known::Dismissed(_) => known += 1,
            Known::Fresh => {}
        }
        false
    });
    if let Some(source_object) = not_to_share {
        return Err(IngestError::NotToShare { source_object });
    }
    listing.filtered += filtered;
    listing.beyond = beyond;
    listing.skipped.extend(pruned);
    listing.sort();
    Ok(Chosen { objects: listing, known, is_matched })
}
