//! The findings about digests and log files, in the names that programs read.

use serde::{Serialize, Serializer};

use crate::time::rfc3339;

/// A finding about a digest, a log file, or a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The fault.
    pub kind: Kind,
    /// The object, or the folder, that it is about.
    pub uri: String,
    /// Its weight.
    pub severity: Severity,
    /// The time that it is about, where that is not the object's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// More words, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The weight of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something is not proven.
    Fail,
    /// It explains something, and nothing is wrong.
    Note,
}

/// A time from its first to its last instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Window {
    /// The first second, since 1970.
    #[serde(serialize_with = "time")]
    pub from: i64,
    /// The second after the last.
    #[serde(serialize_with = "time")]
    pub to: i64,
}

/// The kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The text of a log file is another one than its digest lists.
    LogChanged,
    /// A listed log file is not to be had.
    LogMissing,
    /// A listed log file is not gzip, or is damaged.
    LogBadGzip,
    /// More follows the gzip member of a log file.
    LogTrailingBytes,
    /// A log file that no digest lists, in a time of which all digests are there.
    LogUnlisted,
    /// A listed log file is to be had, and the lake does not hold it.
    LogNotIngested,
    /// A digest that its successor names is not to be had.
    DigestMissing,
    /// A digest lies elsewhere than it says.
    DigestMoved,
    /// The signature of a digest is not that of its text.
    DigestSignature,
    /// A digest has no signature.
    DigestNoSignature,
    /// No public key has the fingerprint that a digest names.
    DigestUnknownKey,
    /// The public key was not valid when the digest was signed.
    DigestKeyExpired,
    /// A digest cannot be read.
    DigestFormat,
    /// More follows the gzip member of a digest.
    DigestTrailingBytes,
    /// A digest names another hash of its predecessor than that has.
    DigestPreviousHash,
    /// A digest names another signature of its predecessor than that has.
    DigestPreviousSignature,
    /// A chain ends and another begins: the trail was stopped and started.
    ChainGap,
    /// A time that is asked for, or that has log files, has no digest.
    NotCovered,
    /// There is no digest at all.
    NoDigests,
    /// There is no public key at all.
    NoKeys,
}

impl Kind {
    /// Makes a finding of this kind that fails.
    pub fn fail(self, uri: impl Into<String>) -> Finding {
        Finding { kind: self, uri: uri.into(), severity: Severity::Fail, window: None, detail: None }
    }

    /// Makes a finding of this kind that explains.
    pub fn note(self, uri: impl Into<String>) -> Finding {
        Finding { severity: Severity::Note, ..self.fail(uri) }
    }

    /// Returns its name, such as `log-changed`.
    pub fn name(self) -> String {
        let name = serde_json::to_value(self).expect("a kind is a text");
        name.as_str().unwrap_or_default().to_owned()
    }

    /// Tells whether it shows that something is missing or was changed; else something is only not proven.
    pub fn is_harm(self) -> bool {
        !matches!(
            self,
            Self::DigestNoSignature
                | Self::DigestUnknownKey
                | Self::DigestKeyExpired
                | Self::ChainGap
                | Self::NotCovered
                | Self::NoDigests
                | Self::NoKeys
        )
    }
}

impl Finding {
    /// Says which time it is about.
    #[must_use]
    pub fn within(self, from: i64, to: i64) -> Self {
        Self { window: Some(Window { from, to }), ..self }
    }

    /// Says more.
    #[must_use]
    pub fn saying(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn time<S: Serializer>(secs: &i64, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&rfc3339(*secs))
}
