//! LU factorization with partial pivoting of a square matrix.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, ShapeBuilder};

use crate::backend::LuFactors;
use crate::cholesky::{finite_solution, right_hand_side};
use crate::kernel::layout::column_major;
use crate::kernel::scan::non_finite;
use crate::{FactorError, SolveError};

/// LU factorization `P A = L U` of a square matrix, with partial pivoting.
///
/// Use it for general square systems. For symmetric positive definite ones [`Cholesky`](crate::Cholesky) costs half;
/// for more rows than columns use [`Qr`](crate::Qr).
///
/// Only an exactly zero pivot is refused: a matrix that is singular to working precision gives a solution with few
/// correct digits. Where that matters, look at the singular values ([`Svd`](crate::Svd)).
///
/// **Complexity**: 2n³/3 operations to factor, 2n² per right-hand side, n² numbers held.
///
/// ```
/// use modelops_linalg::Lu;
/// use ndarray::array;
///
/// let a = array![[0.0, 2.0], [1.0, 1.0]]; // needs a row exchange
/// let factor = Lu::new(a.view())?;
/// assert_eq!(factor.solve_vec(array![4.0, 5.0].view())?, array![3.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// **References**: G. H. Golub and C. F. Van Loan, *Matrix Computations*, 4th edition, 2013, section 3.4.
#[doc(alias("inverse", "determinant"))]
#[derive(Debug, Clone)]
pub struct Lu {
    /// `None` for the matrix of no rows.
    factors: Option<LuFactors>,
    n: usize,
}

impl Lu {
    /// Factors `a`.
    ///
    /// # Errors
    ///
    /// [`FactorError::NotSquare`]; [`FactorError::NonFinite`]; [`FactorError::Singular`] with the first zero pivot.
    pub fn new(a: ArrayView2<'_, f64>) -> Result<Self, FactorError> {
        let (rows, columns) = a.dim();
        if rows != columns {
            return Err(FactorError::NotSquare { rows, columns });
        }
        if let Some((row, column)) = non_finite(a) {
            return Err(FactorError::NonFinite { row, column });
        }
        let factors = (rows > 0)
            .then(|| LuFactors::new(column_major(a)))
            .transpose()
            .map_err(|pivot| FactorError::Singular { pivot })?;
        Ok(Self { factors, n: rows })
    }

    /// Solves `A X = B`, a column of B per right-hand side.
    ///
    /// # Errors
    ///
    /// [`SolveError::RowMismatch`], [`SolveError::NonFinite`], [`SolveError::Overflow`].
    pub fn solve(&self, b: ArrayView2<'_, f64>) -> Result<Array2<f64>, SolveError> {
        let mut x = right_hand_side(b, self.n)?;
        if let Some(factors) = self.factors.as_ref().filter(|_| !x.is_empty()) {
            factors.solve(&mut x);
        }
        finite_solution(x)
    }

    /// Solves `A x = b` for one right-hand side.
    ///
    /// # Errors
    ///
    /// As [`Lu::solve`].
    pub fn solve_vec(&self, b: ArrayView1<'_, f64>) -> Result<Array1<f64>, SolveError> {
        Ok(self.solve(b.insert_axis(Axis(1)))?.remove_axis(Axis(1)))
    }

    /// A⁻¹. To apply it once, [`Lu::solve`] is cheaper and more accurate.
    ///
    /// # Errors
    ///
    /// [`SolveError::Overflow`] where an entry leaves the range of `f64`.
    pub fn inverse(&self) -> Result<Array2<f64>, SolveError> {
        let mut x = Array2::zeros((self.n, self.n).f());
        x.diag_mut().fill(1.0);
        if let Some(factors) = &self.factors {
            factors.solve(&mut x);
        }
        finite_solution(x)
    }
}
