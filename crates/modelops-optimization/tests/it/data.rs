//! Tests on conformance data from the folder that `MODELOPS_DATA` names.

use modelops_optimization::{
    LevenbergMarquardt, OptimizationError, Residuals, Solution, TrustRegionReflective,
};
use modelops_testkit::data_dir;
use modelops_testkit::optimization::nist::{Dataset, datasets};

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

/// Runs every set from both starts; the runs with less than six digits, and the calls for residuals.
fn poor_runs(
    solve: impl Fn(&Fit<'_>, &[f64]) -> Result<Solution, OptimizationError>,
) -> (Vec<(&'static str, usize, f64)>, usize) {
    let mut calls = 0;
    let mut poor = Vec::new();
    for set in datasets(&data_dir().unwrap().join("nist-nonlinear")) {
        for (run, start) in set.starts.iter().enumerate() {
            let solution = solve(&Fit(&set), start).unwrap();
            calls += solution.evaluations.values + 1;
            let digits = set.digits(&solution.x);
            println!(
                "{:10} {} {digits:5.1} {:4} {}",
                set.name,
                run + 1,
                solution.evaluations.values,
                solution.termination
            );
            if digits < 6.0 {
                poor.push((set.name, run + 1, digits));
            }
        }
    }
    println!("{calls} calls");
    (poor, calls)
}

#[test]
#[ignore = "needs MODELOPS_DATA"]
fn every_nist_regression_has_six_digits() {
    let solver = LevenbergMarquardt::new().with_tolerance(1e-14);
    let (poor, _) = poor_runs(|fit, start| solver.minimize(fit, start));
    assert_eq!(poor, []);
}

#[test]
#[ignore = "needs MODELOPS_DATA"]
fn every_nist_regression_has_six_digits_by_trust_region_reflective_too() {
    let solver = TrustRegionReflective::new().with_tolerance(1e-14);
    let (poor, calls) = poor_runs(|fit, start| solver.minimize(fit, start));
    assert_eq!(poor, []);
    // The goal; it takes about three quarters of that.
    assert!(calls <= 4270, "{calls} calls");
}
