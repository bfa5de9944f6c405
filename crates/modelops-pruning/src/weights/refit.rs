//! The least-squares optimum on a fixed mask.

use modelops_linalg::gemm;
use ndarray::Array2;

use super::Gram;

/// Steps of conjugate gradients at most; each is one product.
const STEPS: usize = 60;
/// Squared residual, relative to the first right-hand side, at which a row is done.
const DONE: f64 = 1e-11;

/// Conjugate gradients on all rows at once, in units in which every input has norm one.
pub(crate) fn solve(weights: &Array2<f32>, start: &Array2<f32>, gram: &Gram, keep: &[u8]) -> Array2<f32> {
    let (h, norms) = normalised(gram);
    let columns = norms.len();
    let scale = |w: &Array2<f32>| Array2::from_shape_fn(w.dim(), |(i, j)| f64::from(w[[i, j]]) * norms[j]);
    let target = scale(weights);
    let mut x = scale(start);
    let mut product = Array2::zeros(x.dim());
    let apply = |from: &Array2<f64>, to: &mut Array2<f64>| {
        gemm(1.0, from.view(), h.view(), 0.0, to.view_mut()).expect("shapes agree");
        to.iter_mut()
            .zip(keep)
            .for_each(|(x, keep)| *x = if *keep == 0 { 0.0 } else { *x });
    };
    apply(&target, &mut product);
    let bounds: Vec<f64> = product
        .rows()
        .into_iter()
        .map(|row| row.dot(&row) * DONE)
        .collect();
    let mut r = &target - &x;
    apply(&r.clone(), &mut r);
    let mut p = r.clone();
    let mut size: Vec<f64> = r.rows().into_iter().map(|row| row.dot(&row)).collect();
    for _ in 0..STEPS {
        if size.iter().zip(&bounds).all(|(size, bound)| size <= bound) {
            break;
        }
        apply(&p, &mut product);
        for (row, size) in size.iter_mut().enumerate() {
            if *size <= bounds[row] {
                continue;
            }
            let at = row * columns..(row + 1) * columns;
            let (Some(p), Some(product)) = (p.as_slice_mut(), product.as_slice()) else {
                break;
            };
            let (p, product) = (&mut p[at.clone()], &product[at.clone()]);
            let curvature: f64 = p.iter().zip(product).map(|(a, b)| a * b).sum();
            if curvature <= 0.0 {
                *size = 0.0;
                continue;
            }
            let step = *size / curvature;
            let (Some(x), Some(r)) = (x.as_slice_mut(), r.as_slice_mut()) else {
                break;
            };
            let (x, r) = (&mut x[at.clone()], &mut r[at]);
            let mut next = 0.0;
            for (((x, r), p), product) in x.iter_mut().zip(r.iter_mut()).zip(p.iter()).zip(product) {
                *x += step * p;
                *r -= step * product;
                next += *r * *r;
            }
            let turn = next / *size;
            for (p, r) in p.iter_mut().zip(r.iter()) {
                *p = r + turn * *p;
            }
            *size = next;
        }
    }
    Array2::from_shape_fn(x.dim(), |(i, j)| (x[[i, j]] / norms[j]) as f32)
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
