//! A chain, drawn as a tree in time, or as a graph.

use std::collections::BTreeSet;
use std::io;
use std::io::Write;

use trailweave_correlate::Call;
use trailweave_correlate::Cause;
use trailweave_correlate::Chain;
use trailweave_correlate::Event;
use trailweave_correlate::Missing;

/// Draws `chain`: below its identifier the causes in time, below each cause the KMS calls that it made.
pub(crate) fn draw(out: &mut impl Write, chain: &Chain) -> io::Result<()> {
    writeln!(out, "{}", chain.id)?;
    for (position, cause) in chain.causes.iter().enumerate() {
        let last = position + 1 == chain.causes.len();
        let (branch, stem) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        writeln!(out, "{branch}{}", headline(cause))?;
        draw_calls(out, stem, &cause.calls)?;
    }
    for missing in &chain.missing {
        writeln!(out, "missing: {}", said(missing))?;
    }
    Ok(())
}

fn said(missing: &Missing) -> String {
    match missing {
        Missing::Grant { kms_event_id, time } => {
            let id = kms_event_id.as_deref().unwrap_or("without an id");
            format!("the CreateGrant that allowed the Decrypt of {time}, event {id}")
        }
        Missing::Retirement { grant_id } => format!("the end of grant {grant_id}: no RetireGrant or RevokeGrant"),
        Missing::Decrypt { volume_id } => format!("a use of the data key of {volume_id}: no Decrypt"),
    }
}

/// Writes `chain` in Graphviz's language: EC2 events, the KMS calls that they made, and what those touched.
pub(crate) fn dot(out: &mut impl Write, chain: &Chain) -> io::Result<()> {
    writeln!(out, "digraph {} {{\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];", quoted(&chain.id))?;
    let mut touched = BTreeSet::new();
    for (position, cause) in chain.causes.iter().enumerate() {
        let (id, label) = match &cause.event {
            Some(event) => {
                let by = actor(event);
                (event.event_id.clone(), format!("{}\n{}\n{by}", event.name, event.time))
            }
            None => (format!("cause {position}"), headline(cause)),
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
            for it in ids.into_iter().flatten() {
                writeln!(out, "  {} -> {} [style=dashed];", quoted(&of_call), quoted(it))?;
                touched.insert(it);
            }
        }
    }
    for it in touched {
        writeln!(out, "  {} [shape=note];", quoted(it))?;
    }
    for (n, missing) in chain.missing.iter().enumerate() {
        let label = format!("missing: {}", said(missing));
        writeln!(
            out,
            "  {} [shape=plaintext, fontcolor=red, label={}];",
            quoted(&format!("missing {n}")),
            quoted(&label)
        )?;
    }
    writeln!(out, "}}")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

fn headline(cause: &Cause) -> String {
    let Some(event) = &cause.event else {
        return format!("no EC2 event: {}", cause.unmatched_reason.as_deref().unwrap_or("unknown"));
    };
    let by = actor(event);
    let from = event.source_ip_address.as_ref().map(|address| format!(" from {address}")).unwrap_or_default();
    let failed = event.error_code.as_ref().map(|code| format!(" failed: {code}")).unwrap_or_default();
    format!("{}  {}{failed}  by {by}{from}  event {}", event.time, event.name, event.event_id)
}

/// Names the caller of an EC2 call and the principal behind it.
fn actor(event: &Event) -> String {
    let by = event.principal_arn.as_deref().unwrap_or("an unnamed principal");
    match &event.root_principal_arn {
        Some(root) if root != by => format!("{by}, for {root}"),
        _ => by.to_owned(),
    }
}

fn draw_calls(out: &mut impl Write, stem: &str, calls: &[Call]) -> io::Result<()> {
    for (position, call) in calls.iter().enumerate() {
        let last = position + 1 == calls.len();
        let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let link =
            call.confidence.as_ref().map(|confidence| format!("  [{}, {confidence}]", call.link)).unwrap_or_default();
        let failed = call.error_code.as_ref().map(|code| format!(" failed: {code}")).unwrap_or_default();
        writeln!(out, "{stem}{branch}{}  {}{failed}{link}  by {}", call.time, call.name, caller(call))?;
        let touched = touched(call);
        if !touched.is_empty() {
            writeln!(out, "{stem}{below}     {touched}")?;
        }
    }
    Ok(())
}

fn caller(call: &Call) -> String {
    match (&call.principal_arn, &call.invoked_by) {
        (Some(arn), Some(service)) => format!("{arn} through {service}"),
        (Some(arn), None) => arn.clone(),
        (None, Some(service)) => service.clone(),
        (None, None) => "an unnamed principal".to_owned(),
    }
}

/// Names what a call touched, the narrow first.
fn touched(call: &Call) -> String {
    let grant = call
        .grant_id
        .as_ref()
        .map(|id| format!("grant {}", id.get(..12).map_or_else(|| id.clone(), |head| format!("{head}.."))));
    let key = call.key_arn.as_ref().map(|arn| format!("key {arn}"));
    let ids = [&call.instance_id, &call.volume_id, &call.snapshot_id];
    let caller = call.caller_instance_id.as_ref().map(|id| format!("called from {id}"));
    ids.into_iter().cloned().chain([caller, grant, key]).flatten().collect::<Vec<_>>().join("  ")
}
