//! Keys of objects in a trail, and what they say.
//!
//! `[prefix/]AWSLogs/[o-id/]<account>/<folder>/<region>/YYYY/MM/DD/<account>_CloudTrail_<region>_<time>_<random>.json.gz`;
//! the folders `CloudTrail` and `CloudTrail-NetworkActivity` hold records, the others digests, Insights events,
//! aggregated events or other services' logs.

use jiff::civil::Date;

use crate::source::skipped::SkipReason;

/// The place of an object in a trail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    /// The UTC day on which it was delivered.
    pub(crate) day: Date,
    /// The account whose events it holds.
    pub(crate) account: Box<str>,
    /// The region whose events it holds.
    pub(crate) region: Box<str>,
}

/// The origin of an object, as its key says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A trail, with the place in it.
    Trail(Place),
    /// Something that holds no record, or only records that other objects hold.
    Other(SkipReason),
    /// The key says nothing.
    Unknown,
}

/// Tells why a folder beside `CloudTrail` is not read; none for those that hold records.
///
/// Events of network activity are ordinary records, such as KMS calls that a VPC endpoint's policy refused.
pub(crate) fn skips_folder(folder: &str) -> Option<SkipReason> {
    match folder {
        "CloudTrail" | "CloudTrail-NetworkActivity" => None,
        "CloudTrail-Digest" => Some(SkipReason::Digest),
        "CloudTrail-Insight" => Some(SkipReason::Insight),
        "CloudTrail-Aggregated" => Some(SkipReason::Aggregated),
        _ => Some(SkipReason::OtherLog),
    }
}

/// Reads a `/`-separated key.
pub(crate) fn origin(key: &str) -> Origin {
    let (prefix, name) = key.rsplit_once('/').unwrap_or(("", key));
    match below_trail(prefix) {
        Some(folders) => in_layout(&folders, name),
        None => by_name(name),
    }
}

/// Returns the place of an object in a trail, if its key tells one.
pub(crate) fn place_of(key: &str) -> Option<Place> {
    match origin(key) {
        Origin::Trail(place) => Some(place),
        Origin::Other(_) | Origin::Unknown => None,
    }
}

/// Returns the folders of a prefix below those of the trail and its organization; `None` where it is of no trail.
pub(crate) fn below_trail(prefix: &str) -> Option<Vec<&str>> {
    let folders: Vec<&str> = prefix.split_terminator('/').collect();
    let root = folders.iter().rposition(|folder| *folder == "AWSLogs")?;
    let is_organization = folders.get(root + 1).is_some_and(|folder| folder.starts_with("o-"));
    Some(folders.into_iter().skip(root + 1 + usize::from(is_organization)).collect())
}

fn in_layout(folders: &[&str], name: &str) -> Origin {
    match folders {
        [account, folder, rest @ ..] if is_account(account) => match (skips_folder(folder), rest) {
            (Some(reason), _) => Origin::Other(reason),
            (None, [region, year, month, day, ..]) => match date(&format!("{year}{month}{day}")) {
                Some(day) => Origin::Trail(place(day, account, region)),
                None => by_name(name),
            },
            (None, _) => by_name(name),
        },
        _ => by_name(name),
    }
}

/// Reads `<account>_CloudTrail_<region>_<YYYYMMDDTHHmmZ>..`, as an object is named wherever it was copied to.
fn by_name(name: &str) -> Origin {
    let mut words = name.split('_');
    let (Some(account), Some(folder), Some(region), Some(time)) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Origin::Unknown;
    };
    if !is_account(account) || !is_region(region) {
        return Origin::Unknown;
    }
    if !folder.starts_with("CloudTrail") {
        return Origin::Unknown;
    }
    match (skips_folder(folder), delivery_day(time)) {
        (Some(reason), _) => Origin::Other(reason),
        (None, Some(day)) => Origin::Trail(place(day, account, region)),
        (None, None) => Origin::Unknown,
    }
}

fn place(day: Date, account: &str, region: &str) -> Place {
    Place { day, account: account.into(), region: region.into() }
}

