//! Digits on the regressions of NIST.

use std::path::PathBuf;

use modelops_benches::{Better, Comparison, workspace_root};
use modelops_optimization::{
    LevenbergMarquardt, LinearRegression, OptimizationError, Residuals, Solution, TrustRegionReflective,
};
use modelops_testkit::data_dir;
use modelops_testkit::optimization::filip;
use modelops_testkit::optimization::nist::{Dataset, datasets};

use crate::{NUMPY, SCIKIT};

pub(crate) fn run(comparison: &mut Comparison) {
    polynomial(comparison);
    nonlinear(comparison, "Levenberg-Marquardt", |fit, start| {
        LevenbergMarquardt::new()
            .with_tolerance(1e-14)
            .minimize(fit, start)
    });
    nonlinear(comparison, "TRF", |fit, start| {
        TrustRegionReflective::new()
            .with_tolerance(1e-14)
            .minimize(fit, start)
    });
}

/// Filippelli's polynomial through the model of least squares, from the same table on every side.
fn polynomial(comparison: &mut Comparison) {
    let (x, y) = filip::table();
    let path = workspace_root().join("crates/modelops-linalg/tests/data/filip.csv");
    let path = path.to_string_lossy();
    comparison
        .case("Filip of NIST, linear least squares")
        .ours(|| {
            let model = LinearRegression::new()
                .fit(x.view(), y.view())
                .expect("a regular table");
            let mut all = vec![model.intercept()];
            all.extend(model.coefficients());
            all
        })
        .python(NUMPY, "filip.py", &[&path, "numpy"])
        .python(SCIKIT, "filip.py", &[&path, "scikit-learn"])
        .rounds(1)
        .without_times()
        .value("digits, the fewest", "", Better::Higher, |w: &Vec<f64>| {
            filip::digits(w[0], &w[1..])
        })
        .run();
}

struct Fit<'a>(&'a Dataset);

impl Residuals for Fit<'_> {
    fn dim(&self) -> usize {
        self.0.certified.len()
    }

    fn count(&self) -> usize {
        self.0.len()
    }

    fn residuals(&self, b: &[f64], residuals: &mut [f64]) {
        residuals.copy_from_slice(&self.0.residuals_and_jacobian(b).0);
    }

    fn jacobian(&self, b: &[f64], jacobian: &mut [f64]) {
        jacobian.copy_from_slice(&self.0.residuals_and_jacobian(b).1);
    }
}

/// The folder of the published files, which are not part of the workspace.
fn folder() -> Option<PathBuf> {
    let beside = workspace_root().join("../shared/data");
    let folder = data_dir().unwrap_or(beside).join("nist-nonlinear");
    folder.exists().then_some(folder)
}

/// All 27 sets from both of their starts.
fn nonlinear(
    comparison: &mut Comparison,
    name: &str,
    solve: impl Fn(&Fit<'_>, &[f64]) -> Result<Solution, OptimizationError>,
) {
    let case = format!("54 nonlinear regressions of NIST, {name}");
    if !comparison.wants(&case) {
        return;
    }
    let Some(folder) = folder() else {
        eprintln!("{case}: not run, because MODELOPS_DATA does not name the folder of the sets");
        return;
    };
    let sets = datasets(&folder);
    comparison
        .case(&case)
        .ours(|| {
            let (mut solved, mut least, mut calls) = (0, f64::INFINITY, 0);
            for set in &sets {
                for start in &set.starts {
                    let solution = solve(&Fit(set), start).expect("a finite start");
                    let digits = set.digits(&solution.x);
                    solved += usize::from(digits >= 6.0);
                    least = digits.min(least);
                    calls += solution.evaluations.values + 1;
                }
            }
            vec![solved as f64, least, calls as f64]
        })
        .rounds(1)
        .cold()
        .without_times()
        .value("of 54 with six digits", "", Better::Higher, |out: &Vec<f64>| {
            out[0]
        })
        .value("digits, the fewest", "", Better::Higher, |out| out[1])
        .value("evaluations", "", Better::Lower, |out| out[2])
        .run();
}
