//! Checks a hand-written gradient against differences of the value.

use crate::{Differentiable, OptimizationError};

/// How well a gradient agrees with differences of its value, coordinate by coordinate.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct GradientCheck {
    /// The largest relative error over the coordinates.
    pub max_relative_error: f64,
    /// The coordinate that has it: where to look for the mistake.
    pub worst_index: usize,
    /// The gradient as written, at that coordinate.
    pub analytic: f64,
    /// The gradient by differences, at that coordinate.
    pub numeric: f64,
    /// The relative error of every coordinate.
    pub relative_errors: Vec<f64>,
}

impl GradientCheck {
    /// Whether every coordinate agrees to `tolerance` (1e-6 is a good start).
    #[must_use]
    pub fn passes(&self, tolerance: f64) -> bool {
        self.max_relative_error <= tolerance
    }
}

/// Compares the gradient of `objective` at `x` with central differences of its value.
///
/// Use it in a test of every hand-written gradient, at a point that is neither an optimum nor a kink. The difference is
/// Ridders' extrapolation, so that the comparison is good to about 1e-9 of the gradient's size where the value is smooth.
///
/// **Formula**: eᵢ = (|gᵢ − dᵢ| − ρᵢ) / max(|gᵢ|, |dᵢ|, s), at least 0, where dᵢ is the difference quotient. The rounding of the
/// value over the step, ρᵢ, and s = 1e-6 · maxⱼ |dⱼ| keep rounding in a vanishing coordinate from looking like a mistake.
///
/// **Complexity**: up to 14 values per coordinate.
///
/// # Errors
///
/// [`OptimizationError::DimensionMismatch`] where `x` is not of the objective's dimension,
/// [`OptimizationError::NonFiniteObjective`] where value or gradient is not finite at `x`.
///
/// # Example
///
/// ```
/// use modelops_optimization::{FnObjective, check_gradient};
///
/// let wrong_in_1 = FnObjective::new(2, |x, g| {
///     g[0] = 2.0 * x[0];
///     g[1] = 3.0 * x[1]; // should be 2 x[1]
///     x[0] * x[0] + x[1] * x[1]
/// });
/// let check = check_gradient(&wrong_in_1, &[1.0, 2.0])?;
/// assert_eq!(check.worst_index, 1);
/// assert!(!check.passes(1e-6));
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
///
/// **References**: C. J. F. Ridders, Accurate computation of F'(x) and F'(x)F''(x), Advances in Engineering Software 4,
/// 1982, doi:10.1016/S0141-1195(82)80057-0.
pub fn check_gradient<O: Differentiable + ?Sized>(
    objective: &O,
    x: &[f64],
) -> Result<GradientCheck, OptimizationError> {
    check_dimension(objective.dim(), x)?;
    let mut analytic = vec![0.0; x.len()];
    let value = objective.value_and_gradient(x, &mut analytic);
    if !value.is_finite() || analytic.iter().any(|g| !g.is_finite()) {
        return Err(OptimizationError::NonFiniteObjective);
    }
    let mut point = x.to_vec();
    let differences: Vec<(f64, f64)> = (0..x.len())
        .map(|index| {
            let centre = x[index];
            let difference = ridders(centre, |shifted| {
                point[index] = shifted;
                objective.value(&point)
            });
            point[index] = centre;
            difference
        })
        .collect();
    let (numeric, rounding): (Vec<f64>, Vec<f64>) = differences.into_iter().unzip();
    let floor = 1e-6
        * numeric
            .iter()
            .filter(|d| d.is_finite())
            .fold(0.0, |m: f64, d| m.max(d.abs()));
    let relative_errors: Vec<f64> = analytic
        .iter()
        .zip(numeric.iter().zip(&rounding))
        .map(|(g, (d, rounding))| {
            let scale = g.abs().max(d.abs()).max(floor);
            if scale > 0.0 {
                ((g - d).abs() - rounding).max(0.0) / scale
            } else {
                0.0
            }
        })
        // A difference that is NaN cannot vouch for anything.
        .zip(&numeric)
        .map(|(error, d)| if d.is_nan() { f64::INFINITY } else { error })
        .collect();
    let worst_index = (0..x.len()).fold(0, |worst, i| {
        if relative_errors[i] > relative_errors[worst] {
            i
        } else {
            worst
        }
    });
    Ok(GradientCheck {
        max_relative_error: relative_errors[worst_index],
        worst_index,
        analytic: analytic[worst_index],
        numeric: numeric[worst_index],
        relative_errors,
    })
}

/// Refuses a starting point of the wrong length, an empty one and one that is not finite.
pub(crate) fn check_dimension(dim: usize, x: &[f64]) -> Result<(), OptimizationError> {
    if x.len() != dim {
        return Err(OptimizationError::DimensionMismatch {
            what: "the point",
            expected: dim,
            found: x.len(),
        });
    }
    if x.is_empty() {
        return Err(OptimizationError::EmptyInput { what: "the point" });
    }
    match x.iter().position(|v| !v.is_finite()) {
        Some(row) => Err(OptimizationError::NonFiniteInput {
            what: "the point",
            row,
            column: 0,
        }),
        None => Ok(()),
    }
}

/// Central differences with steps shrunk by 1.8 and extrapolated to zero: the estimate of least error, and the rounding in it.
fn ridders(centre: f64, mut f: impl FnMut(f64) -> f64) -> (f64, f64) {
    const ROWS: usize = 7;
    const SHRINK: f64 = 1.8;
    let mut table = [[0.0; ROWS]; ROWS];
    let mut step = 0.02 * centre.abs().max(0.1);
    let (mut best, mut best_error, mut rounding) = (f64::NAN, f64::INFINITY, 0.0);
    for i in 0..ROWS {
        let (up, down) = (centre + step, centre - step);
        let (above, below) = (f(up), f(down));
        table[i][0] = (above - below) / (up - down);
        let noise = 4.0 * f64::EPSILON * (above.abs() + below.abs()) / (up - down);
        step /= SHRINK;
        let mut factor = 1.0;
        for j in 1..=i {
            factor *= SHRINK * SHRINK;
            table[i][j] = (factor * table[i][j - 1] - table[i - 1][j - 1]) / (factor - 1.0);
            let error = (table[i][j] - table[i][j - 1])
                .abs()
                .max((table[i][j] - table[i - 1][j - 1]).abs());
            if error <= best_error {
                best_error = error;
                best = table[i][j];
                rounding = noise;
            }
        }
    }
    (best, rounding)
}
