//! A chain, drawn as a tree in time.

use std::io;
use std::io::Write;

use trailweave_correlate::Call;
use trailweave_correlate::Cause;
use trailweave_correlate::Chain;

/// Draws `chain`: below its identifier the causes in time, below each cause the KMS calls that it made.
pub(crate) fn draw(out: &mut impl Write, chain: &Chain) -> io::Result<()> {
    writeln!(out, "{}", chain.id)?;
    for (position, cause) in chain.causes.iter().enumerate() {
        let last = position + 1 == chain.causes.len();
        let (branch, stem) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        writeln!(out, "{branch}{}", headline(cause))?;
        draw_calls(out, stem, &cause.calls)?;
    }
    Ok(())
}

fn headline(cause: &Cause) -> String {
    let Some(event) = &cause.event else {
        return format!("no EC2 event: {}", cause.unmatched_reason.as_deref().unwrap_or("unknown"));
    };
    let by = event.principal_arn.as_deref().unwrap_or("an unnamed principal");
    let from = event.source_ip_address.as_ref().map(|address| format!(" from {address}")).unwrap_or_default();
    let failed = event.error_code.as_ref().map(|code| format!(" failed: {code}")).unwrap_or_default();
    format!("{}  {}{failed}  by {by}{from}  event {}", event.time, event.name, event.event_id)
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

/// What a call touched, the narrow first.
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
