//! Swaps of one kept weight for one removed weight, each made up for by all that stay.

use modelops_linalg::{Cholesky, gemm};
use multiversion::multiversion;
use ndarray::{Array2, s};

use super::refit::normalised;
use super::{Gram, Pattern};

/// What the search did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Outcome {
    /// Swaps that were made.
    pub(crate) swaps: usize,
    /// Rows of which no swap is left that would gain.
    pub(crate) optimal_rows: usize,
}

/// Gains below this share of the row's output are rounding.
const NOTHING: f64 = 1e-10;

/// Improves mask and weights row by row, at most `most` swaps a row, and always by the swap that gains most.
///
/// The state of a row with kept inputs S is the table that sweeping H on S leaves: the inverse of `H_SS`, the coefficients of
/// every other input on S, and what of it S does not explain. From it the gain of every swap, all other weights moving to
/// their new optimum, takes a few operations, and a swap is two sweeps.
pub(crate) fn refine(
    weights: &Array2<f32>,
    pruned: &mut Array2<f32>,
    gram: &Gram,
    pattern: Pattern,
    most: usize,
    keep: &mut [u8],
) -> Outcome {
    let group = match pattern {
        Pattern::Unstructured { .. } => usize::MAX,
        Pattern::NM { group, .. } => group,
        // A swap of two weights breaks these patterns.
        Pattern::Block { .. } | Pattern::TransposableNM { .. } => return Outcome::default(),
    };
    let (h, norms) = normalised(gram);
    let columns = norms.len();
    let mut outcome = Outcome::default();
    for (row, keep) in keep.chunks_exact_mut(columns.max(1)).enumerate() {
        let target: Vec<f64> = (0..columns)
            .map(|j| f64::from(weights[[row, j]]) * norms[j])
            .collect();
        let Some(mut table) = Table::new(&h, &target, keep) else {
            continue;
        };
        let least = NOTHING * table.whole;
        let mut swaps = 0;
        let optimal = loop {
            match table.best_swap(keep, group) {
                Some((gain, out, into)) if gain > least => {
                    if swaps == most {
                        break false;
                    }
                    table.sweep(out, -1.0);
                    table.sweep(into, 1.0);
                    keep[out] = 0;
                    keep[into] = 1;
                    swaps += 1;
                }
                _ => break true,
            }
        };
        outcome.swaps += swaps;
        outcome.optimal_rows += usize::from(optimal);
        if swaps > 0 {
            for j in 0..columns {
                pruned[[row, j]] = if keep[j] == 1 {
                    (table.solution[j] / norms[j]) as f32
                } else {
                    0.0
                };
            }
        }
    }
    outcome
}

/// H swept on the kept inputs, by rows. Between two kept inputs stands minus the inverse, between a kept and another the
/// coefficient, between two others what is not explained.
struct Table {
    columns: usize,
    values: Vec<f64>,
    /// The weight of a kept input, the gradient of another.
    solution: Vec<f64>,
    pivot: Vec<f64>,
    /// wᵀHw of the dense row.
    whole: f64,
}

impl Table {
    /// `None` where the kept inputs depend on each other.
    fn new(h: &Array2<f64>, target: &[f64], keep: &[u8]) -> Option<Self> {
        let columns = target.len();
        let inside: Vec<usize> = (0..columns).filter(|j| keep[*j] == 1).collect();
        let outside: Vec<usize> = (0..columns).filter(|j| keep[*j] == 0).collect();
        if inside.is_empty() || outside.is_empty() {
            return None;
        }
        let part = |rows: &[usize], across: &[usize]| {
            Array2::from_shape_fn((rows.len(), across.len()), |(i, j)| h[[rows[i], across[j]]])
        };
        let inverse = Cholesky::new(part(&inside, &inside).view())
            .ok()?
            .inverse()
            .ok()?;
        let coupling = part(&inside, &outside);
        let mut coefficients = Array2::zeros(coupling.dim());
        gemm(1.0, inverse.view(), coupling.view(), 0.0, coefficients.view_mut()).ok()?;
        let mut rest = part(&outside, &outside);
        gemm(-1.0, coupling.t(), coefficients.view(), 1.0, rest.view_mut()).ok()?;
        let mut values = vec![0.0; columns * columns];
        for (a, i) in inside.iter().enumerate() {
            for (b, j) in inside.iter().enumerate() {
                values[i * columns + j] = -inverse[[a, b]];
            }
            for (b, j) in outside.iter().enumerate() {
                values[i * columns + j] = coefficients[[a, b]];
                values[j * columns + i] = coefficients[[a, b]];
            }
        }
        for (a, i) in outside.iter().enumerate() {
            for (b, j) in outside.iter().enumerate() {
                values[i * columns + j] = rest[[a, b]];
            }
        }
        let correlation: Vec<f64> = (0..columns)
            .map(|i| h.slice(s![i, ..]).iter().zip(target).map(|(h, w)| h * w).sum())
            .collect();
        let whole = correlation.iter().zip(target).map(|(a, b)| a * b).sum();
        let mut solution = correlation.clone();
        for i in &inside {
            solution[*i] = -inside
                .iter()
                .map(|j| values[i * columns + j] * correlation[*j])
                .sum::<f64>();
        }
        for j in &outside {
            let explained: f64 = inside.iter().map(|i| h[[*j, *i]] * solution[*i]).sum();
            solution[*j] = correlation[*j] - explained;
        }
        Some(Self {
            columns,
            values,
            solution,
            pivot: vec![0.0; columns],
            whole,
        })
    }

