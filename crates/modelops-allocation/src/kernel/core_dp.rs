//! The 0/1 knapsack by dynamic programming over a core, in the order of the loss against a relaxation.
//!
//! A price of the capacity, and where it helps one of each item, makes a base selection the best of all; every other selection is
//! worth at most U − Σ loss(j) over the items where it differs from the base, where loss(j) ≥ 0 is what the item is worth below
//! or above its prices. Items are decided in the order of their loss; a partial selection is dropped once its bound cannot exceed
//! the target, or another one is at least as light and as valuable.
//!
//! The target is at first the largest value that the bound allows, then a little less, then twice as much less: the states grow
//! steeply with that distance, so that those before the last cost little, and no search is wider than the proof needs.

use crate::kernel::{count, exchange, split};
use crate::solver::Item;

pub(crate) struct Outcome {
    /// Ascending positions.
    pub(crate) chosen: Vec<usize>,
    pub(crate) bound: u64,
    pub(crate) proven: bool,
}

/// An item that is not decided beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) value: i64,
    pub(crate) weight: i64,
    pub(crate) index: u32,
}

/// The price of the capacity, value per weight as an exact fraction, and of each item on top of it, times the weight of the price.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Price {
    pub(crate) value: i64,
    pub(crate) weight: i64,
    pub(crate) each: i128,
}

impl Price {
    /// What an item is worth above its prices, times the weight of the price.
    pub(crate) fn reduced(&self, entry: &Entry) -> i128 {
        i128::from(entry.value) * i128::from(self.weight)
            - i128::from(self.value) * i128::from(entry.weight)
            - self.each
    }
}

/// The selections that a relaxation speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Branch {
    All,
    /// At most as many items as the count says.
    AtMost,
    /// At least as many.
    AtLeast,
}

/// Prices, the base that they make best, and how far the proof with them has come.
#[derive(Debug)]
pub(crate) struct Relaxation {
    pub(crate) branch: Branch,
    price: Price,
    base: Vec<bool>,
    weight: i64,
    value: i64,
    count: i32,
    /// The bound of the base, times the weight of the price.
    top: i128,
    /// Nothing in this branch is worth more.
    ceiling: i64,
}

impl Relaxation {
    /// `base` holds what is worth more than its prices, and nothing that is worth less.
    pub(crate) fn new(
        branch: Branch,
        entries: &[Entry],
        base: Vec<bool>,
        price: Price,
        capacity: i64,
        most: i64,
    ) -> Self {
        let (mut weight, mut value, mut count) = (0, 0, 0);
        for (entry, _) in entries.iter().zip(&base).filter(|(_, taken)| **taken) {
            weight += entry.weight;
            value += entry.value;
            count += 1;
        }
        let top = i128::from(value) * i128::from(price.weight)
            + i128::from(price.value) * i128::from(capacity - weight)
            + price.each * i128::from(most - i64::from(count));
        let all: i64 = entries.iter().map(|entry| entry.value).sum();
        let ceiling = top.div_euclid(price.weight.into()).clamp(0, all.into());
        Self {
            branch,
            price,
            base,
            weight,
            value,
            count,
            top,
            ceiling: ceiling as i64,
        }
    }

    /// Closes the branch, or comes as far as so many states bring it; they are taken off `left`.
    fn prove(&mut self, entries: &[Entry], capacity: i64, best: &mut Best, states: u64, left: &mut u64) {
        if self.weight <= capacity && self.value > best.value {
            best.value = self.value;
            best.taken.copy_from_slice(&self.base);
        }
        let mut budget = states.min(*left);
        *left -= budget;
        let mut step = 1;
        while self.ceiling > best.value && budget > 0 {
            let target = best.value.max(self.ceiling.saturating_sub(step));
            if !self.search(entries, capacity, target, best, &mut budget) {
                break;
            }
            self.ceiling = target.max(best.value);
            step = step.saturating_mul(2);
        }
        *left += budget;
    }

