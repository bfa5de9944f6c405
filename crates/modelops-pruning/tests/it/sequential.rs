//! Sequential selection against fits from scratch.

use modelops_pruning::FeatureError;
use modelops_pruning::features::{Direction, Samples, Sequential, Target};
use modelops_testkit::tolerance::{NEIGHBOUR_MEAN, PRINTED_STATISTIC, close};
use ndarray::{Array2, Axis, array, concatenate};
use proptest::prelude::*;

use super::elimination::{fit, table};
use super::filters::chain;

/// Mean R² over neighbouring folds, each fitted anew on the other rows.
fn refitted(x: &Array2<f64>, y: &[f64], set: &[usize], folds: usize) -> f64 {
    let rows = y.len();
    let (mut start, mut sum) = (0, 0.0);
    for fold in 0..folds {
        let length = rows / folds + usize::from(fold < rows % folds);
        let inside: Vec<usize> = (start..start + length).collect();
        let outside: Vec<usize> = (0..rows).filter(|i| !inside.contains(i)).collect();
        start += length;
        let (beta, intercept) = fit(x, y, &outside, set);
        let mean = inside.iter().map(|i| y[*i]).sum::<f64>() / length as f64;
        let guess = |i: usize| intercept + set.iter().zip(&beta).map(|(j, b)| b * x[[i, *j]]).sum::<f64>();
        let left: f64 = inside.iter().map(|i| (y[*i] - guess(*i)).powi(2)).sum();
        let all: f64 = inside.iter().map(|i| (y[*i] - mean).powi(2)).sum();
        sum += 1.0 - left / all;
    }
    sum / folds as f64
}

