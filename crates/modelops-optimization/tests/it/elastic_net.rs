//! The lasso and the elastic net.

use modelops_optimization::{ElasticNet, ElasticNetFit, OptimizationError as E};
use modelops_testkit::optimization::regression_table;
use modelops_testkit::tolerance::{CLOSED_FORM, REORDERED_SUM, SOLVED, close};
use ndarray::{Array1, Array2, array};
use proptest::prelude::*;

fn table(rows: usize, columns: usize) -> (Array2<f64>, Array1<f64>) {
    let x = Array2::from_shape_fn((rows, columns), |(i, j)| {
        ((i * 7 + j * 13 + (i * j) % 5) % 17) as f64 / 17.0 - 0.5 + 0.1 * j as f64
    });
    let y = Array1::from_shape_fn(rows, |i| {
        2.0 * x[[i, 0]] - 1.5 * x[[i, 2]] + 0.3 * (((i * 11) % 13) as f64 / 13.0 - 0.5) + 1.0
    });
    (x, y)
}

/// ‖Xw + b − y‖² / 2n + l1 ‖w‖₁ + (l2 / 2) ‖w‖².
fn loss(x: &Array2<f64>, y: &Array1<f64>, (l1, l2): (f64, f64), w: &Array1<f64>, b: f64) -> f64 {
    let r = x.dot(w) + b - y;
    let penalty = w.iter().map(|w| l1 * w.abs() + 0.5 * l2 * w * w).sum::<f64>();
    0.5 * r.dot(&r) / y.len() as f64 + penalty
}

#[test]
fn coefficients_and_loss_as_scikit_learn() {
    /// Rows, columns, (l1, l2), intercept; the coefficients that are not 0, the intercept, the loss.
    type Case<'a> = (usize, usize, (f64, f64), bool, &'a [(usize, f64)], f64, f64);
    let cases: [Case<'_>; 6] = [
        (
            40,
            6,
            (0.02, 0.0),
            true,
            &[(0, 1.8426943532864815), (2, -1.3105520452176962)],
            0.934924323405009,
            0.07047779961838291,
        ),
        (
            40,
            6,
            (0.01, 0.05),
            true,
            &[
                (0, 1.2120102333881224),
                (1, 0.11236622250249913),
                (2, -0.9160912835588092),
                (3, -0.21525865724913712),
                (4, 0.21168627031456763),
            ],
            0.778198503525075,
            0.12947761571845834,
        ),
        (
            40,
            6,
            (0.02, 0.03),
            false,
            &[
                (0, 1.3373032376694145),
                (1, 0.07032645644492853),
                (2, -0.5189687744038992),
                (4, 0.8742488951899635),
                (5, 0.6058759962150023),
            ],
            0.0,
            0.19649739722947115,
        ),
        (
            12,
            20,
            (0.02, 0.0),
            true,
            &[(0, 1.6310701124224496), (10, -1.1955189625413989)],
            1.8825525273784454,
            0.061980663907942816,
        ),
        (
            12,
            20,
            (0.01, 0.05),
            true,
            &[
                (0, 1.0212008360238698),
                (2, -0.21420779910886126),
                (4, 0.12222107834761627),
                (9, 0.07025523081602597),
                (10, -0.564330940525827),
                (12, 0.01557840930726859),
                (13, 0.22023231205330068),
                (15, -0.04244756721937933),
                (17, 0.17084663344054019),
                (19, -0.2628333542017924),
            ],
            1.1146798691150628,
            0.09739689759697605,
        ),
        (
            12,
            20,
            (0.02, 0.03),
            false,
            &[
                (0, 1.123484454774957),
                (2, -0.23663553800063633),
                (4, 0.01319431498041895),
                (9, 0.09537970004676352),
                (10, -0.5322817128194413),
                (12, 0.053631084208567194),
                (13, 0.2683649938136365),
                (14, 0.05176774495194344),
                (17, 0.39772727459730634),
            ],
            0.0,
            0.11196464431144129,
        ),
    ];
    for (rows, columns, (l1, l2), intercept, expected, b, expected_loss) in cases {
        let (x, y) = table(rows, columns);
        let mut solver = ElasticNet::new(l1, l2).with_tolerance(1e-14);
        if !intercept {
            solver = solver.without_intercept();
        }
        let fit = solver.fit(x.view(), y.view()).unwrap();
        assert!(fit.converged());
        let w = fit.model().coefficients();
        let chosen: Vec<usize> = (0..columns).filter(|j| w[*j] != 0.0).collect();
        assert_eq!(chosen, expected.iter().map(|(j, _)| *j).collect::<Vec<_>>());
        assert!(expected.iter().all(|(j, v)| close(w[*j], *v, SOLVED)), "{w:?}");
        assert!(close(fit.model().intercept(), b, SOLVED));
        assert!(close(fit.loss(), expected_loss, CLOSED_FORM));
    }
}

fn check(x: &Array2<f64>, y: &Array1<f64>, (l1, l2): (f64, f64), fit: &ElasticNetFit) {
    let n = y.len() as f64;
    let w = fit.model().coefficients().to_owned();
    let b = fit.model().intercept();
    assert!(close(fit.loss(), loss(x, y, (l1, l2), &w, b), REORDERED_SUM));
    let r = y - &(x.dot(&w) + b);
    assert!(close(r.sum() / n, 0.0, SOLVED));
    for j in 0..x.ncols() {
        let slope = x.column(j).dot(&r) / n - l2 * w[j];
        if w[j] == 0.0 {
            assert!(slope.abs() <= l1 + SOLVED, "{j}: {slope} {fit:?}");
        } else {
            assert!(close(slope, l1 * w[j].signum(), SOLVED), "{j}: {slope} {fit:?}");
        }
    }
}

