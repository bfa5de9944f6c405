//! Linear regression: least squares, and ridge with a penalty.

use modelops_linalg::{Cholesky, Qr, Svd};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, CowArray, Ix1, Ix2};

use crate::descent::power_iteration;
use crate::gradient_descent::not_negative;
use crate::kernel::fused::residual_gradient;
use crate::kernel::gram;
use crate::table::{
    check_finite, check_finite_targets, check_shape, contiguous, contiguous_rows, entries, gather,
};
use crate::{Differentiable, FiniteSum, Objective, OptimizationError};

/// Linear regression by least squares; with an l2 penalty it is ridge regression.
///
/// Use it to predict a number from a table of numbers. It solves directly, so that there is no learning rate and nothing to
/// diverge; columns may have any scale.
///
/// **Formula**: loss = ‖Xw + b − y‖² / 2n + (l2 / 2) ‖w‖², the intercept b free of the penalty. In terms of scikit-learn's
/// alpha, l2 = alpha / n.
///
/// **Complexity**: O(n d²). **Numerics**: without a penalty a QR factorization of the centred, scaled columns; where they are
/// dependent, or fewer rows than columns, the solution of least norm in the scaled columns, by singular values.
///
/// # Example
///
/// ```
/// use modelops_optimization::LinearRegression;
/// use ndarray::array;
///
/// // y = 1 + 2 x
/// let model = LinearRegression::new().fit(array![[0.0], [1.0], [2.0]].view(), array![1.0, 3.0, 5.0].view())?;
/// assert!((model.intercept() - 1.0).abs() < 1e-12 && (model.coefficients()[0] - 2.0).abs() < 1e-12);
/// assert!((model.predict(array![[10.0]].view())?[0] - 21.0).abs() < 1e-12);
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
#[doc(alias = "Ridge")]
#[derive(Debug, Clone, PartialEq)]
pub struct LinearRegression {
    l2: f64,
    intercept: bool,
}

impl Default for LinearRegression {
    fn default() -> Self {
        Self {
            l2: 0.0,
            intercept: true,
        }
    }
}

impl LinearRegression {
    /// Least squares with an intercept.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the penalty on the squared coefficients, at least 0: ridge regression.
    #[must_use]
    pub fn with_l2(mut self, l2: f64) -> Self {
        self.l2 = l2;
        self
    }

    /// Leaves the intercept out: the fit goes through the origin.
    #[must_use]
    pub fn without_intercept(mut self) -> Self {
        self.intercept = false;
        self
    }

    /// Fits the table `x` (n × d) to the targets `y` (n entries).
    ///
    /// # Errors
    ///
    /// Shapes that disagree, entries that are not finite, a negative penalty, or
    /// [`Singular`](OptimizationError::Singular) where the numbers are too large or small to be squared.
    pub fn fit(
        &self,
        x: ArrayView2<'_, f64>,
        y: ArrayView1<'_, f64>,
    ) -> Result<LinearModel, OptimizationError> {
        not_negative("l2", self.l2)?;
        check_shape(x, y.len())?;
        check_finite(x)?;
        check_finite_targets(y)?;
        let d = x.ncols();
        let mut shift = Array1::zeros(d);
        let mut y_shift = 0.0;
        if self.intercept {
            shift = mean_of_columns(x);
            y_shift = y.sum() / y.len() as f64;
        }
        let coefficients = if self.l2 > 0.0 {
            ridge(x, y, &shift, y_shift, self.l2)?
        } else {
            least_squares(x, y, &shift, y_shift)?
        };
        if coefficients.iter().any(|w| !w.is_finite()) {
            return Err(OptimizationError::Singular);
        }
        let intercept = y_shift - shift.dot(&coefficients);
        Ok(LinearModel {
            coefficients,
            intercept,
        })
    }
}

pub(crate) fn mean_of_columns(x: ArrayView2<'_, f64>) -> Array1<f64> {
    let mut sums = Array1::<f64>::zeros(x.ncols());
    for row in x.rows() {
        sums += &row;
    }
    sums / x.nrows() as f64
}

