//! Values from elsewhere; their origin is in tests/data/README.md.

use modelops_optimization::{
    Differentiable, FirstOrder, FnObjective, GradientDescent, LinearRegression, LogisticRegression, Momentum,
    Residuals, RobustLoss, Rule, SoftmaxRegression, TrustRegionReflective,
};
use modelops_testkit::optimization::filip;
use modelops_testkit::tolerance::{CLOSED_FORM, NIST_FILIP_DIGITS, REORDERED_SUM, SOLVED, close};
use ndarray::{Array1, Array2};

fn table() -> Array2<f64> {
    Array2::from_shape_fn((12, 3), |(i, j)| {
        ((i * 7 + j * 3) % 11) as f64 - 5.0 + 0.25 * ((i * j) % 3) as f64
    })
}

fn targets() -> Array1<f64> {
    Array1::from_shape_fn(12, |i| ((i * 5) % 7) as f64 - 2.5 + 0.5 * i as f64)
}

fn agree(ours: impl IntoIterator<Item = f64>, theirs: &[f64], tolerance: f64) {
    let ours: Vec<f64> = ours.into_iter().collect();
    assert_eq!(ours.len(), theirs.len());
    for (a, b) in ours.iter().zip(theirs) {
        assert!(close(*a, *b, tolerance), "{ours:?} against {theirs:?}");
    }
}

#[test]
fn filip_by_least_squares() {
    let (x, y) = filip::table();
    let model = LinearRegression::new().fit(x.view(), y.view()).unwrap();
    let digits = filip::digits(model.intercept(), &model.coefficients().to_vec());
    assert!(digits >= NIST_FILIP_DIGITS, "{digits} digits");
}

#[test]
fn least_squares_and_ridge_as_scikit_learn() {
    let (x, y) = (table(), targets());
    let plain = LinearRegression::new().fit(x.view(), y.view()).unwrap();
    let coefficients = [-0.21633530312452018, -0.00336443460782235, -0.07304757010097535];
    agree(plain.coefficients().to_vec(), &coefficients, REORDERED_SUM);
    agree([plain.intercept()], &[3.1844898499490935], REORDERED_SUM);
    let ridge = LinearRegression::new()
        .with_l2(3.0 / 12.0)
        .fit(x.view(), y.view())
        .unwrap();
    let coefficients = [-0.2083793207190086, -0.00139515426681486, -0.06652592276274542];
    agree(ridge.coefficients().to_vec(), &coefficients, REORDERED_SUM);
    agree([ridge.intercept()], &[3.185466853476896], REORDERED_SUM);
}

#[test]
fn logistic_and_softmax_as_scikit_learn() {
    let x = table();
    let solver = GradientDescent::new()
        .with_momentum(Momentum::Nesterov)
        .with_max_iterations(100_000)
        .with_tolerance(1e-12);
    let l2 = 1.0 / (0.5 * 12.0);
    let truth: Vec<bool> = (0..12).map(|i| (i * 5) % 7 > 2).collect();
    let model = LogisticRegression::new()
        .with_l2(l2)
        .with_solver(solver)
        .fit(x.view(), &truth)
        .unwrap();
    let coefficients = [-0.1594020924803869, 0.09858967488769822, -0.0486719253918266];
    agree(model.coefficients().to_vec(), &coefficients, SOLVED);
    agree([model.intercept()], &[0.29043362937777145], SOLVED);

    let labels: Vec<usize> = (0..12).map(|i| (i * i + i / 3) % 3).collect();
    let fit = SoftmaxRegression::new()
        .with_l2(l2)
        .with_solver(solver)
        .fit(x.view(), &labels)
        .unwrap();
    let coefficients = [
        -0.30195309282918514,
        -0.24269413219782096,
        -0.4091493600007078,
        0.1982487027382908,
        0.18434567370574084,
        0.3519396206726539,
        0.1037043900908944,
        0.0583484584920801,
        0.05720973932805377,
    ];
    agree(fit.model().coefficients().iter().copied(), &coefficients, SOLVED);
    let probabilities = fit.model().predict_probability(x.view()).unwrap();
    agree(
        probabilities.row(0).to_vec(),
        &[0.7807912401551655, 0.10189198225639712, 0.1173167775884374],
        SOLVED,
    );
}

