//! Resampling against imbalanced-learn 0.14.2 where nothing is drawn, and laws where something is.

use modelops_cleaning::{
    Adasyn, Agreement, BorderlineSmote, Dataset, EditedNearestNeighbours, Origin, ResampleError, Resampled,
    Smote, SmoteNc, Split, TomekLinks, Train,
};
use modelops_testkit::cleaning::nearest;
use modelops_testkit::tolerance::{REORDERED_SUM, close};
use ndarray::{Array2, Axis, array};
use proptest::prelude::*;

fn train(x: Array2<f64>, y: Vec<usize>) -> Split<Train> {
    let classes = ["a", "b", "c"].map(String::from).to_vec();
    Split::declare(Dataset::try_new(x, y, classes).unwrap())
}

/// Three classes of 62, 23 and 5 rows that overlap; the same formulas as in tests/data/README.md.
fn waves() -> Split<Train> {
    let label = |i: usize| match (i % 17, i * 7 % 11) {
        (5, _) => 2,
        (_, 0..3) => 1,
        _ => 0,
    };
    let x = Array2::from_shape_fn((90, 2), |(row, feature)| {
        let (i, y) = (row as f64, label(row));
        match feature {
            0 => {
                let moved = 0.9 * f64::from(u8::from(y == 1)) - 0.4 * f64::from(u8::from(y == 2));
                (i * 1.3).sin() + moved + 0.05 * (i * 7.1).cos()
            }
            _ => (i * 0.7).cos() * (1.0 + 0.01 * i) + 0.8 * y as f64 + 0.05 * (i * 3.3).sin(),
        }
    });
    train(x, (0..90).map(label).collect())
}

fn removed(left: &Resampled) -> Vec<usize> {
    (0..90)
        .filter(|&row| !left.origins().contains(&Origin::Row(row)))
        .collect()
}

#[test]
fn borders_are_those_of_imbalanced_learn() {
    let danger = BorderlineSmote::new(3, 10).unwrap().danger(&waves()).unwrap();
    assert_eq!(
        danger,
        [8, 19, 33, 38, 41, 49, 52, 60, 66, 71, 74, 77, 85, 5, 22, 39]
    );
    assert_eq!(
        removed(&TomekLinks.fit_resample(&waves()).unwrap()),
        [6, 19, 29, 33, 38, 41, 52, 53, 61, 81, 89]
    );
    let edited = EditedNearestNeighbours::default();
    assert_eq!(
        removed(&edited.fit_resample(&waves()).unwrap()),
        [
            0, 6, 8, 10, 12, 15, 17, 19, 21, 29, 31, 33, 34, 36, 38, 41, 43, 46, 47, 49, 52, 53, 54, 58, 60,
            61, 66, 68, 69, 70, 71, 72, 77, 80, 81, 84, 85, 89
        ]
    );
    let edited = edited.with_agreement(Agreement::Most);
    assert_eq!(
        removed(&edited.fit_resample(&waves()).unwrap()),
        [0, 8, 19, 33, 36, 38, 41, 49, 52, 60, 61, 66, 77, 85, 89]
    );
}

#[test]
fn adasyn_makes_as_many_rows_of_each_as_imbalanced_learn() {
    let train = waves();
    let made = Adasyn::new(4).unwrap().fit_resample(&train, 1).unwrap();
    let counts = |label: usize| -> Vec<usize> {
        let members = (0..90).filter(|&row| train.y()[row] == label);
        let of = |row: usize| {
            let from =
                |origin: &&Origin| matches!(origin, Origin::Between { parents: [a, _], .. } if *a == row);
            made.origins().iter().filter(from).count()
        };
        members.map(of).collect()
    };
    assert_eq!(
        counts(1),
        [
            3, 2, 1, 0, 2, 0, 0, 4, 4, 4, 0, 2, 4, 1, 3, 0, 4, 1, 0, 3, 1, 3, 0
        ]
    );
    assert_eq!(counts(2), [10, 10, 13, 13, 13]);
    assert_eq!(counts(0), [0; 62]);
}

