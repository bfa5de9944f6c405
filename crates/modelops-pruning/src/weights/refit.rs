//! The least-squares optimum on a fixed mask.

use modelops_linalg::gemm;
use multiversion::multiversion;
use ndarray::{Array2, s};

use super::Gram;

/// Corrections at most. Each solves in `f32` for the residual of the last in `f64`, and gains a few digits.
const CORRECTIONS: usize = 6;
/// Steps of conjugate gradients at most in one correction; each is one product. To begin anew forgets all directions.
const STEPS: usize = 100;
/// Squared residual, relative to the first right-hand side, at which a row is done.
const DONE: f64 = 1e-12;
/// By how much one correction shrinks a squared residual: as far as `f32` follows it.
const SHRINK: f64 = 1e-12;
/// Rows that are done leave the products when they are this part of those in them.
const DONE_ROWS: usize = 16;

/// Conjugate gradients on all rows at once, in units in which every input has norm one.
pub(crate) fn solve(weights: &Array2<f32>, start: &Array2<f32>, gram: &Gram, keep: &[u8]) -> Array2<f32> {
    let (h, norms) = normalised(gram);
    let columns = norms.len();
    if columns == 0 {
        return start.clone();
    }
    let narrow = h.mapv(|x| x as f32);
    let scale = |w: &Array2<f32>| Array2::from_shape_fn(w.dim(), |(i, j)| f64::from(w[[i, j]]) * norms[j]);
    let target = scale(weights);
    let mut x = scale(start);
    let mut wide = Array2::zeros(x.dim());
    let squares = |residual: &Array2<f64>| -> Vec<f64> {
        residual
            .rows()
            .into_iter()
            .zip(keep.chunks_exact(columns))
            .map(|(row, keep)| {
                row.iter()
                    .zip(keep)
                    .map(|(x, keep)| f64::from(*keep) * x * x)
                    .sum()
            })
            .collect()
    };
    gemm(1.0, target.view(), h.view(), 0.0, wide.view_mut()).expect("shapes agree");
    let bounds: Vec<f64> = squares(&wide).into_iter().map(|size| size * DONE).collect();
    let mut state = State::new(x.dim());
    for _ in 0..CORRECTIONS {
        let difference = &target - &x;
        gemm(1.0, difference.view(), h.view(), 0.0, wide.view_mut()).expect("shapes agree");
        let sizes = squares(&wide);
        if sizes.iter().zip(&bounds).all(|(size, bound)| size <= bound) {
            break;
        }
        state.correct(&wide, &narrow, keep, &sizes, &bounds);
        x.zip_mut_with(&state.x, |x, correction| *x += f64::from(*correction));
    }
    Array2::from_shape_fn(x.dim(), |(i, j)| (x[[i, j]] / norms[j]) as f32)
}

/// The vectors of conjugate gradients, a row each; directions and products only of rows that are not done, side by side.
struct State {
    x: Array2<f32>,
    r: Array2<f32>,
    p: Array2<f32>,
    product: Array2<f32>,
}

impl State {
    fn new(shape: (usize, usize)) -> Self {
        let zeros = || Array2::zeros(shape);
        Self {
            x: zeros(),
            r: zeros(),
            p: zeros(),
            product: zeros(),
        }
    }

