//! A tighter bound of the 0/1 knapsack where the number of items is what binds.
//!
//! Where at most k items fit, or more than the best value needs at least k, that constraint is priced too: with a price λ of the
//! capacity and μ of each item every selection is worth at most λ c + μ k + Σ max(0, pⱼ − λ wⱼ − μ). Families whose profit is weight
//! plus a constant are closed by it (S. Martello, D. Pisinger, P. Toth, *Dynamic programming and strong bounds for the 0-1 knapsack
//! problem*, 1999, doi:10.1287/mnsc.45.3.414).

use crate::kernel::core_dp::Price;
use crate::solver::Item;

/// The open items, the lightest first.
pub(crate) fn by_weight(items: &[Item], open: &[u32]) -> Vec<u32> {
    let mut order = open.to_vec();
    order.sort_unstable_by_key(|i| (items[*i as usize].weight, *i));
    order
}

/// A price of the number of items and the selection that it makes best, where the number binds; `broken` items fill the relaxation.
pub(crate) fn tighter(
    items: &[Item],
    open: &[u32],
    by_weight: &[u32],
    capacity: i64,
    broken: usize,
    best: i64,
) -> Option<(Price, Vec<bool>)> {
    let mut left = capacity;
    let most = by_weight.iter().take_while(|i| {
        left -= items[**i as usize].weight as i64;
        left >= 0
    });
    let most = most.count();
    if most == broken {
        return priced(items, open, capacity, most, true);
    }
    let mut values: Vec<u64> = open.iter().map(|i| items[*i as usize].value).collect();
    values.sort_unstable_by(|a, b| b.cmp(a));
    let mut sum = 0;
    let least = 1 + values
        .iter()
        .take_while(|value| {
            sum += **value as i64;
            sum <= best
        })
        .count();
    (least > broken && least <= open.len())
        .then(|| priced(items, open, capacity, least, false))
        .flatten()
}

/// The prices that balance the capacity with exactly `count` items.
fn priced(
    items: &[Item],
    open: &[u32],
    capacity: i64,
    count: usize,
    at_most: bool,
) -> Option<(Price, Vec<bool>)> {
    if count == 0 || count >= open.len() {
        return None;
    }
    let mut scratch: Vec<(f64, u32)> = Vec::with_capacity(open.len());
    // The `count` best items at a price, in the first places.
    let mut choose = |lambda: f64| -> (i128, Vec<u32>) {
        scratch.clear();
        scratch.extend(open.iter().map(|i| {
            let item = &items[*i as usize];
            (item.value as f64 - lambda * item.weight as f64, *i)
        }));
        scratch.select_nth_unstable_by(count - 1, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let chosen: Vec<u32> = scratch[..count].iter().map(|(_, i)| *i).collect();
        (
            chosen.iter().map(|i| i128::from(items[*i as usize].weight)).sum(),
            chosen,
        )
    };
    let (mut low, mut high) = (0.0, 1.0);
    while choose(high).0 > capacity.into() {
        high *= 2.0;
        if high > 1e18 {
            return None;
        }
    }
    if choose(low).0 <= capacity.into() {
        return None;
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if choose(middle).0 > capacity.into() {
            low = middle;
        } else {
            high = middle;
        }
    }
    // Two items that change places at the balance give the price as an exact fraction.
    let mut side = vec![0_u8; items.len()];
    choose(low).1.iter().for_each(|i| side[*i as usize] |= 1);
    choose(high).1.iter().for_each(|i| side[*i as usize] |= 2);
    let side = &side;
    let only = |which: u8| {
        open.iter()
            .map(|i| (*i, &items[*i as usize]))
            .filter(move |(i, _)| side[*i as usize] == which)
    };
    let heavy = only(1).max_by_key(|(i, item)| (item.weight, *i))?.1;
    let light = only(2).min_by_key(|(i, item)| (item.weight, *i))?.1;
    if heavy.weight <= light.weight || heavy.value < light.value {
        return None;
    }
    let mut price = Price {
        value: i128::from(heavy.value - light.value),
        weight: i128::from(heavy.weight - light.weight),
        each: 0,
        capacity,
        count: count as i32,
    };
    let mut exact: Vec<(i128, u32)> = open
        .iter()
        .map(|i| (price.reduced(&items[*i as usize]), *i))
        .collect();
    exact.select_nth_unstable_by(count - 1, |a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    price.each = exact[count - 1].0;
    // At most so many: a price of 0 or more; at least so many: 0 or less. Otherwise the number does not bind.
    if price.each != 0 && (price.each > 0) != at_most {
        return None;
    }
    let mut base = vec![false; items.len()];
    exact[..count].iter().for_each(|(_, i)| base[*i as usize] = true);
    Some((price, base))
}
