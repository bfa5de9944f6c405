//! Bad input gives a typed error that names where.

use modelops_linalg::{Cholesky, Eigh, FactorError, Lu, Qr, ShapeMismatch, SolveError, Svd, gemm, syrk};
use ndarray::{Array1, Array2, array};

#[test]
fn shapes_are_checked() {
    let wide = Array2::<f64>::zeros((2, 3));
    let not_square = FactorError::NotSquare { rows: 2, columns: 3 };
    assert_eq!(Cholesky::new(wide.view()).unwrap_err(), not_square);
    assert_eq!(Lu::new(wide.view()).unwrap_err(), not_square);
    assert_eq!(Eigh::new(wide.view()).unwrap_err(), not_square);
    let error = Qr::new(wide.view()).unwrap_err();
    assert_eq!(error, FactorError::TooFewRows { rows: 2, columns: 3 });
    assert_eq!(
        error.to_string(),
        "expected at least as many rows as columns, got 2 rows and 3 columns"
    );

    let eye = Array2::<f64>::eye(2);
    let b = Array1::zeros(3);
    let mismatch = SolveError::RowMismatch {
        expected: 2,
        actual: 3,
    };
    assert_eq!(
        Cholesky::new(eye.view())
            .unwrap()
            .solve_vec(b.view())
            .unwrap_err(),
        mismatch
    );
    assert_eq!(
        Lu::new(eye.view()).unwrap().solve_vec(b.view()).unwrap_err(),
        mismatch
    );
    assert_eq!(
        Qr::new(eye.view())
            .unwrap()
            .least_squares_vec(b.view())
            .unwrap_err(),
        mismatch
    );

    let mut c = Array2::<f64>::zeros((2, 2));
    let error = gemm(1.0, eye.view(), wide.t(), 0.0, c.view_mut()).unwrap_err();
    assert_eq!(
        error,
        ShapeMismatch {
            expected: (2, 2),
            actual: (3, 2)
        }
    );
    let error = gemm(1.0, eye.view(), wide.view(), 0.0, c.view_mut()).unwrap_err();
    assert_eq!(
        error,
        ShapeMismatch {
            expected: (2, 3),
            actual: (2, 2)
        }
    );
    let error = syrk(1.0, wide.t(), 0.0, c.view_mut()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected 3 rows and 3 columns, got 2 rows and 2 columns"
    );
}

#[test]
fn non_finite_input_is_named() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut a = Array2::<f64>::eye(3);
        a[[2, 1]] = bad;
        let error = FactorError::NonFinite { row: 2, column: 1 };
        assert_eq!(Cholesky::new(a.view()).unwrap_err(), error);
        assert_eq!(Lu::new(a.view()).unwrap_err(), error);
        assert_eq!(Qr::new(a.view()).unwrap_err(), error);
        assert_eq!(Eigh::new(a.view()).unwrap_err(), error);
        assert_eq!(Svd::new(a.view()).unwrap_err(), error);
        let factor = Lu::new(Array2::eye(3).view()).unwrap();
        let error = factor.solve(a.view()).unwrap_err();
        assert_eq!(error, SolveError::NonFinite { row: 2, column: 1 });
    }
}

#[test]
fn matrices_that_are_not_positive_definite_name_the_pivot() {
    let zero = Array2::<f64>::zeros((3, 3));
    assert_eq!(
        Cholesky::new(zero.view()).unwrap_err(),
        FactorError::NotPositiveDefinite { pivot: 0 }
    );
    let semidefinite = array![[1.0, 1.0], [1.0, 1.0]];
    assert_eq!(
        Cholesky::new(semidefinite.view()).unwrap_err(),
        FactorError::NotPositiveDefinite { pivot: 1 }
    );
    let indefinite = array![[1.0_f32, 2.0], [2.0, 1.0]];
    assert_eq!(
        Cholesky::new(indefinite.view()).unwrap_err(),
        FactorError::NotPositiveDefinite { pivot: 1 }
    );
}

