//! Laws of the solvers and models.

use modelops_optimization::{
    Bfgs, Differentiable, FirstOrder, FnObjective, GradientDescent, Lbfgs, LbfgsB, LearningRate,
    LinearRegression, LogisticLoss, LogisticRegression, Momentum, Newton, NonlinearCg, Objective,
    OptimizationError, Residuals, RobustLoss, SoftmaxLoss, SoftmaxRegression, SquaredLoss, Subproblem,
    Termination, TrustRegion, TrustRegionReflective, check_gradient, gradient_descent,
};
use modelops_testkit::optimization::{
    cross_entropy, regression_table, ridge_by_elimination, two_pass_descent,
};
use modelops_testkit::tolerance::{DESCENT_ITERATES, GRADIENT_BY_DIFFERENCES, REORDERED_SUM, SOLVED, close};
use ndarray::{Array1, Array2, Axis, concatenate, s};
use proptest::prelude::*;

/// f(x) = Σ cᵢ (xᵢ − i)² + 1.
fn bowl(curvatures: Vec<f64>) -> impl Differentiable {
    FnObjective::new(curvatures.len(), move |x, g| {
        let mut value = 1.0;
        for (i, c) in curvatures.iter().enumerate() {
            let offset = x[i] - i as f64;
            g[i] = 2.0 * c * offset;
            value += c * offset * offset;
        }
        value
    })
}

fn all_close(a: &Array1<f64>, b: &Array1<f64>, tolerance: f64) -> bool {
    let largest = b.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    a.iter()
        .zip(b)
        .all(|(p, q)| (p - q).abs() <= tolerance * largest.max(1e-300))
}

/// The residuals X w − y, which refuses to be asked out of its bounds.
struct Table {
    x: Array2<f64>,
    y: Array1<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
}

impl Table {
    fn check(&self, w: &[f64]) {
        let inside = |((w, l), u): ((&f64, &f64), &f64)| l < w && w < u;
        assert!(w.iter().zip(&self.lower).zip(&self.upper).all(inside), "{w:?}");
    }
}

impl Residuals for Table {
    fn dim(&self) -> usize {
        self.x.ncols()
    }

    fn count(&self) -> usize {
        self.x.nrows()
    }

    fn residuals(&self, w: &[f64], residuals: &mut [f64]) {
        self.check(w);
        let r = self.x.dot(&Array1::from(w.to_vec())) - &self.y;
        residuals.copy_from_slice(&r.to_vec());
    }

