//! Importances of trees, and Boruta.

use modelops_pruning::FeatureError;
use modelops_pruning::features::{
    Boruta, ExtraTrees, FClassif, Samples, ScoreFunction, Scores, Target, Verdict,
};
use modelops_testkit::pruning::congruential;
use modelops_testkit::tolerance::{FOREST_OF_ANOTHER_SEED, REORDERED_SUM, close};
use ndarray::{Array2, Axis, array, concatenate, s};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::filters::chain;
use super::reference::iris;

/// `ExtraTreesClassifier(4000, random_state=0)` on irises.
const IRIS: [f64; 4] = [0.093_646, 0.058_380, 0.401_153, 0.446_821];
/// `ExtraTreesRegressor(2000, random_state=0)` on the chain.
const CHAIN: [f64; 10] = [
    0.5641, 0.0287, 0.0258, 0.0385, 0.1982, 0.0273, 0.0201, 0.0227, 0.0451, 0.0294,
];
/// The same with `max_depth=4, max_features=3, random_state=1`.
const SHALLOW: [f64; 10] = [
    0.6157, 0.0884, 0.0174, 0.0332, 0.134, 0.0284, 0.0147, 0.0106, 0.0332, 0.0244,
];

#[test]
fn importances_agree_with_scikit_learn() {
    let (x, y, _) = chain();
    let samples = Samples::all(x.view(), Target::Values(&y)).unwrap();
    let (irises, species) = iris();
    let irises = Samples::all(irises.view(), Target::Classes(&species)).unwrap();
    let shallow = ExtraTrees::new(1000, 1).with_depth(4).with_candidates(3);
    for (found, expected) in [
        (ExtraTrees::new(4000, 1).score(&irises), IRIS.as_slice()),
        (ExtraTrees::new(500, 1).score(&samples), &CHAIN),
        (shallow.score(&samples), &SHALLOW),
    ] {
        for (ours, theirs) in found.unwrap().statistics().iter().zip(expected) {
            assert!((ours - theirs).abs() <= FOREST_OF_ANOTHER_SEED, "{ours} {theirs}");
        }
    }
}

