//! Column-major copies: what the factorizations want, whatever the layout of the caller's view.

use ndarray::{Array2, ArrayView2, ArrayViewMut2, ShapeBuilder, s};

use crate::Real;

/// Side of the square tiles in which a matrix is copied or mirrored: two tiles of `f64` stay in the first-level cache.
const TILE: usize = 32;

/// A column-major copy of `a`.
pub(crate) fn column_major<T: Real>(a: ArrayView2<'_, T>) -> Array2<T> {
    let mut out = Array2::zeros(a.raw_dim().f());
    copy_tiled(a, out.view_mut());
    out
}

/// A column-major copy of the lower triangle of a square `a`, zeros above.
pub(crate) fn column_major_lower<T: Real>(a: ArrayView2<'_, T>) -> Array2<T> {
    let mut out = column_major(a);
    clear_upper(&mut out);
    out
}

/// Sets what is above the diagonal to zero.
pub(crate) fn clear_upper<T: Real>(a: &mut Array2<T>) {
    for (j, mut column) in a.columns_mut().into_iter().enumerate() {
        column.slice_mut(s![..j]).fill(T::zero());
    }
}

/// Copies `from` to `to`, of one shape, tile by tile, so that neither layout thrashes the cache.
pub(crate) fn copy_tiled<T: Real>(from: ArrayView2<'_, T>, mut to: ArrayViewMut2<'_, T>) {
    let (rows, columns) = from.dim();
    for i in (0..rows).step_by(TILE) {
        let bottom = (i + TILE).min(rows);
        for j in (0..columns).step_by(TILE) {
            let right = (j + TILE).min(columns);
            to.slice_mut(s![i..bottom, j..right])
                .assign(&from.slice(s![i..bottom, j..right]));
        }
    }
}

/// Writes the lower triangle of the square row-major `c` of side `n` over its upper triangle.
pub(crate) fn mirror_lower<T: Copy>(c: &mut [T], n: usize) {
    for top in (0..n).step_by(TILE) {
        for left in (0..=top).step_by(TILE) {
            for i in top..(top + TILE).min(n) {
                for j in left..(left + TILE).min(i) {
                    c[j * n + i] = c[i * n + j];
                }
            }
        }
    }
}