    /// Decides the core item by item; true when nothing is worth more than `target` and the best value.
    fn search(
        &self,
        entries: &[Entry],
        capacity: i64,
        target: i64,
        best: &mut Best,
        budget: &mut u64,
    ) -> bool {
        let slack = |target: i64| self.top - (i128::from(target) + 1) * i128::from(self.price.weight);
        // Losses that are too large together are rounded down: less is dropped then, never too much.
        let shift = (i128::BITS - slack(target).max(0).leading_zeros()).saturating_sub(62);
        let mut limit = (slack(target) >> shift) as i64;
        let mut core: Vec<(i64, u32)> = Vec::new();
        for (at, entry) in (0_u32..).zip(entries) {
            let loss = self.price.reduced(entry).abs() >> shift;
            if loss <= limit.into() {
                core.push((loss as i64, at));
            }
        }
        core.sort_unstable();
        let mut trace: Vec<Flip> = Vec::new();
        let mut states = vec![State {
            weight: self.weight,
            value: self.value,
            loss: 0,
            count: self.count,
            trace: ROOT,
        }];
        let mut merged: Vec<State> = Vec::new();
        let mut found = None;
        let mut closed = true;
        for (at, (loss, index)) in core.iter().enumerate() {
            let seen = 2 * states.len() as u64;
            if seen > *budget || trace.len() + states.len() >= ROOT as usize {
                *budget = 0;
                closed = false;
                break;
            }
            *budget -= seen;
            let entry = &entries[*index as usize];
            let sign: i64 = if self.base[*index as usize] { -1 } else { 1 };
            let flip = |s: &State| State {
                weight: s.weight + sign * entry.weight,
                value: s.value + sign * entry.value,
                loss: s.loss + loss,
                count: s.count + sign as i32,
                trace: s.trace,
            };
            // Whoever is kept needs at least one more decision, which costs at least the next loss.
            let next = core.get(at + 1).map_or(i64::MAX >> 1, |(loss, _)| *loss);
            merged.clear();
            let (mut stays, mut flips) = (states.iter().peekable(), states.iter().map(flip).peekable());
            let mut most = i64::MIN;
            loop {
                let stay = match (stays.peek(), flips.peek()) {
                    (Some(stay), Some(flip)) => self.before(stay, flip),
                    (stay, flip) if stay.is_none() && flip.is_none() => break,
                    (stay, _) => stay.is_some(),
                };
                let next_state = if stay { stays.next().copied() } else { flips.next() };
                let mut state = next_state.expect("one of both was there");
                // Dominated: something at least as light is at least as valuable.
                if state.value <= most {
                    continue;
                }
                if !stay && state.value > best.value && state.weight <= capacity {
                    best.value = state.value;
                    found = Some((*index, state.trace));
                    limit = (slack(target.max(best.value)) >> shift) as i64;
                }
                most = state.value;
                if state.loss + next <= limit {
                    if !stay {
                        trace.push(Flip {
                            item: *index,
                            before: state.trace,
                        });
                        state.trace = trace.len() as u32 - 1;
                    }
                    merged.push(state);
                }
            }
            std::mem::swap(&mut states, &mut merged);
            if states.is_empty() {
                break;
            }
        }
        if let Some((last, before)) = found {
            best.taken.copy_from_slice(&self.base);
            best.flip(last);
            let mut at = before;
            while at != ROOT {
                best.flip(trace[at as usize].item);
                at = trace[at as usize].before;
            }
        }
        closed
    }

    /// Lighter first, then more valuable. Of two that are equal, the one whose number of items is surer to stay within the
    /// branch: it is kept, and the other one is not.
    fn before(&self, a: &State, b: &State) -> bool {
        let number = |s: &State| match self.branch {
            Branch::All => 0,
            Branch::AtMost => s.count,
            Branch::AtLeast => -s.count,
        };
        (a.weight, -a.value, number(a)) <= (b.weight, -b.value, number(b))
    }
}

/// A partial selection: its totals, what it lost against the base, and how it came about.
#[derive(Clone, Copy)]
struct State {
    weight: i64,
    value: i64,
    loss: i64,
    count: i32,
    trace: u32,
}

/// The trace of the base itself.
const ROOT: u32 = u32::MAX;

/// One decision against the base.
struct Flip {
    item: u32,
    before: u32,
}

/// The best selection so far, by entries.
pub(crate) struct Best {
    pub(crate) value: i64,
    pub(crate) taken: Vec<bool>,
}

impl Best {
    pub(crate) fn flip(&mut self, entry: u32) {
        self.taken[entry as usize] = !self.taken[entry as usize];
    }
}

/// The states after which exchanges are looked for and the number of items is priced: about a tenth of a millisecond.
const FIRST_TRY: u64 = 1 << 13;

/// Where the bound is this close a price of the number of items promises less than more states.
const NARROW: i64 = 16;

pub(crate) fn solve(items: &[Item], capacity: u64, max_states: u64) -> Outcome {
    let mut taken = vec![false; items.len()];
    let mut free = 0;
    let mut entries: Vec<Entry> = Vec::with_capacity(items.len());
    let (mut total, mut divisor) = (0, 0);
    for (i, item) in (0_u32..).zip(items) {
        if item.value == 0 || item.weight > capacity {
            continue;
        }
        if item.weight == 0 {
            taken[i as usize] = true;
            free += item.value;
        } else {
            total += item.weight;
            if divisor != 1 && (divisor == 0 || item.weight % divisor != 0) {
                divisor = gcd(divisor, item.weight);
            }
            // Sums stay below 2⁶².
            entries.push(Entry {
                value: item.value as i64,
                weight: item.weight as i64,
                index: i,
            });
        }
    }
    if total <= capacity {
        for entry in &entries {
            taken[entry.index as usize] = true;
        }
        return Outcome {
            bound: free + entries.iter().map(|entry| entry.value as u64).sum::<u64>(),
            chosen: (0..items.len()).filter(|i| taken[*i]).collect(),
            proven: true,
        };
    }
    // What no sum of weights can use is cut off.
    let capacity = (capacity - capacity % divisor) as i64;
    let at = split::at_capacity(&mut entries, capacity);
    let (value, taken_entries, bound) = branches(&entries, at, capacity, max_states);
    for (entry, _) in entries.iter().zip(&taken_entries).filter(|(_, taken)| **taken) {
        taken[entry.index as usize] = true;
    }
    Outcome {
        chosen: (0..items.len()).filter(|i| taken[*i]).collect(),
        bound: bound as u64 + free,
        proven: bound == value,
    }
}