    fn jacobian(&self, w: &[f64], jacobian: &mut [f64]) {
        self.check(w);
        jacobian.copy_from_slice(&self.x.iter().copied().collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn descent_walks_the_two_pass_iterates(rows in 1usize..60, columns in 1usize..20, steps in 0usize..200, seed: u64) {
        let (x, y) = regression_table(rows, columns, seed);
        // Entries within ±½ keep the curvature below columns / 4.
        let rate = 4.0 / columns as f64;
        let ours = gradient_descent(x.view(), y.view(), rate, steps).unwrap();
        let oracle = two_pass_descent(x.view(), y.view(), rate, steps);
        prop_assert!(all_close(&ours, &oracle, DESCENT_ITERATES), "{ours} against {oracle}");
    }

    #[test]
    fn bounded_least_squares_stays_inside_and_meets_the_optimality_conditions(rows in 1usize..30, columns in 1usize..8, seed: u64, width in 0.01f64..2.0, loss in 0usize..4) {
        let (x, y) = regression_table(rows, columns, seed);
        let loss = [
            RobustLoss::Squares,
            RobustLoss::SoftL1 { scale: 0.2 },
            RobustLoss::Huber { scale: 0.2 },
            RobustLoss::Cauchy { scale: 0.2 },
        ][loss];
        let lower: Vec<f64> = (0..columns).map(|j| if j % 3 == 2 { f64::NEG_INFINITY } else { -width }).collect();
        let upper: Vec<f64> = (0..columns).map(|j| if j % 3 == 1 { f64::INFINITY } else { 0.5 * width }).collect();
        let table = Table { x, y, lower: lower.clone(), upper: upper.clone() };
        let solver = TrustRegionReflective::new().with_bounds(&lower, &upper).with_loss(loss).with_tolerance(1e-14);
        let solution = solver.minimize(&table, &vec![0.0; columns]).unwrap();
        prop_assert!(solution.converged(), "{:?}", solution);
        // The derivative of the cost by differences, so that the solver's own weights do not vouch for themselves.
        let at = |w: &[f64]| {
            let r = table.x.dot(&Array1::from(w.to_vec())) - &table.y;
            r.iter().map(|r| loss.cost(*r)).sum::<f64>()
        };
        prop_assert!(close(at(&solution.x), solution.value, REORDERED_SUM));
        for j in 0..columns {
            let h = 1e-6;
            let mut w = solution.x.clone();
            w[j] += h;
            let up = at(&w);
            w[j] -= 2.0 * h;
            let slope = (up - at(&w)) / (2.0 * h);
            let on_lower = solution.x[j] - lower[j] < 1e-6;
            let on_upper = upper[j] - solution.x[j] < 1e-6;
            prop_assert!((slope > -1e-5 || on_upper) && (slope < 1e-5 || on_lower), "{} {} {:?}", j, slope, solution);
        }
        prop_assert!(solution.history.windows(2).all(|w| w[1] < w[0]));
        prop_assert_eq!(solution, solver.minimize(&table, &vec![0.0; columns]).unwrap());
    }

    #[test]
    fn the_layout_of_the_table_does_not_matter(rows in 1usize..30, columns in 1usize..12, seed: u64) {
        let (x, y) = regression_table(rows, columns, seed);
        let transposed = x.t().as_standard_layout().into_owned();
        for steps in [3, 100] {
            let straight = gradient_descent(x.view(), y.view(), 0.1, steps).unwrap();
            prop_assert_eq!(straight, gradient_descent(transposed.t(), y.view(), 0.1, steps).unwrap());
        }
    }

    #[test]
    fn a_diverging_rate_is_named_and_the_suggestion_converges(columns in 1usize..8, seed: u64, scale in 0.0f64..6.0, times in 2.5f64..1e6, short: bool) {
        let (mut x, y) = regression_table(40, columns, seed);
        x.column_mut(0).mapv_inplace(|v| v * 10f64.powf(scale));
        // Σ of the squares bounds the largest curvature from above, a column's mean square from below.
        let below = x.columns().into_iter().map(|c| c.dot(&c)).fold(0.0, f64::max) / 40.0;
        let rate = times / below;
        let steps = if short { 8 } else { 500 };
        match gradient_descent(x.view(), y.view(), rate, steps) {
            Err(OptimizationError::Diverged { iteration, suggested_learning_rate, learning_rate, .. }) => {
                prop_assert!(iteration >= 1 && iteration <= steps);
                prop_assert_eq!(learning_rate, rate);
                let calm = gradient_descent(x.view(), y.view(), suggested_learning_rate, steps);
                prop_assert!(calm.is_ok(), "{:?}", calm);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn every_solver_returns_its_best_point_and_the_value_there(
        curvatures in prop::collection::vec(0.1f64..10.0, 1..6),
        start in -5.0f64..5.0,
        budget in 0usize..40,
        kind in 0usize..13,
    ) {
        let objective = bowl(curvatures.clone());
        let x0 = vec![start; curvatures.len()];
        let descent = GradientDescent::new().with_max_iterations(budget);
        let solution = match kind {
            0 => descent.minimize(&objective, &x0),
            1 => descent.with_momentum(Momentum::Nesterov).minimize(&objective, &x0),
            2 => descent.with_momentum(Momentum::HeavyBall(0.5)).minimize(&objective, &x0),
            3 => descent.with_learning_rate(LearningRate::Fixed(0.05)).minimize(&objective, &x0),
            4 => FirstOrder::adam(0.3).with_max_iterations(budget).minimize(&objective, &x0),
            5 => FirstOrder::sgd(0.01).with_max_iterations(budget).minimize(&objective, &x0),
            6 => Lbfgs::new().with_max_iterations(budget).minimize(&objective, &x0),
            7 => LbfgsB::new().with_max_iterations(budget).minimize(&objective, &x0),
            8 => Bfgs::new().with_max_iterations(budget).minimize(&objective, &x0),
            9 => NonlinearCg::new().with_max_iterations(budget).minimize(&objective, &x0),
            10 => Newton::new().with_max_iterations(budget).minimize(&objective, &x0),
            11 => TrustRegion::new().with_max_iterations(budget).minimize(&objective, &x0),
            _ => TrustRegion::new().with_subproblem(Subproblem::Steihaug).with_max_iterations(budget).minimize(&objective, &x0),
        }.unwrap();
        prop_assert_eq!(solution.value, objective.value(&solution.x));
        prop_assert!(solution.value <= objective.value(&x0));
        prop_assert!(solution.history.iter().all(|v| *v >= solution.value));
        prop_assert_eq!(solution.history.len(), solution.iterations + 1);
        prop_assert!(solution.converged() || solution.termination == Termination::MaxIterations);
    }

    #[test]
    fn lbfgs_b_meets_the_optimality_conditions(rows in 1usize..30, columns in 1usize..12, seed: u64, width in 0.0f64..1.0, memory in 1usize..20) {
        let (x, y) = regression_table(rows, columns, seed);
        let loss = SquaredLoss::new(x.view(), y.view(), 1e-3).unwrap();
        let lower: Vec<f64> = (0..columns).map(|j| if j % 3 == 2 { f64::NEG_INFINITY } else { -width }).collect();
        let upper: Vec<f64> = (0..columns).map(|j| if j % 3 == 1 { f64::INFINITY } else { 0.5 * width }).collect();
        let solver = LbfgsB::new().with_bounds(&lower, &upper).with_memory(memory).with_tolerance(1e-10);
        let solution = solver.minimize(&loss, &vec![0.0; columns]).unwrap();
        let mut gradient = vec![0.0; columns];
        loss.value_and_gradient(&solution.x, &mut gradient);
        for j in 0..columns {
            let w = solution.x[j];
            prop_assert!(lower[j] <= w && w <= upper[j]);
            prop_assert!(gradient[j] < 1e-7 || w - lower[j] < 1e-6, "{} {:?}", j, solution);
            prop_assert!(gradient[j] > -1e-7 || upper[j] - w < 1e-6, "{} {:?}", j, solution);
        }
        prop_assert_eq!(solution, solver.minimize(&loss, &vec![0.0; columns]).unwrap());
    }

    #[test]
    fn second_order_solvers_take_one_step_on_a_quadratic(rows in 8usize..30, columns in 1usize..8, seed: u64) {
        let (x, y) = regression_table(rows, columns, seed);
        let loss = SquaredLoss::new(x.view(), y.view(), 0.1).unwrap();
        let direct = ridge_by_elimination(x.view(), y.view(), 0.1);
        for solution in [
            Newton::new().minimize(&loss, &vec![0.0; columns]).unwrap(),
            TrustRegion::new().minimize(&loss, &vec![0.0; columns]).unwrap(),
        ] {
            prop_assert!(solution.converged() && solution.iterations <= 3, "{:?}", solution);
            prop_assert!(all_close(&Array1::from(solution.x), &direct, SOLVED));
        }
    }

    #[test]
    fn descent_with_an_automatic_step_finds_the_bottom(curvatures in prop::collection::vec(0.01f64..100.0, 1..6), nesterov: bool) {
        let objective = bowl(curvatures.clone());
        let momentum = if nesterov { Momentum::Nesterov } else { Momentum::None };
        let solution = GradientDescent::new()
            .with_momentum(momentum)
            .with_max_iterations(200_000)
            .minimize(&objective, &vec![-3.0; curvatures.len()])
            .unwrap();
        prop_assert!(solution.converged(), "{:?}", solution.termination);
        prop_assert!(close(solution.value, 1.0, SOLVED));
    }

    #[test]
    fn a_planted_error_in_any_coordinate_is_named(dim in 1usize..8, wrong in 0usize..8, seed: u64) {
        let wrong = wrong % dim;
        let (x, y) = regression_table(12, dim, seed);
        let loss = SquaredLoss::new(x.view(), y.view(), 0.1).unwrap();
        let point: Vec<f64> = (0..dim).map(|i| 1.0 + i as f64).collect();
        prop_assert!(check_gradient(&loss, &point).unwrap().passes(GRADIENT_BY_DIFFERENCES));
        let planted = FnObjective::new(dim, |x, g| {
            let value = loss.value_and_gradient(x, g);
            g[wrong] *= 1.0001;
            value
        });
        let check = check_gradient(&planted, &point).unwrap();
        prop_assert!(!check.passes(GRADIENT_BY_DIFFERENCES));
        prop_assert_eq!(check.worst_index, wrong);
    }

    #[test]
    fn losses_have_the_gradients_they_claim(rows in 3usize..20, columns in 1usize..6, classes in 2usize..5, seed: u64, l2 in 0.0f64..1.0) {
        let (x, y) = regression_table(rows, columns, seed);
        let labels: Vec<usize> = (0..rows).map(|i| i % classes).collect();
        let truth: Vec<bool> = (0..rows).map(|i| i % 2 == 0).collect();
        let point = |dim: usize| -> Vec<f64> { (0..dim).map(|i| ((i * 7 + 3) % 5) as f64 - 1.7).collect() };
        let softmax = SoftmaxLoss::new(x.view(), &labels, l2).unwrap();
        let logistic = LogisticLoss::new(x.view(), &truth, l2).unwrap();
        let squared = SquaredLoss::new(x.view(), y.view(), l2).unwrap();
        prop_assert!(check_gradient(&softmax, &point(softmax.dim())).unwrap().passes(GRADIENT_BY_DIFFERENCES));
        prop_assert!(check_gradient(&logistic, &point(logistic.dim())).unwrap().passes(GRADIENT_BY_DIFFERENCES));
        prop_assert!(check_gradient(&squared, &point(squared.dim())).unwrap().passes(GRADIENT_BY_DIFFERENCES));
        let unpenalised = SoftmaxLoss::new(x.view(), &labels, 0.0).unwrap();
        let at = point(unpenalised.dim());
        prop_assert!(close(unpenalised.value(&at), cross_entropy(x.view(), &labels, softmax.dim() / (columns + 1), &at), REORDERED_SUM));
    }

    #[test]
    fn ridge_agrees_with_elimination(rows in 2usize..40, columns in 1usize..8, seed: u64, l2 in 1e-3f64..1.0) {
        let (x, y) = regression_table(rows, columns, seed);
        let model = LinearRegression::new().with_l2(l2).without_intercept().fit(x.view(), y.view()).unwrap();
        let oracle = ridge_by_elimination(x.view(), y.view(), l2);
        prop_assert!(all_close(&model.coefficients().to_owned(), &oracle, SOLVED));
    }

    #[test]
    fn least_squares_follows_a_change_of_units(rows in 10usize..40, columns in 1usize..6, seed: u64, power in -6i32..6) {
        let (x, y) = regression_table(rows, columns, seed);
        let factor = 10f64.powi(power);
        let mut rescaled = x.clone();
        rescaled.column_mut(0).mapv_inplace(|v| v * factor + 3.0);
        let plain = LinearRegression::new().fit(x.view(), y.view()).unwrap();
        let other = LinearRegression::new().fit(rescaled.view(), y.view()).unwrap();
        let loss = |m: &modelops_optimization::LinearModel, x: &Array2<f64>| {
            (m.predict(x.view()).unwrap() - &y).mapv(|v| v * v).sum()
        };
        // A shift of 3 beside entries of 1e-6 costs the digits it costs.
        prop_assert!(close(loss(&plain, &x), loss(&other, &rescaled), SOLVED));
    }

    #[test]
    fn duplicated_columns_share_a_coefficient(rows in 8usize..30, columns in 1usize..5, seed: u64) {
        let (x, y) = regression_table(rows, columns, seed);
        let doubled = concatenate(Axis(1), &[x.view(), x.view()]).unwrap();
        let plain = LinearRegression::new().fit(x.view(), y.view()).unwrap();
        let shared = LinearRegression::new().fit(doubled.view(), y.view()).unwrap();
        let half = plain.coefficients().to_owned() * 0.5;
        prop_assert!(all_close(&shared.coefficients().slice(s![..columns]).to_owned(), &half, SOLVED));
        prop_assert!(all_close(&shared.coefficients().slice(s![columns..]).to_owned(), &half, SOLVED));
    }

    #[test]
    fn two_classes_are_logistic_regression(rows in 6usize..40, columns in 1usize..5, seed: u64) {
        let (x, _) = regression_table(rows, columns, seed);
        let truth: Vec<bool> = (0..rows).map(|i| i % 3 == 0).collect();
        let labels: Vec<usize> = truth.iter().map(|t| usize::from(*t)).collect();
        let solver = GradientDescent::new().with_momentum(Momentum::Nesterov).with_max_iterations(100_000).with_tolerance(1e-10);
        // A penalty on both rows of a softmax, which come out opposite, is half as strong on their difference.
        let logistic = LogisticRegression::new().with_l2(0.1).with_solver(solver).fit(x.view(), &truth).unwrap();
        let softmax = SoftmaxRegression::new().with_l2(0.2).with_solver(solver).fit(x.view(), &labels).unwrap();
        let rows_of = softmax.model().coefficients();
        let difference = &rows_of.row(1) - &rows_of.row(0);
        for (a, b) in difference.iter().zip(logistic.coefficients()) {
            prop_assert!(close(*a, *b, SOLVED), "{} {}", a, b);
        }
        let p = softmax.model().predict_probability(x.view()).unwrap();
        prop_assert!(p.rows().into_iter().all(|row| close(row.sum(), 1.0, REORDERED_SUM)));
    }
}

#[test]
fn an_observer_sees_every_step_and_can_stop() {
    let mut seen = Vec::new();
    let solution = GradientDescent::new()
        .with_learning_rate(LearningRate::Fixed(0.01))
        .minimize_observed(&bowl(vec![1.0, 2.0]), &[4.0, 4.0], &mut |progress| {
            seen.push(progress.iteration);
            if progress.iteration == 5 {
                std::ops::ControlFlow::Break(())
            } else {
                std::ops::ControlFlow::Continue(())
            }
        })
        .unwrap();
    assert_eq!(solution.termination, Termination::Cancelled);
    assert_eq!(seen, [1, 2, 3, 4, 5]);
}

#[test]
fn nan_is_never_an_answer() {
    // A cliff: the value is NaN beyond 1, and the slope leads there.
    let cliff = FnObjective::new(1, |x, g| {
        g[0] = -1.0;
        if x[0] > 1.0 { f64::NAN } else { -x[0] }
    });
    let solution = GradientDescent::new().minimize(&cliff, &[0.0]).unwrap();
    assert!(
        solution.value.is_finite() && solution.x[0] <= 1.0 && solution.x[0] > 0.9,
        "{solution:?}"
    );
    let fixed = GradientDescent::new()
        .with_learning_rate(LearningRate::Fixed(0.3))
        .minimize(&cliff, &[0.0]);
    assert!(
        matches!(fixed, Err(OptimizationError::Diverged { iteration: 4, .. })),
        "{fixed:?}"
    );
}

#[test]
fn public_types_cross_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<OptimizationError>();
    crosses::<modelops_optimization::Solution>();
    crosses::<modelops_optimization::Solver>();
    crosses::<modelops_optimization::SoftmaxFit>();
    crosses::<modelops_optimization::LogisticModel>();
    crosses::<modelops_optimization::LinearModel>();
    crosses::<modelops_optimization::Study>();
    crosses::<modelops_optimization::SearchSpace>();
    crosses::<modelops_optimization::LinePlot>();
}
