//! Laws of spaces and studies.

use modelops_optimization::{
    Direction, Domain, Outcome, ParameterError, Parameters, RandomSampler, SearchSpace, SpaceError, Study,
    StudyError, TrialState, Value, random_search,
};
use proptest::prelude::*;

fn space() -> SearchSpace {
    SearchSpace::new()
        .float("x", -2.0..=3.0)
        .and_then(|s| s.log_float("rate", 1e-5..=1e-1))
        .and_then(|s| s.stepped_float("clip", 0.0..=0.35, 0.1))
        .and_then(|s| s.int("layers", -3..=4))
        .and_then(|s| s.log_int("width", 1..=1024))
        .and_then(|s| s.stepped_int("batch", 32..=250, 32))
        .and_then(|s| s.categorical("kind", ["a", "b", "c"]))
        .and_then(|s| s.boolean("cache"))
        .and_then(|s| s.when("kind", "b", |s| s.float("only_b", 0.0..=1.0)))
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn draws_stay_in_their_domain_and_survive_a_round_trip(seed: u64) {
        let study = random_search(space(), 20, seed, |_| 0.0).unwrap();
        for trial in study.trials() {
            let p = trial.parameters();
            prop_assert!((-2.0..=3.0).contains(&p.float("x").unwrap()));
            prop_assert!((1e-5..=1e-1).contains(&p.float("rate").unwrap()));
            let clip = p.float("clip").unwrap();
            prop_assert!([0.0, 0.1, 0.2, 3.0 * 0.1].contains(&clip), "{}", clip);
            prop_assert!((-3..=4).contains(&p.int("layers").unwrap()));
            prop_assert!((1..=1024).contains(&p.int("width").unwrap()));
            let batch = p.int("batch").unwrap();
            prop_assert!((32..=224).contains(&batch) && batch % 32 == 0);
            prop_assert_eq!(p.float("only_b").is_ok(), p.text("kind").unwrap() == "b");
            p.boolean("cache").unwrap();
            let values: Vec<(String, Value)> = p.iter().map(|(n, v)| (n.to_owned(), v)).collect();
            let back = Parameters::from_values(study.space(), values.iter().map(|(n, v)| (n.as_str(), v.clone()))).unwrap();
            prop_assert_eq!(&back, p);
        }
    }

    #[test]
    fn the_order_of_telling_does_not_change_a_study(seed: u64, swaps in prop::collection::vec(any::<prop::sample::Index>(), 40)) {
        let build = || Study::new("s", space(), Direction::Minimize).with_sampler(RandomSampler::new(seed)).with_concurrency(4);
        let value = |trial: &modelops_optimization::Trial| trial.parameters().float("x").unwrap().abs();
        let mut straight = build();
        straight.optimize(40, value).unwrap();
        let mut shuffled = build();
        let mut running = Vec::new();
        for swap in swaps {
            loop {
                match shuffled.ask() {
                    Ok(trial) => running.push(trial),
                    Err(StudyError::TooManyRunning { .. }) => break,
                    Err(other) => panic!("{other}"),
                }
            }
            let trial = running.swap_remove(swap.index(running.len()));
            shuffled.tell(trial.number(), value(&trial)).unwrap();
        }
        let common = straight.trials().len().min(shuffled.trials().len());
        for (a, b) in straight.trials().iter().zip(shuffled.trials()).take(common) {
            prop_assert_eq!(a.parameters(), b.parameters());
        }
    }

    #[test]
    fn the_best_trial_is_the_best(values in prop::collection::vec(prop_oneof![Just(f64::NAN), -5.0f64..5.0], 1..30), maximize: bool) {
        let direction = if maximize { Direction::Maximize } else { Direction::Minimize };
        let mut study = Study::new("s", space(), direction);
        let mut rest = values.iter();
        study.optimize(values.len(), |_| *rest.next().unwrap()).unwrap();
        let good = values.iter().copied().filter(|v| !v.is_nan());
        let best = if maximize { good.reduce(f64::max) } else { good.reduce(f64::min) };
        prop_assert_eq!(study.best_trial().and_then(|t| t.value()), best);
        let failed = study.trials().iter().filter(|t| t.state() == TrialState::Failed).count();
        prop_assert_eq!(failed, values.iter().filter(|v| v.is_nan()).count());
    }
}

#[test]
fn one_seed_is_one_study() {
    let run = |seed| random_search(space(), 30, seed, |t| t.parameters().float("x").unwrap()).unwrap();
    assert_eq!(run(3).trials(), run(3).trials());
    assert_ne!(run(3).trials(), run(4).trials());
    assert_eq!(format!("{:#}", run(3)), format!("{:#}", run(3)));
}

