//! Bracketing and zooming to the strong Wolfe conditions.

use super::{BUDGET, Found, GROWTH, Line, Point, ROUNDING, cubic_minimiser};

/// Accepts the strong Wolfe conditions, or the approximate ones where the difference of values is lost in rounding.
pub(super) fn search(line: &Line, mut evaluate: impl FnMut(f64) -> (f64, f64)) -> Found {
    let start = line.start;
    let allowance = ROUNDING * start.value.abs();
    // `low` is the lowest point with enough descent; `high` bounds the interval from the other side once known.
    let (mut low, mut high) = (start, None::<Point>);
    let mut step = line.first;
    for _ in 0..BUDGET {
        if !(step.is_finite() && step > 0.0) || high.is_some_and(|h: Point| h.step == low.step) {
            break;
        }
        let (value, slope) = evaluate(step);
        let here = Point { step, value, slope };
        if !here.is_finite() {
            high = Some(Point {
                step,
                value: f64::INFINITY,
                slope: f64::NAN,
            });
            step = low.step + 0.1 * (step - low.step);
            continue;
        }
        let (enough, nearly, flat) = (
            line.descends(here),
            line.nearly_descends(here),
            line.is_flat(here),
        );
        if (enough && flat && value <= low.value + allowance)
            || (nearly && slope >= line.curvature * start.slope && flat)
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
                if step >= line.longest {
                    return Found::Accepted(here);
                }
                step = beyond(last, here).min(line.longest);
                continue;
            }
        }
        if let Some(h) = high {
            step = between(low, h);
        }
    }
    line.settle(low)
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
