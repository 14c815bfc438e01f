//! Numbers that tell what several processes name at the same time apart.

use std::hash::BuildHasher;
use std::hash::RandomState;

/// Makes a random number.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
