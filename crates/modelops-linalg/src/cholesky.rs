//! Cholesky factorization of a symmetric positive definite matrix.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::kernel::layout::{clear_upper, column_major, column_major_lower, mirror_lower};
use crate::kernel::scan::{all_finite, non_finite, non_finite_lower};
use crate::{FactorError, Real, SolveError};

/// Cholesky factorization `A = L Lᵀ` of a symmetric positive definite matrix.
///
/// Use it for covariance, Gram and kernel matrices: it costs half of [`Lu`](crate::Lu), needs no pivoting and tells at
/// which pivot a matrix stops being positive definite. For least squares with nearly dependent columns use
/// [`Qr`](crate::Qr), which does not square the condition number.
///
/// Only the lower triangle of the input is read.
///
/// **Complexity**: n³/3 operations to factor, 2n² per right-hand side, n² numbers held.
///
/// **Numerics**: backward stable; the relative error of a solution is bounded by about n · ε · κ(A).
///
/// ```
/// use modelops_linalg::Cholesky;
/// use ndarray::array;
///
/// let a = array![[4.0_f64, 2.0], [2.0, 5.0]]; // = L Lᵀ with L = [[2, 0], [1, 2]]
/// let factor = Cholesky::new(a.view())?;
/// assert_eq!(factor.lower(), array![[2.0, 0.0], [1.0, 2.0]]);
/// assert_eq!(factor.solve_vec(array![8.0, 12.0].view())?, array![1.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// **References**: G. H. Golub and C. F. Van Loan, *Matrix Computations*, 4th edition, 2013, section 4.2.
#[doc(alias = "positive_definite")]
#[derive(Debug, Clone)]
pub struct Cholesky<T: Real> {
    /// Column-major, zeros above the diagonal.
    lower: Array2<T>,
}

impl<T: Real> Cholesky<T> {
    /// Factors the matrix whose lower triangle `a` holds.
    ///
    /// # Errors
    ///
    /// [`FactorError::NotSquare`]; [`FactorError::NonFinite`] with the first such entry of the lower triangle;
    /// [`FactorError::NotPositiveDefinite`] with the index of the first pivot that is not positive.
    pub fn new(a: ArrayView2<'_, T>) -> Result<Self, FactorError> {
        let (rows, columns) = a.dim();
        if rows != columns {
            return Err(FactorError::NotSquare { rows, columns });
        }
        if let Some((row, column)) = non_finite_lower(a) {
            return Err(FactorError::NonFinite { row, column });
        }
        let mut lower = column_major_lower(a);
        if rows > 0 {
            T::cholesky(&mut lower).map_err(|pivot| FactorError::NotPositiveDefinite { pivot })?;
            // The backend may have used the other triangle as scratch.
            clear_upper(&mut lower);
        }
        // Finite input can still overflow on the way.
        match non_finite(lower.view()) {
            Some((row, column)) => Err(FactorError::NonFinite { row, column }),
            None => Ok(Self { lower }),
        }
    }

    /// The factor L, with zeros above the diagonal; its columns are contiguous.
    #[must_use]
    pub fn lower(&self) -> ArrayView2<'_, T> {
        self.lower.view()
    }

    /// The factor L itself, with zeros above the diagonal; its columns are contiguous.
    #[must_use]
    pub fn into_lower(self) -> Array2<T> {
        self.lower
    }

    /// The factor U = Lᵀ, with zeros below the diagonal; its rows are contiguous.
    #[must_use]
    pub fn upper(&self) -> ArrayView2<'_, T> {
        self.lower.t()
    }

    /// Solves `A X = B`, a column of B per right-hand side.
    ///
    /// # Errors
    ///
    /// [`SolveError::RowMismatch`], [`SolveError::NonFinite`], [`SolveError::Overflow`].
    pub fn solve(&self, b: ArrayView2<'_, T>) -> Result<Array2<T>, SolveError> {
        let mut x = right_hand_side(b, self.lower.nrows())?;
        if !x.is_empty() {
            T::cholesky_solve(&self.lower, &mut x);
        }
        finite_solution(x)
    }

    /// Solves `A x = b` for one right-hand side.
    ///
    /// # Errors
    ///
    /// As [`Cholesky::solve`].
    pub fn solve_vec(&self, b: ArrayView1<'_, T>) -> Result<Array1<T>, SolveError> {
        Ok(self.solve(b.insert_axis(Axis(1)))?.remove_axis(Axis(1)))
    }

    /// A⁻¹, exactly symmetric, row-major. To apply it once, [`Cholesky::solve`] is cheaper and more accurate.
    ///
    /// # Errors
    ///
    /// [`SolveError::Overflow`] where an entry leaves the range of `T`.
    pub fn inverse(&self) -> Result<Array2<T>, SolveError> {
        let n = self.lower.nrows();
        if n == 0 {
            return Ok(Array2::zeros((0, 0)));
        }
        let mut inverse = T::cholesky_inverse(&self.lower);
        if let Some(slice) = inverse.as_slice_mut() {
            mirror_lower(slice, n);
        }
        finite_solution(inverse)
    }

    /// ln det A = 2 Σ ln Lᵢᵢ, which does not overflow where det A does.
    ///
    /// ```
    /// use modelops_linalg::Cholesky;
    /// use ndarray::array;
    ///
    /// let factor = Cholesky::new(array![[4.0_f64, 2.0], [2.0, 5.0]].view())?;
    /// assert!((factor.ln_determinant() - 16.0_f64.ln()).abs() < 1e-12);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn ln_determinant(&self) -> f64 {
        let logs: f64 = self.lower.diag().iter().map(|x| x.to_f64().ln()).sum();
        2.0 * logs
    }
}

/// A column-major copy of `b`, after checking that it is finite and has `rows` rows.
pub(crate) fn right_hand_side<T: Real>(b: ArrayView2<'_, T>, rows: usize) -> Result<Array2<T>, SolveError> {
    if b.nrows() != rows {
        return Err(SolveError::RowMismatch {
            expected: rows,
            actual: b.nrows(),
        });
    }
    match non_finite(b) {
        Some((row, column)) => Err(SolveError::NonFinite { row, column }),
        None => Ok(column_major(b)),
    }
}

/// `x` where it is finite.
pub(crate) fn finite_solution<T: Real>(x: Array2<T>) -> Result<Array2<T>, SolveError> {
    if all_finite(x.view()) {
        Ok(x)
    } else {
        Err(SolveError::Overflow)
    }
}
