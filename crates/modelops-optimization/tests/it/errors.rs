//! Bad input gives a typed error that says what to change.

use modelops_optimization::{
    FirstOrder, FnObjective, GradientDescent, LearningRate, LinearRegression, LogisticRegression, Momentum,
    OptimizationError as E, Residuals, RobustLoss, Rule, SoftmaxModel, SoftmaxRegression,
    TrustRegionReflective, check_gradient, gradient_descent,
};
use ndarray::{Array1, Array2, array};

#[test]
fn descent_refuses_bad_tables() {
    let x = array![[1.0], [2.0]];
    let y = array![1.0, 2.0];
    let fit =
        |x: &Array2<f64>, y: &Array1<f64>, rate, steps| gradient_descent(x.view(), y.view(), rate, steps);
    assert_eq!(
        fit(&x, &array![1.0], 0.1, 5),
        Err(E::DimensionMismatch {
            what: "y",
            expected: 2,
            found: 1
        })
    );
    assert_eq!(
        fit(&Array2::zeros((0, 3)), &array![], 0.1, 5),
        Err(E::EmptyInput { what: "x" })
    );
    assert_eq!(
        fit(&Array2::zeros((2, 0)), &y, 0.1, 5),
        Err(E::EmptyInput { what: "x" })
    );
    for steps in [0, 5, 500] {
        let holed = array![[1.0], [f64::NAN]];
        assert_eq!(
            fit(&holed, &y, 0.1, steps),
            Err(E::NonFiniteInput {
                what: "x",
                row: 1,
                column: 0
            })
        );
        let infinite = array![f64::INFINITY, 1.0];
        assert_eq!(
            fit(&x, &infinite, 0.1, steps),
            Err(E::NonFiniteInput {
                what: "y",
                row: 0,
                column: 0
            })
        );
    }
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            fit(&x, &y, rate, 5),
            Err(E::InvalidHyperparameter {
                name: "learning_rate",
                ..
            })
        ));
    }
    // Finite, but their squares are not.
    assert_eq!(
        fit(&(x * 1e200), &(y * 1e200), 0.1, 500),
        Err(E::NonFiniteObjective)
    );
}

#[test]
fn a_zero_table_is_no_trouble() {
    let w = gradient_descent(
        Array2::zeros((3, 2)).view(),
        array![1.0, 2.0, 3.0].view(),
        0.1,
        50,
    )
    .unwrap();
    assert_eq!(w, array![0.0, 0.0]);
    let w = gradient_descent(array![[1.0]].view(), array![0.0].view(), 100.0, 50).unwrap();
    assert_eq!(w, array![0.0]);
}

#[test]
fn solvers_refuse_bad_settings_and_starts() {
    let parabola = FnObjective::new(1, |x, g| {
        g[0] = 2.0 * x[0];
        x[0] * x[0]
    });
    let descent = GradientDescent::new();
    assert_eq!(
        descent.minimize(&parabola, &[1.0, 2.0]),
        Err(E::DimensionMismatch {
            what: "the point",
            expected: 1,
            found: 2
        })
    );
    assert_eq!(
        descent.minimize(&parabola, &[f64::NAN]),
        Err(E::NonFiniteInput {
            what: "the point",
            row: 0,
            column: 0
        })
    );
    let invalid = |result| matches!(result, Err(E::InvalidHyperparameter { .. }));
    assert!(invalid(
        descent
            .with_learning_rate(LearningRate::Fixed(0.0))
            .minimize(&parabola, &[1.0])
    ));
    assert!(invalid(
        descent
            .with_momentum(Momentum::HeavyBall(1.0))
            .minimize(&parabola, &[1.0])
    ));
    assert!(invalid(descent.with_tolerance(-1.0).minimize(&parabola, &[1.0])));
    assert!(invalid(FirstOrder::adam(f64::NAN).minimize(&parabola, &[1.0])));
    let rule = Rule::Adam {
        beta1: 1.0,
        beta2: 0.9,
        epsilon: 1e-8,
    };
    assert!(invalid(FirstOrder::new(rule, 0.1).minimize(&parabola, &[1.0])));
    let nowhere = FnObjective::new(1, |_, g| {
        g[0] = 0.0;
        f64::NAN
    });
    assert_eq!(descent.minimize(&nowhere, &[1.0]), Err(E::NonFiniteObjective));
    assert_eq!(
        FirstOrder::adam(0.1).minimize(&nowhere, &[1.0]),
        Err(E::NonFiniteObjective)
    );
    assert_eq!(check_gradient(&nowhere, &[1.0]), Err(E::NonFiniteObjective));
    let empty = FnObjective::new(0, |_, _| 0.0);
    assert_eq!(
        descent.minimize(&empty, &[]),
        Err(E::EmptyInput { what: "the point" })
    );
}

#[test]
fn a_fixed_step_that_grows_is_an_error_with_a_step_that_works() {
    let parabola = FnObjective::new(1, |x, g| {
        g[0] = 20.0 * x[0];
        10.0 * x[0] * x[0]
    });
    // Curvature 20: anything above 0.1 diverges.
    for momentum in [Momentum::None, Momentum::Nesterov, Momentum::HeavyBall(0.9)] {
        let descent = GradientDescent::new().with_momentum(momentum);
        let result = descent
            .with_learning_rate(LearningRate::Fixed(1.0))
            .minimize(&parabola, &[1.0]);
        let Err(E::Diverged {
            suggested_learning_rate,
            learning_rate: 1.0,
            ..
        }) = result
        else {
            panic!("{momentum:?}: {result:?}");
        };
        let calm = descent.with_learning_rate(LearningRate::Fixed(suggested_learning_rate));
        assert!(calm.minimize(&parabola, &[1.0]).unwrap().converged());
    }
}

