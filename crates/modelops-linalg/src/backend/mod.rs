//! The one place that knows who does the arithmetic.
//!
//! Both backends offer the same functions on column-major matrices; the types above them own validation and errors.

#[cfg(not(feature = "openblas-system"))]
mod faer;
#[cfg(feature = "openblas-system")]
mod lapack;

#[cfg(not(feature = "openblas-system"))]
pub(crate) use faer::{LuFactors, QrFactors, eigh, svd};
#[cfg(feature = "openblas-system")]
pub(crate) use lapack::{LuFactors, QrFactors, eigh, svd};

use std::ops::Range;

use ndarray::{Array2, ArrayView2};

/// What a backend does for one number type. Matrices that are factored are column-major.
pub trait Kernels: Sized {
    /// Overwrites the lower triangle of `a` with its Cholesky factor; the index of the first bad pivot otherwise.
    #[doc(hidden)]
    fn cholesky(a: &mut Array2<Self>) -> Result<(), usize>;
    /// Overwrites the column-major `b` with the solution of `L Lᵀ x = b`.
    #[doc(hidden)]
    fn cholesky_solve(lower: &Array2<Self>, b: &mut Array2<Self>);
    /// The lower triangle of the inverse of `L Lᵀ`, row-major; what is above it is not specified.
    #[doc(hidden)]
    fn cholesky_inverse(lower: &Array2<Self>) -> Array2<Self>;
    /// `c ← α a[rows, :] b[:, columns] + β c`, where `c` is row-major with one row per entry of `rows`; only the first
    /// `columns.len()` entries of each row are touched. With β = 0 what `c` held does not matter. `rows` is not empty.
    #[doc(hidden)]
    fn product(
        alpha: Self,
        left: (ArrayView2<'_, Self>, Range<usize>),
        right: (ArrayView2<'_, Self>, Range<usize>),
        beta: Self,
        c: &mut [Self],
    );
}
