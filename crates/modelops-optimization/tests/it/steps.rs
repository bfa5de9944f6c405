//! Step rules against the formulae of their papers, step by step.

use std::cell::RefCell;
use std::collections::HashMap;

use modelops_optimization::{
    Averaging, Batches, Clipping, Differentiable, FiniteSum, FirstOrder, FnObjective, GradientDescent,
    LearningRate, LogisticLoss, Objective, OptimizationError as E, Rule, Schedule, SoftmaxLoss, SquaredLoss,
    VarianceReduction,
};
use modelops_testkit::optimization::{regression_table, ridge_by_elimination};
use modelops_testkit::tolerance::{REORDERED_SUM, SOLVED, close};
use ndarray::Array1;
use proptest::prelude::*;

const PLAIN: Rule = Rule::Sgd {
    momentum: 0.0,
    nesterov: false,
};

/// ½ Σ cᵢ xᵢ².
fn bowl(x: &[f64], g: &mut [f64]) -> f64 {
    let curvatures = [1.0, 4.0, 0.5];
    let mut value = 0.0;
    for (i, c) in curvatures.iter().enumerate() {
        g[i] = c * x[i];
        value += 0.5 * c * x[i] * x[i];
    }
    value
}

const START: [f64; 3] = [1.0, -2.0, 3.0];

/// The points at which a run asks for the gradient, the start among them.
fn path(run: impl Fn(&dyn Differentiable)) -> Vec<Vec<f64>> {
    let path = RefCell::new(Vec::new());
    let watched = FnObjective::new(3, |x: &[f64], g: &mut [f64]| {
        path.borrow_mut().push(x.to_vec());
        bowl(x, g)
    });
    run(&watched);
    path.into_inner()
}

fn agree(ours: &[f64], theirs: &[f64]) {
    let same = ours.iter().zip(theirs).all(|(a, b)| close(*a, *b, REORDERED_SUM));
    assert!(same && ours.len() == theirs.len(), "{ours:?} against {theirs:?}");
}

fn gradient(x: &[f64]) -> Vec<f64> {
    let mut g = vec![0.0; 3];
    bowl(x, &mut g);
    g
}

#[test]
fn schedules_and_warm_up_set_the_length_of_each_step() {
    let pi = std::f64::consts::PI;
    type Factor = fn(usize) -> f64;
    let schedules: [(Schedule, Factor); 5] = [
        (Schedule::Constant, |_| 1.0),
        (
            Schedule::Step {
                every: 2,
                factor: 0.5,
            },
            |t| 0.5f64.powi((t / 2) as i32),
        ),
        (Schedule::Exponential { factor: 0.9 }, |t| 0.9f64.powi(t as i32)),
        (Schedule::Linear { steps: 4, end: 0.2 }, |t| {
            [1.0, 0.8, 0.6, 0.4, 0.2][t.min(4)]
        }),
        (Schedule::Cosine { steps: 4, end: 0.0 }, |t| {
            [1.0, 0.853_553_390_593_273_8, 0.5, 0.146_446_609_406_726_24, 0.0][t.min(4)]
        }),
    ];
    assert!((0.5 * (1.0 + (pi / 4.0).cos()) - 0.853_553_390_593_273_8).abs() < f64::EPSILON);
    for (schedule, factor) in schedules {
        for warmup in [0, 3] {
            // On a slope of 1 the steps are the learning rates.
            let points = RefCell::new(Vec::new());
            let slope = FnObjective::new(1, |x: &[f64], g: &mut [f64]| {
                points.borrow_mut().push(x[0]);
                g[0] = 1.0;
                x[0]
            });
            let solver = FirstOrder::new(PLAIN, 0.1)
                .with_schedule(schedule)
                .with_warmup(warmup);
            solver.with_max_iterations(8).minimize(&slope, &[0.0]).unwrap();
            let steps: Vec<f64> = points.borrow().windows(2).map(|w| w[0] - w[1]).collect();
            let expected: Vec<f64> = (0..8)
                .map(|t| {
                    if t < warmup {
                        0.1 * (t + 1) as f64 / 3.0
                    } else {
                        0.1 * factor(t - warmup)
                    }
                })
                .collect();
            agree(&steps, &expected);
        }
    }
}

