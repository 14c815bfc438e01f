//! A chain, drawn as a tree in time, or as a graph.

mod line;
mod missing;
mod repeats;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::io::Write;

use anstyle::Style;
use trailweave_correlate::Call;
use trailweave_correlate::Cause;
use trailweave_correlate::Chain;
use trailweave_correlate::Copy;
use trailweave_correlate::Event;

use crate::escape::escape;
use crate::report::counted;

pub(crate) use line::Look;

use line::{BAD, DOUBTFUL, FAINT, GOOD, Line, PLAIN, STRONG};
use missing::{said, said_together};

const UNNAMED: &str = "an unnamed principal";

/// Draws `chain`: below its identifier what is to be known of it and what is missing, then the causes in time, below each
/// cause the KMS calls that it made.
pub(crate) fn draw(out: &mut impl Write, chain: &Chain, look: Look) -> io::Result<()> {
    Line::default().name(&chain.id).write(out, look)?;
    for key in &chain.keys {
        Line::default().with(PLAIN, "is an alias of ").name(key).write(out, look)?;
    }
    for note in notes(chain) {
        Line::default().name(note).write(out, look)?;
    }
    let missing = if look.is_full { chain.missing.iter().map(said).collect() } else { said_together(&chain.missing) };
    for (sign, lack) in missing {
        Line::default().with(BAD, sign).name(lack).write(out, look)?;
    }
    for (position, cause) in chain.causes.iter().enumerate() {
        let last = position + 1 == chain.causes.len();
        let (branch, stem) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        headline(Line::default().with(FAINT, branch), cause).write(out, look)?;
        draw_calls(out, stem, &cause.calls, look)?;
    }
    Ok(())
}

/// Writes `chain` in Graphviz's language: EC2 events, the KMS calls that they made, and what those touched.
pub(crate) fn dot(out: &mut impl Write, chain: &Chain) -> io::Result<()> {
    writeln!(out, "digraph {} {{\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];", quoted(&chain.id))?;
    let mut touched = BTreeSet::new();
    for (position, cause) in chain.causes.iter().enumerate() {
        // The first records have no ids.
        let id = cause.event.as_ref().map(|event| event.event_id.clone()).filter(|id| !id.is_empty());
        let id = id.unwrap_or_else(|| format!("cause {position}"));
        let label = match &cause.event {
            Some(event) => format!("{}\n{}\n{}", event.name, event.time, actor(event)),
            None => unmatched(cause),
        };
        writeln!(out, "  {} [shape=box, label={}];", quoted(&id), quoted(&label))?;
        for (n, call) in cause.calls.iter().enumerate() {
            let of_call = call.event_id.clone().unwrap_or_else(|| format!("{id} {n}"));
            let failed = call.error_code.as_ref().map(|code| format!("\nfailed: {code}")).unwrap_or_default();
            let label = format!("{}\n{}{failed}", call.name, call.time);
            writeln!(out, "  {} [label={}];", quoted(&of_call), quoted(&label))?;
            let link = call.confidence.as_deref().map(|it| format!("{}, {it}", call.link)).unwrap_or_default();
            writeln!(out, "  {} -> {} [label={}];", quoted(&id), quoted(&of_call), quoted(&link))?;
            let ids = [&call.instance_id, &call.volume_id, &call.snapshot_id, &call.grant_id, &call.key_arn];
            for it in ids.into_iter().flatten().chain(source_key(call)) {
                writeln!(out, "  {} -> {} [style=dashed];", quoted(&of_call), quoted(it))?;
                touched.insert(it);
            }
        }
    }
    for it in touched {
        writeln!(out, "  {} [shape=note];", quoted(it))?;
    }
    let lacks = chain.missing.iter().map(said).map(|(sign, lack)| (format!("{sign}{lack}"), "red"));
    let labels = notes(chain).into_iter().map(|note| (note, "black")).chain(lacks);
    for (n, (label, colour)) in labels.enumerate() {
        let (id, label) = (quoted(&format!("note {n}")), quoted(&label));
        writeln!(out, "  {id} [shape=plaintext, fontcolor={colour}, label={label}];")?;
    }
    writeln!(out, "}}")
}

/// Says which launch is not among the causes, which days are gone, and how much is left out.
fn notes(chain: &Chain) -> Vec<String> {
    let launch = chain.launch.as_ref().map(|launch| format!("launched by {} at {}", actor(launch), launch.time));
    let pruned = chain.pruned_before.as_ref().map(|day| format!("days before {day} were pruned"));
    let more = (chain.more_events > 0).then(|| {
        let events = counted(chain.more_events, "later event", "later events");
        format!("left out: {events}; --since and --until choose a time")
    });
    [launch, pruned, more].into_iter().flatten().collect()
}

/// Quotes a text of which line breaks remain, and no other control character.
fn quoted(text: &str) -> String {
    let lines = text.split('\n').map(|line| escape(line).replace('\\', "\\\\").replace('"', "\\\""));
    format!("\"{}\"", lines.collect::<Vec<_>>().join("\\n"))
}

fn unmatched(cause: &Cause) -> String {
    format!("no EC2 event: {}", cause.unmatched_reason.as_deref().unwrap_or("unknown"))
}

