//! The break item of a knapsack without sorting all of it.

use std::cmp::Ordering;

use crate::kernel::core_dp::Entry;

/// Below this many entries they are sorted.
const FEW: usize = 64;

/// Value per weight, the larger first; then the lighter one, then the earlier one.
fn by_efficiency(a: &Entry, b: &Entry) -> Ordering {
    let left = i128::from(b.value) * i128::from(a.weight);
    let right = i128::from(a.value) * i128::from(b.weight);
    left.cmp(&right)
        .then(a.weight.cmp(&b.weight))
        .then(a.index.cmp(&b.index))
}

/// The position of the break item in the order of efficiency: what is before it fits together, and does not with it. Nothing
/// before it is less efficient, and nothing after it more; the order is complete around it only.
///
/// All of them together are heavier than the capacity. O(n).
pub(crate) fn at_capacity(entries: &mut [Entry], capacity: i64) -> usize {
    let (mut low, mut high, mut left) = (0, entries.len(), capacity);
    while high - low > FEW {
        let middle = usize::midpoint(low, high);
        entries[low..high].select_nth_unstable_by(middle - low, by_efficiency);
        let weight: i64 = entries[low..middle].iter().map(|entry| entry.weight).sum();
        if weight <= left {
            left -= weight;
            low = middle;
        } else {
            high = middle;
        }
    }
    entries[low..high].sort_unstable_by(by_efficiency);
    while entries[low].weight <= left {
        left -= entries[low].weight;
        low += 1;
    }
    low
}