#[test]
fn singular_matrices_name_the_pivot() {
    let a = array![[1.0, 2.0], [2.0, 4.0]];
    assert_eq!(Lu::new(a.view()).unwrap_err(), FactorError::Singular { pivot: 1 });
    let zero = Array2::zeros((3, 3));
    assert_eq!(
        Lu::new(zero.view()).unwrap_err(),
        FactorError::Singular { pivot: 0 }
    );
}

#[test]
fn dependent_columns_are_refused_by_least_squares_whatever_their_scale() {
    for scale in [1e-150, 1.0, 1e150] {
        let a = array![
            [1.0, 2.0, scale],
            [1.0, 2.0, 0.0],
            [3.0, 6.0, 0.0],
            [0.0, 0.0, scale]
        ];
        let qr = Qr::new(a.view()).unwrap();
        let error = qr.least_squares_vec(Array1::ones(4).view()).unwrap_err();
        assert_eq!(error, SolveError::RankDeficient { column: 1 });
        let alone = array![[scale, 0.0], [0.0, 1.0], [0.0, 0.0]];
        assert!(
            Qr::new(alone.view())
                .unwrap()
                .least_squares_vec(Array1::ones(3).view())
                .is_ok()
        );
    }
    let qr = Qr::new(Array2::zeros((2, 1)).view()).unwrap();
    let error = qr.least_squares_vec(Array1::zeros(2).view()).unwrap_err();
    assert_eq!(error, SolveError::RankDeficient { column: 0 });
}

#[test]
fn a_solution_that_overflows_is_an_error() {
    let tiny = array![[1e-200]];
    let big = array![1e200];
    assert_eq!(
        Lu::new(tiny.view()).unwrap().solve_vec(big.view()).unwrap_err(),
        SolveError::Overflow
    );
    let factor = Cholesky::new(tiny.view()).unwrap();
    assert_eq!(factor.solve_vec(big.view()).unwrap_err(), SolveError::Overflow);
}

#[test]
fn empty_matrices_are_fine() {
    let none = Array2::<f64>::zeros((0, 0));
    let cholesky = Cholesky::new(none.view()).unwrap();
    assert_eq!(cholesky.ln_determinant(), 0.0);
    assert_eq!(cholesky.inverse().unwrap(), none);
    assert_eq!(Lu::new(none.view()).unwrap().inverse().unwrap(), none);
    assert_eq!(Eigh::new(none.view()).unwrap().values().len(), 0);
    let tall = Array2::<f64>::zeros((3, 0));
    let qr = Qr::new(tall.view()).unwrap();
    assert_eq!((qr.q(), qr.r()), (tall.clone(), none.clone()));
    assert_eq!(qr.least_squares_vec(Array1::zeros(3).view()).unwrap().len(), 0);
    let svd = Svd::new(tall.view()).unwrap();
    assert_eq!((svd.u().dim(), svd.v().dim(), svd.rank()), ((3, 0), (0, 0), 0));
    assert_eq!(svd.condition_number(), 1.0);
    let eye = Array2::<f64>::eye(3);
    assert_eq!(Lu::new(eye.view()).unwrap().solve(tall.view()).unwrap(), tall);
    assert_eq!(
        Cholesky::new(eye.view()).unwrap().solve(tall.view()).unwrap(),
        tall
    );
    let mut c = Array2::from_elem((3, 3), 2.0);
    gemm(1.0, tall.view(), tall.t(), 0.5, c.view_mut()).unwrap();
    assert_eq!(c, Array2::<f64>::ones((3, 3)));
    syrk(1.0, tall.view(), 0.0, c.view_mut()).unwrap();
    assert_eq!(c, Array2::<f64>::zeros((3, 3)));
    gemm(1.0, none.view(), none.view(), 0.0, none.clone().view_mut()).unwrap();
}

#[test]
fn public_types_can_be_shared_between_threads() {
    fn check<T: Send + Sync + Clone + std::fmt::Debug + 'static>() {}
    check::<Cholesky<f32>>();
    check::<Cholesky<f64>>();
    check::<Lu>();
    check::<Qr>();
    check::<Eigh>();
    check::<Svd>();
    check::<FactorError>();
    check::<SolveError>();
    check::<ShapeMismatch>();
}
