//! Swaps of one kept weight for one removed weight, each made up for by all that stay.

use modelops_linalg::{Cholesky, gemm};
use multiversion::multiversion;
use ndarray::{Array1, Array2, ArrayView1, s};

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
    let target = Array2::from_shape_fn(weights.dim(), |(i, j)| f64::from(weights[[i, j]]) * norms[j]);
    let mut correlation = Array2::zeros(target.dim());
    gemm(1.0, target.view(), h.view(), 0.0, correlation.view_mut()).expect("shapes agree");
    for (row, keep) in keep.chunks_exact_mut(columns.max(1)).enumerate() {
        let Some(mut table) = Table::new(&h, correlation.row(row), keep) else {
            continue;
        };
        let least = NOTHING * correlation.row(row).dot(&target.row(row));
        let mut swaps = 0;
        let optimal = loop {
            match table.best_swap(group) {
                Some((gain, out, into)) if gain > least => {
                    if swaps == most {
                        break false;
                    }
                    table.sweep(out, -1.0);
                    table.sweep(into, 1.0);
                    swaps += 1;
                }
                _ => break true,
            }
        };
        outcome.swaps += swaps;
        outcome.optimal_rows += usize::from(optimal);
        if swaps > 0 {
            for (place, column) in table.order.iter().enumerate() {
                keep[*column] = u8::from(table.kept[place]);
                pruned[[row, *column]] = if table.kept[place] {
                    (table.solution[place] / norms[*column]) as f32
                } else {
                    0.0
                };
            }
        }
    }
    outcome
}

/// H swept on the kept inputs. Between two kept inputs stands minus the inverse, between a kept and another the coefficient,
/// between two others what is not explained. Rows and columns stand in the order of `order`: first the inputs that were kept
/// in the beginning, so that the table is put together from whole blocks.
struct Table {
    order: Vec<usize>,
    /// Where each input stands.
    places: Vec<usize>,
    kept: Vec<bool>,
    values: Array2<f64>,
    /// The weight of a kept input, the gradient of another.
    solution: Array1<f64>,
    pivot: Vec<f64>,
}

impl Table {
    /// `None` where the kept inputs depend on each other.
    fn new(h: &Array2<f64>, correlation: ArrayView1<'_, f64>, keep: &[u8]) -> Option<Self> {
        let columns = keep.len();
        let mut order: Vec<usize> = (0..columns).collect();
        order.sort_by_key(|column| keep[*column] == 0);
        let mut places = vec![0; columns];
        for (place, column) in order.iter().enumerate() {
            places[*column] = place;
        }
        let m = keep.iter().filter(|keep| **keep == 1).count();
        let (inside, outside) = order.split_at(m);
        if inside.is_empty() || outside.is_empty() {
            return None;
        }
        let inverse = Cholesky::new(gather(h, inside, inside).view())
            .ok()?
            .inverse()
            .ok()?;
        let coupling = gather(h, inside, outside);
        let mut coefficients = Array2::zeros(coupling.dim());
        gemm(1.0, inverse.view(), coupling.view(), 0.0, coefficients.view_mut()).ok()?;
        let mut rest = gather(h, outside, outside);
        gemm(-1.0, coupling.t(), coefficients.view(), 1.0, rest.view_mut()).ok()?;
        let mut values = Array2::zeros((columns, columns));
        values
            .slice_mut(s![..m, ..m])
            .zip_mut_with(&inverse, |to, from| *to = -from);
        values.slice_mut(s![..m, m..]).assign(&coefficients);
        values.slice_mut(s![m.., ..m]).assign(&coefficients.t());
        values.slice_mut(s![m.., m..]).assign(&rest);

        let mut solution: Array1<f64> = order.iter().map(|column| correlation[*column]).collect();
        let weights = inverse.dot(&solution.slice(s![..m]));
        let explained = coupling.t().dot(&weights);
        solution.slice_mut(s![..m]).assign(&weights);
        solution
            .slice_mut(s![m..])
            .zip_mut_with(&explained, |gradient, explained| *gradient -= explained);
        Some(Self {
            kept: order.iter().map(|column| keep[*column] == 1).collect(),
            order,
            places,
            values,
            solution,
            pivot: vec![0.0; columns],
        })
    }

