//! *Chains*: the calls around one identifier, as rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::RecordBatch;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use rayon::slice::ParallelSlice;
use trailweave_lake::read::{Ask, Keys, load, rows_at, rows_with};
use trailweave_lake::{Lake, LakeError, Part};

use crate::choice::{Choice, quoted};
use crate::copies::{CallPart, n_rows};
use crate::texts::{micros, text, texts, value};

/// The calls of a chain that are shown.
pub(crate) const MAX_CALLS: usize = 25;
/// The calls of a reason that are shown.
pub(crate) const MAX_EXAMPLES: usize = 5;

/// The columns of a call that are shown, in their order.
pub(crate) const COLUMNS: [&str; 22] = [
    "kms_event_time",
    "kms_event_name",
    "kms_error_code",
    "instance_id",
    "volume_id",
    "key_arn",
    "source_key_arn",
    "grant_id",
    "link",
    "confidence",
    "ec2_event_time",
    "ec2_event_name",
    "ec2_error_code",
    "ec2_principal_arn",
    "root_principal_arn",
    "kms_principal_arn",
    "launch_principal_arn",
    "kms_event_id",
    "ec2_event_id",
    "kms_source_object",
    "ec2_source_object",
    "recipient_account_id",
];
/// Those that are read beside them.
const BESIDE: [&str; 8] = [
    "aws_region",
    "caller_instance_id",
    "grant_event_id",
    "kms_principal_account_id",
    "launch_event_id",
    "launch_event_time",
    "unmatched_reason",
    "ec2_source_ip_address",
];

/// A row of `correlated`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    times: [Option<i64>; 3],
    texts: Vec<Option<String>>,
}

/// The columns by which calls are ordered.
const ORDER: [&str; 3] = ["kms_event_time", "kms_event_id", "recipient_account_id"];

const TIMES: [&str; 3] = ["kms_event_time", "ec2_event_time", "launch_event_time"];

impl Call {
    fn of(rows: &RecordBatch, row: usize) -> Self {
        let texts = COLUMNS.iter().chain(&BESIDE).map(|column| text(rows, column, row).map(str::to_owned));
        Self { times: TIMES.map(|column| micros(rows, column, row)), texts: texts.collect() }
    }

    pub(crate) fn text(&self, column: &str) -> Option<&str> {
        let at = COLUMNS.iter().chain(&BESIDE).position(|it| *it == column)?;
        self.texts[at].as_deref()
    }

    pub(crate) fn time(&self, column: &str) -> Option<i64> {
        self.times[TIMES.iter().position(|it| *it == column)?]
    }

    /// Returns the instance that its launch is of.
    pub(crate) fn launched(&self) -> Option<&str> {
        self.text("instance_id").or_else(|| self.text("caller_instance_id"))
    }
}

/// The place of a row of `correlated`: its part, its row group, and the row there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct At {
    part: usize,
    group: usize,
    row: u32,
}

/// The order of calls: by time, event, account.
type Order = (Option<i64>, Option<String>, Option<String>);

/// The first calls, of which `most` are kept, and all are counted.
#[derive(Debug)]
struct First {
    most: usize,
    n: usize,
    kept: Vec<(Order, At)>,
    /// The time of the last one, where enough are kept.
    last: Option<i64>,
}

impl First {
    fn new(most: usize) -> Self {
        Self { most, n: 0, kept: Vec::new(), last: None }
    }

    fn add(&mut self, [event, account]: [Option<&str>; 2], time: Option<i64>, at: At) {
        self.n += 1;
        if time.zip(self.last).is_some_and(|(time, last)| time > last) {
            return;
        }
        self.kept.push(((time, event.map(str::to_owned), account.map(str::to_owned)), at));
        if self.kept.len() > 8 * self.most {
            self.cut();
        }
    }

    fn merge(&mut self, more: Self) {
        self.n += more.n;
        self.kept.extend(more.kept);
        self.cut();
    }

    fn cut(&mut self) {
        self.kept.sort_unstable();
        self.kept.truncate(self.most);
        self.last = self.kept.get(self.most - 1).and_then(|((time, ..), _)| *time);
    }
}

/// A question for a chain, and its answer.
#[derive(Debug)]
pub(crate) struct Chain {
    /// The identifier, or the reason.
    pub(crate) id: String,
    /// The id of its element.
    pub(crate) element: String,
    /// The columns that may hold one of the values.
    columns: &'static [&'static str],
    values: Vec<String>,
    first: First,
    /// The calls, in time, the first of them only.
    pub(crate) calls: Vec<Call>,
}

