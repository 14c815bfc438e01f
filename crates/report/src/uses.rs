//! One pass over `correlated`: who used which key, and how it is known.

use std::collections::{BTreeMap, HashMap};

use ahash::RandomState;
use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use parquet::errors::ParquetError;
use trailweave_lake::read::{by_group, load_shared};
use trailweave_lake::{Lake, LakeError, LakeFile};
use trailweave_table::{day_of_time, ms_of_time};

use crate::choice::Choice;
use crate::copies::CallPart;
use crate::passes::read_all;
use crate::texts::{Code, NONE, Texts};

/// The columns that are read.
const COLUMNS: [&str; 13] = [
    "kms_event_time",
    "kms_error_code",
    "kms_principal_account_id",
    "recipient_account_id",
    "aws_region",
    "key_arn",
    "key_account_id",
    "source_key_arn",
    "instance_id",
    "link",
    "confidence",
    "unmatched_reason",
    "launch_principal_arn",
];

/// A key in use for an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Use {
    pub(crate) key: Code,
    pub(crate) key_account: Code,
    pub(crate) instance: Code,
    pub(crate) launcher: Code,
    /// The account of the caller; where it is not known, that of the trail.
    pub(crate) caller: Code,
    /// It is the second use of a call: a `ReEncrypt` uses its source key, too.
    pub(crate) is_source: bool,
}

/// Calls that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) n: u64,
    pub(crate) failed: u64,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl Default for Calls {
    fn default() -> Self {
        Self { n: 0, failed: 0, first: i64::MAX, last: i64::MIN }
    }
}

impl Calls {
    pub(crate) fn add(&mut self, more: Self) {
        self.n += more.n;
        self.failed += more.failed;
        self.first = self.first.min(more.first);
        self.last = self.last.max(more.last);
    }
}

/// The calls of uses that are alike, by the codes in which they are.
pub(crate) type Sum<const N: usize> = ([Code; N], Calls);

/// All that the pass counts.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    pub(crate) texts: Texts,
    pub(crate) rows: u64,
    found: HashMap<Use, Calls, RandomState>,
    /// By day and rule.
    pub(crate) days: BTreeMap<(i32, Code), u64>,
    /// By rule and confidence.
    pub(crate) links: BTreeMap<(Code, Code), u64>,
    pub(crate) reasons: BTreeMap<Code, u64>,
}

impl Uses {
    /// Reads the chosen rows of parts, each call once.
    pub(crate) fn read(lake: &Lake, choice: &Choice, parts: &[CallPart]) -> Result<Self, LakeError> {
        let of_part = |CallPart { part, copies }: &CallPart| {
            let mut uses = Self::default();
            uses.add(lake.open_listed(part)?, choice, copies).map_err(LakeError::parquet(&part.path))?;
            Ok(uses)
        };
        read_all(parts, of_part, Self::merge)
    }

    fn merge(&mut self, more: Self) {
        let codes: Vec<Code> = more.texts.iter().map(|text| self.texts.code(text)).collect();
        let code = |code: Code| codes.get(code as usize).copied().unwrap_or(NONE);
        self.rows += more.rows;
        for (Use { key, key_account, instance, launcher, caller, is_source }, calls) in more.found {
            let [key, key_account, instance, launcher, caller] =
                [key, key_account, instance, launcher, caller].map(code);
            let of_use = Use { key, key_account, instance, launcher, caller, is_source };
            self.found.entry(of_use).or_default().add(calls);
        }
        for ((day, link), n) in more.days {
            *self.days.entry((day, code(link))).or_default() += n;
        }
        for ((link, confidence), n) in more.links {
            *self.links.entry((code(link), code(confidence))).or_default() += n;
        }
        for (reason, n) in more.reasons {
            *self.reasons.entry(code(reason)).or_default() += n;
        }
    }

