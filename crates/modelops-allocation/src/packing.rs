//! Items into as few bins as possible: bin packing.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::error::SolveError;
use crate::solver::{SolverOptions, Status};

/// The answer of [`pack`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing {
    /// The positions of the items of each bin, ascending; no bin is empty.
    pub bins: Vec<Vec<usize>>,
    /// No packing has fewer bins; equal to their number when [`Status::Optimal`].
    pub bound: usize,
    /// Whether the number of bins is proven to be the least.
    pub status: Status,
}

/// Packs items into as few bins of one capacity as possible, close to the least number, with a bound.
///
/// Use it to ask how many equal devices a set of models needs; for devices that differ, and more than one resource, use
/// [`crate::Greedy`]. Best fit by decreasing size comes first, then bins that are filled as full as can be one after the other, bins
/// with the same number of items each, and then a search that takes a few bins apart and fills them again, until the bound is
/// met or the limit of states is reached. A state is one item tried in one bin.
///
/// The bound is the best of L2 of Martello and Toth over all its thresholds, of dual feasible functions over all divisors up
/// to 100, and of how many items bins would have to hold: exact integers, no linear programme.
///
/// # Errors
/// [`SolveError::Oversized`] where an item is larger than the capacity, [`SolveError::Overflow`] where the sizes sum to 2⁶² or
/// more.
///
/// **Complexity**: O(n log n) for n items where best fit meets the bound; else up to the limit in [`SolverOptions`].
///
/// # Example
/// ```
/// use modelops_allocation::{SolverOptions, Status, pack};
/// // Best fit by decreasing size puts 4 and 4 together and needs three bins; twice 4 + 3 + 3 are two.
/// let packing = pack(&[4, 4, 3, 3, 3, 3], 10, &SolverOptions::default())?;
/// assert_eq!((packing.bins.len(), packing.bound, packing.status), (2, 2, Status::Optimal));
/// # Ok::<(), modelops_allocation::SolveError>(())
/// ```
///
/// **References**: S. Martello, P. Toth, *Lower bounds and reduction procedures for the bin packing problem*, 1990,
/// doi:10.1016/0166-218X(90)90094-S; S. Fekete, J. Schepers, *New classes of fast lower bounds for bin packing problems*, 2001,
/// doi:10.1007/s101070100243; K. Fleszar, K. Hindi, *New heuristics for one-dimensional bin-packing*, 2002,
/// doi:10.1016/S0305-0548(00)00082-4.
#[doc(alias("bin_packing", "binpack"))]
pub fn pack(sizes: &[u64], capacity: u64, options: &SolverOptions) -> Result<Packing, SolveError> {
    if let Some(item) = sizes.iter().position(|size| *size > capacity) {
        return Err(SolveError::Oversized {
            item,
            size: sizes[item],
            capacity,
        });
    }
    if sizes.iter().map(|size| u128::from(*size)).sum::<u128>() >= 1 << 62 {
        return Err(SolveError::Overflow { what: "sizes" });
    }
    let mut order: Vec<u32> = (0..sizes.len() as u32).collect();
    order.sort_by_key(|i| std::cmp::Reverse(sizes[*i as usize]));
    let sorted: Vec<u64> = order.iter().map(|i| sizes[*i as usize]).collect();
    let mut bound = bound(&sorted, capacity);
    let mut packer = Packer {
        sizes: &sorted,
        capacity,
        left: options.max_states,
    };
    let mut bins = best_fit(&sorted, capacity);
    if bins.len() > bound {
        bound = by_number(&sorted, capacity, bound);
    }
    if bins.len() > bound {
        let all = (0..sorted.len() as u32).collect();
        if let Some(filled) = packer.fill(all, bins.len()) {
            bins = filled;
        }
        let once = sorted.len() as u64;
        if bins.len() > bound
            && packer.left >= once
            && let Some(even) = even(&sorted, capacity, bound)
        {
            bins = even;
        }
        packer.left = packer.left.saturating_sub(once);
        packer.search(&mut bins, bound);
    }
    let status = if bins.len() == bound {
        Status::Optimal
    } else {
        Status::StateLimit
    };
    let bins = bins.into_iter().map(|bin| {
        let mut bin: Vec<usize> = bin.into_iter().map(|i| order[i as usize] as usize).collect();
        bin.sort_unstable();
        bin
    });
    Ok(Packing {
        bins: bins.collect(),
        bound,
        status,
    })
}

