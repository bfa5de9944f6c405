//! Selections with a bound on what is kept by chance: held in simulation, and true to their definitions.

use modelops_linalg::Cholesky;
use modelops_pruning::FeatureError;
use modelops_pruning::features::{
    Dependence, FRegression, KnockoffModel, Knockoffs, LassoEntry, LinearCoefficients, Pearson, Samples,
    ScoreFunction, Scores, Select, StabilitySelection, Target,
};
use modelops_testkit::tolerance::{
    NEIGHBOUR_MEAN, PRINTED_STATISTIC, REORDERED_SUM, SOLVED, close, close_relative,
};
use ndarray::{Array1, Array2, Axis, array, s};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::elimination::table;
use super::filters::chain;

fn normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// Normal rows, neighbouring features correlated by `near`, and a target of every fifth feature.
fn simulated(rows: usize, features: usize, near: f64, rng: &mut impl Rng) -> (Array2<f64>, Vec<f64>) {
    let mut x = Array2::from_shape_simple_fn((rows, features), || normal(rng));
    for j in 1..features {
        for i in 0..rows {
            x[[i, j]] = near * x[[i, j - 1]] + (1.0 - near * near).sqrt() * x[[i, j]];
        }
    }
    let signal = |row: ndarray::ArrayView1<'_, f64>| row.iter().step_by(5).sum::<f64>();
    let y = x
        .rows()
        .into_iter()
        .map(|row| 0.3 * signal(row) + normal(rng))
        .collect();
    (x, y)
}

/// Mean and standard error of the share of useless features among those kept, and the mean share of useful ones kept.
fn simulate(
    times: usize,
    mut select: impl FnMut(&mut Xoshiro256PlusPlus) -> (Vec<usize>, usize),
) -> (f64, f64, f64) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(2024);
    let (mut shares, mut power) = (Vec::new(), 0.0);
    for _ in 0..times {
        let (kept, useful) = select(&mut rng);
        let useless = kept.iter().filter(|j| *j % 5 != 0).count();
        shares.push(useless as f64 / kept.len().max(1) as f64);
        power += (kept.len() - useless) as f64 / (useful * times) as f64;
    }
    let mean = shares.iter().sum::<f64>() / times as f64;
    let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / (times - 1) as f64;
    (mean, (variance / times as f64).sqrt(), power)
}

#[test]
fn benjamini_hochberg_holds_its_level() {
    let select = Select::Fdr {
        level: 0.2,
        dependence: Dependence::Positive,
    };
    let (rate, error, power) = simulate(500, |rng| {
        // Features that know nothing of each other, as the bound assumes.
        let (x, y) = simulated(200, 40, 0.0, rng);
        let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
        (select.fit(&FRegression, &samples).unwrap().selected().to_vec(), 8)
    });
    assert!(rate <= 0.2 + 2.0 * error, "{rate} {error}");
    assert!(rate > 0.1 && power > 0.5, "{rate} {power}");
}

/// Level 0.2 over features that lean on each other, for a model of them and an importance.
fn knockoffs_hold(model: &KnockoffModel, importance: &impl ScoreFunction, rows: usize, least_power: f64) {
    let (rate, error, power) = simulate(500, |rng| {
        let (x, y) = simulated(rows, 40, 0.3, rng);
        let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
        let found = Knockoffs::new(0.2, model.clone())
            .fit(importance, &samples, rng)
            .unwrap();
        (found.selected(), 8)
    });
    assert!(rate <= 0.2 + 2.0 * error, "{rate} {error}");
    assert!(power > least_power, "{power}");
}

#[test]
fn knockoffs_of_a_fixed_table_hold_their_level() {
    knockoffs_hold(&KnockoffModel::FixedX, &LassoEntry::default(), 200, 0.6);
    knockoffs_hold(&KnockoffModel::FixedX, &LinearCoefficients, 200, 0.4);
}

#[test]
fn knockoffs_of_second_order_hold_their_level() {
    knockoffs_hold(&KnockoffModel::SecondOrder, &LassoEntry::default(), 300, 0.6);
}