/// Solves `(XᵀX / n + l2) w = Xᵀy / n` for the centred table, with the columns scaled to one diagonal.
fn ridge(
    x: ArrayView2<'_, f64>,
    y: ArrayView1<'_, f64>,
    shift: &Array1<f64>,
    y_shift: f64,
    l2: f64,
) -> Result<Array1<f64>, OptimizationError> {
    let (n, d) = x.dim();
    let (rows, targets) = (contiguous_rows(x), contiguous(y));
    let shifts: Vec<f64> = shift.iter().copied().chain([y_shift]).collect();
    let sums = gram::gram(&entries(&rows), &entries(&targets), d, &shifts);
    let n = n as f64;
    let diagonal: Vec<f64> = (0..d).map(|j| sums.matrix[j * d + j] / n + l2).collect();
    let scale: Vec<f64> = diagonal.iter().map(|v| v.sqrt()).collect();
    let scaled = Array2::from_shape_fn((d, d), |(i, j)| {
        if i == j {
            1.0
        } else {
            sums.matrix[i * d + j] / n / (scale[i] * scale[j])
        }
    });
    let right = Array1::from_shape_fn(d, |j| sums.moments[j] / n / scale[j]);
    let factor = Cholesky::new(scaled.view()).map_err(|_| OptimizationError::Singular)?;
    let mut w = factor
        .solve_vec(right.view())
        .map_err(|_| OptimizationError::Singular)?;
    w.iter_mut().zip(&scale).for_each(|(w, s)| *w /= s);
    Ok(w)
}

/// Solves min ‖Xw − y‖ for the centred table, with the columns scaled to unit length.
fn least_squares(
    x: ArrayView2<'_, f64>,
    y: ArrayView1<'_, f64>,
    shift: &Array1<f64>,
    y_shift: f64,
) -> Result<Array1<f64>, OptimizationError> {
    let mut centred = &x - shift;
    let targets = &y - y_shift;
    let scale: Array1<f64> = centred
        .columns()
        .into_iter()
        .zip(x.columns())
        .map(|(column, raw)| length_of_centred(column, raw))
        .collect();
    centred /= &scale;
    let solved = (x.nrows() >= x.ncols())
        .then(|| Qr::new(centred.view()))
        .and_then(Result::ok);
    let direct = solved.and_then(|qr| qr.least_squares_vec(targets.view()).ok());
    let w = match direct {
        Some(w) => w,
        None => least_norm(&centred, &targets)?,
    };
    Ok(w / scale)
}

/// The length of a centred column; infinite for a constant one: what centring leaves of it is rounding, and carries nothing.
pub(super) fn length_of_centred(centred: ArrayView1<'_, f64>, raw: ArrayView1<'_, f64>) -> f64 {
    let left = length(centred);
    if left <= 1e-14 * length(raw) {
        f64::INFINITY
    } else {
        left
    }
}

fn length(column: ArrayView1<'_, f64>) -> f64 {
    let largest = column.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    largest * column.iter().map(|v| (v / largest).powi(2)).sum::<f64>().sqrt()
}

/// The solution of least norm, by singular values; those below the rounding of the largest count as zero.
fn least_norm(x: &Array2<f64>, y: &Array1<f64>) -> Result<Array1<f64>, OptimizationError> {
    let svd = Svd::new(x.view()).map_err(|_| OptimizationError::Singular)?;
    let mut projected = svd.u().t().dot(y);
    let rank = svd.rank();
    for (k, (p, s)) in projected.iter_mut().zip(svd.values()).enumerate() {
        *p = if k < rank { *p / s } else { 0.0 };
    }
    Ok(svd.v().dot(&projected))
}

/// A fitted [`LinearRegression`] or [`ElasticNet`](crate::ElasticNet).
#[derive(Debug, Clone, PartialEq)]
pub struct LinearModel {
    coefficients: Array1<f64>,
    intercept: f64,
}

impl LinearModel {
    pub(crate) fn from_parts(coefficients: Array1<f64>, intercept: f64) -> Self {
        Self {
            coefficients,
            intercept,
        }
    }