proptest! {
    #[test]
    fn the_optimality_conditions_hold(rows in 2usize..60, columns in 1usize..20, seed: u64, l1 in 1e-4f64..0.3, l2 in 0.0f64..0.3, lasso: bool) {
        let (x, y) = regression_table(rows, columns, seed);
        let l2 = if lasso { 0.0 } else { l2 };
        let fit = ElasticNet::new(l1, l2).with_tolerance(1e-14).fit(x.view(), y.view()).unwrap();
        prop_assert!(fit.converged(), "{:?}", fit);
        check(&x, &y, (l1, l2), &fit);
        // The order of the columns does not matter.
        let turned = x.slice(ndarray::s![.., ..;-1]).to_owned();
        let again = ElasticNet::new(l1, l2).with_tolerance(1e-14).fit(turned.view(), y.view()).unwrap();
        prop_assert!(close(again.loss(), fit.loss(), CLOSED_FORM));
    }

    #[test]
    fn no_model_undercuts_the_certificate(rows in 2usize..40, columns in 1usize..30, seed: u64, l1 in 1e-3f64..0.1, l2 in 0.0f64..0.1, passes in 0usize..4) {
        let (x, y) = regression_table(rows, columns, seed);
        let best = ElasticNet::new(l1, l2).with_tolerance(1e-14).fit(x.view(), y.view()).unwrap();
        let early = ElasticNet::new(l1, l2).with_max_iterations(passes).with_tolerance(0.0).fit(x.view(), y.view()).unwrap();
        prop_assert!(early.iterations() <= passes);
        prop_assert!(early.loss() - early.duality_gap() <= best.loss() + REORDERED_SUM);
        prop_assert!(early.loss() >= best.loss() - REORDERED_SUM);
        prop_assert_eq!(early.converged(), early.duality_gap() == 0.0);
    }
}

#[test]
fn extremes_have_answers() {
    let x = array![[1.0, 5.0, 1.0], [2.0, 5.0, 2.0], [4.0, 5.0, 4.0]];
    // A constant target: nothing but the intercept.
    let fit = ElasticNet::new(0.1, 0.0)
        .fit(x.view(), array![7.0, 7.0, 7.0].view())
        .unwrap();
    assert!(fit.converged() && fit.model().coefficients().iter().all(|w| *w == 0.0));
    assert_eq!(
        (fit.model().intercept(), fit.loss(), fit.duality_gap()),
        (7.0, 0.0, 0.0)
    );
    // A constant column gets nothing, twins share or one of them takes it all.
    let y = array![1.0, 2.0, 4.0];
    for l1 in [1e-6, 0.1, 1.0] {
        let fit = ElasticNet::new(l1, 0.0).fit(x.view(), y.view()).unwrap();
        assert!(fit.converged());
        assert_eq!(fit.model().coefficients()[1], 0.0);
    }
    // From the largest slope on all coefficients are 0. The mean of y is 7/3, that of x too.
    let steepest = array![1.0, 2.0, 4.0].mapv(|v: f64| (v - 7.0 / 3.0).powi(2)).sum() / 3.0;
    for (l1, none) in [(steepest * 1.0001, true), (steepest * 0.9999, false)] {
        let fit = ElasticNet::new(l1, 0.0).fit(x.view(), y.view()).unwrap();
        assert_eq!(fit.model().coefficients().iter().all(|w| *w == 0.0), none);
    }
    // One row, and far from zero.
    let fit = ElasticNet::new(0.1, 0.1)
        .fit(array![[3.0, 1.0]].view(), array![5.0].view())
        .unwrap();
    assert_eq!(
        fit.model().predict(array![[9.0, 9.0]].view()).unwrap(),
        array![5.0]
    );
    let far = x.mapv(|v| v + 1e8);
    let fit = ElasticNet::new(0.1, 0.0)
        .with_tolerance(1e-12)
        .fit(far.view(), y.view())
        .unwrap();
    let near = ElasticNet::new(0.1, 0.0)
        .with_tolerance(1e-12)
        .fit(x.view(), y.view())
        .unwrap();
    assert!(close(fit.loss(), near.loss(), SOLVED));
}

#[test]
fn bad_input_is_refused() {
    let (x, y) = (array![[1.0], [2.0]], array![1.0, 2.0]);
    let fit = |l1, l2, x: &Array2<f64>, y: &Array1<f64>| ElasticNet::new(l1, l2).fit(x.view(), y.view());
    for l1 in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            fit(l1, 0.0, &x, &y),
            Err(E::InvalidHyperparameter { name: "l1", .. })
        ));
    }
    for l2 in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            fit(0.1, l2, &x, &y),
            Err(E::InvalidHyperparameter { name: "l2", .. })
        ));
    }
    let negative = ElasticNet::new(0.1, 0.0)
        .with_tolerance(-1.0)
        .fit(x.view(), y.view());
    assert!(matches!(
        negative,
        Err(E::InvalidHyperparameter {
            name: "tolerance",
            ..
        })
    ));
    assert!(matches!(
        fit(0.1, 0.0, &x, &array![1.0]),
        Err(E::DimensionMismatch { .. })
    ));
    assert!(matches!(
        fit(0.1, 0.0, &Array2::zeros((0, 1)), &array![]),
        Err(E::EmptyInput { .. })
    ));
    assert!(matches!(
        fit(0.1, 0.0, &array![[f64::NAN], [1.0]], &y),
        Err(E::NonFiniteInput { .. })
    ));
    assert_eq!(fit(0.1, 0.0, &(x * 1e200), &y).unwrap_err(), E::Singular);
    let wide = Array2::from_elem((2, 3), 1e200);
    assert!(
        fit(0.1, 0.0, &wide, &y).is_ok(),
        "constant columns are centred away"
    );
}
