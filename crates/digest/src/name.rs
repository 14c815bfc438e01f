//! The keys of digest files and log files, and what they say.

use std::fmt;
use std::ops::Range;

use crate::time;

const SUFFIX: &str = ".json.gz";
const BACKFILL: &str = "_backfill";
const ACCOUNT_BYTES: u16 = 12;

/// The meaning of a digest file's key:
/// `<account>_CloudTrail-Digest_<region>_<trail>_<home region>_<YYYYMMDDTHHMMSSZ>[_backfill].json.gz` is its name.
///
/// It holds the key once, and the places of its parts: a year of an organization has more digests than log files.
#[derive(Clone, PartialEq, Eq)]
pub struct DigestName {
    key: Box<str>,
    area: u16,
    account: u16,
    region: Range<u16>,
    trail: Range<u16>,
    home_region: Range<u16>,
    /// The end of its window, in seconds since 1970.
    pub end: i64,
    /// True if it lists log files that were delivered before it, of a time that has no digest.
    pub is_backfill: bool,
}

/// The meaning of a log file's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogName<'k> {
    /// All of the key before `/CloudTrail/`, or before another folder of log files.
    pub area: &'k str,
    /// The region whose events it holds.
    pub region: &'k str,
    /// The account whose events it holds.
    pub account: &'k str,
    /// The time that its name says, in seconds since 1970.
    pub time: i64,
}

impl DigestName {
    /// Reads the key of a digest file; `None` for every other. Names of trails hold `_` and `-` and digits, so the
    /// account and the region are taken from the front, the home region and the time from the end.
    pub fn of(key: &str) -> Option<Self> {
        let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
        let mut front = name.strip_suffix(SUFFIX)?.splitn(4, '_');
        let (account, kind, region, rest) = (front.next()?, front.next()?, front.next()?, front.next()?);
        let is_account =
            account.len() == usize::from(ACCOUNT_BYTES) && account.bytes().all(|byte| byte.is_ascii_digit());
        if !is_account || kind != "CloudTrail-Digest" {
            return None;
        }
        let backfill = rest.strip_suffix(BACKFILL);
        let mut end = backfill.unwrap_or(rest).rsplitn(3, '_');
        let (time, home_region, trail) = (end.next()?, end.next()?, end.next()?);
        let area = folder.split_once("/CloudTrail-Digest/").map_or(folder, |(area, _)| area);
        // Keys have at most 1,024 bytes.
        let at = |part: &str| u16::try_from(part.as_ptr().addr() - key.as_ptr().addr()).ok();
        let place = |part: &str| Some(at(part)?..at(part)? + u16::try_from(part.len()).ok()?);
        Some(Self {
            area: u16::try_from(area.len()).ok()?,
            account: at(account)?,
            region: place(region)?,
            trail: place(trail)?,
            home_region: place(home_region)?,
            end: time::compact(time)?,
            is_backfill: backfill.is_some(),
            key: key.into(),
        })
    }

    /// Returns the key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns all of the key before `/CloudTrail-Digest/`: the prefix, `AWSLogs`, the organization, the account.
    pub fn area(&self) -> &str {
        self.part(&(0..self.area))
    }

    /// Returns the account whose log files it lists.
    pub fn account(&self) -> &str {
        self.part(&(self.account..self.account + ACCOUNT_BYTES))
    }

    /// Returns the region whose log files it lists.
    pub fn region(&self) -> &str {
        self.part(&self.region)
    }

    /// Returns the trail.
    pub fn trail(&self) -> &str {
        self.part(&self.trail)
    }

    /// Returns the region in which the trail was made.
    pub fn home_region(&self) -> &str {
        self.part(&self.home_region)
    }

    fn part(&self, place: &Range<u16>) -> &str {
        &self.key[usize::from(place.start)..usize::from(place.end)]
    }
}

impl fmt::Debug for DigestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DigestName({})", self.key)
    }
}

impl<'k> LogName<'k> {
    /// Reads the key of a log file of a trail; `None` for every other.
    pub fn of(key: &'k str) -> Option<Self> {
        let (folder, name) = key.rsplit_once('/')?;
        let mut words = name.split('_');
        let (account, kind, region, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let at = folder.find(&format!("/{kind}/{region}/"))?;
        let time = time::compact_minutes(time.get(.."YYYYMMDDTHHMMZ".len())?)?;
        (kind == "CloudTrail" || kind == "CloudTrail-NetworkActivity").then_some(Self {
            area: &folder[..at],
            region,
            account,
            time,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = "p/q/AWSLogs/o-abcdefghij/210987654321/CloudTrail-Digest/eu-west-1/2026/09/01";

    #[test]
    fn the_name_of_a_trail_may_look_like_the_rest() {
        for (trail, is_backfill) in [("main", false), ("org_audit-2", false), ("a_eu-west-1_20260901T050000Z", true)] {
            let suffix = if is_backfill { BACKFILL } else { "" };
            let name = format!(
                "{FOLDER}/210987654321_CloudTrail-Digest_eu-west-1_{trail}_us-east-1_20260901T060001Z{suffix}.json.gz"
            );
            let found = DigestName::of(&name).unwrap();
            assert_eq!((found.trail(), found.home_region(), found.is_backfill), (trail, "us-east-1", is_backfill));
            assert_eq!((found.account(), found.region()), ("210987654321", "eu-west-1"));
            assert_eq!(found.area(), "p/q/AWSLogs/o-abcdefghij/210987654321");
            assert_eq!(time::rfc3339(found.end), "2026-09-01T06:00:01Z");
        }
    }

    #[test]
    fn other_names_are_not_digests() {
        for name in [
            "210987654321_CloudTrail_eu-west-1_20260901T0600Z_abcdefghijklmnop.json.gz",
            "210987654321_CloudTrail-Digest_eu-west-1_main_us-east-1_20260901T0600.json.gz",
            "21098765432_CloudTrail-Digest_eu-west-1_main_us-east-1_20260901T060001Z.json.gz",
            "210987654321_CloudTrail-Digest_eu-west-1_main_us-east-1_20260901T060001Z.json",
        ] {
            assert_eq!(DigestName::of(name), None, "{name}");
        }
    }

    #[test]
    fn the_key_of_a_log_file_tells_its_area_and_its_time() {
        let name = "210987654321_CloudTrail_eu-west-1_20260901T0605Z_abcdefghijklmnop.json.gz";
        let key = format!("p/AWSLogs/210987654321/CloudTrail/eu-west-1/2026/09/01/{name}");
        let found = LogName::of(&key).unwrap();
        assert_eq!((found.area, found.region, found.account), ("p/AWSLogs/210987654321", "eu-west-1", "210987654321"));
        assert_eq!(time::rfc3339(found.time), "2026-09-01T06:05:00Z");
        assert_eq!(LogName::of(name), None);
    }
}
