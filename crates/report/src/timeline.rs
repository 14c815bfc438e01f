//! A chain as a picture: EC2 events and the KMS calls that they made, one below the other in time.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use trailweave_lake::read::Keys;

use crate::chains::{COLUMNS, Call, Chain};
use crate::choice::Choice;
use crate::grid::{Cell, Grid, short};

const LINE: usize = 24;
/// Letters of a line, with the name of the event.
const MAX_CHARS: usize = 116;
/// Letters of a grant's id in it, which are enough to tell it from others.
const GRANT_CHARS: usize = 12;

/// A chain as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Drawn {
    element: String,
    id: String,
    is_why: bool,
    /// The principal that launched the instance; `root` is the one behind it.
    launched_by: Option<Cell>,
    launched_at: Cell,
    root: Option<Cell>,
    keys: Vec<Cell>,
    volumes: Vec<Cell>,
    n_calls: usize,
    height: usize,
    marks: Vec<Mark>,
    missing: Vec<String>,
    objects: Vec<Cell>,
    calls: Grid,
}

/// A line of the picture.
#[derive(Debug, Serialize)]
struct Mark {
    y: usize,
    time: String,
    is_cause: bool,
    /// Where the cause of a call stands, and how that is known.
    from: Option<usize>,
    confidence: String,
    title: String,
    name: String,
    says: String,
    is_failed: bool,
}

/// Draws a chain.
pub(crate) fn draw(chain: &Chain, choice: &Choice, ended: &Keys) -> Drawn {
    let calls = &chain.calls;
    let all = |columns: &[&str]| -> Vec<Cell> {
        let of_calls = calls.iter().flat_map(|call| columns.iter().filter_map(move |column| call.text(column)));
        let values: BTreeSet<&str> = of_calls.collect();
        values.into_iter().map(|it| Cell::id(Some(it))).collect()
    };
    // Several launches may stand behind any other chain.
    let of_instance = calls.iter().filter(|call| chain.instance().is_some() && call.launched() == chain.instance());
    let of_instance: Vec<&Call> = of_instance.collect();
    let launched_by = of_instance.iter().find_map(|call| call.text("launch_principal_arn"));
    // The root of a call is that of its cause, which need not be the launch; without a cause it is that of the launch.
    let is_of_launch = |call: &&&Call| {
        let launch = call.text("launch_event_id");
        launch.is_some() && call.text("ec2_event_id").is_none_or(|cause| launch == Some(cause))
    };
    let root = of_instance.iter().filter(is_of_launch).find_map(|call| call.text("root_principal_arn"));
    let root = root.filter(|root| Some(*root) != launched_by);
    let marks = marks(calls);
    let is_why = chain.is_of_reason();
    Drawn {
        element: chain.element.clone(),
        id: chain.id.clone(),
        is_why,
        launched_by: launched_by.map(|it| Cell::id(Some(it))),
        launched_at: Cell::time(of_instance.iter().find_map(|call| call.time("launch_event_time"))),
        root: root.map(|it| Cell::id(Some(it))),
        keys: all(&["key_arn", "source_key_arn"]),
        volumes: all(&["volume_id"]),
        n_calls: chain.n_calls(),
        height: marks.len() * LINE + 12,
        marks,
        missing: if is_why { Vec::new() } else { missing(calls, ended) },
        objects: all(&["ec2_source_object", "kms_source_object"]),
        calls: grid(chain, choice),
    }
}

fn grid(chain: &Chain, choice: &Choice) -> Grid {
    let cell = |call: &Call, column: &&str| match *column {
        "kms_event_time" | "ec2_event_time" => Cell::time(call.time(column)),
        "kms_event_name"
        | "kms_error_code"
        | "link"
        | "confidence"
        | "ec2_event_name"
        | "ec2_error_code"
        | "recipient_account_id" => Cell::text(call.text(column)),
        _ => Cell::id(call.text(column)),
    };
    Grid {
        id: format!("calls-{}", chain.element),
        heads: COLUMNS.to_vec(),
        rows: chain.calls.iter().map(|call| COLUMNS.iter().map(|column| cell(call, column)).collect()).collect(),
        sql: chain.sql(choice),
        left_out: if chain.is_of_reason() { 0 } else { chain.n_calls() - chain.calls.len() },
    }
}

