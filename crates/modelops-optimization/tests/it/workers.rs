//! Laws of running a study: the same trials for any number of workers, after crashes, and with pruning.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use modelops_optimization::{
    ActiveTrial, Direction, HyperbandPruner, Outcome, Parameters, PercentilePruner, RandomSampler,
    RunOptions, SearchSpace, Stop, Study, StudyError, SuccessiveHalvingPruner, TpeSampler, Trial, TrialState,
};

fn space() -> SearchSpace {
    SearchSpace::new()
        .float("x", -2.0..=3.0)
        .and_then(|s| s.log_float("rate", 1e-5..=1e-1))
        .and_then(|s| s.int("layers", 1..=6))
        .and_then(|s| s.categorical("kind", ["a", "b"]))
        .and_then(|s| s.when("kind", "b", |s| s.float("only_b", 0.0..=1.0)))
        .unwrap()
}

/// A loss that falls step by step, so that pruners have something to look at.
fn objective(trial: &mut ActiveTrial<'_>) -> Result<Outcome, StudyError> {
    let p = trial.parameters();
    let level =
        p.float("x")?.powi(2) + (p.float("rate")?.log10() + 3.0).powi(2) + p.int("layers")? as f64 / 10.0;
    if trial.number() % 11 == 7 {
        return Ok(Outcome::Failed("does not fit".to_owned()));
    }
    // Threads overtake each other here.
    std::thread::sleep(Duration::from_micros((trial.number() as u64 * 7919) % 400));
    for step in 1..=9 {
        trial.report(step, level + 1.0 / step as f64)?;
        if trial.should_prune() {
            return Ok(Outcome::Pruned);
        }
    }
    Ok(level.into())
}

fn build() -> Study {
    Study::new("pool", space(), Direction::Minimize)
        .with_sampler(TpeSampler::new(3))
        .with_pruner(SuccessiveHalvingPruner::new(1).with_reduction_factor(3))
        .with_concurrency(8)
}

#[test]
fn any_number_of_workers_makes_the_same_study() {
    let run = |workers| {
        let mut study = build();
        let end = study.run(&RunOptions::new(120).with_workers(workers), objective);
        assert_eq!(end, Ok(Stop::Trials));
        study
    };
    let one = run(1);
    let state = |s| one.trials().iter().filter(|t| t.state() == s).count();
    assert!(state(TrialState::Pruned) > 20 && state(TrialState::Complete) > 10);
    assert_eq!(state(TrialState::Failed), 11);
    for workers in [2, 4, 8] {
        assert_eq!(run(workers).trials(), one.trials(), "{workers} workers");
    }
}