/// What each feature lessens Gini's impurity in a tree of binary features that takes the best cut of all, of equals the first.
fn greedy(x: &[Vec<u8>], classes: &[usize], rows: &[usize], depth: usize, lessened: &mut [f64]) {
    let gini = |rows: &[usize]| {
        let n = rows.len() as f64;
        let counts = (0..3).map(|k| rows.iter().filter(|i| classes[**i] == k).count() as f64);
        n - counts.map(|c| c * c).sum::<f64>() / n
    };
    if depth == 0 || gini(rows) == 0.0 {
        return;
    }
    let split = |j: usize| -> (Vec<usize>, Vec<usize>) { rows.iter().partition(|i| x[**i][j] == 0) };
    let mut best: Option<(f64, usize)> = None;
    for j in 0..lessened.len() {
        let (left, right) = split(j);
        if left.is_empty() || right.is_empty() {
            continue;
        }
        let rest = gini(&left) + gini(&right);
        if best.is_none_or(|(least, _)| rest < least) {
            best = Some((rest, j));
        }
    }
    let Some((rest, feature)) = best else { return };
    lessened[feature] += gini(rows) - rest;
    let (left, right) = split(feature);
    greedy(x, classes, &left, depth - 1, lessened);
    greedy(x, classes, &right, depth - 1, lessened);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A binary feature has one cut: with all of them as candidates nothing is left to chance.
    #[test]
    fn binary_trees_are_greedy(
        rows in proptest::collection::vec((proptest::collection::vec(0_u8..2, 4), 0_usize..3), 3..40),
        depth in 1_usize..5,
        seed: u64,
    ) {
        let classes: Vec<usize> = rows.iter().map(|(_, class)| *class).collect();
        prop_assume!(classes.iter().any(|class| *class != classes[0]));
        let bits: Vec<Vec<u8>> = rows.into_iter().map(|(bits, _)| bits).collect();
        let mut expected = [0.0; 4];
        greedy(&bits, &classes, &(0..classes.len()).collect::<Vec<_>>(), depth, &mut expected);
        let all: f64 = expected.iter().sum();
        let x = Array2::from_shape_fn((classes.len(), 4), |(i, j)| f64::from(bits[i][j]));
        let samples = Samples::all(x.view(), Target::Classes(&classes)).unwrap();
        let found = ExtraTrees::new(3, seed).with_candidates(4).with_depth(depth).score(&samples).unwrap();
        for (ours, lessened) in found.statistics().iter().zip(expected) {
            let share = if all > 0.0 { lessened / all } else { 0.0 };
            prop_assert!(close(*ours, share, REORDERED_SUM), "{ours} {share}");
        }
    }

    /// Gini's impurity of two classes is half the variance of −1 and 1, so that either target takes the same cuts.
    #[test]
    fn two_classes_are_two_values(seed: u64, candidates in 1_usize..5) {
        let x = Array2::from_shape_vec((40, 4), congruential(160, seed)).unwrap();
        // As many of the one as of the other, so that sums are whole numbers.
        let mut order: Vec<usize> = (0..40).collect();
        order.sort_by(|a, b| (x[[*a, 0]] * x[[*a, 1]]).total_cmp(&(x[[*b, 0]] * x[[*b, 1]])));
        let mut classes = [0; 40];
        order[20..].iter().for_each(|i| classes[*i] = 1);
        let values: Vec<f64> = classes.iter().map(|class| 2.0 * *class as f64 - 1.0).collect();
        let score = |target| {
            let samples = Samples::all(x.view(), target).unwrap();
            ExtraTrees::new(25, seed).with_candidates(candidates).with_depth(1).score(&samples).unwrap().statistics().to_vec()
        };
        let (by_class, by_value) = (score(Target::Classes(&classes)), score(Target::Values(&values)));
        for (a, b) in by_class.iter().zip(&by_value) {
            prop_assert!(close(*a, *b, REORDERED_SUM), "{by_class:?} {by_value:?}");
        }
        prop_assert!(close(by_class.iter().sum::<f64>(), 1.0, REORDERED_SUM));
    }
}

/// Two features that decide by their product, and ten that do not matter.
fn product() -> (Array2<f64>, Vec<usize>) {
    let x = Array2::from_shape_vec((600, 12), congruential(7200, 21)).unwrap();
    let y = (0..600)
        .map(|i| usize::from(x[[i, 0]] * x[[i, 1]] > 0.0))
        .collect();
    (x, y)
}

#[test]
fn boruta_finds_what_only_matters_together() {
    let (x, y) = product();
    let training: Vec<usize> = (0..500).collect();
    let samples = Samples::training(x.view(), Target::Classes(&y), &training).unwrap();
    let judge = |seed| {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        Boruta::new(40)
            .fit(|seed| ExtraTrees::new(40, seed).with_depth(6), &samples, &mut rng)
            .unwrap()
    };
    let found = judge(3);
    assert_eq!(found, judge(3));
    assert_eq!(found.selected(), [0, 1]);
    let rejected = found.verdicts()[2..]
        .iter()
        .filter(|v| **v == Verdict::Rejected)
        .count();
    assert!(rejected >= 8, "{:?}", found.verdicts());
    // A score of one feature at a time does not see them.
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    let alone = Boruta::new(40).fit(|_| FClassif, &samples, &mut rng).unwrap();
    assert!(!alone.selected().contains(&0) || !alone.selected().contains(&1));
    // Rows held out have no say.
    let mut other = x.clone();
    other.slice_mut(s![500.., ..]).fill(1e9);
    let held_out = Samples::training(other.view(), Target::Classes(&y), &training).unwrap();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    let again = Boruta::new(40)
        .fit(
            |seed| ExtraTrees::new(40, seed).with_depth(6),
            &held_out,
            &mut rng,
        )
        .unwrap();
    assert_eq!(again, found);
}

