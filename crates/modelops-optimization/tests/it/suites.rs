//! Standard suites of problems, with the number of evaluations held to a bound.

use modelops_optimization::{
    Bfgs, Differentiable, FnObjective, Lbfgs, LbfgsB, LevenbergMarquardt, LineSearch, Newton, NonlinearCg,
    Objective, OptimizationError, Residuals, Solution, Subproblem, TrustRegion, TrustRegionReflective,
    check_gradient,
};
use modelops_testkit::optimization::more_garbow_hillstrom::{Problem, problems};
use modelops_testkit::tolerance::GRADIENT_BY_DIFFERENCES;

/// The sum of squares of a problem, with second derivatives by central differences of its exact gradient.
struct Sum<'a>(&'a Problem);

impl Objective for Sum<'_> {
    fn dim(&self) -> usize {
        self.0.start.len()
    }

    fn value(&self, x: &[f64]) -> f64 {
        self.value_and_gradient(x, &mut vec![0.0; x.len()])
    }
}

impl Differentiable for Sum<'_> {
    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        self.0.sum_of_squares(x, gradient)
    }

    fn hessian(&self, x: &[f64], hessian: &mut [f64]) -> bool {
        let mut shifted = x.to_vec();
        for (i, row) in hessian.chunks_exact_mut(x.len()).enumerate() {
            let width = 1e-5 * x[i].abs().max(1e-3);
            shifted[i] = x[i] + width;
            self.0.sum_of_squares(&shifted, row);
            shifted[i] = x[i] - width;
            let mut below = vec![0.0; x.len()];
            self.0.sum_of_squares(&shifted, &mut below);
            shifted[i] = x[i];
            row.iter_mut()
                .zip(below)
                .for_each(|(r, b)| *r = (*r - b) / (2.0 * width));
        }
        true
    }
}

