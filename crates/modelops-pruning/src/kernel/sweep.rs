//! Regressions on changing sets of columns, all from one matrix of products.

use ndarray::Array2;

/// Takes a column into the regressions, or, where it is in, out again (Goodnight, 1979).
///
/// `moments` starts as symmetric products of columns. With the columns S in: the entries of S among themselves are minus the inverse, those
/// of a column outside with S its coefficients on S, and those of columns outside among themselves the products of what S
/// leaves unexplained of them. The column's diagonal must not be zero. O(columns²).
pub(crate) fn sweep(moments: &mut Array2<f64>, column: usize) {
    let pivot = moments[[column, column]];
    let row = moments.row(column).to_owned();
    for (i, mut out) in moments.rows_mut().into_iter().enumerate() {
        let share = row[i] / pivot;
        if i != column && share != 0.0 {
            out.scaled_add(-share, &row);
        }
    }
    for (i, value) in row.iter().enumerate() {
        moments[[i, column]] = value / pivot.abs();
        moments[[column, i]] = value / pivot.abs();
    }
    moments[[column, column]] = -1.0 / pivot;
}