/// The best value found, its selection, and the bound.
fn branches(entries: &[Entry], at: usize, capacity: i64, max_states: u64) -> (i64, Vec<bool>, i64) {
    let broken = &entries[at];
    let price = Price {
        value: broken.value,
        weight: broken.weight,
        each: 0,
    };
    let base: Vec<bool> = (0..entries.len()).map(|i| i < at).collect();
    let mut best = Best {
        value: entries[..at].iter().map(|entry| entry.value).sum(),
        taken: base.clone(),
    };
    exchange::fill(entries, at, capacity, &mut best);
    let mut all = Relaxation::new(Branch::All, entries, base, price, capacity, at as i64);
    let mut left = max_states;
    all.prove(entries, capacity, &mut best, FIRST_TRY, &mut left);
    if all.ceiling - best.value <= NARROW {
        all.prove(entries, capacity, &mut best, 4 * FIRST_TRY, &mut left);
    }
    if all.ceiling > best.value && left > 0 {
        exchange::pairs(entries, at, capacity, &mut best);
        if all.ceiling - best.value <= NARROW {
            all.prove(entries, capacity, &mut best, 16 * FIRST_TRY, &mut left);
        }
    }
    if all.ceiling <= best.value || left == 0 {
        return (best.value, best.taken, all.ceiling.max(best.value));
    }
    // The hard families: the number of items is at most that of the break solution, or it is larger.
    let mut parts: Vec<Relaxation> = [Branch::AtMost, Branch::AtLeast]
        .into_iter()
        .filter_map(|branch| count::priced(entries, at, capacity, branch))
        .collect();
    let mut states = 16 * FIRST_TRY;
    loop {
        // The more promising one first, so that the other one meets a better value.
        parts.sort_by_key(|part| -part.ceiling);
        for part in &mut parts {
            part.prove(entries, capacity, &mut best, states, &mut left);
        }
        let most = parts.iter().map(|part| part.ceiling).max().unwrap_or(0);
        let bound = most.min(all.ceiling);
        if bound <= best.value || left == 0 {
            return (best.value, best.taken, bound.max(best.value));
        }
        all.prove(entries, capacity, &mut best, states, &mut left);
        states = states.saturating_mul(4);
    }
}

pub(crate) fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Each branch alone, without any exchange: nothing in it is worth more than its ceiling, and together they are exact.
        #[test]
        fn branches_are_exact(pairs in prop::collection::vec((1..30_i64, 1..12_i64), 2..11), fixed in 0..40_i64, capacity in 12..60_i64) {
            let total: i64 = pairs.iter().map(|(_, weight)| weight).sum();
            prop_assume!(total > capacity);
            // Small values are added to the weight and a constant: the family that the branches are for.
            let mut entries: Vec<Entry> = (0..).zip(&pairs)
                .map(|(index, (value, weight))| Entry { value: if fixed > 20 { weight + fixed + value % 3 } else { *value }, weight: *weight, index })
                .collect();
            let at = split::at_capacity(&mut entries, capacity);
            let mut most = [0; 2];
            for set in 0..1_u32 << entries.len() {
                let chosen = || entries.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1).map(|(_, entry)| entry);
                if chosen().map(|entry| entry.weight).sum::<i64>() <= capacity {
                    let side = usize::from(set.count_ones() as usize > at);
                    most[side] = most[side].max(chosen().map(|entry| entry.value).sum());
                }
            }
            let mut best = Best { value: 0, taken: vec![false; entries.len()] };
            for (branch, most) in [Branch::AtMost, Branch::AtLeast].into_iter().zip(most) {
                let Some(mut part) = count::priced(&entries, at, capacity, branch) else {
                    prop_assert_eq!(most, 0);
                    continue;
                };
                prop_assert!(part.ceiling >= most);
                part.prove(&entries, capacity, &mut best, u64::MAX, &mut u64::MAX.clone());
                prop_assert!(part.ceiling.max(best.value) >= most);
            }
            prop_assert_eq!(best.value, most[0].max(most[1]));
            let taken = || entries.iter().zip(&best.taken).filter(|(_, taken)| **taken).map(|(entry, _)| entry);
            prop_assert_eq!(taken().map(|entry| entry.value).sum::<i64>(), best.value);
            prop_assert!(taken().map(|entry| entry.weight).sum::<i64>() <= capacity);
        }
    }
}
