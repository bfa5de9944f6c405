//! `ReliefF` against its definition.

use modelops_pruning::FeatureError;
use modelops_pruning::features::{FClassif, ReliefF, Samples, ScoreFunction, Target};
use modelops_testkit::pruning::congruential;
use modelops_testkit::tolerance::{REORDERED_SUM, close};
use ndarray::{Array2, array};
use proptest::prelude::*;

/// One feature at a time, all neighbours sorted anew for every class of every row. Values are 0 to 4, and each occurs.
fn by_definition(x: &Array2<f64>, classes: &[usize], k: usize) -> Vec<f64> {
    let n = x.nrows();
    let d = |f: usize, i: usize, j: usize| (x[[i, f]] - x[[j, f]]).abs() / 4.0;
    let mean = |f: usize, i: usize, class: usize| {
        let mut near: Vec<usize> = (0..n).filter(|j| *j != i && classes[*j] == class).collect();
        // Quarters add up exactly, and a stable sort keeps the earlier row first.
        near.sort_by_key(|j| ((0..x.ncols()).map(|g| d(g, i, *j)).sum::<f64>() * 4.0) as u32);
        near.truncate(k);
        let sum: f64 = near.iter().map(|j| d(f, i, *j)).sum();
        if near.is_empty() {
            0.0
        } else {
            sum / near.len() as f64
        }
    };
    let share = |class: usize| classes.iter().filter(|c| **c == class).count() as f64 / n as f64;
    let of_row = |f: usize, i: usize| {
        let own = classes[i];
        let misses: f64 = (0..3)
            .filter(|class| *class != own)
            .map(|class| share(class) / (1.0 - share(own)) * mean(f, i, class))
            .sum();
        misses - mean(f, i, own)
    };
    (0..x.ncols())
        .map(|f| (0..n).map(|i| of_row(f, i)).sum::<f64>() / n as f64)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Weights are those of the definition, lie between −1 and 1, and do not mind units and offsets.
    #[test]
    fn weights_are_those_of_the_definition(
        rows in proptest::collection::vec((proptest::collection::vec(0_u8..5, 4), 0_usize..3), 3..30),
        k in 1_usize..8,
    ) {
        let n = rows.len() + 2;
        let x = Array2::from_shape_fn((n, 4), |(i, j)| match i {
            0 => 0.0,
            1 => 4.0,
            i => f64::from(rows[i - 2].0[j]),
        });
        let classes: Vec<usize> = (0..n).map(|i| if i < 2 { i } else { rows[i - 2].1 }).collect();
        let score = |x: &Array2<f64>| {
            let samples = Samples::all(x.view(), Target::Classes(&classes)).unwrap();
            ReliefF::new(k).score(&samples).unwrap().statistics().to_vec()
        };
        let found = score(&x);
        for (found, expected) in found.iter().zip(by_definition(&x, &classes, k)) {
            prop_assert!(close(*found, expected, REORDERED_SUM), "{found} {expected}");
            prop_assert!(found.abs() <= 1.0 + REORDERED_SUM);
        }
        prop_assert_eq!(score(&x.mapv(|x| 4096.0 * x - 64.0)), found);
    }
}

/// Whether two signs agree decides the class: neither sign alone tells anything, and the third column is noise.
#[test]
fn features_that_only_matter_together_are_found() {
    let x = Array2::from_shape_vec((400, 3), congruential(1200, 5)).unwrap();
    let classes: Vec<usize> = (0..400)
        .map(|i| usize::from(x[[i, 0]] * x[[i, 1]] > 0.0))
        .collect();
    let samples = Samples::all(x.view(), Target::Classes(&classes)).unwrap();
    let weights = ReliefF::default().score(&samples).unwrap();
    let w = weights.statistics();
    assert!(w[0] > 0.05 && w[1] > 0.05 && w[2] < 0.0, "{w:?}");
    let f = FClassif.score(&samples).unwrap();
    let significant = |j: usize| f.ln_p_values().unwrap()[j] < 0.001_f64.ln();
    assert!(!significant(0) && !significant(1));
}

#[test]
fn relief_refuses_what_means_nothing() {
    let x = array![[f64::MAX, 5.0], [f64::MIN, 5.0], [0.0, 5.0]];
    let samples = Samples::all(x.view(), Target::Classes(&[0, 1, 0])).unwrap();
    let wrong = ReliefF::new(0).score(&samples);
    assert_eq!(wrong, Err(FeatureError::Parameter { name: "neighbors" }));
    // The widest range there is, a constant, and a class of one row: scaled 1, 0, 0.5.
    let scores = ReliefF::default().score(&samples).unwrap();
    let expected = ((1.0 - 0.5) + (0.75 - 0.0) + (0.5 - 0.5)) / 3.0;
    assert!(close(scores.statistics()[0], expected, REORDERED_SUM));
    assert_eq!(scores.statistics()[1], 0.0);
    let one = Samples::all(x.view(), Target::Classes(&[2; 3])).unwrap();
    assert_eq!(ReliefF::default().score(&one), Err(FeatureError::OneClass));
    let values = Samples::all(x.view(), Target::Values(&[0.0; 3])).unwrap();
    let kind = FeatureError::TargetKind { needed: "classes" };
    assert_eq!(ReliefF::default().score(&values), Err(kind));
    let hole = array![[1.0], [f64::NAN]];
    let hole = Samples::all(hole.view(), Target::Classes(&[0, 1])).unwrap();
    let wrong = FeatureError::NonFinite { row: 1, column: 0 };
    assert_eq!(ReliefF::default().score(&hole), Err(wrong));
}
