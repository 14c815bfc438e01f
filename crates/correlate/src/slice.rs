//! One slice of time, joined with what it reaches among earlier events.

use std::num::NonZeroUsize;
use std::ops::Range;

use trailweave_lake::read::Ask;
use trailweave_table::CORRELATED;

use crate::CorrelateError;
use crate::events::Batch;
use crate::linked::Linked;
use crate::parts::{Parts, look_up};
use crate::products;
use crate::reach::Reach;
use crate::replaced;
use crate::replacement::Replacement;
use crate::rows::Rows;
use crate::rules::Join;
use crate::wanted::Wanted;

/// Joins a slice with what it reaches; nothing if they do not fit.
pub(crate) fn join<'l>(
    products: &Replacement<'l>,
    parts: &mut Parts<'l>,
    slice: Range<i64>,
    n_writers: NonZeroUsize,
) -> Result<Option<()>, CorrelateError> {
    let Some(batches) = parts.begin(slice)? else { return Ok(None) };
    if batches.is_empty() {
        return Ok(Some(()));
    }
    let mut rows = Rows::default();
    if parts.until() > i64::MIN {
        let (wanted, linked) = (Wanted::default(), Linked::default());
        let mut follow = Follow { products, parts, n_writers, n_new: batches.len(), wanted, linked };
        return follow.join(rows, &batches);
    }
    rows.add(&batches);
    let join = Join::new(&rows);
    products::write(products, n_writers, &rows, &join, None)?;
    Ok(Some(()))
}

/// A slice that is followed among earlier events.
struct Follow<'f, 'l> {
    products: &'f Replacement<'l>,
    parts: &'f mut Parts<'l>,
    n_writers: NonZeroUsize,
    /// The batches of the slice, which are the first.
    n_new: usize,
    wanted: Wanted,
    linked: Linked,
}

impl Follow<'_, '_> {
    /// Joins `rows` with those of more batches, and with what they reach.
    fn join<'a>(&mut self, mut rows: Rows<'a>, batches: &'a [Batch]) -> Result<Option<()>, CorrelateError> {
        rows.add(batches);
        let n_new = self.n_new;
        let is_new = |row| rows.batch(row) < n_new;
        let reach = Reach::new(&rows, is_new, &self.linked);
        reach.want(is_new, self.parts.until(), &mut self.wanted);
        let n_linked = self.linked.len();
        let Some(found) = self.find()? else { return Ok(None) };
        if !found.is_empty() || self.linked.len() > n_linked {
            drop(reach);
            return self.join(rows, &found);
        }
        let replaced = replaced::of(reach, is_new, self.products)?;
        let join = Join::new(&rows);
        products::write(self.products, self.n_writers, &rows, &join, Some(&replaced))?;
        Ok(Some(()))
    }

    /// Reads what is wanted, and the KMS events that `correlated` links to wanted causes and callers.
    fn find(&mut self) -> Result<Option<Vec<Batch>>, CorrelateError> {
        let Self { products, parts, wanted, linked, .. } = self;
        if wanted.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let asks = [
            Ask::all("ec2_event_id", &wanted.causes),
            Ask::all("launch_event_id", &wanted.causes),
            Ask::all("caller_instance_id", &wanted.callers),
        ];
        let found = look_up(products, &CORRELATED, ["kms_event_id", "kms_source_object"], &asks)?;
        linked.extend(found.values);
        let found = parts.find(&wanted.asks(linked))?;
        wanted.were_asked();
        Ok(found)
    }
}
