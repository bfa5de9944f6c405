//! Correlations, importances, and filters that see redundancy.

use std::collections::BTreeMap;

use modelops_pruning::FeatureError;
use modelops_pruning::features::{
    FClassif, FRegression, Fcbf, Importance, LinearCoefficients, Mrmr, Pearson, Samples, ScoreFunction,
    Scores, SelectFromModel, Spearman, Target, Tradeoff,
};
use modelops_testkit::pruning::congruential;
use modelops_testkit::tolerance::{NEIGHBOUR_MEAN, PRINTED_STATISTIC, REORDERED_SUM, close, close_relative};
use ndarray::{Array2, array};
use proptest::prelude::*;

/// Ten columns that each lean on the one before, and a target of three of them.
pub(crate) fn chain() -> (Array2<f64>, Vec<f64>, Vec<usize>) {
    let mut x = Array2::from_shape_vec((300, 10), congruential(3000, 11)).unwrap();
    for j in 1..10 {
        for i in 0..300 {
            x[[i, j]] += 0.6 * x[[i, j - 1]];
        }
    }
    let noise = congruential(300, 12);
    let y: Vec<f64> = (0..300)
        .map(|i| 2.0 * x[[i, 0]] - x[[i, 4]] + 0.5 * x[[i, 8]] + noise[i])
        .collect();
    let classes = y
        .iter()
        .map(|y| usize::from(*y > 0.0) + usize::from(*y > 1.0))
        .collect();
    (x, y, classes)
}

/// r by its definition.
fn by_definition(a: &[f64], b: &[f64]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(a, b)| f(a - ma, b - mb)).sum::<f64>();
    let squares = sum(&|a, _| a * a) * sum(&|_, b| b * b);
    if squares < 1e-20 {
        0.0
    } else {
        sum(&|a, b| a * b) / squares.sqrt()
    }
}

