//! Splits text by brackets, commas and colons, and opens wrappers, by the rules as they are told.

use crate::error::DecodeError;

/// An element that stands where a record should.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) raw: Vec<u8>,
    /// True if its own fields could be told apart.
    pub(super) is_intact: bool,
    /// The account of the event of `EventBridge` that it stands in.
    pub(super) account: Option<String>,
}

/// The structure is not that of JSON.
#[derive(Debug, Clone, Copy)]
struct Broken;

/// A key and a value as logged.
type Field<'a> = (&'a [u8], &'a [u8]);

pub(super) fn records(text: &[u8]) -> Result<Vec<Item>, DecodeError> {
    let documents = documents(text)?;
    let mut found = Vec::new();
    if let [only] = documents.as_slice()
        && !is_envelope(only)?
    {
        return Err(DecodeError::NotAnEnvelope);
    }
    if documents.len() != 1 && !documents.iter().any(|document| is_delivered(document)) {
        return Err(DecodeError::NotAnEnvelope);
    }
    for each in documents {
        document(each, &mut found);
    }
    Ok(found)
}

/// Counts how deep brackets nest.
pub(super) fn depth(value: &[u8]) -> usize {
    let mut deepest = 0_usize;
    let mut depth = 0_usize;
    for (byte, is_bare) in bare(value) {
        match byte {
            b'{' | b'[' if is_bare => depth += 1,
            b'}' | b']' if is_bare => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn documents(text: &[u8]) -> Result<Vec<&[u8]>, DecodeError> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = trim(rest);
        while let Some(after) = rest.strip_prefix("\u{feff}".as_bytes()) {
            rest = trim(after);
        }
        match rest.first() {
            None => return Ok(found),
            Some(b',' | b':' | b'}' | b']') => return Err(DecodeError::JsonBroken { offset: 0 }),
            Some(_) => {}
        }
        let end = value_end(rest).ok_or(DecodeError::JsonEndsEarly { offset: 0 })?;
        found.push(&rest[..end]);
        rest = &rest[end..];
    }
}

/// Tells whether a document that stands alone is something that CloudTrail delivers.
fn is_envelope(document: &[u8]) -> Result<bool, DecodeError> {
    let broken = |_| DecodeError::JsonBroken { offset: 0 };
    if document[0] == b'[' {
        return elements(document).map(|_| true).map_err(broken);
    }
    if document[0] == b'"' {
        let text = object_text(document).unwrap_or_default();
        let documents = documents(text.as_bytes());
        let Ok([event]) = documents.as_deref() else {
            return Ok(false);
        };
        return Ok(fields(event).is_ok_and(|fields| is_event(&fields)));
    }
    if document[0] != b'{' {
        return Ok(false);
    }
    let fields = fields(document).map_err(broken)?;
    let is_wrapper = wrapped(&fields).map_err(broken)?.is_some();
    Ok(is_event(&fields) || is_wrapper)
}

fn is_event(fields: &[Field<'_>]) -> bool {
    ["eventVersion", "eventName", "eventSource", "eventTime"].iter().any(|key| has(fields, key))
}

/// Returns the content of a string that begins as an object does.
fn object_text(value: &[u8]) -> Option<String> {
    let inner = value.strip_prefix(b"\"")?;
    trim(inner).first().filter(|first| **first == b'{')?;
    Some(serde_json::from_slice::<String>(value).unwrap_or_default())
}

/// Tells whether one document of several is something that CloudTrail delivers; a bare array must hold an object.
fn is_delivered(document: &[u8]) -> bool {
    match elements(document) {
        Ok(elements) => elements.iter().any(|element| element[0] == b'{' || object_text(element).is_some()),
        Err(Broken) => is_envelope(document).unwrap_or(false),
    }
}

fn document(document: &[u8], found: &mut Vec<Item>) {
    if document[0] != b'[' {
        return open(document, 4, found);
    }
    match elements(document) {
        Ok(elements) => elements.into_iter().for_each(|element| open(element, 3, found)),
        Err(Broken) => found.push(Item { raw: document.to_vec(), is_intact: false, account: None }),
    }
}

/// Finds the records in `value`, which may be a wrapper as long as `wrappers_left` allows.
fn open(value: &[u8], wrappers_left: usize, found: &mut Vec<Item>) {
    let item = |is_intact| Item { raw: value.to_vec(), is_intact, account: None };
    if let Some(text) = object_text(value).filter(|_| wrappers_left > 0) {
        return open_text(&text, value, 0, found);
    }
    if value[0] != b'{' {
        return found.push(item(true));
    }
    let Ok(fields) = fields(value) else {
        return found.push(item(false));
    };
    let wrapped = if wrappers_left == 0 { Ok(None) } else { wrapped(&fields) };
    match wrapped {
        Ok(None) => found.push(item(true)),
        Ok(Some(Wrapped::Elements(elements))) => {
            for element in elements {
                open(element, wrappers_left - 1, found);
            }
        }
        Ok(Some(Wrapped::Object(detail))) => {
            let before = found.len();
            open(detail, 0, found);
            let account = last(&fields, "account").and_then(|account| serde_json::from_slice::<String>(account).ok());
            for item in &mut found[before..] {
                item.account = account.clone().filter(|id| id.len() == 12 && id.chars().all(|c| c.is_ascii_digit()));
            }
        }
        Ok(Some(Wrapped::LogEvents(events))) => {
            for event in events {
                log_event(event, found);
            }
        }
        Ok(Some(Wrapped::Text(text))) => {
            open_text(&serde_json::from_slice::<String>(text).unwrap_or_default(), value, 0, found);
        }
        Err(Broken) => found.push(item(false)),
    }
}

/// Finds the record that `text`, which stands for `value`, holds.
fn open_text(text: &str, value: &[u8], wrappers_left: usize, found: &mut Vec<Item>) {
    match documents(text.as_bytes()).as_deref() {
        Ok([only]) => open(only, wrappers_left, found),
        _ => found.push(Item { raw: value.to_vec(), is_intact: false, account: None }),
    }
}

fn log_event(event: &[u8], found: &mut Vec<Item>) {
    let message = fields(event).ok().and_then(|fields| last(&fields, "message"));
    match message.filter(|message| message[0] == b'"') {
        Some(message) => open_text(&serde_json::from_slice::<String>(message).unwrap_or_default(), event, 1, found),
        None => open(event, 0, found),
    }
}

enum Wrapped<'a> {
    Elements(Vec<&'a [u8]>),
    LogEvents(Vec<&'a [u8]>),
    Object(&'a [u8]),
    Text(&'a [u8]),
}

fn wrapped<'a>(fields: &[Field<'a>]) -> Result<Option<Wrapped<'a>>, Broken> {
    if let Some(records) = arrays(fields, "Records")? {
        return Ok(Some(Wrapped::Elements(records)));
    }
    match last(fields, "detail") {
        Some(detail) if detail[0] == b'{' && has(fields, "detail-type") => return Ok(Some(Wrapped::Object(detail))),
        _ => {}
    }
    if let Some(events) = arrays(fields, "Events")? {
        return Ok(Some(Wrapped::Elements(events)));
    }
    if let Some(events) = arrays(fields, "logEvents")? {
        let is_control = last(fields, "messageType").is_some_and(|kind| reads(kind, "CONTROL_MESSAGE"));
        return Ok(Some(Wrapped::LogEvents(if is_control { Vec::new() } else { events })));
    }
    Ok(last(fields, "CloudTrailEvent").filter(|text| text[0] == b'"').map(Wrapped::Text))
}

fn arrays<'a>(fields: &[Field<'a>], name: &str) -> Result<Option<Vec<&'a [u8]>>, Broken> {
    let arrays = fields.iter().filter(|(key, value)| reads(key, name) && value[0] == b'[');
    let arrays = arrays.map(|(_, value)| elements(value)).collect::<Result<Vec<_>, _>>()?;
    Ok(if arrays.is_empty() { None } else { Some(arrays.concat()) })
}