    /// Takes what stands at place k in (sign 1) or out (sign −1).
    fn sweep(&mut self, k: usize, sign: f64) {
        let n = self.order.len();
        let values = self.values.as_slice_mut().expect("made in standard layout");
        self.pivot.copy_from_slice(&values[k * n..(k + 1) * n]);
        let d = self.pivot[k];
        let at = self.solution[k] / d;
        for (i, row) in values.chunks_exact_mut(n).enumerate() {
            if i != k {
                subtract(row, self.pivot[i] / d, &self.pivot);
                row[k] = sign * self.pivot[i] / d;
            }
        }
        for (j, value) in values[k * n..(k + 1) * n].iter_mut().enumerate() {
            *value = if j == k {
                -1.0 / d
            } else {
                sign * self.pivot[j] / d
            };
        }
        let solution = self.solution.as_slice_mut().expect("made in standard layout");
        subtract(solution, at, &self.pivot);
        solution[k] = sign * at;
        self.kept[k] = sign > 0.0;
    }

    /// The swap that gains most: its gain, the place that goes out and the one that comes in.
    fn best_swap(&self, group: usize) -> Option<(f64, usize, usize)> {
        let n = self.order.len();
        let solution = self.solution.as_slice().expect("made in standard layout");
        // Of an input outside: its gradient over what is unexplained of it, and one over the latter; inside: nothing.
        let mut weight = vec![0.0; n];
        let mut inverse = vec![0.0; n];
        for j in (0..n).filter(|j| !self.kept[*j]) {
            let unexplained = self.values[[j, j]];
            if unexplained > 1e-9 {
                inverse[j] = 1.0 / unexplained;
                weight[j] = solution[j] / unexplained;
            }
        }
        let mut gains = vec![0.0; n];
        let mut best: Option<(f64, usize, usize)> = None;
        let mut offer = |gain: f64, out: usize, into: usize| {
            if best.is_none_or(|(most, ..)| gain > most) {
                best = Some((gain, out, into));
            }
        };
        for i in (0..n).filter(|i| self.kept[*i]) {
            let row = self.values.row(i).to_slice().expect("made in standard layout");
            let own = [solution[i], -row[i]];
            if group == usize::MAX {
                gains_of(&mut gains, [row, solution, &weight, &inverse], own);
                let outside = gains.iter().zip(&self.kept).enumerate();
                let outside = outside.filter(|(_, (_, kept))| !**kept);
                outside.for_each(|(j, (gain, _))| offer(*gain, i, j));
                continue;
            }
            let first = self.order[i] / group * group;
            for j in &self.places[first..first + group] {
                if !self.kept[*j] {
                    let gain = gain_of(row[*j], solution[*j], weight[*j], inverse[*j], own);
                    offer(gain, i, *j);
                }
            }
        }
        best
    }
}

/// These rows and columns of a matrix.
fn gather(h: &Array2<f64>, rows: &[usize], columns: &[usize]) -> Array2<f64> {
    let mut values = Vec::with_capacity(rows.len() * columns.len());
    for row in rows {
        let row = h.row(*row);
        let row = row.to_slice().expect("made in standard layout");
        values.extend(columns.iter().map(|column| row[*column]));
    }
    Array2::from_shape_vec((rows.len(), columns.len()), values).expect("as many as the shape holds")
}

/// row −= factor · pivot.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn subtract(row: &mut [f64], factor: f64, pivot: &[f64]) {
    for (value, pivot) in row.iter_mut().zip(pivot) {
        *value -= factor * pivot;
    }
}

/// [`gain_of`] for each input.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn gains_of(gains: &mut [f64], [row, gradient, weight, inverse]: [&[f64]; 4], own: [f64; 2]) {
    let others = row.iter().zip(gradient).zip(weight.iter().zip(inverse));
    for (gain, ((a, g), (q, inverse))) in gains.iter_mut().zip(others) {
        *gain = gain_of(*a, *g, *q, *inverse, own);
    }
}

/// What is gained by taking in an input and then dropping the kept one with this weight and inverse diagonal: the first gains
/// g²/s; the second loses (w − a g/s)² / (p + a²/s).
#[inline]
fn gain_of(a: f64, g: f64, q: f64, inverse: f64, [own, diagonal]: [f64; 2]) -> f64 {
    let left = own - a * q;
    g * q - left * left / (diagonal + a * a * inverse)
}
