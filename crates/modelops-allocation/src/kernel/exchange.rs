//! Good selections of a knapsack around its break solution.

use crate::kernel::core_dp::{Best, Entry};

/// Fills the break solution greedily, and tries every single exchange around the break item.
pub(crate) fn fill(entries: &[Entry], at: usize, capacity: i64, best: &mut Best) {
    let sum = |part: fn(&Entry) -> i64| entries[..at].iter().map(part).sum::<i64>();
    let (weight, value) = (sum(|entry| entry.weight), sum(|entry| entry.value));
    let (mut filled, mut worth, mut flips) = (weight, value, Vec::new());
    for (i, entry) in entries.iter().enumerate().skip(at) {
        if filled + entry.weight <= capacity {
            filled += entry.weight;
            worth += entry.value;
            flips.push(i as u32);
        }
    }
    let mut most = best.value;
    let mut kept = None;
    if worth > most {
        (most, kept) = (worth, Some(flips));
    }
    // One out, the break item in; or one of the rest in, the last of the break solution out.
    let mut consider = |out: usize, into: usize| {
        let worth = value - entries[out].value + entries[into].value;
        if worth > most && weight - entries[out].weight + entries[into].weight <= capacity {
            (most, kept) = (worth, Some(vec![out as u32, into as u32]));
        }
    };
    for out in 0..at {
        consider(out, at);
    }
    if let Some(last) = at.checked_sub(1) {
        for into in at..entries.len() {
            consider(last, into);
        }
    }
    if let Some(flips) = kept {
        adopt(entries, at, best, most, &flips);
    }
}

/// One in for one out, the best pair; then with the break item put in, and then with the lightest that is outside.
pub(crate) fn pairs(entries: &[Entry], at: usize, capacity: i64, best: &mut Best) {
    let mut order: Vec<(i64, u32)> = (0_u32..)
        .zip(entries)
        .map(|(i, entry)| (entry.weight, i))
        .collect();
    order.sort_unstable();
    let lightest = order.iter().map(|(_, i)| *i).find(|i| *i as usize >= at);
    for change in [None, Some(at as u32), lightest] {
        pair(entries, at, capacity, &order, change, best);
    }
}

/// The best exchange in O(n), after `change` was put in; `order` is by weight.
fn pair(
    entries: &[Entry],
    at: usize,
    capacity: i64,
    order: &[(i64, u32)],
    change: Option<u32>,
    best: &mut Best,
) {
    let inside = |i: u32| (i as usize) < at || change == Some(i);
    let value_of = |i: u32| entries[i as usize].value;
    let (mut weight, mut value) = (0, 0);
    for entry in entries[..at].iter().chain(change.map(|i| &entries[i as usize])) {
        weight += entry.weight;
        value += entry.value;
    }
    let room = capacity - weight;
    // The most valuable outside entry among those that are light enough; both sides go by weight.
    let mut outside = order.iter().filter(|(_, i)| !inside(*i)).peekable();
    let mut most: Option<u32> = None;
    let mut kept: Option<(i64, u32, u32)> = None;
    for (freed, out) in order.iter().filter(|(_, i)| inside(*i)) {
        while let Some((_, next)) = outside.next_if(|(weight, _)| *weight <= freed + room) {
            if most.is_none_or(|m| value_of(*next) > value_of(m)) {
                most = Some(*next);
            }
        }
        let Some(into) = most else { continue };
        let worth = value - value_of(*out) + value_of(into);
        if worth > kept.map_or(best.value, |(worth, ..)| worth) {
            kept = Some((worth, *out, into));
        }
    }
    if let Some((worth, out, into)) = kept {
        let flips: Vec<u32> = change.into_iter().chain([out, into]).collect();
        adopt(entries, at, best, worth, &flips);
    }
}

/// The break solution with these changed.
fn adopt(entries: &[Entry], at: usize, best: &mut Best, value: i64, flips: &[u32]) {
    best.value = value;
    best.taken.clear();
    best.taken.extend((0..entries.len()).map(|i| i < at));
    for i in flips {
        best.flip(*i);
    }
}