#[test]
fn every_rule_takes_the_steps_of_its_paper() {
    let bowl = FnObjective::new(2, |x, g| {
        g[0] = 2.0 * x[0];
        g[1] = 20.0 * x[1];
        x[0] * x[0] + 10.0 * x[1] * x[1]
    });
    let (beta1, beta2, epsilon) = (0.9, 0.999, 1e-8);
    let traces: [(Rule, f64, usize, [f64; 2]); 9] = [
        (
            Rule::Sgd {
                momentum: 0.9,
                nesterov: false,
            },
            0.01,
            10,
            [0.30711976110115324, 0.0043998706],
        ),
        (
            Rule::Sgd {
                momentum: 0.9,
                nesterov: true,
            },
            0.01,
            10,
            [0.26314859347806036, 0.05136073566290182],
        ),
        (
            Rule::AdaGrad { epsilon },
            0.1,
            10,
            [0.5537312016009917, 0.5537312004775913],
        ),
        (
            Rule::RmsProp { decay: 0.9, epsilon },
            0.1,
            10,
            [0.032117081216015184, 0.03211707872482441],
        ),
        (
            Rule::Adam {
                beta1,
                beta2,
                epsilon,
            },
            0.1,
            10,
            [0.0762491556069111, 0.07624915109535246],
        ),
        (
            Rule::AdamW {
                beta1,
                beta2,
                epsilon,
                weight_decay: 0.01,
            },
            0.1,
            10,
            [0.07169549708798548, 0.07169549260006543],
        ),
        (
            Rule::AmsGrad {
                beta1,
                beta2,
                epsilon,
            },
            0.1,
            30,
            [-0.033985929481835396, -0.03398592479191198],
        ),
        (
            Rule::NAdam {
                beta1,
                beta2,
                epsilon,
            },
            0.1,
            10,
            [0.06136409454360429, 0.061364090320584604],
        ),
        (
            Rule::Lion {
                beta1,
                beta2: 0.99,
                weight_decay: 0.1,
            },
            0.03,
            10,
            [0.6744195464380851, 0.6744195464380851],
        ),
    ];
    for (rule, rate, steps, expected) in traces {
        let path = std::cell::RefCell::new(Vec::new());
        let watched = FnObjective::new(2, |x, g| {
            path.borrow_mut().push(x.to_vec());
            bowl.value_and_gradient(x, g)
        });
        FirstOrder::new(rule, rate)
            .with_max_iterations(steps)
            .with_tolerance(0.0)
            .minimize(&watched, &[1.0, 1.0])
            .unwrap();
        // The solution is the best point; the trace is about the last.
        agree(path.borrow().last().unwrap().clone(), &expected, REORDERED_SUM);
    }
}

/// a exp(−b t) + c through twelve points, two of them far off.
struct Decay;

impl Residuals for Decay {
    fn dim(&self) -> usize {
        3
    }

    fn count(&self) -> usize {
        12
    }

    fn residuals(&self, x: &[f64], residuals: &mut [f64]) {
        for (i, r) in residuals.iter_mut().enumerate() {
            let t = 0.5 * i as f64;
            let outlier = match i {
                3 => 2.0,
                8 => -1.5,
                _ => 0.0,
            };
            let noise = (((i * 7) % 5) as f64 - 2.0) * 0.03;
            let y = noise + 2.5 * (-0.8 * t).exp() + 0.4 + outlier;
            *r = x[0] * (-x[1] * t).exp() + x[2] - y;
        }
    }

    fn jacobian(&self, x: &[f64], jacobian: &mut [f64]) {
        for (i, row) in jacobian.chunks_exact_mut(3).enumerate() {
            let t = 0.5 * i as f64;
            let e = (-x[1] * t).exp();
            row.copy_from_slice(&[e, -x[0] * t * e, 1.0]);
        }
    }
}

#[test]
fn bounds_and_robust_losses_as_scipy() {
    /// Loss, bounds, start, and SciPy's minimiser and cost.
    type Case = (RobustLoss, ([f64; 3], [f64; 3]), [f64; 3], [f64; 3], f64);
    const FREE: f64 = f64::INFINITY;
    let squares = RobustLoss::Squares;
    let soft = RobustLoss::SoftL1 { scale: 0.1 };
    let huber = RobustLoss::Huber { scale: 0.1 };
    let cauchy = RobustLoss::Cauchy { scale: 0.1 };
    let free = ([-FREE; 3], [FREE; 3]);
    let cases: [Case; 8] = [
        (
            squares,
            free,
            [1.0, 1.0, 0.2],
            [3.4080697874725026, 0.34117290752238216, -0.5137052948226098],
            2.570656682583292,
        ),
        (
            soft,
            free,
            [1.0, 1.0, 0.2],
            [2.5122336690340146, 0.6898292256343346, 0.3247240515045802],
            0.3316791162660959,
        ),
        (
            huber,
            free,
            [1.0, 1.0, 0.2],
            [2.5078005465788595, 0.6983920559599365, 0.3319445735288243],
            0.3421065503020592,
        ),
        (
            cauchy,
            free,
            [1.0, 1.0, 0.2],
            [2.4719633660336546, 0.7387282989047091, 0.37256513546391895],
            0.0632247853103529,
        ),
        (
            squares,
            ([0.0, 0.9, 0.0], [2.0, 3.0, FREE]),
            [1.0, 1.0, 0.2],
            [2.0, 0.9, 0.6055366839304906],
            3.5594243931484044,
        ),
        (
            soft,
            ([-FREE, 0.9, 0.0], [2.0, FREE, 0.3]),
            [1.0, 1.0, 0.2],
            [2.0, 0.9, 0.3],
            0.5476544058037132,
        ),
        (
            huber,
            ([0.0, 0.0, 0.45], [10.0, 0.7, 5.0]),
            [1.0, 0.5, 1.0],
            [2.332168824457897, 0.7, 0.45],
            0.3754112571324128,
        ),
        (
            cauchy,
            ([0.0, 0.0, 0.45], [2.2, 5.0, 5.0]),
            [1.0, 0.5, 1.0],
            [2.2, 0.7575798270098949, 0.45],
            0.08353600862870414,
        ),
    ];
    for (loss, (lower, upper), start, x, value) in cases {
        let solution = TrustRegionReflective::new()
            .with_bounds(&lower, &upper)
            .with_loss(loss)
            .with_tolerance(1e-14)
            .minimize(&Decay, &start)
            .unwrap();
        assert!(solution.converged(), "{loss:?}: {solution:?}");
        agree(solution.x, &x, SOLVED);
        agree([solution.value], &[value], CLOSED_FORM);
    }
}