    /// Solves for the residual `wide` on the mask; rows stop on their own.
    fn correct(&mut self, wide: &Array2<f64>, h: &Array2<f32>, keep: &[u8], sizes: &[f64], bounds: &[f64]) {
        let columns = h.ncols();
        self.x.fill(0.0);
        for ((r, wide), keep) in slice(&mut self.r).iter_mut().zip(wide).zip(keep) {
            *r = if *keep == 0 { 0.0 } else { *wide as f32 };
        }
        self.p.assign(&self.r);
        let mut size: Vec<f32> = self.r.rows().into_iter().map(|r| r.dot(&r)).collect();
        let goal: Vec<f32> = sizes
            .iter()
            .zip(bounds)
            .map(|(size, bound)| (size * SHRINK).max(*bound * 0.25) as f32)
            .collect();
        // The row of each direction.
        let mut rows: Vec<usize> = (0..size.len()).collect();
        for _ in 0..STEPS {
            let left = rows.iter().filter(|row| size[**row] > goal[**row]).count();
            if left == 0 {
                break;
            }
            if (rows.len() - left) * DONE_ROWS >= rows.len() {
                let mut place = 0;
                for from in 0..rows.len() {
                    if size[rows[from]] > goal[rows[from]] {
                        rows[place] = rows[from];
                        let direction = from * columns..(from + 1) * columns;
                        slice(&mut self.p).copy_within(direction, place * columns);
                        place += 1;
                    }
                }
                rows.truncate(place);
            }
            let inside = s![..rows.len(), ..];
            gemm(
                1.0,
                self.p.slice(inside),
                h.view(),
                0.0,
                self.product.slice_mut(inside),
            )
            .expect("shapes agree");
            let vectors = slice(&mut self.p)
                .chunks_exact_mut(columns)
                .zip(slice(&mut self.product).chunks_exact(columns));
            for (row, (p, product)) in rows.iter().zip(vectors) {
                if size[*row] > goal[*row] {
                    let own = row * columns..(row + 1) * columns;
                    let (x, r) = (
                        &mut slice(&mut self.x)[own.clone()],
                        &mut slice(&mut self.r)[own.clone()],
                    );
                    size[*row] = step(x, r, p, product, &keep[own], size[*row]);
                }
            }
        }
    }
}

fn slice(matrix: &mut Array2<f32>) -> &mut [f32] {
    matrix.as_slice_mut().expect("made in standard layout")
}

/// One step of one row; the new squared residual.
#[multiversion(targets("x86_64+avx2+fma"))]
fn step(x: &mut [f32], r: &mut [f32], p: &mut [f32], product: &[f32], keep: &[u8], size: f32) -> f32 {
    const LANES: usize = 16;
    let mut lanes = [0.0_f32; LANES];
    for (p, product) in p.chunks(LANES).zip(product.chunks(LANES)) {
        for ((lane, p), product) in lanes.iter_mut().zip(p).zip(product) {
            *lane += p * product; // p is zero where nothing is kept
        }
    }
    let curvature: f32 = lanes.iter().sum();
    if curvature <= 0.0 {
        return 0.0;
    }
    let length = size / curvature;
    let mut lanes = [0.0_f32; LANES];
    let chunks = x
        .chunks_mut(LANES)
        .zip(r.chunks_mut(LANES))
        .zip(p.chunks(LANES))
        .zip(product.chunks(LANES).zip(keep.chunks(LANES)));
    for (((x, r), p), (product, keep)) in chunks {
        for i in 0..x.len() {
            x[i] += length * p[i];
            r[i] -= length * product[i] * f32::from(keep[i]);
            lanes[i] += r[i] * r[i];
        }
    }
    let next: f32 = lanes.iter().sum();
    let turn = next / size;
    for (p, r) in p.iter_mut().zip(r.iter()) {
        *p = r + turn * *p;
    }
    next
}

/// The Gram matrix with a unit diagonal, and the norms that were divided out; an input that never occurs has norm one and
/// a unit diagonal of its own.
pub(crate) fn normalised(gram: &Gram) -> (Array2<f64>, Vec<f64>) {
    let norms: Vec<f64> = gram
        .column_norms()
        .into_iter()
        .map(|norm| if norm > 0.0 { norm } else { 1.0 })
        .collect();
    let h = gram.matrix();
    let unit = |(i, j)| {
        if i == j {
            1.0
        } else {
            h[[i, j]] / (norms[i] * norms[j])
        }
    };
    (Array2::from_shape_fn(h.dim(), unit), norms)
}
