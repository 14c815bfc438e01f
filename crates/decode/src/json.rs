//! Walks simd-json's tape, with the coercions that CloudTrail's payloads need.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::Hash;

use simd_json::Node;
use simd_json::StaticNode;

/// Up to so many are compared with each other rather than hashed.
pub(crate) const FEW: usize = 16;

/// A value on the tape. One that is not there reads as null, so paths chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Json<'t>(&'t [Node<'t>]);

impl<'t> Json<'t> {
    pub(crate) const NULL: Self = Json(&[Node::Static(StaticNode::Null)]);

    /// The value at the head of a tape.
    pub(crate) fn root(tape: &'t [Node<'t>]) -> Self {
        if tape.is_empty() { Self::NULL } else { Json(tape) }
    }

    pub(crate) fn is_null(self) -> bool {
        matches!(self.0[0], Node::Static(StaticNode::Null))
    }

    /// A string.
    pub(crate) fn string(self) -> Option<&'t str> {
        match self.0[0] {
            Node::String(text) => Some(text),
            _ => None,
        }
    }

    /// A string, or an integer or truth value in words.
    pub(crate) fn scalar(self) -> Option<Cow<'t, str>> {
        match self.0[0] {
            Node::String(text) => Some(Cow::Borrowed(text)),
            Node::Static(StaticNode::Bool(truth)) => Some(Cow::Borrowed(if truth { "true" } else { "false" })),
            Node::Static(StaticNode::U64(integer)) => Some(Cow::Owned(integer.to_string())),
            // simd-json reads `-0` as this zero; it is no integer.
            Node::Static(StaticNode::I64(integer)) => (integer != 0).then(|| Cow::Owned(integer.to_string())),
            _ => None,
        }
    }

    /// A truth value, also as a string.
    pub(crate) fn truth(self) -> Option<bool> {
        match self.0[0] {
            Node::Static(StaticNode::Bool(truth)) => Some(truth),
            Node::String("true") => Some(true),
            Node::String("false") => Some(false),
            _ => None,
        }
    }

    /// The last field of this name.
    pub(crate) fn get(self, key: &str) -> Self {
        self.get_where(|name| name == key)
    }

    /// The last field of a name such as this.
    pub(crate) fn get_where(self, is_meant: impl Fn(&str) -> bool) -> Self {
        self.fields().filter(|(name, _)| is_meant(name)).last().map_or(Self::NULL, |(_, value)| value)
    }

    /// The first of the `keys` that holds something.
    pub(crate) fn get_any(self, keys: &[&str]) -> Self {
        keys.iter().map(|key| self.get(key)).find(|value| !value.is_null()).unwrap_or(Self::NULL)
    }

    /// The fields of an object, none of anything else.
    pub(crate) fn fields(self) -> Fields<'t> {
        match self.0[0] {
            Node::Object { count, .. } => Fields(&self.0[1..=count]),
            _ => Fields(&[]),
        }
    }

    /// The elements of an array, none of anything else.
    pub(crate) fn elements(self) -> Elements<'t> {
        match self.0[0] {
            Node::Array { count, .. } => Elements(&self.0[1..=count]),
            _ => Elements(&[]),
        }
    }

    /// The elements of what EC2 means as a list: an array, `{"items":[..]}`, `{"item":..}`, or one element alone.
    pub(crate) fn items(self) -> Vec<Self> {
        match self.0[0] {
            Node::Array { .. } => self.elements().collect(),
            Node::Object { .. } => {
                let inner = self.get_any(&["items", "item"]);
                if inner.is_null() { vec![self] } else { inner.items() }
            }
            _ => Vec::new(),
        }
    }
}

/// The fields of an object in logged order.
#[derive(Debug)]
pub(crate) struct Fields<'t>(&'t [Node<'t>]);

impl<'t> Iterator for Fields<'t> {
    type Item = (&'t str, Json<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        let (Node::String(key), rest) = self.0.split_first()? else {
            return None;
        };
        let (value, rest) = rest.split_at(size(rest.first()?));
        self.0 = rest;
        Some((key, Json(value)))
    }
}

/// The elements of an array in logged order.
#[derive(Debug)]
pub(crate) struct Elements<'t>(&'t [Node<'t>]);

impl<'t> Iterator for Elements<'t> {
    type Item = Json<'t>;

    fn next(&mut self) -> Option<Self::Item> {
        let (value, rest) = self.0.split_at(size(self.0.first()?));
        self.0 = rest;
        Some(Json(value))
    }
}

/// How many nodes of the tape a value takes.
fn size(node: &Node<'_>) -> usize {
    match node {
        Node::Object { count, .. } | Node::Array { count, .. } => count + 1,
        _ => 1,
    }
}

/// Keeps the last of the entries that share a key, in order. Linear where there are many, because a hostile record may
/// have very many.
pub(crate) fn keep_last<K: Copy + Eq + Hash, V>(entries: &mut Vec<(K, V)>) {
    if entries.len() <= FEW {
        for at in (0..entries.len()).rev() {
            if entries[at + 1..].iter().any(|(key, _)| *key == entries[at].0) {
                entries.remove(at);
            }
        }
        return;
    }
    let mut seen = HashSet::new();
    entries.reverse();
    entries.retain(|(key, _)| seen.insert(*key));
    entries.reverse();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_key_stays_whether_few_or_many() {
        for n in [2, FEW, FEW + 1, 10 * FEW] {
            let mut entries: Vec<(usize, usize)> = (0..n).map(|at| (at % (n / 2), at)).collect();
            keep_last(&mut entries);
            let expected: Vec<_> = (n - n / 2..n).map(|at| (at % (n / 2), at)).collect();
            assert_eq!(entries, expected, "{n}");
        }
    }
}
