//! Eigenvalues and eigenvectors of a symmetric matrix.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1};

use crate::FactorError;
use crate::backend;
use crate::kernel::layout::column_major_lower;
use crate::kernel::scan::non_finite_lower;

/// Eigenvalues and eigenvectors of a symmetric matrix: `A = V diag(λ) Vᵀ`.
///
/// Only the lower triangle of the input is read. The sign of a vector is fixed: its first entry of largest magnitude
/// (to one part in 10⁶) is positive. Vectors of equal eigenvalues span the right space, but are not unique.
///
/// **Complexity**: about 9n³ operations, 3n² numbers.
///
/// **Numerics**: each eigenvalue is exact for a matrix within a few n · ε · ‖A‖ of the given one.
///
/// ```
/// use modelops_linalg::Eigh;
/// use ndarray::array;
///
/// let e = Eigh::new(array![[2.0, 1.0], [1.0, 2.0]].view())?;
/// assert!((e.values()[0] - 1.0).abs() < 1e-12 && (e.values()[1] - 3.0).abs() < 1e-12);
/// assert!((e.vectors()[[0, 1]] - 0.5_f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// **References**: B. N. Parlett, *The Symmetric Eigenvalue Problem*, 1998, doi:10.1137/1.9781611971163.
#[doc(alias("eigenvalues", "eigenvectors"))]
#[derive(Debug, Clone, PartialEq)]
pub struct Eigh {
    values: Array1<f64>,
    vectors: Array2<f64>,
}

impl Eigh {
    /// Decomposes the symmetric matrix whose lower triangle `a` holds.
    ///
    /// # Errors
    ///
    /// [`FactorError::NotSquare`]; [`FactorError::NonFinite`] with the first such entry of the lower triangle;
    /// [`FactorError::NoConvergence`].
    pub fn new(a: ArrayView2<'_, f64>) -> Result<Self, FactorError> {
        let (rows, columns) = a.dim();
        if rows != columns {
            return Err(FactorError::NotSquare { rows, columns });
        }
        if let Some((row, column)) = non_finite_lower(a) {
            return Err(FactorError::NonFinite { row, column });
        }
        if rows == 0 {
            return Ok(Self {
                values: Array1::zeros(0),
                vectors: Array2::zeros((0, 0)),
            });
        }
        let (values, mut vectors) =
            backend::eigh(&column_major_lower(a)).ok_or(FactorError::NoConvergence)?;
        if values.iter().any(|x| !x.is_finite()) {
            return Err(FactorError::NoConvergence);
        }
        for column in vectors.columns_mut() {
            if points_down(column.view()) {
                negate(column);
            }
        }
        Ok(Self { values, vectors })
    }

    /// The eigenvalues, ascending.
    #[must_use]
    pub fn values(&self) -> ArrayView1<'_, f64> {
        self.values.view()
    }

    /// The orthonormal eigenvectors: column i belongs to `values()[i]`.
    #[must_use]
    pub fn vectors(&self) -> ArrayView2<'_, f64> {
        self.vectors.view()
    }

    /// Both, owned.
    #[must_use]
    pub fn into_parts(self) -> (Array1<f64>, Array2<f64>) {
        (self.values, self.vectors)
    }
}

/// Whether the sign convention asks to negate `vector`. The slack lets entries that tie but for rounding tie.
pub(crate) fn points_down(vector: ArrayView1<'_, f64>) -> bool {
    let largest = vector.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    let leader = vector.iter().find(|x| x.abs() >= largest * (1.0 - 1e-6));
    leader.is_some_and(|&x| x < 0.0)
}

/// Changes the sign of every entry.
pub(crate) fn negate(mut vector: ArrayViewMut1<'_, f64>) {
    vector.mapv_inplace(|x| -x);
}
