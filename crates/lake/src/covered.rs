//! The parts of `events`, `sessions` and `remembered` of which the products of a lake were made.
//!
//! It is written in the same change as the products, so it never says more than they hold. The footer of a part says
//! what it was merged from, so merging changes nothing about what is covered.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;
use trailweave_table::PRODUCTS;

use crate::Change;
use crate::Lake;
use crate::LakeError;
use crate::Merged;
use crate::Part;

/// The parts that the products of a lake were made of, and by which rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    /// The version of the rules that made the products.
    pub rules: u32,
    /// The size of each part by its path below the lake's folder.
    parts: BTreeMap<PathBuf, u64>,
    /// The merged parts that hold covered ones beside others, by such paths: of their rows the products know some.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    mixed: BTreeSet<PathBuf>,
    /// The files of the products, by such paths.
    products: BTreeSet<PathBuf>,
}

impl Covered {
    /// Covers all of `parts`.
    pub fn of(lake: &Lake, rules: u32, parts: &[Part]) -> Self {
        let parts = parts.iter().map(|part| (lake.below(&part.path).to_owned(), part.bytes)).collect();
        Self { rules, parts, mixed: BTreeSet::new(), products: BTreeSet::new() }
    }

    /// Tells whether the same parts are covered.
    pub fn has_parts_of(&self, other: &Self) -> bool {
        self.parts == other.parts && self.mixed == other.mixed
    }

    /// Tells whether all parts are covered that the other covers.
    pub fn has_all_of(&self, other: &Self) -> bool {
        other.parts.iter().all(|(path, bytes)| self.has(path, *bytes))
            && other.mixed.iter().all(|path| self.parts.contains_key(path))
    }

    /// Tells whether a part holds rows that the products know beside others. What is new cannot be followed then.
    pub fn is_mixed(&self) -> bool {
        !self.mixed.is_empty()
    }

    /// Tells whether the files of the products are still the ones that were made.
    pub fn has_its_products(&self, lake: &Lake) -> Result<bool, LakeError> {
        Ok(self.products == products(lake)?)
    }

    /// Reads which parts the products of the lake were made of; `None` where there are none, or nothing says it.
    pub fn read(lake: &Lake) -> Result<Option<Self>, LakeError> {
        // A run that cannot read it makes the products anew, which is slow and right.
        Ok(lake.read(&path(lake))?.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    /// Puts merged parts in the place of those that they hold: covered where all of these were, mixed where some were.
    pub fn follow(&mut self, lake: &Lake, parts: &[Part]) -> Result<(), LakeError> {
        let (mut gone, mut come, mut mixed) = (Vec::new(), Vec::new(), Vec::new());
        for part in parts.iter().filter(|part| !self.has(lake.below(&part.path), part.bytes)) {
            let below = lake.below(&part.path).to_owned();
            let merged = Merged::read(lake, &part.path)?;
            let mut knows_any = false;
            for it in &merged {
                it.visit(&mut |path| {
                    knows_any |= self.parts.contains_key(path) || self.mixed.contains(path);
                    gone.push(path.to_owned());
                });
            }
            if !merged.is_empty() && merged.iter().all(|it| self.has_merged(it)) {
                come.push((below, part.bytes));
            } else if knows_any {
                mixed.push(below);
            }
        }
        for path in gone {
            self.parts.remove(&path);
            self.mixed.remove(&path);
        }
        self.parts.extend(come);
        self.mixed.extend(mixed);
        Ok(())
    }

    /// Returns the parts missing from `now`.
    pub fn gone<'a>(&'a self, now: &'a Self) -> impl Iterator<Item = &'a Path> {
        let parts = self.parts.iter().filter(|(path, bytes)| !now.has(path, **bytes)).map(|(path, _)| path);
        parts.chain(self.mixed.iter().filter(|path| !now.parts.contains_key(*path))).map(PathBuf::as_path)
    }

    /// Covers parts no longer that leave the lake.
    pub fn forget_parts<'p>(&mut self, lake: &Lake, gone: impl Iterator<Item = &'p Part>) {
        for part in gone {
            self.parts.remove(lake.below(&part.path));
        }
    }

    /// Covers a part more, which holds nothing that the products do not know.
    pub fn add(&mut self, lake: &Lake, part: &Part) {
        self.parts.insert(lake.below(&part.path).to_owned(), part.bytes);
    }

    /// Lets it appear with the products, of which `change` holds all that is new.
    pub fn stage(mut self, lake: &Lake, change: &mut Change<'_>) -> Result<(), LakeError> {
        self.products = change.outcome(products(lake)?);
        self.products.retain(|path| PRODUCTS.iter().any(|table| path.starts_with(table.name)));
        let staged = change.promise(&path(lake));
        lake.write(&staged, &serde_json::to_vec(&self).expect("paths of a lake are text"))
    }

    /// Lets the products count as made of nothing, because rows leave `events`: nothing follows what is not there any
    /// more.
    pub fn forget(lake: &Lake, change: &mut Change<'_>) {
        change.remove(&path(lake));
    }

    /// Tells whether a part, as it is now, is among them.
    pub fn has(&self, path: &Path, bytes: u64) -> bool {
        self.parts.get(path) == Some(&bytes)
    }

    /// Tells whether a part that was merged is among them, or all are that it was merged from.
    fn has_merged(&self, it: &Merged) -> bool {
        self.has(&it.path, it.bytes) || !it.from.is_empty() && it.from.iter().all(|it| self.has_merged(it))
    }

    /// Counts the parts.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Tells whether there were none.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

/// Returns the files of the products that stand in the lake.
fn products(lake: &Lake) -> Result<BTreeSet<PathBuf>, LakeError> {
    let mut files = BTreeSet::new();
    for table in PRODUCTS {
        files.extend(lake.parts(table)?.iter().map(|part| lake.below(&part.path).to_owned()));
    }
    Ok(files)
}

fn path(lake: &Lake) -> PathBuf {
    lake.state_dir().join("covered.json")
}
