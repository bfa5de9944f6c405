//! The 0/1 knapsack by dynamic programming over a core, in the order of the loss against the relaxation.
//!
//! With the efficiency of the break item as price λ = p/w, every selection x is worth at most
//! U − Σ loss(j) over the items where x differs from the break solution, where loss(j) = |pⱼ − λ wⱼ| ≥ 0. Items are decided in
//! the order of their loss; a partial solution is dropped once its bound cannot exceed the best value found, or another one is
//! at least as light and as valuable. When the next loss alone exhausts the distance, the rest is proven fixed.

use crate::kernel::count;
use crate::solver::Item;

pub(crate) struct Outcome {
    /// Ascending positions.
    pub(crate) chosen: Vec<usize>,
    pub(crate) bound: u64,
    pub(crate) proven: bool,
}

/// A partial solution, relative to nothing: its totals and how it came about.
#[derive(Clone, Copy)]
struct State {
    weight: i64,
    value: i64,
    count: i32,
    trace: u32,
}

/// The trace of the break solution itself.
const ROOT: u32 = u32::MAX;

/// One decision against the break solution.
struct Flip {
    item: u32,
    before: u32,
}

/// The price of the capacity, value per weight as an exact fraction, and of each item on top of it; see [`crate::kernel::count`].
pub(crate) struct Price {
    pub(crate) value: i128,
    pub(crate) weight: i128,
    pub(crate) each: i128,
    pub(crate) capacity: i64,
    pub(crate) count: i32,
}

impl Price {
    /// The bound of a partial solution, times the weight of the price.
    fn key(&self, weight: i64, value: i64, count: i32) -> i128 {
        i128::from(value) * self.weight
            + self.value * i128::from(self.capacity - weight)
            + self.each * i128::from(self.count - count)
    }

    /// What an item is worth above its prices, times the weight of the price.
    pub(crate) fn reduced(&self, item: &Item) -> i128 {
        item.value as i128 * self.weight - self.value * item.weight as i128 - self.each
    }
}

/// The states after which the number of items is looked at as well: about a millisecond.
const FIRST_TRY: u64 = 1 << 15;

pub(crate) fn solve(items: &[Item], capacity: u64, max_states: u64) -> Outcome {
    let mut taken = vec![false; items.len()];
    let mut open: Vec<u32> = Vec::with_capacity(items.len());
    let (mut total, mut divisor) = (0_u64, 0_u64);
    for (i, item) in (0_u32..).zip(items) {
        if item.value == 0 || item.weight > capacity {
            continue;
        }
        if item.weight == 0 {
            taken[i as usize] = true;
        } else {
            open.push(i);
            total += item.weight;
            if divisor != 1 {
                divisor = gcd(divisor, item.weight);
            }
        }
    }
    if total <= capacity {
        for i in &open {
            taken[*i as usize] = true;
        }
        return finish(&taken, items, None);
    }
    // Below 2⁶² in all, and every single weight is at most the capacity. What no sum of weights can use is cut off.
    let capacity = (capacity - capacity % divisor) as i64;
    open.sort_unstable_by(|a, b| {
        let (a, b) = (&items[*a as usize], &items[*b as usize]);
        let left = u128::from(b.value) * u128::from(a.weight);
        let right = u128::from(a.value) * u128::from(b.weight);
        left.cmp(&right).then(a.weight.cmp(&b.weight))
    });
    let (mut weight, mut value, mut at) = (0_i64, 0_i64, 0);
    while weight + items[open[at] as usize].weight as i64 <= capacity {
        let item = &items[open[at] as usize];
        taken[open[at] as usize] = true;
        weight += item.weight as i64;
        value += item.value as i64;
        at += 1;
    }
    let broken = &items[open[at] as usize];
    let price = Price {
        value: broken.value.into(),
        weight: broken.weight.into(),
        each: 0,
        capacity,
        count: at as i32,
    };
    let start = State {
        weight,
        value,
        count: at as i32,
        trace: ROOT,
    };
    let mut best = Best {
        value,
        flips: Vec::new(),
    };
    best.improve(items, &open, at, weight, value, capacity);
    let mut bound = (price.key(weight, value, start.count) / price.weight) as u64;
    let mut core = core_of(items, &open, &price, &start, best.value);
    let first = max_states.min(FIRST_TRY);
    let mut proven = search(items, &core, &taken, &price, start, &mut best, first);
    if proven || max_states <= FIRST_TRY {
        flip(&mut taken, &best.flips);
        return finish(&taken, items, Some((bound, proven)));
    }
    // The hard families: look for an exact filling, and price the number of items.
    let by_weight = count::by_weight(items, &open);
    let broken = Broken {
        items,
        by_weight: &by_weight,
        taken: &taken,
        weight,
        value,
        capacity,
    };
    for change in [
        None,
        Some(open[at]),
        by_weight.iter().copied().find(|i| !taken[*i as usize]),
    ] {
        best.exchange(&broken, change);
    }
    let mut answer = taken.clone();
    flip(&mut answer, &best.flips);
    let mut reached = best.value;
    if let Some((price, base)) = count::tighter(items, &open, &by_weight, capacity, at, best.value) {
        let mut start = State {
            weight: 0,
            value: 0,
            count: 0,
            trace: ROOT,
        };
        for i in open.iter().filter(|i| base[**i as usize]) {
            start.weight += items[*i as usize].weight as i64;
            start.value += items[*i as usize].value as i64;
            start.count += 1;
        }
        // Items of weight 0 are not open; they are taken either way.
        let tight = price
            .key(start.weight, start.value, start.count)
            .div_euclid(price.weight);
        bound = bound.min(tight.max(i128::from(reached)) as u64);
        if bound > reached as u64 {
            let mut best = Best {
                value: reached,
                flips: Vec::new(),
            };
            core = core_of(items, &open, &price, &start, reached);
            proven = search(items, &core, &base, &price, start, &mut best, max_states / 2);
            if best.value > reached {
                reached = best.value;
                for i in &open {
                    answer[*i as usize] = base[*i as usize];
                }
                flip(&mut answer, &best.flips);
            }
        }
    }
    proven |= bound == reached as u64;
    if !proven {
        let mut best = Best {
            value: reached,
            flips: Vec::new(),
        };
        core = core_of(items, &open, &price, &start, reached);
        proven = search(items, &core, &taken, &price, start, &mut best, max_states / 2);
        if best.value > reached {
            answer.copy_from_slice(&taken);
            flip(&mut answer, &best.flips);
        }
    }
    finish(&answer, items, Some((bound, proven)))
}