#[test]
fn the_sets_of_scikit_learn() {
    let (x, y, _) = chain();
    let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
    let nested = [
        (vec![0], 0.5126329976898856),
        (vec![0, 4], 0.7502404448862058),
        (vec![0, 4, 8], 0.8057525579792568),
        (vec![0, 3, 4, 8], 0.8056963449201383),
        (vec![0, 3, 4, 5, 8], 0.8055246578218915),
        (vec![0, 1, 3, 4, 5, 8], 0.8052704398945905),
        (vec![0, 1, 3, 4, 5, 6, 8], 0.8044322598917028),
        (vec![0, 1, 3, 4, 5, 6, 7, 8], 0.8027500535945015),
        (vec![0, 1, 3, 4, 5, 6, 7, 8, 9], 0.8008446160018841),
    ];
    for (set, score) in &nested {
        for direction in [Direction::Forward, Direction::Backward] {
            let found = Sequential::new(set.len())
                .with_direction(direction)
                .fit(&samples)
                .unwrap();
            assert_eq!(found.selected(), set.as_slice());
            assert!(close(found.steps().last().unwrap().1, *score, PRINTED_STATISTIC));
        }
    }
    let best = [0, 4, 8];
    let forward = Sequential::new(9).with_tolerance(1e-3).fit(&samples).unwrap();
    assert_eq!(forward.selected(), best);
    for tolerance in [-1e-3, 1e-9] {
        let backward = Sequential::new(1)
            .with_direction(Direction::Backward)
            .with_tolerance(tolerance);
        assert_eq!(backward.fit(&samples).unwrap().selected(), best);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Every step takes the best neighbour, whose score is that of a fit from scratch; a model of the caller's finds the same.
    #[test]
    fn every_step_is_the_best(seed in 1_u64..1 << 40, folds in 2_usize..6, keep in 1_usize..7, back: bool, offset in 0.0_f64..100.0) {
        let (x, y) = table(47, 7, seed);
        let direction = if back { Direction::Backward } else { Direction::Forward };
        let sequential = Sequential::new(keep).with_folds(folds).with_direction(direction);
        let moved = x.mapv(|v| v + offset);
        let found = sequential.fit(&Samples::all(moved.view(), Target::Values(&y)).unwrap()).unwrap();
        let mut set: Vec<usize> = if back { (0..7).collect() } else { Vec::new() };
        let toggled = |set: &[usize], j: usize| -> Vec<usize> {
            (0..7).filter(|k| (*k == j) != set.contains(k)).collect()
        };
        for (feature, score) in found.steps() {
            let open: Vec<usize> = (0..7).filter(|j| set.contains(j) == back).collect();
            let best = open.iter().map(|j| refitted(&x, &y, &toggled(&set, *j), folds)).fold(f64::NEG_INFINITY, f64::max);
            set = toggled(&set, *feature);
            prop_assert!(close(*score, refitted(&x, &y, &set, folds), NEIGHBOUR_MEAN));
            prop_assert!(close(*score, best, NEIGHBOUR_MEAN));
        }
        prop_assert_eq!(found.selected(), set.as_slice());
        prop_assert_eq!(set.len(), keep);
        let asked = sequential.fit_by(7, |set| Ok::<_, FeatureError>(refitted(&x, &y, set, folds))).unwrap();
        prop_assert_eq!(asked.selected(), found.selected());
    }
}

#[test]
fn repeated_and_constant_features_come_last() {
    let (x, y) = table(40, 3, 5);
    let constant = Array2::from_elem((40, 1), 1e8 + 0.1);
    let all = concatenate(Axis(1), &[constant.view(), x.view(), x.view()]).unwrap();
    let samples = Samples::all(all.view(), Target::Values(&y)).unwrap();
    let found = Sequential::new(7).fit(&samples).unwrap();
    assert_eq!(found.selected(), [0, 1, 2, 3, 4, 5, 6]);
    // One of each that are the same.
    let mut first: Vec<usize> = found.steps()[..3].iter().map(|(j, _)| (j + 2) % 3).collect();
    first.sort_unstable();
    assert_eq!(first, [0, 1, 2]);
    assert!(found.steps()[3..].windows(2).all(|pair| pair[0].1 == pair[1].1));
    assert_eq!(
        Sequential::new(1)
            .with_direction(Direction::Backward)
            .fit(&samples),
        Err(FeatureError::Collinear { column: 4 })
    );
    let with_constant = concatenate(Axis(1), &[constant.view(), x.view()]).unwrap();
    let samples = Samples::all(with_constant.view(), Target::Values(&y)).unwrap();
    let found = Sequential::new(3)
        .with_direction(Direction::Backward)
        .fit(&samples)
        .unwrap();
    assert_eq!(found.selected().len(), 3);
}

#[test]
fn selections_that_say_nothing_are_refused() {
    let (x, y) = table(20, 4, 3);
    let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
    let parameter = |name| Err(FeatureError::Parameter { name });
    assert_eq!(Sequential::new(0).fit(&samples), parameter("keep"));
    assert_eq!(Sequential::new(1).with_folds(1).fit(&samples), parameter("folds"));
    assert_eq!(
        Sequential::new(1).with_folds(21).fit(&samples),
        parameter("folds")
    );
    assert_eq!(
        Sequential::new(1).with_tolerance(f64::NAN).fit(&samples),
        parameter("tolerance")
    );
    let nothing = |_: &[usize]| Ok::<_, FeatureError>(f64::NAN);
    assert_eq!(
        Sequential::new(1).fit_by(0, nothing),
        Err(FeatureError::NoFeatures)
    );
    assert!(
        Sequential::new(1)
            .fit_by(3, nothing)
            .unwrap()
            .selected()
            .is_empty()
    );
    assert_eq!(Sequential::new(9).fit(&samples).unwrap().selected(), [0, 1, 2, 3]);
    let classes = [0; 20];
    let classes = Samples::all(x.view(), Target::Classes(&classes)).unwrap();
    assert_eq!(
        Sequential::new(1).fit(&classes),
        Err(FeatureError::TargetKind { needed: "values" })
    );
    let short = array![[1.0, 2.0], [3.0, 5.0], [2.0, 2.0]];
    let short = Samples::all(short.view(), Target::Values(&[1.0, 2.0, 0.0])).unwrap();
    assert_eq!(
        Sequential::new(2).with_folds(3).fit(&short),
        Err(FeatureError::TooFewRows { needed: 3, found: 2 })
    );
    // Held-out rows whose target does not vary have R² = 0, as in elimination.
    let flat = Samples::all(x.view(), Target::Values(&[1.0; 20])).unwrap();
    assert_eq!(
        Sequential::new(2).fit(&flat).unwrap().steps(),
        [(0, 0.0), (1, 0.0)]
    );
}
