//! Recursive elimination against fits from scratch.

use modelops_linalg::Qr;
use modelops_pruning::FeatureError;
use modelops_pruning::features::{Rfe, RfeCv, Samples, Target};
use modelops_testkit::pruning::congruential;
use modelops_testkit::tolerance::{NEIGHBOUR_MEAN, close};
use ndarray::{Array1, Array2, Axis, array};
use proptest::prelude::*;

/// Coefficients and intercept of a least-squares fit on some rows and columns, by an orthogonal factorization.
pub(crate) fn fit(x: &Array2<f64>, y: &[f64], rows: &[usize], columns: &[usize]) -> (Vec<f64>, f64) {
    let mut design = Array2::ones((rows.len(), columns.len() + 1));
    for (i, row) in rows.iter().enumerate() {
        for (j, column) in columns.iter().enumerate() {
            design[[i, j]] = x[[*row, *column]];
        }
    }
    let target: Array1<f64> = rows.iter().map(|row| y[*row]).collect();
    let solution = Qr::new(design.view())
        .unwrap()
        .least_squares_vec(target.view())
        .unwrap();
    (
        solution.iter().take(columns.len()).copied().collect(),
        solution[columns.len()],
    )
}

/// Ranking and the sets on the way, with a fit from scratch for every step.
fn by_refitting(
    x: &Array2<f64>,
    y: &[f64],
    rows: &[usize],
    keep: usize,
    step: usize,
) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut active: Vec<usize> = (0..x.ncols()).collect();
    let (mut gone, mut sets) = (Vec::new(), vec![active.clone()]);
    while active.len() > keep {
        let (beta, _) = fit(x, y, rows, &active);
        let mut order: Vec<usize> = (0..active.len()).collect();
        order.sort_by(|a, b| beta[*a].powi(2).total_cmp(&beta[*b].powi(2)));
        let out: Vec<usize> = order
            .into_iter()
            .take(step.min(active.len() - keep))
            .map(|i| active[i])
            .collect();
        active.retain(|j| !out.contains(j));
        gone.push(out);
        sets.push(active.clone());
    }
    let mut ranking = vec![1; x.ncols()];
    for (round, out) in gone.iter().enumerate() {
        out.iter().for_each(|j| ranking[*j] = gone.len() + 1 - round);
    }
    (ranking, sets)
}

