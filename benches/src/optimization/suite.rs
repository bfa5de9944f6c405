//! The problems of Moré, Garbow and Hillstrom: how many evaluations each solver spends on them, and how many it solves.

use modelops_benches::{Better, Comparison};
use modelops_optimization::{
    Bfgs, FnObjective, Lbfgs, LbfgsB, LevenbergMarquardt, NonlinearCg, Residuals, Solution,
    TrustRegionReflective,
};
use modelops_testkit::optimization::more_garbow_hillstrom::{Problem, problems};

const SCIPY: &str = "SciPy 1.17.1";

pub(crate) fn run(comparison: &mut Comparison) {
    smooth(comparison, "L-BFGS", "L-BFGS-B", |f, x| {
        Lbfgs::new().minimize(&f, x).expect("a finite start")
    });
    smooth(comparison, "BFGS", "BFGS", |f, x| {
        Bfgs::new().minimize(&f, x).expect("a finite start")
    });
    smooth(comparison, "conjugate gradients", "CG", |f, x| {
        NonlinearCg::new().minimize(&f, x).expect("a finite start")
    });
    squares(comparison, "Levenberg-Marquardt", "lm", |r, x| {
        LevenbergMarquardt::new().minimize(r, x).expect("a finite start")
    });
    squares(comparison, "TRF", "trf", |r, x| {
        TrustRegionReflective::new()
            .minimize(r, x)
            .expect("a finite start")
    });
    bounded(comparison);
}

/// Evaluations, problems solved, and the value reached on each.
fn totals(solve: impl Fn(&Problem) -> (f64, usize)) -> Vec<f64> {
    let (mut evaluations, mut solved, mut values) = (0, 0, Vec::new());
    for problem in problems() {
        let (value, calls) = solve(&problem);
        evaluations += calls;
        solved += usize::from(problem.is_solved_by(value));
        values.push(value);
    }
    [evaluations as f64, solved as f64]
        .into_iter()
        .chain(values)
        .collect()
}

fn smooth(
    comparison: &mut Comparison,
    name: &str,
    method: &str,
    minimize: impl Fn(FnObjective<&dyn Fn(&[f64], &mut [f64]) -> f64>, &[f64]) -> Solution,
) {
    let solve = |problem: &Problem| {
        let f = |x: &[f64], g: &mut [f64]| problem.sum_of_squares(x, g);
        let solution = minimize(FnObjective::new(problem.start.len(), &f), &problem.start);
        (solution.value, solution.evaluations.total())
    };
    report(comparison, name, method, || totals(solve));
}

/// A problem as residuals with derivatives.
struct Squares<'a>(&'a Problem);

impl Residuals for Squares<'_> {
    fn dim(&self) -> usize {
        self.0.start.len()
    }

    fn count(&self) -> usize {
        self.0.residuals(&self.0.start).len()
    }

    fn residuals(&self, x: &[f64], residuals: &mut [f64]) {
        residuals.copy_from_slice(&self.0.residuals(x));
    }

    fn jacobian(&self, x: &[f64], jacobian: &mut [f64]) {
        jacobian.copy_from_slice(&self.0.residuals_and_jacobian(x).1);
    }
}

fn squares(
    comparison: &mut Comparison,
    name: &str,
    method: &str,
    minimize: impl Fn(&Squares<'_>, &[f64]) -> Solution,
) {
    let solve = |problem: &Problem| {
        let solution = minimize(&Squares(problem), &problem.start);
        // The start costs one more.
        (2.0 * solution.value, solution.evaluations.values + 1)
    };
    report(comparison, name, method, || totals(solve));
}

fn report(comparison: &mut Comparison, name: &str, method: &str, ours: impl FnMut() -> Vec<f64>) {
    comparison
        .case(&format!("36 problems of Moré, Garbow and Hillstrom, {name}"))
        .ours(ours)
        .python(SCIPY, "solve_suite.py", &[method])
        .rounds(1)
        .cold()
        .without_times()
        .value("evaluations", "", Better::Lower, |out: &Vec<f64>| out[0])
        .value("solved of 36", "", Better::Higher, |out| out[1])
        .run();
}

/// Within a box of 0.3 (1 + |start|) and multiples of it around each start; the peer's script has the same rule.
fn bounded(comparison: &mut Comparison) {
    let solve = |problem: &Problem| {
        let size = |k: usize, x: f64| (1 + k % 3) as f64 * 0.3 * (1.0 + x.abs());
        let start = &problem.start;
        let lower: Vec<f64> = start.iter().enumerate().map(|(i, x)| x - size(i, *x)).collect();
        let upper: Vec<f64> = start
            .iter()
            .enumerate()
            .map(|(i, x)| x + size(i + 1, *x))
            .collect();
        let f = FnObjective::new(start.len(), |x: &[f64], g: &mut [f64]| {
            problem.sum_of_squares(x, g)
        });
        let solver = LbfgsB::new().with_bounds(&lower, &upper);
        let solution = solver.minimize(&f, start).expect("a finite start");
        (solution.value, solution.evaluations.total())
    };
    comparison
        .case("36 problems of Moré, Garbow and Hillstrom within bounds, L-BFGS-B")
        .ours(|| totals(solve))
        .python(SCIPY, "solve_suite.py", &["bounded"])
        .rounds(1)
        .cold()
        .without_times()
        .value("evaluations", "", Better::Lower, |out: &Vec<f64>| out[0])
        // What is solved without bounds is no matter here: the values have to agree.
        .agree(|ours, theirs| {
            ours[2..]
                .iter()
                .zip(&theirs[2..])
                .all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs().max(1.0))
        })
        .run();
}
