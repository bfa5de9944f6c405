//! The nonlinear regression sets of the NIST Statistical Reference Datasets: models, and a reader of the published files.

use std::fs;
use std::path::Path;

use super::dual::{Dual, jacobian};

/// One data set.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Its name.
    pub name: &'static str,
    /// The two starting points.
    pub starts: [Vec<f64>; 2],
    /// The certified parameters.
    pub certified: Vec<f64>,
    y: Vec<f64>,
    x: Vec<Vec<f64>>,
    model: Model,
}

type Model = fn(&[Dual], &[f64]) -> Dual;

impl Dataset {
    /// The number of observations.
    #[must_use]
    pub fn len(&self) -> usize {
        self.y.len()
    }

    /// Whether there are no observations.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.y.is_empty()
    }

    /// Model less observation, and the derivatives by the parameters, observation by observation.
    #[must_use]
    pub fn residuals_and_jacobian(&self, b: &[f64]) -> (Vec<f64>, Vec<f64>) {
        jacobian(
            |b| {
                self.x
                    .iter()
                    .zip(&self.y)
                    .map(|(x, y)| (self.model)(b, x) - *y)
                    .collect()
            },
            b,
        )
    }

    /// The digits in which `b` agrees with the certified parameters, the fewest of them; at most 11.
    #[must_use]
    pub fn digits(&self, b: &[f64]) -> f64 {
        let digits = b
            .iter()
            .zip(&self.certified)
            .map(|(b, c)| -((b - c) / c).abs().log10());
        digits.fold(
            11.0,
            |fewest, d| if d < fewest || d.is_nan() { d } else { fewest },
        )
    }
}

/// Reads all sets from the folder of `.dat` files.
///
/// # Panics
///
/// Where a file is missing or not laid out as published.
#[must_use]
pub fn datasets(folder: &Path) -> Vec<Dataset> {
    MODELS
        .iter()
        .map(|(name, model)| read(folder, name, *model))
        .collect()
}

fn read(folder: &Path, name: &'static str, model: Model) -> Dataset {
    let text = fs::read_to_string(folder.join(format!("{name}.dat"))).expect("the set is in the folder");
    let mut starts = [Vec::new(), Vec::new()];
    let mut certified = Vec::new();
    let (mut y, mut x) = (Vec::new(), Vec::new());
    let mut in_data = false;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.first().is_some_and(|w| w.starts_with('b')) && words.get(1) == Some(&"=") {
            let number = |k: usize| {
                words[k]
                    .parse::<f64>()
                    .expect("a number in the table of parameters")
            };
            starts[0].push(number(2));
            starts[1].push(number(3));
            certified.push(number(4));
        } else if words.first() == Some(&"Data:")
            && words.get(1).is_some_and(|w| *w == "y" || w.starts_with("log["))
        {
            in_data = true;
        } else if in_data && !words.is_empty() {
            let row: Vec<f64> = words
                .iter()
                .map(|w| w.parse().expect("a row of numbers"))
                .collect();
            // Nelson's response is modelled through its logarithm.
            y.push(if name == "Nelson" { row[0].ln() } else { row[0] });
            x.push(row[1..].to_vec());
        }
    }
    Dataset {
        name,
        starts,
        certified,
        y,
        x,
        model,
    }
}

fn exponentials(b: &[Dual], x: f64) -> Dual {
    b.chunks_exact(2).map(|p| p[0] * (p[1] * -x).exp()).sum()
}

fn two_bells(b: &[Dual], x: &[f64]) -> Dual {
    let bell = |k: usize| b[k] * (-((-b[k + 1] + x[0]) / b[k + 2]).powi(2)).exp();
    b[0] * (b[1] * -x[0]).exp() + bell(2) + bell(5)
}

fn polynomial(b: &[Dual], x: f64) -> Dual {
    b.iter().rev().fold(Dual::constant(0.0), |sum, b| sum * x + *b)
}

/// (b₁ + b₂ x + …) / (1 + b x + …), the numerator with one coefficient more.
fn rational(b: &[Dual], x: &[f64]) -> Dual {
    let (top, bottom) = b.split_at(b.len() / 2 + 1);
    polynomial(top, x[0]) / (polynomial(bottom, x[0]) * x[0] + 1.0)
}

fn constant(value: f64) -> Dual {
    Dual::constant(value)
}

const MODELS: &[(&str, Model)] = &[
    ("Bennett5", |b, x| b[0] * (b[1] + x[0]).pow(constant(-1.0) / b[2])),
    ("BoxBOD", |b, x| b[0] * (-(b[1] * -x[0]).exp() + 1.0)),
    ("Chwirut1", |b, x| (b[0] * -x[0]).exp() / (b[1] + b[2] * x[0])),
    ("Chwirut2", |b, x| (b[0] * -x[0]).exp() / (b[1] + b[2] * x[0])),
    ("DanWood", |b, x| b[0] * constant(x[0]).pow(b[1])),
    ("ENSO", |b, x| {
        let turn = 2.0 * std::f64::consts::PI * x[0];
        let wave = |period: Dual, c: Dual, s: Dual| {
            let angle = constant(turn) / period;
            c * angle.cos() + s * angle.sin()
        };
        b[0] + wave(constant(12.0), b[1], b[2]) + wave(b[3], b[4], b[5]) + wave(b[6], b[7], b[8])
    }),
    ("Eckerle4", |b, x| {
        b[0] / b[1] * (((-b[2] + x[0]) / b[1]).powi(2) * -0.5).exp()
    }),
    ("Gauss1", two_bells),
    ("Gauss2", two_bells),
    ("Gauss3", two_bells),
    ("Hahn1", rational),
    ("Kirby2", rational),
    ("Lanczos1", |b, x| exponentials(b, x[0])),
    ("Lanczos2", |b, x| exponentials(b, x[0])),
    ("Lanczos3", |b, x| exponentials(b, x[0])),
    ("MGH09", |b, x| {
        b[0] * (b[1] * x[0] + x[0] * x[0]) / (b[2] * x[0] + b[3] + x[0] * x[0])
    }),
    ("MGH10", |b, x| b[0] * (b[1] / (b[2] + x[0])).exp()),
    ("MGH17", |b, x| {
        b[0] + b[1] * (b[3] * -x[0]).exp() + b[2] * (b[4] * -x[0]).exp()
    }),
    ("Misra1a", |b, x| b[0] * (-(b[1] * -x[0]).exp() + 1.0)),
    ("Misra1b", |b, x| {
        b[0] * (-(b[1] * x[0] / 2.0 + 1.0).powi(-2) + 1.0)
    }),
    ("Misra1c", |b, x| {
        b[0] * (-constant(1.0) / (b[1] * (2.0 * x[0]) + 1.0).sqrt() + 1.0)
    }),
    ("Misra1d", |b, x| b[0] * b[1] * x[0] / (b[1] * x[0] + 1.0)),
    ("Nelson", |b, x| b[0] - b[1] * x[0] * (b[2] * -x[1]).exp()),
    ("Rat42", |b, x| b[0] / ((b[1] - b[2] * x[0]).exp() + 1.0)),
    ("Rat43", |b, x| {
        b[0] / ((b[1] - b[2] * x[0]).exp() + 1.0).pow(constant(1.0) / b[3])
    }),
    ("Roszman1", |b, x| {
        // The two-argument form is not needed: x < b₄ on this set, where the plain quotient has the right branch.
        b[0] - b[1] * x[0] - (b[2] / (-b[3] + x[0])).atan() / std::f64::consts::PI
    }),
    ("Thurber", rational),
];
