//! Looking for numbers that are not finite.

use ndarray::{ArrayView1, ArrayView2};

use crate::Real;

/// Row and column of the first entry, in row order, that is not finite.
pub(crate) fn non_finite<T: Real>(a: ArrayView2<'_, T>) -> Option<(usize, usize)> {
    if all_finite(a) {
        return None;
    }
    a.indexed_iter().find(|(_, x)| !x.is_finite()).map(|(at, _)| at)
}

/// Row and column of the first entry on or below the diagonal that is not finite.
pub(crate) fn non_finite_lower<T: Real>(a: ArrayView2<'_, T>) -> Option<(usize, usize)> {
    if all_finite(a) {
        return None;
    }
    a.indexed_iter()
        .find(|((i, j), x)| j <= i && !x.is_finite())
        .map(|(at, _)| at)
}

/// Whether every entry is finite.
pub(crate) fn all_finite<T: Real>(a: ArrayView2<'_, T>) -> bool {
    a.rows().into_iter().all(row_finite)
}

/// A finite `x` gives `x · 0 = 0`; NaN and infinities give NaN, which every later sum keeps: no branch per entry.
fn row_finite<T: Real>(row: ArrayView1<'_, T>) -> bool {
    row.fold(T::zero(), |sum, &x| sum + x * T::zero()) == T::zero()
}
