//! What can go wrong, one small enum per step.

use thiserror::Error;

/// Why a matrix could not be factored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FactorError {
    /// The factorization needs as many rows as columns.
    #[error("expected a square matrix, got {rows} rows and {columns} columns")]
    NotSquare {
        /// Rows of the given matrix.
        rows: usize,
        /// Columns of the given matrix.
        columns: usize,
    },
    /// The factorization needs at least as many rows as columns.
    #[error("expected at least as many rows as columns, got {rows} rows and {columns} columns")]
    TooFewRows {
        /// Rows of the given matrix.
        rows: usize,
        /// Columns of the given matrix.
        columns: usize,
    },
    /// An entry that the factorization reads is NaN or infinite, or the arithmetic overflowed there.
    #[error("not a finite number at row {row}, column {column}")]
    NonFinite {
        /// Row of the first such entry, from 0.
        row: usize,
        /// Column of the first such entry, from 0.
        column: usize,
    },
    /// The leading minor of order `pivot + 1` is not positive: add a ridge to the diagonal, or drop the row and column.
    #[error("not positive definite: the pivot at {pivot} is not positive")]
    NotPositiveDefinite {
        /// Index of the first pivot that is not positive, from 0.
        pivot: usize,
    },
    /// A pivot is exactly zero: the matrix has no inverse.
    #[error("singular: the pivot at {pivot} is zero")]
    Singular {
        /// Index of the first zero pivot, from 0.
        pivot: usize,
    },
    /// The iteration for eigenvalues or singular values did not converge (not seen on finite, sensibly scaled input).
    #[error("the iteration did not converge: scale the matrix and try again")]
    NoConvergence,
}

/// Why a factorization could not be applied to a right-hand side.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SolveError {
    /// The right-hand side does not fit the factored matrix.
    #[error("expected a right-hand side of {expected} rows, got {actual}")]
    RowMismatch {
        /// Rows of the factored matrix.
        expected: usize,
        /// Rows of the right-hand side.
        actual: usize,
    },
    /// An entry of the right-hand side is NaN or infinite.
    #[error("the right-hand side is not a finite number at row {row}, column {column}")]
    NonFinite {
        /// Row of the first such entry, from 0.
        row: usize,
        /// Column of the first such entry, from 0.
        column: usize,
    },
    /// A column is, to rounding, a combination of the columns before it: drop it, or add a ridge.
    #[error("column {column} depends on the columns before it")]
    RankDeficient {
        /// The first dependent column, from 0.
        column: usize,
    },
    /// The solution left the range of the number type: the matrix is singular to working precision, or badly scaled.
    #[error("the solution is not finite: the matrix is singular to working precision or badly scaled")]
    Overflow,
}

/// Two operands whose shapes do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected {} rows and {} columns, got {} rows and {} columns", expected.0, expected.1, actual.0, actual.1)]
pub struct ShapeMismatch {
    /// Rows and columns that the other operands ask for.
    pub expected: (usize, usize),
    /// Rows and columns of the operand that does not fit.
    pub actual: (usize, usize),
}
