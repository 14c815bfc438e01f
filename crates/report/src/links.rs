//! *What was linked*: by rule and confidence, day by day, and what has no cause.

use serde::Serialize;
use trailweave_table::date_of_day;

use crate::choice::Choice;
use crate::grid::{Cell, Grid, grouped};
use crate::texts::NONE;
use crate::uses::{Sum, Uses};

/// The rules, in the order in which bars are stacked.
const RULES: [&str; 6] = ["request_id", "grant", "instance", "resource", "volume", "none"];
const MAX_LINES: usize = 15;
/// Days that are drawn.
const MAX_BARS: usize = 92;
/// Lines of the table of the same days.
const MAX_ROWS: usize = MAX_BARS * RULES.len();
const HEIGHT: u64 = 200;

/// Bars, one a day, of which each has a piece for each rule.
#[derive(Debug, Serialize)]
pub(crate) struct Chart {
    rules: [&'static str; 6],
    width: usize,
    bars: Vec<Bar>,
    /// The number at the top of the axis.
    most: String,
    left_out: usize,
}

#[derive(Debug, Serialize)]
struct Bar {
    x: usize,
    width: usize,
    day: String,
    /// True if its day is written below.
    is_named: bool,
    pieces: Vec<Piece>,
}

#[derive(Debug, Serialize)]
struct Piece {
    rule: &'static str,
    y: u64,
    height: u64,
    calls: String,
}

/// Shows which instance used which key, and who launched it.
pub(crate) fn instances(uses: &Uses, choice: &Choice, chain: &impl Fn(&str) -> Option<String>) -> Grid {
    let sums = uses.by(|it| (it.instance != NONE && it.key != NONE).then_some([it.instance, it.key, it.launcher]));
    let left_out = sums.len().saturating_sub(MAX_LINES);
    let row = |([instance, key, launcher], calls): &Sum<3>| {
        let instance = uses.texts.text(*instance);
        vec![
            Cell::id(instance).leads_to(instance.and_then(chain)),
            Cell::id(uses.texts.text(*key)),
            Cell::id(uses.texts.text(*launcher)),
            Cell::number(calls.n),
            Cell::time(Some(calls.first)),
            Cell::time(Some(calls.last)),
        ]
    };
    Grid {
        id: "who".into(),
        heads: vec!["instance", "used key", "launched by", "KMS calls", "first", "last"],
        rows: uses.first(sums, MAX_LINES).iter().map(row).collect(),
        sql: format!(
            "{}\nSELECT\n  instance_id, key_arn, launch_principal_arn, count(*) AS calls, min(kms_event_time) AS first_call,\n  \
             max(kms_event_time) AS last_call\nFROM used\nWHERE instance_id IS NOT NULL AND key_arn IS NOT NULL\n\
             GROUP BY 1, 2, 3\n\
             ORDER BY calls DESC, instance_id, key_arn, launch_principal_arn NULLS LAST\nLIMIT {MAX_LINES}",
            choice.uses()
        ),
        left_out,
    }
}

/// Counts the calls by rule and confidence.
pub(crate) fn links(uses: &Uses, choice: &Choice) -> Grid {
    let mut found: Vec<_> = uses.links.iter().collect();
    found.sort_by_key(|((link, confidence), n)| {
        (std::cmp::Reverse(**n), uses.texts.text(*link), *confidence == NONE, uses.texts.text(*confidence))
    });
    let row = |((link, confidence), n): &(&(u32, u32), &u64)| {
        vec![Cell::text(uses.texts.text(*link)), Cell::text(uses.texts.text(*confidence)), Cell::number(**n)]
    };
    Grid {
        id: "links-by-rule".into(),
        heads: vec!["link", "confidence", "KMS calls"],
        rows: found.iter().map(row).collect(),
        sql: format!(
            "{}\nSELECT link, confidence, count(*) AS calls\nFROM kms_calls\nGROUP BY 1, 2\n\
             ORDER BY calls DESC, link, confidence NULLS LAST",
            choice.calls()
        ),
        left_out: 0,
    }
}

/// Counts the calls by day and rule.
pub(crate) fn days(uses: &Uses, choice: &Choice) -> Grid {
    let mut found: Vec<_> =
        uses.days.iter().map(|((day, link), n)| (date_of_day(*day), uses.texts.text(*link), *n)).collect();
    found.sort();
    Grid {
        id: "links-by-day".into(),
        heads: vec!["day", "link", "KMS calls"],
        rows: found
            .iter()
            .take(MAX_ROWS)
            .map(|(day, link, n)| vec![Cell::text(Some(day)), Cell::text(*link), Cell::number(*n)])
            .collect(),
        sql: format!(
            "{}\nSELECT CAST(event_date AS VARCHAR) AS day, link, count(*) AS calls\nFROM kms_calls\nGROUP BY 1, 2\n\
             ORDER BY 1, 2\nLIMIT {MAX_ROWS}",
            choice.calls()
        ),
        left_out: found.len().saturating_sub(MAX_ROWS),
    }
}

/// Draws the calls of the last days.
pub(crate) fn chart(uses: &Uses) -> Chart {
    let mut days: Vec<i32> = uses.days.keys().map(|(day, _)| *day).collect();
    days.dedup();
    let left_out = days.len().saturating_sub(MAX_BARS);
    let days = &days[left_out..];
    let calls = |day: i32, rule: &str| {
        let of_rule =
            uses.days.range((day, 0)..=(day, NONE)).filter(|((_, link), _)| uses.texts.text(*link) == Some(rule));
        of_rule.map(|(_, n)| *n).sum::<u64>()
    };
    let total = |day: &i32| RULES.iter().map(|rule| calls(*day, rule)).sum::<u64>();
    let most = days.iter().map(total).max().unwrap_or_default().max(1);
    let step = (840 / days.len().max(1)).clamp(8, 90);
    let every = days.len().div_ceil(12).max(1);
    let bar = |(nth, day): (usize, &i32)| {
        let mut top = 0;
        let mut pieces = Vec::new();
        for rule in RULES {
            let n = calls(*day, rule);
            let (from, to) = (top * HEIGHT / most, (top + n) * HEIGHT / most);
            top += n;
            if n > 0 {
                pieces.push(Piece { rule, y: HEIGHT - to, height: (to - from).max(1), calls: grouped(n) });
            }
        }
        let day = date_of_day(*day);
        Bar { x: nth * step, width: step - step / 6, day, is_named: nth % every == 0, pieces }
    };
    let bars: Vec<_> = days.iter().enumerate().map(bar).collect();
    Chart { rules: RULES, width: (step * bars.len()).max(step), bars, most: grouped(most), left_out }
}

/// Counts the calls without a cause by reason.
pub(crate) fn reasons(uses: &Uses, choice: &Choice) -> Grid {
    let mut found: Vec<_> =
        uses.reasons.iter().map(|(reason, n)| (std::cmp::Reverse(*n), uses.texts.text(*reason))).collect();
    found.sort();
    let row = |(n, reason): &(std::cmp::Reverse<u64>, Option<&str>)| {
        let reason = reason.unwrap_or_default();
        let meaning = match reason {
            "no_ec2_event" => "the lake holds no EC2 event that explains it",
            "external_service" => "a service made it that logs no EC2 event for it",
            "instance_role" => "software on an instance made it, with the role of the instance",
            "denied" => "KMS refused it",
            "outside_lookback" => "it ends a grant that it does not name, or that was made before the lake begins",
            _ => "",
        };
        let mut shown = Cell::text(Some(reason)).leads_to(Some(format!("why-{reason}")));
        if !meaning.is_empty() {
            shown.shown = format!("{reason}: {meaning}");
        }
        vec![shown, Cell::number(n.0)]
    };
    Grid {
        id: "reasons".into(),
        heads: vec!["why there is no cause", "KMS calls"],
        rows: found.iter().map(row).collect(),
        sql: format!(
            "{}\nSELECT unmatched_reason, count(*) AS calls\nFROM kms_calls\nWHERE unmatched_reason IS NOT NULL\n\
             GROUP BY 1\nORDER BY calls DESC, 1",
            choice.calls()
        ),
        left_out: 0,
    }
}
