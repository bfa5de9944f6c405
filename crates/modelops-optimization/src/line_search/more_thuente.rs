//! Moré and Thuente's search.

use super::{BUDGET, Found, GROWTH, Line, Point, cubic_minimiser};

/// The share of the interval of two steps ago that may be left before it is halved.
const SHRINK: f64 = 0.66;

/// The interval of uncertainty: `low` has the lowest value so far and its slope leads to `other`, once there is one.
struct Interval {
    low: Point,
    other: Point,
    bracketed: bool,
}

/// Accepts the strong Wolfe conditions, or the approximate ones where the difference of values is lost in rounding.
pub(super) fn search(line: &Line, mut evaluate: impl FnMut(f64) -> (f64, f64)) -> Found {
    let promised = super::DESCENT * line.start.slope;
    let mut interval = Interval {
        low: line.start,
        other: line.start,
        bracketed: false,
    };
    // Until a point below the promise with a rising slope is seen, the line less the promise is searched in its stead.
    let mut first_stage = true;
    let (mut width, mut width_before) = (f64::INFINITY, f64::INFINITY);
    let (mut least, mut most) = (0.0, (1.0 + GROWTH) * line.first);
    // The nearest step without a value.
    let mut wall = f64::INFINITY;
    let mut step = line.first;
    for _ in 0..BUDGET {
        if !(step.is_finite() && step > 0.0) {
            break;
        }
        let (value, slope) = evaluate(step);
        let here = Point { step, value, slope };
        if !here.is_finite() {
            wall = wall.min(step);
            step = interval.low.step + 0.1 * (step - interval.low.step);
            continue;
        }
        let below = value <= line.start.value + step * promised;
        if (below || line.nearly_descends(here)) && line.is_flat(here) {
            return Found::Accepted(here);
        }
        if below && step >= line.longest && slope <= promised {
            return Found::Accepted(here);
        }
        if interval.bracketed && (step <= least || step >= most) {
            break;
        }
        if first_stage && below && slope >= 0.0 {
            first_stage = false;
        }
        let less = |p: Point, times: f64| Point {
            step: p.step,
            value: p.value + times * p.step * promised,
            slope: p.slope + times * promised,
        };
        let tilted = first_stage && value <= interval.low.value && !below;
        let end = line.longest.min(if wall.is_finite() {
            0.5 * (interval.low.step + wall)
        } else {
            f64::INFINITY
        });
        if tilted {
            interval.low = less(interval.low, -1.0);
            interval.other = less(interval.other, -1.0);
            step = interval.update(less(here, -1.0), least, most.min(end));
            interval.low = less(interval.low, 1.0);
            interval.other = less(interval.other, 1.0);
        } else {
            step = interval.update(here, least, most.min(end));
        }
        let (low, other) = (interval.low.step, interval.other.step);
        if interval.bracketed {
            if (other - low).abs() >= SHRINK * width_before {
                step = low + 0.5 * (other - low);
            }
            width_before = width;
            width = (other - low).abs();
            (least, most) = (low.min(other), low.max(other));
        } else {
            (least, most) = (step + 1.1 * (step - low), step + GROWTH * (step - low));
        }
        step = step.min(end);
        if interval.bracketed && (step <= least || step >= most) {
            // No number left between the ends: settle for the lower one.
            step = low + 0.5 * (other - low);
            if step == low || step == other {
                break;
            }
        }
    }
    line.settle(interval.low)
}

impl Interval {
    /// Takes `here` into the interval and gives the next step, within `least` and `most` while nothing is bracketed.
    fn update(&mut self, here: Point, least: f64, most: f64) -> f64 {
        let low = self.low;
        let cubic = |a: Point, b: Point| cubic_minimiser(a, b).unwrap_or(0.5 * (a.step + b.step));
        let secant = here.step + here.slope / (here.slope - low.slope) * (low.step - here.step);
        let opposite = here.slope * low.slope.signum() < 0.0;
        let next = if here.value > low.value {
            self.bracketed = true;
            let mean = (low.value - here.value) / (here.step - low.step) + low.slope;
            let parabola = low.step + low.slope / mean / 2.0 * (here.step - low.step);
            let cubic = cubic(low, here);
            if (cubic - low.step).abs() < (parabola - low.step).abs() {
                cubic
            } else {
                0.5 * (cubic + parabola)
            }
        } else if opposite {
            self.bracketed = true;
            farther(here.step, cubic(low, here), secant)
        } else if here.slope.abs() < low.slope.abs() {
            self.flatter(here, secant, least, most)
        } else if self.bracketed {
            cubic(here, self.other)
        } else if here.step > low.step {
            most
        } else {
            least
        };
        if here.value > low.value {
            self.other = here;
        } else {
            if opposite {
                self.other = low;
            }
            self.low = here;
        }
        next
    }

    /// The next step where the slope keeps its sign and falls: the minimiser of the cubic counts only if it lies ahead.
    fn flatter(&self, here: Point, secant: f64, least: f64, most: f64) -> f64 {
        let low = self.low;
        let end = if here.step > low.step { most } else { least };
        let ahead = |step: f64| (step - here.step) * (here.step - low.step) > 0.0;
        let cubic = cubic_minimiser(low, here).filter(|s| ahead(*s)).unwrap_or(end);
        if self.bracketed {
            let next = nearer(here.step, cubic, secant);
            let limit = here.step + SHRINK * (self.other.step - here.step);
            if here.step > low.step {
                next.min(limit)
            } else {
                next.max(limit)
            }
        } else {
            farther(here.step, cubic, secant).clamp(least.min(most), most)
        }
    }
}

fn nearer(from: f64, a: f64, b: f64) -> f64 {
    if (a - from).abs() < (b - from).abs() { a } else { b }
}

fn farther(from: f64, a: f64, b: f64) -> f64 {
    if (a - from).abs() > (b - from).abs() { a } else { b }
}
