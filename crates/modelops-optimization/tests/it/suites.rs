//! Standard suites of problems, with the number of evaluations held to a bound.

use modelops_optimization::{
    FnObjective, Lbfgs, LevenbergMarquardt, Residuals, TrustRegionReflective, check_gradient,
};
use modelops_testkit::optimization::more_garbow_hillstrom::{Problem, problems};
use modelops_testkit::tolerance::GRADIENT_BY_DIFFERENCES;

#[test]
fn lbfgs_solves_more_garbow_and_hillstrom() {
    let mut total = 0;
    let mut unsolved = Vec::new();
    for problem in problems() {
        let objective = FnObjective::new(problem.start.len(), |x, g| problem.sum_of_squares(x, g));
        let solution = Lbfgs::new().minimize(&objective, &problem.start).unwrap();
        let evaluations = solution.evaluations.total();
        total += evaluations;
        println!(
            "{:32} {evaluations:5} {:e} {}",
            problem.name, solution.value, solution.termination
        );
        if !problem.is_solved_by(solution.value) {
            unsolved.push(problem.name);
        }
    }
    println!("{total} evaluations");
    assert_eq!(unsolved, Vec::<&str>::new());
    assert!(total <= 2735, "{total} evaluations");
}

#[test]
fn the_gradient_checker_passes_the_suite() {
    for problem in problems() {
        // Away from the start, where several gradients vanish by symmetry.
        let point: Vec<f64> = problem
            .start
            .iter()
            .enumerate()
            .map(|(i, x)| x * 1.01 + 0.01 * (1.0 + i as f64 * 0.1))
            .collect();
        let objective = FnObjective::new(point.len(), |x, g| problem.sum_of_squares(x, g));
        let check = check_gradient(&objective, &point).unwrap();
        assert!(
            check.passes(GRADIENT_BY_DIFFERENCES),
            "{}: {check:?}",
            problem.name
        );
    }
}

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

#[test]
fn levenberg_marquardt_solves_more_garbow_and_hillstrom() {
    let mut total = 0;
    let mut unsolved = Vec::new();
    for problem in problems() {
        let solution = LevenbergMarquardt::new()
            .minimize(&Squares(&problem), &problem.start)
            .unwrap();
        // Each step tried costs one call for the residuals; the start costs one more.
        let evaluations = solution.evaluations.values + 1;
        total += evaluations;
        println!(
            "{:32} {evaluations:5} {:e} {}",
            problem.name,
            2.0 * solution.value,
            solution.termination
        );
        if !problem.is_solved_by(2.0 * solution.value) {
            unsolved.push(problem.name);
        }
    }
    println!("{total} evaluations");
    assert_eq!(unsolved, Vec::<&str>::new());
    assert!(total <= 1802, "{total} evaluations");
}

#[test]
fn trust_region_reflective_solves_more_garbow_and_hillstrom() {
    let mut total = 0;
    let mut unsolved = Vec::new();
    for problem in problems() {
        let solution = TrustRegionReflective::new()
            .minimize(&Squares(&problem), &problem.start)
            .unwrap();
        let evaluations = solution.evaluations.values + 1;
        total += evaluations;
        println!(
            "{:32} {evaluations:5} {:e} {}",
            problem.name,
            2.0 * solution.value,
            solution.termination
        );
        if !problem.is_solved_by(2.0 * solution.value) {
            unsolved.push(problem.name);
        }
    }
    println!("{total} evaluations");
    assert_eq!(unsolved, Vec::<&str>::new());
    assert!(total <= 968, "{total} evaluations");
}
