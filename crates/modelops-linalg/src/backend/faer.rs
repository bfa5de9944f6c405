//! Pure Rust: faer, always on the calling thread, so that no thread count can change a result.

use std::ops::Range;

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::linalg::evd::{self, ComputeEigenvectors};
use faer::linalg::householder;
use faer::linalg::lu::partial_pivoting as lu;
use faer::linalg::matmul::matmul;
use faer::linalg::qr::no_pivoting as qr;
use faer::linalg::svd::{self as svd_, ComputeSvdVectors};
use faer::linalg::triangular_solve::solve_upper_triangular_in_place;
use faer::perm::PermRef;
use faer::{Accum, Conj, MatMut, MatRef, Par};
use ndarray::{Array1, Array2, ArrayView2, ShapeBuilder};

use super::Kernels;

/// A column-major matrix of ours as one of faer's.
fn columns<T>(a: &Array2<T>) -> MatRef<'_, T> {
    let (rows, columns) = a.dim();
    let slice = a
        .as_slice_memory_order()
        .expect("the crate allocates its matrices contiguous");
    MatRef::from_column_major_slice(slice, rows, columns)
}

/// As [`columns`], to write.
fn columns_mut<T>(a: &mut Array2<T>) -> MatMut<'_, T> {
    let (rows, columns) = a.dim();
    let slice = a
        .as_slice_memory_order_mut()
        .expect("the crate allocates its matrices contiguous");
    MatMut::from_column_major_slice_mut(slice, rows, columns)
}

/// Calls `f` with `a` as a matrix of faer's: without a copy where `a` is contiguous in either order.
fn with_view<T: Copy, R>(a: ArrayView2<'_, T>, f: impl FnOnce(MatRef<'_, T>) -> R) -> R {
    let (rows, columns) = a.dim();
    if let Some(slice) = a.as_slice() {
        f(MatRef::from_row_major_slice(slice, rows, columns))
    } else if let Some(slice) = a.t().as_slice() {
        f(MatRef::from_column_major_slice(slice, rows, columns))
    } else {
        let copy: Vec<T> = a.iter().copied().collect();
        f(MatRef::from_row_major_slice(&copy, rows, columns))
    }
}

