//! Objectives that lie, break off or never end: every solver answers with a finite point, or with a typed error.

use std::cell::Cell;

use modelops_optimization::{
    Bfgs, Differentiable, FirstOrder, FnObjective, GradientDescent, Lbfgs, LbfgsB, LearningRate, LineSearch,
    Newton, NonlinearCg, OptimizationError, Solution, Subproblem, Termination, TrustRegion,
};

type Run = Box<dyn Fn(&dyn Differentiable, &[f64]) -> Result<Solution, OptimizationError>>;

/// Every solver of a smooth objective, with a small budget.
fn solvers() -> Vec<(String, Run)> {
    let mut all: Vec<(String, Run)> = Vec::new();
    for search in [
        LineSearch::StrongWolfe,
        LineSearch::MoreThuente,
        LineSearch::HagerZhang,
    ] {
        let lbfgs = Lbfgs::new().with_line_search(search).with_max_iterations(300);
        let bfgs = Bfgs::new().with_line_search(search).with_max_iterations(300);
        let cg = NonlinearCg::new()
            .with_line_search(search)
            .with_max_iterations(300);
        let newton = Newton::new().with_line_search(search).with_max_iterations(300);
        let bounded = LbfgsB::new().with_line_search(search).with_max_iterations(300);
        all.push((
            format!("L-BFGS {search:?}"),
            Box::new(move |o, x| lbfgs.minimize(o, x)),
        ));
        all.push((
            format!("BFGS {search:?}"),
            Box::new(move |o, x| bfgs.minimize(o, x)),
        ));
        all.push((format!("CG {search:?}"), Box::new(move |o, x| cg.minimize(o, x))));
        all.push((
            format!("Newton {search:?}"),
            Box::new(move |o, x| newton.minimize(o, x)),
        ));
        all.push((
            format!("L-BFGS-B {search:?}"),
            Box::new(move |o, x| {
                let (lower, upper) = (vec![-1e3; x.len()], vec![f64::INFINITY; x.len()]);
                bounded.clone().with_bounds(&lower, &upper).minimize(o, x)
            }),
        ));
    }
    for subproblem in [Subproblem::MoreSorensen, Subproblem::Steihaug] {
        let solver = TrustRegion::new()
            .with_subproblem(subproblem)
            .with_max_iterations(300);
        all.push((
            format!("trust region {subproblem:?}"),
            Box::new(move |o, x| solver.minimize(o, x)),
        ));
    }
    for rule in [
        LearningRate::Automatic,
        LearningRate::Armijo,
        LearningRate::BarzilaiBorwein,
    ] {
        let solver = GradientDescent::new()
            .with_learning_rate(rule)
            .with_max_iterations(300);
        all.push((
            format!("descent {rule:?}"),
            Box::new(move |o, x| solver.minimize(o, x)),
        ));
    }
    all.push((
        "schedule-free".into(),
        Box::new(|o, x| {
            FirstOrder::schedule_free(0.1)
                .with_max_iterations(300)
                .minimize(o, x)
        }),
    ));
    all.push((
        "Adam".into(),
        Box::new(|o, x| FirstOrder::adam(0.1).with_max_iterations(300).minimize(o, x)),
    ));
    all
}