/// An event as it is told from others: by its id or, as the first records have none, by its time, its name and its object.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct CauseId<'c> {
    id: Option<&'c str>,
    nameless: Option<(Option<i64>, &'c str, Option<&'c str>)>,
}

/// Returns what tells the cause of a call from others, if it has one.
fn cause_id(call: &Call) -> Option<CauseId<'_>> {
    let name = call.text("ec2_event_name")?;
    let id = call.text("ec2_event_id");
    let nameless = id.is_none().then(|| (call.time("ec2_event_time"), name, call.text("ec2_source_object")));
    Some(CauseId { id, nameless })
}

/// Puts causes and calls one below the other in time, a cause before its calls.
fn marks<'c>(calls: &'c [Call]) -> Vec<Mark> {
    let mut causes: BTreeMap<CauseId<'_>, &Call> = BTreeMap::new();
    for call in calls {
        if let Some(id) = cause_id(call) {
            causes.entry(id).or_insert(call);
        }
    }
    let mut lines: Vec<(Option<i64>, bool, CauseId<'_>, &Call)> = Vec::new();
    lines.extend(causes.iter().map(|(id, call)| (call.time("ec2_event_time"), false, *id, *call)));
    let line = |call: &'c Call| {
        let id = CauseId { id: call.text("kms_event_id"), ..CauseId::default() };
        (call.time("kms_event_time"), true, id, call)
    };
    lines.extend(calls.iter().map(line));
    lines.sort_by(|one, other| (one.0, one.1, one.2).cmp(&(other.0, other.1, other.2)));
    let y = |nth: usize| nth * LINE + LINE / 2;
    let causes: BTreeMap<CauseId<'_>, usize> =
        lines.iter().enumerate().filter(|(_, line)| !line.1).map(|(nth, line)| (line.2, y(nth))).collect();
    let mark = |(nth, (time, is_call, _, call)): (usize, &(Option<i64>, bool, CauseId<'_>, &Call))| {
        let what = if *is_call { call_says(call) } else { cause_says(call) };
        let name = call.text(if *is_call { "kms_event_name" } else { "ec2_event_name" }).unwrap_or_default();
        let error = call.text(if *is_call { "kms_error_code" } else { "ec2_error_code" });
        Mark {
            y: y(nth),
            time: Cell::time(*time).shown,
            is_cause: !is_call,
            from: cause_id(call).filter(|_| *is_call).and_then(|id| causes.get(&id).copied()),
            confidence: call.text("confidence").filter(|_| *is_call).unwrap_or("none").to_owned(),
            name: name.to_owned(),
            is_failed: error.is_some(),
            title: what.clone(),
            says: cut(&what, MAX_CHARS.saturating_sub(name.len())),
        }
    };
    lines.iter().enumerate().map(mark).collect()
}

fn cause_says(call: &Call) -> String {
    let by = call.text("ec2_principal_arn").map_or_else(|| "an unnamed principal".to_owned(), short);
    let root = call.text("root_principal_arn").filter(|root| Some(*root) != call.text("ec2_principal_arn"));
    let root = root.map(|it| format!(", for {}", short(it))).unwrap_or_default();
    let from = call.text("ec2_source_ip_address").map(|it| format!(" from {it}")).unwrap_or_default();
    let failed = call.text("ec2_error_code").map(|code| format!("failed: {code}  ")).unwrap_or_default();
    format!("{failed}by {by}{root}{from}")
}

fn call_says(call: &Call) -> String {
    let failed = call.text("kms_error_code").map(|code| format!("failed: {code}"));
    let known = match (call.text("link"), call.text("confidence"), call.text("unmatched_reason")) {
        (Some(link), Some(confidence), _) => format!("[{link}, {confidence}]"),
        (.., Some(reason)) => format!("[no cause: {reason}]"),
        _ => "[no cause]".to_owned(),
    };
    let is_of_grant =
        call.text("link") == Some("grant") || call.text("kms_event_name").is_some_and(|it| it.ends_with("Grant"));
    let grant = call.text("grant_id").filter(|_| is_of_grant).map(|it| format!("grant {}", cut(it, GRANT_CHARS)));
    let on = call.text("volume_id").map(|it| format!("on {it}"));
    let by = match (call.text("kms_principal_arn"), call.text("kms_principal_account_id")) {
        (Some(caller), _) => format!("by {}", short(caller)),
        (None, Some(account)) => format!("by account {account}"),
        (None, None) => "caller not named".to_owned(),
    };
    [failed, on, grant, Some(known), Some(by)].into_iter().flatten().collect::<Vec<_>>().join("  ")
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}\u{2026}", &text[..at]),
        None => text.to_owned(),
    }
}

