//! A look at a record without parsing it, which tells those that surely are not rows.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use memchr::memchr;

use crate::options::Selection;
use crate::ordinary::OrdinaryRecord;
use crate::relevant;
use crate::split;

/// The next step with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Glance {
    /// It is a record without interest: it has all that a row must have, and the selection leaves it out.
    Filtered,
    /// It must be parsed to know.
    Parse,
    /// It is of an event by which STS issues credentials.
    Session,
    /// It may be another thing than a record.
    Odd,
}

/// Every sign that [`is_relevant`](relevant::is_relevant) looks for in a KMS event holds one of these texts.
static SIGNS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let signs = ["ec2", "ebs", "autoscaling", "spot", "/i-", "/I-", "errorCode"];
    // Only of this kind are they searched for with vector instructions.
    let searcher = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(signs);
    searcher.expect("a few short texts")
});

/// Looks at the names of a plain record's own fields, and at three of their values.
pub(crate) fn glance(record: &OrdinaryRecord<'_>, selection: Selection) -> Glance {
    let raw = record.raw;
    let (mut time, mut source, mut name) = (None, None, None);
    let mut has_addendum = false;
    for &colon in record.colons {
        // A key's last letters: enough to tell apart what matters here.
        let Some([end @ .., b'"']) = raw[..colon].last_chunk::<9>() else {
            if colon < 9 {
                continue;
            }
            return Glance::Odd;
        };
        match end {
            b"ventTime" if raw[..colon].ends_with(b"\"eventTime\"") => time = text(raw, colon),
            b"ventName" if raw[..colon].ends_with(b"\"eventName\"") => name = text(raw, colon),
            b"ntSource" if raw[..colon].ends_with(b"\"eventSource\"") => source = text(raw, colon),
            b"addendum" => has_addendum = true,
            b"\"Records" | b"ail-type" | b"ailEvent" | b"ogEvents" | [_, b'"', b'E', b'v', b'e', b'n', b't', b's'] => {
                return Glance::Odd;
            }
            _ => {}
        }
    }
    // An addendum may amend a row, whatever its own record is.
    if selection == Selection::All || has_addendum {
        return Glance::Parse;
    }
    let (Some(time), Some(source), Some(name)) = (time, source, name) else {
        return Glance::Parse;
    };
    match is_ordinary_time(time) {
        true if !may_be_relevant(raw, source, name) => Glance::Filtered,
        true if relevant::is_sts(source) => Glance::Session,
        _ => Glance::Parse,
    }
}

/// Returns the text after a colon, if it is one and not empty.
fn text(raw: &[u8], colon: usize) -> Option<&[u8]> {
    let value = raw[split::skip_space(raw, colon + 1)..].strip_prefix(b"\"")?;
    let end = memchr(b'"', value)?;
    (end > 0).then_some(&value[..end])
}

/// Tells whether `time` is `YYYY-MM-DDThh:mm:ssZ` of this century, and not a leap day. Any other is left to the parser.
fn is_ordinary_time(time: &[u8]) -> bool {
    let [b'2', b'0', y1, y2, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2, b'Z'] = time else {
        return false;
    };
    let number = |tens: &u8, ones: &u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') * 10 + (ones - b'0'))
    };
    number(y1, y2).is_some()
        && number(m1, m2).zip(number(d1, d2)).is_some_and(|(month, day)| (1..=days(month)).contains(&day))
        && number(h1, h2).is_some_and(|hour| hour < 24)
        && number(i1, i2).is_some_and(|minute| minute < 60)
        && number(s1, s2).is_some_and(|second| second < 60)
}

/// Returns the days that a month has every year.
fn days(month: u8) -> u8 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28,
        _ => 0,
    }
}

fn may_be_relevant(raw: &[u8], source: &[u8], name: &[u8]) -> bool {
    // A notification is not a record, whatever the selection.
    relevant::is_notification(source) || relevant::by_name(source, name).unwrap_or_else(|| SIGNS.is_match(raw))
}

#[cfg(test)]
mod tests;
