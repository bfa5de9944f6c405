//! LAPACK through ndarray-linalg and BLAS through ndarray, linked to the system's OpenBLAS.
//!
//! OpenBLAS reads `OPENBLAS_NUM_THREADS`; set it to 1 where the bits must not depend on the machine's thread count.

use std::ops::Range;

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, OwnedRepr, s};
use ndarray_linalg::error::LinalgError;
use ndarray_linalg::{
    CholeskyFactorized, CholeskyInplace as _, Diag, Eigh as _, FactorizeInto as _, InverseC as _, JobSvd,
    LUFactorized, QR as _, SVDDC as _, Solve as _, SolveC as _, SolveTriangular as _, UPLO,
};

use super::Kernels;

/// The failing pivot, from 0, of a LAPACK failure, whose codes count from 1.
fn pivot(error: &LinalgError) -> usize {
    let LinalgError::Lapack(lax::error::Error::LapackComputationalFailure { return_code }) = error else {
        unreachable!("the crate passes contiguous, correctly shaped matrices: {error}")
    };
    usize::try_from(return_code - 1).expect("a failure has a positive code")
}

macro_rules! kernels {
    ($($t:ty),*) => {$(
        impl Kernels for $t {
            fn cholesky(a: &mut Array2<Self>) -> Result<(), usize> {
                a.cholesky_inplace(UPLO::Lower).map(|_| ()).map_err(|error| pivot(&error))
            }

            fn cholesky_solve(lower: &Array2<Self>, b: &mut Array2<Self>) {
                let factor = CholeskyFactorized { factor: lower.view(), uplo: UPLO::Lower };
                for mut column in b.columns_mut() {
                    factor.solvec_inplace(&mut column).expect("shapes were checked");
                }
            }

            fn cholesky_inverse(lower: &Array2<Self>) -> Array2<Self> {
                let factor = CholeskyFactorized { factor: lower.clone(), uplo: UPLO::Lower };
                let inverse = factor.invc().expect("the diagonal of the factor is positive");
                inverse.as_standard_layout().into_owned()
            }

            fn product(
                alpha: Self,
                (a, rows): (ArrayView2<'_, Self>, Range<usize>),
                (b, columns): (ArrayView2<'_, Self>, Range<usize>),
                beta: Self,
                c: &mut [Self],
            ) {
                let (height, stride) = (rows.len(), c.len() / rows.len());
                let mut c = ArrayViewMut2::from_shape((height, stride), c).expect("rows of one length");
                let mut c = c.slice_mut(s![.., ..columns.len()]);
                let (a, b) = (a.slice(s![rows, ..]), b.slice(s![.., columns]));
                if a.ncols() == 0 {
                    // BLAS wants leading dimensions of at least 1.
                    c.mapv_inplace(|x| if beta == 0.0 { 0.0 } else { beta * x });
                } else {
                    general_mat_mul(alpha, &a, &b, beta, &mut c);
                }
            }
        }
    )*};
}

kernels!(f32, f64);

/// `P A = L U`.
#[derive(Clone)]
pub(crate) struct LuFactors {
    factors: LUFactorized<OwnedRepr<f64>>,
}

impl std::fmt::Debug for LuFactors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LuFactors").finish_non_exhaustive()
    }
}

impl LuFactors {
    /// Factors the column-major `a`; the index of the first zero pivot otherwise.
    pub(crate) fn new(a: Array2<f64>) -> Result<Self, usize> {
        let factors = a.factorize_into().map_err(|error| pivot(&error))?;
        Ok(Self { factors })
    }

    /// Overwrites the column-major `b` with the solution of `A x = b`.
    pub(crate) fn solve(&self, b: &mut Array2<f64>) {
        for mut column in b.columns_mut() {
            self.factors
                .solve_inplace(&mut column)
                .expect("shapes were checked");
        }
    }
}

/// `A = Q R` for `A` with at least as many rows as columns.
#[derive(Debug, Clone)]
pub(crate) struct QrFactors {
    q: Array2<f64>,
    r: Array2<f64>,
}

impl QrFactors {
    /// Factors the column-major `a`.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the signature that both backends share"
    )]
    pub(crate) fn new(a: Array2<f64>) -> Self {
        let (q, r) = a.qr().expect("the crate passes contiguous matrices");
        Self { q, r }
    }

    /// R, upper triangular.
    pub(crate) fn r(&self) -> Array2<f64> {
        self.r.clone()
    }

    /// The thin Q.
    pub(crate) fn q(&self) -> Array2<f64> {
        self.q.clone()
    }

    /// Overwrites the first columns-of-A rows of the column-major `b` with the least-squares solution.
    pub(crate) fn least_squares(&self, b: &mut Array2<f64>) {
        let rotated = self.q.t().dot(b);
        for (mut to, from) in b.columns_mut().into_iter().zip(rotated.columns()) {
            let x = self
                .r
                .solve_triangular(UPLO::Upper, Diag::NonUnit, &from.to_owned())
                .expect("a dependent column was refused before");
            to.slice_mut(s![..x.len()]).assign(&x);
        }
    }
}

/// Eigenvalues in ascending order and the matrix of eigenvectors; reads the lower triangle of `a`.
pub(crate) fn eigh(a: &Array2<f64>) -> Option<(Array1<f64>, Array2<f64>)> {
    a.eigh(UPLO::Lower).ok()
}

/// The thin `(U, s, V)`, `s` in descending order.
pub(crate) fn svd(a: &Array2<f64>) -> Option<(Array2<f64>, Array1<f64>, Array2<f64>)> {
    let (u, s, vt) = a.svddc(JobSvd::Some).ok()?;
    Some((u?, s, vt?.reversed_axes()))
}
