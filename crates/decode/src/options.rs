//! The options of a decoder.

use std::fmt;
use std::str::FromStr;

/// The options of decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeOptions {
    /// An object that inflates past this is refused.
    pub cap_bytes: usize,
    /// The records that become rows.
    pub selection: Selection,
    /// True if the SHA-256 of what an object inflates to is returned.
    pub sha256: bool,
}

/// The choice of the records that become rows of `events`. The rejects do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Selection {
    /// Those that the join can use, and those that change a key or issue credentials.
    #[default]
    Relevant,
    /// Every record but Insights and aggregated events, which tell of many calls.
    All,
}

/// A name that is not a [`Selection`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither `relevant` nor `all`")]
pub struct UnknownSelection(pub String);

impl Default for DecodeOptions {
    fn default() -> Self {
        Self { cap_bytes: 2 << 30, selection: Selection::default(), sha256: true }
    }
}

impl FromStr for Selection {
    type Err = UnknownSelection;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "relevant" => Ok(Self::Relevant),
            "all" => Ok(Self::All),
            _ => Err(UnknownSelection(name.to_owned())),
        }
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Relevant => "relevant",
            Self::All => "all",
        })
    }
}