    /// Adds the rows of a file but the copies, whose positions are given in order.
    fn add(&mut self, file: LakeFile, choice: &Choice, copies: &[u32]) -> Result<(), ParquetError> {
        // An instance's rows stand together, so its texts are compared with the one before.
        let end =
            load_shared(&file, |name| COLUMNS.contains(&name) && !["kms_event_time", "instance_id"].contains(&name))?;
        let mut linked: HashMap<_, u64, RandomState> = HashMap::default();
        let (mut positions, mut copies) = (0_u32.., copies.iter().peekable());
        for rows in by_group(file, end, COLUMNS) {
            let rows = rows?;
            let times = rows["kms_event_time"].as_primitive::<TimestampMicrosecondType>().values();
            let mut codes = |column: &str| self.texts.codes(&rows, column);
            let [accounts, regions, keys, owners, sources, instances] =
                ["recipient_account_id", "aws_region", "key_arn", "key_account_id", "source_key_arn", "instance_id"]
                    .map(&mut codes);
            let [links, confidences, reasons, launchers, callers, errors] = [
                "link",
                "confidence",
                "unmatched_reason",
                "launch_principal_arn",
                "kms_principal_account_id",
                "kms_error_code",
            ]
            .map(&mut codes);
            let mut run: Option<(Use, Calls)> = None;
            for (row, position) in (0..rows.num_rows()).zip(&mut positions) {
                let is_copy = copies.next_if_eq(&&position).is_some();
                if is_copy || !self.takes(choice, accounts[row], regions[row]) {
                    continue;
                }
                self.rows += 1;
                let day = day_of_time(ms_of_time(times[row]));
                *linked.entry((day, links[row], confidences[row], reasons[row])).or_default() += 1;
                let of_row = Use {
                    key: keys[row],
                    key_account: owners[row],
                    instance: instances[row],
                    launcher: launchers[row],
                    caller: if callers[row] == NONE { accounts[row] } else { callers[row] },
                    is_source: false,
                };
                let call = Calls { n: 1, failed: u64::from(errors[row] != NONE), first: times[row], last: times[row] };
                if sources[row] != NONE && sources[row] != keys[row] {
                    self.use_source(Use { key: sources[row], is_source: true, ..of_row }, call);
                }
                match &mut run {
                    Some((same, calls)) if *same == of_row => calls.add(call),
                    _ => self.end(run.replace((of_row, call))),
                }
            }
            self.end(run);
        }
        for ((day, link, confidence, reason), n) in linked {
            *self.days.entry((day, link)).or_default() += n;
            *self.links.entry((link, confidence)).or_default() += n;
            if reason != NONE {
                *self.reasons.entry(reason).or_default() += n;
            }
        }
        Ok(())
    }

    /// Adds the second use of a call, whose account is that of the key's ARN.
    fn use_source(&mut self, of_call: Use, call: Calls) {
        let account = self.texts.text(of_call.key).and_then(|arn| arn.split(':').nth(4)).map(str::to_owned);
        let key_account = account.map_or(NONE, |account| self.texts.code(&account));
        self.found.entry(Use { key_account, ..of_call }).or_default().add(call);
    }

    fn takes(&self, choice: &Choice, account: Code, region: Code) -> bool {
        choice.takes_all_places()
            || choice
                .takes_place(self.texts.text(account).unwrap_or_default(), self.texts.text(region).unwrap_or_default())
    }

    fn end(&mut self, run: Option<(Use, Calls)>) {
        if let Some((of_run, calls)) = run {
            self.found.entry(of_run).or_default().add(calls);
        }
    }

    /// Adds the uses up by what `by` keeps of them; those for which it returns none are passed over.
    pub(crate) fn by<const N: usize>(&self, by: impl Fn(&Use) -> Option<[Code; N]>) -> Vec<Sum<N>> {
        let mut sums: HashMap<[Code; N], Calls, RandomState> = HashMap::default();
        for (of_use, calls) in &self.found {
            if let Some(codes) = by(of_use) {
                sums.entry(codes).or_default().add(*calls);
            }
        }
        sums.into_iter().collect()
    }

    /// Returns the most frequent sums, `most` at most, the first in the order of their texts where they are as frequent.
    pub(crate) fn first<const N: usize>(&self, mut sums: Vec<Sum<N>>, most: usize) -> Vec<Sum<N>> {
        // Nulls come last, as the SQL says.
        let texts = |codes: &[Code; N]| codes.map(|code| (code == NONE, self.texts.text(code).unwrap_or_default()));
        let order = |(one, of_one): &Sum<N>, (other, of_other): &Sum<N>| {
            of_other.n.cmp(&of_one.n).then_with(|| texts(one).cmp(&texts(other)))
        };
        if sums.len() > most {
            sums.select_nth_unstable_by(most, order);
            sums.truncate(most);
        }
        sums.sort_unstable_by(order);
        sums
    }
}
