//! Least squares by gradient descent that finds its own step.

use ndarray::{Array1, ArrayView1, ArrayView2};

use super::linear::{LinearModel, SquaredLoss, length_of_centred, mean_of_columns};
use crate::table::{check_finite, check_finite_targets, check_shape};
use crate::{GradientDescent, Momentum, OptimizationError, Solution};

/// Fits a line through `x` (n × d) and `y` (n entries) by gradient descent that needs no learning rate and cannot diverge.
///
/// Use it where [`gradient_descent`](crate::gradient_descent) ends in [`Diverged`](OptimizationError::Diverged), as it does on most
/// tables whose columns have units, or to see the loss curve of a fit. To have the answer alone,
/// [`LinearRegression`](crate::LinearRegression) is as exact and faster.
///
/// **Method**: columns and targets are centred and scaled to a variance of 1; the step is one over the largest eigenvalue of `XᵀX / n`, found by
/// power iteration; Nesterov's momentum starts over whenever it goes uphill. The model is that of the table as given.
///
/// **Stops** when no entry of the gradient of the standardised loss exceeds 1e-11, or after `max_iterations`, which the
/// [`Solution`] tells. About √κ · 30 steps, where κ is the ratio of the largest to the least eigenvalue of the columns' correlations.
///
/// # Errors
///
/// Shapes that disagree, empty input, entries that are not finite, and [`Singular`](OptimizationError::Singular) where the numbers are too
/// large to be centred.
///
/// **Complexity**: O(n d) a step, and one copy of the table.
///
/// # Example
///
/// ```
/// use modelops_optimization::{automatic_descent, gradient_descent};
/// use ndarray::array;
///
/// // y = 3 x, in units that make the textbook rate explode.
/// let (x, y) = (array![[1000.0], [2000.0], [3000.0]], array![3000.0, 6000.0, 9000.0]);
/// assert!(gradient_descent(x.view(), y.view(), 0.01, 1000).is_err());
/// let fit = automatic_descent(x.view(), y.view(), 1000)?;
/// assert!((fit.model().coefficients()[0] - 3.0).abs() < 1e-9);
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
///
/// **References**: B. O'Donoghue and E. Candès, Adaptive restart for accelerated gradient schemes, 2015, doi:10.1007/s10208-013-9150-3.
pub fn automatic_descent(
    x: ArrayView2<'_, f64>,
    y: ArrayView1<'_, f64>,
    max_iterations: usize,
) -> Result<LinearFit, OptimizationError> {
    check_shape(x, y.len())?;
    check_finite(x)?;
    check_finite_targets(y)?;
    let root = (y.len() as f64).sqrt();
    let shift = mean_of_columns(x);
    let mut table = &x - &shift;
    let scale: Array1<f64> = table
        .columns()
        .into_iter()
        .zip(x.columns())
        .map(|(column, raw)| length_of_centred(column, raw) / root)
        .collect();
    table /= &scale;
    let y_shift = y.sum() / y.len() as f64;
    let mut targets = &y - y_shift;
    let y_scale = length_of_centred(targets.view(), y) / root;
    targets /= y_scale;
    if table.iter().chain(&targets).any(|v| !v.is_finite()) {
        return Err(OptimizationError::Singular);
    }
    let loss = SquaredLoss::new(table.view(), targets.view(), 0.0)?;
    let solution = GradientDescent::new()
        .with_momentum(Momentum::Nesterov)
        .with_tolerance(TOLERANCE)
        .with_max_iterations(max_iterations)
        .minimize(&loss, &vec![0.0; x.ncols()])?;
    let coefficients: Array1<f64> = solution
        .x
        .iter()
        .zip(&scale)
        // A column without a scale, and targets without one, have a coefficient of zero.
        .map(|(w, s)| if *w == 0.0 { 0.0 } else { w / s * y_scale })
        .collect();
    let intercept = y_shift - shift.dot(&coefficients);
    if !intercept.is_finite() || coefficients.iter().any(|w| !w.is_finite()) {
        return Err(OptimizationError::Singular);
    }
    Ok(LinearFit {
        model: LinearModel::from_parts(coefficients, intercept),
        solution,
    })
}

/// The largest entry of the gradient at which the standardised loss, at most ½, counts as least.
const TOLERANCE: f64 = 1e-11;

/// A [`LinearModel`] found step by step, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearFit {
    model: LinearModel,
    solution: Solution,
}

impl LinearFit {
    /// The model.
    #[must_use]
    pub fn model(&self) -> &LinearModel {
        &self.model
    }

    /// The run of the solver on the standardised table, where a loss of ½ is that of no slope at all: its loss curve is `history`.
    #[must_use]
    pub fn solution(&self) -> &Solution {
        &self.solution
    }

    /// The model alone.
    #[must_use]
    pub fn into_model(self) -> LinearModel {
        self.model
    }
}
