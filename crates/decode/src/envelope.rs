//! Takes records out of whatever they were delivered in.

use crate::error::DecodeError;
use crate::normalise;
use crate::split;
use crate::split::{Broken, Field, Span};

/// Wrappers inside wrappers are opened this deep; no delivery needs more than two.
const MAX_WRAPPERS: usize = 4;

/// The bytes that were found where a record should be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawRecord<'a> {
    /// The bytes as logged.
    pub(crate) raw: &'a [u8],
    /// Its nesting, the record itself included.
    pub(crate) depth: usize,
    /// Its fields, none if it is not an object; `None`: its structure is broken.
    pub(crate) fields: Option<&'a [Field]>,
    /// The account that the wrapper says it was delivered to, for records that do not say so themselves.
    pub(crate) account: Option<&'a str>,
}

/// A value, looked into as far as needed to know whether it is a record.
enum Contents {
    Records(Vec<Span>),
    /// Events of CloudWatch Logs, each with a record as the text `message`.
    LogEvents(Vec<Span>),
    Detail(Span),
    Text(Span),
    Object,
    Other,
}

/// Finds the records of inflated objects; keeps its buffers.
#[derive(Debug, Default)]
pub(crate) struct Envelope {
    fields: Vec<Field>,
    /// The account of the event of `EventBridge` that is open.
    account: Option<String>,
}