#[test]
fn failures_keep_their_reason_and_the_study_goes_on() {
    let mut study = Study::new("s", space(), Direction::Minimize);
    study
        .optimize(3, |trial| {
            if trial.number() == 1 {
                Err("out of memory")
            } else {
                Ok(trial.number() as f64)
            }
        })
        .unwrap();
    assert_eq!(study.trials()[1].reason(), Some("out of memory"));
    assert_eq!(study.best_trial().unwrap().number(), 0);
    let table = study.to_string();
    assert!(
        table.starts_with("study \"s\" (minimize): 3 trials, 2 complete, 1 failed\n"),
        "{table}"
    );
    assert_eq!(table.lines().count(), 5);
    assert!(study.history_plot().to_svg().contains("best so far"));
}

#[test]
fn studies_refuse_confused_callers() {
    let mut study = Study::new("s", space(), Direction::Minimize);
    assert_eq!(study.tell(0, 1.0), Err(StudyError::UnknownTrial { number: 0 }));
    let trial = study.ask().unwrap();
    assert_eq!(study.ask().unwrap_err(), StudyError::TooManyRunning { oldest: 0 });
    assert_eq!(
        study.tell(0, vec![1.0, 2.0]),
        Err(StudyError::WrongNumberOfValues {
            expected: 1,
            found: 2
        })
    );
    study.tell(trial.number(), Outcome::Pruned).unwrap();
    assert_eq!(study.tell(0, 1.0), Err(StudyError::AlreadyFinished { number: 0 }));
    assert!(study.best_trial().is_none());
    let p = trial.parameters();
    assert_eq!(
        p.float("nope"),
        Err(ParameterError::Missing {
            name: "nope".to_owned()
        })
    );
    assert_eq!(
        p.int("x"),
        Err(ParameterError::WrongKind {
            name: "x".to_owned(),
            expected: "whole number"
        })
    );
    assert!(p.float("kind").is_err() && p.text("cache").is_err() && p.boolean("kind").is_err());
}

#[test]
fn spaces_refuse_ranges_that_are_none() {
    let s = SearchSpace::new;
    assert!(matches!(
        s().float("a", 1.0..=0.0),
        Err(SpaceError::EmptyRange { .. })
    ));
    assert!(matches!(
        s().float("a", 0.0..=f64::INFINITY),
        Err(SpaceError::EmptyRange { .. })
    ));
    assert!(matches!(
        s().float("a", f64::NAN..=1.0),
        Err(SpaceError::EmptyRange { .. })
    ));
    assert!(matches!(
        s().log_float("a", 0.0..=1.0),
        Err(SpaceError::LogOfNonPositive { .. })
    ));
    assert!(matches!(
        s().log_int("a", 0..=8),
        Err(SpaceError::LogOfNonPositive { .. })
    ));
    assert!(matches!(
        s().stepped_float("a", 0.0..=1.0, 0.0),
        Err(SpaceError::BadStep { .. })
    ));
    assert!(matches!(
        s().stepped_int("a", 0..=8, 0),
        Err(SpaceError::BadStep { .. })
    ));
    assert!(matches!(
        s().int("a", 0..=i64::MAX),
        Err(SpaceError::TooLarge { .. })
    ));
    assert!(matches!(
        s().categorical("a", Vec::<&str>::new()),
        Err(SpaceError::NoChoices { .. })
    ));
    assert!(matches!(
        s().categorical("a", ["x", "x"]),
        Err(SpaceError::DuplicateChoice { .. })
    ));
    assert!(matches!(
        s().int("a", 0..=1).and_then(|s| s.int("a", 0..=1)),
        Err(SpaceError::Duplicate { .. })
    ));
    assert!(matches!(
        s().when("a", 1, |s| s.boolean("b")),
        Err(SpaceError::UnknownCondition { .. })
    ));
}

#[test]
fn edges_of_domains_are_kept() {
    // One value only, the largest numbers, and steps that binary fractions cannot hold.
    let space = SearchSpace::new()
        .float("one", 2.5..=2.5)
        .and_then(|s| s.float("wide", -f64::MAX..=f64::MAX))
        .and_then(|s| s.stepped_float("tenths", 0.0..=0.3, 0.1))
        .unwrap();
    assert!(matches!(
        space.parameters()[2].domain(),
        Domain::Float { high: 0.3, .. }
    ));
    let study = random_search(space, 200, 1, |_| 0.0).unwrap();
    let mut largest = 0.0f64;
    for trial in study.trials() {
        assert_eq!(trial.parameters().float("one").unwrap(), 2.5);
        assert!(trial.parameters().float("wide").unwrap().is_finite());
        largest = largest.max(trial.parameters().float("tenths").unwrap());
    }
    assert_eq!(largest, 0.3);
}
