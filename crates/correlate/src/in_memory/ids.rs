//! Numbers for identifiers, and lists of rows by them.

use std::collections::HashMap;
use std::hash::Hash;

use ahash::RandomState;

/// No identifier, no row.
pub(super) const NONE: u32 = u32::MAX;

/// Numbers keys as they come.
#[derive(Debug)]
pub(super) struct Ids<K>(HashMap<K, u32, RandomState>);

impl<K> Default for Ids<K> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Copy + Eq + Hash> Ids<K> {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The number of a key, which may be new.
    pub(super) fn number(&mut self, key: K) -> u32 {
        let next = u32::try_from(self.0.len()).expect("fewer identifiers than rows can name");
        *self.0.entry(key).or_insert(next)
    }

    /// The number of a key that has one.
    pub(super) fn get(&self, key: K) -> u32 {
        self.0.get(&key).copied().unwrap_or(NONE)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Numbers texts as they come, and knows the text of each number.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    ids: Ids<&'a str>,
    texts: Vec<&'a str>,
}

impl<'a> Names<'a> {
    pub(super) fn number(&mut self, text: &'a str) -> u32 {
        let number = self.ids.number(text);
        if number as usize == self.texts.len() {
            self.texts.push(text);
        }
        number
    }

    pub(super) fn text(&self, number: u32) -> Option<&'a str> {
        self.texts.get(number as usize).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }
}

/// A row under an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) key: u32,
    /// The row's account and region.
    pub(super) home: u32,
    pub(super) row: u32,
}

/// Lists of rows by identifier, each in the order of the rows, once all together and once by home.
#[derive(Debug)]
pub(super) struct Index {
    /// Where the list of each key begins; one more at the end.
    starts: Vec<usize>,
    rows: Vec<u32>,
    homes: Vec<u32>,
    rows_by_home: Vec<u32>,
}

impl Index {
    /// Needs: keys are below `n_keys`. A row that is there twice under a key counts once.
    pub(super) fn new(n_keys: usize, mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable();
        entries.dedup();
        let mut starts = vec![0; n_keys + 1];
        for entry in &entries {
            starts[entry.key as usize + 1] += 1;
        }
        for key in 0..n_keys {
            starts[key + 1] += starts[key];
        }
        let homes = entries.iter().map(|entry| entry.home).collect();
        let rows_by_home: Vec<u32> = entries.iter().map(|entry| entry.row).collect();
        let mut rows = rows_by_home.clone();
        for list in starts.windows(2) {
            rows[list[0]..list[1]].sort_unstable();
        }
        Self { starts, rows, homes, rows_by_home }
    }

    /// The rows under a key.
    pub(super) fn of(&self, key: u32) -> &[u32] {
        &self.rows[self.list(key)]
    }

    /// The rows under a key that are of one home.
    pub(super) fn at_home(&self, key: u32, home: u32) -> &[u32] {
        let list = self.list(key);
        let homes = &self.homes[list.clone()];
        let begin = homes.partition_point(|it| *it < home);
        let end = begin + homes[begin..].partition_point(|it| *it == home);
        &self.rows_by_home[list][begin..end]
    }

    fn list(&self, key: u32) -> std::ops::Range<usize> {
        let key = key as usize;
        if key + 1 < self.starts.len() { self.starts[key]..self.starts[key + 1] } else { 0..0 }
    }
}
