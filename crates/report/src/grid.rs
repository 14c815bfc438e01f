//! A table of the page: rows of cells, and the SQL that gives them.

use jiff::Timestamp;
use serde::Serialize;

/// A table with its SQL. The rows are those that the SQL gives, in its order.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Grid {
    /// The id of its element.
    pub(crate) id: String,
    /// The heads of its columns.
    pub(crate) heads: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<Cell>>,
    pub(crate) sql: String,
    /// The number of rows that a limit left out.
    pub(crate) left_out: usize,
}

/// A value, and how it is shown.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cell {
    pub(crate) kind: Shape,
    /// The value as SQL gives it; empty: null.
    pub(crate) value: String,
    /// The value as people read it.
    pub(crate) shown: String,
    /// The element of the page that says more.
    pub(crate) to: Option<String>,
}

/// The kinds of values, which are shown alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shape {
    Id,
    Number,
    Text,
    Time,
}

impl Cell {
    /// Shows an identifier, of an ARN only what tells it from others.
    pub(crate) fn id(value: Option<&str>) -> Self {
        let value = value.unwrap_or_default();
        Self { kind: Shape::Id, value: value.to_owned(), shown: short(value), to: None }
    }

    pub(crate) fn text(value: Option<&str>) -> Self {
        let value = value.unwrap_or_default();
        Self { kind: Shape::Text, value: value.to_owned(), shown: value.to_owned(), to: None }
    }

    pub(crate) fn number(value: u64) -> Self {
        Self { kind: Shape::Number, value: value.to_string(), shown: grouped(value), to: None }
    }

    pub(crate) fn time(time_us: Option<i64>) -> Self {
        let value = time_us.map(time).unwrap_or_default();
        let shown = value.replace('T', " ").trim_end_matches('Z').to_owned();
        Self { kind: Shape::Time, value, shown, to: None }
    }

    /// Leads to an element of the page, where there is one.
    pub(crate) fn leads_to(self, to: Option<String>) -> Self {
        Self { to, ..self }
    }
}

/// Writes a time in microseconds as RFC 3339.
pub(crate) fn time(time_us: i64) -> String {
    Timestamp::from_microsecond(time_us).map_or_else(|_| String::new(), |time| time.to_string())
}

/// Writes a number with a space between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// Shortens an ARN to what follows its service and region: the account, and the name in it.
pub(crate) fn short(text: &str) -> String {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _, "kms", region, account, name] => format!("{name} ({account}, {region})"),
        ["arn", _, _, _, account, name] if !account.is_empty() => format!("{name} ({account})"),
        ["arn", _, _, _, _, name] => (*name).to_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_is_short_and_any_other_text_is_whole() {
        assert_eq!(short("arn:aws:iam::111122223333:user/alice"), "user/alice (111122223333)");
        assert_eq!(short("i-0a"), "i-0a");
        assert_eq!(short("arn:aws:<b>"), "arn:aws:<b>");
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped).join(" "), "0 999 1\u{202f}000 1\u{202f}234\u{202f}567");
    }
}