/// Runs every solver: a finite answer that is what the objective says there, no worse than the start, within a bounded number of
/// calls; or an error that is none about the input.
fn attack(name: &str, start: &[f64], f: impl Fn(&[f64], &mut [f64]) -> f64) {
    for (solver, minimize) in solvers() {
        let calls = Cell::new(0);
        let objective = FnObjective::new(start.len(), |x: &[f64], g: &mut [f64]| {
            calls.set(calls.get() + 1);
            assert!(
                x.iter().all(|x| x.is_finite()),
                "{name}, {solver}: asked for {x:?}"
            );
            f(x, g)
        });
        let first = f(start, &mut vec![0.0; start.len()]);
        match minimize(&objective, start) {
            Ok(solution) => {
                let there = f(&solution.x, &mut vec![0.0; start.len()]);
                assert_eq!(
                    solution.value.to_bits(),
                    there.to_bits(),
                    "{name}, {solver}: {solution:?}"
                );
                assert!(
                    solution.value.is_finite() && solution.value <= first,
                    "{name}, {solver}: {solution:?}"
                );
                assert!(
                    solution.gradient_norm.unwrap().is_finite(),
                    "{name}, {solver}: {solution:?}"
                );
                // Where values are noise the lowest one seen need not be where the gradient vanished.
                if solution.termination == Termination::GradientTolerance && name != "noise" {
                    let least = 1e-8 * solution.value.abs().max(1.0);
                    assert!(
                        solution.gradient_norm.unwrap() <= least,
                        "{name}, {solver}: {solution:?}"
                    );
                }
            }
            Err(OptimizationError::NonFiniteObjective | OptimizationError::Diverged { .. }) => {}
            Err(other) => panic!("{name}, {solver}: {other:?}"),
        }
        assert!(calls.get() < 60_000, "{name}, {solver}: {} calls", calls.get());
    }
}

#[test]
fn walls_of_nan_are_not_crossed() {
    attack("wall", &[1.0, 1.0], |x, g| {
        if x[0] < 0.25 {
            g.fill(f64::NAN);
            return f64::NAN;
        }
        g.copy_from_slice(&[2.0 * x[0], 2.0 * x[1]]);
        x[0] * x[0] + x[1] * x[1]
    });
    attack("log", &[3.0], |x, g| {
        g[0] = 1.0 - x[0].recip();
        x[0] - x[0].ln()
    });
    attack("everywhere but here", &[1.0], |x, g| {
        g[0] = 1.0;
        if x[0] == 1.0 { 0.0 } else { f64::NAN }
    });
}

#[test]
fn a_gradient_with_a_hole_is_none() {
    attack("hole", &[1.0, 0.0], |x, g| {
        g.copy_from_slice(&[2.0 * x[0], if x[0] < 0.5 { f64::NAN } else { 0.0 }]);
        x[0] * x[0]
    });
    attack("infinite slope", &[1.0], |x, g| {
        g[0] = if x[0] == 0.0 {
            f64::INFINITY
        } else {
            0.5 * x[0].signum() / x[0].abs().sqrt()
        };
        x[0].abs().sqrt()
    });
}

#[test]
fn what_has_no_minimum_ends() {
    attack("line", &[0.0], |x, g| {
        g[0] = -1.0;
        -x[0]
    });
    attack("cubic", &[-1.0], |x, g| {
        g[0] = -3.0 * x[0] * x[0];
        -x[0].powi(3)
    });
    attack("exponential", &[0.0], |x, g| {
        g[0] = -x[0].exp();
        -x[0].exp()
    });
    attack("towards infinity", &[1.0], |x, g| {
        g[0] = -x[0].powi(-2);
        x[0].recip()
    });
    attack("saddle", &[0.0, 1e-3], |x, g| {
        g.copy_from_slice(&[2.0 * x[0], -2.0 * x[1]]);
        x[0] * x[0] - x[1] * x[1]
    });
}

#[test]
fn lies_and_extremes_end_too() {
    attack("wrong sign", &[1.0], |x, g| {
        g[0] = -2.0 * x[0];
        x[0] * x[0]
    });
    attack("always the same gradient", &[1.0, 2.0], |x, g| {
        g.fill(1.0);
        x[0] * x[0] + x[1] * x[1]
    });
    attack("constant", &[1.0], |_, g| {
        g[0] = 0.0;
        5.0
    });
    attack("constant with a slope", &[1.0], |_, g| {
        g[0] = 1.0;
        5.0
    });
    attack("kink", &[0.3, -0.7], |x, g| {
        g.copy_from_slice(&[x[0].signum(), 100.0 * x[1].signum()]);
        x[0].abs() + 100.0 * x[1].abs()
    });
    attack("noise", &[1.0], |x, g| {
        g[0] = 2.0 * x[0];
        x[0] * x[0] + 1e-6 * (x[0] * 1e9).sin()
    });
    attack("huge", &[1.0], |x, g| {
        g[0] = 2e300 * x[0];
        1e300 * x[0] * x[0]
    });
    attack("tiny", &[1.0], |x, g| {
        g[0] = 2e-300 * x[0];
        1e-300 * x[0] * x[0]
    });
    attack("steps", &[7.5], |x, g| {
        g[0] = 1.0;
        x[0].floor()
    });
}

