//! Singular values and vectors.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::FactorError;
use crate::backend;
use crate::eigh::{negate, points_down};
use crate::kernel::layout::column_major;
use crate::kernel::scan::non_finite;

/// The thin singular value decomposition `A = U diag(s) Vᵀ`.
///
/// Use it for numerical rank, low-rank approximation and condition numbers. The sign of a pair of vectors is fixed: the
/// first entry of largest magnitude (to one part in 10⁶) of the column of U is positive.
///
/// **Shape**: for A of m × n and k = min(m, n): U m × k, s of k in descending order, V n × k.
///
/// **Complexity**: about 6mn² + 20n³ operations for m ≥ n.
///
/// ```
/// use modelops_linalg::Svd;
/// use ndarray::array;
///
/// let svd = Svd::new(array![[3.0, 0.0], [0.0, -2.0], [0.0, 0.0]].view())?;
/// assert!((svd.values()[0] - 3.0).abs() < 1e-12 && (svd.values()[1] - 2.0).abs() < 1e-12);
/// assert!((svd.condition_number() - 1.5).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// **References**: G. H. Golub and C. F. Van Loan, *Matrix Computations*, 4th edition, 2013, section 8.6.
#[doc(alias("singular_values", "rank", "condition"))]
#[derive(Debug, Clone, PartialEq)]
pub struct Svd {
    u: Array2<f64>,
    values: Array1<f64>,
    v: Array2<f64>,
}

impl Svd {
    /// Decomposes `a`.
    ///
    /// # Errors
    ///
    /// [`FactorError::NonFinite`], [`FactorError::NoConvergence`].
    pub fn new(a: ArrayView2<'_, f64>) -> Result<Self, FactorError> {
        if let Some((row, column)) = non_finite(a) {
            return Err(FactorError::NonFinite { row, column });
        }
        let (m, n) = a.dim();
        if m.min(n) == 0 {
            let (u, v) = (Array2::zeros((m, 0)), Array2::zeros((n, 0)));
            return Ok(Self {
                u,
                values: Array1::zeros(0),
                v,
            });
        }
        let (mut u, values, mut v) = backend::svd(&column_major(a)).ok_or(FactorError::NoConvergence)?;
        if values.iter().any(|x| !x.is_finite()) {
            return Err(FactorError::NoConvergence);
        }
        for (left, right) in u.columns_mut().into_iter().zip(v.columns_mut()) {
            if points_down(left.view()) {
                negate(left);
                negate(right);
            }
        }
        Ok(Self { u, values, v })
    }

    /// The left singular vectors, a column each.
    #[must_use]
    pub fn u(&self) -> ArrayView2<'_, f64> {
        self.u.view()
    }

    /// The singular values, descending, none negative.
    #[must_use]
    pub fn values(&self) -> ArrayView1<'_, f64> {
        self.values.view()
    }

    /// The right singular vectors, a column each: V, not its transpose.
    #[must_use]
    pub fn v(&self) -> ArrayView2<'_, f64> {
        self.v.view()
    }

    /// How many singular values exceed max(m, n) · ε times the largest.
    #[must_use]
    pub fn rank(&self) -> usize {
        let longest = self.u.nrows().max(self.v.nrows()) as f64;
        let largest = self.values.first().copied().unwrap_or(0.0);
        let threshold = longest * f64::EPSILON * largest;
        self.values.iter().filter(|&&s| s > threshold).count()
    }

    /// The largest singular value over the smallest: infinite for a singular matrix, 1 for an empty one.
    #[must_use]
    pub fn condition_number(&self) -> f64 {
        match (self.values.first(), self.values.last()) {
            (Some(&largest), Some(&smallest)) if smallest > 0.0 => largest / smallest,
            (Some(_), Some(_)) => f64::INFINITY,
            _ => 1.0,
        }
    }
}