fn last<'a>(fields: &[Field<'a>], name: &str) -> Option<&'a [u8]> {
    fields.iter().rev().find(|(key, _)| reads(key, name)).map(|(_, value)| *value)
}

fn has(fields: &[Field<'_>], name: &str) -> bool {
    last(fields, name).is_some()
}

fn reads(key: &[u8], name: &str) -> bool {
    serde_json::from_slice::<String>(key).is_ok_and(|key| key == name)
}

fn elements(array: &[u8]) -> Result<Vec<&[u8]>, Broken> {
    let inner = array.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).ok_or(Broken)?;
    parts(inner).into_iter().map(only_value).collect()
}

/// Returns the fields of an object.
pub(super) fn raw_fields(object: &str) -> Option<Vec<(&str, &str)>> {
    let fields = fields(object.as_bytes()).ok()?;
    let text = |bytes| std::str::from_utf8(bytes).expect("cut at ASCII");
    Some(fields.into_iter().map(|(key, value)| (text(key), text(value))).collect())
}

fn fields(object: &[u8]) -> Result<Vec<Field<'_>>, Broken> {
    let inner = object.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).ok_or(Broken)?;
    parts(inner).into_iter().map(field).collect()
}

fn field(part: &[u8]) -> Result<Field<'_>, Broken> {
    let part = trim(part);
    if part.first() != Some(&b'"') {
        return Err(Broken);
    }
    let (key, rest) = part.split_at(value_end(part).ok_or(Broken)?);
    let value = trim(rest).strip_prefix(b":").ok_or(Broken)?;
    Ok((key, only_value(value)?))
}