#[test]
fn clipping_shortens_or_cuts() {
    for (clipping, expected) in [
        // The gradient at the start is (1, −8, 1.5), of length √67.25… hence the shares.
        (Clipping::None, [1.0, -8.0, 1.5]),
        (Clipping::Norm(2.0), {
            let length = (1.0f64 + 64.0 + 2.25).sqrt();
            [2.0 / length, -16.0 / length, 3.0 / length]
        }),
        (Clipping::Norm(9.0), [1.0, -8.0, 1.5]),
        (Clipping::Value(1.25), [1.0, -1.25, 1.25]),
    ] {
        let solver = FirstOrder::new(PLAIN, 0.1)
            .with_clipping(clipping)
            .with_max_iterations(1);
        let points = path(|f| drop(solver.minimize(f, &START)));
        let moved: Vec<f64> = points[0]
            .iter()
            .zip(&points[1])
            .map(|(a, b)| (a - b) / 0.1)
            .collect();
        agree(&moved, &expected);
    }
}

#[test]
fn averages_are_those_of_the_iterates_and_are_the_answer_where_they_are_better() {
    // 0.499 over-shoots along the second axis by 1 − 4 · 0.499 each time: the mean is nearer to the bottom.
    let solver = FirstOrder::new(PLAIN, 0.499)
        .with_max_iterations(10)
        .with_tolerance(0.0);
    for averaging in [Averaging::Mean { from: 4 }, Averaging::Exponential { decay: 0.8 }] {
        let solver = solver.with_averaging(averaging);
        let points = path(|f| drop(solver.minimize(f, &START)));
        // The last point asked for is the average.
        let (average, iterates) = points.split_last().unwrap();
        assert_eq!(iterates.len(), 11);
        let expected: Vec<f64> = (0..3)
            .map(|i| match averaging {
                Averaging::Mean { from } => {
                    iterates[from + 1..].iter().map(|x| x[i]).sum::<f64>() / (10 - from) as f64
                }
                _ => iterates[1..].iter().fold(START[i], |a, x| 0.8 * a + 0.2 * x[i]),
            })
            .collect();
        agree(average, &expected);
    }
    // On |x| fixed steps bounce about 0, and the mean of a period is there.
    let kink = FnObjective::new(1, |x: &[f64], g: &mut [f64]| {
        g[0] = x[0].signum();
        x[0].abs()
    });
    let bouncing = FirstOrder::new(PLAIN, 0.2).with_max_iterations(100);
    let last = bouncing.minimize(&kink, &[0.1]).unwrap();
    let mean = bouncing
        .with_averaging(Averaging::Mean { from: 0 })
        .minimize(&kink, &[0.1])
        .unwrap();
    assert!(close(last.value, 0.1, REORDERED_SUM));
    assert!(mean.value < 1e-3 && mean.evaluations.gradients == last.evaluations.gradients + 1);
}

