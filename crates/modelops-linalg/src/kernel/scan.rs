//! Looking for numbers that are not finite.

use ndarray::ArrayView2;

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

/// Whether every entry is finite; in memory order, whatever that is.
pub(crate) fn all_finite<T: Real>(a: ArrayView2<'_, T>) -> bool {
    match a.as_slice_memory_order() {
        Some(slice) => slice_finite(slice),
        None => a.iter().all(|x| x.is_finite()),
    }
}

/// A finite `x` gives `x · 0 = 0`; NaN and infinities give NaN, which every later sum keeps: no branch per entry, and
/// eight sums that do not wait for each other.
fn slice_finite<T: Real>(slice: &[T]) -> bool {
    let (blocks, rest) = slice.as_chunks::<8>();
    let mut sums = [T::zero(); 8];
    for block in blocks {
        for (sum, &x) in sums.iter_mut().zip(block) {
            *sum = *sum + x * T::zero();
        }
    }
    sums.iter().all(|&sum| sum == T::zero()) && rest.iter().all(|x| x.is_finite())
}
