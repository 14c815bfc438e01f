//! The objects of the sources, listed before there is a lake.

use crate::IngestError;
use crate::IngestOptions;
use crate::Summary;
use crate::cpu::Cpu;
use crate::source::list::list;
use crate::source::listing::Listing;
use crate::source::s3::S3;

/// All that the sources hold, for the run that makes a lake of it.
#[derive(Debug)]
pub struct ListedSources(pub(crate) Listing);

impl ListedSources {
    /// Sums up a run that finds nothing of what is asked for; `None` where there is something.
    pub fn nothing_matched(&self, options: &IngestOptions) -> Option<Summary> {
        let listing = &self.0;
        if listing.gone + listing.left > 0 {
            return None;
        }
        let (mut span, mut passed) = (listing.beyond.clone(), None);
        for object in listing.iter() {
            if options.filter.takes(object.place.as_deref()) {
                return None;
            }
            if object.place != passed {
                object.place.iter().for_each(|place| span.note(place));
                passed = object.place;
            }
        }
        Some(Summary {
            nothing_matched: Some(span),
            objects_listed: listing.n_listed(),
            objects_filtered: listing.filtered + listing.len() as u64,
            objects_skipped: listing.skipped.objects(),
            skipped: listing.skipped.clone(),
            ..Summary::default()
        })
    }
}

/// Lists all that the sources hold.
pub async fn list_sources(options: &IngestOptions) -> Result<ListedSources, IngestError> {
    let cpu = Cpu::new(options.threads)?;
    Ok(ListedSources(list(&cpu, &S3::new(options.s3.clone()), options).await?))
}
