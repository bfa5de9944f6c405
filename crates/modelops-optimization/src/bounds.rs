//! Bounds on the variables of a solver.

use crate::OptimizationError;

/// The box that the variables of a solver stay in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds<'a> {
    pub(crate) lower: &'a [f64],
    pub(crate) upper: &'a [f64],
}

impl<'a> Bounds<'a> {
    /// Refuses bounds of another length than the start, NaN, a lower bound above its upper one and a start out of them.
    pub(crate) fn new(lower: &'a [f64], upper: &'a [f64], x0: &[f64]) -> Result<Self, OptimizationError> {
        for (what, bound) in [("the lower bounds", lower), ("the upper bounds", upper)] {
            if bound.len() != x0.len() {
                return Err(OptimizationError::DimensionMismatch {
                    what,
                    expected: x0.len(),
                    found: bound.len(),
                });
            }
        }
        for ((x, lower), upper) in x0.iter().zip(lower).zip(upper) {
            if lower.is_nan() || upper.is_nan() || lower > upper {
                return Err(OptimizationError::InvalidHyperparameter {
                    name: "upper",
                    value: *upper,
                    requirement: "not below the lower bound",
                });
            }
            if x < lower || x > upper {
                return Err(OptimizationError::InvalidHyperparameter {
                    name: "x0",
                    value: *x,
                    requirement: "within the bounds",
                });
            }
        }
        Ok(Self { lower, upper })
    }

    pub(crate) fn holds(&self, x: &[f64]) -> bool {
        let inside = |((x, l), u): ((&f64, &f64), &f64)| l <= x && x <= u;
        x.iter().zip(self.lower).zip(self.upper).all(inside)
    }

    /// The nearest point of the box.
    pub(crate) fn project(&self, x: &mut [f64]) {
        for ((x, l), u) in x.iter_mut().zip(self.lower).zip(self.upper) {
            *x = x.clamp(*l, *u);
        }
    }

    /// The largest |gᵢ| times the room to the bound that descent leads to, at most 1.
    pub(crate) fn gradient_norm(&self, x: &[f64], gradient: &[f64]) -> f64 {
        let mut largest = 0.0f64;
        for (i, (x, g)) in x.iter().zip(gradient).enumerate() {
            let room = if *g < 0.0 {
                self.upper[i] - x
            } else {
                x - self.lower[i]
            };
            largest = largest.max(g.abs() * room.min(1.0));
        }
        largest
    }
}