#[test]
fn knockoffs_of_a_known_distribution_hold_their_level_with_few_rows() {
    let known = KnockoffModel::Gaussian {
        mean: Array1::zeros(40),
        covariance: Array2::from_shape_fn((40, 40), |(i, j)| 0.3_f64.powi(i.abs_diff(j) as i32)),
    };
    knockoffs_hold(&known, &LassoEntry::default(), 70, 0.0);
}

#[test]
fn stability_selection_holds_its_bounds() {
    // Nothing matters: every feature is found no more often than by guessing.
    let (mut kept, mut bounds, times) = (0, (0.0, 0.0), 60);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    for _ in 0..times {
        let x = Array2::from_shape_simple_fn((60, 50), || normal(&mut rng));
        let y: Vec<f64> = (0..60).map(|_| normal(&mut rng)).collect();
        let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
        let select = |half: &Samples<'_>| Ok(Select::KBest(8).fit(&FRegression, half)?.selected().to_vec());
        let found = StabilitySelection::new(25, 0.6)
            .fit(select, &samples, &mut rng)
            .unwrap();
        kept += found.selected().len();
        bounds = (found.bound(), found.unimodal_bound().unwrap());
    }
    let mean = f64::from(u32::try_from(kept).unwrap()) / f64::from(times);
    assert!(mean <= bounds.1 && bounds.1 < bounds.0, "{mean} {bounds:?}");
    assert!(kept > 0, "a bound that is never approached is not tested");
}

#[test]
fn halves_are_complementary_and_counted() {
    let (x, y) = table(21, 6, 9);
    let rows: Vec<f64> = (0..21).map(f64::from).collect();
    let mut numbered = x;
    numbered.column_mut(0).assign(&Array1::from(rows));
    let samples = Samples::all(numbered.view(), Target::Values(&y)).unwrap();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    let mut halves: Vec<Vec<usize>> = Vec::new();
    let found = StabilitySelection::new(4, 0.75)
        .fit(
            |half| {
                halves.push(half.x().column(0).iter().map(|row| *row as usize).collect());
                let target = half.values()?;
                assert!(
                    halves
                        .last()
                        .unwrap()
                        .iter()
                        .zip(target)
                        .all(|(row, t)| y[*row] == *t)
                );
                // Said twice, counted once; the last is found in three halves of four.
                Ok(if halves.len().is_multiple_of(4) {
                    vec![1, 1]
                } else {
                    vec![1, 5, 1]
                })
            },
            &samples,
            &mut rng,
        )
        .unwrap();
    for pair in halves.chunks(2) {
        assert!(pair.iter().all(|half| half.len() == 10));
        assert!(pair[0].iter().all(|row| !pair[1].contains(row)));
    }
    assert_ne!(halves[0], halves[2]);
    assert_eq!(found.shares(), [0.0, 1.0, 0.0, 0.0, 0.0, 0.75]);
    assert_eq!(found.selected(), [1, 5]);
    assert_eq!(found.most_in_a_half(), 2);
    // q = 2, p = 6, τ = 3/4, B = 4: 4 / (6 · 1/2), and 1 / (2 (1/2 − 1/8)) · 4/6.
    assert!(close(found.bound(), 4.0 / 3.0, REORDERED_SUM));
    assert!(close(found.unimodal_bound().unwrap(), 8.0 / 9.0, REORDERED_SUM));
}

#[test]
fn bounds_are_those_published() {
    let (x, y) = table(40, 50, 9);
    let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
    // From the closed formulas with p = 50, B = 50.
    for (count, threshold, unimodal) in [
        (5, 0.9, Some(0.5 * 4.0 * 0.11 / 1.02)),
        (5, 0.75, Some(0.5 / (2.0 * 0.49))),
        (5, 0.52, Some(0.5 / (2.0 * 0.03))),
        (5, 0.51, None),
        (30, 0.9, None),
    ] {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        let select = |_: &Samples<'_>| Ok((0..count).collect());
        let found = StabilitySelection::new(50, threshold)
            .fit(select, &samples, &mut rng)
            .unwrap();
        let worst = (count * count) as f64 / (50.0 * (2.0 * threshold - 1.0));
        assert!(close(found.bound(), worst, REORDERED_SUM));
        match (found.unimodal_bound(), unimodal) {
            (Some(ours), Some(expected)) => assert!(
                close(ours, expected, REORDERED_SUM),
                "{threshold}: {ours} {expected}"
            ),
            (ours, expected) => assert_eq!(ours, expected),
        }
    }
}

