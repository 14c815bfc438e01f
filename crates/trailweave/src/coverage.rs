//! The coverage of a trail as text: days in a row that are alike are one line, as are regions of an account.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::io::Write;

use bytesize::ByteSize;
use jiff::civil::Date;
use trailweave_ingest::Coverage;

/// Days of an account in a region, or in several that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line<'c> {
    account: &'c str,
    regions: Vec<&'c str>,
    /// The first and the last day; none of objects whose names tell none.
    days: Option<(Date, Date)>,
    n_days: u64,
    kind: LineKind,
    counts: [u64; COUNTS],
    /// Hours without an object: which, of one day in one region; how many, of more.
    missing: BTreeSet<u8>,
    n_missing: u64,
    proven_hours: u64,
}

/// Lines of one kind may become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LineKind {
    /// Somebody has to look at it, or its objects have no day: it stays alone.
    Alone,
    /// Nothing of it was ever verified.
    NotVerified,
    /// All of its hours were proven; or some; or none.
    Proven,
    PartlyProven,
    Unproven,
}

/// The counts of a line, with their heads: of objects, bytes and records.
const COUNTS: usize = 9;
const HEADS: [&str; COUNTS] =
    ["done", "pruned", "quarantined", "rejected", "dismissed", "unread", "bytes", "records", "rows"];
const BYTES: usize = 6;

/// Writes the coverage as a table.
pub(crate) fn write_coverage(out: &mut impl Write, coverage: &[Coverage]) -> io::Result<()> {
    write!(out, "{:22}  {:12}  {:14}", "days", "account", "region")?;
    for head in HEADS {
        write!(out, "  {head:>11}")?;
    }
    writeln!(out, "  {:>9}  hours without an object", "proven")?;
    fold_regions(fold_days(coverage)).iter().try_for_each(|line| line.write(out))
}

/// Folds the days of each account and region.
fn fold_days(coverage: &[Coverage]) -> Vec<Line<'_>> {
    let mut places: BTreeMap<(&str, &str), Vec<Line<'_>>> = BTreeMap::new();
    for line in coverage.iter().map(Line::of) {
        let lines = places.entry((line.account, line.regions[0])).or_default();
        match lines.last_mut().filter(|last| last.is_followed_by(&line)) {
            Some(last) => last.add(line),
            None => lines.push(line),
        }
    }
    places.into_values().flatten().collect()
}

