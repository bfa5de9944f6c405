//! Losses that grow more slowly than the square, so that a few wrong residuals do not decide a fit.

use crate::OptimizationError;
use crate::gradient_descent::positive;

/// What a residual r costs: ½ s² ρ(r² / s²). Up to the scale s it is about ½ r² for every loss; beyond it outliers count less.
///
/// # Example
///
/// ```
/// use modelops_optimization::RobustLoss;
///
/// assert_eq!(RobustLoss::Squares.cost(10.0), 50.0);
/// // 1 · |10| − ½.
/// assert_eq!(RobustLoss::Huber { scale: 1.0 }.cost(10.0), 9.5);
/// ```
///
/// **References**: P. J. Huber, Robust estimation of a location parameter, 1964, doi:10.1214/aoms/1177703732.
#[doc(alias = "Huber")]
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum RobustLoss {
    /// ρ(z) = z: least squares. An outlier counts in full.
    #[default]
    Squares,
    /// ρ(z) = 2 (√(1 + z) − 1): a smooth absolute value.
    SoftL1 {
        /// s, above 0.
        scale: f64,
    },
    /// ρ(z) = z up to 1, 2 √z − 1 beyond: squares for the good residuals, absolute values for the others.
    Huber {
        /// s, above 0.
        scale: f64,
    },
    /// ρ(z) = ln(1 + z): an outlier's pull fades with its distance. The sum may have several minima.
    Cauchy {
        /// s, above 0.
        scale: f64,
    },
}

impl RobustLoss {
    /// The cost of one residual.
    #[must_use]
    pub fn cost(self, residual: f64) -> f64 {
        let scale = self.scale();
        let z = (residual / scale).powi(2);
        let rho = match self {
            Self::Squares => z,
            // As 2 (√(1 + z) − 1), without the cancellation at small z.
            Self::SoftL1 { .. } if z.is_finite() => 2.0 * z / ((1.0 + z).sqrt() + 1.0),
            Self::SoftL1 { .. } => 2.0 * (residual / scale).abs(),
            Self::Huber { .. } if z <= 1.0 => z,
            Self::Huber { .. } => 2.0 * (residual / scale).abs() - 1.0,
            Self::Cauchy { .. } if z.is_finite() => z.ln_1p(),
            Self::Cauchy { .. } => 2.0 * (residual / scale).abs().ln(),
        };
        0.5 * scale * scale * rho
    }

    pub(crate) fn validate(self) -> Result<(), OptimizationError> {
        positive("scale", self.scale())
    }

    fn scale(self) -> f64 {
        match self {
            Self::Squares => 1.0,
            Self::SoftL1 { scale } | Self::Huber { scale } | Self::Cauchy { scale } => scale,
        }
    }

    /// The residual r̃ and the factor of its row of J with which r̃ᵀ J̃ is the gradient of the cost and J̃ᵀ J̃ its Hessian, but for the
    /// second derivatives of r (Triggs et al., 2000, doi:10.1007/3-540-44480-7_21). Where a cost is straight or concave a thousandth of
    /// ρ′ stands for its curvature: less of it would blow r̃ up, more would slow the steps down.
    pub(crate) fn weigh(self, residual: f64) -> (f64, f64) {
        let u = residual.abs() / self.scale();
        let z = u * u;
        // ρ′ and ρ′ + 2 z ρ″.
        let (slope, curvature) = match self {
            Self::Squares => return (residual, 1.0),
            Self::SoftL1 { .. } => {
                let slope = u.hypot(1.0).recip();
                (slope, slope.powi(3))
            }
            Self::Huber { .. } if z <= 1.0 => return (residual, 1.0),
            Self::Huber { .. } => (u.recip(), 0.0),
            Self::Cauchy { .. } => {
                let slope = (1.0 + z).recip();
                (slope, (1.0 - 2.0 * z * slope) * slope)
            }
        };
        let factor = curvature.max(1e-3 * slope).sqrt();
        (residual * slope / factor, factor)
    }
}

#[cfg(test)]
mod tests {
    use modelops_testkit::tolerance::{CLOSED_FORM, GRADIENT_BY_DIFFERENCES, close, close_relative};

    use super::RobustLoss;

    #[test]
    fn weights_are_the_derivatives_of_the_cost() {
        for loss in [
            RobustLoss::Squares,
            RobustLoss::SoftL1 { scale: 0.7 },
            RobustLoss::Huber { scale: 0.7 },
            RobustLoss::Cauchy { scale: 0.7 },
        ] {
            for r in [-30.0f64, -2.0, -0.3, 0.0, 0.2, 0.6, 1.5, 100.0] {
                // In proportion, so that the rounding of a large cost does not drown its second difference.
                let h = 1e-4 * r.abs().max(1.0);
                let (up, here, down) = (loss.cost(r + h), loss.cost(r), loss.cost(r - h));
                let (residual, factor) = loss.weigh(r);
                let slope = (up - down) / (2.0 * h);
                assert!(
                    close(residual * factor, slope, GRADIENT_BY_DIFFERENCES),
                    "{loss:?} {r}"
                );
                let curvature = (up - 2.0 * here + down) / (h * h);
                let floor = if r == 0.0 { 0.0 } else { 1e-3 * slope / r };
                assert!(
                    close(factor * factor, curvature.max(floor), GRADIENT_BY_DIFFERENCES),
                    "{loss:?} {r}"
                );
            }
            assert_eq!(loss.cost(3.0), loss.cost(-3.0));
        }
    }

    #[test]
    fn residuals_whose_squares_overflow_still_have_a_cost() {
        let r = 1e200;
        let cost = |loss: RobustLoss| loss.cost(r);
        assert!(close_relative(
            cost(RobustLoss::SoftL1 { scale: 1.0 }),
            r,
            CLOSED_FORM
        ));
        assert!(close_relative(
            cost(RobustLoss::Huber { scale: 1.0 }),
            r,
            CLOSED_FORM
        ));
        assert!(close_relative(
            cost(RobustLoss::Cauchy { scale: 1.0 }),
            r.ln(),
            CLOSED_FORM
        ));
    }
}