/// Products of two tables around their means.
fn products(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    let centred = |x: &Array2<f64>| x - &x.mean_axis(Axis(0)).unwrap();
    centred(a).t().dot(&centred(b))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Swapping any feature with its knockoff changes no product, and distances are the best there are.
    #[test]
    fn knockoffs_have_the_products_of_the_features(seed in 1_u64..1 << 40, features in 1_usize..7, offset in 0.0_f64..100.0) {
        let (x, y) = table(30, features, seed);
        let x = x.mapv(|v| 3.0 * v + offset);
        let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let copies = Knockoffs::new(0.1, KnockoffModel::FixedX).copies(&samples, &mut rng).unwrap();
        let (own, other, cross) = (products(&x, &x), products(&copies, &copies), products(&x, &copies));
        let scale = own.diag().mapv(f64::sqrt);
        let unit = |m: &Array2<f64>, i: usize, j: usize| m[[i, j]] / (scale[i] * scale[j]);
        let mut rest = Array2::zeros((features, features));
        for i in 0..features {
            for j in 0..features {
                prop_assert!(close(unit(&own, i, j), unit(&other, i, j), NEIGHBOUR_MEAN));
                rest[[i, j]] = unit(&own, i, j) + unit(&cross, i, j);
                if i != j {
                    prop_assert!(close(unit(&own, i, j), unit(&cross, i, j), NEIGHBOUR_MEAN));
                }
            }
        }
        // Where ln det(2Σ − S) + Σ ln s is greatest, its slopes 1/s and the diagonal of the inverse are equal.
        let inverse = Cholesky::new(rest.view()).unwrap().inverse().unwrap();
        for j in 0..features {
            let distance = 1.0 - unit(&cross, j, j);
            prop_assert!(distance > 0.0 && close(distance * inverse[[j, j]], 1.0, SOLVED));
        }
    }

    /// A feature enters the lasso where a slow solver says that it does.
    #[test]
    fn features_enter_where_their_weight_appears(seed in 1_u64..1 << 40, rows in 4_usize..30) {
        let (x, y) = table(rows, 5, seed);
        let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
        let scores = LassoEntry::default().score(&samples).unwrap();
        let entries = scores.statistics();
        let first = entries.iter().copied().fold(0.0, f64::max);
        for (j, entry) in entries.iter().enumerate().filter(|(_, entry)| **entry > 0.01 * first) {
            prop_assert!(weights(&x, &y, entry * 1.001)[j].abs() <= 0.0, "{j} {entries:?}");
            prop_assert!(weights(&x, &y, entry * 0.999)[j].abs() > 0.0, "{j} {entries:?}");
        }
    }
}

/// The lasso's weights by coordinate descent over the rows.
fn weights(x: &Array2<f64>, y: &[f64], penalty: f64) -> Vec<f64> {
    let mut x = x - &x.mean_axis(Axis(0)).unwrap();
    for mut column in x.columns_mut() {
        let norm = column.dot(&column).sqrt();
        column /= norm;
    }
    let mut residual = Array1::from(y.to_vec());
    residual -= residual.mean().unwrap();
    let mut beta = vec![0.0; x.ncols()];
    for _ in 0..20_000 {
        let mut change = 0.0_f64;
        for (j, beta) in beta.iter_mut().enumerate() {
            let pull: f64 = x.column(j).dot(&residual) + *beta;
            let now = pull.signum() * (pull.abs() - penalty).max(0.0);
            residual.scaled_add(*beta - now, &x.column(j));
            change = change.max((now - *beta).abs());
            *beta = now;
        }
        if change < 1e-14 {
            break;
        }
    }
    beta
}