#[test]
fn schedule_free_rules_follow_the_paper() {
    let (rate, warmup, steps) = (0.05, 4, 12);
    let rules = [
        Rule::ScheduleFreeSgd { beta: 0.9 },
        Rule::ScheduleFreeAdamW {
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.1,
        },
    ];
    for rule in rules {
        let solver = FirstOrder::new(rule, rate)
            .with_warmup(warmup)
            .with_max_iterations(steps);
        let points = path(|f| drop(solver.minimize(f, &START)));
        let (mut z, mut a, mut v, mut weight) = (START, START, [0.0; 3], 0.0);
        let mut y = START.to_vec();
        for t in 1..=steps {
            agree(&points[t - 1], &y);
            let eta = rate * (t as f64 / warmup as f64).min(1.0);
            weight += eta * eta;
            let c = eta * eta / weight;
            let g = gradient(&y);
            for i in 0..3 {
                let direction = match rule {
                    Rule::ScheduleFreeSgd { .. } => g[i],
                    _ => {
                        v[i] = 0.99 * v[i] + 0.01 * g[i] * g[i];
                        g[i] / ((v[i] / (1.0 - 0.99f64.powi(t as i32))).sqrt() + 1e-8) + 0.1 * y[i]
                    }
                };
                z[i] -= eta * direction;
                a[i] = (1.0 - c) * a[i] + c * z[i];
                y[i] = 0.1 * z[i] + 0.9 * a[i];
            }
        }
        agree(&points[steps], &y);
        agree(&points[steps + 1], &a);
    }
}

#[test]
fn barzilai_borwein_takes_the_curvature_of_the_last_step() {
    let solver = GradientDescent::new().with_learning_rate(LearningRate::BarzilaiBorwein);
    let watched = RefCell::new(Vec::new());
    let objective = FnObjective::new(3, |x: &[f64], g: &mut [f64]| {
        watched.borrow_mut().push(x.to_vec());
        bowl(x, g)
    });
    let solution = solver.minimize(&objective, &START).unwrap();
    assert!(solution.converged() && solution.iterations < 30, "{solution:?}");
    // Every step is a point asked for twice in a row, once for the value and once for the gradient.
    let points = watched.into_inner();
    let taken: Vec<&Vec<f64>> = points
        .windows(2)
        .filter(|w| w[0] == w[1])
        .map(|w| &w[1])
        .collect();
    assert_eq!(taken.len(), solution.iterations);
    let mut checked = 0;
    for w in taken.windows(3) {
        let (g0, g1) = (gradient(w[0]), gradient(w[1]));
        let (mut ss, mut sy) = (0.0, 0.0);
        for i in 0..3 {
            ss += (w[1][i] - w[0][i]).powi(2);
            sy += (w[1][i] - w[0][i]) * (g1[i] - g0[i]);
        }
        let next: Vec<f64> = (0..3).map(|i| w[1][i] - ss / sy * g1[i]).collect();
        // Or it was halved, which is rare.
        checked += usize::from((0..3).all(|i| close(next[i], w[2][i], REORDERED_SUM)));
    }
    assert!(checked + 2 >= taken.len() - 2, "{checked} of {}", taken.len() - 2);
}

#[test]
fn armijo_steps_descend_as_they_promise() {
    let valley = |x: &[f64], g: &mut [f64]| {
        let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
        g.copy_from_slice(&[-2.0 * a - 400.0 * x[0] * b, 200.0 * b]);
        a * a + 100.0 * b * b
    };
    let points = RefCell::new(Vec::new());
    let objective = FnObjective::new(2, |x: &[f64], g: &mut [f64]| {
        points.borrow_mut().push(x.to_vec());
        valley(x, g)
    });
    let armijo = GradientDescent::new()
        .with_learning_rate(LearningRate::Armijo)
        .with_max_iterations(200);
    let solution = armijo.minimize(&objective, &[-1.2, 1.0]).unwrap();
    let points = points.into_inner();
    let taken: Vec<&Vec<f64>> = points
        .windows(2)
        .filter(|w| w[0] == w[1])
        .map(|w| &w[1])
        .collect();
    assert_eq!(taken.len(), 200);
    for w in taken.windows(2) {
        let mut g = [0.0; 2];
        let before = valley(w[0], &mut g);
        let squared = g[0] * g[0] + g[1] * g[1];
        let rate = (w[0][0] - w[1][0]) / g[0];
        assert!(valley(w[1], &mut [0.0; 2]) <= before - 1e-4 * rate * squared + 1e-12);
    }
    // Steps of the curvature of the last one are far ahead in the same budget.
    let solver = GradientDescent::new()
        .with_learning_rate(LearningRate::BarzilaiBorwein)
        .with_max_iterations(200);
    let ahead = solver
        .minimize(&FnObjective::new(2, valley), &[-1.2, 1.0])
        .unwrap();
    assert!(
        ahead.converged() && ahead.value < 1e-3 * solution.value,
        "{ahead:?}"
    );
}

