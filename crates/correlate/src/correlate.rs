//! One correlation: which events are new, the fold over them, and the change that puts the products in their place.

use trailweave_lake::Covered;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::Part;
use trailweave_table::{JOINED, Table};

use crate::CorrelateError;
use crate::CorrelateOptions;
use crate::Progress;
use crate::Scope;
use crate::Summary;
use crate::fold;
use crate::pool::pool;
use crate::replacement::Replacement;
use crate::summary;

/// The version of the rules of `docs/join.md` and of the products' columns. Products of another are made anew.
pub const RULES: u32 = 8;

/// New events below this are followed through the lake, whatever share of it they are.
const MANY_BYTES: u64 = 64 << 20;

/// Brings the products of `lake` up to its events, and replaces what that changes together, so that a kill leaves the old
/// products or the new ones. The products of the same events are the same bytes, whatever `options` say and however
/// often it was done while the events came.
///
/// Needs: the lake's lock, held by the caller.
pub fn correlate(lake: &Lake, options: &CorrelateOptions, progress: &Progress) -> Result<Summary, CorrelateError> {
    let parts = joined(lake)?;
    let covers = Covered::of(lake, RULES, &parts);
    let covered = if options.scope == Scope::New { covered(lake, &parts)? } else { None };
    if let Some(covered) = &covered {
        refuse_gone(covered, &covers)?;
    }
    let pool = pool(options.threads)?;
    if covered.as_ref().is_some_and(|it| it.has_parts_of(&covers)) {
        return pool.install(|| summary::read(lake, Scope::New, 0, 0));
    }
    let covered = covered.filter(|it| is_worth_it(lake, it, &parts));
    let (products, scope) = match covered {
        Some(_) => (Replacement::of_what_is(lake)?, Scope::New),
        None => (Replacement::of_nothing(lake)?, Scope::Whole),
    };
    let is_new = |part: &Part| !covered.as_ref().is_some_and(|it| it.has(lake.below(&part.path), part.bytes));
    pool.install(|| {
        let slices = fold::fold(&products, parts, is_new, options, progress)?;
        let files = products.commit(covers)?;
        summary::read(lake, scope, files, slices)
    })
}

/// Lists the parts that the join reads.
pub fn joined(lake: &Lake) -> Result<Vec<Part>, LakeError> {
    parts_of(lake, &JOINED)
}

/// Lists the parts of tables.
pub(crate) fn parts_of(lake: &Lake, tables: &[&Table]) -> Result<Vec<Part>, LakeError> {
    let mut parts = Vec::new();
    for table in tables {
        parts.extend(lake.parts(table)?);
    }
    Ok(parts)
}

/// Returns what the products cover, of the parts that there are now; `None` where they are of other rules, or were touched.
pub fn covered(lake: &Lake, parts: &[Part]) -> Result<Option<Covered>, LakeError> {
    let Some(mut covered) = Covered::read(lake)?.filter(|it| it.rules == RULES) else { return Ok(None) };
    if !covered.has_its_products(lake)? {
        return Ok(None);
    }
    covered.follow(lake, parts)?;
    Ok(Some(covered))
}

/// Refuses to let the rows of parts that are gone leave the products: somebody removed the parts, by intent or not.
pub(crate) fn refuse_gone(covered: &Covered, covers: &Covered) -> Result<(), CorrelateError> {
    let mut gone = covered.gone(covers);
    match gone.next() {
        Some(path) => Err(CorrelateError::PartsGone { path: path.to_owned(), parts: 1 + gone.count() }),
        None => Ok(()),
    }
}

/// Tells whether the parts that `covered` lacks are few enough to be followed through the lake, and none of its own is gone,
/// is another now, or was merged with others: what is not there any more leads nowhere.
fn is_worth_it(lake: &Lake, covered: &Covered, parts: &[Part]) -> bool {
    let (old, new): (Vec<&Part>, Vec<&Part>) =
        parts.iter().partition(|part| covered.has(lake.below(&part.path), part.bytes));
    let bytes = |parts: &[&Part]| parts.iter().map(|part| part.bytes).sum::<u64>();
    !covered.is_mixed() && old.len() == covered.len() && (bytes(&new) < MANY_BYTES || bytes(&new) < bytes(&old) / 2)
}