/// The least number of bins that these bounds prove; the sizes come in descending order.
fn bound(sizes: &[u64], capacity: u64) -> usize {
    if capacity == 0 || sizes.is_empty() {
        // Whatever is packed has size 0, and one bin takes all of it.
        return sizes.len().min(1);
    }
    let total: u64 = sizes.iter().sum();
    let mut best = (total.div_ceil(capacity) as usize)
        .max(1)
        .max(second(sizes, capacity));
    for k in 1..=100_u128 {
        // Sizes at the border of a k-th are kept, others rise or fall to it: what fits into a bin still sums to at most k.
        let c = u128::from(capacity);
        let stretched = sizes.iter().map(|size| {
            let scaled = (k + 1) * u128::from(*size);
            if scaled % c == 0 {
                k * u128::from(*size)
            } else {
                scaled / c * c
            }
        });
        best = best.max(stretched.sum::<u128>().div_ceil(k * c) as usize);
    }
    best
}

/// L2: what is larger than the capacity less a threshold sits alone, and what is above half of it apart.
fn second(sizes: &[u64], capacity: u64) -> usize {
    let mut prefix = vec![0_u64];
    for size in sizes {
        prefix.push(prefix[prefix.len() - 1] + size);
    }
    let above = |limit: u64| sizes.partition_point(|size| *size > limit);
    let half = above(capacity / 2);
    let mut best = half;
    let mut last = u64::MAX;
    for small in sizes[half..].iter().copied().filter(|size| 2 * size <= capacity) {
        if small == last {
            continue;
        }
        last = small;
        let alone = above(capacity - small);
        let from_small = above(small - u64::from(small > 0));
        // Room next to those above half that are not alone.
        let room = (half - alone) as u64 * capacity - (prefix[half] - prefix[alone]);
        let rest = prefix[from_small.max(half)] - prefix[half];
        let more = rest.saturating_sub(room).div_ceil(capacity);
        best = best.max(half + more as usize);
    }
    best
}

/// Raises a bound as long as so few bins would have to hold more items than fit.
///
/// Of n items in m bins at least n − q m are in excess of q in their bin. If a bins are those with more than q, they hold q a of
/// them and all of the excess, and that many smallest items fit into a bins: for some a, or m bins are too few. More bins than
/// the excess need not be tried: each of them would hold q + 1, on average no smaller ones. The same holds for the items above any
/// threshold alone.
fn by_number(sizes: &[u64], capacity: u64, mut bins: usize) -> usize {
    let mut last = 0;
    for part in (2..=20_u64).chain([u64::MAX]) {
        let count = sizes.partition_point(|size| *size > capacity / part);
        if count == last || count == 0 {
            continue;
        }
        last = count;
        let mut smallest = vec![0_u128];
        for size in sizes[..count].iter().rev() {
            smallest.push(smallest[smallest.len() - 1] + u128::from(*size));
        }
        let enough = |bins: usize| {
            let each = count.div_ceil(bins) - 1;
            let excess = count - each * bins;
            (1..=excess).any(|a| smallest[each * a + excess] <= a as u128 * u128::from(capacity))
        };
        if enough(bins) {
            continue;
        }
        // Each alone is enough. Whatever is not enough is a proof by itself.
        let mut most = count;
        while most - bins > 1 {
            let between = usize::midpoint(bins, most);
            if enough(between) {
                most = between;
            } else {
                bins = between;
            }
        }
        bins = most;
    }
    bins
}

/// Bins that hold the same number of items, or one more of the smaller ones, each item into the emptiest of them; `None` where that
/// overfills one. It is what sizes in a narrow range need.
fn even(sizes: &[u64], capacity: u64, count: usize) -> Option<Vec<Vec<u32>>> {
    let each = sizes.len() / count;
    let more = sizes.len() - each * count;
    let mut bins = Vec::with_capacity(count);
    let mut item = 0;
    for (number, most) in [(count - more, each), (more, each + 1)] {
        let mut open: std::collections::BTreeSet<(u64, usize)> = (0..number).map(|bin| (0, bin)).collect();
        let mut part = vec![Vec::with_capacity(most); number];
        for _ in 0..number * most {
            let (load, bin) = open.pop_first().expect("no bin is full before the last item");
            if load + sizes[item] > capacity {
                return None;
            }
            part[bin].push(item as u32);
            if part[bin].len() < most {
                open.insert((load + sizes[item], bin));
            }
            item += 1;
        }
        bins.append(&mut part);
    }
    Some(bins)
}

/// Largest first, each into the fullest bin with room.
fn best_fit(sizes: &[u64], capacity: u64) -> Vec<Vec<u32>> {
    let mut bins: Vec<Vec<u32>> = Vec::new();
    let mut open: std::collections::BTreeSet<(u64, usize)> = std::collections::BTreeSet::new();
    for (i, size) in sizes.iter().enumerate() {
        let (room, bin) = match open.range((*size, 0)..).next().copied() {
            Some(found) => {
                open.remove(&found);
                found
            }
            None => {
                bins.push(Vec::new());
                (capacity, bins.len() - 1)
            }
        };
        bins[bin].push(i as u32);
        open.insert((room - size, bin));
    }
    bins
}

