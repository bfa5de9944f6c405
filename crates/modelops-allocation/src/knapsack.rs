//! The best selection under one capacity.

use crate::error::SolveError;
use crate::kernel::core_dp;
use crate::solver::{Item, SolverOptions, Status};

/// The answer of [`knapsack`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The positions of the chosen items, ascending.
    pub chosen: Vec<usize>,
    /// Their value together.
    pub value: u64,
    /// Their weight together.
    pub weight: u64,
    /// What no selection can exceed; equal to `value` when [`Status::Optimal`].
    pub bound: u64,
    /// Whether the value is proven.
    pub status: Status,
}

/// Chooses items of the largest total value whose weights together fit into `capacity`: the 0/1 knapsack problem, exactly.
///
/// Use it where one resource decides what is served. For copies of an item use [`bounded_knapsack`], for one variant of each
/// model [`crate::choose_variants`].
///
/// **Formula**: max Σ vᵢ xᵢ subject to Σ wᵢ xᵢ ≤ c, xᵢ ∈ {0, 1}.
///
/// # Errors
/// [`SolveError::Overflow`] where the values or the weights sum to 2⁶² or more, [`SolveError::TooManyItems`] above 2³¹.
///
/// **Complexity**: O(n) plus the states of a small core, O(n log n) where exchanges are needed; exponential in the worst case, therefore the limit in
/// [`SolverOptions`], after which the answer is still feasible and its bound valid.
///
/// # Example
/// ```
/// use modelops_allocation::{Item, SolverOptions, Status, knapsack};
/// // The largest first takes 6 of 10; the best takes both fives.
/// let items = [Item::new(6, 6), Item::new(5, 5), Item::new(5, 5)];
/// let best = knapsack(&items, 10, &SolverOptions::default())?;
/// assert_eq!((best.value, best.chosen), (10, vec![1, 2]));
/// assert_eq!(best.status, Status::Optimal);
/// # Ok::<(), modelops_allocation::SolveError>(())
/// ```
///
/// **References**: E. Balas, E. Zemel, *An algorithm for large zero-one knapsack problems*, 1980, doi:10.1287/opre.28.5.1130;
/// D. Pisinger, *A minimal algorithm for the 0-1 knapsack problem*, 1997, doi:10.1287/opre.45.5.758; S. Martello, D. Pisinger,
/// P. Toth, *Dynamic programming and strong bounds for the 0-1 knapsack problem*, 1999, doi:10.1287/mnsc.45.3.414.
pub fn knapsack(items: &[Item], capacity: u64, options: &SolverOptions) -> Result<Selection, SolveError> {
    check_sums(items.iter())?;
    if items.len() > MAX_ITEMS {
        return Err(SolveError::TooManyItems {
            items: items.len(),
            limit: MAX_ITEMS,
        });
    }
    let outcome = core_dp::solve(items, capacity, options.max_states);
    let sum = |part: fn(&Item) -> u64| outcome.chosen.iter().map(|i| part(&items[*i])).sum();
    let value: u64 = sum(|item| item.value);
    let weight: u64 = sum(|item| item.weight);
    let status = if outcome.proven {
        Status::Optimal
    } else {
        Status::StateLimit
    };
    let bound = if outcome.proven {
        value
    } else {
        outcome.bound.max(value)
    };
    Ok(Selection {
        chosen: outcome.chosen,
        value,
        weight,
        bound,
        status,
    })
}

pub(crate) const MAX_ITEMS: usize = 1 << 31;

/// Refuses sums that the solvers' integers cannot hold.
pub(crate) fn check_sums<'a>(items: impl Iterator<Item = &'a Item>) -> Result<(), SolveError> {
    let (mut values, mut weights) = (0_u128, 0_u128);
    for item in items {
        values += u128::from(item.value);
        weights += u128::from(item.weight);
    }
    for (what, sum) in [("values", values), ("weights", weights)] {
        if sum >= 1 << 62 {
            return Err(SolveError::Overflow { what });
        }
    }
    Ok(())
}

/// Several equal items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copies {
    /// One of them.
    pub item: Item,
    /// How many there are.
    pub copies: u64,
}

/// The answer of [`bounded_knapsack`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundedSelection {
    /// How many of each are chosen.
    pub counts: Vec<u64>,
    /// Their value together.
    pub value: u64,
    /// Their weight together.
    pub weight: u64,
    /// What no selection can exceed.
    pub bound: u64,
    /// Whether the value is proven.
    pub status: Status,
}

/// Chooses how many of each item to take: the bounded knapsack problem, exactly.
///
/// Copies are split into powers of two, so a million replicas are twenty items.
///
/// **Complexity**: as [`knapsack`], over Σ log₂(copies) items.
///
/// # Errors
/// As [`knapsack`].
///
/// # Example
/// ```
/// use modelops_allocation::{Copies, Item, SolverOptions, bounded_knapsack};
/// let items = [Copies { item: Item::new(3, 2), copies: 5 }, Copies { item: Item::new(7, 5), copies: 5 }];
/// // 11 units: one of the second (5) and three of the first (6).
/// let best = bounded_knapsack(&items, 11, &SolverOptions::default())?;
/// assert_eq!((best.counts, best.value), (vec![3, 1], 16));
/// # Ok::<(), modelops_allocation::SolveError>(())
/// ```
#[doc(alias = "integer_knapsack")]
pub fn bounded_knapsack(
    items: &[Copies],
    capacity: u64,
    options: &SolverOptions,
) -> Result<BoundedSelection, SolveError> {
    let mut parts = Vec::new();
    let mut origin = Vec::new();
    for (index, Copies { item, copies }) in items.iter().enumerate() {
        // No more than fit: a weight of 0 fits any number of times.
        let mut left = capacity
            .checked_div(item.weight)
            .map_or(*copies, |most| most.min(*copies));
        let mut times = 1;
        while left > 0 {
            let now = left.min(times);
            let (Some(value), Some(weight)) = (item.value.checked_mul(now), item.weight.checked_mul(now))
            else {
                return Err(SolveError::Overflow { what: "values" });
            };
            parts.push(Item { value, weight });
            origin.push((index, now));
            left -= now;
            times = times.saturating_mul(2);
        }
    }
    let selection = knapsack(&parts, capacity, options)?;
    let mut counts = vec![0; items.len()];
    for part in &selection.chosen {
        let (index, times) = origin[*part];
        counts[index] += times;
    }
    let Selection {
        value,
        weight,
        bound,
        status,
        ..
    } = selection;
    Ok(BoundedSelection {
        counts,
        value,
        weight,
        bound,
        status,
    })
}