pub(crate) fn is_account(word: &str) -> bool {
    word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_region(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// Finds the hour (UTC) in which an object of `CloudTrail` itself was delivered, where its name says so. An hour may
/// have events of network activity and lack all others.
pub(crate) fn delivery_hour(key: &str) -> Option<u8> {
    let mut words = key.rsplit('/').next()?.split('_').skip(1);
    let time = words.next().filter(|folder| *folder == "CloudTrail").and_then(|_| words.nth(1))?;
    delivery_day(time)?;
    time.get(9..11)?.parse().ok().filter(|hour| *hour < 24)
}

/// Finds the time of day (UTC) at which an object was delivered, in minutes, where its name says so.
pub(crate) fn delivery_clock(key: &str) -> Option<u16> {
    let name = key.rsplit('/').next()?;
    let clock = &name[delivery_time(name)?..];
    let number = |digits: &str| digits.parse::<u16>().ok();
    let minutes = number(clock.get(..2)?)? * 60 + number(clock.get(2..4)?)?;
    (minutes < 24 * 60).then_some(minutes)
}

/// Returns where in the name of an object the time of its delivery day begins, if CloudTrail gave it.
pub(crate) fn delivery_time(name: &str) -> Option<usize> {
    let word = name.match_indices('_').nth(2)?.0 + 1;
    delivery_day(&name[word..]).map(|_| word + "YYYYMMDDT".len())
}

/// Returns the day of `YYYYMMDDTHHmmZ`, after which older names go on without a border.
fn delivery_day(time: &str) -> Option<Date> {
    let time = time.as_bytes().first_chunk::<14>()?;
    let (day, rest) = time.split_at(8);
    let clock = rest[0] == b'T' && rest[1..5].iter().all(u8::is_ascii_digit) && rest[5] == b'Z';
    if clock { date(str::from_utf8(day).ok()?) } else { None }
}

/// Returns the day of `YYYYMMDD`.
fn date(digits: &str) -> Option<Date> {
    if digits.len() != 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Date::new(digits[..4].parse().ok()?, digits[4..6].parse().ok()?, digits[6..].parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn placed(key: &str) -> Place {
        match origin(key) {
            Origin::Trail(place) => place,
            other => panic!("{key}: {other:?}"),
        }
    }

    #[test]
    fn the_layout_gives_day_account_and_region_whatever_stands_before_it() {
        let expected = place(date(2026, 9, 1), "210987654321", "eu-west-1");
        for prefix in ["", "a/b/", "AWSLogs/", "/abs/AWSLogs/x/"] {
            for organization in ["", "o-abcdefghij/"] {
                let key =
                    format!("{prefix}AWSLogs/{organization}210987654321/CloudTrail/eu-west-1/2026/09/01/any.json.gz");
                assert_eq!(placed(&key), expected, "{key}");
            }
        }
    }

    #[test]
    fn the_name_tells_the_hour() {
        assert_eq!(delivery_hour("a_b/210987654321_CloudTrail_eu-west-1_20260831T2355Z_abcdefgh.json.gz"), Some(23));
        assert_eq!(delivery_hour("210987654321_CloudTrail_eu-west-1_20260831T9955Z_abcdefgh.json.gz"), None);
        assert_eq!(delivery_hour("events.json"), None);
        let network = "210987654321_CloudTrail-NetworkActivity_eu-west-1_20260831T2355Z_abcdefgh.json.gz";
        assert_eq!(delivery_hour(network), None);
    }

    #[test]
    fn the_day_is_that_of_the_folder_not_of_the_name() {
        let key = "AWSLogs/210987654321/CloudTrail/eu-west-1/2026/09/01/210987654321_CloudTrail_eu-west-1_20260831T2355Z_abcdefgh.json.gz";
        assert_eq!(placed(key).day, date(2026, 9, 1));
    }

    #[test]
    fn a_name_alone_is_enough() {
        for rest in ["_AbCdEfGhIjKlMnOp.json.gz", "AbCdEfGhIjKlMnOp.json.gz", "_x.json"] {
            let name = format!("copied/210987654321_CloudTrail_us-gov-west-1_20260901T1650Z{rest}");
            assert_eq!(placed(&name), place(date(2026, 9, 1), "210987654321", "us-gov-west-1"));
        }
    }

    #[test]
    fn digests_insights_and_other_logs_are_told_apart() {
        for (key, reason) in [
            ("AWSLogs/210987654321/CloudTrail-Digest/eu-west-1/2026/09/01/a.json.gz", SkipReason::Digest),
            ("AWSLogs/210987654321/CloudTrail-Insight/eu-west-1/2026/09/01/a.json.gz", SkipReason::Insight),
            ("AWSLogs/210987654321/CloudTrail-Aggregated/eu-west-1/2026/09/01/a.json.gz", SkipReason::Aggregated),
            ("p/AWSLogs/o-abcdefghij/210987654321/vpcflowlogs/eu-west-1/2026/09/01/a.log.gz", SkipReason::OtherLog),
            ("210987654321_CloudTrail-Digest_eu-west-1_main_eu-west-1_20260901T165000Z.json.gz", SkipReason::Digest),
            ("210987654321_CloudTrail-Insight_eu-west-1_20260901T1650Z_a.json.gz", SkipReason::Insight),
        ] {
            assert_eq!(origin(key), Origin::Other(reason), "{key}");
        }
    }

    #[test]
    fn network_activity_is_of_its_trail() {
        let expected = place(date(2026, 9, 1), "210987654321", "eu-west-1");
        for key in [
            "AWSLogs/210987654321/CloudTrail-NetworkActivity/eu-west-1/2026/09/01/a.json.gz",
            "210987654321_CloudTrail-NetworkActivity_eu-west-1_20260901T1650Z_a.json.gz",
        ] {
            assert_eq!(placed(key), expected, "{key}");
        }
    }

    #[test]
    fn everything_else_says_nothing() {
        for key in [
            "",
            "events.json",
            "AWSLogs/events.json.gz",
            "AWSLogs/210987654321/events.json.gz",
            "AWSLogs/210987654321/CloudTrail/eu-west-1/2026/13/01/a.json.gz",
            "21098765432_CloudTrail_eu-west-1_20260901T1650Z_a.json.gz",
            "210987654321_CloudTrail_eu-west-1_20260901_a.json.gz",
            "210987654321_CloudTrail_eu-west-1_2026\u{e9}901T1650Z_a.json.gz",
        ] {
            assert_eq!(origin(key), Origin::Unknown, "{key}");
        }
    }
}
