//! Care of the rows that the lake has: each kept once, amended rows removed, parts merged, leftovers removed, all of
//! it counted.

pub(crate) mod amendment;
pub(crate) mod compact;
pub(crate) mod coverage;
pub(crate) mod duplicates;
pub(crate) mod gc;
pub(crate) mod prune;
pub(crate) mod publish;
pub(crate) mod quarantine;
pub(crate) mod reconcile;
pub(crate) mod runs;
pub(crate) mod settle;
pub(crate) mod status;
