//! What each pruner does on traces small enough to follow by hand.

use modelops_optimization::{
    Direction, Outcome, PatientPruner, PercentilePruner, Pruner, SearchSpace, Study, SuccessiveHalvingPruner,
    ThresholdPruner, WilcoxonPruner,
};
use proptest::prelude::*;

/// A study that holds complete trials with these traces, at steps 0, 1, …; the last value is the trial's.
fn study(direction: Direction, traces: &[Vec<f64>], pruner: impl Pruner + 'static) -> Study {
    let space = SearchSpace::new().float("x", 0.0..=1.0).unwrap();
    let mut study = Study::new("s", space, direction).with_pruner(pruner);
    for trace in traces {
        let trial = study.ask().unwrap();
        for (step, value) in trace.iter().enumerate() {
            study.report(trial.number(), step as u64, *value).unwrap();
        }
        study.tell(trial.number(), *trace.last().unwrap()).unwrap();
    }
    study
}

/// The steps at which a trial with this trace would be given up.
fn pruned_at(mut study: Study, trace: &[f64]) -> Vec<usize> {
    let trial = study.ask().unwrap();
    assert_eq!(study.should_prune(trial.number()), Ok(false));
    let mut steps = Vec::new();
    for (step, value) in trace.iter().enumerate() {
        study.report(trial.number(), step as u64, *value).unwrap();
        if study.should_prune(trial.number()).unwrap() {
            steps.push(step);
        }
    }
    steps
}

fn flat(levels: &[f64]) -> Vec<Vec<f64>> {
    levels.iter().map(|l| vec![*l; 6]).collect()
}

#[test]
fn the_median_rule_compares_the_best_so_far() {
    let five = flat(&[1.0, 2.0, 3.0, 4.0, 5.0]);
    let median = PercentilePruner::median;
    let at = |traces: &[Vec<f64>], pruner, trace: &[f64]| {
        pruned_at(study(Direction::Minimize, traces, pruner), trace)
    };
    assert_eq!(at(&five, median(), &[4.0, 4.0, 2.0, 9.0]), [0, 1]);
    assert_eq!(at(&five, median(), &[3.0; 4]), [0; 0]);
    // Too few trials; a warm-up; every other step.
    assert_eq!(at(&five[..4], median(), &[9.0; 4]), [0; 0]);
    assert_eq!(at(&five, median().with_warmup_steps(2), &[9.0; 4]), [2, 3]);
    assert_eq!(at(&five, median().with_interval_steps(2), &[9.0; 4]), [0, 2]);
    assert_eq!(at(&five, PercentilePruner::new(20.0), &[1.9, 1.8, 1.7]), [0]);
    // Nothing but NaN; a step that nobody else reached.
    assert_eq!(at(&five, median(), &[f64::NAN, f64::NAN, 1.0]), [0, 1]);
    assert_eq!(at(&five, median(), &[9.0; 8]), [0, 1, 2, 3, 4, 5]);
    let up = study(Direction::Maximize, &five, median());
    assert_eq!(pruned_at(up, &[2.0, 4.0, 1.0]), [0]);
}

#[test]
fn thresholds_and_patience() {
    let at =
        |pruner: ThresholdPruner, trace: &[f64]| pruned_at(study(Direction::Minimize, &[], pruner), trace);
    assert_eq!(
        at(ThresholdPruner::new(0.0..=1.0), &[0.5, 1.0, 1.1, f64::NAN, -0.1]),
        [2, 3, 4]
    );
    let late = ThresholdPruner::new(0.0..=1.0).with_warmup_steps(3);
    assert_eq!(at(late, &[2.0; 5]), [3, 4]);
    let trace = [5.0, 4.0, 4.5, 4.6, 4.7, 3.0, 3.5, f64::NAN, f64::NAN, f64::NAN];
    let stalled = pruned_at(study(Direction::Minimize, &[], PatientPruner::new(2)), &trace);
    assert_eq!(stalled, [4, 8, 9]);
    let tolerant = PatientPruner::new(2).with_min_delta(0.6);
    assert_eq!(pruned_at(study(Direction::Minimize, &[], tolerant), &trace), [9]);
    // Another pruner has the last word.
    let never = PatientPruner::around(ThresholdPruner::new(0.0..=100.0), 2);
    assert_eq!(pruned_at(study(Direction::Minimize, &[], never), &trace), [8, 9]);
}

