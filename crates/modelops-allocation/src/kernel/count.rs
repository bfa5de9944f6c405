//! Tighter bounds of the 0/1 knapsack by the number of items.
//!
//! The relaxation fills the capacity with k items and a part of one more. A selection has at most k items or at least k + 1, and
//! either way that constraint is priced too: with a price λ of the capacity and μ of each item every selection of at most k is
//! worth at most λ c + μ k + Σ max(0, pⱼ − λ wⱼ − μ), and the same with μ ≤ 0 for at least so many. Families whose profit is about
//! the weight plus a constant are closed by it (S. Martello, D. Pisinger, P. Toth, *Dynamic programming and strong bounds for the
//! 0-1 knapsack problem*, 1999, doi:10.1287/mnsc.45.3.414).

use crate::kernel::core_dp::{Branch, Entry, Price, Relaxation, gcd};

/// Steps towards the balance at most; a handful is the rule.
const STEPS: usize = 64;

/// The relaxation of a branch with prices that balance the capacity; `None` where nothing fits that is in the branch. `at`
/// entries fill the relaxation without a price of the number, and a part of the next.
pub(crate) fn priced(entries: &[Entry], at: usize, capacity: i64, branch: Branch) -> Option<Relaxation> {
    let mut choice = Choice::new(entries, at + usize::from(branch == Branch::AtLeast));
    let efficiency = entries[at].value as f64 / entries[at].weight as f64;
    let (low, high) = if branch == Branch::AtLeast {
        let lightest = choice.lightest();
        if lightest.weight > capacity {
            return None;
        }
        (choice.best_at(efficiency), lightest)
    } else {
        (choice.best_at(0.0), choice.best_at(efficiency))
    };
    let (value, weight) = if low.weight <= capacity {
        (0, 1)
    } else if high.weight > capacity {
        (high.value, high.weight)
    } else {
        choice.balance(low, high, capacity)
    };
    let mut price = Price {
        value,
        weight,
        each: 0,
    };
    let marginal = price.reduced(&entries[choice.marginal(value as f64 / weight as f64)]);
    // What no product with a number of items can overflow.
    if marginal.unsigned_abs() < 1 << 90 {
        price.each = match branch {
            Branch::AtLeast => marginal.min(0),
            _ => marginal.max(0),
        };
    } else {
        price = Price {
            value: entries[at].value,
            weight: entries[at].weight,
            each: 0,
        };
    }
    let mut base: Vec<bool> = entries.iter().map(|entry| price.reduced(entry) > 0).collect();
    let mut missing = choice
        .count
        .saturating_sub(base.iter().filter(|taken| **taken).count());
    for (entry, taken) in entries.iter().zip(&mut base) {
        if missing == 0 {
            break;
        }
        if !*taken && price.reduced(entry) == 0 {
            *taken = true;
            missing -= 1;
        }
    }
    Some(Relaxation::new(
        branch,
        entries,
        base,
        price,
        capacity,
        choice.count as i64,
    ))
}

/// The best `count` entries at a price of the capacity.
#[derive(Clone, Copy, PartialEq)]
struct Chosen {
    price: f64,
    weight: i64,
    value: i64,
    /// What the last of them is worth at that price.
    last: f64,
}

struct Choice<'a> {
    entries: &'a [Entry],
    count: usize,
    /// Those that are chosen at some prices in question and not at others.
    open: Vec<u32>,
    /// Those that are chosen at all of them.
    inside: (usize, i64, i64),
    scratch: Vec<(f64, u32)>,
}

impl<'a> Choice<'a> {
    fn new(entries: &'a [Entry], count: usize) -> Self {
        Self {
            entries,
            count,
            open: (0..entries.len() as u32).collect(),
            inside: (0, 0, 0),
            scratch: Vec::with_capacity(entries.len()),
        }
    }

    fn lightest(&self) -> Chosen {
        let mut order = self.open.clone();
        order.select_nth_unstable_by_key(self.count - 1, |i| {
            let entry = &self.entries[*i as usize];
            (entry.weight, -entry.value, *i)
        });
        let chosen = || order[..self.count].iter().map(|i| &self.entries[*i as usize]);
        Chosen {
            price: f64::INFINITY,
            weight: chosen().map(|entry| entry.weight).sum(),
            value: chosen().map(|entry| entry.value).sum(),
            last: f64::NEG_INFINITY,
        }
    }

    /// Brings the best open ones to the front of the scratch; how many of them are chosen.
    fn select(&mut self, price: f64) -> usize {
        self.scratch.clear();
        for i in &self.open {
            let entry = &self.entries[*i as usize];
            self.scratch
                .push((entry.value as f64 - price * entry.weight as f64, *i));
        }
        let needed = self.count - self.inside.0;
        self.scratch
            .select_nth_unstable_by(needed - 1, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        needed
    }

    fn best_at(&mut self, price: f64) -> Chosen {
        let needed = self.select(price);
        let (_, mut weight, mut value) = self.inside;
        for (_, i) in &self.scratch[..needed] {
            weight += self.entries[*i as usize].weight;
            value += self.entries[*i as usize].value;
        }
        Chosen {
            price,
            weight,
            value,
            last: self.scratch[needed - 1].0,
        }
    }

    /// The last entry that is chosen.
    fn marginal(&mut self, price: f64) -> usize {
        let needed = self.select(price);
        self.scratch[needed - 1].1 as usize
    }

    /// The price at which the chosen ones change from heavier than the capacity to lighter, as an exact fraction: the relaxation
    /// is a convex function of the price, and lines through its two sides meet closer and closer to its least.
    fn balance(&mut self, mut low: Chosen, mut high: Chosen, capacity: i64) -> (i64, i64) {
        for _ in 0..STEPS {
            let price = (low.value - high.value) as f64 / (low.weight - high.weight) as f64;
            if !(price > low.price && price < high.price) {
                break;
            }
            let middle = self.best_at(price);
            let line = |chosen: &Chosen| chosen.value as f64 - price * (chosen.weight - capacity) as f64;
            if line(&middle) <= line(&low) * (1.0 + 1e-14) {
                break;
            }
            if middle.weight > capacity {
                low = middle;
            } else {
                high = middle;
            }
            if high.price.is_finite() {
                self.narrow(&low, &high);
            }
        }
        let (value, weight) = ((low.value - high.value).max(0), low.weight - high.weight);
        let divisor = gcd(value as u64, weight as u64) as i64;
        (value / divisor, weight / divisor)
    }

    /// Decides what is chosen, or is not, at every price from `low` to `high`: all that an entry is worth falls with the price.
    fn narrow(&mut self, low: &Chosen, high: &Chosen) {
        let Self {
            entries,
            open,
            inside,
            ..
        } = self;
        open.retain(|i| {
            let entry = &entries[*i as usize];
            let worth = |price: f64| entry.value as f64 - price * entry.weight as f64;
            if worth(high.price) > low.last {
                *inside = (inside.0 + 1, inside.1 + entry.weight, inside.2 + entry.value);
                return false;
            }
            worth(low.price) >= high.last
        });
    }
}