#[test]
fn boruta_keeps_all_measures_of_irises_and_no_noise() {
    let (x, y) = iris();
    let noise = Array2::from_shape_vec((150, 4), congruential(600, 5)).unwrap();
    let both = concatenate(Axis(1), &[x.view(), noise.view()]).unwrap();
    let samples = Samples::all(both.view(), Target::Classes(&y)).unwrap();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let found = Boruta::new(100)
        .fit(|seed| ExtraTrees::new(50, seed), &samples, &mut rng)
        .unwrap();
    assert_eq!(found.selected(), [0, 1, 2, 3]);
}

/// Importances that are known beforehand.
struct Fixed(Vec<f64>);

impl ScoreFunction for Fixed {
    fn score(&self, samples: &Samples<'_>) -> Result<Scores, FeatureError> {
        Ok(Scores::new(
            self.0.iter().copied().cycle().take(samples.features()).collect(),
        ))
    }
}

#[test]
fn verdicts_wait_for_enough_throws() {
    let x = array![[1.0, 2.0], [2.0, 1.0], [3.0, 5.0]];
    let samples = Samples::all(x.view(), Target::None).unwrap();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    // Always above, and never: 2⁻ⁿ < 0.01 / 4 from n = 9 on.
    let always = |_| Fixed(vec![2.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    let found = Boruta::new(8).fit(always, &samples, &mut rng).unwrap();
    assert_eq!(found.verdicts(), [Verdict::Tentative; 2]);
    assert_eq!((found.hits(), found.rounds()), ([8, 0].as_slice(), 8));
    let found = Boruta::new(50).fit(always, &samples, &mut rng).unwrap();
    assert_eq!(found.verdicts(), [Verdict::Confirmed, Verdict::Rejected]);
    assert_eq!(found.rounds(), 9);
    // As good as the best shadow is no hit, and neither is nothing.
    let equal = Boruta::new(50)
        .fit(|_| Fixed(vec![1.0]), &samples, &mut rng)
        .unwrap();
    assert_eq!(equal.verdicts(), [Verdict::Rejected; 2]);
    let unknown = Boruta::new(50)
        .fit(|_| Fixed(vec![f64::NAN]), &samples, &mut rng)
        .unwrap();
    assert_eq!(unknown.hits(), [0, 0]);
}

#[test]
fn judgements_that_say_nothing_are_refused() {
    let (x, y) = product();
    let samples = Samples::all(x.view(), Target::Classes(&y)).unwrap();
    let parameter = |name| FeatureError::Parameter { name };
    let score = |trees: ExtraTrees| trees.score(&samples).unwrap_err();
    assert_eq!(score(ExtraTrees::new(0, 1)), parameter("trees"));
    assert_eq!(
        score(ExtraTrees::new(1, 1).with_candidates(0)),
        parameter("candidates")
    );
    assert_eq!(score(ExtraTrees::new(1, 1).with_depth(0)), parameter("depth"));
    let nothing = Samples::all(x.view(), Target::None).unwrap();
    assert_eq!(
        ExtraTrees::new(1, 1).score(&nothing),
        Err(FeatureError::TargetKind { needed: "values" })
    );
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    assert_eq!(
        Boruta::new(0).fit(|_| FClassif, &samples, &mut rng),
        Err(parameter("rounds"))
    );
    let wild = Boruta::new(1)
        .with_level(f64::NAN)
        .fit(|_| FClassif, &samples, &mut rng);
    assert_eq!(wild, Err(parameter("level")));
    // Nothing to cut.
    let flat = Array2::from_elem((5, 2), 1e300);
    let flat = Samples::all(flat.view(), Target::Values(&[1.0, 2.0, 3.0, 4.0, 5.0])).unwrap();
    assert_eq!(
        ExtraTrees::new(3, 1).score(&flat).unwrap().statistics(),
        [0.0, 0.0]
    );
    let wide = array![[-1.7e308], [1.7e308], [0.0]];
    let wide = Samples::all(wide.view(), Target::Values(&[1e8, 1e8 + 1.0, 1e8])).unwrap();
    assert_eq!(ExtraTrees::new(9, 1).score(&wide).unwrap().statistics(), [1.0]);
}