impl Chain {
    /// Asks for the chain of an instance, volume, key, grant or principal, as it is given and in lower case, in which
    /// CloudTrail logs nearly all.
    pub(crate) fn of(id: &str, element: String, arns: impl Iterator<Item = String>) -> Self {
        let lower = id.to_lowercase();
        let columns: &[&str] = match lower.split_once(['-', ':']).map(|(kind, _)| kind) {
            Some("i") => &["instance_id", "caller_instance_id"],
            Some("vol") => &["volume_id"],
            Some("snap") => &["snapshot_id"],
            Some("arn") if lower.contains(":key/") => &["key_arn", "source_key_arn"],
            Some("arn") => &["launch_principal_arn", "root_principal_arn", "ec2_principal_arn", "kms_principal_arn"],
            _ => &["grant_id", "key_arn", "source_key_arn", "kms_event_id", "ec2_event_id"],
        };
        let lower = (lower != id).then_some(lower);
        let values = [id.to_owned()].into_iter().chain(lower).chain(arns).collect();
        Self { id: id.to_owned(), element, columns, values, first: First::new(MAX_CALLS), calls: Vec::new() }
    }

    /// Asks for examples of calls without a cause.
    pub(crate) fn why(reason: &str) -> Self {
        Self {
            id: reason.to_owned(),
            element: format!("why-{reason}"),
            columns: &["unmatched_reason"],
            values: vec![reason.to_owned()],
            first: First::new(MAX_EXAMPLES),
            calls: Vec::new(),
        }
    }

    /// Tells how many calls there are.
    pub(crate) fn n_calls(&self) -> usize {
        self.first.n
    }

    /// Returns the instance, where the chain is of one.
    pub(crate) fn instance(&self) -> Option<&str> {
        self.columns.contains(&"instance_id").then_some(&*self.id)
    }

    pub(crate) fn is_of_reason(&self) -> bool {
        self.columns == ["unmatched_reason"]
    }

    /// Returns the SQL of its calls.
    pub(crate) fn sql(&self, choice: &Choice) -> String {
        let values = self.values.iter().map(|it| quoted(it)).collect::<Vec<_>>().join(", ");
        let any = self.columns.iter().map(|column| format!("{column} IN ({values})")).collect::<Vec<_>>().join(" OR ");
        format!(
            "{}\nSELECT\n  {}\nFROM kms_calls\nWHERE {any}\nORDER BY kms_event_time, kms_event_id, recipient_account_id\nLIMIT {}",
            choice.calls(),
            COLUMNS.join(", "),
            self.first.most
        )
    }
}

/// Returns an identifier without blanks around it and, of an ARN of EC2, the id alone. That of an instance, a volume or a
/// snapshot is in lower case.
pub(crate) fn trimmed(id: &str) -> String {
    let id = match id.trim().splitn(6, ':').collect::<Vec<_>>().as_slice() {
        [arn, _, service, _, _, name] if arn.eq_ignore_ascii_case("arn") && service.eq_ignore_ascii_case("ec2") => {
            name.rsplit('/').next().unwrap_or_default()
        }
        _ => id.trim(),
    };
    let lower = id.to_lowercase();
    if ["i-", "vol-", "snap-"].iter().any(|kind| lower.starts_with(kind)) { lower } else { id.to_owned() }
}

/// Finds the calls of the chains: first the places of those that are shown, then what is shown of them.
pub(crate) fn find(lake: &Lake, choice: &Choice, parts: &[CallPart], chains: &mut [Chain]) -> Result<(), LakeError> {
    let parts: Vec<(usize, &CallPart)> = parts.iter().enumerate().collect();
    let (mut reasons, mut others): (Vec<_>, Vec<_>) = chains.iter_mut().partition(|chain| chain.is_of_reason());
    find_places(lake, choice, &parts, &mut others)?;
    // The first day that has enough examples ends the search of a reason.
    for of_day in parts.chunk_by(|(_, a), (_, b)| a.part.event_date == b.part.event_date) {
        reasons.retain(|chain| chain.first.n < chain.first.most);
        find_places(lake, choice, of_day, &mut reasons)?;
    }
    let places: BTreeSet<At> = chains.iter().flat_map(|chain| &chain.first.kept).map(|(_, at)| *at).collect();
    let places: Vec<At> = places.into_iter().collect();
    let read = places.par_chunk_by(|a, b| a.part == b.part).map(|of_part| {
        let (_, CallPart { part, .. }) = parts[of_part[0].part];
        read_calls(lake, part, of_part)
    });
    let calls: HashMap<At, Call> = read.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    for chain in chains {
        chain.calls = chain.first.kept.iter().filter_map(|(_, at)| calls.get(at).cloned()).collect();
    }
    Ok(())
}

/// Finds where the first calls of chains stand in some parts, each given with its number, beside those found before.
fn find_places(
    lake: &Lake,
    choice: &Choice,
    parts: &[(usize, &CallPart)],
    chains: &mut [&mut Chain],
) -> Result<(), LakeError> {
    if chains.is_empty() {
        return Ok(());
    }
    let asked: Vec<&Chain> = chains.iter().map(|chain| &**chain).collect();
    let find = |part: &(usize, &CallPart)| find_places_in(lake, choice, *part, &asked);
    let found = parts.par_iter().map(find).collect::<Result<Vec<_>, _>>()?;
    for of_part in found {
        chains.iter_mut().zip(of_part).for_each(|(chain, first)| chain.first.merge(first));
    }
    Ok(())
}

