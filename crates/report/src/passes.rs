//! Passes over the parts of a table, of which some are read at once.

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use trailweave_lake::LakeError;

/// Reads parts, and puts what they hold together in their order.
pub(crate) fn read_all<P: Sync, T: Default + Send>(
    parts: &[P],
    read: impl Fn(&P) -> Result<T, LakeError> + Sync + Send,
    merge: impl Fn(&mut T, T),
) -> Result<T, LakeError> {
    let read = parts.par_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let mut all = T::default();
    for of_part in read {
        merge(&mut all, of_part);
    }
    Ok(all)
}