/// A sum that remembers what it was asked for.
struct Watched<'a> {
    loss: &'a dyn FiniteSum,
    asked: RefCell<Asked>,
}

/// Batches and the points at which they were asked for.
type Asked = Vec<(Vec<usize>, Vec<f64>)>;

impl Objective for Watched<'_> {
    fn dim(&self) -> usize {
        self.loss.dim()
    }

    fn value(&self, x: &[f64]) -> f64 {
        self.loss.value(x)
    }
}

impl Differentiable for Watched<'_> {
    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        self.loss.value_and_gradient(x, gradient)
    }
}

impl FiniteSum for Watched<'_> {
    fn terms(&self) -> usize {
        self.loss.terms()
    }

    fn batch_value_and_gradient(&self, terms: &[usize], x: &[f64], gradient: &mut [f64]) -> f64 {
        self.asked.borrow_mut().push((terms.to_vec(), x.to_vec()));
        self.loss.batch_value_and_gradient(terms, x, gradient)
    }
}

/// What one pass in batches of 3 over 10 rows asks for, and where it ends.
fn one_pass(loss: &SquaredLoss<'_>, reduction: VarianceReduction) -> (Asked, Vec<f64>) {
    let watched = Watched {
        loss,
        asked: RefCell::new(Vec::new()),
    };
    let batches = Batches::new(3, 5).with_variance_reduction(reduction);
    let solver = FirstOrder::new(PLAIN, 0.05).with_max_iterations(1);
    let solution = solver.minimize_sum(&watched, &[0.0; 4], &batches).unwrap();
    (watched.asked.into_inner(), solution.x)
}

fn of(loss: &SquaredLoss<'_>, terms: &[usize], x: &[f64]) -> Vec<f64> {
    let mut g = vec![0.0; x.len()];
    loss.batch_value_and_gradient(terms, x, &mut g);
    g
}

