//! Sharing sparsity out over tensors.

use modelops_pruning::AllocationError;
use modelops_pruning::weights::allocate::{ErrorCurve, knapsack, outlier_ratio, owl};
use modelops_pruning::weights::{Gram, Sparsity};
use modelops_testkit::tolerance::{REORDERED_SUM, close};
use ndarray::array;
use proptest::prelude::*;

fn share(x: f64) -> Sparsity {
    Sparsity::try_new(x).unwrap()
}

/// The least loss over every choice of one level a tensor.
fn by_trial(curves: &[ErrorCurve], needed: u64) -> f64 {
    let Some((first, rest)) = curves.split_first() else {
        return if needed == 0 { 0.0 } else { f64::INFINITY };
    };
    let one = |(sparsity, error): &(Sparsity, f64)| {
        let zeros = sparsity.count(first.weights);
        first.sensitivity * error + by_trial(rest, needed.saturating_sub(zeros))
    };
    first.levels.iter().map(one).fold(f64::INFINITY, f64::min)
}

fn curves() -> impl Strategy<Value = Vec<ErrorCurve>> {
    let level = (0.0_f64..=1.0, prop_oneof![0.0_f64..1.0, Just(0.25)]).prop_map(|(s, e)| (share(s), e));
    let curve = (1_u64..300, 0.0_f64..3.0, proptest::collection::vec(level, 1..6)).prop_map(
        |(weights, sensitivity, levels)| ErrorCurve {
            weights,
            sensitivity,
            levels,
        },
    );
    proptest::collection::vec(curve, 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// No choice of levels is better, however crooked the curves; and the relaxation never promises too little.
    #[test]
    fn the_knapsack_is_exact(curves in curves(), target in 0.0_f64..=1.0) {
        let needed = share(target).count(curves.iter().map(|c| c.weights).sum());
        let best = by_trial(&curves, needed);
        match knapsack(&curves, share(target)) {
            Ok(found) => {
                prop_assert!(close(found.loss, best, REORDERED_SUM), "{} {best}", found.loss);
                prop_assert!(found.zeros >= needed);
                prop_assert!(found.bound <= found.loss + REORDERED_SUM);
                let zeros: u64 = found.sparsities.iter().zip(&curves).map(|(s, c)| s.count(c.weights)).sum();
                prop_assert_eq!(zeros, found.zeros);
            }
            Err(AllocationError::OutOfReach { most, needed }) => {
                prop_assert!(most < needed);
                prop_assert!(best.is_infinite());
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    /// The whole meets the target where nothing is cut off, and more outliers never mean more zeros.
    #[test]
    fn owl_meets_its_target(ratios in proptest::collection::vec(0.0_f64..0.3, 1..9), seed in 0_u64..50) {
        let weights: Vec<u64> = (0..ratios.len() as u64).map(|i| 1_000 * (1 + (i * 7 + seed) % 5)).collect();
        let found = owl(&ratios, &weights, share(0.6), 0.08).unwrap();
        let all: f64 = weights.iter().map(|n| *n as f64).sum();
        let zeros: f64 = found.iter().zip(&weights).map(|(s, n)| s.value() * *n as f64).sum();
        prop_assert!(close(zeros / all, 0.6, REORDERED_SUM));
        for i in 0..ratios.len() {
            for j in 0..ratios.len() {
                prop_assert!(ratios[i] > ratios[j] || found[i] >= found[j]);
            }
        }
    }
}

#[test]
fn outliers_are_counted_against_the_mean() {
    let gram = Gram::from_sum(array![[1.0, 0.0], [0.0, 4.0]], 1).unwrap();
    // Saliencies 1, 2, 1, 20: their mean is 6.
    let ratio = outlier_ratio(array![[1.0, 1.0], [1.0, 10.0]].view(), &gram, 3.0).unwrap();
    assert_eq!(ratio.to_bits(), 0.25_f64.to_bits());
    assert!(outlier_ratio(array![[1.0, 1.0]].view(), &gram, f64::NAN).is_err());
}

#[test]
fn curves_that_say_nothing_are_refused() {
    let curve = |levels: Vec<(Sparsity, f64)>| ErrorCurve {
        weights: 10,
        sensitivity: 1.0,
        levels,
    };
    let wrong = Err(AllocationError::Curve { tensor: 1 });
    let fine = curve(vec![(share(0.5), 0.1)]);
    assert_eq!(knapsack(&[fine.clone(), curve(vec![])], share(0.1)), wrong);
    assert_eq!(
        knapsack(&[fine.clone(), curve(vec![(share(0.5), f64::NAN)])], share(0.1)),
        wrong
    );
    assert_eq!(
        knapsack(&[fine], share(0.9)),
        Err(AllocationError::OutOfReach { most: 5, needed: 9 })
    );
    assert!(knapsack(&[], share(0.5)).unwrap().sparsities.is_empty());
    assert!(owl(&[0.1], &[], share(0.5), 0.1).is_err());
    assert!(owl(&[0.1], &[1], share(0.5), 2.0).is_err());
}
