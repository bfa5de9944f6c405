//! Units divided among tables of values.

use std::collections::BinaryHeap;

use crate::error::SolveError;

/// The answer of [`divide`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Division {
    /// How many units each table gets.
    pub units: Vec<usize>,
    /// The value of that.
    pub value: u64,
    /// Which method was exact here.
    pub method: DivisionMethod,
}

/// How [`divide`] worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DivisionMethod {
    /// Every table is concave, so unit by unit to the largest gain is exact.
    Marginal,
    /// Some table is not: Bellman's recursion.
    Bellman,
}

/// Divides at most `units` equal units among tables: `tables[i][r]` is what r units are worth to i. Exact.
///
/// Use it for replicas against throughput or memory against hit rate, with any shape of gain. A table of k + 1 entries takes at
/// most k units. Where all tables are concave the marginal greedy is exact and taken; else dynamic programming.
///
/// **Formula**: max Σ tᵢ(rᵢ) subject to Σ rᵢ ≤ units, 0 ≤ rᵢ < len(tᵢ).
///
/// # Errors
/// [`SolveError::EmptyTable`]; [`SolveError::Overflow`] where the largest entries sum to 2⁶² or more.
///
/// **Complexity**: concave O((n + units) log n); else O(n · units²) time, O(n · units) memory.
///
/// # Example
/// ```
/// use modelops_allocation::{DivisionMethod, divide};
/// // The second gains nothing until its third unit.
/// let best = divide(&[vec![0, 5, 9, 12], vec![0, 0, 0, 20]], 3)?;
/// assert_eq!((best.units, best.value, best.method), (vec![0, 3], 20, DivisionMethod::Bellman));
/// # Ok::<(), modelops_allocation::SolveError>(())
/// ```
///
/// **References**: R. Bellman, *Dynamic Programming*, 1957; B. Fox, *Discrete optimization via marginal analysis*, 1966,
/// doi:10.1287/mnsc.13.3.210.
pub fn divide(tables: &[Vec<u64>], units: usize) -> Result<Division, SolveError> {
    if let Some(table) = tables.iter().position(Vec::is_empty) {
        return Err(SolveError::EmptyTable { table });
    }
    let most: u128 = tables
        .iter()
        .filter_map(|table| table.iter().max())
        .map(|value| u128::from(*value))
        .sum();
    if most >= 1 << 62 {
        return Err(SolveError::Overflow { what: "values" });
    }
    let concave = tables.iter().all(|table| {
        table
            .windows(3)
            .all(|w| i128::from(w[2]) - i128::from(w[1]) <= i128::from(w[1]) - i128::from(w[0]))
    });
    let (given, method) = if concave {
        (marginal(tables, units), DivisionMethod::Marginal)
    } else {
        (bellman(tables, units), DivisionMethod::Bellman)
    };
    let value = tables.iter().zip(&given).map(|(table, r)| table[*r]).sum();
    Ok(Division {
        units: given,
        value,
        method,
    })
}

/// Unit by unit to whoever gains most; the first of equals.
fn marginal(tables: &[Vec<u64>], units: usize) -> Vec<usize> {
    let mut given = vec![0; tables.len()];
    let gain = |i: usize, r: usize| {
        let next = tables[i].get(r + 1)?;
        next.checked_sub(tables[i][r]).filter(|gain| *gain > 0)
    };
    let mut heap: BinaryHeap<(u64, std::cmp::Reverse<usize>)> = (0..tables.len())
        .filter_map(|i| Some((gain(i, 0)?, std::cmp::Reverse(i))))
        .collect();
    for _ in 0..units {
        let Some((_, std::cmp::Reverse(i))) = heap.pop() else {
            break;
        };
        given[i] += 1;
        if let Some(next) = gain(i, given[i]) {
            heap.push((next, std::cmp::Reverse(i)));
        }
    }
    given
}

/// best[r] is the value of at most r units over the tables so far; `choices` remembers what each took.
fn bellman(tables: &[Vec<u64>], units: usize) -> Vec<usize> {
    // More units than the tables can take change nothing.
    let units = units.min(tables.iter().map(|table| table.len() - 1).sum());
    let mut best = vec![0_u64; units + 1];
    let mut choices: Vec<Vec<u32>> = Vec::with_capacity(tables.len());
    for table in tables {
        let mut next = vec![0_u64; units + 1];
        let mut choice = vec![0_u32; units + 1];
        for r in 0..=units {
            let mut top = None;
            for (take, value) in table.iter().take(r + 1).enumerate() {
                let worth = best[r - take] + value;
                if top.is_none_or(|(most, _)| worth > most) {
                    top = Some((worth, take as u32));
                }
            }
            (next[r], choice[r]) = top.unwrap_or((0, 0));
        }
        best = next;
        choices.push(choice);
    }
    let mut left = units;
    let mut given = vec![0; tables.len()];
    for (take, choice) in given.iter_mut().zip(&choices).rev() {
        *take = choice[left] as usize;
        left -= *take;
    }
    given
}