/// Correlated columns, some with an offset, and a target that depends on a few.
pub(crate) fn table(rows: usize, columns: usize, seed: u64) -> (Array2<f64>, Vec<f64>) {
    let mut x = Array2::from_shape_vec((rows, columns), congruential(rows * columns, seed)).unwrap();
    for j in 1..columns {
        for i in 0..rows {
            x[[i, j]] += 0.5 * x[[i, j - 1]];
        }
    }
    let noise = congruential(rows, seed ^ 0x5555);
    let y = (0..rows)
        .map(|i| 3.0 * x[[i, 0]] - 2.0 * x[[i, columns / 2]] + x[[i, columns - 1]] + 0.3 * noise[i])
        .collect();
    (x, y)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Downdating ranks as refitting does, for any step, and whatever offset the columns have.
    #[test]
    fn downdating_ranks_as_refitting(seed in 1_u64..1 << 40, keep in 1_usize..5, step in 1_usize..4, offset in 0.0_f64..100.0) {
        let (x, y) = table(60, 12, seed);
        let rows: Vec<usize> = (0..60).collect();
        let (ranking, sets) = by_refitting(&x, &y, &rows, keep, step);
        let moved = x.mapv(|v| v + offset);
        let found = Rfe::new(keep).with_step(step).fit(&Samples::all(moved.view(), Target::Values(&y)).unwrap()).unwrap();
        prop_assert_eq!(found.ranking(), ranking.as_slice());
        let last = sets.last().unwrap();
        prop_assert_eq!(found.selected(), last.as_slice());
        for (ours, theirs) in found.coefficients().iter().zip(fit(&x, &y, &rows, last).0) {
            prop_assert!(close(*ours, theirs, NEIGHBOUR_MEAN), "{ours} {theirs}");
        }
    }

    /// Scores of folds are those of fits on the other rows, and the best mean decides.
    #[test]
    fn folds_are_held_out(seed in 1_u64..1 << 40, folds in 2_usize..6) {
        let (x, y) = table(47, 6, seed);
        let found = RfeCv::new(folds).fit(&Samples::all(x.view(), Target::Values(&y)).unwrap()).unwrap();
        let mut expected = [0.0; 6];
        let mut start = 0;
        for fold in 0..folds {
            let length = 47 / folds + usize::from(fold < 47 % folds);
            let inside: Vec<usize> = (start..start + length).collect();
            let outside: Vec<usize> = (0..47).filter(|i| !inside.contains(i)).collect();
            start += length;
            let mean = inside.iter().map(|i| y[*i]).sum::<f64>() / length as f64;
            for set in by_refitting(&x, &y, &outside, 1, 1).1 {
                let (beta, intercept) = fit(&x, &y, &outside, &set);
                let guess = |i: usize| intercept + set.iter().zip(&beta).map(|(j, b)| b * x[[i, *j]]).sum::<f64>();
                let left: f64 = inside.iter().map(|i| (y[*i] - guess(*i)).powi(2)).sum();
                let all: f64 = inside.iter().map(|i| (y[*i] - mean).powi(2)).sum();
                expected[set.len() - 1] += (1.0 - left / all) / folds as f64;
            }
        }
        for ((count, ours), (index, theirs)) in found.scores().iter().zip(expected.iter().enumerate()) {
            prop_assert_eq!(*count, index + 1);
            prop_assert!(close(*ours, *theirs, NEIGHBOUR_MEAN), "{ours} {theirs}");
        }
        let best = (0..6).fold(0, |best, i| if found.scores()[i].1 > found.scores()[best].1 { i } else { best });
        prop_assert_eq!(found.selected().len(), best + 1);
    }
}

#[test]
fn regressions_that_say_nothing_are_refused() {
    let (x, y) = table(20, 4, 3);
    let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
    assert_eq!(
        Rfe::new(0).fit(&samples),
        Err(FeatureError::Parameter { name: "keep" })
    );
    assert_eq!(
        Rfe::new(1).with_step(0).fit(&samples),
        Err(FeatureError::Parameter { name: "step" })
    );
    assert_eq!(
        RfeCv::new(1).fit(&samples),
        Err(FeatureError::Parameter { name: "folds" })
    );
    assert_eq!(
        RfeCv::new(21).fit(&samples),
        Err(FeatureError::Parameter { name: "folds" })
    );
    assert_eq!(
        Rfe::new(9).fit(&samples).unwrap().ranking(),
        [1; 4],
        "all are kept"
    );
    let twice = ndarray::concatenate(Axis(1), &[x.view(), x.view()]).unwrap();
    let twice = Samples::all(twice.view(), Target::Values(&y)).unwrap();
    assert_eq!(
        Rfe::new(1).fit(&twice),
        Err(FeatureError::Collinear { column: 4 })
    );
    let classes = [0; 20];
    let classes = Samples::all(x.view(), Target::Classes(&classes)).unwrap();
    assert_eq!(
        Rfe::new(1).fit(&classes),
        Err(FeatureError::TargetKind { needed: "values" })
    );
    let short = array![[1.0, 2.0], [3.0, 5.0]];
    let short = Samples::all(short.view(), Target::Values(&[1.0, 2.0])).unwrap();
    assert_eq!(
        Rfe::new(1).fit(&short),
        Err(FeatureError::TooFewRows { needed: 3, found: 2 })
    );
    // A constant tells nothing and goes first.
    let constant = Array2::from_shape_fn((20, 2), |(i, j)| if j == 0 { 1e8 + 0.1 } else { x[[i, 0]] });
    let constant = Samples::all(constant.view(), Target::Values(&y)).unwrap();
    assert_eq!(Rfe::new(1).fit(&constant).unwrap().ranking(), [2, 1]);
}
