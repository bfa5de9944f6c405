//! Tables of numbers as the kernels want them: checked, and rows one after the other.

use std::borrow::Cow;

use ndarray::{ArrayView1, ArrayView2, CowArray, Ix1, Ix2};

use crate::OptimizationError;

/// The rows of a view one after the other; copied once where the view is not laid out so.
pub(crate) fn contiguous_rows(x: ArrayView2<'_, f64>) -> CowArray<'_, f64, Ix2> {
    if x.is_standard_layout() {
        CowArray::from(x)
    } else {
        CowArray::from(x.as_standard_layout().into_owned())
    }
}

/// The entries of a view one after the other; copied once where the view is not laid out so.
pub(crate) fn contiguous(y: ArrayView1<'_, f64>) -> CowArray<'_, f64, Ix1> {
    if y.is_standard_layout() {
        CowArray::from(y)
    } else {
        CowArray::from(y.to_owned())
    }
}

/// The entries of an array known to be contiguous.
pub(crate) fn entries<'a, D: ndarray::Dimension>(array: &'a CowArray<'_, f64, D>) -> Cow<'a, [f64]> {
    match array.as_slice() {
        Some(slice) => Cow::Borrowed(slice),
        None => Cow::Owned(array.iter().copied().collect()),
    }
}

/// Some rows of a table of `columns` columns, one after the other.
pub(crate) fn gather(rows: &[f64], columns: usize, chosen: &[usize]) -> Vec<f64> {
    let row = |i: &usize| &rows[i * columns..(i + 1) * columns];
    chosen.iter().flat_map(row).copied().collect()
}

/// Refuses a table without rows or columns, and targets of another length.
pub(crate) fn check_shape(x: ArrayView2<'_, f64>, targets: usize) -> Result<(), OptimizationError> {
    if x.ncols() == 0 || x.nrows() == 0 {
        return Err(OptimizationError::EmptyInput { what: "x" });
    }
    if targets != x.nrows() {
        return Err(OptimizationError::DimensionMismatch {
            what: "y",
            expected: x.nrows(),
            found: targets,
        });
    }
    Ok(())
}

/// Refuses a table with NaN or an infinity.
pub(crate) fn check_finite(x: ArrayView2<'_, f64>) -> Result<(), OptimizationError> {
    match x.indexed_iter().find(|(_, v)| !v.is_finite()) {
        Some(((row, column), _)) => Err(OptimizationError::NonFiniteInput {
            what: "x",
            row,
            column,
        }),
        None => Ok(()),
    }
}

/// Refuses targets with NaN or an infinity.
pub(crate) fn check_finite_targets(y: ArrayView1<'_, f64>) -> Result<(), OptimizationError> {
    match y.iter().position(|v| !v.is_finite()) {
        Some(row) => Err(OptimizationError::NonFiniteInput {
            what: "y",
            row,
            column: 0,
        }),
        None => Ok(()),
    }
}