/// Says what a whole chain would have and these calls have not.
fn missing(calls: &[Call], ended: &Keys) -> Vec<String> {
    let mut missing = BTreeSet::new();
    let is_decrypted = |volume: &str| {
        let is = |call: &Call| call.text("kms_event_name") == Some("Decrypt") && call.text("volume_id") == Some(volume);
        calls.iter().any(|call| is(call) && call.text("kms_error_code").is_none())
    };
    for call in calls.iter().filter(|call| call.text("kms_error_code").is_none()) {
        let (volume, grant) = (call.text("volume_id"), call.text("grant_id"));
        match call.text("kms_event_name").unwrap_or_default() {
            "Decrypt" if volume.is_some() && call.text("grant_event_id").is_none() => {
                let time = Cell::time(call.time("kms_event_time")).shown;
                missing.insert(format!("the CreateGrant that allowed the Decrypt of {time}"));
            }
            "CreateGrant" => {
                missing.extend(
                    grant
                        .filter(|it| !ended.contains(it))
                        .map(|it| format!("grant {it} is still open: the lake has no RetireGrant or RevokeGrant")),
                );
            }
            name if name.starts_with("GenerateDataKey") => {
                missing.extend(
                    volume.filter(|it| !is_decrypted(it)).map(|it| {
                        format!("a Decrypt for {it}: it was never attached, or its Decrypt is not in the lake")
                    }),
                );
            }
            _ => {}
        }
    }
    missing.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chains::tests::{call, chain};

    fn draw_calls(id: &str, calls: Vec<Call>) -> Drawn {
        draw(&chain(id, calls), &Choice::default(), &Keys::default())
    }

    #[test]
    fn a_cause_that_failed_is_drawn_so() {
        let cause = [("ec2_event_id", "run"), ("ec2_event_name", "RunInstances"), ("ec2_error_code", "Client.Denied")];
        let drawn = draw_calls("vol-0a", vec![call(&[&cause[..], &[("kms_event_id", "decrypt")][..]].concat())]);
        let [cause, call] = drawn.marks.as_slice() else { panic!("{:?}", drawn.marks) };
        assert!(cause.is_cause && cause.is_failed && cause.says.starts_with("failed: Client.Denied  by "), "{cause:?}");
        assert!(!call.is_cause && !call.is_failed, "{call:?}");
    }

    #[test]
    fn the_principals_of_a_launch_are_those_of_the_launch_of_the_instance() {
        let of = |instance, launcher, cause, root| {
            call(&[
                ("instance_id", instance),
                ("launch_event_id", "run"),
                ("launch_principal_arn", launcher),
                ("ec2_event_id", cause),
                ("root_principal_arn", root),
            ])
        };
        let attached = of("i-0a", "role", "attach", "mallory");
        let others = of("i-0b", "other", "run", "eve");
        let principals = |id: &str, calls: &[&Call]| {
            let drawn = draw_calls(id, calls.iter().map(|call| (*call).clone()).collect());
            [drawn.launched_by, drawn.root].map(|it| it.map(|cell| cell.value))
        };
        let expected = |launcher: &str, root: Option<&str>| [Some(launcher.to_owned()), root.map(str::to_owned)];
        assert_eq!(principals("i-0a", &[&others, &attached]), expected("role", None));
        let launch = of("i-0a", "role", "run", "alice");
        assert_eq!(principals("i-0a", &[&others, &attached, &launch]), expected("role", Some("alice")));
        let causeless = call(&[
            ("instance_id", "i-0a"),
            ("launch_event_id", "run"),
            ("launch_principal_arn", "role"),
            ("root_principal_arn", "alice"),
        ]);
        assert_eq!(principals("i-0a", &[&attached, &causeless]), expected("role", Some("alice")));
        assert_eq!(principals("arn:aws:kms:eu-west-1:111122223333:key/k", &[&launch, &others]), [None, None]);
    }
}
