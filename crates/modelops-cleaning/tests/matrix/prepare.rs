//! What is learned and kept: sequences and groups against pandas, forests against scikit-learn, state in files.

use std::num::NonZeroUsize;

use modelops_cleaning::{
    Dataset, FitError, FittedPreparation, Gap, GroupImputer, IsolationForest, IterativeImputer, KnnImputer,
    OutlierFences, OutlierMethod, Preparation, Scaler, SequenceImputer, SimpleImputer, Split, StateError,
    Strategy, Train, Transformer,
};
use modelops_testkit::tolerance::{MANY_TREES, NEIGHBOUR_MEAN, close};
use ndarray::{Array2, s};
use proptest::prelude::*;

use crate::impute::{DIRTY, filled};

const FORWARD: [f64; 14] = [
    12.562, -4.969, -4.287, -4.969, -2.559, 2.222, 2.222, 7.22, -0.08, -5.33, -1.337, -1.337, 12.377, -3.38,
];
const BACKWARD_ONE: [f64; 14] = [
    8.482,
    f64::NAN,
    2.127,
    -2.863,
    7.504,
    f64::NAN,
    -2.162,
    -6.09,
    -0.171,
    -5.082,
    f64::NAN,
    -0.117,
    9.819,
    f64::NAN,
];
const LINEAR: [f64; 14] = [
    10.521999999999998,
    -4.267,
    -1.08,
    -3.5650000000000004,
    2.4724999999999993,
    0.7606666666666666,
    -0.7006666666666668,
    0.5650000000000004,
    -0.1255,
    -5.2059999999999995,
    -0.9303333333333332,
    -0.5236666666666666,
    11.098,
    f64::NAN,
];
const FORWARD_GROUPED: [f64; 14] = [
    f64::NAN,
    f64::NAN,
    f64::NAN,
    -4.623,
    0.445,
    -1.222,
    -1.201,
    -3.812,
    -1.865,
    -0.916,
    -2.585,
    -1.435,
    11.391,
    -3.474,
];
const LINEAR_GROUPED_ONE: [f64; 14] = [
    f64::NAN,
    f64::NAN,
    f64::NAN,
    -3.8475,
    -1.6834999999999998,
    -1.5434999999999999,
    0.6990000000000001,
    -3.7835,
    -1.65,
    -2.162,
    -1.87,
    f64::NAN,
    f64::NAN,
    f64::NAN,
];
const GROUP_MEAN: [f64; 14] = [
    10.81157142857143,
    -3.2260000000000004,
    -2.182,
    -3.568857142857143,
    -2.182,
    -1.1252,
    -0.0727142857142856,
    -2.182,
    -1.1252,
    -3.1598571428571427,
    -0.6581428571428571,
    -1.1252,
    10.75357142857143,
    -3.2260000000000004,
];
const GROUP_MEDIAN: [f64; 14] = [
    11.697,
    -3.1710000000000003,
    -2.641,
    -3.51,
    -2.641,
    -1.399,
    -0.171,
    -2.641,
    -1.399,
    -3.38,
    -0.516,
    -1.399,
    11.391,
    -3.1710000000000003,
];

fn train(x: Array2<f64>) -> Split<Train> {
    let labels = vec![0; x.nrows()];
    Split::declare(Dataset::try_new(x, labels, vec!["only".into()]).unwrap())
}

/// The dirty matrix behind a feature that groups rows by threes.
fn grouped() -> Split<Train> {
    train(Array2::from_shape_fn(
        (DIRTY.len(), 5),
        |(row, feature)| match feature {
            0 => (row % 3) as f64,
            _ => DIRTY[row][feature - 1],
        },
    ))
}

fn same(ours: &Split<Train>, theirs: &[f64]) {
    let ours = filled(ours.x().slice(s![.., 1..]));
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        let equal = close(*ours, *theirs, NEIGHBOUR_MEAN) || ours.is_nan() && theirs.is_nan();
        assert!(equal, "{ours} {theirs}");
    }
}

#[test]
fn gaps_are_filled_as_pandas_fills_them() {
    let one = NonZeroUsize::new(1).unwrap();
    for (imputer, values) in [
        (SequenceImputer::new(Gap::Forward), FORWARD),
        (SequenceImputer::new(Gap::Backward).with_limit(one), BACKWARD_ONE),
        (SequenceImputer::new(Gap::Linear), LINEAR),
        (SequenceImputer::new(Gap::Forward).within(0), FORWARD_GROUPED),
        (
            SequenceImputer::new(Gap::Linear).with_limit(one).within(0),
            LINEAR_GROUPED_ONE,
        ),
    ] {
        same(&imputer.transform(&grouped()).unwrap(), &values);
    }
}

#[test]
fn groups_are_filled_as_pandas_fills_them() {
    for (strategy, values) in [(Strategy::Mean, GROUP_MEAN), (Strategy::Median, GROUP_MEDIAN)] {
        let fitted = GroupImputer::new(strategy, [0]).unwrap().fit(&grouped()).unwrap();
        assert_eq!(fitted.groups(), 3);
        same(&fitted.transform(&grouped()).unwrap(), &values);
    }
}