/// Folds the regions of each account that have the same days and are alike.
fn fold_regions(lines: Vec<Line<'_>>) -> Vec<Line<'_>> {
    let mut folded: Vec<Line<'_>> = Vec::new();
    let mut positions = BTreeMap::new();
    for line in lines {
        if line.kind == LineKind::Alone {
            folded.push(line);
            continue;
        }
        let at = *positions.entry((line.account, line.days, line.kind)).or_insert(folded.len());
        match folded.get_mut(at) {
            Some(like) => like.add(line),
            None => folded.push(line),
        }
    }
    folded.sort_by(|a, b| (a.account, a.days, &a.regions).cmp(&(b.account, b.days, &b.regions)));
    folded
}

impl<'c> Line<'c> {
    fn of(it: &'c Coverage) -> Self {
        let day = it.day.as_deref().and_then(|day| day.parse().ok());
        let stands_out = it.quarantined + it.rejected + it.unread > 0 || day.is_none();
        let kind = match it.proven_hours {
            _ if stands_out => LineKind::Alone,
            None => LineKind::NotVerified,
            Some(24) => LineKind::Proven,
            Some(0) => LineKind::Unproven,
            Some(_) => LineKind::PartlyProven,
        };
        Self {
            account: it.account.as_deref().unwrap_or("-"),
            regions: vec![it.region.as_deref().unwrap_or("-")],
            days: day.map(|day| (day, day)),
            n_days: 1,
            kind,
            counts: [
                it.done,
                it.pruned,
                it.quarantined,
                it.rejected,
                it.dismissed,
                it.unread,
                it.bytes,
                it.records,
                it.rows,
            ],
            missing: it.missing_hours.clone(),
            n_missing: it.missing_hours.len() as u64,
            proven_hours: it.proven_hours.unwrap_or_default(),
        }
    }

    fn is_followed_by(&self, next: &Self) -> bool {
        let is_next = match (self.days, next.days) {
            (Some((_, last)), Some((first, _))) => last.tomorrow().is_ok_and(|day| day == first),
            _ => false,
        };
        is_next && self.kind == next.kind && self.kind != LineKind::Alone
    }

    /// Adds the next day, or another region.
    fn add(&mut self, more: Self) {
        self.days = self.days.zip(more.days).map(|((first, _), (_, last))| (first, last));
        if self.regions != more.regions {
            self.regions.extend(more.regions);
        }
        self.n_days += more.n_days;
        self.n_missing += more.n_missing;
        self.proven_hours += more.proven_hours;
        for (count, more) in self.counts.iter_mut().zip(more.counts) {
            *count += more;
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let days = match self.days {
            None => "-".to_owned(),
            Some((first, last)) if first == last => first.to_string(),
            Some((first, last)) => format!("{first}..{last}"),
        };
        let regions = match self.regions.as_slice() {
            [one] => (*one).to_owned(),
            many => format!("{} regions", many.len()),
        };
        write!(out, "{days:22}  {:12}  {regions:14}", self.account)?;
        for (position, count) in self.counts.into_iter().enumerate() {
            let text = if position == BYTES { ByteSize(count).to_string() } else { count.to_string() };
            write!(out, "  {text:>11}")?;
        }
        let n_hours = self.n_days * 24;
        let proven = if self.kind == LineKind::NotVerified || self.proven_hours == 0 && self.kind == LineKind::Alone {
            "-".to_owned()
        } else {
            format!("{}/{n_hours}", self.proven_hours)
        };
        let missing = match self.n_missing {
            0 => String::new(),
            _ if self.n_days == 1 => ranges(&self.missing),
            n => format!("{n} of {n_hours}"),
        };
        let end = if missing.is_empty() { String::new() } else { format!("  {missing}") };
        writeln!(out, "  {proven:>9}{end}")
    }
}

/// Writes hours as `0-3 7 22-23`.
fn ranges(hours: &BTreeSet<u8>) -> String {
    let mut ranges: Vec<(u8, u8)> = Vec::new();
    for &hour in hours {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == hour => *last = hour,
            _ => ranges.push((hour, hour)),
        }
    }
    let text = |(first, last): &(u8, u8)| if first == last { format!("{first}") } else { format!("{first}-{last}") };
    ranges.iter().map(text).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(day: u32, region: &str, quarantined: u64, proven_hours: Option<u64>) -> Coverage {
        Coverage {
            day: Some(format!("2026-09-{day:02}")),
            account: Some("111122223333".to_owned()),
            region: Some(region.to_owned()),
            done: 24,
            quarantined,
            missing_hours: [0, 1, 5].into(),
            proven_hours,
            ..Coverage::default()
        }
    }

    fn lines(coverage: &[Coverage]) -> Vec<String> {
        let mut out = Vec::new();
        write_coverage(&mut out, coverage).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn days_and_regions_that_are_alike_are_one_line() {
        let days = || (1..=7).flat_map(|day| ["eu-west-1", "us-east-1"].map(|region| covered(day, region, 0, None)));
        let week: Vec<_> = days().collect();
        let folded = "2026-09-01..2026-09-07 111122223333 2 regions 336 0 0 0 0 0 0 B 0 0 - 42 of 336";
        assert_eq!(lines(&week), [folded]);
    }

    #[test]
    fn a_day_that_somebody_has_to_look_at_or_that_is_missing_breaks_the_line() {
        let week: Vec<_> = [1, 2, 3, 4, 6].map(|day| covered(day, "eu-west-1", u64::from(day == 3), None)).into();
        let days: Vec<_> = lines(&week).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
        assert_eq!(days, ["2026-09-01..2026-09-02", "2026-09-03", "2026-09-04", "2026-09-06"]);
        assert!(lines(&week)[1].ends_with("24 0 1 0 0 0 0 B 0 0 - 0-1 5"), "{:?}", lines(&week));
        let proven: Vec<_> = [(1, Some(24)), (2, Some(24)), (3, Some(7)), (4, None)]
            .map(|(day, hours)| covered(day, "eu-west-1", 0, hours))
            .into();
        let shares = lines(&proven).iter().map(|line| line.split(' ').nth(13).unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(shares, ["48/48", "7/24", "-"]);
    }

    #[test]
    fn objects_without_a_day_are_a_line_of_their_own() {
        let undated = Coverage { done: 2, ..Coverage::default() };
        assert_eq!(lines(&[undated]), ["- - - 2 0 0 0 0 0 0 B 0 0 -"]);
    }

    #[test]
    fn hours_in_a_row_are_one_range() {
        assert_eq!(ranges(&[0, 1, 2, 5, 22, 23].into()), "0-2 5 22-23");
        assert_eq!(ranges(&BTreeSet::new()), "");
    }
}
