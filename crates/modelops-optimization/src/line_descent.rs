//! The loop of every solver that searches along a direction.

use crate::kernel::vector::{dot, max_norm};
use crate::line_search::{Found, Line, LineSearch, Point};
use crate::solution::{Observer, Tracker};
use crate::stopping::Stopping;
use crate::{Differentiable, Evaluations, OptimizationError, Progress, Solution, Termination};

/// What tells the solvers apart: where to go from a point, and what to learn from a step.
pub(crate) trait Direction {
    /// Writes the direction to search from `x`; calls of the objective are counted in `spent`.
    fn aim(&mut self, x: &[f64], gradient: &[f64], direction: &mut [f64], spent: &mut Evaluations);

    /// The step to try first along a direction of this slope.
    fn first_step(&self, direction: &[f64], slope: f64) -> f64;

    /// Takes note of a step from `old` to `new`.
    fn learn(&mut self, old: &At<'_>, new: &At<'_>);

    /// Forgets what was learnt, because it led nowhere; false if there was nothing to forget.
    fn forget(&mut self) -> bool;

    /// The longest step from `x`.
    fn longest(&self, _x: &[f64], _direction: &[f64]) -> f64 {
        f64::INFINITY
    }

    /// Brings a point that rounding may have put out of bounds back into them.
    fn place(&self, _x: &mut [f64]) {}

    /// The size of the gradient that counts for stopping.
    fn gradient_norm(&self, _x: &[f64], gradient: &[f64]) -> f64 {
        max_norm(gradient)
    }
}

/// A point and the gradient there.
pub(crate) struct At<'a> {
    pub(crate) x: &'a [f64],
    pub(crate) gradient: &'a [f64],
}

/// Steps in a row without a change of the value that the arithmetic can tell.
const STALLS: usize = 3;

/// The settings of the loop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LineDescent {
    pub(crate) line_search: LineSearch,
    /// The share of the slope that a step may leave.
    curvature: f64,
    pub(crate) stopping: Stopping,
}

impl LineDescent {
    /// Tolerance 1e-8.
    pub(crate) fn new(line_search: LineSearch, curvature: f64, max_iterations: usize) -> Self {
        Self {
            line_search,
            curvature,
            stopping: Stopping {
                max_iterations,
                tolerance: 1e-8,
            },
        }
    }

    pub(crate) fn run<O: Differentiable + ?Sized>(
        &self,
        objective: &O,
        x0: &[f64],
        solver: &mut impl Direction,
        observer: &mut Observer<'_>,
    ) -> Result<Solution, OptimizationError> {
        let n = x0.len();
        let mut x = x0.to_vec();
        let mut gradient = vec![0.0; n];
        let mut value = objective.value_and_gradient(&x, &mut gradient);
        if !value.is_finite() || !max_norm(&gradient).is_finite() {
            return Err(OptimizationError::NonFiniteObjective);
        }
        let mut gradient_norm = solver.gradient_norm(&x, &gradient);
        let mut tracker = Tracker::new(&x, value, gradient_norm);
        let (mut next, mut next_gradient, mut direction) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        let mut stalls = 0;
        for iteration in 0..self.stopping.max_iterations {
            if self.stopping.is_met(gradient_norm, value) {
                return Ok(tracker.finish(iteration, Termination::GradientTolerance));
            }
            solver.aim(&x, &gradient, &mut direction, &mut tracker.evaluations);
            let mut slope = dot(&gradient, &direction);
            // A slope that is not clearly downhill is rounding in what was learnt: start over.
            if !(slope < 0.0 && slope.is_finite()) {
                solver.forget();
                solver.aim(&x, &gradient, &mut direction, &mut tracker.evaluations);
                slope = dot(&gradient, &direction);
            }
            let line = Line {
                start: Point {
                    step: 0.0,
                    value,
                    slope,
                },
                first: solver.first_step(&direction, slope),
                longest: solver.longest(&x, &direction),
                curvature: self.curvature,
            };
            let mut go = |step: f64| {
                for ((n, x), d) in next.iter_mut().zip(&x).zip(&direction) {
                    *n = x + step * d;
                }
                solver.place(&mut next);
                tracker.evaluations.gradients += 1;
                let value = objective.value_and_gradient(&next, &mut next_gradient);
                // A gradient with a hole is no gradient, even where the direction does not look into it.
                let whole = max_norm(&next_gradient).is_finite();
                (
                    if whole { value } else { f64::NAN },
                    dot(&next_gradient, &direction),
                )
            };
            let point = match self.line_search.search(line, &mut go) {
                Found::Accepted(point) => point,
                Found::Lower(point) => {
                    go(point.step);
                    point
                }
                Found::Nothing if solver.forget() => continue,
                Found::Nothing => return Ok(tracker.finish(iteration, Termination::LineSearchFailed)),
            };
            solver.learn(
                &At {
                    x: &x,
                    gradient: &gradient,
                },
                &At {
                    x: &next,
                    gradient: &next_gradient,
                },
            );
            // Against the best one, because a search may accept a value that is a little higher.
            let decrease = tracker.best() - point.value;
            stalls = if decrease <= f64::EPSILON * value.abs() {
                stalls + 1
            } else {
                0
            };
            std::mem::swap(&mut x, &mut next);
            std::mem::swap(&mut gradient, &mut next_gradient);
            value = point.value;
            gradient_norm = solver.gradient_norm(&x, &gradient);
            tracker.history.push(value);
            tracker.see(&x, value, gradient_norm);
            let progress = Progress {
                iteration: iteration + 1,
                value,
                gradient_norm,
            };
            if observer(&progress).is_break() {
                return Ok(tracker.finish(iteration + 1, Termination::Cancelled));
            }
            if stalls >= STALLS {
                return Ok(tracker.finish(iteration + 1, Termination::ValueTolerance));
            }
        }
        Ok(tracker.finish(self.stopping.max_iterations, Termination::MaxIterations))
    }
}
