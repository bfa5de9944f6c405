//! QR factorization and least squares.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};

use crate::backend::QrFactors;
use crate::cholesky::{finite_solution, right_hand_side};
use crate::kernel::layout::column_major;
use crate::kernel::scan::non_finite;
use crate::{FactorError, SolveError};

/// QR factorization `A = Q R` by Householder reflections, for a matrix with at least as many rows as columns.
///
/// Use it for least squares: unlike the normal equations it does not square the condition number. The signs are those
/// of the factorization with a non-negative diagonal of R, so that both backends give one answer.
///
/// **Complexity**: 2mn² − 2n³/3 operations to factor, about 4mn per right-hand side, mn numbers held.
///
/// ```
/// use modelops_linalg::Qr;
/// use ndarray::array;
///
/// // The line through (0, 1), (1, 3), (2, 5): intercept 1, slope 2.
/// let a = array![[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]];
/// let line = Qr::new(a.view())?.least_squares_vec(array![1.0, 3.0, 5.0].view())?;
/// assert!((line[0] - 1.0).abs() < 1e-12 && (line[1] - 2.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// **References**: Å. Björck, *Numerical Methods for Least Squares Problems*, 1996, doi:10.1137/1.9781611971484.
#[doc(alias("least_squares", "lstsq"))]
#[derive(Debug, Clone)]
pub struct Qr {
    /// `None` for a matrix of no columns.
    factors: Option<QrFactors>,
    shape: (usize, usize),
    /// The first column that depends on those before it, to rounding.
    dependent: Option<usize>,
}

impl Qr {
    /// Factors `a`, of m rows and n ≤ m columns.
    ///
    /// # Errors
    ///
    /// [`FactorError::TooFewRows`]; [`FactorError::NonFinite`], also where a column's norm overflows.
    pub fn new(a: ArrayView2<'_, f64>) -> Result<Self, FactorError> {
        let (rows, columns) = a.dim();
        if rows < columns {
            return Err(FactorError::TooFewRows { rows, columns });
        }
        if let Some((row, column)) = non_finite(a) {
            return Err(FactorError::NonFinite { row, column });
        }
        let factors = (columns > 0).then(|| QrFactors::new(column_major(a)));
        let r = factors.as_ref().map(QrFactors::r).unwrap_or_default();
        if let Some((row, column)) = non_finite(r.view()) {
            return Err(FactorError::NonFinite { row, column });
        }
        Ok(Self {
            factors,
            shape: (rows, columns),
            dependent: first_dependent(r.view(), rows),
        })
    }

    /// The thin Q, m × n, with orthonormal columns.
    #[must_use]
    pub fn q(&self) -> Array2<f64> {
        let Some(factors) = &self.factors else {
            return Array2::zeros(self.shape);
        };
        let mut q = factors.q();
        for (mut column, sign) in q.columns_mut().into_iter().zip(signs(factors)) {
            column *= sign;
        }
        q
    }

    /// R, n × n, upper triangular with a non-negative diagonal.
    #[must_use]
    pub fn r(&self) -> Array2<f64> {
        let Some(factors) = &self.factors else {
            return Array2::zeros((0, 0));
        };
        let mut r = factors.r();
        for (mut row, sign) in r.rows_mut().into_iter().zip(signs(factors)) {
            row *= sign;
        }
        r
    }

    /// The X, n × k, that makes the sum of squares of `A X − B` smallest, a column of B per right-hand side.
    ///
    /// # Errors
    ///
    /// [`SolveError::RowMismatch`]; [`SolveError::NonFinite`]; [`SolveError::RankDeficient`] where a diagonal entry of
    /// R is below m · ε times the norm of its column, so that the minimum is not unique to rounding.
    pub fn least_squares(&self, b: ArrayView2<'_, f64>) -> Result<Array2<f64>, SolveError> {
        let (rows, columns) = self.shape;
        let mut x = right_hand_side(b, rows)?;
        if let Some(column) = self.dependent {
            return Err(SolveError::RankDeficient { column });
        }
        if let Some(factors) = self.factors.as_ref().filter(|_| !x.is_empty()) {
            factors.least_squares(&mut x);
        }
        finite_solution(x.slice(s![..columns, ..]).to_owned())
    }

    /// As [`Qr::least_squares`], for one right-hand side.
    ///
    /// # Errors
    ///
    /// As [`Qr::least_squares`].
    pub fn least_squares_vec(&self, b: ArrayView1<'_, f64>) -> Result<Array1<f64>, SolveError> {
        let x = self.least_squares(b.insert_axis(Axis(1)))?;
        Ok(x.remove_axis(Axis(1)))
    }
}

/// −1 per column whose diagonal entry of R is negative, 1 otherwise.
fn signs(factors: &QrFactors) -> Vec<f64> {
    let r = factors.r();
    let sign = |&x: &f64| if x < 0.0 { -1.0 } else { 1.0 };
    r.diag().iter().map(sign).collect()
}

/// The first column of R whose diagonal entry vanishes beside its norm: the part of it that earlier columns miss.
fn first_dependent(r: ArrayView2<'_, f64>, rows: usize) -> Option<usize> {
    let threshold = rows as f64 * f64::EPSILON;
    r.columns().into_iter().enumerate().position(|(j, column)| {
        let largest = column.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        if largest == 0.0 {
            return true;
        }
        let norm = column.iter().map(|x| (x / largest).powi(2)).sum::<f64>().sqrt();
        column[j].abs() / largest <= threshold * norm
    })
}
