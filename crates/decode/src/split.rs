//! Finds the borders of documents, elements and fields without parsing what is inside them.
//!
//! A container ends where its depth returns to zero, whichever brackets did it; strings hide brackets. So a record
//! whose content is broken still has borders, as long as its brackets balance and its strings end.

use memchr::memchr2;

use crate::error::DecodeError;

/// No more of the elements of an array, or of the documents of an object, are held at once; a large object's are cut
/// before.
const MAX_ELEMENTS: usize = 1 << 18;
/// An object of more fields is not a record, nor around one.
pub(crate) const MAX_FIELDS: usize = 1 << 16;

/// A JSON value's place in the bytes that were split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Nesting of containers: 0 for a scalar, 1 for `{}`.
    pub(crate) depth: usize,
}

/// A member of an object: its key, quotes included, and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) key: Span,
    pub(crate) value: Span,
}

/// The place and the way in which the structure breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    EndsEarly {
        offset: usize,
    },
    Malformed {
        offset: usize,
    },
    /// More elements or fields than are held at once.
    TooMany {
        limit: usize,
    },
}

impl Span {
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start..self.end]
    }
}

impl From<Broken> for DecodeError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::EndsEarly { offset } => Self::JsonEndsEarly { offset },
            Broken::Malformed { offset } => Self::JsonBroken { offset },
            Broken::TooMany { limit } => Self::TooMany { limit },
        }
    }
}

/// Returns the documents of a whole object: values with white space, byte order marks or nothing between them.
pub(crate) fn documents(bytes: &[u8]) -> Result<Vec<Span>, Broken> {
    let mut found = Vec::new();
    let mut at = skip_space_and_marks(bytes, 0);
    while at < bytes.len() {
        let document = value(bytes, at)?;
        at = skip_space_and_marks(bytes, document.end);
        push(&mut found, document, MAX_ELEMENTS)?;
    }
    Ok(found)
}

/// Returns the elements of an array that is all of `array`.
pub(crate) fn elements(array: &[u8]) -> Result<Vec<Span>, Broken> {
    let mut found = Vec::new();
    let mut at = skip_space(array, 1);
    if array.get(at) == Some(&b']') {
        return at_end(array, at).map(|()| found);
    }
    loop {
        let element = value(array, at)?;
        push(&mut found, element, MAX_ELEMENTS)?;
        at = skip_space(array, element.end);
        match array.get(at) {
            Some(b',') => at = skip_space(array, at + 1),
            Some(b']') => return at_end(array, at).map(|()| found),
            _ => return Err(Broken::Malformed { offset: at }),
        }
    }
}

/// Replaces `found` by the fields of an object that is all of `object`.
pub(crate) fn fields(object: &[u8], found: &mut Vec<Field>) -> Result<(), Broken> {
    found.clear();
    let mut at = skip_space(object, 1);
    if object.get(at) == Some(&b'}') {
        return at_end(object, at);
    }
    loop {
        if object.get(at) != Some(&b'"') {
            return Err(Broken::Malformed { offset: at });
        }
        let key = value(object, at)?;
        at = skip_space(object, key.end);
        if object.get(at) != Some(&b':') {
            return Err(Broken::Malformed { offset: at });
        }
        let value = value(object, skip_space(object, at + 1))?;
        push(found, Field { key, value }, MAX_FIELDS)?;
        at = skip_space(object, value.end);
        match object.get(at) {
            Some(b',') => at = skip_space(object, at + 1),
            Some(b'}') => return at_end(object, at),
            _ => return Err(Broken::Malformed { offset: at }),
        }
    }
}

fn push<T>(found: &mut Vec<T>, next: T, limit: usize) -> Result<(), Broken> {
    if found.len() == limit {
        return Err(Broken::TooMany { limit });
    }
    found.push(next);
    Ok(())
}

/// Refuses a closing bracket that is not the last byte: brackets of the wrong kind balanced.
fn at_end(container: &[u8], at: usize) -> Result<(), Broken> {
    if at + 1 == container.len() { Ok(()) } else { Err(Broken::Malformed { offset: at }) }
}

/// Returns the value that begins at `start`.
pub(crate) fn value(bytes: &[u8], start: usize) -> Result<Span, Broken> {
    match bytes.get(start) {
        None => Err(Broken::EndsEarly { offset: start }),
        Some(b'"') => Ok(Span { start, end: string_end(bytes, start)?, depth: 0 }),
        Some(b'{' | b'[') => container(bytes, start),
        Some(_) => {
            let end = scalar_end(bytes, start);
            if end > start { Ok(Span { start, end, depth: 0 }) } else { Err(Broken::Malformed { offset: start }) }
        }
    }
}

fn container(bytes: &[u8], start: usize) -> Result<Span, Broken> {
    let mut open = 0_usize;
    let mut depth = 0;
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at)?;
                continue;
            }
            b'{' | b'[' => {
                open += 1;
                depth = depth.max(open);
            }
            b'}' | b']' => {
                open -= 1;
                if open == 0 {
                    return Ok(Span { start, end: at + 1, depth });
                }
            }
            _ => {}
        }
        at += 1;
    }
    Err(Broken::EndsEarly { offset: bytes.len() })
}

/// Returns where the string that begins at `start` ends.
fn string_end(bytes: &[u8], start: usize) -> Result<usize, Broken> {
    let mut at = start + 1;
    while let Some(next) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += next;
        if bytes[at] == b'"' {
            return Ok(at + 1);
        }
        at += 2;
    }
    Err(Broken::EndsEarly { offset: bytes.len() })
}

fn scalar_end(bytes: &[u8], start: usize) -> usize {
    let is_border =
        |byte: &u8| matches!(byte, b',' | b':' | b'"' | b'[' | b']' | b'{' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
    bytes[start..].iter().position(is_border).map_or(bytes.len(), |length| start + length)
}

pub(crate) fn skip_space(bytes: &[u8], start: usize) -> usize {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let mut at = start;
    while bytes.get(at).is_some_and(is_space) {
        at += 1;
    }
    at
}

/// Skips white space and byte order marks, which stand where a file of several was concatenated.
pub(crate) fn skip_space_and_marks(bytes: &[u8], start: usize) -> usize {
    let mut at = skip_space(bytes, start);
    while bytes[at..].starts_with(b"\xef\xbb\xbf") {
        at = skip_space(bytes, at + 3);
    }
    at
}
