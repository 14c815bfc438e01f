//! A share of a job that several processes do at the same time, on the same lake.
//!
//! Objects are shared out by account and region, which no row of KMS or EC2 leaves: so no two shards can bring the same
//! row. Where the lake keeps every record they are shared out by account alone, because services without a region log
//! the same event in several. The share of an object never depends on what else is listed or known.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;
use trailweave_decode::Selection;

use crate::fingerprint::fingerprint;
use crate::source::key::Place;

/// The `index`-th of `count` shares, from 0: as AWS Batch and Kubernetes number the jobs of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    index: u32,
    count: u32,
}

/// A text that is no [`Shard`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a share such as 0/8, the first of eight, or 7/8, the last")]
pub struct NoShard(String);

impl Shard {
    /// Returns the number of shards.
    pub fn count(self) -> u32 {
        self.count
    }

    /// Returns its name in those of runs and files, such as `7-of-8`.
    pub fn name(self) -> String {
        format!("{}-of-{}", self.index, self.count)
    }

    /// Reads such a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        name.split_once("-of-").and_then(Self::of)
    }

    fn of((index, count): (&str, &str)) -> Option<Self> {
        let shard = Self { index: index.parse().ok()?, count: count.parse().ok()? };
        (shard.index < shard.count).then_some(shard)
    }

    /// Tells whether an object is of this share.
    pub(crate) fn takes(self, place: &Place, selection: Selection) -> bool {
        let region = match selection {
            Selection::Relevant => &*place.region,
            Selection::All => "",
        };
        let share = fingerprint(&[place.account.as_bytes(), region.as_bytes()]) % u128::from(self.count);
        share == u128::from(self.index)
    }
}

impl FromStr for Shard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, NoShard> {
        text.split_once('/').and_then(Self::of).ok_or_else(|| NoShard(text.to_owned()))
    }
}

impl TryFrom<String> for Shard {
    type Error = NoShard;

    fn try_from(text: String) -> Result<Self, NoShard> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn an_object_is_of_one_share_whatever_its_day() {
        for (account, region) in [("111122223333", "eu-west-1"), ("111122223333", "us-east-1"), ("2", "eu-west-1")] {
            let place = |day| Place { day: date(2026, 9, day), account: account.into(), region: region.into() };
            let takers = |day| {
                (0..8).filter(move |index| Shard { index: *index, count: 8 }.takes(&place(day), Selection::Relevant))
            };
            assert_eq!(takers(1).count(), 1);
            assert!(takers(1).eq(takers(2)));
        }
    }

    #[test]
    fn where_every_record_is_kept_an_account_stays_together() {
        let takers = |region: &str| {
            let place = Place { day: date(2026, 9, 1), account: "111122223333".into(), region: region.into() };
            (0..64).filter(move |index| Shard { index: *index, count: 64 }.takes(&place, Selection::All))
        };
        assert!(takers("eu-west-1").eq(takers("us-east-1")));
    }

    #[test]
    fn shares_count_from_zero() {
        assert_eq!("7/8".parse(), Ok(Shard { index: 7, count: 8 }));
        for text in ["8/8", "0/0", "1", "-1/2", "a/b", ""] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
        let last = Shard { index: 7, count: 8 };
        assert_eq!((last.name().as_str(), Shard::named(&last.name())), ("7-of-8", Some(last)));
        for name in ["8-of-8", "7/8", "7-of-8-1", "of-8", ""] {
            assert_eq!(Shard::named(name), None, "{name}");
        }
    }
}