#[test]
fn an_unknown_group_gets_what_all_rows_say() {
    let x = Array2::from_shape_vec((4, 2), vec![0.0, 1.0, 0.0, 3.0, 1.0, 8.0, 2.0, f64::NAN]).unwrap();
    let fitted = GroupImputer::new(Strategy::Mean, [0])
        .unwrap()
        .fit(&train(x))
        .unwrap();
    let nan = f64::NAN;
    let part = train(Array2::from_shape_vec((4, 2), vec![-0.0, nan, 2.0, nan, 7.0, nan, nan, nan]).unwrap());
    let filled = fitted.transform(&part).unwrap();
    // A negative zero is the zero of the group; 2 has no value, 7 no row, and the last row no group.
    assert_eq!(filled.x().column(1).to_vec(), [2.0, 4.0, 4.0, 4.0]);
    assert_eq!(filled.x()[[3, 0]], 0.75);
}

#[test]
fn a_feature_that_is_not_there_is_refused() {
    let error = FitError::Feature {
        feature: 9,
        features: 5,
    };
    let groups = GroupImputer::new(Strategy::Mean, [0, 9]).unwrap();
    assert_eq!(groups.fit(&grouped()).unwrap_err(), error);
    let sequence = SequenceImputer::new(Gap::Forward).within(9);
    assert_eq!(sequence.transform(&grouped()).unwrap_err(), error);
    assert!(serde_json::from_str::<GroupImputer>(r#"{"strategy":"mean","by":[]}"#).is_err());
    assert!(serde_json::from_str::<SequenceImputer>(r#"{"gap":"forward","limit":0}"#).is_err());
}

/// Two waves, and two rows far from them.
fn waves() -> Split<Train> {
    train(Array2::from_shape_fn((120, 2), |(row, feature)| {
        let i = row as f64;
        match (row, feature) {
            (17, 0) => 6.0,
            (17, _) => -4.0,
            (90, 0) => 0.0,
            (90, _) => 7.0,
            (_, 0) => (i * 1.7).sin() + 0.1 * f64::from(row as u32 % 7),
            _ => (i * 0.9).cos() * (1.0 + 0.02 * i),
        }
    }))
}

#[test]
fn a_forest_gives_scikit_learns_scores_up_to_its_cuts() {
    let forest = IsolationForest::new(4000, 64).unwrap().fit(&waves(), 3).unwrap();
    let scores = forest.scores(&waves()).unwrap();
    for (row, theirs) in [
        (0, 0.4403),
        (17, 0.7408),
        (40, 0.4477),
        (63, 0.4904),
        (90, 0.6527),
        (119, 0.5636),
    ] {
        assert!(close(scores[row], theirs, MANY_TREES), "{} {theirs}", scores[row]);
    }
}

#[test]
fn a_forest_marks_and_separates_the_rows_planted() {
    let forest = IsolationForest::default().with_contamination(0.02).unwrap();
    let fitted = forest.fit(&waves(), 5).unwrap();
    let (inside, outside) = fitted.separate(&waves()).unwrap();
    assert_eq!(inside.rows().len() + outside.rows().len(), 120);
    assert!(outside.rows().contains(&17) && outside.rows().contains(&90) && outside.rows().len() == 3);
    let marked = fitted.transform(&waves()).unwrap();
    assert_eq!(marked.features()[2], "outlier");
    let marks: Vec<usize> = (0..120).filter(|&row| marked.x()[[row, 2]] == 1.0).collect();
    assert_eq!(marks, outside.rows());
    assert_eq!(fitted, forest.fit(&waves(), 5).unwrap());
}

#[test]
fn a_forest_refuses_what_it_cannot_cut() {
    let forest = IsolationForest::default();
    let missing = train(Array2::from_elem((3, 1), f64::NAN));
    assert_eq!(
        forest.fit(&missing, 1).unwrap_err(),
        FitError::Missing { row: 0, feature: 0 }
    );
    assert_eq!(
        forest.fit(&train(Array2::zeros((0, 2))), 1).unwrap_err(),
        FitError::Empty
    );
    assert!(forest.with_contamination(0.6).is_err() && forest.with_contamination(f64::NAN).is_err());
    assert!(IsolationForest::new(0, 1).is_err());
    // One row, equal rows, ends of the range of doubles.
    for x in [
        Array2::zeros((1, 2)),
        Array2::ones((9, 2)),
        Array2::from_shape_fn((4, 1), |(i, _)| if i % 2 == 0 { f64::MAX } else { f64::MIN }),
    ] {
        let part = train(x);
        let scores = forest.fit(&part, 1).unwrap().scores(&part).unwrap();
        assert!(scores.iter().all(|s| *s > 0.0 && *s <= 1.0), "{scores:?}");
    }
}

/// Every kind of transformer at once.
fn everything() -> Preparation {
    Preparation::new()
        .step(Transformer::Sequence(
            SequenceImputer::new(Gap::Linear).with_limit(NonZeroUsize::MIN),
        ))
        .step(Transformer::Fences(
            OutlierFences::clip(OutlierMethod::Mad(3.0)).unwrap(),
        ))
        .step(Transformer::Knn(KnnImputer::new(2).unwrap()))
        .step(Transformer::Iterative(IterativeImputer::default()))
        .step(Transformer::Group(
            GroupImputer::new(Strategy::Median, [0]).unwrap(),
        ))
        .step(Transformer::Simple(SimpleImputer::mode().with_indicators(true)))
        .step(Transformer::Forest(IsolationForest::new(20, 16).unwrap(), 9))
        .step(Transformer::Fences(
            OutlierFences::mark(OutlierMethod::ZScore(2.0)).unwrap(),
        ))
        .step(Transformer::Scale(Scaler::robust()))
}

#[test]
fn state_comes_back_to_the_bit_and_only_for_its_preparation_and_training_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    let fitted = everything().fit(&grouped()).unwrap();
    fitted.save(&path).unwrap();
    let loaded = FittedPreparation::load(&path, &everything()).unwrap();
    // As text: the training part that neighbours are looked for in has missing values, and no NaN equals another.
    assert_eq!(loaded.to_json(), fitted.to_json());
    assert_eq!(
        loaded.transform(&grouped()).unwrap(),
        fitted.transform(&grouped()).unwrap()
    );
    loaded.check_training(&grouped()).unwrap();
    assert_eq!(loaded.check_training(&waves()), Err(StateError::OtherTraining));
    let other = everything().step(Transformer::Scale(Scaler::min_max()));
    assert_eq!(
        FittedPreparation::load(&path, &other),
        Err(StateError::OtherPreparation)
    );
    let missing = FittedPreparation::load(folder.path().join("none"), &other);
    assert_eq!(
        missing,
        Err(StateError::Io {
            kind: std::io::ErrorKind::NotFound
        })
    );
    std::fs::write(&path, b"\xff\xfe").unwrap();
    assert_eq!(FittedPreparation::load(&path, &other), Err(StateError::Damaged));
}

#[test]
fn state_that_was_cut_short_or_changed_is_refused() {
    let preparation = Preparation::new()
        .step(Transformer::Simple(SimpleImputer::mean()))
        .step(Transformer::Scale(Scaler::standard()));
    let text = preparation.fit(&grouped()).unwrap().to_json();
    for end in 0..text.len() {
        assert!(FittedPreparation::from_json(&text[..end], &preparation).is_err());
    }
    let (head, steps) = text.split_once("\"steps\":").unwrap();
    for (at, digit) in steps
        .bytes()
        .enumerate()
        .filter(|(_, byte)| byte.is_ascii_digit())
    {
        let mut changed = steps.to_owned();
        changed.replace_range(at..=at, if digit == b'1' { "2" } else { "1" });
        let changed = format!("{head}\"steps\":{changed}");
        assert_eq!(
            FittedPreparation::from_json(&changed, &preparation),
            Err(StateError::Damaged)
        );
    }
    let newer = text.replacen("\"version\":1", "\"version\":2", 1);
    assert_eq!(
        FittedPreparation::from_json(&newer, &preparation),
        Err(StateError::Version { found: 2 })
    );
}

proptest! {
    /// Law: what is filled in forward lies in the gap's past, and a second time nothing changes.
    #[test]
    fn filling_twice_is_filling_once(
        cells in proptest::collection::vec(proptest::option::of(-9i8..9), 1..40),
        limit in 1usize..4,
    ) {
        let x: Vec<f64> = cells.iter().map(|c| c.map_or(f64::NAN, f64::from)).collect();
        let part = train(Array2::from_shape_vec((x.len(), 1), x.clone()).unwrap());
        let limit = NonZeroUsize::new(limit).unwrap();
        let filled = SequenceImputer::new(Gap::Forward).with_limit(limit).transform(&part).unwrap();
        // The slow oracle: look back row by row.
        for (row, &value) in filled.x().column(0).iter().enumerate() {
            let past = (0..=row).rev().take(limit.get() + 1).map(|i| x[i]).find(|v| !v.is_nan());
            prop_assert_eq!(past.is_some(), !value.is_nan());
            prop_assert!(past.is_none_or(|past| past == value));
        }
        let all = SequenceImputer::new(Gap::Forward);
        let once = all.transform(&part).unwrap();
        let twice = all.transform(&once).unwrap();
        prop_assert!(once.x().iter().zip(twice.x()).all(|(a, b)| a == b || a.is_nan() && b.is_nan()));
    }

    /// Law: a test row changes nothing of what was learned, and one training row changes the fingerprint.
    #[test]
    fn every_bit_of_the_training_part_counts(row in 0usize..24, feature in 0usize..5, by in 1i8..9) {
        let preparation = Preparation::new().step(Transformer::Simple(SimpleImputer::mean()));
        let fitted = preparation.fit(&grouped()).unwrap();
        let mut x = grouped().x().to_owned();
        x[[row, feature]] = if x[[row, feature]].is_nan() { 0.0 } else { x[[row, feature]] + f64::from(by) };
        prop_assert_eq!(fitted.check_training(&train(x)), Err(StateError::OtherTraining));
    }
}