    /// Takes input k in (sign 1) or out (sign −1).
    fn sweep(&mut self, k: usize, sign: f64) {
        let n = self.columns;
        self.pivot.copy_from_slice(&self.values[k * n..(k + 1) * n]);
        let d = self.pivot[k];
        let at = self.solution[k] / d;
        for (i, row) in self.values.chunks_exact_mut(n).enumerate() {
            if i != k {
                subtract(row, self.pivot[i] / d, &self.pivot);
                row[k] = sign * self.pivot[i] / d;
            }
        }
        for (j, value) in self.values[k * n..(k + 1) * n].iter_mut().enumerate() {
            *value = if j == k {
                -1.0 / d
            } else {
                sign * self.pivot[j] / d
            };
        }
        subtract(&mut self.solution, at, &self.pivot);
        self.solution[k] = sign * at;
    }

    /// The swap that gains most: its gain, what goes out and what comes in.
    fn best_swap(&self, keep: &[u8], group: usize) -> Option<(f64, usize, usize)> {
        let n = self.columns;
        // Of an input outside: its gradient over what is unexplained of it, and one over the latter; inside: nothing.
        let mut weight = vec![0.0; n];
        let mut inverse = vec![0.0; n];
        for j in (0..n).filter(|j| keep[*j] == 0) {
            let unexplained = self.values[j * n + j];
            if unexplained > 1e-9 {
                inverse[j] = 1.0 / unexplained;
                weight[j] = self.solution[j] / unexplained;
            }
        }
        let mut gains = vec![0.0; n];
        let mut best: Option<(f64, usize, usize)> = None;
        for i in (0..n).filter(|i| keep[*i] == 1) {
            let row = &self.values[i * n..(i + 1) * n];
            let (from, to) = match group {
                usize::MAX => (0, n),
                group => (i / group * group, i / group * group + group),
            };
            gains_of(
                &mut gains[from..to],
                [
                    &row[from..to],
                    &self.solution[from..to],
                    &weight[from..to],
                    &inverse[from..to],
                ],
                [self.solution[i], -row[i]],
            );
            for j in (from..to).filter(|j| keep[*j] == 0) {
                if best.is_none_or(|(gain, ..)| gains[j] > gain) {
                    best = Some((gains[j], i, j));
                }
            }
        }
        best
    }
}

/// row −= factor · pivot.
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f+avx512bw+avx512vl"))]
fn subtract(row: &mut [f64], factor: f64, pivot: &[f64]) {
    for (value, pivot) in row.iter_mut().zip(pivot) {
        *value -= factor * pivot;
    }
}

/// What is gained by taking in each input and then dropping the kept one with this weight and inverse diagonal: the first
/// gains g²/s; the second loses (w − a g/s)² / (p + a²/s).
#[multiversion(targets("x86_64+avx2", "x86_64+avx512f+avx512bw+avx512vl"))]
fn gains_of(gains: &mut [f64], [row, gradient, weight, inverse]: [&[f64]; 4], [own, diagonal]: [f64; 2]) {
    let others = row.iter().zip(gradient).zip(weight.iter().zip(inverse));
    for (gain, ((a, g), (q, inverse))) in gains.iter_mut().zip(others) {
        let left = own - a * q;
        *gain = g * q - left * left / (diagonal + a * a * inverse);
    }
}
