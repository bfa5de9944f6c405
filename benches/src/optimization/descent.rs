//! Gradient descent on real tables in their own units: the textbook rate explodes on them, and the automatic step does not.

use std::path::PathBuf;

use modelops_benches::{Better, Comparison, workspace_root};
use modelops_optimization::{OptimizationError, automatic_descent, gradient_descent};
use ndarray::{Array1, Array2};
use serde::Deserialize;

use crate::{NUMPY, SCIKIT};

/// A table as `raw_tables.py` writes it, and the least loss ‖Xw + b − y‖² / 2n of any line through it.
#[derive(Deserialize)]
struct Raw {
    name: String,
    columns: usize,
    x: Vec<f64>,
    y: Vec<f64>,
    least: f64,
}

impl Raw {
    fn table(&self) -> (Array2<f64>, Array1<f64>) {
        let x = Array2::from_shape_vec((self.y.len(), self.columns), self.x.clone());
        (x.expect("whole rows"), Array1::from(self.y.clone()))
    }
}

fn file() -> PathBuf {
    let folder = workspace_root().join("target/compare/optimization");
    std::fs::create_dir_all(&folder).expect("a writable target folder");
    folder.join("raw.json")
}

/// What the script of the peer wrote, which starts first; nothing where it could not be run.
fn tables() -> Vec<Raw> {
    std::fs::read(file()).map_or_else(
        |_| Vec::new(),
        |bytes| serde_json::from_slice(&bytes).expect("the tables as the peer writes them"),
    )
}

pub(crate) fn run(comparison: &mut Comparison) {
    let path = file();
    let path = path.to_string_lossy();
    comparison
        .case("1000 steps of 0.01 on raw diabetes, breast cancer and wine")
        .ours(|| {
            let (mut silent, mut told) = (0, 0);
            for raw in tables().iter().take(3) {
                match outcome(raw) {
                    Outcome::Silent => silent += 1,
                    Outcome::Told => told += 1,
                    Outcome::Answer => {}
                }
            }
            vec![f64::from(silent), f64::from(told)]
        })
        .python(NUMPY, "raw_tables.py", &[&path, "textbook"])
        .rounds(1)
        .cold()
        .without_times()
        .value(
            "answers of NaN or infinity",
            "of 3",
            Better::Lower,
            |out: &Vec<f64>| out[0],
        )
        .value(
            "errors before step 120 with a rate that converges",
            "of 3",
            Better::Higher,
            |out| out[1],
        )
        .run();
    comparison
        .case("automatic descent on 23 tables")
        .ours(|| {
            let reached = tables().iter().filter(|raw| reaches_the_least_loss(raw)).count();
            vec![reached as f64]
        })
        .python(
            &format!("{SCIKIT}, Ridge by SAG, standardised"),
            "raw_tables.py",
            &[&path, "sag"],
        )
        .rounds(1)
        .cold()
        .without_times()
        .value(
            "tables within 1e-8 of the least loss",
            "of 23",
            Better::Higher,
            |out: &Vec<f64>| out[0],
        )
        .run();
}

enum Outcome {
    Answer,
    /// NaN or an infinity for an answer.
    Silent,
    /// A typed error before step 120, whose rate keeps the loss falling for ten times as many steps.
    Told,
}

fn outcome(raw: &Raw) -> Outcome {
    let (x, y) = raw.table();
    match gradient_descent(x.view(), y.view(), 0.01, 1000) {
        Ok(w) if w.iter().all(|w| w.is_finite()) => Outcome::Answer,
        Err(OptimizationError::Diverged {
            iteration: 0..120,
            suggested_learning_rate: rate,
            ..
        }) if gradient_descent(x.view(), y.view(), rate, 10_000).is_ok() => Outcome::Told,
        _ => Outcome::Silent,
    }
}

fn reaches_the_least_loss(raw: &Raw) -> bool {
    let (x, y) = raw.table();
    let fit = match automatic_descent(x.view(), y.view(), 200_000) {
        Ok(fit) => fit,
        Err(error) => {
            eprintln!("{}: {error}", raw.name);
            return false;
        }
    };
    let line = fit.model().predict(x.view()).expect("the same columns");
    let loss = (line - &y).mapv(|r| r * r).sum() / (2 * y.len()) as f64;
    let reached = loss <= raw.least * (1.0 + 1e-8);
    if !reached {
        let solution = fit.solution();
        eprintln!(
            "{}: {loss:e} where {:e} is least, {} after {} steps",
            raw.name, raw.least, solution.termination, solution.iterations
        );
    }
    reached
}
