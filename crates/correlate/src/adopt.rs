//! Products that another engine computed: their rows become the lake's as those of [`crate::correlate()`] do.

use std::num::NonZeroUsize;

use arrow::array::RecordBatch;
use trailweave_lake::Covered;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_table::Table;

use crate::CorrelateError;
use crate::Scope;
use crate::Summary;
use crate::pool::pool;
use crate::replacement::DateFile;
use crate::replacement::Replacement;
use crate::summary;

/// The rows of a product on a day, of which there is at least one, in the order of the table.
pub struct Made<R> {
    /// The product.
    pub table: &'static Table,
    /// The day, counted from 1970-01-01.
    pub day: i32,
    /// The rows.
    pub rows: R,
}

impl<R> std::fmt::Debug for Made<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Made").field("table", &self.table.name).field("day", &self.day).finish_non_exhaustive()
    }
}

/// Replaces all products of `lake` by rows that were made of the parts that `covers` names, together, so that a kill
/// leaves the old products or the new ones. Where a row is an error, all stays as it is. The files are the same bytes as
/// those that the join in memory writes of the same rows.
///
/// Needs: the lake's lock, held by the caller.
pub fn adopt<R, E>(
    lake: &Lake,
    covers: Covered,
    made: impl IntoIterator<Item = Result<Made<R>, E>>,
    threads: NonZeroUsize,
) -> Result<Summary, E>
where
    R: Iterator<Item = Result<RecordBatch, E>>,
    E: From<CorrelateError> + From<LakeError> + Send,
{
    let products = Replacement::of_nothing(lake)?;
    for made in made {
        let Made { table, day, rows } = made?;
        if !products.keeps(table, day) {
            continue;
        }
        let mut file = DateFile::create(&products, table, day)?;
        for rows in rows {
            file.write(&rows?)?;
        }
        file.commit()?;
    }
    let files = products.commit(covers)?;
    Ok(pool(threads)?.install(|| summary::read(lake, Scope::Whole, files, 1))?)
}

/// Counts what stands in the lake, whose products cover already what was asked for.
pub fn standing(lake: &Lake, threads: NonZeroUsize) -> Result<Summary, CorrelateError> {
    pool(threads)?.install(|| summary::read(lake, Scope::New, 0, 0))
}