/// States of the search for one bin.
const BIN_STATES: u64 = 20_000;

struct Packer<'a> {
    /// In descending order.
    sizes: &'a [u64],
    capacity: u64,
    left: u64,
}

impl Packer<'_> {
    /// Fills bin after bin as full as can be, each with the largest item left; `None` where that takes `most` bins or more.
    fn fill(&mut self, mut items: Vec<u32>, most: usize) -> Option<Vec<Vec<u32>>> {
        items.sort_unstable();
        let mut bins = Vec::new();
        while !items.is_empty() {
            // Taking an item out moves those behind it.
            self.left = self.left.saturating_sub(items.len() as u64 / 16);
            if bins.len() + 1 >= most || self.left == 0 {
                return None;
            }
            let first = items.remove(0);
            let mut bin = vec![first];
            let chosen = self.fullest(&items, self.capacity - self.sizes[first as usize]);
            for at in chosen.iter().rev() {
                bin.push(items.remove(*at));
            }
            bins.push(bin);
        }
        Some(bins)
    }

    /// The positions of items that together leave least of `room`; the first such set by depth-first search, larger items first.
    fn fullest(&mut self, items: &[u32], room: u64) -> Vec<usize> {
        let (mut best, mut waste) = (Vec::new(), room);
        let mut chosen: Vec<usize> = Vec::new();
        let (mut left, mut at) = (room, 0);
        let mut states = BIN_STATES.min(self.left);
        let size = |at: usize| self.sizes[items[at] as usize];
        loop {
            // The next item that fits; equal ones that were passed over are passed over again.
            while at < items.len() && size(at) > left {
                at += (items[at..].partition_point(|i| self.sizes[*i as usize] > left)).max(1);
            }
            if states == 0 || waste == 0 {
                break;
            }
            if at < items.len() {
                states -= 1;
                left -= size(at);
                chosen.push(at);
                at += 1;
                if left < waste {
                    (waste, best) = (left, chosen.clone());
                }
                continue;
            }
            let Some(last) = chosen.pop() else { break };
            left += size(last);
            at = last + items[last..].partition_point(|i| self.sizes[*i as usize] >= size(last));
        }
        self.left -= BIN_STATES.min(self.left) - states;
        best
    }

    /// Takes a few bins apart and fills them again, fuller ones first, until the bound is met or nothing is left.
    fn search(&mut self, bins: &mut Vec<Vec<u32>>, bound: usize) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let load = |bin: &[u32]| bin.iter().map(|i| self.sizes[*i as usize]).sum::<u64>();
        let mut loads: Vec<u64> = bins.iter().map(|bin| load(bin)).collect();
        while bins.len() > bound && self.left > 0 {
            self.left = self.left.saturating_sub(1 + bins.len() as u64 / 8);
            // One of the emptiest, and a few at random.
            let count = rng.random_range(2..=6).min(bins.len());
            let mut apart: Vec<usize> = vec![(0..bins.len()).min_by_key(|b| (loads[*b], *b)).unwrap_or(0)];
            if rng.random_range(0..2) == 0 {
                apart[0] = rng.random_range(0..bins.len());
            }
            while apart.len() < count {
                let bin = rng.random_range(0..bins.len());
                if !apart.contains(&bin) {
                    apart.push(bin);
                }
            }
            let mut items: Vec<u32> = apart.iter().flat_map(|b| bins[*b].iter().copied()).collect();
            items.sort_unstable();
            let fresh = self.refill(&items, &mut rng);
            let square = |load: u64| u128::from(load) * u128::from(load);
            let before: u128 = apart.iter().map(|b| square(loads[*b])).sum();
            let sizes = self.sizes;
            let load = |bin: &[u32]| bin.iter().map(|i| sizes[*i as usize]).sum::<u64>();
            let after: u128 = fresh.iter().map(|bin| square(load(bin))).sum();
            if fresh.len() > apart.len() || (fresh.len() == apart.len() && after < before) {
                continue;
            }
            apart.sort_unstable();
            for bin in apart.iter().rev() {
                bins.swap_remove(*bin);
                loads.swap_remove(*bin);
            }
            for bin in fresh {
                loads.push(load(&bin));
                bins.push(bin);
            }
        }
    }

    /// A filling of these items from a random first item for each bin.
    fn refill(&mut self, items: &[u32], rng: &mut Xoshiro256PlusPlus) -> Vec<Vec<u32>> {
        let mut items = items.to_vec();
        let mut bins = Vec::new();
        while !items.is_empty() {
            let first = items.remove(rng.random_range(0..items.len()));
            let mut bin = vec![first];
            let chosen = self.fullest(&items, self.capacity - self.sizes[first as usize]);
            for at in chosen.iter().rev() {
                bin.push(items.remove(*at));
            }
            bins.push(bin);
        }
        bins
    }
}
