//! Values within a few edits of each other.

use std::collections::HashMap;

/// All pairs of values within `edits` insertions, deletions and replacements of a character, as (first, second, distance), in
/// order. Equal values are a pair with distance 0.
///
/// A value cut into `edits + 1` pieces keeps one of them untouched by so many edits, so only values with a common piece at about
/// the same place are compared, each pair once, and none within reach is missed.
///
/// # Complexity
/// Expected O(values · edits² · length) look-ups, and a comparison O(length²) for each candidate. Pieces get short, and
/// candidates many, where `edits` comes close to the length of the values.
///
/// # Example
/// ```
/// use modelops_cleaning::fuzzy::pairs_within;
/// assert_eq!(pairs_within(&["Berlin", "Berin", "Merlin", "Bonn"], 1), [(0, 1, 1), (0, 2, 1)]);
/// ```
///
/// # References
/// Li, Deng, Wang and Feng, "Pass-Join: A Partition-based Method for Similarity Joins", 2011, arXiv:1111.7171.
#[doc(alias("levenshtein", "edit_distance"))]
#[must_use]
pub fn pairs_within(values: &[impl AsRef<str>], edits: usize) -> Vec<(usize, usize, usize)> {
    let letters: Vec<Vec<char>> = values.iter().map(|v| v.as_ref().chars().collect()).collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by_key(|&at| (letters[at].len(), at));
    // Pieces of the values so far: their value's length, their number, their letters.
    let mut pieces: HashMap<(usize, usize, &[char]), Vec<usize>> = HashMap::new();
    // Values too short for as many pieces.
    let mut short: Vec<usize> = Vec::new();
    let mut found = Vec::new();
    let mut candidates: Vec<usize> = Vec::new();
    for at in order {
        let text = letters[at].as_slice();
        candidates.clear();
        if text.len() <= 2 * edits {
            candidates.extend(&short);
        }
        for length in text.len().saturating_sub(edits).max(edits + 1)..=text.len() {
            for piece in 0..=edits {
                let (start, end) = borders(length, edits, piece);
                let last = (start + edits).min(text.len().saturating_sub(end - start));
                for from in start.saturating_sub(edits)..=last {
                    if let Some(with) = pieces.get(&(length, piece, &text[from..from + end - start])) {
                        candidates.extend(with);
                    }
                }
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
        for &other in &candidates {
            let distance = strsim::generic_levenshtein(&letters[other], &letters[at]);
            if distance <= edits {
                found.push((at.min(other), at.max(other), distance));
            }
        }
        if text.len() <= edits {
            short.push(at);
            continue;
        }
        for piece in 0..=edits {
            let (start, end) = borders(text.len(), edits, piece);
            pieces
                .entry((text.len(), piece, &text[start..end]))
                .or_default()
                .push(at);
        }
    }
    found.sort_unstable();
    found
}

/// Where a piece of a value of `length` characters, one of `edits + 1` of about equal length, begins and ends.
fn borders(length: usize, edits: usize, piece: usize) -> (usize, usize) {
    let border = |piece: usize| piece * length / (edits + 1);
    (border(piece), border(piece + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The table of all prefixes.
    fn slow(a: &[char], b: &[char]) -> usize {
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, x) in a.iter().enumerate() {
            let mut corner = row[0];
            row[0] = i + 1;
            for (j, y) in b.iter().enumerate() {
                let replaced = corner + usize::from(x != y);
                corner = row[j + 1];
                row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
            }
        }
        row[b.len()]
    }

    proptest! {
        /// Law: exactly the pairs within reach, with their distances.
        #[test]
        fn no_pair_within_reach_is_missed(
            values in proptest::collection::vec("[abé]{0,9}", 0..40),
            edits in 0usize..4,
        ) {
            let letters: Vec<Vec<char>> = values.iter().map(|v| v.chars().collect()).collect();
            let mut all = Vec::new();
            for a in 0..values.len() {
                for b in a + 1..values.len() {
                    let distance = slow(&letters[a], &letters[b]);
                    if distance <= edits {
                        all.push((a, b, distance));
                    }
                }
            }
            prop_assert_eq!(pairs_within(&values, edits), all);
        }
    }
}