/// Splits a text at the commas outside all brackets and strings; into nothing at all if there is but white space.
fn parts(inner: &[u8]) -> Vec<&[u8]> {
    if trim(inner).is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    for (at, (byte, is_bare)) in bare(inner).into_iter().enumerate() {
        match byte {
            b'{' | b'[' if is_bare => depth += 1,
            b'}' | b']' if is_bare => depth -= 1,
            b',' if is_bare && depth == 0 => {
                found.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&inner[start..]);
    found
}

/// Returns `part`, if it is one value and nothing else but white space.
fn only_value(part: &[u8]) -> Result<&[u8], Broken> {
    let part = trim(part);
    if part.is_empty() || value_end(part) != Some(part.len()) { Err(Broken) } else { Ok(part) }
}

/// Returns where the value at the beginning of `text` ends; `None`: not before the text does.
fn value_end(text: &[u8]) -> Option<usize> {
    let first = *text.first()?;
    if !matches!(first, b'"' | b'{' | b'[') {
        let border = text.iter().position(|byte| b",:\"[]{} \t\n\r".contains(byte));
        return Some(border.unwrap_or(text.len()));
    }
    let mut depth = 0_usize;
    for (at, (byte, is_bare)) in bare(text).into_iter().enumerate() {
        match byte {
            b'{' | b'[' if is_bare => depth += 1,
            b'}' | b']' if is_bare => depth -= 1,
            b'"' if is_bare && at > 0 => {}
            _ => continue,
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

/// Returns every byte, with whether it is outside strings; quotes that open or close a string are.
fn bare(text: &[u8]) -> Vec<(u8, bool)> {
    let mut is_inside = false;
    let mut is_escaped = false;
    let mut marked = Vec::with_capacity(text.len());
    for &byte in text {
        if is_escaped {
            is_escaped = false;
            marked.push((byte, false));
        } else if is_inside && byte == b'\\' {
            is_escaped = true;
            marked.push((byte, false));
        } else if byte == b'"' {
            is_inside = !is_inside;
            marked.push((byte, true));
        } else {
            marked.push((byte, !is_inside));
        }
    }
    marked
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] | [rest @ .., b' ' | b'\t' | b'\n' | b'\r'] = text {
        text = rest;
    }
    text
}
