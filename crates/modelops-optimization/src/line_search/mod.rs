//! A step along a line that satisfies the Wolfe conditions.

mod hager_zhang;
mod more_thuente;
mod strong_wolfe;

/// How the length of a step is found along a search direction.
///
/// All of them start from the same first step, treat a value that is not finite as a step that is too long, and accept Hager and
/// Zhang's approximate conditions where the difference of values is lost in rounding. The default needs the fewest evaluations
/// on the standard problems; try another one where a solver stops for want of a step.
///
/// # Example
///
/// ```
/// use modelops_optimization::{FnObjective, Lbfgs, LineSearch};
///
/// let bowl = FnObjective::new(1, |x, g| {
///     g[0] = 4.0 * x[0].powi(3);
///     x[0].powi(4)
/// });
/// for line_search in [LineSearch::StrongWolfe, LineSearch::MoreThuente, LineSearch::HagerZhang] {
///     let solution = Lbfgs::new().with_line_search(line_search).minimize(&bowl, &[1.0])?;
///     assert!(solution.converged());
/// }
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LineSearch {
    /// Bracketing and zooming with cubics until the strong Wolfe conditions hold. J. Nocedal and S. Wright, Numerical
    /// Optimization, 2006, section 3.5.
    #[default]
    StrongWolfe,
    /// Safeguarded cubic and secant steps towards a point with the strong Wolfe conditions, as MINPACK and L-BFGS-B have it.
    /// J. Moré and D. Thuente, 1994, doi:10.1145/192115.192132.
    MoreThuente,
    /// Double secant steps and bisection until the weak or the approximate Wolfe conditions hold; it may accept a value that is
    /// higher by a millionth. W. Hager and H. Zhang, 2005, doi:10.1137/030601880.
    HagerZhang,
}

/// A point on the line: the step, the value there and the slope along the line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) step: f64,
    pub(crate) value: f64,
    pub(crate) slope: f64,
}

/// What is asked of a search.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    /// Step 0, with a slope below 0.
    pub(crate) start: Point,
    pub(crate) first: f64,
    /// The longest step allowed, which is accepted where the line still descends there.
    pub(crate) longest: f64,
    /// The share of the first slope that may be left.
    pub(crate) curvature: f64,
}

/// How a search ended. The step of `Accepted` is the last one evaluated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Found {
    /// Enough descent and enough flattening.
    Accepted(Point),
    /// Neither, but this point is the lowest seen and below the start.
    Lower(Point),
    /// Nothing below the start.
    Nothing,
}

/// The least share of the promised descent.
const DESCENT: f64 = 1e-4;
/// Relative size of a difference of values that is only rounding.
const ROUNDING: f64 = 1e-15;
/// Evaluations per search.
const BUDGET: usize = 40;
/// Largest growth of the step from one evaluation to the next while the line still descends.
const GROWTH: f64 = 4.0;

impl LineSearch {
    /// Searches `line`; `evaluate` gives value and slope at a step.
    pub(crate) fn search(self, line: Line, evaluate: impl FnMut(f64) -> (f64, f64)) -> Found {
        let line = Line {
            first: line.first.min(line.longest),
            ..line
        };
        match self {
            Self::StrongWolfe => strong_wolfe::search(&line, evaluate),
            Self::MoreThuente => more_thuente::search(&line, evaluate),
            Self::HagerZhang => hager_zhang::search(&line, evaluate),
        }
    }
}

impl Point {
    fn is_finite(self) -> bool {
        self.value.is_finite() && self.slope.is_finite()
    }
}

impl Line {
    /// Whether the descent is a share of what the slope promised.
    fn descends(&self, at: Point) -> bool {
        at.value <= self.start.value + DESCENT * at.step * self.start.slope
    }

    /// Whether the slope says so where the difference of the values is lost in rounding.
    fn nearly_descends(&self, at: Point) -> bool {
        (at.value - self.start.value).abs() <= ROUNDING * self.start.value.abs()
            && at.slope <= (2.0 * DESCENT - 1.0) * self.start.slope
    }

    /// Whether enough of the slope is gone.
    fn is_flat(&self, at: Point) -> bool {
        at.slope.abs() <= -self.curvature * self.start.slope
    }

    /// The end of a search that accepted nothing.
    fn settle(&self, lowest: Point) -> Found {
        if lowest.step > 0.0 && lowest.value < self.start.value {
            Found::Lower(lowest)
        } else {
            Found::Nothing
        }
    }
}