#[test]
fn mini_batches_see_every_term_once_a_pass() {
    let (x, y) = regression_table(10, 4, 3);
    let loss = SquaredLoss::new(x.view(), y.view(), 0.1).unwrap();
    let (asked, end) = one_pass(&loss, VarianceReduction::None);
    assert_eq!(
        asked.iter().map(|(terms, _)| terms.len()).collect::<Vec<_>>(),
        [3, 3, 3, 1]
    );
    let mut seen: Vec<usize> = asked.iter().flat_map(|(terms, _)| terms.clone()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    let mut at = vec![0.0; 4];
    for (terms, point) in &asked {
        agree(point, &at);
        let g = of(&loss, terms, &at);
        at.iter_mut().zip(g).for_each(|(x, g)| *x -= 0.05 * g);
    }
    agree(&end, &at);
}

#[test]
fn svrg_follows_the_paper() {
    let (x, y) = regression_table(10, 4, 3);
    let loss = SquaredLoss::new(x.view(), y.view(), 0.1).unwrap();
    let (asked, end) = one_pass(&loss, VarianceReduction::Svrg);
    assert_eq!(asked.len(), 8);
    let mut full = vec![0.0; 4];
    loss.value_and_gradient(&[0.0; 4], &mut full);
    let mut at = vec![0.0; 4];
    for pair in asked.chunks(2) {
        let [(terms, point), (again, anchor)] = pair else {
            unreachable!()
        };
        assert_eq!((terms, anchor), (again, &vec![0.0; 4]));
        agree(point, &at);
        // Four batches drawn alike, of which the last has one term of ten.
        let weight = 4.0 * terms.len() as f64 / 10.0;
        let (here, there) = (of(&loss, terms, &at), of(&loss, terms, anchor));
        for i in 0..4 {
            at[i] -= 0.05 * (weight * (here[i] - there[i]) + full[i]);
        }
    }
    agree(&end, &at);
}

#[test]
fn saga_follows_the_paper() {
    let (x, y) = regression_table(10, 4, 3);
    let loss = SquaredLoss::new(x.view(), y.view(), 0.1).unwrap();
    let (asked, end) = one_pass(&loss, VarianceReduction::Saga);
    assert_eq!(asked.len(), 8);
    let mut table: HashMap<Vec<usize>, Vec<f64>> = asked[..4]
        .iter()
        .map(|(terms, x)| (terms.clone(), of(&loss, terms, x)))
        .collect();
    assert_eq!(table.len(), 4);
    let mut at = vec![0.0; 4];
    for (terms, point) in &asked[4..] {
        agree(point, &at);
        let weight = 4.0 * terms.len() as f64 / 10.0;
        let here = of(&loss, terms, &at);
        let mean = |i: usize| {
            table
                .iter()
                .map(|(t, a)| t.len() as f64 / 10.0 * a[i])
                .sum::<f64>()
        };
        let step: Vec<f64> = (0..4)
            .map(|i| weight * (here[i] - table[terms][i]) + mean(i))
            .collect();
        at.iter_mut().zip(step).for_each(|(x, g)| *x -= 0.05 * g);
        table.insert(terms.clone(), here);
    }
    agree(&end, &at);
}

#[test]
fn variance_reduction_converges_where_plain_batches_do_not() {
    let (x, y) = regression_table(60, 5, 9);
    let loss = SquaredLoss::new(x.view(), y.view(), 0.05).unwrap();
    let direct = ridge_by_elimination(x.view(), y.view(), 0.05);
    let solver = FirstOrder::new(PLAIN, 0.5).with_max_iterations(400);
    let run = |reduction, seed| {
        let batches = Batches::new(4, seed).with_variance_reduction(reduction);
        solver.minimize_sum(&loss, &[0.0; 5], &batches).unwrap()
    };
    for reduction in [VarianceReduction::Svrg, VarianceReduction::Saga] {
        let solution = run(reduction, 1);
        assert!(solution.converged(), "{reduction:?}: {solution:?}");
        let far = |a: &Array1<f64>| a.iter().zip(&solution.x).any(|(a, b)| !close(*a, *b, SOLVED));
        assert!(
            !far(&direct),
            "{reduction:?}: {:?} against {direct:?}",
            solution.x
        );
        assert_eq!(solution, run(reduction, 1));
        assert_ne!(solution.x, run(reduction, 2).x);
    }
    let plain = run(VarianceReduction::None, 1);
    assert!(!plain.converged());
    assert_eq!(plain.value, loss.value(&plain.x));
    assert_eq!(plain.history.len(), plain.iterations + 1);
    // A decaying schedule is the other cure.
    let cooled = solver.with_schedule(Schedule::Cosine {
        steps: 400 * 15,
        end: 0.0,
    });
    let cooled = cooled
        .minimize_sum(&loss, &[0.0; 5], &Batches::new(4, 1))
        .unwrap();
    assert!(cooled.gradient_norm.unwrap() < 0.1 * plain.gradient_norm.unwrap());
}

#[test]
fn bad_settings_and_sums_are_refused() {
    let invalid = |solver: FirstOrder, name: &str| {
        let result = solver.minimize(&FnObjective::new(3, bowl), &START);
        let refused = matches!(result, Err(E::InvalidHyperparameter { name: n, .. }) if n == name);
        assert!(refused, "{name}: {result:?}");
    };
    let solver = FirstOrder::adam(0.1);
    invalid(
        solver.with_schedule(Schedule::Exponential { factor: 0.0 }),
        "factor",
    );
    invalid(
        solver.with_schedule(Schedule::Step {
            every: 0,
            factor: 0.5,
        }),
        "every",
    );
    invalid(
        solver.with_schedule(Schedule::Step {
            every: 1,
            factor: f64::NAN,
        }),
        "factor",
    );
    invalid(
        solver.with_schedule(Schedule::Linear { steps: 0, end: 0.5 }),
        "steps",
    );
    invalid(
        solver.with_schedule(Schedule::Cosine { steps: 5, end: -0.5 }),
        "end",
    );
    invalid(solver.with_clipping(Clipping::Norm(0.0)), "clipping");
    invalid(solver.with_clipping(Clipping::Value(f64::NAN)), "clipping");
    invalid(
        solver.with_averaging(Averaging::Exponential { decay: 1.0 }),
        "decay",
    );
    invalid(FirstOrder::new(Rule::ScheduleFreeSgd { beta: 1.0 }, 0.1), "beta");

    let (x, y) = regression_table(10, 4, 3);
    let loss = SquaredLoss::new(x.view(), y.view(), 0.1).unwrap();
    let batches = Batches::new(3, 5);
    let run = |rate, x0: &[f64]| FirstOrder::new(PLAIN, rate).minimize_sum(&loss, x0, &batches);
    assert!(matches!(run(0.1, &[0.0; 3]), Err(E::DimensionMismatch { .. })));
    assert!(matches!(run(0.1, &[f64::NAN; 4]), Err(E::NonFiniteInput { .. })));
    assert!(matches!(
        run(f64::NAN, &[0.0; 4]),
        Err(E::InvalidHyperparameter { .. })
    ));
    assert!(matches!(run(1e30, &[0.0; 4]), Err(E::Diverged { .. })));
    // A batch larger than the sum is the sum, and none at all is one of one.
    for size in [0, 100, usize::MAX] {
        let solution = FirstOrder::new(PLAIN, 0.1).minimize_sum(&loss, &[0.0; 4], &Batches::new(size, 1));
        assert!(solution.unwrap().value < loss.value(&[0.0; 4]));
    }
}

proptest! {
    #[test]
    fn batches_weighed_by_their_size_make_the_whole(rows in 3usize..20, columns in 1usize..5, seed: u64, size in 1usize..7) {
        let (x, y) = regression_table(rows, columns, seed);
        let labels: Vec<usize> = (0..rows).map(|i| i % 3).collect();
        let truth: Vec<bool> = (0..rows).map(|i| i % 2 == 0).collect();
        let squared = SquaredLoss::new(x.view(), y.view(), 0.3).unwrap();
        let logistic = LogisticLoss::new(x.view(), &truth, 0.3).unwrap();
        let softmax = SoftmaxLoss::new(x.view(), &labels, 0.3).unwrap();
        for sum in [&squared as &dyn FiniteSum, &logistic, &softmax] {
            prop_assert_eq!(sum.terms(), rows);
            let point: Vec<f64> = (0..sum.dim()).map(|i| ((i * 7 + 3) % 5) as f64 - 1.7).collect();
            let order: Vec<usize> = (0..rows).rev().collect();
            let (mut value, mut gradient) = (0.0, vec![0.0; sum.dim()]);
            for batch in order.chunks(size) {
                let mut part = vec![0.0; sum.dim()];
                let weight = batch.len() as f64 / rows as f64;
                value += weight * sum.batch_value_and_gradient(batch, &point, &mut part);
                gradient.iter_mut().zip(part).for_each(|(g, p)| *g += weight * p);
            }
            let mut whole = vec![0.0; sum.dim()];
            prop_assert!(close(value, sum.value_and_gradient(&point, &mut whole), REORDERED_SUM));
            prop_assert!(gradient.iter().zip(&whole).all(|(a, b)| close(*a, *b, REORDERED_SUM)));
        }
    }
}