/// The open items that may still be decided against the base, in the order of their loss.
fn core_of(items: &[Item], open: &[u32], price: &Price, start: &State, best: i64) -> Vec<(i128, u32)> {
    let top = price.key(start.weight, start.value, start.count);
    let mut core: Vec<(i128, u32)> = open
        .iter()
        .map(|i| (price.reduced(&items[*i as usize]).abs(), *i))
        .collect();
    core.retain(|(loss, _)| (top - loss).div_euclid(price.weight) > best.into());
    core.sort_unstable();
    core
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn flip(taken: &mut [bool], flips: &[u32]) {
    for i in flips {
        taken[*i as usize] = !taken[*i as usize];
    }
}

/// The break solution, for exchanges around it.
struct Broken<'a> {
    items: &'a [Item],
    by_weight: &'a [u32],
    taken: &'a [bool],
    weight: i64,
    value: i64,
    capacity: i64,
}

/// The best selection so far, as differences from the break solution.
struct Best {
    value: i64,
    flips: Vec<u32>,
}

impl Best {
    /// Fills the break solution greedily, and tries every single exchange around the break item.
    fn improve(&mut self, items: &[Item], open: &[u32], at: usize, weight: i64, value: i64, capacity: i64) {
        let (mut filled, mut worth, mut flips) = (weight, value, Vec::new());
        for i in &open[at..] {
            let item = &items[*i as usize];
            if filled + item.weight as i64 <= capacity {
                filled += item.weight as i64;
                worth += item.value as i64;
                flips.push(*i);
            }
        }
        if worth > self.value {
            *self = Self { value: worth, flips };
        }
        // One out, the break item in; or one of the rest in, the last of the break solution out.
        let mut consider = |out: u32, into: u32| {
            let (out_item, in_item) = (&items[out as usize], &items[into as usize]);
            let worth = value - out_item.value as i64 + in_item.value as i64;
            if worth > self.value && weight - out_item.weight as i64 + in_item.weight as i64 <= capacity {
                *self = Self {
                    value: worth,
                    flips: vec![out, into],
                };
            }
        };
        for out in &open[..at] {
            consider(*out, open[at]);
        }
        if let Some(last) = at.checked_sub(1) {
            for into in &open[at..] {
                consider(open[last], *into);
            }
        }
    }
}

