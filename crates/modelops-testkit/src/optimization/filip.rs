//! Filippelli's data of the NIST Statistical Reference Datasets, linear regression: a polynomial of degree 10 through 82 points.

use ndarray::{Array1, Array2};

/// The certified coefficients, that of x⁰ first.
pub const CERTIFIED: [f64; 11] = [
    -1467.48961422980,
    -2772.17959193342,
    -2316.37108160893,
    -1127.97394098372,
    -354.478233703349,
    -75.1242017393757,
    -10.8753180355343,
    -1.06221498588947,
    -0.670191154593408E-01,
    -0.246781078275479E-02,
    -0.402962525080404E-04,
];

/// The powers x¹ to x¹⁰ as columns, and the responses.
///
/// # Panics
///
/// Never, as the file is part of the workspace.
#[must_use]
pub fn table() -> (Array2<f64>, Array1<f64>) {
    let text = include_str!("../../../modelops-linalg/tests/data/filip.csv");
    let number = |cell: &str| cell.parse::<f64>().expect("a table of numbers");
    let rows: Vec<(f64, f64)> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(','))
        .map(|(y, x)| (number(y), number(x)))
        .collect();
    let x = Array2::from_shape_fn((rows.len(), 10), |(i, j)| rows[i].1.powi(j as i32 + 1));
    (x, rows.iter().map(|(y, _)| *y).collect())
}

/// The digits in which an intercept and the coefficients of the powers agree with the certified ones, the fewest of them.
#[must_use]
pub fn digits(intercept: f64, coefficients: &[f64]) -> f64 {
    let found = std::iter::once(&intercept).chain(coefficients);
    found
        .zip(&CERTIFIED)
        .map(|(found, right)| -((found - right) / right).abs().log10())
        .fold(f64::INFINITY, f64::min)
}
