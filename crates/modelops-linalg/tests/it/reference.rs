//! Values from elsewhere; `tests/data/README.md` says from where.

use modelops_linalg::{Cholesky, Eigh, Lu, Qr, Svd};
use modelops_testkit::optimization::filip;
use modelops_testkit::tolerance::{BACKWARD_STABLE, HILBERT_6, NIST_FILIP, NIST_LONGLEY, close};
use ndarray::{Array1, Array2, array};

/// The responses, and the rows of predictors.
fn table(text: &str) -> (Array1<f64>, Vec<Vec<f64>>) {
    let mut response = Vec::new();
    let mut rows = Vec::new();
    for line in text.lines().skip(1) {
        let mut numbers = line.split(',').map(|cell| cell.parse().unwrap());
        response.push(numbers.next().unwrap());
        rows.push(numbers.collect());
    }
    (response.into(), rows)
}

fn assert_digits(got: &Array1<f64>, certified: &[f64], tolerance: f64) {
    for (got, want) in got.iter().zip(certified) {
        assert!(
            (got - want).abs() <= tolerance * want.abs(),
            "{got} is not {want}"
        );
    }
}

#[test]
fn longley_by_least_squares() {
    let (y, rows) = table(include_str!("../data/longley.csv"));
    let x = Array2::from_shape_fn((16, 7), |(i, j)| if j == 0 { 1.0 } else { rows[i][j - 1] });
    let certified = [
        -3482258.63459582,
        15.0618722713733,
        -0.358191792925910E-01,
        -2.02022980381683,
        -1.03322686717359,
        -0.511041056535807E-01,
        1829.15146461355,
    ];
    let w = Qr::new(x.view()).unwrap().least_squares_vec(y.view()).unwrap();
    assert_digits(&w, &certified, NIST_LONGLEY);
}

#[test]
fn filip_by_least_squares() {
    let (y, rows) = table(include_str!("../data/filip.csv"));
    let x = Array2::from_shape_fn((82, 11), |(i, j)| rows[i][0].powi(j as i32));
    let w = Qr::new(x.view()).unwrap().least_squares_vec(y.view()).unwrap();
    assert_digits(&w, &filip::CERTIFIED, NIST_FILIP);
}

#[test]
fn the_inverse_of_a_hilbert_matrix_is_whole() {
    let hilbert = Array2::from_shape_fn((6, 6), |(i, j)| 1.0 / (i + j + 1) as f64);
    let exact = array![
        [36.0, -630.0, 3360.0, -7560.0, 7560.0, -2772.0],
        [-630.0, 14700.0, -88200.0, 211680.0, -220500.0, 83160.0],
        [3360.0, -88200.0, 564480.0, -1411200.0, 1512000.0, -582120.0],
        [-7560.0, 211680.0, -1411200.0, 3628800.0, -3969000.0, 1552320.0],
        [7560.0, -220500.0, 1512000.0, -3969000.0, 4410000.0, -1746360.0],
        [-2772.0, 83160.0, -582120.0, 1552320.0, -1746360.0, 698544.0],
    ];
    let by_cholesky = Cholesky::new(hilbert.view()).unwrap().inverse().unwrap();
    let by_lu = Lu::new(hilbert.view()).unwrap().inverse().unwrap();
    for got in [by_cholesky, by_lu] {
        for (got, want) in got.iter().zip(&exact) {
            assert!(
                (got - want).abs() <= HILBERT_6 * want.abs(),
                "{got} is not {want}"
            );
        }
    }
}

#[test]
fn the_eigenvalues_of_the_second_difference_are_cosines() {
    let n = 50;
    let a = Array2::from_shape_fn((n, n), |(i, j)| match i.abs_diff(j) {
        0 => 2.0,
        1 => -1.0,
        _ => 0.0,
    });
    let e = Eigh::new(a.view()).unwrap();
    for (k, &value) in e.values().iter().enumerate() {
        let exact = 2.0 - 2.0 * ((k + 1) as f64 * std::f64::consts::PI / (n + 1) as f64).cos();
        assert!(close(value, exact, BACKWARD_STABLE), "{value} is not {exact}");
    }
    // det = n + 1.
    let determinant = Cholesky::new(a.view()).unwrap().ln_determinant();
    assert!(close(determinant, 51.0_f64.ln(), BACKWARD_STABLE));
}

#[test]
fn lauchlis_small_singular_values_survive() {
    // Its Gram matrix rounds to a singular one: whoever squares loses ε.
    let tiny = 1e-9;
    let n = 4;
    let a = Array2::from_shape_fn((n + 1, n), |(i, j)| match (i, j) {
        (0, _) => 1.0,
        (i, j) if i == j + 1 => tiny,
        _ => 0.0,
    });
    let svd = Svd::new(a.view()).unwrap();
    assert!(close(
        svd.values()[0],
        (n as f64 + tiny * tiny).sqrt(),
        BACKWARD_STABLE
    ));
    for &s in svd.values().iter().skip(1) {
        assert!((s - tiny).abs() <= BACKWARD_STABLE, "{s}");
    }
    assert_eq!(svd.rank(), n);
    let deficient = array![[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]];
    assert_eq!(Svd::new(deficient.view()).unwrap().rank(), 1);
}