fn find_places_in(
    lake: &Lake,
    choice: &Choice,
    (part_nth, CallPart { part, copies }): (usize, &CallPart),
    chains: &[&Chain],
) -> Result<Vec<First>, LakeError> {
    let mut askers: BTreeMap<&'static str, HashMap<&str, Vec<usize>>> = BTreeMap::new();
    for (nth, chain) in chains.iter().enumerate() {
        for column in chain.columns {
            let of_column = askers.entry(column).or_default();
            chain.values.iter().for_each(|value| of_column.entry(value).or_default().push(nth));
        }
    }
    let keys: Vec<Keys> = askers.values().map(|by_value| by_value.keys().collect()).collect();
    let asks: Vec<_> = askers.keys().zip(&keys).map(|(column, keys)| Ask::all(column, keys)).collect();
    let wanted: Vec<&str> = ORDER.iter().chain(&["aws_region"]).chain(askers.keys()).copied().collect();
    let file = lake.open_listed(part)?;
    let find = || {
        let end = load(&file)?;
        let mut found: Vec<First> = chains.iter().map(|chain| First::new(chain.first.most)).collect();
        let mut next = 0;
        for group in 0..end.metadata().num_row_groups() {
            let first = next;
            next += n_rows(&end, group);
            let hits = rows_with(&file, &end, group, &asks)?;
            if hits.is_empty() {
                continue;
            }
            let mut hit = hits.iter();
            for rows in rows_at(&file, &end, group, &hits, &wanted)? {
                let [_, events, accounts] = ORDER.map(|column| texts(&rows, column));
                let regions = texts(&rows, "aws_region");
                let asked: Vec<_> = askers.iter().map(|(column, by_value)| (texts(&rows, column), by_value)).collect();
                for (nth, row) in (0..rows.num_rows()).zip(&mut hit) {
                    if copies.binary_search(&(first + row)).is_ok() {
                        continue;
                    }
                    let [event, account] = [events, accounts].map(|column| value(column, nth));
                    if !choice.takes_place(account.unwrap_or_default(), value(regions, nth).unwrap_or_default()) {
                        continue;
                    }
                    let asking = asked.iter().filter_map(|(column, by_value)| by_value.get(value(*column, nth)?));
                    // A chain may ask for one row by two columns.
                    for chain in asking.flatten().collect::<BTreeSet<_>>() {
                        let at = At { part: part_nth, group, row: *row };
                        found[*chain].add([event, account], micros(&rows, ORDER[0], nth), at);
                    }
                }
            }
        }
        Ok(found)
    };
    find().map_err(LakeError::parquet(&part.path))
}

/// Reads calls of a part, whose places are given in order.
fn read_calls(lake: &Lake, part: &Part, places: &[At]) -> Result<Vec<(At, Call)>, LakeError> {
    let wanted: Vec<&str> = COLUMNS.iter().chain(&BESIDE).copied().collect();
    let file = lake.open_listed(part)?;
    let read = || {
        let end = load(&file)?;
        let mut calls = Vec::with_capacity(places.len());
        for of_group in places.chunk_by(|a, b| a.group == b.group) {
            let hits: Vec<u32> = of_group.iter().map(|at| at.row).collect();
            let rows = rows_at(&file, &end, of_group[0].group, &hits, &wanted)?;
            let of_rows = rows.iter().flat_map(|rows| (0..rows.num_rows()).map(|row| Call::of(rows, row)));
            calls.extend(of_group.iter().copied().zip(of_rows));
        }
        Ok(calls)
    };
    read().map_err(LakeError::parquet(&part.path))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Makes a call of these texts.
    pub(crate) fn call(values: &[(&str, &str)]) -> Call {
        let value = |column: &&str| values.iter().find(|(name, _)| name == column).map(|(_, text)| (*text).to_owned());
        Call { times: [Some(0); 3], texts: COLUMNS.iter().chain(&BESIDE).map(value).collect() }
    }

    /// Makes the chain of an identifier with these calls.
    pub(crate) fn chain(id: &str, calls: Vec<Call>) -> Chain {
        let mut chain = Chain::of(id, "chain-1".to_owned(), std::iter::empty());
        chain.first.n = calls.len();
        Chain { calls, ..chain }
    }

    #[test]
    fn an_identifier_is_taken_as_it_is_typed() {
        for (given, id) in [
            ("arn:aws:ec2:eu-west-1:111122223333:instance/i-0a", "i-0a"),
            ("ARN:aws-cn:EC2:cn-north-1::snapshot/snap-0A", "snap-0a"),
            (" I-0A\n", "i-0a"),
            ("arn:aws:iam::111122223333:role/ec2/X", "arn:aws:iam::111122223333:role/ec2/X"),
            ("MRK-0A", "MRK-0A"),
        ] {
            assert_eq!(trimmed(given), id);
        }
        let values = Chain::of("MRK-0A", String::new(), std::iter::empty()).values;
        assert_eq!(values, ["MRK-0A", "mrk-0a"]);
    }
}