impl Envelope {
    /// Calls `each` for every record of `bytes`, in logged order.
    pub(crate) fn records(&mut self, bytes: &[u8], each: &mut impl FnMut(RawRecord<'_>)) -> Result<(), DecodeError> {
        match split::documents(bytes)?.as_slice() {
            [] => Err(DecodeError::NotAnEnvelope),
            [only] => self.only_document(bytes, *only, each),
            several => {
                if !several.iter().any(|document| self.is_delivered(document.of(bytes))) {
                    return Err(DecodeError::NotAnEnvelope);
                }
                for document in several {
                    self.document(document.of(bytes), document.depth, each);
                }
                Ok(())
            }
        }
    }

    /// Calls `each` for what `raw` holds, an element of an object's `Records`.
    ///
    /// Needs: `raw` is one container.
    pub(crate) fn record(&mut self, raw: &[u8], each: &mut impl FnMut(RawRecord<'_>)) {
        if let Ok([record]) = split::documents(raw).as_deref() {
            self.element(raw, record.depth, MAX_WRAPPERS - 1, each);
        }
    }

    fn only_document(
        &mut self,
        bytes: &[u8],
        span: Span,
        each: &mut impl FnMut(RawRecord<'_>),
    ) -> Result<(), DecodeError> {
        let document = span.of(bytes);
        let opened = self.open_document(document).map_err(|broken| shifted(broken, span.start))?;
        if !self.is_wrapper_or_event(document, &opened) {
            return Err(DecodeError::NotAnEnvelope);
        }
        self.unwrap(document, span.depth, opened, MAX_WRAPPERS, each);
        Ok(())
    }

    /// Tells whether a document is a wrapper or an event. Needs: `self.fields` are its fields.
    fn is_wrapper_or_event(&mut self, document: &[u8], opened: &Contents) -> bool {
        match opened {
            Contents::Object => self.fields.iter().any(|field| is_event_key(field.key.of(document))),
            Contents::Text(_) if document[0] == b'"' => self.is_event_text(document),
            Contents::Other => false,
            Contents::Records(_) | Contents::LogEvents(_) | Contents::Detail(_) | Contents::Text(_) => true,
        }
    }

    /// Tells whether a JSON string holds an event.
    fn is_event_text(&mut self, string: &[u8]) -> bool {
        let text = unescaped(string);
        let documents = split::documents(text.as_bytes());
        let Ok([event]) = documents.as_deref() else {
            return false;
        };
        let event = event.of(text.as_bytes());
        split::fields(event, &mut self.fields).is_ok()
            && self.fields.iter().any(|field| is_event_key(field.key.of(event)))
    }

    /// Tells whether one document of several is something that CloudTrail delivers. Any text falls into documents,
    /// which are its words; some of them may be in brackets.
    pub(crate) fn is_delivered(&mut self, document: &[u8]) -> bool {
        match self.open_document(document) {
            Ok(Contents::Records(elements)) if document[0] == b'[' => {
                elements.iter().any(|element| holds_object(element.of(document)))
            }
            Ok(opened) => self.is_wrapper_or_event(document, &opened),
            Err(_) => false,
        }
    }

    /// Calls `each` for what a document of several holds.
    pub(crate) fn document(&mut self, document: &[u8], depth: usize, each: &mut impl FnMut(RawRecord<'_>)) {
        match self.open_document(document) {
            Ok(opened) => self.unwrap(document, depth, opened, MAX_WRAPPERS, each),
            Err(_) => each(RawRecord { raw: document, depth, fields: None, account: None }),
        }
    }

    /// Opens a document. Only a whole one may be a bare array of records: an array among records is not a record.
    fn open_document(&mut self, document: &[u8]) -> Result<Contents, Broken> {
        match document[0] {
            b'[' => split::elements(document).map(Contents::Records),
            _ => self.open(document, MAX_WRAPPERS),
        }
    }

    /// Leaves the fields of an object in `self.fields`.
    fn open(&mut self, value: &[u8], wrappers_left: usize) -> Result<Contents, Broken> {
        self.fields.clear();
        match value[0] {
            b'{' => {}
            b'"' if wrappers_left > 0 && holds_object(value) => {
                return Ok(Contents::Text(Span { start: 0, end: value.len(), depth: 0 }));
            }
            _ => return Ok(Contents::Other),
        }
        split::fields(value, &mut self.fields)?;
        if wrappers_left == 0 {
            return Ok(Contents::Object);
        }
        wrapper(value, &self.fields)
    }

    fn element(&mut self, value: &[u8], depth: usize, wrappers_left: usize, each: &mut impl FnMut(RawRecord<'_>)) {
        match self.open(value, wrappers_left) {
            Ok(opened) => self.unwrap(value, depth, opened, wrappers_left, each),
            Err(_) => each(RawRecord { raw: value, depth, fields: None, account: None }),
        }
    }

    /// Unwraps a value, and gives its records to `each`. Needs: `self.fields` are its fields.
    fn unwrap(
        &mut self,
        value: &[u8],
        depth: usize,
        opened: Contents,
        wrappers_left: usize,
        each: &mut impl FnMut(RawRecord<'_>),
    ) {
        match opened {
            Contents::Object | Contents::Other => each(self.found(value, depth)),
            Contents::Records(spans) => {
                for span in spans {
                    self.element(span.of(value), span.depth, wrappers_left - 1, each);
                }
            }
            Contents::LogEvents(spans) => {
                for span in spans {
                    self.log_event(span.of(value), span.depth, each);
                }
            }
            Contents::Detail(span) => {
                self.account = last(value, &self.fields, b"account", b'"').map(|span| unescaped(span.of(value)));
                self.element(span.of(value), span.depth, 0, each);
                self.account = None;
            }
            Contents::Text(span) => self.text(value, depth, span, 0, each),
        }
    }

    /// Returns a value as a record. Needs: `self.fields` are its fields.
    fn found<'a>(&'a self, raw: &'a [u8], depth: usize) -> RawRecord<'a> {
        let account = self.account.as_deref().filter(|account| normalise::is_account(account));
        RawRecord { raw, depth, fields: Some(&self.fields), account }
    }

    /// Calls `each` for the record that an event of CloudWatch Logs holds, or for what stands in its place.
    fn log_event(&mut self, value: &[u8], depth: usize, each: &mut impl FnMut(RawRecord<'_>)) {
        match self.open(value, 0) {
            Ok(Contents::Object) => match last(value, &self.fields, b"message", b'"') {
                // EventBridge writes its events to log groups, too.
                Some(message) => self.text(value, depth, message, 1, each),
                None => each(self.found(value, depth)),
            },
            Ok(_) => each(self.found(value, depth)),
            Err(_) => each(RawRecord { raw: value, depth, fields: None, account: None }),
        }
    }

    /// Returns a record that was delivered as a JSON string.
    fn text(
        &mut self,
        value: &[u8],
        depth: usize,
        span: Span,
        wrappers_left: usize,
        each: &mut impl FnMut(RawRecord<'_>),
    ) {
        let text = unescaped(span.of(value));
        match split::documents(text.as_bytes()).as_deref() {
            Ok([record]) => self.element(record.of(text.as_bytes()), record.depth, wrappers_left, each),
            _ => each(RawRecord { raw: value, depth, fields: None, account: None }),
        }
    }
}

/// Finds what an object wraps, if it is a wrapper. Keys may stand anywhere among others.
fn wrapper(object: &[u8], fields: &[Field]) -> Result<Contents, Broken> {
    if let Some(records) = arrays(object, fields, b"Records")? {
        return Ok(Contents::Records(records));
    }
    let is_bridged = fields.iter().any(|field| is_key(field.key.of(object), b"detail-type"));
    if let Some(detail) = last(object, fields, b"detail", b'{').filter(|_| is_bridged) {
        return Ok(Contents::Detail(detail));
    }
    if let Some(events) = arrays(object, fields, b"Events")? {
        return Ok(Contents::Records(events));
    }
    if let Some(events) = arrays(object, fields, b"logEvents")? {
        // With such a message CloudWatch Logs only tries whether its destination can be reached.
        let is_control =
            last(object, fields, b"messageType", b'"').is_some_and(|kind| is_key(kind.of(object), b"CONTROL_MESSAGE"));
        return Ok(if is_control { Contents::Records(Vec::new()) } else { Contents::LogEvents(events) });
    }
    Ok(last(object, fields, b"CloudTrailEvent", b'"').map_or(Contents::Object, Contents::Text))
}

/// Finds the value of the last field of this name, if it begins with this byte.
fn last(object: &[u8], fields: &[Field], key: &[u8], first_byte: u8) -> Option<Span> {
    let found = fields.iter().rev().find(|field| is_key(field.key.of(object), key))?;
    (object[found.value.start] == first_byte).then_some(found.value)
}

/// Tells whether a value is an object, or a string that begins as one, such as a `CloudTrailEvent` taken out of its
/// event.
fn holds_object(value: &[u8]) -> bool {
    match value {
        [b'{', ..] => true,
        [b'"', text @ ..] => text.get(split::skip_space(text, 0)) == Some(&b'{'),
        _ => false,
    }
}

/// Returns the content of a JSON string; empty where it is broken.
fn unescaped(string: &[u8]) -> String {
    serde_json::from_slice(string).unwrap_or_default()
}

/// Tells whether a field of this name, escaped as logged and without its quotes, may make a wrapper of its object.
pub(crate) fn may_wrap(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 7] =
        [b"Records", b"detail", b"detail-type", b"Events", b"logEvents", b"CloudTrailEvent", b"message"];
    // A name with an escape may be any.
    name.contains(&b'\\') || NAMES.contains(&name)
}

/// Returns the elements of every array under `key`, so that a key that is there twice loses nothing.
fn arrays(object: &[u8], fields: &[Field], key: &[u8]) -> Result<Option<Vec<Span>>, Broken> {
    let mut found = None;
    for Field { key: span, value } in fields {
        if object[value.start] != b'[' || !is_key(span.of(object), key) {
            continue;
        }
        let elements = split::elements(value.of(object)).map_err(|broken| shifted(broken, value.start))?;
        let moved = |span: Span| Span { start: span.start + value.start, end: span.end + value.start, ..span };
        found.get_or_insert_with(Vec::new).extend(elements.into_iter().map(moved));
    }
    Ok(found)
}

fn is_event_key(raw: &[u8]) -> bool {
    [&b"eventVersion"[..], b"eventName", b"eventSource", b"eventTime"].into_iter().any(|key| is_key(raw, key))
}

/// Tells whether a name or another string `raw`, with quotes and escapes as logged, reads `key`.
fn is_key(raw: &[u8], key: &[u8]) -> bool {
    let inner = &raw[1..raw.len() - 1];
    inner == key
        || inner.contains(&b'\\')
            && serde_json::from_slice::<String>(raw).is_ok_and(|unescaped| unescaped.as_bytes() == key)
}

fn shifted(broken: Broken, by: usize) -> Broken {
    match broken {
        Broken::EndsEarly { offset } => Broken::EndsEarly { offset: offset + by },
        Broken::Malformed { offset } => Broken::Malformed { offset: offset + by },
        Broken::TooMany { limit } => Broken::TooMany { limit },
    }
}
