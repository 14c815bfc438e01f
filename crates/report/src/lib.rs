//! One HTML page of what a lake holds, which opens anywhere without network.
//!
//! ```text
//!  ledger --------one pass--> Reading ---.
//!  correlated ----one pass--> Uses ------+--> grids (rows + their SQL), charts --template--> one page
//!   - copies  '----sought---> Chain -----|                                       escaped, CSP
//!  events, remembered ------> KeyEvents -|
//!  grants --------one pass--> Grants ----'
//! ```
//!
//! It reads columns of the lake's Parquet files and knows no engine of SQL: the SQL of each table on the page says the
//! same, and tests hold one against the other. What it keeps grows with the different uses of keys, not with the calls.

mod chains;
mod choice;
mod copies;
mod error;
mod grants;
mod grid;
mod keys;
mod links;
mod options;
mod page;
mod passes;
mod reading;
mod texts;
mod timeline;
mod uses;

use std::collections::HashMap;

use rayon::ThreadPoolBuilder;
use trailweave_lake::{Lake, LakeError};

pub use choice::Choice;
pub use error::ReportError;
pub use options::ReportOptions;

use chains::Chain;
use grants::Grants;
use keys::KeyEvents;
use page::Page;
use reading::Reading;
use texts::NONE;
use uses::Uses;

/// Chains of instances that are shown where none is chosen.
const MAX_CHAINS: usize = 25;

/// Writes the report of a lake as HTML.
pub fn report(lake: &Lake, options: &ReportOptions) -> Result<String, ReportError> {
    let threads = options.threads;
    let pool = ThreadPoolBuilder::new().num_threads(threads.get()).thread_name(|n| format!("report-{n}")).build();
    pool.map_err(|source| ReportError::Threads { threads, source })?.install(|| write(lake, options))
}

fn write(lake: &Lake, options: &ReportOptions) -> Result<String, ReportError> {
    let choice = &options.choice;
    let read_calls = || {
        let parts = copies::parts(lake, choice)?;
        let uses = Uses::read(lake, choice, &parts)?;
        Ok::<_, LakeError>((parts, uses))
    };
    let (calls, (reading, events)) =
        rayon::join(read_calls, || rayon::join(|| Reading::read(lake, choice), || KeyEvents::read(lake, choice)));
    let ((parts, uses), reading, events) = (calls?, reading?, events?);
    let mut chains = asked(options, &uses);
    let elements = chains.iter().map(|it| (it.id.clone(), it.element.clone())).collect::<HashMap<_, _>>();
    let element = |id: &str| elements.get(id).cloned();
    let (grants, [who, keys, foreign]) = rayon::join(
        || {
            chains::find(lake, choice, &parts, &mut chains)?;
            let of_calls = chains.iter().flat_map(|chain| &chain.calls);
            Grants::read(lake, choice, &of_calls.filter_map(|call| call.text("grant_id")).collect())
        },
        || [links::instances(&uses, choice, &element), keys::keys(&uses, choice), keys::foreign(&uses, choice)],
    );
    let grants = grants?;
    let (months, months_left_out) = reading.calendar();
    let page = Page {
        options,
        n_objects: reading.objects(),
        n_proven: reading.proven(),
        n_calls: uses.rows,
        is_relevant: lake.format().events == "relevant",
        pruned_before: reading.pruned_before(choice),
        reconciliation: reading.reconciliation(choice),
        verdicts: reading.verdicts(choice),
        days: reading.days(choice),
        months,
        months_left_out,
        who,
        links: links::links(&uses, choice),
        chart: links::chart(&uses),
        links_by_day: links::days(&uses, choice),
        reasons: links::reasons(&uses, choice),
        keys,
        users: keys::users(&uses, choice, &element),
        foreign,
        changes: events.changes(choice),
        alive: grants.alive(choice, &element),
        chains: chains.iter().map(|chain| timeline::draw(chain, choice, &grants.ended)).collect(),
    };
    Ok(page.html()?)
}

/// Returns the chains that are asked for: those chosen, of the busiest instances, and examples for each reason.
fn asked(options: &ReportOptions, uses: &Uses) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    let of_calls = uses.by(|it| (it.instance != NONE && !it.is_source).then_some([it.instance]));
    let instances = uses.first(of_calls, MAX_CHAINS);
    let busiest = instances.iter().filter_map(|([code], _)| uses.texts.text(*code)).map(str::to_owned);
    let keys: Vec<_> = uses.texts.iter().filter_map(|arn| Some((arn, arn.split_once(":key/")?.1))).collect();
    for id in options.ids.iter().map(|id| chains::trimmed(id)).chain(busiest) {
        if chains.iter().all(|chain| chain.id != id) {
            let arns = keys.iter().filter(|(_, key)| key.eq_ignore_ascii_case(&id)).map(|(arn, _)| (*arn).to_owned());
            chains.push(Chain::of(&id, format!("chain-{}", chains.len() + 1), arns));
        }
    }
    chains.extend(uses.reasons.keys().filter_map(|code| uses.texts.text(*code)).map(Chain::why));
    chains
}