/// The minimiser of the cubic through both points and slopes, where there is one.
fn cubic_minimiser(a: Point, b: Point) -> Option<f64> {
    let width = b.step - a.step;
    let theta = 3.0 * (a.value - b.value) / width + a.slope + b.slope;
    let scale = theta.abs().max(a.slope.abs()).max(b.slope.abs());
    let inside = (theta / scale).powi(2) - (a.slope / scale) * (b.slope / scale);
    if !inside.is_finite() || inside < 0.0 {
        return None;
    }
    let root = scale * inside.sqrt() * width.signum();
    let share = (b.slope + root - theta) / (b.slope - a.slope + 2.0 * root);
    let step = b.step - width * share;
    step.is_finite().then_some(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(kind: LineSearch, f: impl Fn(f64) -> (f64, f64), first: f64, longest: f64) -> (Found, Vec<f64>) {
        let (value, slope) = f(0.0);
        let mut steps = Vec::new();
        let line = Line {
            start: Point {
                step: 0.0,
                value,
                slope,
            },
            first,
            longest,
            curvature: 0.7,
        };
        let found = kind.search(line, |step| {
            steps.push(step);
            f(step)
        });
        if let Found::Accepted(point) = found {
            assert_eq!(steps.last(), Some(&point.step), "the last one evaluated");
        }
        (found, steps)
    }

    const ALL: [LineSearch; 3] = [
        LineSearch::StrongWolfe,
        LineSearch::MoreThuente,
        LineSearch::HagerZhang,
    ];

    #[test]
    fn wolfe_conditions_hold_where_a_step_is_accepted() {
        let valley = |a: f64| ((a - 1.0).powi(2) * 50.0, 100.0 * (a - 1.0));
        let far = |a: f64| ((a - 1e4).powi(2) * 1e-6, 2e-6 * (a - 1e4));
        // The first function of Moré and Thuente's paper, with its long flat start.
        let flat = |a: f64| (-a / (a * a + 2.0), (a * a - 2.0) / (a * a + 2.0).powi(2));
        // Their second: a narrow dip.
        let dip = |a: f64| {
            let b = a + 0.004;
            (b.powi(5) - 2.0 * b.powi(4), 5.0 * b.powi(4) - 8.0 * b.powi(3))
        };
        for kind in ALL {
            for first in [1e-8, 1e-3, 1.0, 1e6] {
                for f in [&valley as &dyn Fn(f64) -> (f64, f64), &far, &flat, &dip] {
                    let (found, steps) = run(kind, f, first, f64::INFINITY);
                    let Found::Accepted(point) = found else {
                        panic!("{kind:?} from {first}: {found:?}")
                    };
                    let (value, slope) = f(0.0);
                    assert!(point.slope >= 0.7 * slope, "{kind:?} from {first}: {point:?}");
                    if kind == LineSearch::HagerZhang {
                        assert!(point.value <= value + 1e-6 * value.abs());
                    } else {
                        assert!(
                            point.value <= value + DESCENT * point.step * slope,
                            "{kind:?} from {first}: {point:?} {value} {slope}"
                        );
                        assert!(point.slope <= -0.7 * slope);
                    }
                    // Halving a step that is a billion times too long takes its time.
                    let budget = if kind == LineSearch::HagerZhang {
                        BUDGET
                    } else {
                        30
                    };
                    assert!(
                        steps.len() <= budget,
                        "{kind:?}: {} calls from {first}",
                        steps.len()
                    );
                }
            }
        }
    }

    #[test]
    fn walls_and_bounds_are_not_crossed() {
        let wall = |a: f64| if a > 0.5 { (f64::NAN, f64::NAN) } else { (-a, -1.0) };
        let line = |a: f64| (-a, -1.0);
        for kind in ALL {
            assert!(
                matches!(run(kind, wall, 1.0, f64::INFINITY).0, Found::Lower(p) if p.step > 0.1 && p.step <= 0.5)
            );
            assert_eq!(run(kind, |a| (a, -1.0), 1.0, f64::INFINITY).0, Found::Nothing);
            let nothing = |a: f64| {
                if a > 0.0 {
                    (f64::INFINITY, -1.0)
                } else {
                    (0.0, -1.0)
                }
            };
            assert_eq!(run(kind, nothing, 1.0, f64::INFINITY).0, Found::Nothing);
            // The end of a line that still descends is as far as one can go.
            for (first, longest) in [(1.0, 3.0), (5.0, 3.0), (3.0, 3.0)] {
                let (found, steps) = run(kind, line, first, longest);
                assert_eq!(
                    found,
                    Found::Accepted(Point {
                        step: 3.0,
                        value: -3.0,
                        slope: -1.0
                    }),
                    "{kind:?}"
                );
                assert!(
                    steps.iter().all(|s| *s <= longest) && steps.len() <= 3,
                    "{kind:?} {steps:?}"
                );
            }
        }
    }
}
