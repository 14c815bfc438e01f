//! The text of a signature.

use std::borrow::Cow;

use crate::hex::{from_hex, to_hex};

/// A signature in hexadecimal, as it was written: its successor signs this text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signature {
    /// The bytes of one in lower case, as `CloudTrail` writes it, in half the memory.
    Bytes(Box<[u8]>),
    /// Any other text.
    Text(Box<str>),
}

impl Signature {
    pub(crate) fn new(text: &str) -> Self {
        match from_hex(text) {
            Some(bytes) if !text.bytes().any(|byte| byte.is_ascii_uppercase()) => Self::Bytes(bytes.into()),
            _ => Self::Text(text.into()),
        }
    }

    /// Returns it as it was written.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Bytes(bytes) => to_hex(bytes).into(),
            Self::Text(text) => (&**text).into(),
        }
    }

    /// Returns its bytes, if it is hexadecimal.
    pub(crate) fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Bytes(bytes) => Some((&**bytes).into()),
            Self::Text(text) => from_hex(text).map(Into::into),
        }
    }

    /// Tells whether it is the same but for upper and lower case.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(one), Self::Bytes(another)) => one == another,
            _ => self.text().eq_ignore_ascii_case(&other.text()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_keeps_its_text_and_is_the_same_in_upper_case() {
        for (text, bytes) in [("00ff", Some(vec![0, 255])), ("00FF", Some(vec![0, 255])), ("0", None), ("xy", None)] {
            let signature = Signature::new(text);
            assert_eq!((&*signature.text(), signature.bytes().map(Cow::into_owned)), (text, bytes));
            assert!(signature.is_same(&Signature::new(&text.to_ascii_uppercase())));
            assert!(!signature.is_same(&Signature::new("00fe")));
        }
    }
}