#[test]
fn entries_are_those_of_scikit_learn() {
    let (x, y, _) = chain();
    let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
    let expected = [
        17.112352295616994,
        0.3504779791711051,
        0.16816243135610315,
        0.1193356987501648,
        9.192718850662722,
        0.47819325351650144,
        0.17183569007019125,
        0.11830524739780895,
        4.696283438878676,
        0.23987856779120192,
    ];
    let found = LassoEntry::default().score(&samples).unwrap();
    for (ours, theirs) in found.statistics().iter().zip(expected) {
        assert!(
            close_relative(*ours, theirs, PRINTED_STATISTIC),
            "{ours} {theirs}"
        );
    }
    let early = LassoEntry::default().with_last(0.2).score(&samples).unwrap();
    assert_eq!(early.ranking()[..3], [0, 4, 8]);
    assert_eq!(early.statistics()[5], 0.0);
}

#[test]
fn a_lasso_bears_more_features_than_rows_and_repeated_ones() {
    let (x, y) = table(8, 20, 4);
    let mut x = x;
    let first = x.column(0).to_owned();
    x.column_mut(13).assign(&first);
    x.column_mut(7).fill(3.0);
    let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
    let entry = LassoEntry::default().with_last(0.0).score(&samples).unwrap();
    assert_eq!(entry.statistics()[7], 0.0);
    let entered = entry.statistics().iter().filter(|entry| **entry > 0.0).count();
    assert!((3..20).contains(&entered), "{entered}");
    let flat = Samples::all(x.view(), Target::Values(&[2.0; 8])).unwrap();
    assert_eq!(
        LassoEntry::default().score(&flat).unwrap().statistics(),
        [0.0; 20]
    );
}

#[test]
fn the_threshold_is_the_least_that_holds() {
    /// Importances of eight features and then of their knockoffs.
    struct Known;
    impl ScoreFunction for Known {
        fn score(&self, _: &Samples<'_>) -> Result<Scores, FeatureError> {
            let features = [9.0, 8.0, 7.0, 6.0, 5.0, 1.0, f64::NAN, 4.0];
            let copies = [0.0, 0.0, 0.0, 0.0, 0.0, 4.0, 0.0, 2.0];
            Ok(Scores::new(features.into_iter().chain(copies).collect()))
        }
    }
    let (x, y) = table(30, 8, 2);
    let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
    let fit = |level| {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        Knockoffs::new(level, KnockoffModel::SecondOrder)
            .fit(&Known, &samples, &mut rng)
            .unwrap()
    };
    // W = 9 8 7 6 5 −3 0 2: at 5 (1 + 0) / 5, at 2 (1 + 1) / 6.
    assert_eq!(fit(0.2).contrasts(), [9.0, 8.0, 7.0, 6.0, 5.0, -3.0, 0.0, 2.0]);
    assert_eq!(
        (fit(0.2).threshold(), fit(0.2).selected()),
        (5.0, vec![0, 1, 2, 3, 4])
    );
    assert_eq!(
        (fit(0.34).threshold(), fit(0.34).selected()),
        (2.0, vec![0, 1, 2, 3, 4, 7])
    );
    assert_eq!(
        (fit(0.19).threshold(), fit(0.19).selected()),
        (f64::INFINITY, vec![])
    );
}

