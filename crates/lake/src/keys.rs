//! Keys to look for.

use ahash::RandomState;
use hashbrown::HashTable;

/// Texts, each once. They lie one behind the other in one block, for a search may be for millions.
#[derive(Debug, Default)]
pub struct Keys {
    texts: String,
    /// Where each text ends.
    ends: Vec<usize>,
    /// The position of each text among the ends.
    positions: HashTable<usize>,
    hasher: RandomState,
}

impl Keys {
    /// Adds a text; tells whether it was not there.
    pub fn insert(&mut self, key: &str) -> bool {
        let hash = self.hasher.hash_one(key);
        let text = |at: usize| text(&self.texts, &self.ends, at);
        let rehash = |at: &usize| self.hasher.hash_one(text(*at));
        let vacant = match self.positions.entry(hash, |at| text(*at) == key, rehash) {
            hashbrown::hash_table::Entry::Occupied(_) => return false,
            hashbrown::hash_table::Entry::Vacant(vacant) => vacant,
        };
        vacant.insert(self.ends.len());
        self.texts.push_str(key);
        self.ends.push(self.texts.len());
        true
    }

    /// Tells whether a text is there.
    pub fn contains(&self, key: &str) -> bool {
        self.positions.find(self.hasher.hash_one(key), |at| text(&self.texts, &self.ends, *at) == key).is_some()
    }

    /// Tells how many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns all, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|at| text(&self.texts, &self.ends, at))
    }
}

impl<S: AsRef<str>> Extend<S> for Keys {
    fn extend<I: IntoIterator<Item = S>>(&mut self, keys: I) {
        for key in keys {
            self.insert(key.as_ref());
        }
    }
}

impl<S: AsRef<str>> FromIterator<S> for Keys {
    fn from_iter<I: IntoIterator<Item = S>>(keys: I) -> Self {
        let mut all = Self::default();
        all.extend(keys);
        all
    }
}

fn text<'t>(texts: &'t str, ends: &[usize], at: usize) -> &'t str {
    let begin = if at == 0 { 0 } else { ends[at - 1] };
    &texts[begin..ends[at]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_there_once_and_in_its_place_however_many_there_are() {
        let mut keys = Keys::default();
        assert!(keys.is_empty() && !keys.contains(""));
        let texts: Vec<String> = (0..1000).map(|n| if n == 7 { String::new() } else { n.to_string() }).collect();
        for text in &texts {
            assert!(keys.insert(text), "{text}");
            assert!(!keys.insert(text), "{text}");
        }
        assert_eq!(keys.len(), texts.len());
        assert!(keys.iter().eq(texts.iter().map(String::as_str)));
        assert!(texts.iter().all(|text| keys.contains(text)));
        assert!(!keys.contains("7") && !keys.contains("1000"));
    }
}