    /// w, one entry a column.
    #[must_use]
    pub fn coefficients(&self) -> ArrayView1<'_, f64> {
        self.coefficients.view()
    }

    /// b; 0 without an intercept.
    #[must_use]
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// w · x + b for each row of `x` (n × d).
    ///
    /// # Errors
    ///
    /// [`OptimizationError::DimensionMismatch`] for another number of columns than the model has.
    pub fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>, OptimizationError> {
        if x.ncols() != self.coefficients.len() {
            return Err(OptimizationError::DimensionMismatch {
                what: "a row of x",
                expected: self.coefficients.len(),
                found: x.ncols(),
            });
        }
        Ok(x.dot(&self.coefficients) + self.intercept)
    }
}

/// The loss ‖Xw − y‖² / 2n + (l2 / 2) ‖w‖² as an objective, for any solver; there is no intercept.
///
/// # Example
///
/// ```
/// use modelops_optimization::{Objective, SquaredLoss};
/// use ndarray::array;
///
/// let x = array![[1.0], [2.0]];
/// let y = array![1.0, 1.0];
/// // Residuals 1·2 − 1 = 1 and 2·2 − 1 = 3: (1 + 9) / 4.
/// assert_eq!(SquaredLoss::new(x.view(), y.view(), 0.0)?.value(&[2.0]), 2.5);
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SquaredLoss<'a> {
    x: CowArray<'a, f64, Ix2>,
    y: CowArray<'a, f64, Ix1>,
    l2: f64,
    lipschitz: f64,
}

impl<'a> SquaredLoss<'a> {
    /// The loss of a table (n × d) and its targets (n entries).
    ///
    /// # Errors
    ///
    /// Shapes that disagree, entries that are not finite, a negative penalty.
    pub fn new(x: ArrayView2<'a, f64>, y: ArrayView1<'a, f64>, l2: f64) -> Result<Self, OptimizationError> {
        not_negative("l2", l2)?;
        check_shape(x, y.len())?;
        check_finite(x)?;
        check_finite_targets(y)?;
        let (x, y) = (contiguous_rows(x), contiguous(y));
        let zeros = vec![0.0; y.len()];
        let rows = entries(&x);
        let eigenvalue = power_iteration(x.ncols(), |v, out| {
            residual_gradient(&rows, &zeros, v, out);
            out.iter_mut().for_each(|o| *o /= zeros.len() as f64);
        });
        drop(rows);
        // Power iteration comes from below.
        Ok(Self {
            x,
            y,
            l2,
            lipschitz: 1.05 * eigenvalue + l2,
        })
    }
}

impl Objective for SquaredLoss<'_> {
    fn dim(&self) -> usize {
        self.x.ncols()
    }

    fn value(&self, w: &[f64]) -> f64 {
        self.value_and_gradient(w, &mut vec![0.0; w.len()])
    }
}

impl SquaredLoss<'_> {
    /// The loss over some rows, one after the other.
    fn over(&self, rows: &[f64], targets: &[f64], w: &[f64], gradient: &mut [f64]) -> f64 {
        let n = targets.len() as f64;
        let squared = residual_gradient(rows, targets, w, gradient);
        for (g, w) in gradient.iter_mut().zip(w) {
            *g = *g / n + self.l2 * w;
        }
        squared / (2.0 * n) + 0.5 * self.l2 * w.iter().map(|w| w * w).sum::<f64>()
    }
}

impl Differentiable for SquaredLoss<'_> {
    fn value_and_gradient(&self, w: &[f64], gradient: &mut [f64]) -> f64 {
        self.over(&entries(&self.x), &entries(&self.y), w, gradient)
    }

    fn lipschitz(&self) -> Option<f64> {
        Some(self.lipschitz)
    }
}

impl FiniteSum for SquaredLoss<'_> {
    fn terms(&self) -> usize {
        self.y.len()
    }

    fn batch_value_and_gradient(&self, terms: &[usize], w: &[f64], gradient: &mut [f64]) -> f64 {
        let targets: Vec<f64> = terms.iter().map(|i| self.y[*i]).collect();
        self.over(&gather(&entries(&self.x), w.len(), terms), &targets, w, gradient)
    }
}
