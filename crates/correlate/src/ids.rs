//! Numbers for identifiers, and lists of rows by them.

use std::collections::HashMap;
use std::hash::Hash;

use ahash::RandomState;

/// No identifier, no row.
pub(crate) const NONE: u32 = u32::MAX;

/// Numbers keys as they come.
#[derive(Debug)]
pub(crate) struct Ids<K>(HashMap<K, u32, RandomState>);

impl<K> Default for Ids<K> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Copy + Eq + Hash> Ids<K> {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Returns the number of a key, which may be new.
    pub(crate) fn number(&mut self, key: K) -> u32 {
        let next = u32::try_from(self.0.len()).expect("fewer identifiers than rows can name");
        *self.0.entry(key).or_insert(next)
    }

    /// Returns the number of a key that has one.
    pub(crate) fn get(&self, key: K) -> u32 {
        self.0.get(&key).copied().unwrap_or(NONE)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Numbers texts as they come, and knows the text of each number.
#[derive(Debug, Default)]
pub(crate) struct Names<'a> {
    ids: Ids<&'a str>,
    texts: Vec<&'a str>,
}

impl<'a> Names<'a> {
    pub(crate) fn number(&mut self, text: &'a str) -> u32 {
        let number = self.ids.number(text);
        if number as usize == self.texts.len() {
            self.texts.push(text);
        }
        number
    }

    /// Returns the number of a text that has one.
    pub(crate) fn get(&self, text: &str) -> u32 {
        self.ids.0.get(text).copied().unwrap_or(NONE)
    }

    pub(crate) fn text(&self, number: u32) -> Option<&'a str> {
        self.texts.get(number as usize).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }
}

/// Numbers that are marked. [`NONE`] never is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    is_marked: Vec<bool>,
    marked: Vec<u32>,
}

impl Marks {
    /// Marks a number; tells whether it was not.
    pub(crate) fn insert(&mut self, number: u32) -> bool {
        if number == NONE || self.has(number) {
            return false;
        }
        if self.is_marked.len() <= number as usize {
            self.is_marked.resize(number as usize + 1, false);
        }
        self.is_marked[number as usize] = true;
        self.marked.push(number);
        true
    }

    pub(crate) fn extend(&mut self, numbers: impl IntoIterator<Item = u32>) {
        for number in numbers {
            self.insert(number);
        }
    }

    pub(crate) fn has(&self, number: u32) -> bool {
        self.is_marked.get(number as usize).is_some_and(|it| *it)
    }

    /// Returns all, in the order in which they were marked.
    pub(crate) fn all(&self) -> impl Iterator<Item = u32> + '_ {
        self.marked.iter().copied()
    }
}

/// A row under an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) key: u32,
    /// The row's account and region.
    pub(crate) home: u32,
    pub(crate) row: u32,
}

/// Lists of rows by identifier, each in the order of the rows, once all together and once by home.
#[derive(Debug)]
pub(crate) struct Index {
    /// The begin of the list of each key; one more at the end.
    starts: Vec<usize>,
    rows: Vec<u32>,
    homes: Vec<u32>,
    rows_by_home: Vec<u32>,
}

impl Index {
    /// Sorts rows under their keys. Needs: keys are below `n_keys`. A row that is there twice under a key counts once.
    pub(crate) fn new(n_keys: usize, mut entries: Vec<Entry>) -> Self {
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

    /// Returns the rows under a key.
    pub(crate) fn of(&self, key: u32) -> &[u32] {
        &self.rows[self.list(key)]
    }

    /// Returns the rows under a key that are of one home.
    pub(crate) fn at_home(&self, key: u32, home: u32) -> &[u32] {
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