#[test]
fn halving_keeps_the_best_part_of_each_rung() {
    // Rungs at steps 1, 2, 4 of η = 2; seven trials before.
    let seven = flat(&[7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
    let halving = || SuccessiveHalvingPruner::new(1).with_reduction_factor(2);
    let at = |trace: &[f64]| pruned_at(study(Direction::Minimize, &seven, halving()), trace);
    assert_eq!(at(&[9.0, 3.5, 3.5, 9.0, 3.5, 9.0]), [0; 0]);
    assert_eq!(at(&[0.0, 4.5, 0.0, 0.0, 0.0, 0.0]), [1]);
    assert_eq!(at(&[0.0, 0.0, 4.5, 0.0, f64::NAN, 0.0]), [2, 4]);
    // The first to come is the best to come.
    let alone = study(Direction::Minimize, &[], halving());
    assert_eq!(pruned_at(alone, &[9.0; 6]), [0; 0]);
}

#[test]
fn the_paired_test_sees_through_differences_between_members() {
    // The members differ by tens, the trials by one.
    let members: Vec<f64> = (0..12).map(|k| f64::from((k * 37) % 90)).collect();
    let mut best = members.clone();
    best.push(0.0);
    let worse: Vec<f64> = members
        .iter()
        .enumerate()
        .map(|(k, m)| m + 1.0 + 0.01 * k as f64)
        .collect();
    let better: Vec<f64> = members.iter().map(|m| m - 1.0).collect();
    let at = |trace: &[f64]| {
        pruned_at(
            study(Direction::Minimize, &[best.clone()], WilcoxonPruner::new(0.1)),
            trace,
        )
    };
    // 2⁻⁴ is the first p-value below 0.1 that all-worse pairs have.
    assert_eq!(at(&worse).first(), Some(&3));
    assert_eq!(at(&better), [0; 0]);
    assert_eq!(at(&members), [0; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Minimising a trace is maximising its mirror image, whatever the pruner.
    #[test]
    fn pruners_know_no_preferred_direction(
        traces in prop::collection::vec(prop::collection::vec(-5.0f64..5.0, 6), 5..9),
        own in prop::collection::vec(prop_oneof![Just(f64::NAN), -5.0f64..5.0], 6),
    ) {
        let mirrored = |traces: &[Vec<f64>]| -> Vec<Vec<f64>> {
            traces.iter().map(|t| t.iter().map(|v| -v).collect()).collect()
        };
        let down = |pruner| pruned_at(study(Direction::Minimize, &traces, Shared(pruner)), &own);
        let back = mirrored(std::slice::from_ref(&own)).remove(0);
        let up = |pruner| pruned_at(study(Direction::Maximize, &mirrored(&traces), Shared(pruner)), &back);
        for pruner in PRUNERS {
            prop_assert_eq!(down(pruner), up(pruner));
        }
    }

    /// A trial that is the best everywhere is never given up.
    #[test]
    fn the_best_is_never_given_up(traces in prop::collection::vec(prop::collection::vec(0.0f64..5.0, 6), 5..9)) {
        let own: Vec<f64> = (0..6).map(|k| -f64::from(k) - 1.0).collect();
        for pruner in PRUNERS {
            prop_assert_eq!(pruned_at(study(Direction::Minimize, &traces, Shared(pruner)), &own), Vec::<usize>::new());
        }
    }
}

/// Makes a pruner.
type Make = fn() -> Box<dyn Pruner>;

const PRUNERS: [Make; 5] = [
    || Box::new(PercentilePruner::new(25.0)),
    || Box::new(PercentilePruner::median()),
    || Box::new(PatientPruner::around(PercentilePruner::median(), 1)),
    || Box::new(SuccessiveHalvingPruner::new(1).with_reduction_factor(2)),
    || Box::new(WilcoxonPruner::new(0.2)),
];

#[derive(Debug)]
struct Shared(Make);

impl Pruner for Shared {
    fn should_prune(&self, context: &modelops_optimization::PruningContext<'_>) -> bool {
        self.0().should_prune(context)
    }
}

#[test]
fn a_pruned_trial_keeps_its_values() {
    let mut study = study(Direction::Minimize, &[], PercentilePruner::median());
    let trial = study.ask().unwrap();
    study.report(trial.number(), 4, 2.5).unwrap();
    study.tell(trial.number(), Outcome::Pruned).unwrap();
    assert_eq!(study.trials()[0].intermediate(), [(4, 2.5)]);
    assert!(study.best_trial().is_none());
}
