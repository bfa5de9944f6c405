//! Trials that are runs of a solver, whose loss feeds the pruner step by step.

use std::ops::ControlFlow;
use std::time::Duration;

use modelops_optimization::{
    ActiveTrial, Direction, FirstOrder, FnObjective, Lbfgs, LogisticRegression, Outcome, PercentilePruner,
    Progress, RandomSampler, Rule, RunOptions, SearchSpace, Study, Termination, ThresholdPruner, TrialState,
};
use ndarray::Array2;

use crate::folder::Folder;

/// The valley of Rosenbrock.
fn valley(x: &[f64], g: &mut [f64]) -> f64 {
    let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
    g.copy_from_slice(&[-2.0 * a - 400.0 * x[0] * b, 200.0 * b]);
    a * a + 100.0 * b * b
}

fn build(prune: bool) -> Study {
    let space = SearchSpace::new()
        .log_float("rate", 1e-4..=1.0)
        .and_then(|s| s.categorical("rule", ["adam", "momentum"]))
        .unwrap();
    let study = Study::new("rates", space, Direction::Minimize)
        .with_sampler(RandomSampler::new(4))
        .with_concurrency(4);
    if prune {
        study.with_pruner(PercentilePruner::median().with_warmup_steps(20))
    } else {
        study
    }
}

const STEPS: usize = 150;

/// A run of a first-order solver; one that diverges is a failed trial with the reason.
fn train(trial: &mut ActiveTrial<'_>) -> Result<Outcome, Box<dyn std::error::Error>> {
    let rate = trial.parameters().float("rate")?;
    let solver = match trial.parameters().text("rule")? {
        "adam" => FirstOrder::adam(rate),
        _ => FirstOrder::new(
            Rule::Sgd {
                momentum: 0.9,
                nesterov: false,
            },
            rate,
        ),
    };
    let objective = FnObjective::new(2, valley);
    let solution =
        solver
            .with_max_iterations(STEPS)
            .minimize_observed(&objective, &[-1.2, 1.0], &mut |step| trial.observe(step))?;
    Ok(match solution.termination {
        Termination::Cancelled if trial.should_stop() => Outcome::Interrupted,
        Termination::Cancelled => Outcome::Pruned,
        _ => solution.value.into(),
    })
}

fn run(mut study: Study, workers: usize) -> Study {
    study
        .run(&RunOptions::new(40).with_workers(workers), train)
        .unwrap();
    study
}

#[test]
fn what_a_solver_reports_is_what_it_computes_and_hopeless_runs_end_early() {
    let (whole, pruned) = (run(build(false), 1), run(build(true), 1));
    let steps = |study: &Study| {
        study
            .trials()
            .iter()
            .map(|t| t.intermediate().len())
            .sum::<usize>()
    };
    let mut cut = 0;
    for (a, b) in whole.trials().iter().zip(pruned.trials()) {
        assert_eq!(a.parameters(), b.parameters());
        match b.state() {
            TrialState::Pruned => {
                cut += 1;
                // The same curve, as far as it went, and it went past the warm-up.
                let (long, short) = (a.intermediate(), b.intermediate());
                assert!(
                    short.len() >= 20 && short.len() <= STEPS && long.starts_with(short),
                    "{}",
                    b.number()
                );
            }
            state => {
                assert_eq!(state, a.state());
                assert_eq!((a.values(), a.intermediate()), (b.values(), b.intermediate()));
            }
        }
        if a.state() == TrialState::Complete {
            assert_eq!(a.intermediate().len(), STEPS);
            let least = a.intermediate().iter().fold(f64::INFINITY, |m, (_, v)| m.min(*v));
            assert!(a.values()[0] <= least && a.values()[0].is_finite());
        } else {
            // A rate too large is a failed trial that says so, never a NaN.
            assert_eq!(a.state(), TrialState::Failed);
            assert!(a.reason().unwrap().contains("diverged"), "{:?}", a.reason());
        }
    }
    assert!(cut >= 10, "{cut}");
    assert!(
        4 * steps(&pruned) < 3 * steps(&whole),
        "{} of {}",
        steps(&pruned),
        steps(&whole)
    );
    assert_eq!(
        whole.best_trial().unwrap().number(),
        pruned.best_trial().unwrap().number()
    );
}

#[test]
fn any_number_of_workers_prunes_the_same_runs_and_a_journal_keeps_their_curves() {
    let one = run(build(true), 1);
    let four = run(build(true), 4);
    assert_eq!(one.trials(), four.trials());
    let folder = Folder::new("solver-trials");
    let path = folder.file("study.jsonl");
    let clock = || Duration::from_secs(1);
    let kept = run(build(true).with_journal(&path, clock).unwrap(), 4);
    assert_eq!(one.trials(), kept.trials());
    drop(kept);
    assert_eq!(
        one.trials(),
        build(true).with_journal(&path, clock).unwrap().trials()
    );
}

/// Solvers of another kind, and models, take the same observer.
#[test]
fn quasi_newton_solvers_and_models_feed_it_too() {
    let space = SearchSpace::new().log_float("l2", 1e-6..=1e-1).unwrap();
    // Gives up whatever is above the threshold at step 3 or later.
    let build = |limit| {
        Study::new("fits", space.clone(), Direction::Minimize)
            .with_pruner(ThresholdPruner::new(f64::NEG_INFINITY..=limit).with_warmup_steps(3))
    };
    let x = Array2::from_shape_fn((60, 3), |(i, j)| ((i * 7 + j * 13) % 29) as f64 / 29.0 - 0.5);
    let labels: Vec<bool> = (0..60).map(|i| (i * 7 % 29) > 14).collect();
    type Feed<'a> = dyn FnMut(&Progress) -> ControlFlow<()> + 'a;
    let by_model = |l2: f64, feed: &mut Feed<'_>| {
        LogisticRegression::new()
            .with_l2(l2)
            .fit_observed(x.view(), &labels, feed)
            .unwrap()
            .solution()
            .clone()
    };
    let by_solver = |_: f64, feed: &mut Feed<'_>| {
        Lbfgs::new()
            .minimize_observed(&FnObjective::new(2, valley), &[-1.2, 1.0], feed)
            .unwrap()
    };
    let solve = |name: &str, limit: f64| {
        let mut study = build(limit);
        study
            .run(
                &RunOptions::new(5),
                |trial| -> Result<Outcome, Box<dyn std::error::Error>> {
                    let l2 = trial.parameters().float("l2")?;
                    let mut feed = |step: &Progress| trial.observe(step);
                    let solution = match name {
                        "model" => by_model(l2, &mut feed),
                        _ => by_solver(l2, &mut feed),
                    };
                    assert_eq!(solution.history.len(), 1 + solution.iterations);
                    Ok(match solution.termination {
                        Termination::Cancelled => Outcome::Pruned,
                        _ => solution.value.into(),
                    })
                },
            )
            .unwrap();
        study
    };
    for name in ["model", "solver"] {
        for trial in solve(name, -1.0).trials() {
            assert_eq!(trial.state(), TrialState::Pruned);
            assert_eq!(
                trial.intermediate().last().map(|(step, _)| *step),
                Some(3),
                "{name}"
            );
        }
        for trial in solve(name, 1e9).trials() {
            assert_eq!(trial.state(), TrialState::Complete);
            let steps: Vec<u64> = trial.intermediate().iter().map(|(step, _)| *step).collect();
            assert_eq!(steps, (1..=steps.len() as u64).collect::<Vec<_>>());
        }
    }
}