#[test]
fn what_cannot_be_balanced_is_refused() {
    // Two clouds far apart: no border.
    let apart = || {
        train(
            Array2::from_shape_fn((12, 1), |(i, _)| if i < 8 { i as f64 } else { 900.0 + i as f64 }),
            (0..12).map(|i| usize::from(i >= 8)).collect(),
        )
    };
    let no_border = Err(ResampleError::NoBorder { class: 1 });
    assert_eq!(
        BorderlineSmote::new(2, 3).unwrap().fit_resample(&apart(), 1),
        no_border
    );
    assert_eq!(Adasyn::new(3).unwrap().fit_resample(&apart(), 1), no_border);
    let few = ResampleError::TooFewRows {
        class: 1,
        rows: 4,
        neighbours: 5,
    };
    assert_eq!(Adasyn::default().fit_resample(&apart(), 1).unwrap_err(), few);
    assert_eq!(Smote::default().fit_resample(&apart(), 1).unwrap_err(), few);
    for categories in [vec![vec![]], vec![vec![0], vec![1, 0]]] {
        assert_eq!(
            SmoteNc::new(3, categories).unwrap_err(),
            ResampleError::Categories
        );
    }
    let all = SmoteNc::new(1, [vec![0]]).unwrap();
    assert_eq!(
        all.fit_resample(&apart(), 1).unwrap_err(),
        ResampleError::Categories
    );
    let beyond = SmoteNc::new(1, [vec![7]]).unwrap();
    assert_eq!(
        beyond.fit_resample(&apart(), 1).unwrap_err(),
        ResampleError::Categories
    );
    assert!(Adasyn::new(0).is_err() && BorderlineSmote::new(1, 0).is_err());
    assert!(EditedNearestNeighbours::new(0).is_err());
    let missing = train(array![[0.0], [f64::NAN]], vec![0, 1]);
    let error = ResampleError::NotFinite { row: 1, feature: 0 };
    assert_eq!(TomekLinks.fit_resample(&missing).unwrap_err(), error);
    let one = train(array![[0.0], [1.0]], vec![0, 0]);
    assert_eq!(
        TomekLinks.fit_resample(&one).unwrap_err(),
        ResampleError::OneClass
    );
}

/// Rows of two classes on a coarse grid, so that distances are often equal, and a category of three values.
fn rows() -> impl Strategy<Value = Split<Train>> {
    proptest::collection::vec((-5i8..5, -5i8..5, 0u8..3, 0usize..2), 14..60).prop_filter_map(
        "two classes",
        |rows| {
            let few = rows.iter().filter(|row| row.3 == 1).count();
            let smaller = few.min(rows.len() - few);
            let x = Array2::from_shape_fn((rows.len(), 3), |(i, f)| match f {
                0 => f64::from(rows[i].0),
                1 => 0.3 * f64::from(rows[i].1),
                _ => f64::from(rows[i].2),
            });
            (smaller > 4 && 2 * few != rows.len()).then(|| train(x, rows.iter().map(|row| row.3).collect()))
        },
    )
}

/// The rows of the smaller class.
fn few(train: &Split<Train>) -> Vec<usize> {
    let of =
        |label: usize| -> Vec<usize> { (0..train.y().len()).filter(|&i| train.y()[i] == label).collect() };
    let (a, b) = (of(0), of(1));
    if a.len() < b.len() { a } else { b }
}

