//! The folders of a trail that have to be listed for a filter.

use std::cmp::Ordering;

use jiff::civil::Date;

use crate::Filter;
use crate::source::key::below_trail;
use crate::source::key::is_account;
use crate::source::key::skips_folder;
use crate::source::skipped::SkipReason;

/// The way to list a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visit {
    /// It holds nothing that is asked for.
    Filtered,
    /// It holds no records; it is not even listed, since a trail has some 9,000 digests a year and region.
    Other(SkipReason),
    /// Its folders, one by one.
    Folders,
    /// All that is below it.
    All,
}

/// Tells how the folder `prefix`, which ends with `/` or is empty, is listed. A folder whose name says nothing is never
/// left out.
pub(super) fn visit(prefix: &str, filter: &Filter) -> Visit {
    let Some(folders) = below_trail(prefix) else {
        return Visit::Folders;
    };
    match folders.as_slice() {
        [] | [_] if folders.iter().all(|account| asks_for_account(filter, account)) => Visit::Folders,
        [account, ..] if !asks_for_account(filter, account) => Visit::Filtered,
        [account, ..] if !is_account(account) => Visit::All,
        [_, folder, rest @ ..] => match (skips_folder(folder), rest) {
            (Some(reason), _) => Visit::Other(reason),
            (None, []) => Visit::Folders,
            (None, [region, ..]) if !filter.takes_region(region) => Visit::Filtered,
            (None, [_, date @ ..]) => visit_date(date, filter),
        },
        _ => Visit::Filtered,
    }
}

fn asks_for_account(filter: &Filter, account: &str) -> bool {
    !is_account(account) || filter.takes_account(account)
}

/// Decides by a year, a month and a day, as far as they are named.
fn visit_date(date: &[&str], filter: &Filter) -> Visit {
    if filter.from.is_none() && filter.to.is_none() {
        return Visit::All;
    }
    let is_number = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    if date.len() > 3 || !date.iter().all(is_number) {
        return Visit::All;
    }
    let compare = |border: &Date| {
        let border = border.strftime("%Y/%m/%d").to_string();
        date.iter().copied().cmp(border.split('/').take(date.len()))
    };
    let (from, to) = (filter.from.as_ref().map(compare), filter.to.as_ref().map(compare));
    let is_border = from == Some(Ordering::Equal) || to == Some(Ordering::Equal);
    match (from, to) {
        (Some(Ordering::Less), _) | (_, Some(Ordering::Greater)) => Visit::Filtered,
        _ if is_border && date.len() < 3 => Visit::Folders,
        _ => Visit::All,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const ACCOUNT: &str = "210987654321";

    fn see(prefix: &str, filter: &Filter) -> Visit {
        visit(&prefix.replace("ACCOUNT", ACCOUNT), filter)
    }

    #[test]
    fn without_a_filter_a_region_is_listed_at_once() {
        let all = Filter::default();
        for prefix in [
            "",
            "logs/",
            "AWSLogs/",
            "AWSLogs/o-abc/",
            "AWSLogs/ACCOUNT/",
            "AWSLogs/o-a/ACCOUNT/CloudTrail/",
            "AWSLogs/ACCOUNT/CloudTrail-NetworkActivity/",
        ] {
            assert_eq!(see(prefix, &all), Visit::Folders, "{prefix}");
        }
        for prefix in ["AWSLogs/ACCOUNT/CloudTrail/eu-west-1/", "AWSLogs/ACCOUNT/CloudTrail/eu-west-1/2026/"] {
            assert_eq!(see(prefix, &all), Visit::All, "{prefix}");
        }
        for (prefix, reason) in [
            ("AWSLogs/ACCOUNT/CloudTrail-Digest/", SkipReason::Digest),
            ("AWSLogs/ACCOUNT/vpcflowlogs/eu-west-1/", SkipReason::OtherLog),
        ] {
            assert_eq!(see(prefix, &all), Visit::Other(reason), "{prefix}");
        }
    }

    #[test]
    fn accounts_and_regions_that_are_not_asked_for_are_left_out() {
        let filter = Filter {
            accounts: [ACCOUNT.to_owned()].into(),
            regions: ["eu-west-1".to_owned()].into(),
            ..Filter::default()
        };
        for (prefix, expected) in [
            ("AWSLogs/ACCOUNT/", Visit::Folders),
            ("AWSLogs/111122223333/", Visit::Filtered),
            ("AWSLogs/111122223333/CloudTrail/eu-west-1/", Visit::Filtered),
            ("AWSLogs/ACCOUNT/CloudTrail/eu-west-1/", Visit::All),
            ("AWSLogs/ACCOUNT/CloudTrail/eu-west-2/", Visit::Filtered),
            ("AWSLogs/copies/", Visit::Folders),
            ("AWSLogs/copies/more/", Visit::All),
        ] {
            assert_eq!(see(prefix, &filter), expected, "{prefix}");
        }
    }

    #[test]
    fn of_ten_years_only_the_borders_are_opened() {
        let filter = Filter { from: Some(date(2025, 11, 30)), to: Some(date(2027, 2, 1)), ..Filter::default() };
        for (day, expected) in [
            ("", Visit::Folders),
            ("2024/", Visit::Filtered),
            ("2025/", Visit::Folders),
            ("2025/10/", Visit::Filtered),
            ("2025/11/", Visit::Folders),
            ("2025/11/29/", Visit::Filtered),
            ("2025/11/30/", Visit::All),
            ("2025/12/", Visit::All),
            ("2026/", Visit::All),
            ("2027/", Visit::Folders),
            ("2027/02/01/", Visit::All),
            ("2027/02/02/", Visit::Filtered),
            ("2028/", Visit::Filtered),
            ("odd/", Visit::All),
        ] {
            assert_eq!(see(&format!("AWSLogs/ACCOUNT/CloudTrail/eu-west-1/{day}"), &filter), expected, "{day}");
        }
    }
}