impl Best {
    /// One in for one out, the best pair in O(n), after `change` was put in.
    fn exchange(&mut self, broken: &Broken<'_>, change: Option<u32>) {
        let item = |i: u32| &broken.items[i as usize];
        let inside = |i: u32| broken.taken[i as usize] || change == Some(i);
        let (mut weight, mut value) = (broken.weight, broken.value);
        if let Some(i) = change {
            weight += item(i).weight as i64;
            value += item(i).value as i64;
        }
        let room = broken.capacity - weight;
        // The most valuable outside item among those that are light enough; both sides go by weight.
        let mut outside = broken
            .by_weight
            .iter()
            .copied()
            .filter(|i| !inside(*i))
            .peekable();
        let mut most: Option<u32> = None;
        for out in broken.by_weight.iter().copied().filter(|i| inside(*i)) {
            while let Some(next) =
                outside.next_if(|i| item(*i).weight as i64 <= item(out).weight as i64 + room)
            {
                if most.is_none_or(|m| item(next).value > item(m).value) {
                    most = Some(next);
                }
            }
            let Some(into) = most else { continue };
            let worth = value - item(out).value as i64 + item(into).value as i64;
            if worth > self.value {
                self.value = worth;
                self.flips = change.into_iter().chain([out, into]).collect();
            }
        }
    }
}

/// Decides the core item by item; true when the best value is proven.
fn search(
    items: &[Item],
    core: &[(i128, u32)],
    taken: &[bool],
    price: &Price,
    start: State,
    best: &mut Best,
    max_states: u64,
) -> bool {
    let mut trace: Vec<Flip> = Vec::new();
    let mut states = vec![start];
    let mut merged: Vec<State> = Vec::new();
    let mut seen = 0_u64;
    for (at, (loss, index)) in core.iter().enumerate() {
        let reach = |weight: i64, value: i64, count: i32, next: i128, best: i64| {
            (price.key(weight, value, count) - next).div_euclid(price.weight) > best.into()
        };
        if states.is_empty()
            || !states
                .iter()
                .any(|s| reach(s.weight, s.value, s.count, *loss, best.value))
        {
            return true;
        }
        seen += 2 * states.len() as u64;
        if seen > max_states || trace.len() + states.len() >= ROOT as usize {
            return false;
        }
        let item = &items[*index as usize];
        let sign: i64 = if taken[*index as usize] { -1 } else { 1 };
        let (dw, dv) = (sign * item.weight as i64, sign * item.value as i64);
        // Whoever is kept needs at least one more decision, which costs at least the next loss.
        let next = core.get(at + 1).map_or(i128::MAX >> 1, |(loss, _)| *loss);
        merged.clear();
        let (mut stay, mut flip) = (0, 0);
        let mut heaviest_value = i64::MIN;
        while stay < states.len() || flip < states.len() {
            let take_stay = flip == states.len()
                || stay < states.len() && {
                    let (a, b) = (&states[stay], &states[flip]);
                    (a.weight, -a.value) <= (b.weight + dw, -b.value - dv)
                };
            let source = if take_stay { states[stay] } else { states[flip] };
            let (weight, value, count) = if take_stay {
                stay += 1;
                (source.weight, source.value, source.count)
            } else {
                flip += 1;
                (source.weight + dw, source.value + dv, source.count + sign as i32)
            };
            // Dominated: something at least as light is at least as valuable.
            if value <= heaviest_value {
                continue;
            }
            if !take_stay && weight <= price.capacity && value > best.value {
                best.value = value;
                best.flips = flips(&trace, source.trace);
                best.flips.push(*index);
            }
            heaviest_value = value;
            if reach(weight, value, count, next, best.value) {
                let kept = if take_stay {
                    source.trace
                } else {
                    trace.push(Flip {
                        item: *index,
                        before: source.trace,
                    });
                    trace.len() as u32 - 1
                };
                merged.push(State {
                    weight,
                    value,
                    count,
                    trace: kept,
                });
            }
        }
        std::mem::swap(&mut states, &mut merged);
    }
    true
}

/// The decisions that led to a trace.
fn flips(trace: &[Flip], mut at: u32) -> Vec<u32> {
    let mut flips = Vec::new();
    while at != ROOT {
        flips.push(trace[at as usize].item);
        at = trace[at as usize].before;
    }
    flips
}

fn finish(taken: &[bool], items: &[Item], bound: Option<(u64, bool)>) -> Outcome {
    let chosen: Vec<usize> = (0..items.len()).filter(|i| taken[*i]).collect();
    let free: u64 = chosen
        .iter()
        .filter(|i| items[**i].weight == 0)
        .map(|i| items[*i].value)
        .sum();
    match bound {
        None => Outcome {
            bound: chosen.iter().map(|i| items[*i].value).sum(),
            chosen,
            proven: true,
        },
        Some((bound, proven)) => Outcome {
            chosen,
            bound: bound + free,
            proven,
        },
    }
}