proptest! {
    /// Law: every row made lies on the segment between a row of its class and one of its true neighbours there.
    #[test]
    fn rows_made_lie_between_true_neighbours(train in rows(), seed in any::<u64>()) {
        let few = few(&train);
        let class = train.x().select(Axis(0), &few);
        let n = train.y().len();
        for made in [
            Smote::new(3).unwrap().fit_resample(&train, seed),
            BorderlineSmote::new(3, 5).unwrap().fit_resample(&train, seed),
            Adasyn::new(3).unwrap().fit_resample(&train, seed),
        ] {
            let made = match made {
                Err(ResampleError::NoBorder { .. }) => continue,
                made => made.unwrap(),
            };
            prop_assert!(made.x().slice(ndarray::s![..n, ..]) == train.x());
            for row in n..made.y().len() {
                let Origin::Between { parents: [a, b], weight } = made.origins()[row] else {
                    panic!("a row made has two parents")
                };
                prop_assert!((0.0..1.0).contains(&weight));
                prop_assert!(train.y()[a] == made.y()[row] && train.y()[b] == made.y()[row]);
                let at = few.binary_search(&a).unwrap();
                let near = nearest(class.view(), at, 3);
                prop_assert!(near.iter().any(|&i| few[i] == b));
                for feature in 0..3 {
                    let (p, q) = (train.x()[[a, feature]], train.x()[[b, feature]]);
                    prop_assert!(close(made.x()[[row, feature]], p + weight * (q - p), REORDERED_SUM));
                }
            }
        }
    }

    /// Law: a row with categories has numbers between its parents and a category no neighbour outvotes; the neighbours are
    /// those of the distance in the formula.
    #[test]
    fn categories_are_voted_for(train in rows(), seed in any::<u64>()) {
        let few = few(&train);
        let made = SmoteNc::new(3, [vec![2]]).unwrap().fit_resample(&train, seed).unwrap();
        let mut spreads: Vec<f64> = [0, 1].map(|f| {
            let column: Vec<f64> = few.iter().map(|&i| train.x()[[i, f]]).collect();
            let mean = column.iter().sum::<f64>() / column.len() as f64;
            (column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / column.len() as f64).sqrt()
        }).to_vec();
        spreads.sort_by(f64::total_cmp);
        let square = ((spreads[0] + spreads[1]) / 2.0).powi(2);
        let x = train.x();
        let distance = |a: usize, b: usize| {
            (x[[a, 0]] - x[[b, 0]]).powi(2) + (x[[a, 1]] - x[[b, 1]]).powi(2)
                + if x[[a, 2]] == x[[b, 2]] { 0.0 } else { square }
        };
        for row in x.nrows()..made.y().len() {
            let Origin::Between { parents: [a, b], weight } = made.origins()[row] else {
                panic!("a row made has two parents")
            };
            let mut all: Vec<f64> = few.iter().filter(|&&i| i != a).map(|&i| distance(a, i)).collect();
            all.sort_by(f64::total_cmp);
            prop_assert!(distance(a, b) <= all[2] + 1e-9);
            for f in 0..2 {
                prop_assert!(close(made.x()[[row, f]], x[[a, f]] + weight * (x[[b, f]] - x[[a, f]]), REORDERED_SUM));
            }
            // Some neighbour has the category, and at most one more may have any other.
            let sure: Vec<usize> = few.iter().copied().filter(|&i| i != a && distance(a, i) <= all[2] + 1e-9).collect();
            prop_assert!(sure.iter().any(|&i| x[[i, 2]] == made.x()[[row, 2]]));
            if sure.len() == 3 {
                let votes = |c: f64| sure.iter().filter(|&&i| x[[i, 2]] == c).count();
                prop_assert!((0..3).all(|c| votes(f64::from(c)) <= votes(made.x()[[row, 2]])));
            }
        }
    }

    /// Law: what is left out is never of the smallest class, and a second round of links finds what the first left.
    #[test]
    fn the_smallest_class_stays(train in rows()) {
        let few = few(&train);
        for left in [
            TomekLinks.fit_resample(&train).unwrap(),
            EditedNearestNeighbours::default().fit_resample(&train).unwrap(),
            EditedNearestNeighbours::default().with_agreement(Agreement::Most).fit_resample(&train).unwrap(),
        ] {
            for &row in &few {
                prop_assert!(left.origins().contains(&Origin::Row(row)));
            }
            for (at, origin) in left.origins().iter().enumerate() {
                let Origin::Row(row) = origin else { panic!("nothing is made") };
                prop_assert!(left.x().row(at) == train.x().row(*row));
            }
        }
    }
}