macro_rules! kernels {
    ($($t:ty),*) => {$(
        impl Kernels for $t {
            fn cholesky(a: &mut Array2<Self>) -> Result<(), usize> {
                let scratch = llt::factor::cholesky_in_place_scratch::<Self>(a.nrows(), Par::Seq, Default::default());
                let mut memory = MemBuffer::new(scratch);
                llt::factor::cholesky_in_place(
                    columns_mut(a),
                    Default::default(),
                    Par::Seq,
                    MemStack::new(&mut memory),
                    Default::default(),
                )
                .map(|_| ())
                .map_err(|llt::factor::LltError::NonPositivePivot { index }| index)
            }

            fn cholesky_solve(lower: &Array2<Self>, b: &mut Array2<Self>) {
                let scratch = llt::solve::solve_in_place_scratch::<Self>(b.nrows(), b.ncols(), Par::Seq);
                let mut memory = MemBuffer::new(scratch);
                llt::solve::solve_in_place(columns(lower), columns_mut(b), Par::Seq, MemStack::new(&mut memory));
            }

            fn cholesky_inverse(lower: &Array2<Self>) -> Array2<Self> {
                let n = lower.nrows();
                let mut out = Array2::zeros((n, n));
                let scratch = llt::inverse::inverse_scratch::<Self>(n, Par::Seq);
                let mut memory = MemBuffer::new(scratch);
                let slice = out.as_slice_mut().expect("just allocated in row order");
                let view = MatMut::from_row_major_slice_mut(slice, n, n);
                llt::inverse::inverse(view, columns(lower), Par::Seq, MemStack::new(&mut memory));
                out
            }

            fn product(
                alpha: Self,
                (a, rows): (ArrayView2<'_, Self>, Range<usize>),
                (b, columns): (ArrayView2<'_, Self>, Range<usize>),
                beta: Self,
                c: &mut [Self],
            ) {
                let stride = c.len() / rows.len();
                // Zero overwrites (what `c` held, NaN included, does not matter), as in BLAS.
                let accum = if beta == 0.0 { Accum::Replace } else { Accum::Add };
                if beta != 0.0 && beta != 1.0 {
                    for row in c.chunks_mut(stride) {
                        row[..columns.len()].iter_mut().for_each(|x| *x *= beta);
                    }
                }
                let c = MatMut::from_row_major_slice_mut(c, rows.len(), stride).subcols_mut(0, columns.len());
                with_view(a, |a| {
                    with_view(b, |b| matmul(c, accum, a.get(rows, ..), b.get(.., columns), alpha, Par::Seq));
                });
            }
        }
    )*};
}

kernels!(f32, f64);

/// `P A = L U`, both factors in one matrix.
#[derive(Debug, Clone)]
pub(crate) struct LuFactors {
    packed: Array2<f64>,
    forward: Vec<usize>,
    inverse: Vec<usize>,
}

impl LuFactors {
    /// Factors the column-major `a`; the index of the first zero pivot otherwise.
    pub(crate) fn new(mut a: Array2<f64>) -> Result<Self, usize> {
        let n = a.nrows();
        let (mut forward, mut inverse) = (vec![0; n], vec![0; n]);
        let scratch = lu::factor::lu_in_place_scratch::<usize, f64>(n, n, Par::Seq, Default::default());
        let mut memory = MemBuffer::new(scratch);
        lu::factor::lu_in_place(
            columns_mut(&mut a),
            &mut forward,
            &mut inverse,
            Par::Seq,
            MemStack::new(&mut memory),
            Default::default(),
        );
        match a.diag().iter().position(|&u| u == 0.0 || u.is_nan()) {
            Some(pivot) => Err(pivot),
            None => Ok(Self {
                packed: a,
                forward,
                inverse,
            }),
        }
    }

    /// Overwrites the column-major `b` with the solution of `A x = b`.
    pub(crate) fn solve(&self, b: &mut Array2<f64>) {
        let n = self.packed.nrows();
        let scratch = lu::solve::solve_in_place_scratch::<usize, f64>(n, b.ncols(), Par::Seq);
        let mut memory = MemBuffer::new(scratch);
        lu::solve::solve_in_place(
            columns(&self.packed),
            columns(&self.packed),
            PermRef::new_checked(&self.forward, &self.inverse, n),
            columns_mut(b),
            Par::Seq,
            MemStack::new(&mut memory),
        );
    }
}

/// `A = Q R` for `A` with at least as many rows as columns; Q as Householder reflections.
#[derive(Debug, Clone)]
pub(crate) struct QrFactors {
    packed: Array2<f64>,
    coefficients: Array2<f64>,
}

impl QrFactors {
    /// Factors the column-major `a`.
    pub(crate) fn new(mut a: Array2<f64>) -> Self {
        let (rows, cols) = a.dim();
        let block = qr::factor::recommended_block_size::<f64>(rows, cols);
        let mut coefficients = Array2::zeros((block, cols).f());
        let scratch = qr::factor::qr_in_place_scratch::<f64>(rows, cols, block, Par::Seq, Default::default());
        let mut memory = MemBuffer::new(scratch);
        qr::factor::qr_in_place(
            columns_mut(&mut a),
            columns_mut(&mut coefficients),
            Par::Seq,
            MemStack::new(&mut memory),
            Default::default(),
        );
        Self {
            packed: a,
            coefficients,
        }
    }

    /// R, upper triangular.
    pub(crate) fn r(&self) -> Array2<f64> {
        let n = self.packed.ncols();
        Array2::from_shape_fn((n, n), |(i, j)| if i <= j { self.packed[[i, j]] } else { 0.0 })
    }

    /// The thin Q, column-major.
    pub(crate) fn q(&self) -> Array2<f64> {
        let (rows, cols) = self.packed.dim();
        let mut q = Array2::zeros((rows, cols).f());
        q.diag_mut().fill(1.0);
        let block = self.coefficients.nrows();
        let scratch = householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>(
            rows, block, cols,
        );
        let mut memory = MemBuffer::new(scratch);
        householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
            columns(&self.packed),
            columns(&self.coefficients),
            Conj::No,
            columns_mut(&mut q),
            Par::Seq,
            MemStack::new(&mut memory),
        );
        q
    }

    /// Overwrites the first columns-of-A rows of the column-major `b` with the least-squares solution.
    pub(crate) fn least_squares(&self, b: &mut Array2<f64>) {
        let (rows, cols) = self.packed.dim();
        let block = self.coefficients.nrows();
        let scratch = householder::apply_block_householder_sequence_transpose_on_the_left_in_place_scratch::<
            f64,
        >(rows, block, b.ncols());
        let mut memory = MemBuffer::new(scratch);
        householder::apply_block_householder_sequence_transpose_on_the_left_in_place_with_conj(
            columns(&self.packed),
            columns(&self.coefficients),
            Conj::No,
            columns_mut(b),
            Par::Seq,
            MemStack::new(&mut memory),
        );
        solve_upper_triangular_in_place(
            columns(&self.packed).get(..cols, ..),
            columns_mut(b).get_mut(..cols, ..),
            Par::Seq,
        );
    }
}

/// Eigenvalues in ascending order and the column-major matrix of eigenvectors; reads the lower triangle of `a`.
pub(crate) fn eigh(a: &Array2<f64>) -> Option<(Array1<f64>, Array2<f64>)> {
    let n = a.nrows();
    let mut values = faer::diag::Diag::zeros(n);
    let mut vectors = Array2::zeros((n, n).f());
    let scratch =
        evd::self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, Par::Seq, Default::default());
    let mut memory = MemBuffer::new(scratch);
    evd::self_adjoint_evd(
        columns(a),
        values.as_mut(),
        Some(columns_mut(&mut vectors)),
        Par::Seq,
        MemStack::new(&mut memory),
        Default::default(),
    )
    .ok()?;
    Some((Array1::from_shape_fn(n, |i| values[i]), vectors))
}

/// The thin `(U, s, V)`, U and V column-major, `s` in descending order.
pub(crate) fn svd(a: &Array2<f64>) -> Option<(Array2<f64>, Array1<f64>, Array2<f64>)> {
    let (rows, cols) = a.dim();
    let k = rows.min(cols);
    let mut s = faer::diag::Diag::zeros(k);
    let mut u = Array2::zeros((rows, k).f());
    let mut v = Array2::zeros((cols, k).f());
    let thin = ComputeSvdVectors::Thin;
    let scratch = svd_::svd_scratch::<f64>(rows, cols, thin, thin, Par::Seq, Default::default());
    let mut memory = MemBuffer::new(scratch);
    svd_::svd(
        columns(a),
        s.as_mut(),
        Some(columns_mut(&mut u)),
        Some(columns_mut(&mut v)),
        Par::Seq,
        MemStack::new(&mut memory),
        Default::default(),
    )
    .ok()?;
    Some((u, Array1::from_shape_fn(k, |i| s[i]), v))
}
