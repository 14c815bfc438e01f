//! The text of an object, of which little is held at a time.

use ring::digest;

use crate::error::DecodeError;
use crate::gunzip::{Members, Sha256, sha256_of};
use crate::split;
use crate::split::Broken;

/// The text of an object from some place on.
pub(super) struct Text<S> {
    members: Members<S>,
    /// The text that is held, and where in the object's text it begins.
    held: Vec<u8>,
    at: usize,
    /// The number of bytes of it that are passed.
    passed: usize,
    is_at_end: bool,
    /// Hashes all that is inflated, where that is asked for.
    hash: Option<digest::Context>,
}

/// Names that are looked for are shorter, even with escapes.
const MAX_NAME_BYTES: usize = 128;

/// The value at a place.
pub(super) enum Value {
    /// A value that takes so many bytes.
    Whole(usize),
    /// A value that is larger than it may be.
    Giant,
    /// A value that is incomplete, or none at all.
    Broken,
}

impl<S: AsRef<[u8]>> Text<S> {
    /// Begins a text of which about a piece and a half is held.
    pub(super) fn new(stored: S, cap_bytes: usize, piece_bytes: usize) -> Result<Self, DecodeError> {
        let held = Vec::with_capacity(piece_bytes + piece_bytes / 2);
        Ok(Self { members: Members::new(stored, cap_bytes)?, held, at: 0, passed: 0, is_at_end: false, hash: None })
    }

    /// Hashes the text from here on, which is its beginning.
    pub(super) fn hashed(self) -> Self {
        Self { hash: Some(digest::Context::new(&digest::SHA256)), ..self }
    }

    /// Returns the SHA-256 of a hashed text that is inflated to its end, if it is one member of gzip.
    pub(super) fn into_sha256(self) -> Option<Sha256> {
        let is_whole = self.is_at_end && self.members.n_members() == 1;
        self.hash.filter(|_| is_whole).map(|hash| sha256_of(hash.finish()))
    }

    /// Returns the position of the place in the object's text.
    pub(super) fn at(&self) -> usize {
        self.at + self.passed
    }

    /// Returns the text that is held from the place on.
    pub(super) fn rest(&self) -> &[u8] {
        &self.held[self.passed..]
    }

    /// Moves the place over so many bytes, which are held.
    pub(super) fn pass(&mut self, n_bytes: usize) {
        self.passed += n_bytes;
        assert!(self.passed <= self.held.len(), "what is passed is held");
    }

    /// Moves the place to another one behind it, or to the end.
    pub(super) fn pass_to(&mut self, at: usize) -> Result<(), DecodeError> {
        while self.at() < at {
            if self.rest().is_empty() && !self.more()? {
                return Ok(());
            }
            self.pass(self.rest().len().min(at - self.at()));
        }
        Ok(())
    }

    /// Holds more; false at the end of the text.
    pub(super) fn more(&mut self) -> Result<bool, DecodeError> {
        if self.is_at_end {
            return Ok(false);
        }
        self.held.drain(..self.passed);
        self.at += self.passed;
        self.passed = 0;
        let held_before = self.held.len();
        self.is_at_end = !self.members.more(&mut self.held)?;
        if let Some(hash) = &mut self.hash {
            hash.update(&self.held[held_before..]);
        }
        Ok(!self.is_at_end)
    }

    /// Holds at least so many bytes from the place on; false where the text ends before.
    pub(super) fn fill(&mut self, n_bytes: usize) -> Result<bool, DecodeError> {
        while self.rest().len() < n_bytes {
            if !self.more()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Passes over white space, and over byte order marks where they may stand; returns the byte that follows.
    pub(super) fn pass_space(&mut self, has_marks: bool) -> Result<Option<u8>, DecodeError> {
        loop {
            let skip = if has_marks { split::skip_space_and_marks } else { split::skip_space };
            // A mark is three bytes.
            self.fill(3)?;
            let n_bytes = skip(self.rest(), 0);
            self.pass(n_bytes);
            match self.rest().first() {
                Some(byte) if self.rest().len() >= 3 || self.is_at_end => return Ok(Some(*byte)),
                None if self.is_at_end => return Ok(None),
                _ => {}
            }
        }
    }

    /// Finds the end of the value that begins at the place, and holds it whole if it is not larger than `most_bytes`.
    pub(super) fn value(&mut self, step_bytes: usize, most_bytes: usize) -> Result<Value, DecodeError> {
        loop {
            let rest = self.rest();
            match split::value(rest, 0) {
                Ok(span) if span.end < rest.len() || self.is_at_end => return Ok(Value::Whole(span.end)),
                Ok(_) | Err(Broken::EndsEarly { .. }) if rest.len() > most_bytes => return Ok(Value::Giant),
                Ok(_) => {}
                Err(Broken::EndsEarly { .. }) if !self.is_at_end => {}
                Err(_) => return Ok(Value::Broken),
            }
            let n_bytes = rest.len() + step_bytes;
            self.fill(n_bytes)?;
        }
    }

    /// Passes over the container that begins at the place, however large; false where the text ends before it does, or
    /// where `is_wrapper` takes the name of a field of its own, escaped as logged.
    pub(super) fn pass_container(&mut self, is_wrapper: impl Fn(&[u8]) -> bool) -> Result<bool, DecodeError> {
        let (mut depth, mut is_in_string, mut is_escaped) = (0_usize, false, false);
        // The last string of the container's own level with its end, as far as a name may go.
        let mut name = Vec::new();
        loop {
            let mut n_bytes = 0;
            for byte in self.rest() {
                n_bytes += 1;
                if is_in_string && depth == 1 && name.len() < MAX_NAME_BYTES {
                    name.push(*byte);
                }
                match byte {
                    _ if is_escaped => is_escaped = false,
                    b'\\' if is_in_string => is_escaped = true,
                    b'"' => {
                        if !is_in_string && depth == 1 {
                            name.clear();
                        }
                        is_in_string = !is_in_string;
                    }
                    b':' if !is_in_string && depth == 1 && name.strip_suffix(b"\"").is_some_and(&is_wrapper) => {
                        return Ok(false);
                    }
                    b'{' | b'[' if !is_in_string => depth += 1,
                    b'}' | b']' if !is_in_string => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
            self.pass(n_bytes);
            if depth == 0 && n_bytes > 0 {
                return Ok(true);
            }
            if !self.more()? {
                return Ok(false);
            }
        }
    }
}