fn headline(line: Line, cause: &Cause) -> Line {
    let Some(event) = &cause.event else { return line.with(STRONG, unmatched(cause)) };
    let line = line.with(PLAIN, format!("{}  ", event.time)).with(STRONG, &event.name);
    let line = line.with(BAD, failed(event.error_code.as_deref())).with(PLAIN, "  by ").name(actor(event));
    let from = event.source_ip_address.as_ref().map(|address| format!(" from {address}")).unwrap_or_default();
    let logged = logged_in(event.recipient_account_id.as_deref(), &event.copies);
    line.with(PLAIN, from).with(PLAIN, "  event ").name(&event.event_id).with(PLAIN, logged)
}

fn failed(error_code: Option<&str>) -> String {
    error_code.map(|code| format!(" failed: {code}")).unwrap_or_default()
}

/// Says in which accounts an event was logged, where it was in several.
fn logged_in(account: Option<&str>, copies: &[Copy]) -> String {
    let others = copies.iter().filter_map(|copy| copy.recipient_account_id.as_deref());
    let accounts: Vec<&str> = account.into_iter().chain(others).collect();
    if copies.is_empty() { String::new() } else { format!("  logged in {}", accounts.join(" and ")) }
}

/// Names the caller of an EC2 call and the principal behind it.
fn actor(event: &Event) -> String {
    let by = named(event.principal_arn.as_ref(), event.principal_account_id.as_ref());
    let by = by.unwrap_or_else(|| UNNAMED.to_owned());
    match &event.root_principal_arn {
        Some(root) if *root != by => format!("{by}, for {root}"),
        _ => by,
    }
}

/// Names a caller by its ARN, or by its account: the copy of a key's owner has no more.
fn named(arn: Option<&String>, account: Option<&String>) -> Option<String> {
    arn.cloned().or_else(|| Some(format!("account {}", account?)))
}

fn draw_calls(out: &mut impl Write, stem: &str, calls: &[Call], look: Look) -> io::Result<()> {
    let groups = if look.is_full { calls.iter().map(|call| vec![call]).collect() } else { repeats::grouped(calls) };
    for (position, group) in groups.iter().enumerate() {
        let last = position + 1 == groups.len();
        let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        line_of(Line::default().with(FAINT, format!("{stem}{branch}")), group).write(out, look)?;
        let touched = touched(group);
        if !touched.is_empty() {
            let line = Line::default().with(FAINT, format!("{stem}{below}     "));
            let names = touched.into_iter().enumerate();
            let spaced = names.fold(line, |line, (n, name)| line.with(PLAIN, if n > 0 { "  " } else { "" }).name(name));
            spaced.write(out, look)?;
        }
    }
    Ok(())
}

/// Tells of calls that are alike: when, which, how often, how their cause is known, by whom.
fn line_of(line: Line, group: &[&Call]) -> Line {
    let (first, last) = (group[0], group[group.len() - 1]);
    let line = match group.len() {
        1 => line.with(PLAIN, format!("{}  ", first.time)).with(STRONG, &first.name),
        n => line
            .with(STRONG, format!("{} x {n}", first.name))
            .with(PLAIN, format!("  between {} and {}", first.time, last.time)),
    };
    let known = first.confidence.as_ref().map(|confidence| format!("  [{}, {confidence}]", first.link));
    let line = line.with(BAD, failed(first.error_code.as_deref()));
    let line = line.with(sureness(first), known.unwrap_or_default()).with(PLAIN, "  by ");
    let callers: BTreeSet<String> = group.iter().map(|call| caller(call)).collect();
    let logged =
        if group.len() == 1 { logged_in(first.recipient_account_id.as_deref(), &first.copies) } else { String::new() };
    line.name(caller(first)).with(PLAIN, more(callers.len())).with(PLAIN, logged)
}

fn sureness(call: &Call) -> Style {
    if call.confidence.as_deref() == Some("exact") { GOOD } else { DOUBTFUL }
}

/// Says that a name stands for so many.
fn more(n: usize) -> String {
    if n > 1 { format!(", {} more", n - 1) } else { String::new() }
}

fn caller(call: &Call) -> String {
    match (named(call.principal_arn.as_ref(), call.principal_account_id.as_ref()), &call.invoked_by) {
        (Some(caller), Some(service)) => format!("{caller} through {service}"),
        (Some(caller), None) => caller,
        (None, Some(service)) => service.clone(),
        (None, None) => UNNAMED.to_owned(),
    }
}

/// Returns the key that a `ReEncrypt` decrypts with, where it is not the one that it encrypts with.
fn source_key(call: &Call) -> Option<&String> {
    call.source_key_arn.as_ref().filter(|arn| call.key_arn.as_ref() != Some(*arn))
}

/// Names what calls touched, the narrow first.
fn touched(group: &[&Call]) -> Vec<String> {
    let one_of = |name: fn(&Call) -> Option<String>| {
        let names: BTreeSet<String> = group.iter().filter_map(|call| name(call)).collect();
        group.iter().find_map(|call| name(call)).map(|first| first + &more(names.len()))
    };
    let grant = |call: &Call| {
        let id = call.grant_id.as_ref()?;
        Some(format!("grant {}", id.get(..12).map_or_else(|| id.clone(), |head| format!("{head}.."))))
    };
    let names: [fn(&Call) -> Option<String>; 7] = [
        |call| call.instance_id.clone(),
        |call| call.volume_id.clone(),
        |call| call.snapshot_id.clone(),
        |call| call.caller_instance_id.as_ref().map(|id| format!("called from {id}")),
        grant,
        |call| call.key_arn.as_ref().map(|arn| format!("key {arn}")),
        |call| source_key(call).map(|arn| format!("source key {arn}")),
    ];
    names.into_iter().filter_map(one_of).collect()
}
