//! Laws of gradient descent that finds its own step.

use modelops_optimization::{
    LinearModel, LinearRegression, OptimizationError as E, Termination, automatic_descent, gradient_descent,
};
use modelops_testkit::optimization::filip;
use modelops_testkit::tolerance::LEAST_LOSS;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, array};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn loss(model: &LinearModel, x: ArrayView2<'_, f64>, y: ArrayView1<'_, f64>) -> f64 {
    let residuals = model.predict(x).unwrap() - y;
    residuals.dot(&residuals) / (2 * y.len()) as f64
}

/// A table whose columns have units and offsets of their own, and noisy targets.
fn with_units(rows: usize, columns: usize, seed: u64, decades: f64) -> (Array2<f64>, Array1<f64>) {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = || generator.random::<f64>() - 0.5;
    let units: Vec<f64> = (0..columns).map(|_| 10f64.powf(2.0 * decades * draw())).collect();
    let offsets: Vec<f64> = units.iter().map(|unit| 5.0 * unit * draw()).collect();
    let x = Array2::from_shape_fn((rows, columns), |(_, j)| offsets[j] + units[j] * draw());
    let slopes: Vec<f64> = units.iter().map(|unit| draw() / unit).collect();
    let y = x
        .rows()
        .into_iter()
        .map(|row| 100.0 + row.iter().zip(&slopes).map(|(x, w)| x * w).sum::<f64>() + draw())
        .collect();
    (x, y)
}

proptest! {
    #[test]
    fn it_reaches_the_loss_of_the_factorization(columns in 1usize..9, more in 2usize..40, seed: u64, decades in 0.0f64..6.0) {
        let (x, y) = with_units(2 * columns + more, columns, seed, decades);
        let (x, y) = (x.view(), y.view());
        let fit = automatic_descent(x, y, 100_000).unwrap();
        prop_assert!(fit.solution().converged(), "{:?}", fit.solution().termination);
        let least = loss(&LinearRegression::new().fit(x, y).unwrap(), x, y);
        let found = loss(fit.model(), x, y);
        prop_assert!(found <= least * (1.0 + LEAST_LOSS), "{found:e} and {least:e}");
    }
}

/// The textbook rate explodes on tables with units, each time with an error, and the automatic step has an answer for each.
#[test]
fn where_the_textbook_diverges_it_has_an_answer() {
    let mut diverged = 0;
    for seed in 0..20 {
        let (x, y) = with_units(50, 6, seed, 3.0);
        match gradient_descent(x.view(), y.view(), 0.01, 1000) {
            Err(E::Diverged {
                iteration,
                suggested_learning_rate: rate,
                ..
            }) => {
                diverged += 1;
                assert!(iteration < 120);
                assert!(gradient_descent(x.view(), y.view(), rate, 1000).is_ok());
            }
            other => assert!(other.unwrap().iter().all(|w| w.is_finite())),
        }
        let fit = automatic_descent(x.view(), y.view(), 100_000).unwrap();
        assert_eq!(fit.solution().termination, Termination::GradientTolerance);
        let history = &fit.solution().history;
        assert!(history.iter().all(|v| v.is_finite()) && history[0] <= 0.5 + 1e-9);
    }
    assert!(diverged > 10, "{diverged} of 20");
}

#[test]
fn a_budget_that_is_spent_is_told() {
    // Powers of x up to the tenth: nearly dependent.
    let (x, y) = filip::table();
    let fit = automatic_descent(x.view(), y.view(), 500).unwrap();
    assert_eq!(fit.solution().termination, Termination::MaxIterations);
    assert!(fit.solution().value < fit.solution().history[0]);
    let none = automatic_descent(x.view(), y.view(), 0).unwrap();
    assert!(none.model().coefficients().iter().all(|w| *w == 0.0));
    assert_eq!(none.model().intercept(), y.mean().unwrap());
}

#[test]
fn odd_tables_have_answers_and_bad_ones_errors() {
    let fit = |x: &Array2<f64>, y: &Array1<f64>| automatic_descent(x.view(), y.view(), 10_000);
    // One row; constant columns; constant targets; the same column twice; more columns than rows.
    let one = fit(&array![[2.0, 1.0]], &array![3.0]).unwrap().into_model();
    assert_eq!((one.intercept(), one.coefficients()[0]), (3.0, 0.0));
    let constant = fit(
        &array![[1.0, 0.1], [2.0, 0.1], [4.0, 0.1]],
        &array![2.0, 4.0, 8.0],
    )
    .unwrap();
    let slopes = constant.model().coefficients();
    assert!((slopes[0] - 2.0).abs() < LEAST_LOSS && slopes[1] == 0.0);
    let flat = fit(&array![[1.0], [2.0]], &array![7.0, 7.0]).unwrap();
    assert_eq!(
        (flat.model().intercept(), flat.model().coefficients()[0]),
        (7.0, 0.0)
    );
    let twice = fit(&array![[1.0, 1.0], [2.0, 2.0]], &array![1.0, 3.0]).unwrap();
    assert!(
        twice
            .model()
            .coefficients()
            .iter()
            .all(|w| (w - 1.0).abs() < LEAST_LOSS)
    );
    let (x, y) = with_units(5, 12, 1, 1.0);
    let wide = fit(&x, &y).unwrap();
    assert!(loss(wide.model(), x.view(), y.view()) < LEAST_LOSS);
    // The smallest and the largest numbers whose differences exist.
    for scale in [1e-300, 1e-150, 1e150, 1e300] {
        let x = array![[0.0], [1.0], [2.0]] * scale;
        let line = fit(&x, &array![1.0, 3.0, 5.0]).unwrap().into_model();
        assert!(
            (line.coefficients()[0] * scale - 2.0).abs() < LEAST_LOSS,
            "{scale:e}"
        );
        let line = fit(&array![[0.0], [1.0], [2.0]], &(array![1.0, 3.0, 5.0] * scale)).unwrap();
        assert!(
            (line.model().coefficients()[0] / scale - 2.0).abs() < LEAST_LOSS,
            "{scale:e}"
        );
    }
    let huge = array![[f64::MAX], [-f64::MAX], [f64::MAX]];
    assert_eq!(fit(&huge, &array![1.0, 2.0, 3.0]), Err(E::Singular));
    assert_eq!(
        fit(&array![[1e-300], [2e-300]], &array![1e300, -1e300]),
        Err(E::Singular)
    );
    assert_eq!(
        fit(&Array2::zeros((0, 1)), &array![]),
        Err(E::EmptyInput { what: "x" })
    );
    assert_eq!(
        fit(&Array2::zeros((2, 0)), &array![1.0, 2.0]),
        Err(E::EmptyInput { what: "x" })
    );
    assert!(matches!(
        fit(&array![[1.0]], &array![1.0, 2.0]),
        Err(E::DimensionMismatch { what: "y", .. })
    ));
    for bad in [f64::NAN, f64::INFINITY] {
        assert!(matches!(
            fit(&array![[1.0], [bad]], &array![1.0, 2.0]),
            Err(E::NonFiniteInput {
                what: "x",
                row: 1,
                ..
            })
        ));
        assert!(matches!(
            fit(&array![[1.0], [2.0]], &array![1.0, bad]),
            Err(E::NonFiniteInput {
                what: "y",
                row: 1,
                ..
            })
        ));
    }
}