/// Runs all problems, of which `unsolved` may stay unsolved, and gives the number of evaluations.
fn solve_all(
    unsolved: &[&str],
    solve: impl Fn(&Sum<'_>, &[f64]) -> Result<Solution, OptimizationError>,
) -> usize {
    let mut total = 0;
    let mut left = Vec::new();
    for problem in problems() {
        let solution = solve(&Sum(&problem), &problem.start).unwrap();
        let evaluations = solution.evaluations.gradients;
        total += evaluations;
        println!(
            "{:32} {evaluations:6} {:4} {:e} {}",
            problem.name, solution.evaluations.hessians, solution.value, solution.termination
        );
        if !problem.is_solved_by(solution.value) {
            left.push(problem.name);
        }
    }
    println!("{total} evaluations");
    assert_eq!(left, unsolved);
    total
}

#[test]
fn lbfgs_solves_more_garbow_and_hillstrom() {
    let total = solve_all(&[], |objective, start| Lbfgs::new().minimize(objective, start));
    assert!(total <= 2735, "{total} evaluations");
}

#[test]
fn more_thuente_solves_more_garbow_and_hillstrom() {
    let solver = Lbfgs::new().with_line_search(LineSearch::MoreThuente);
    let total = solve_all(&[], |objective, start| solver.minimize(objective, start));
    assert!(total <= 2900, "{total} evaluations");
}

#[test]
fn hager_zhang_solves_more_garbow_and_hillstrom() {
    let solver = Lbfgs::new().with_line_search(LineSearch::HagerZhang);
    let total = solve_all(&[], |objective, start| solver.minimize(objective, start));
    assert!(total <= 2900, "{total} evaluations");
}

#[test]
fn lbfgs_b_without_bounds_solves_more_garbow_and_hillstrom() {
    let total = solve_all(&[], |objective, start| LbfgsB::new().minimize(objective, start));
    assert!(total <= 2735, "{total} evaluations");
}

#[test]
fn bfgs_solves_more_garbow_and_hillstrom() {
    let total = solve_all(&[], |objective, start| Bfgs::new().minimize(objective, start));
    assert!(total <= 4151, "{total} evaluations");
}

#[test]
fn nonlinear_cg_solves_all_but_meyer() {
    // Nor does SciPy's, which needs 56,337 evaluations.
    let total = solve_all(&["10 Meyer"], |objective, start| {
        NonlinearCg::new().minimize(objective, start)
    });
    assert!(total <= 56_337, "{total} evaluations");
}

#[test]
fn newton_solves_more_garbow_and_hillstrom() {
    let total = solve_all(&[], |objective, start| Newton::new().minimize(objective, start));
    assert!(total <= 2735, "{total} evaluations");
}

#[test]
fn trust_region_solves_more_garbow_and_hillstrom() {
    let total = solve_all(&[], |objective, start| {
        TrustRegion::new().minimize(objective, start)
    });
    assert!(total <= 2735, "{total} evaluations");
}

#[test]
fn steihaug_solves_all_but_meyer() {
    let solver = TrustRegion::new().with_subproblem(Subproblem::Steihaug);
    let total = solve_all(&["10 Meyer"], |objective, start| {
        solver.minimize(objective, start)
    });
    assert!(total <= 56_337, "{total} evaluations");
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

/// The evaluations that a solver of least squares needs for all problems, each of which it must solve.
fn evaluations_of(minimize: impl Fn(&Squares<'_>, &[f64]) -> Solution) -> usize {
    let mut total = 0;
    let mut unsolved = Vec::new();
    for problem in problems() {
        let solution = minimize(&Squares(&problem), &problem.start);
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
    total
}

#[test]
fn levenberg_marquardt_solves_more_garbow_and_hillstrom() {
    let solver = LevenbergMarquardt::new();
    let total = evaluations_of(|problem, start| solver.minimize(problem, start).unwrap());
    assert!(total <= 1802, "{total} evaluations");
}

#[test]
fn trust_region_reflective_solves_more_garbow_and_hillstrom() {
    let solver = TrustRegionReflective::new();
    let total = evaluations_of(|problem, start| solver.minimize(problem, start).unwrap());
    assert!(total <= 968, "{total} evaluations");
}

/// A box around a start that cuts the way to most minima.
fn bounds(start: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let size = |x: f64| 0.3 * (1.0 + x.abs());
    let side = |k: usize, x: f64| (1 + k % 3) as f64 * size(x);
    let lower = start.iter().enumerate().map(|(i, x)| x - side(i, *x));
    let upper = start.iter().enumerate().map(|(i, x)| x + side(i + 1, *x));
    (lower.collect(), upper.collect())
}

/// The lower of the minima that SciPy 1.17.1 finds by L-BFGS-B and by TRF within [`bounds`].
const BOUNDED_MINIMA: [f64; 36] = [
    0.7743999999999999,
    90.90759232876184,
    0.003681376619117969,
    999995600005.5249,
    0.2681730417029756,
    124.36218235561478,
    63.4737298505741,
    0.8838354547492017,
    1.1279327696187323e-08,
    4893.476212908792,
    5.943081186959967,
    0.021634862018222602,
    5.706246744317651,
    853.1975996261784,
    0.00030750560384923767,
    1519257.1735132546,
    5.4648946974824e-05,
    0.10430968615663966,
    0.07233210373682317,
    0.03049204828872462,
    0.024163466080611526,
    58.95666778007114,
    131.9809572283552,
    6556.141444199999,
    0.0002936797076507172,
    1.6251162868669486,
    0.0,
    0.00131612683110345,
    0.0,
    0.0,
    0.0,
    0.0,
    99.88,
    24.626865671641788,
    26.12690355329949,
    0.003516873725677919,
];

/// Runs all problems within bounds and gives the number of evaluations.
fn solve_bounded(solve: impl Fn(&Problem, &[f64], &[f64]) -> (f64, usize)) -> usize {
    let mut total = 0;
    let mut left = Vec::new();
    for (mut problem, minimum) in problems().into_iter().zip(BOUNDED_MINIMA) {
        let (lower, upper) = bounds(&problem.start);
        let (value, evaluations) = solve(&problem, &lower, &upper);
        println!("{:32} {evaluations:5} {value:e} {minimum:e}", problem.name);
        total += evaluations;
        // The trigonometric problem has its two minima within the bounds too.
        if minimum != 0.0 {
            problem.minima = vec![minimum];
        }
        if !problem.is_solved_by(value) {
            left.push(problem.name);
        }
    }
    println!("{total} evaluations");
    assert_eq!(left, Vec::<&str>::new());
    total
}

#[test]
fn lbfgs_b_solves_more_garbow_and_hillstrom_within_bounds() {
    let total = solve_bounded(|problem, lower, upper| {
        let objective = FnObjective::new(lower.len(), |x, g| {
            let inside = x.iter().zip(lower).zip(upper).all(|((x, l), u)| l <= x && x <= u);
            assert!(inside, "{}: {x:?} is out of bounds", problem.name);
            problem.sum_of_squares(x, g)
        });
        let solver = LbfgsB::new().with_bounds(lower, upper);
        let solution = solver.minimize(&objective, &problem.start).unwrap();
        (solution.value, solution.evaluations.gradients)
    });
    // SciPy's L-BFGS-B needs 2,574.
    assert!(total <= 2574, "{total} evaluations");
}

#[test]
fn trust_region_reflective_solves_more_garbow_and_hillstrom_within_bounds() {
    solve_bounded(|problem, lower, upper| {
        let solver = TrustRegionReflective::new().with_bounds(lower, upper);
        let solution = solver.minimize(&Squares(problem), &problem.start).unwrap();
        (2.0 * solution.value, solution.evaluations.values + 1)
    });
}