/// Rank by counting: those below, and half of the others that are equal.
fn counted_ranks(values: &[f64]) -> Vec<f64> {
    let rank = |x: &f64| {
        let below = values.iter().filter(|v| *v < x).count() as f64;
        let equal = values.iter().filter(|v| *v == x).count() as f64;
        below + (equal + 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

#[test]
fn correlations_agree_with_scikit_learn_and_scipy() {
    let mut x = Array2::from_shape_vec((200, 3), congruential(600, 7)).unwrap();
    let noise = congruential(200, 8);
    let y: Vec<f64> = (0..200).map(|i| x[[i, 0]] + 0.5 * noise[i]).collect();
    for i in 0..200 {
        x[[i, 2]] = (x[[i, 1]] * y[i]).abs();
    }
    let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
    let check = |found: Vec<f64>, scores: &Scores, expected: [f64; 3], p: [f64; 3]| {
        for j in 0..3 {
            assert!(
                close_relative(found[j], expected[j], PRINTED_STATISTIC),
                "{}",
                found[j]
            );
            assert!(close_relative(
                scores.statistics()[j],
                expected[j].abs(),
                PRINTED_STATISTIC
            ));
            assert!(close_relative(
                scores.ln_p_values().unwrap()[j],
                p[j].ln(),
                PRINTED_STATISTIC
            ));
        }
    };
    check(
        Pearson::coefficients(&samples).unwrap(),
        &Pearson.score(&samples).unwrap(),
        [0.8797872965452829, 0.02914882812281158, -0.21999961540629778],
        [7.242660267417128e-66, 0.6820040876105392, 0.001746853649756079],
    );
    check(
        Spearman::coefficients(&samples).unwrap(),
        &Spearman.score(&samples).unwrap(),
        [0.882524563114078, 0.06537763444086103, -0.1775999399985],
        [8.52711662527868e-67, 0.35769373614062233, 0.011871787290167768],
    );
    let codes = x.mapv(|x| (4.0 * x).floor());
    let tied = Samples::all(codes.view(), Target::Values(&y)).unwrap();
    check(
        Spearman::coefficients(&tied).unwrap(),
        &Spearman.score(&tied).unwrap(),
        [0.880534928838948, 0.05392012086827381, -0.1689845237546157],
        [4.0588057946648425e-66, 0.4482607184928119, 0.01675451211569026],
    );
}

#[test]
fn importances_select_as_in_scikit_learn() {
    let (x, y, _) = chain();
    let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
    for (threshold, expected) in [
        (Importance::TimesMean(1.0), vec![0, 4, 8]),
        (Importance::TimesMedian(1.0), vec![0, 1, 4, 5, 8]),
        (Importance::AtLeast(0.05), vec![0, 1, 4, 5, 8]),
    ] {
        let model = SelectFromModel::new(threshold);
        let all = model.fit(&LinearCoefficients, &samples).unwrap();
        assert_eq!(all.selected(), expected);
        let two = model.with_most(2).fit(&LinearCoefficients, &samples).unwrap();
        assert_eq!(two.selected(), [0, 4]);
    }
    // Nothing known, nothing kept; NaN counts in no mean.
    let model = SelectFromModel::new(Importance::TimesMean(1.0));
    let select = |values: &[f64]| {
        model
            .select(Scores::new(values.to_vec()))
            .unwrap()
            .selected()
            .to_vec()
    };
    assert_eq!(select(&[f64::NAN; 2]), [0; 0]);
    assert_eq!(select(&[f64::NAN, 1.0, 3.0]), [2]);
    assert_eq!(select(&[0.0; 3]), [0, 1, 2]);
}

#[test]
fn mrmr_picks_as_mrmr_selection() {
    let (x, y, classes) = chain();
    let classes = Samples::all(x.view(), Target::Classes(&classes)).unwrap();
    let picks = Mrmr::new(10).fit(&FClassif, &classes).unwrap();
    assert_eq!(picks.order(), [0, 8, 4, 1, 5, 9, 6, 3, 2, 7]);
    let values = Samples::all(x.view(), Target::Values(&y)).unwrap();
    let picks = Mrmr::new(10).fit(&FRegression, &values).unwrap();
    assert_eq!(picks.order(), [0, 8, 4, 1, 9, 5, 3, 6, 2, 7]);
}

/// The greedy rule with every mean taken anew.
fn slow_mrmr(x: &Array2<f64>, relevance: &[f64], keep: usize, quotient: bool) -> Vec<usize> {
    let column = |j: usize| x.column(j).to_vec();
    let mut picked: Vec<usize> = Vec::new();
    while picked.len() < keep.min(x.ncols()) {
        let value = |f: usize| {
            if picked.is_empty() {
                return relevance[f];
            }
            let sum: f64 = picked
                .iter()
                .map(|s| by_definition(&column(f), &column(*s)).abs())
                .sum();
            let mean = sum / picked.len() as f64;
            if quotient {
                relevance[f] / mean.max(0.001)
            } else {
                relevance[f] - mean
            }
        };
        let best = (0..x.ncols())
            .filter(|f| !picked.contains(f))
            .reduce(|best, f| if value(f) > value(best) { f } else { best })
            .unwrap();
        picked.push(best);
    }
    picked
}

/// Entropy of tuples by counting them.
fn counted_entropy(rows: impl Iterator<Item = Vec<i64>>) -> f64 {
    let mut counts = BTreeMap::new();
    rows.for_each(|row| *counts.entry(row).or_insert(0.0) += 1.0);
    let n: f64 = counts.values().sum();
    counts.values().map(|c: &f64| -c / n * (c / n).ln()).sum()
}

fn counted_uncertainty(a: &[i64], b: &[i64]) -> f64 {
    let h = |v: &[i64]| counted_entropy(v.iter().map(|x| vec![*x]));
    let joint = counted_entropy(a.iter().zip(b).map(|(a, b)| vec![*a, *b]));
    let (ha, hb) = (h(a), h(b));
    if ha * hb == 0.0 {
        0.0
    } else {
        2.0 * (ha + hb - joint) / (ha + hb)
    }
}

/// From the best down: a feature stays unless one that stayed before makes it superfluous.
fn slow_fcbf(columns: &[Vec<i64>], target: &[i64], threshold: f64) -> Vec<usize> {
    let with_target: Vec<f64> = columns.iter().map(|c| counted_uncertainty(c, target)).collect();
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|j| (-(with_target[*j] * 1e9).round() as i64, *j));
    let mut kept: Vec<usize> = Vec::new();
    for g in order {
        let relevant = with_target[g] > threshold + 1e-10;
        let superfluous =
            |f: &usize| counted_uncertainty(&columns[*f], &columns[g]) >= with_target[g] - 1e-10;
        if relevant && !kept.iter().any(superfluous) {
            kept.push(g);
        }
    }
    kept
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Correlations are those of the definition; a falling map turns the sign, and ranks do not mind its shape.
    #[test]
    fn correlations_are_those_of_the_definition(
        rows in proptest::collection::vec((-3_i32..4, -3.0_f64..3.0, -3_i32..4), 3..40),
        offset in -1e4_f64..1e4,
    ) {
        let x = Array2::from_shape_fn((rows.len(), 2), |(i, j)| if j == 0 { f64::from(rows[i].0) } else { rows[i].1 });
        let y: Vec<f64> = rows.iter().map(|row| f64::from(row.2)).collect();
        let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
        let (r, rho) = (Pearson::coefficients(&samples).unwrap(), Spearman::coefficients(&samples).unwrap());
        for j in 0..2 {
            let column = x.column(j).to_vec();
            prop_assert!(close(r[j], by_definition(&column, &y), NEIGHBOUR_MEAN));
            let ranked = by_definition(&counted_ranks(&column), &counted_ranks(&y));
            prop_assert!(close(rho[j], ranked, REORDERED_SUM));
        }
        let moved = x.mapv(|x| offset - x);
        let moved = Samples::all(moved.view(), Target::Values(&y)).unwrap();
        for (before, after) in r.iter().zip(Pearson::coefficients(&moved).unwrap()) {
            prop_assert!(close(*before, -after, NEIGHBOUR_MEAN), "{before} {after}");
        }
        let bent = x.mapv(f64::exp);
        let bent = Samples::all(bent.view(), Target::Values(&y)).unwrap();
        prop_assert_eq!(rho, Spearman::coefficients(&bent).unwrap());
    }

    /// Sums kept from pick to pick choose as means taken anew.
    #[test]
    fn mrmr_picks_as_the_definition(seed in 1_u64..1 << 40, keep in 1_usize..9, quotient: bool) {
        let mut x = Array2::from_shape_vec((40, 7), congruential(280, seed)).unwrap();
        for i in 0..40 {
            x[[i, 3]] = x[[i, 1]] + 0.2 * x[[i, 3]];
            x[[i, 6]] = -x[[i, 0]] + 0.1 * x[[i, 6]];
        }
        let y: Vec<f64> = (0..40).map(|i| x[[i, 0]] + 0.8 * x[[i, 1]] + 0.5 * x[[i, 4]]).collect();
        let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
        let relevance = Pearson.score(&samples).unwrap();
        let tradeoff = if quotient { Tradeoff::Quotient } else { Tradeoff::Difference };
        let picks = Mrmr::new(keep).with_tradeoff(tradeoff).fit(&Pearson, &samples).unwrap();
        prop_assert_eq!(picks.order(), slow_mrmr(&x, relevance.statistics(), keep, quotient));
        let fewer = Mrmr::new(1).with_tradeoff(tradeoff).fit(&Pearson, &samples).unwrap();
        prop_assert_eq!(fewer.order(), &picks.order()[..1]);
    }

    /// The filter keeps what the rule read from the top keeps, and other names for codes change nothing.
    #[test]
    fn fcbf_keeps_what_its_rule_keeps(
        rows in proptest::collection::vec((proptest::collection::vec(0_i64..3, 5), 0_usize..3), 4..40),
        threshold in 0.0_f64..0.2,
    ) {
        let target: Vec<i64> = rows.iter().map(|row| row.1 as i64).collect();
        prop_assume!(target.iter().any(|class| *class != target[0]));
        // The last column repeats the first by other names.
        let columns: Vec<Vec<i64>> = (0..6)
            .map(|j| rows.iter().map(|row| if j == 5 { 7 - row.0[0] } else { row.0[j] }).collect())
            .collect();
        let classes: Vec<usize> = rows.iter().map(|row| row.1).collect();
        let x = Array2::from_shape_fn((rows.len(), 6), |(i, j)| columns[j][i] as f64);
        let fcbf = Fcbf::default().with_threshold(threshold);
        let picks = fcbf.fit(&Samples::all(x.view(), Target::Classes(&classes)).unwrap()).unwrap();
        prop_assert_eq!(picks.order(), slow_fcbf(&columns, &target, threshold));
        for (feature, criterion) in picks.order().iter().zip(picks.criteria()) {
            prop_assert!(close(*criterion, counted_uncertainty(&columns[*feature], &target), PRINTED_STATISTIC));
        }
        let renamed = x.mapv(|code| 10.0 - 3.0 * code);
        let again = fcbf.fit(&Samples::all(renamed.view(), Target::Classes(&classes)).unwrap()).unwrap();
        prop_assert_eq!(picks, again);
    }

    /// Bins are those of ranks: any increasing map of features and target keeps the picks.
    #[test]
    fn bins_see_the_order_alone(seed in 1_u64..1 << 40, bins in 2_usize..9) {
        let x = Array2::from_shape_vec((60, 4), congruential(240, seed)).unwrap();
        let y: Vec<f64> = (0..60).map(|i| x[[i, 0]] + x[[i, 1]]).collect();
        let fcbf = Fcbf::default().with_bins(bins);
        let picks = fcbf.fit(&Samples::all(x.view(), Target::Values(&y)).unwrap()).unwrap();
        let (bent, y): (_, Vec<f64>) = (x.mapv(|x| x.exp() * 1e3), y.iter().map(|y| y.powi(3)).collect());
        prop_assert_eq!(picks, fcbf.fit(&Samples::all(bent.view(), Target::Values(&y)).unwrap()).unwrap());
    }
}

#[test]
fn filters_refuse_what_means_nothing() {
    let x = array![[1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [4.0, 5.0]];
    let y = [1.0, 2.0, 4.0, 8.0];
    let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
    let parameter = |name| FeatureError::Parameter { name };
    assert_eq!(Mrmr::new(0).fit(&Pearson, &samples), Err(parameter("keep")));
    assert_eq!(Fcbf::default().with_bins(1).fit(&samples), Err(parameter("bins")));
    for threshold in [-0.1, 1.1, f64::NAN] {
        let wrong = Fcbf::default().with_threshold(threshold).fit(&samples);
        assert_eq!(wrong, Err(parameter("threshold")));
    }
    let wrong = SelectFromModel::new(Importance::AtLeast(f64::NAN)).fit(&Pearson, &samples);
    assert_eq!(wrong, Err(parameter("threshold")));
    let narrow = |_: &Samples<'_>| Scores::new(vec![1.0]);
    struct Fixed<F>(F);
    impl<F: Fn(&Samples<'_>) -> Scores> ScoreFunction for Fixed<F> {
        fn score(&self, samples: &Samples<'_>) -> Result<Scores, FeatureError> {
            Ok((self.0)(samples))
        }
    }
    let columns = FeatureError::Columns {
        expected: 2,
        found: 1,
    };
    assert_eq!(Mrmr::new(1).fit(&Fixed(narrow), &samples), Err(columns));
    let unknown = Fixed(|_: &Samples<'_>| Scores::new(vec![f64::NAN, f64::INFINITY]));
    assert_eq!(
        Mrmr::new(2).fit(&unknown, &samples).unwrap().order(),
        [1],
        "NaN is never picked"
    );

    // A constant column: no correlation, no significance, no uncertainty.
    let r = Pearson.score(&samples).unwrap();
    assert_eq!((r.statistics()[1], r.ln_p_values().unwrap()[1]), (0.0, 0.0));
    let rho = Spearman.score(&samples).unwrap();
    assert_eq!((rho.statistics()[1], rho.ln_p_values().unwrap()[1]), (0.0, 0.0));
    assert_eq!(Fcbf::default().with_bins(2).fit(&samples).unwrap().order(), [0]);
    assert_eq!(
        r.ln_p_values(),
        FRegression.score(&samples).unwrap().ln_p_values(),
        "one test by two names"
    );

    let kind = FeatureError::TargetKind { needed: "values" };
    let classes = Samples::all(x.view(), Target::Classes(&[0, 0, 1, 1])).unwrap();
    assert_eq!(Pearson.score(&classes), Err(kind.clone()));
    assert_eq!(Spearman.score(&classes), Err(kind.clone()));
    let none = Samples::all(x.view(), Target::None).unwrap();
    assert_eq!(Fcbf::default().fit(&none), Err(kind));
    let one = Samples::all(x.view(), Target::Classes(&[3; 4])).unwrap();
    assert_eq!(Fcbf::default().fit(&one), Err(FeatureError::OneClass));
    let few = Samples::training(x.view(), Target::Values(&y), &[0, 1]).unwrap();
    let needed = FeatureError::TooFewRows { needed: 3, found: 2 };
    assert_eq!(Pearson.score(&few), Err(needed.clone()));
    assert_eq!(Spearman.score(&few), Err(needed));
    let holes = array![[1.0, 2.0], [3.0, f64::NAN], [5.0, 6.0], [f64::INFINITY, 1.0]];
    let hole = FeatureError::NonFinite { row: 1, column: 1 };
    let values = Samples::all(holes.view(), Target::Values(&y)).unwrap();
    assert_eq!(Pearson.score(&values), Err(hole.clone()));
    assert_eq!(Spearman.score(&values), Err(hole.clone()));
    assert_eq!(Mrmr::new(1).fit(&Pearson, &values), Err(hole.clone()));
    assert_eq!(Fcbf::default().fit(&values), Err(hole));
}
