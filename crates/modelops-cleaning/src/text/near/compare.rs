//! Why two documents are near, in shingles that a person can read.

use super::Shingle;
use std::collections::BTreeSet;

/// The shingles that two texts share, and those that only one has.
///
/// # Example
///
/// ```
/// use modelops_cleaning::text::near::{NearDuplicates, Shingle};
/// let search = NearDuplicates::new(0.5, 0.9)?.with_shingle(Shingle::Words(2))?;
/// let comparison = search.compare("one two three four", "one two three five");
/// assert_eq!(comparison.jaccard(), Some(0.5)); // 2 shared of 4
/// assert_eq!(comparison.shared(), ["one two", "two three"]);
/// assert_eq!(comparison.only_right(), ["three five"]);
/// # Ok::<(), modelops_cleaning::text::near::NearError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    shared: Vec<String>,
    only_left: Vec<String>,
    only_right: Vec<String>,
}

impl Comparison {
    pub(super) fn of(shingle: Shingle, left: &str, right: &str) -> Self {
        let left: BTreeSet<String> = shingle.texts(left).into_iter().collect();
        let right: BTreeSet<String> = shingle.texts(right).into_iter().collect();
        Self {
            shared: left.intersection(&right).cloned().collect(),
            only_left: left.difference(&right).cloned().collect(),
            only_right: right.difference(&left).cloned().collect(),
        }
    }

    /// |A ∩ B| / |A ∪ B|; none where neither text has a shingle.
    #[must_use]
    pub fn jaccard(&self) -> Option<f64> {
        let union = self.shared.len() + self.only_left.len() + self.only_right.len();
        (union > 0).then(|| self.shared.len() as f64 / union as f64)
    }

    /// Shingles of both, in lexical order.
    #[must_use]
    pub fn shared(&self) -> &[String] {
        &self.shared
    }

    /// Shingles of the left text alone, in lexical order.
    #[must_use]
    pub fn only_left(&self) -> &[String] {
        &self.only_left
    }

    /// Shingles of the right text alone, in lexical order.
    #[must_use]
    pub fn only_right(&self) -> &[String] {
        &self.only_right
    }
}
