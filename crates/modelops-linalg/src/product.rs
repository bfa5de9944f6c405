//! Matrix products.

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use crate::kernel::layout::{copy_tiled, mirror_lower};
use crate::{Real, ShapeMismatch};

/// Rows of `c` that one call of the backend computes. A constant of the algorithm, so that the bits of a result do not
/// depend on how many threads share the panels; 128 rows of a large product keep the packing of `b` under one percent.
const PANEL: usize = 128;

/// Matrix product `C ← α A B + β C`.
///
/// With β = 0 what C held does not matter. NaN and infinities go through as the arithmetic has it. Transposed views
/// (`a.t()`) and contiguous ones of either order cost no copy.
///
/// **Shape**: A m × k, B k × n, C m × n.
///
/// **Complexity**: 2mkn operations.
///
/// **Numerics**: each entry is within k · ε · Σ |aᵢₗ bₗⱼ| of the exact one.
///
/// # Errors
///
/// [`ShapeMismatch`] with the shape that B, or C, should have.
///
/// ```
/// use modelops_linalg::gemm;
/// use ndarray::array;
///
/// let mut c = array![[1.0_f64, 0.0], [0.0, 1.0]];
/// let (a, b) = (array![[1.0, 2.0], [3.0, 4.0]], array![[5.0, 6.0], [7.0, 8.0]]);
/// gemm(1.0, a.view(), b.view(), 10.0, c.view_mut())?;
/// assert_eq!(c, array![[29.0, 22.0], [43.0, 60.0]]);
/// # Ok::<(), modelops_linalg::ShapeMismatch>(())
/// ```
#[doc(alias("matmul", "matrix_multiply"))]
pub fn gemm<T: Real>(
    alpha: T,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    beta: T,
    mut c: ArrayViewMut2<'_, T>,
) -> Result<(), ShapeMismatch> {
    let ((m, k), n) = (a.dim(), b.ncols());
    expect_shape((k, n), b.dim())?;
    expect_shape((m, n), c.dim())?;
    if c.is_empty() {
        return Ok(());
    }
    if let Some(slice) = c.as_slice_mut() {
        panels(alpha, a, b, beta, slice);
    } else if let Some(slice) = c.view_mut().reversed_axes().as_slice_mut() {
        // Column-major: Cᵀ ← α Bᵀ Aᵀ + β Cᵀ.
        panels(alpha, b.reversed_axes(), a.reversed_axes(), beta, slice);
    } else {
        let mut copy: Vec<T> = c.iter().copied().collect();
        panels(alpha, a, b, beta, &mut copy);
        c.iter_mut().zip(copy).for_each(|(to, from)| *to = from);
    }
    Ok(())
}

/// Product of a matrix with its own transpose, `C ← α A Aᵀ + β C`, for a symmetric C: half the work of [`gemm`].
///
/// For the Gram matrix `XᵀX` pass `x.t()`. Only the lower triangle of C is read; both are written, equal to the bit.
///
/// **Shape**: A n × k, C n × n.
///
/// **Complexity**: n²k operations.
///
/// # Errors
///
/// [`ShapeMismatch`] with the shape that C should have.
///
/// ```
/// use modelops_linalg::syrk;
/// use ndarray::{Array2, array};
///
/// let x = array![[1.0_f64, 2.0], [3.0, 4.0], [5.0, 6.0]];
/// let mut gram = Array2::zeros((2, 2));
/// syrk(1.0, x.t(), 0.0, gram.view_mut())?;
/// assert_eq!(gram, array![[35.0, 44.0], [44.0, 56.0]]);
/// # Ok::<(), modelops_linalg::ShapeMismatch>(())
/// ```
#[doc(alias("gram", "covariance"))]
pub fn syrk<T: Real>(
    alpha: T,
    a: ArrayView2<'_, T>,
    beta: T,
    mut c: ArrayViewMut2<'_, T>,
) -> Result<(), ShapeMismatch> {
    let n = a.nrows();
    expect_shape((n, n), c.dim())?;
    if c.is_empty() {
        return Ok(());
    }
    let contiguous = contiguous(a);
    let a = contiguous.as_ref().map_or(a, |copy| copy.view());
    if let Some(slice) = c.as_slice_mut() {
        lower_panels(alpha, a, beta, slice);
    } else {
        let mut copy = Array2::zeros((n, n));
        copy_tiled(c.view(), copy.view_mut());
        if let Some(slice) = copy.as_slice_mut() {
            lower_panels(alpha, a, beta, slice);
        }
        copy_tiled(copy.view(), c);
    }
    Ok(())
}

/// The product, panel of rows by panel, into the row-major `c`.
fn panels<T: Real>(alpha: T, a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, beta: T, c: &mut [T]) {
    let copies = (contiguous(a), contiguous(b));
    let a = copies.0.as_ref().map_or(a, |copy| copy.view());
    let b = copies.1.as_ref().map_or(b, |copy| copy.view());
    let (m, n) = (a.nrows(), b.ncols());
    for_each_panel(c, n, |index, c| {
        let top = index * PANEL;
        T::product(alpha, (a, top..(top + PANEL).min(m)), (b, 0..n), beta, c);
    });
}

/// The lower triangle of the symmetric product, panel of rows by panel, then its mirror.
fn lower_panels<T: Real>(alpha: T, a: ArrayView2<'_, T>, beta: T, c: &mut [T]) {
    let n = a.nrows();
    for_each_panel(c, n, |index, c| {
        let top = index * PANEL;
        let bottom = (top + PANEL).min(n);
        T::product(alpha, (a, top..bottom), (a.reversed_axes(), 0..bottom), beta, c);
    });
    mirror_lower(c, n);
}

/// Calls `f` with the index of each panel of `c`, whose rows are `n` long, and the panel.
fn for_each_panel<T: Real>(c: &mut [T], n: usize, f: impl Fn(usize, &mut [T])) {
    c.chunks_mut(PANEL * n)
        .enumerate()
        .for_each(|(index, panel)| f(index, panel));
}

/// A copy where the view is contiguous in neither order, in the order that is nearer to its own.
fn contiguous<T: Real>(a: ArrayView2<'_, T>) -> Option<Array2<T>> {
    if a.is_standard_layout() || a.t().is_standard_layout() {
        return None;
    }
    let row_major = |a: ArrayView2<'_, T>| a.as_standard_layout().into_owned();
    if a.strides()[0].abs() < a.strides()[1].abs() {
        return Some(row_major(a.reversed_axes()).reversed_axes());
    }
    Some(row_major(a))
}

/// `actual`, or what it should have been.
fn expect_shape(expected: (usize, usize), actual: (usize, usize)) -> Result<(), ShapeMismatch> {
    if expected == actual {
        Ok(())
    } else {
        Err(ShapeMismatch { expected, actual })
    }
}