#[test]
fn models_refuse_bad_tables() {
    let x = array![[0.0], [1.0]];
    let single = SoftmaxRegression::new().fit(x.view(), &[1, 1]);
    assert_eq!(single.unwrap_err(), E::SingleClass);
    assert_eq!(
        LogisticRegression::new()
            .fit(x.view(), &[true, true])
            .unwrap_err(),
        E::SingleClass
    );
    assert_eq!(
        SoftmaxRegression::new().fit(x.view(), &[1]).unwrap_err(),
        E::DimensionMismatch {
            what: "y",
            expected: 2,
            found: 1
        }
    );
    assert!(matches!(
        LinearRegression::new()
            .with_l2(-1.0)
            .fit(x.view(), array![0.0, 1.0].view()),
        Err(E::InvalidHyperparameter { name: "l2", .. })
    ));
    let model = SoftmaxModel::new(array![[1.0, 2.0], [3.0, 4.0]], array![0.0, 0.0]).unwrap();
    assert_eq!(
        model.predict(x.view()),
        Err(E::DimensionMismatch {
            what: "a row of x",
            expected: 2,
            found: 1
        })
    );
    assert!(SoftmaxModel::new(array![[f64::NAN]], array![0.0]).is_err());
    assert!(SoftmaxModel::new(array![[1.0]], array![0.0, 0.0]).is_err());
    // One row, or as many columns as rows, still has an answer.
    let one = LinearRegression::new()
        .fit(array![[2.0, 1.0]].view(), array![3.0].view())
        .unwrap();
    assert_eq!(one.predict(array![[2.0, 1.0]].view()).unwrap(), array![3.0]);
    // A constant column gets no coefficient.
    let constant = array![[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]];
    let model = LinearRegression::new()
        .fit(constant.view(), array![1.0, 2.0, 3.0].view())
        .unwrap();
    assert_eq!(model.coefficients()[1], 0.0);
}

/// Residuals log x and x − 3 with a hole: no value at or below zero.
struct Logarithm;

impl Residuals for Logarithm {
    fn dim(&self) -> usize {
        1
    }

    fn count(&self) -> usize {
        2
    }

    fn residuals(&self, x: &[f64], residuals: &mut [f64]) {
        residuals.copy_from_slice(&[x[0].ln() - 10.0 * f64::from(x[0] <= 0.0), x[0] - 3.0]);
    }

    fn jacobian(&self, x: &[f64], jacobian: &mut [f64]) {
        jacobian.copy_from_slice(&[x[0].recip(), 1.0]);
    }
}

#[test]
fn bounds_without_room_and_starts_out_of_them_are_refused() {
    let solver = TrustRegionReflective::new();
    let bounded = |lower: &[f64], upper: &[f64], x0: &[f64]| {
        solver.clone().with_bounds(lower, upper).minimize(&Logarithm, x0)
    };
    for (lower, upper) in [
        (1.0, 1.0),
        (2.0, 1.0),
        (f64::NAN, 1.0),
        (0.0, f64::NAN),
        (1.0, 1f64.next_up()),
    ] {
        assert!(
            matches!(
                bounded(&[lower], &[upper], &[1.0]),
                Err(E::InvalidHyperparameter { name: "upper", .. })
            ),
            "{lower} {upper}"
        );
    }
    for x0 in [0.5, 2.5] {
        assert!(matches!(
            bounded(&[1.0], &[2.0], &[x0]),
            Err(E::InvalidHyperparameter { name: "x0", .. })
        ));
    }
    assert_eq!(
        bounded(&[1.0], &[2.0, 3.0], &[1.5]),
        Err(E::DimensionMismatch {
            what: "the upper bounds",
            expected: 1,
            found: 2
        })
    );
    assert!(matches!(
        bounded(&[1.0], &[2.0], &[f64::NAN]),
        Err(E::NonFiniteInput { .. })
    ));
    assert_eq!(solver.minimize(&Logarithm, &[-1.0]), Err(E::NonFiniteObjective));
    for scale in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let result = solver
            .clone()
            .with_loss(RobustLoss::Cauchy { scale })
            .minimize(&Logarithm, &[1.0]);
        assert!(matches!(
            result,
            Err(E::InvalidHyperparameter { name: "scale", .. })
        ));
    }
    assert!(matches!(
        solver
            .clone()
            .with_tolerance(f64::NAN)
            .minimize(&Logarithm, &[1.0]),
        Err(E::InvalidHyperparameter { .. })
    ));
    // Starts on a bound, and one beside a place without a value, are no trouble.
    let solution = bounded(&[0.0], &[10.0], &[1e-9]).unwrap();
    assert!(
        solution.converged() && solution.gradient_norm.unwrap() < 1e-6,
        "{solution:?}"
    );
    for x0 in [0.25, 0.5] {
        let solution = bounded(&[0.25], &[0.5], &[x0]).unwrap();
        assert!((solution.x[0] - 0.5).abs() < 1e-8, "{solution:?}");
    }
}
