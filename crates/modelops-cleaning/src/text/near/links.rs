//! Verified pairs, and exact similarity of sets.

/// Two documents whose exact Jaccard similarity reaches the threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// The one that came first.
    pub earlier: usize,
    /// The one that came later.
    pub later: usize,
    /// |A ∩ B| / |A ∪ B| of their shingle sets, in \[threshold, 1\].
    pub jaccard: f64,
}

/// Exact Jaccard similarity of two ascending sets where it reaches `threshold`.
pub(super) fn jaccard_from(a: &[u64], b: &[u64], threshold: f64) -> Option<f64> {
    let (short, long) = (a.len().min(b.len()), a.len().max(b.len()));
    // |A ∩ B| ≤ min and |A ∪ B| ≥ max.
    if short == 0 || (short as f64 / long as f64) < threshold {
        return None;
    }
    let (mut i, mut j, mut shared) = (0, 0, 0usize);
    while i < a.len() && j < b.len() {
        let (x, y) = (a[i], b[j]);
        shared += usize::from(x == y);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    let jaccard = shared as f64 / (a.len() + b.len() - shared) as f64;
    (jaccard >= threshold).then_some(jaccard)
}
