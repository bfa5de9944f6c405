//! The 0/1 knapsack by dynamic programming over a core, in the order of the loss against the relaxation.
//!
//! With the efficiency of the break item as price λ = p/w, every selection x is worth at most
//! U − Σ loss(j) over the items where x differs from the break solution, where loss(j) = |pⱼ − λ wⱼ| ≥ 0. Items are decided in
//! the order of their loss; a partial solution is dropped once its bound cannot exceed the best value found, or another one is
//! at least as light and as valuable. When the next loss alone exhausts the distance, the rest is proven fixed.

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
    trace: u32,
}

/// The trace of the break solution itself.
const ROOT: u32 = u32::MAX;

/// One decision against the break solution.
struct Flip {
    item: u32,
    before: u32,
}

/// The price of the capacity: value per weight as an exact fraction, and the keys it gives.
struct Price {
    value: i128,
    weight: i128,
    capacity: i64,
}

impl Price {
    /// The bound of a partial solution, times the weight of the price.
    fn key(&self, weight: i64, value: i64) -> i128 {
        i128::from(value) * self.weight + self.value * i128::from(self.capacity - weight)
    }

    /// The loss of deciding an item the other way, times the weight of the price.
    fn loss(&self, item: &Item) -> i128 {
        (item.value as i128 * self.weight - self.value * item.weight as i128).abs()
    }
}

pub(crate) fn solve(items: &[Item], capacity: u64, max_states: u64) -> Outcome {
    let mut taken = vec![false; items.len()];
    let mut open: Vec<u32> = Vec::with_capacity(items.len());
    let mut total = 0_u64;
    for (i, item) in (0_u32..).zip(items) {
        if item.value == 0 || item.weight > capacity {
            continue;
        }
        if item.weight == 0 {
            taken[i as usize] = true;
        } else {
            open.push(i);
            total += item.weight;
        }
    }
    if total <= capacity {
        for i in &open {
            taken[*i as usize] = true;
        }
        return finish(&taken, items, None);
    }
    // Below 2⁶² in all, and every single weight is at most the capacity.
    let capacity = capacity.min(total) as i64;
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
        capacity,
    };
    let top = price.key(weight, value);
    let mut best = Best {
        value,
        flips: Vec::new(),
    };
    best.improve(items, &open, at, weight, value, capacity);
    let bound = (top / price.weight) as u64;
    let mut core: Vec<(i128, u32)> = open
        .iter()
        .map(|i| (price.loss(&items[*i as usize]), *i))
        .collect();
    core.retain(|(loss, _)| (top - loss).div_euclid(price.weight) > best.value.into());
    core.sort_unstable();
    let proven = search(
        items,
        &core,
        &taken,
        &price,
        State {
            weight,
            value,
            trace: ROOT,
        },
        &mut best,
        max_states,
    );
    for flip in &best.flips {
        taken[*flip as usize] = !taken[*flip as usize];
    }
    finish(&taken, items, Some((bound, proven)))
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
        let reach = |weight: i64, value: i64, next: i128, best: i64| {
            (price.key(weight, value) - next).div_euclid(price.weight) > best.into()
        };
        if states.is_empty() || !states.iter().any(|s| reach(s.weight, s.value, *loss, best.value)) {
            return true;
        }
        seen += 2 * states.len() as u64;
        if seen > max_states || trace.len() + states.len() >= ROOT as usize {
            return false;
        }
        let item = &items[*index as usize];
        let sign = if taken[*index as usize] { -1 } else { 1 };
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
            let (weight, value) = if take_stay {
                stay += 1;
                (source.weight, source.value)
            } else {
                flip += 1;
                (source.weight + dw, source.value + dv)
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
            if reach(weight, value, next, best.value) {
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