#[test]
fn a_journal_cut_anywhere_resumes_to_the_same_study_with_any_number_of_workers() {
    let folder = std::env::temp_dir().join(format!("modelops-pool-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let clock = || Duration::from_secs(1_700_000_000);
    let path = folder.join("whole.jsonl");
    let mut whole = build().with_journal(&path, clock).unwrap();
    whole.run(&RunOptions::new(40), objective).unwrap();
    let bytes = fs::read(&path).unwrap();
    let torn = folder.join("torn.jsonl");
    for (round, cut) in (0..bytes.len()).step_by(bytes.len() / 23).enumerate() {
        fs::write(&torn, &bytes[..cut]).unwrap();
        let mut study = build().with_journal(&torn, clock).unwrap();
        study
            .run(&RunOptions::new(40).with_workers(1 + round % 4), objective)
            .unwrap();
        assert_eq!(study.trials(), whole.trials(), "cut at {cut}");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn timeouts_and_flags_stop_between_trials_and_interrupted_trials_run_again() {
    let ticks = AtomicU64::new(0);
    let clock = || Duration::from_secs(ticks.fetch_add(1, Ordering::Relaxed));
    let mut study = Study::new("s", space(), Direction::Minimize);
    let value = |_: &mut ActiveTrial<'_>| 1.0;
    let options = RunOptions::new(100).with_timeout(Duration::from_secs(5), &clock);
    assert_eq!(study.run(&options, value), Ok(Stop::TimedOut));
    let told = study.trials().len();
    assert!((1..=5).contains(&told), "{told}");

    let flag = AtomicBool::new(false);
    let seen = AtomicUsize::new(0);
    let observer = |trial: &Trial| {
        assert!(trial.value().is_some());
        if seen.fetch_add(1, Ordering::Relaxed) == 3 {
            flag.store(true, Ordering::Relaxed);
        }
    };
    let options = RunOptions::new(100).with_cancel(&flag).with_observer(&observer);
    assert_eq!(study.run(&options, value), Ok(Stop::Cancelled));
    assert_eq!(study.trials().len(), told + 4);

    flag.store(false, Ordering::Relaxed);
    let options = RunOptions::new(100).with_cancel(&flag);
    let end = study.run(&options, |trial| {
        flag.store(true, Ordering::Relaxed);
        assert!(trial.should_stop());
        Outcome::Interrupted
    });
    assert_eq!(end, Ok(Stop::Cancelled));
    assert_eq!(study.trials()[told + 4].state(), TrialState::Running);
    assert_eq!(
        study.run(&RunOptions::new(told + 6).with_workers(3), value),
        Ok(Stop::Trials)
    );
    assert!(study.trials().iter().all(|t| t.state() == TrialState::Complete));
}

#[test]
fn a_panic_ends_the_run_and_leaves_its_trial_to_the_next() {
    let mut study = build();
    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        study.run(&RunOptions::new(60).with_workers(4), |trial| {
            assert!(trial.number() != 20, "a bug in the objective");
            1.0
        })
    }));
    assert!(broken.is_err());
    assert_eq!(study.trials()[20].state(), TrialState::Running);
    study.run(&RunOptions::new(60).with_workers(4), |_| 1.0).unwrap();
    assert_eq!(study.trials().len(), 60);
    assert!(study.trials().iter().all(|t| t.state() == TrialState::Complete));
}

#[test]
fn wrong_outcomes_end_the_run_with_an_error() {
    let mut study = build();
    let end = study.run(&RunOptions::new(60).with_workers(4), |_| vec![1.0, 2.0]);
    assert_eq!(
        end,
        Err(StudyError::WrongNumberOfValues {
            expected: 1,
            found: 2
        })
    );
    let by_hand = Study::new("s", space(), Direction::Minimize);
    let mut by_hand = by_hand;
    assert_eq!(by_hand.run(&RunOptions::new(0), |_| 1.0), Ok(Stop::Trials));
    assert!(by_hand.trials().is_empty());
}

#[test]
fn enqueued_trials_come_first_and_once() {
    let folder = std::env::temp_dir().join(format!("modelops-queue-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("study.jsonl");
    let clock = || Duration::from_secs(1_700_000_000);
    let given = |x: f64, kind: &str| {
        let mut values = vec![
            ("x", x.into()),
            ("rate", 1e-3.into()),
            ("layers", 2.into()),
            ("kind", kind.into()),
        ];
        if kind == "b" {
            values.push(("only_b", 0.25.into()));
        }
        Parameters::from_values(&space(), values).unwrap()
    };
    let open = || {
        Study::new("queue", space(), Direction::Minimize)
            .with_journal(&path, clock)
            .unwrap()
    };
    let mut study = open();
    study.optimize(2, |_| 1.0).unwrap();
    assert_eq!(study.enqueue(&given(0.5, "b")), Ok(2));
    assert_eq!(study.enqueue(&given(0.25, "a")), Ok(3));
    assert_eq!(study.enqueue(&given(0.5, "b")), Ok(2));
    assert_eq!(study.trials()[3].state(), TrialState::Waiting);
    // Read back, then started: the journal has them at every stage.
    let mut study = open();
    assert_eq!(study.trials()[2].state(), TrialState::Waiting);
    let first = study.ask().unwrap();
    assert_eq!((first.number(), first.parameters()), (2, &given(0.5, "b")));
    assert!(matches!(
        study.tell(3, 1.0),
        Err(StudyError::UnknownTrial { number: 3 })
    ));
    study
        .tell(
            2,
            Outcome::Constrained {
                values: vec![-5.0],
                constraints: vec![-1.0, f64::INFINITY],
            },
        )
        .unwrap();
    let mut study = open();
    assert!(!study.trials()[2].is_feasible());
    assert_eq!(study.trials()[2].constraints(), [-1.0, f64::MAX]);
    study
        .run(&RunOptions::new(6), |trial| trial.parameters().float("x"))
        .unwrap();
    assert_eq!(study.trials().len(), 6);
    assert_eq!(study.trials()[3].value(), Some(0.25));
    assert_ne!(study.best_trial().unwrap().number(), 2);
    assert_eq!(open().trials(), study.trials());
    fs::remove_dir_all(folder).unwrap();
}

/// A pruned search finds as good a trial as a full one, in a fraction of the steps.
#[test]
fn halving_saves_most_of_the_steps() {
    let steps = |study: Study| {
        let mut study = study.with_sampler(RandomSampler::new(1));
        study
            .run(&RunOptions::new(200), |trial| -> Result<Outcome, StudyError> {
                let level = trial.parameters().float("x")?.powi(2);
                for step in 1..=81u32 {
                    trial.report(step.into(), level + (1.0 + level) / f64::from(step))?;
                    if trial.should_prune() {
                        return Ok(Outcome::Pruned);
                    }
                }
                Ok(level.into())
            })
            .unwrap();
        let steps: usize = study.trials().iter().map(|t| t.intermediate().len()).sum();
        (steps, study.best_trial().unwrap().value().unwrap())
    };
    let new = || Study::new("s", space(), Direction::Minimize);
    let (full, best) = steps(new());
    assert_eq!(full, 200 * 81);
    let (halving, found) = steps(new().with_pruner(SuccessiveHalvingPruner::new(1).with_reduction_factor(3)));
    assert!(
        halving < full / 8 && found == best,
        "{halving} steps, {found} against {best}"
    );
    let (hyperband, found) = steps(new().with_pruner(HyperbandPruner::new(1, 81)));
    assert!(
        hyperband < full / 3 && found < best + 1e-2,
        "{hyperband} steps, {found} against {best}"
    );
    let (median, found) = steps(new().with_pruner(PercentilePruner::median()));
    assert!(
        median < full / 2 && found == best,
        "{median} steps, {found} against {best}"
    );
}
