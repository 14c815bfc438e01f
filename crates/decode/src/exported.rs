//! Payloads that are JSON as text, as some exports of CloudTrail write them.
//!
//! CloudTrail logs `"requestParameters":{"keyId":".."}`. Tables of text columns, and log shippers that fill them, hold
//! `"requestParameters":"{\"keyId\":\"..\"}"` instead.

use crate::parser::MAX_DEPTH;
use crate::split;
use crate::split::Field;

/// Fields that CloudTrail logs as objects or arrays, and that columns are made of.
const PAYLOADS: [&[u8]; 7] = [
    b"\"addendum\"",
    b"\"additionalEventData\"",
    b"\"requestParameters\"",
    b"\"resources\"",
    b"\"responseElements\"",
    b"\"serviceEventDetails\"",
    b"\"userIdentity\"",
];

/// Writes a record anew with the values that its payloads hold as text; none where none does. `is_json` tells whether a
/// text can be parsed.
/// Needs: `fields` divides `record`.
pub(crate) fn with_payloads(record: &str, fields: &[Field], mut is_json: impl FnMut(&str) -> bool) -> Option<String> {
    let mut payloads = Vec::new();
    for (position, field) in fields.iter().enumerate() {
        let text = text(record, field).filter(|text| is_payload(text) && is_json(text));
        payloads.extend(text.map(|text| (position, text)));
    }
    if payloads.is_empty() {
        return None;
    }
    let mut payloads = payloads.into_iter().peekable();
    let mut written = String::with_capacity(record.len());
    for (position, field) in fields.iter().enumerate() {
        written.push(if position == 0 { '{' } else { ',' });
        written.push_str(&record[field.key.start..field.key.end]);
        written.push(':');
        match payloads.next_if(|(at, _)| *at == position) {
            Some((_, value)) => written.push_str(&value),
            None => written.push_str(&record[field.value.start..field.value.end]),
        }
    }
    written.push('}');
    Some(written)
}

/// Returns the content of a payload that is a text and may be JSON.
fn text(record: &str, field: &Field) -> Option<String> {
    // Few of a record's strings begin so.
    let [b'"', b'{' | b'[' | b'n' | b' ' | b'\\', ..] = field.value.of(record.as_bytes()) else {
        return None;
    };
    let value = &record[field.value.start..field.value.end];
    let is_payload = PAYLOADS.contains(&field.key.of(record.as_bytes()));
    if is_payload { serde_json::from_str(value).ok() } else { None }
}

/// Tells whether a text has the shape of a JSON object, array or null that a record may hold.
fn is_payload(text: &str) -> bool {
    let start = split::skip_space(text.as_bytes(), 0);
    let is_shaped = matches!(text.as_bytes().get(start), Some(b'{' | b'[')) || text.trim_ascii() == "null";
    let depth = || split::documents(text.as_bytes()).ok()?.first().map(|document| document.depth);
    is_shaped && depth().is_some_and(|depth| depth < MAX_DEPTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(record: &str) -> Option<String> {
        let mut fields = Vec::new();
        split::fields(record.as_bytes(), &mut fields).unwrap();
        with_payloads(record, &fields, |text| serde_json::from_str::<serde_json::Value>(text).is_ok())
    }

    #[test]
    fn a_payload_that_is_json_as_text_is_read_as_that() {
        let record =
            r#"{"a":"{}", "requestParameters" : "{\"keyId\":\"x\"}","responseElements":"null","resources":" [1]"}"#;
        let expected = r#"{"a":"{}","requestParameters":{"keyId":"x"},"responseElements":null,"resources": [1]}"#;
        assert_eq!(written(record).as_deref(), Some(expected));
    }

    #[test]
    fn any_other_text_stays_as_it_is() {
        for value in [r#""""#, r#""no JSON""#, r#""{""#, r#""{} {}""#, r#""[1e999]""#, r#""nullable""#, r#""\"{}\"""#] {
            assert_eq!(written(&format!(r#"{{"requestParameters":{value}}}"#)), None, "{value}");
        }
        let deep = |depth: usize| format!(r#"{{"resources":"{}{}"}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(written(&deep(MAX_DEPTH - 1)).is_some());
        assert_eq!(written(&deep(MAX_DEPTH)), None);
    }
}