#[test]
fn drawn_knockoffs_have_the_covariance_asked_for() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(8);
    let (x, _) = simulated(20_000, 4, 0.5, &mut rng);
    let mean = array![1.0, 2.0, 3.0, 4.0];
    let x = &x + &mean;
    let covariance = Array2::from_shape_fn((4, 4), |(i, j): (usize, usize)| {
        0.5_f64.powi(i.abs_diff(j) as i32)
    });
    let samples = Samples::all(x.view(), Target::None).unwrap();
    let copies = Knockoffs::new(
        0.1,
        KnockoffModel::Gaussian {
            mean: mean.clone(),
            covariance,
        },
    )
    .copies(&samples, &mut rng)
    .unwrap();
    let (own, other, cross) = (
        products(&x, &x),
        products(&copies, &copies),
        products(&x, &copies),
    );
    // Four standard errors of a covariance over so many rows.
    let near = |a: f64, b: f64| (a - b).abs() / 20_000.0 < 4.0 * (2.0 / 20_000.0_f64).sqrt();
    for i in 0..4 {
        assert!((copies.column(i).mean().unwrap() - mean[i]).abs() < 4.0 / 20_000.0_f64.sqrt());
        for j in 0..4 {
            assert!(near(own[[i, j]], other[[i, j]]));
            assert!(i == j || near(own[[i, j]], cross[[i, j]]));
        }
    }
}

#[test]
fn selections_without_a_bound_are_refused() {
    let (x, y) = table(12, 6, 3);
    let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let parameter = |name| FeatureError::Parameter { name };
    let mut copies =
        |samples: &Samples<'_>, model| Knockoffs::new(0.1, model).copies(samples, &mut rng).unwrap_err();
    assert_eq!(
        copies(&samples, KnockoffModel::FixedX),
        FeatureError::TooFewRows {
            needed: 13,
            found: 12
        }
    );
    let few: Vec<usize> = (0..6).collect();
    let few = Samples::training(x.view(), Target::Values(&y), &few).unwrap();
    assert_eq!(
        copies(&few, KnockoffModel::SecondOrder),
        FeatureError::TooFewRows { needed: 7, found: 6 }
    );
    let mut twice = x.slice(s![.., ..4]).to_owned();
    let first = twice.column(0).to_owned();
    twice.column_mut(2).assign(&first);
    let twice = Samples::all(twice.view(), Target::Values(&y)).unwrap();
    assert_eq!(
        copies(&twice, KnockoffModel::SecondOrder),
        FeatureError::Collinear { column: 2 }
    );
    let gaussian = |mean: Array1<f64>, covariance| KnockoffModel::Gaussian { mean, covariance };
    assert_eq!(
        copies(&samples, gaussian(Array1::zeros(6), Array2::eye(5))),
        FeatureError::Columns {
            expected: 6,
            found: 5
        }
    );
    assert_eq!(
        copies(&samples, gaussian(Array1::zeros(5), Array2::eye(6))),
        FeatureError::Columns {
            expected: 6,
            found: 5
        }
    );
    assert_eq!(
        copies(&samples, gaussian(Array1::zeros(6), -Array2::<f64>::eye(6))),
        FeatureError::Collinear { column: 0 }
    );
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let wild = Knockoffs::new(1.5, KnockoffModel::SecondOrder).fit(&Pearson, &samples, &mut rng);
    assert_eq!(wild, Err(parameter("level")));
    let none = |_: &Samples<'_>| Ok(vec![]);
    for (pairs, threshold, name) in [
        (0, 0.9, "pairs"),
        (1, 0.5, "threshold"),
        (1, f64::NAN, "threshold"),
    ] {
        let found = StabilitySelection::new(pairs, threshold).fit(none, &samples, &mut rng);
        assert_eq!(found, Err(parameter(name)));
    }
    let strange = StabilitySelection::new(1, 0.9).fit(|_| Ok(vec![6]), &samples, &mut rng);
    assert_eq!(
        strange,
        Err(FeatureError::Columns {
            expected: 6,
            found: 7
        })
    );
    assert!(
        StabilitySelection::new(1, 0.9)
            .fit(none, &samples, &mut rng)
            .unwrap()
            .selected()
            .is_empty()
    );
    assert_eq!(
        LassoEntry::default().with_last(2.0).score(&samples),
        Err(parameter("last"))
    );
    let one = Samples::training(x.view(), Target::Values(&y), &[0]).unwrap();
    let too_few = StabilitySelection::new(1, 0.9).fit(none, &one, &mut rng);
    assert_eq!(too_few, Err(FeatureError::TooFewRows { needed: 2, found: 1 }));
}
