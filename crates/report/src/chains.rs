//! *Chains*: the calls around one identifier, as rows.

use arrow::array::RecordBatch;
use trailweave_lake::read::{Ask, Keys, seek};
use trailweave_lake::{Lake, LakeError};
use trailweave_table::CORRELATED;

use crate::choice::{Choice, quoted};
use crate::texts::{micros, text};

/// The calls of a chain that are shown.
pub(crate) const MAX_CALLS: usize = 25;
/// The calls of a reason that are shown.
pub(crate) const MAX_EXAMPLES: usize = 5;

/// The columns of a call that are shown, in their order.
pub(crate) const COLUMNS: [&str; 20] = [
    "kms_event_time",
    "kms_event_name",
    "kms_error_code",
    "instance_id",
    "volume_id",
    "key_arn",
    "grant_id",
    "link",
    "confidence",
    "ec2_event_time",
    "ec2_event_name",
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
const BESIDE: [&str; 6] = [
    "aws_region",
    "caller_instance_id",
    "grant_event_id",
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

    fn order(&self) -> (Option<i64>, Option<&str>, Option<&str>) {
        (self.time("kms_event_time"), self.text("kms_event_id"), self.text("recipient_account_id"))
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
    most: usize,
    /// The calls, in time, the first of them only.
    pub(crate) calls: Vec<Call>,
    pub(crate) n_calls: usize,
}

impl Chain {
    /// Asks for the chain of an instance, volume, key, grant or principal.
    pub(crate) fn of(id: &str, element: String, arns: impl Iterator<Item = String>) -> Self {
        let columns: &[&str] = match id.split_once(['-', ':']).map(|(kind, _)| kind) {
            Some("i") => &["instance_id", "caller_instance_id"],
            Some("vol") => &["volume_id"],
            Some("snap") => &["snapshot_id"],
            Some("arn") if id.contains(":key/") => &["key_arn"],
            Some("arn") => &["launch_principal_arn", "root_principal_arn", "ec2_principal_arn", "kms_principal_arn"],
            _ => &["grant_id", "key_arn", "kms_event_id", "ec2_event_id"],
        };
        let values = [id.to_owned()].into_iter().chain(arns).collect();
        Self { id: id.to_owned(), element, columns, values, most: MAX_CALLS, calls: Vec::new(), n_calls: 0 }
    }

    /// Asks for examples of calls without a cause.
    pub(crate) fn why(reason: &str) -> Self {
        Self {
            id: reason.to_owned(),
            element: format!("why-{reason}"),
            columns: &["unmatched_reason"],
            values: vec![reason.to_owned()],
            most: MAX_EXAMPLES,
            calls: Vec::new(),
            n_calls: 0,
        }
    }

    pub(crate) fn is_of_reason(&self) -> bool {
        self.columns == ["unmatched_reason"]
    }

    /// Returns the SQL of its calls.
    pub(crate) fn sql(&self, choice: &Choice) -> String {
        let values = self.values.iter().map(|it| quoted(it)).collect::<Vec<_>>().join(", ");
        let any = self.columns.iter().map(|column| format!("{column} IN ({values})")).collect::<Vec<_>>().join(" OR ");
        format!(
            "SELECT\n  {}\nFROM correlated{}\nORDER BY kms_event_time, kms_event_id, recipient_account_id\nLIMIT {}",
            COLUMNS.join(", "),
            choice.rows(&[format!("({any})")]),
            self.most
        )
    }

    fn matches(&self, call: &Call, rows: &RecordBatch, row: usize) -> bool {
        let has = |value: Option<&str>| value.is_some_and(|value| self.values.iter().any(|it| it == value));
        self.columns.iter().any(|column| has(call.text(column)) || has(text(rows, column, row)))
    }

    fn add(&mut self, call: &Call) {
        self.n_calls += 1;
        self.calls.push(call.clone());
        if self.calls.len() > 8 * self.most {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.calls.sort_by(|one, other| one.order().cmp(&other.order()));
        self.calls.truncate(self.most);
    }
}

/// Finds the calls of the chains. Those of instances are sought together.
pub(crate) fn find(lake: &Lake, choice: &Choice, chains: &mut [Chain]) -> Result<(), LakeError> {
    let (mut reasons, mut others): (Vec<_>, Vec<_>) = chains.iter_mut().partition(|chain| chain.is_of_reason());
    let parts = lake.parts(&CORRELATED)?;
    let chosen = || parts.iter().filter(|part| choice.takes_part(part));
    for part in chosen() {
        seek_in_part(lake, choice, part, &mut others)?;
    }
    // The first day that has enough examples ends the search of a reason.
    for chain in &mut reasons {
        let mut day = None;
        for part in chosen() {
            if chain.n_calls >= chain.most && day != part.event_date {
                break;
            }
            day.clone_from(&part.event_date);
            seek_in_part(lake, choice, part, std::slice::from_mut(chain))?;
        }
    }
    chains.iter_mut().for_each(Chain::cut);
    Ok(())
}

fn seek_in_part(
    lake: &Lake,
    choice: &Choice,
    part: &trailweave_lake::Part,
    chains: &mut [&mut Chain],
) -> Result<(), LakeError> {
    let mut columns: Vec<&'static str> = chains.iter().flat_map(|chain| chain.columns).copied().collect();
    columns.sort_unstable();
    columns.dedup();
    let keys_of = |column: &&'static str| {
        let of_column = chains.iter().filter(|chain| chain.columns.contains(column));
        of_column.flat_map(|chain| &chain.values).collect::<Keys>()
    };
    let keys: Vec<Keys> = columns.iter().map(keys_of).collect();
    let asks: Vec<_> = columns.iter().zip(&keys).map(|(column, keys)| Ask::all(column, keys)).collect();
    let wanted: Vec<&str> = COLUMNS.iter().chain(&BESIDE).copied().chain(["snapshot_id"]).collect();
    for rows in seek(lake, part, &wanted, &asks)? {
        for row in 0..rows.num_rows() {
            let call = Call::of(&rows, row);
            let of = |column| call.text(column).unwrap_or_default();
            if !choice.takes_place(of("recipient_account_id"), of("aws_region")) {
                continue;
            }
            for chain in chains.iter_mut() {
                if chain.matches(&call, &rows, row) {
                    chain.add(&call);
                }
            }
        }
    }
    Ok(())
}