#[test]
fn no_value_at_the_start_is_an_error() {
    for (solver, minimize) in solvers() {
        for (value, slope) in [
            (f64::NAN, 0.0),
            (f64::INFINITY, 0.0),
            (f64::NEG_INFINITY, 0.0),
            (0.0, f64::NAN),
        ] {
            let objective = FnObjective::new(1, |_, g| {
                g[0] = slope;
                value
            });
            assert_eq!(
                minimize(&objective, &[1.0]),
                Err(OptimizationError::NonFiniteObjective),
                "{solver}"
            );
        }
        let parabola = FnObjective::new(1, |x, g| {
            g[0] = 2.0 * x[0];
            x[0] * x[0]
        });
        assert!(matches!(
            minimize(&parabola, &[f64::NAN]),
            Err(OptimizationError::NonFiniteInput { .. })
        ));
        assert!(matches!(
            minimize(&parabola, &[]),
            Err(OptimizationError::DimensionMismatch { .. })
        ));
        assert!(
            minimize(&parabola, &[0.0]).unwrap().converged(),
            "{solver} from the minimum"
        );
        assert!(minimize(&parabola, &[3.0]).unwrap().value < 1e-2, "{solver}");
    }
}

#[test]
fn bounds_are_held_and_bad_ones_refused() {
    let bowl = FnObjective::new(2, |x, g| {
        g.copy_from_slice(&[2.0 * (x[0] - 3.0), 2.0 * (x[1] + 1.0)]);
        (x[0] - 3.0).powi(2) + (x[1] + 1.0).powi(2)
    });
    let run = |lower: &[f64], upper: &[f64], x0: &[f64]| {
        LbfgsB::new().with_bounds(lower, upper).minimize(&bowl, x0)
    };
    let free = f64::INFINITY;
    assert_eq!(
        run(&[0.0, -free], &[1.0, free], &[0.5, 4.0]).unwrap().x,
        [1.0, -1.0]
    );
    // A variable whose bounds are equal is held; all of them held is no trouble.
    assert_eq!(
        run(&[2.0, -free], &[2.0, free], &[2.0, 0.0]).unwrap().x,
        [2.0, -1.0]
    );
    let held = run(&[2.0, 2.0], &[2.0, 2.0], &[2.0, 2.0]).unwrap();
    assert!(held.converged() && held.x == [2.0, 2.0]);
    // A start in the corner, and the best corner.
    assert_eq!(run(&[0.0, 0.0], &[1.0, 1.0], &[0.0, 1.0]).unwrap().x, [1.0, 0.0]);
    for (lower, upper, name) in [
        (2.0, 1.0, "upper"),
        (f64::NAN, 1.0, "upper"),
        (0.0, f64::NAN, "upper"),
        (0.6, 1.0, "x0"),
    ] {
        let error = run(&[lower, -free], &[upper, free], &[0.5, 0.0]).unwrap_err();
        assert!(
            matches!(error, OptimizationError::InvalidHyperparameter { name: n, .. } if n == name),
            "{error:?}"
        );
    }
    assert_eq!(
        run(&[0.0], &[1.0, 1.0], &[0.5, 0.5]),
        Err(OptimizationError::DimensionMismatch {
            what: "the lower bounds",
            expected: 2,
            found: 1
        })
    );
}
