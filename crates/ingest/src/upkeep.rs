//! Care of the lake between runs: parts merged, days removed, what is of no use found and removed, tables published, all of
//! it counted.

pub(crate) mod compact;
pub(crate) mod coverage;
pub(crate) mod gc;
pub(crate) mod prune;
pub(crate) mod publish;
pub(crate) mod reconcile;
pub(crate) mod runs;
pub(crate) mod status;
