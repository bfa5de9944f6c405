//! Values that are meant to be one: spellings of a name, a town, a product.
//!
//! Two ways, those of `OpenRefine`: values with the same key ([`Keyer`]) are one cluster, in linear time; values within a few
//! edits of each other ([`pairs_within`]) are found without looking at all pairs, and none is missed.
//!
//! ```
//! use modelops_cleaning::fuzzy::{Keyer, clusters_by_key};
//!
//! let values = [("São Paulo", 7), ("Paulo, São", 2), ("sao  paulo", 7), ("Rio", 3)];
//! let clusters = clusters_by_key(&values, Keyer::Fingerprint);
//! assert_eq!(clusters.len(), 1);
//! assert_eq!(clusters[0].members, [0, 1, 2]);
//! // The most frequent value stands for all, of equally frequent ones the first in the order of their characters.
//! assert_eq!(values[clusters[0].canonical].0, "São Paulo");
//! ```

mod edits;
mod keys;

use std::collections::BTreeMap;

pub use edits::pairs_within;
pub use keys::Keyer;

/// Values that are likely meant to be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The value that stands for all: the most frequent, of equally frequent ones the first in the order of their characters.
    pub canonical: usize,
    /// The values, in their order; two at least.
    pub members: Vec<usize>,
}

fn cluster(values: &[(impl AsRef<str>, u64)], members: Vec<usize>) -> Option<Cluster> {
    let text = |at: usize| values[at].0.as_ref();
    let order = |&a: &usize, &b: &usize| values[b].1.cmp(&values[a].1).then_with(|| text(a).cmp(text(b)));
    let canonical = members.iter().copied().min_by(order)?;
    (members.len() > 1).then_some(Cluster { canonical, members })
}

/// Clusters of different values with the same key, in the order of their first members; each value comes with how often it
/// occurs. Values without a key, punctuation alone for instance, are in no cluster.
///
/// # Complexity
/// O(characters) expected.
#[must_use]
pub fn clusters_by_key(values: &[(impl AsRef<str>, u64)], keyer: Keyer) -> Vec<Cluster> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, (text, _)) in values.iter().enumerate() {
        let key = keyer.key(text.as_ref());
        if !key.is_empty() {
            groups.entry(key).or_default().push(at);
        }
    }
    gather(values, groups.into_values())
}

/// Clusters of values that are linked by steps of at most `edits` edits each, in the order of their first members; each
/// value comes with how often it occurs.
///
/// A chain of small steps may join values that are far apart: look at large clusters before merging them.
///
/// # Complexity
/// As [`pairs_within`].
#[must_use]
pub fn clusters_within(values: &[(impl AsRef<str>, u64)], edits: usize) -> Vec<Cluster> {
    let texts: Vec<&str> = values.iter().map(|(text, _)| text.as_ref()).collect();
    let mut roots: Vec<usize> = (0..values.len()).collect();
    for (a, b, _) in pairs_within(&texts, edits) {
        let (a, b) = (root(&mut roots, a), root(&mut roots, b));
        let first = a.min(b);
        roots[a] = first;
        roots[b] = first;
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in 0..values.len() {
        groups.entry(root(&mut roots, at)).or_default().push(at);
    }
    gather(values, groups.into_values())
}

fn root(roots: &mut [usize], mut at: usize) -> usize {
    while roots[at] != at {
        roots[at] = roots[roots[at]];
        at = roots[at];
    }
    at
}

fn gather(values: &[(impl AsRef<str>, u64)], groups: impl Iterator<Item = Vec<usize>>) -> Vec<Cluster> {
    let mut clusters: Vec<Cluster> = groups.filter_map(|members| cluster(values, members)).collect();
    clusters.sort_unstable_by_key(|cluster| cluster.members[0]);
    clusters
}
