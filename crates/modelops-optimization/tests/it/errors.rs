//! Bad input gives a typed error that says what to change.

use modelops_optimization::{
    FirstOrder, FnObjective, GradientDescent, LearningRate, LinearRegression, LogisticRegression, Momentum,
    OptimizationError as E, Rule, SoftmaxModel, SoftmaxRegression, check_gradient, gradient_descent,
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
