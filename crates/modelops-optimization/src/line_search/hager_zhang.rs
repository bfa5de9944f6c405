//! Hager and Zhang's search.

use super::{BUDGET, Found, Line, Point};

/// The least share of the promised descent.
const DESCENT: f64 = 0.1;
/// By how much of its size the value may rise where the slope says that the step is good.
const RISE: f64 = 1e-6;
/// Growth of the step while the line descends.
const EXPANSION: f64 = 5.0;
/// The share of the interval that secant steps have to leave behind, or it is halved.
const SHRINK: f64 = 0.66;

/// An end of the interval, or the end of the search.
type Next<T> = Result<T, Found>;

/// Accepts the weak Wolfe conditions, or the approximate ones.
pub(super) fn search(line: &Line, evaluate: impl FnMut(f64) -> (f64, f64)) -> Found {
    let mut search = Search {
        line,
        evaluate,
        ceiling: line.start.value + RISE * line.start.value.abs(),
        lowest: line.start,
        calls: 0,
    };
    match search.run() {
        Ok(never) => match never {},
        Err(found) => found,
    }
}

struct Search<'a, F> {
    line: &'a Line,
    evaluate: F,
    /// The value above which a descending slope leads nowhere.
    ceiling: f64,
    lowest: Point,
    calls: usize,
}

impl<F: FnMut(f64) -> (f64, f64)> Search<'_, F> {
    fn run(&mut self) -> Next<std::convert::Infallible> {
        // The slope is negative at `a` and not at `b`, or the value there is above the ceiling or none at all.
        let (mut a, mut b) = self.bracket()?;
        loop {
            let width = b.step - a.step;
            (a, b) = self.double_secant(a, b)?;
            if b.step - a.step > SHRINK * width {
                let middle = self.at(0.5 * (a.step + b.step))?;
                (a, b) = self.update(a, b, middle)?;
            }
        }
    }

    /// Evaluates a step; an error is the end of the search.
    fn at(&mut self, step: f64) -> Next<Point> {
        let start = self.line.start;
        if self.calls == BUDGET || !(step.is_finite() && step > 0.0) {
            return Err(self.line.settle(self.lowest));
        }
        self.calls += 1;
        let (value, slope) = (self.evaluate)(step);
        let here = Point { step, value, slope };
        if !here.is_finite() {
            return Ok(Point {
                step,
                value: f64::INFINITY,
                slope: f64::NAN,
            });
        }
        if value < self.lowest.value {
            self.lowest = here;
        }
        let flat = slope >= self.line.curvature * start.slope;
        let weak = value <= start.value + DESCENT * step * start.slope;
        let approximate = value <= self.ceiling && slope <= (2.0 * DESCENT - 1.0) * start.slope;
        let at_end = step >= self.line.longest && slope < 0.0;
        if (flat && (weak || approximate)) || (at_end && weak) {
            return Err(Found::Accepted(here));
        }
        Ok(here)
    }

    fn bracket(&mut self) -> Next<(Point, Point)> {
        let mut below = self.line.start;
        let mut step = self.line.first;
        loop {
            let here = self.at(step)?;
            if here.slope >= 0.0 {
                return Ok((below, here));
            }
            // A point without a value counts as infinitely high.
            if here.value > self.ceiling {
                return self.bisect(below, here);
            }
            below = here;
            step = (EXPANSION * step).min(self.line.longest);
            if step <= here.step {
                return Err(self.line.settle(self.lowest));
            }
        }
    }

    /// Narrows an interval whose end is too high, until its end has a rising slope.
    fn bisect(&mut self, mut a: Point, mut b: Point) -> Next<(Point, Point)> {
        loop {
            let share = if b.value.is_finite() { 0.5 } else { 0.1 };
            let here = self.at(a.step + share * (b.step - a.step))?;
            if here.slope >= 0.0 {
                return Ok((a, here));
            }
            if here.value <= self.ceiling {
                if here.step <= a.step {
                    return Err(self.line.settle(self.lowest));
                }
                a = here;
            } else {
                b = here;
            }
        }
    }

    /// The interval with `here` as one of its ends.
    fn update(&mut self, a: Point, b: Point, here: Point) -> Next<(Point, Point)> {
        if here.slope >= 0.0 {
            Ok((a, here))
        } else if here.value <= self.ceiling {
            Ok((here, b))
        } else {
            self.bisect(a, here)
        }
    }

    fn double_secant(&mut self, a: Point, b: Point) -> Next<(Point, Point)> {
        let inside = |step: f64, a: Point, b: Point| step > a.step && step < b.step;
        let step = secant(a, b);
        if !inside(step, a, b) {
            let middle = self.at(0.5 * (a.step + b.step))?;
            return self.update(a, b, middle);
        }
        let here = self.at(step)?;
        let (low, high) = self.update(a, b, here)?;
        let again = if step == high.step {
            secant(b, high)
        } else if step == low.step {
            secant(a, low)
        } else {
            return Ok((low, high));
        };
        if !inside(again, low, high) {
            return Ok((low, high));
        }
        let here = self.at(again)?;
        self.update(low, high, here)
    }
}

/// Where the line through both slopes is zero.
fn secant(a: Point, b: Point) -> f64 {
    (a.step * b.slope - b.step * a.slope) / (b.slope - a.slope)
}
