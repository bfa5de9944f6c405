//! Drift against SciPy 1.17.1 and by hand.

use modelops_cleaning::{Dataset, DriftProfile, FitError, Split, Test, Train};
use modelops_testkit::tolerance::{CLOSED_FORM, close};
use ndarray::{Array2, array};
use proptest::prelude::*;

fn data(x: Array2<f64>) -> Dataset {
    let labels = vec![0; x.nrows()];
    Dataset::try_new(x, labels, vec!["only".into()]).unwrap()
}

#[test]
fn statistics_are_those_of_scipy() {
    let wave = |n: usize, scale: f64, shift: f64| {
        data(Array2::from_shape_fn((n, 1), |(i, _)| {
            if i % 23 == 7 {
                f64::NAN
            } else {
                scale * (i as f64 * 1.7).sin() + shift
            }
        }))
    };
    let profile = DriftProfile::fit(&Split::<Train>::declare(wave(400, 1.0, 0.0))).unwrap();
    let drift = &profile
        .compare(&Split::<Test>::declare(wave(150, 1.3, 0.2)))
        .unwrap()[0];
    assert!(close(drift.ks, KS, CLOSED_FORM), "{}", drift.ks);
    assert!(close(drift.psi, PSI, CLOSED_FORM), "{}", drift.psi);
    assert!(close(drift.js, JS, CLOSED_FORM), "{}", drift.js);
    assert_eq!(drift.missing, (18.0 / 400.0, 7.0 / 150.0));
}

const KS: f64 = 0.27972027972027974;
const PSI: f64 = 0.31954445268307996;
const JS: f64 = 0.23642651340617624;

#[test]
fn a_profile_comes_back_from_json_and_refuses_what_it_cannot_judge() {
    let train = Split::<Train>::declare(data(array![[1.0, 5.0], [2.0, 5.0], [f64::NAN, 5.0]]));
    let profile = DriftProfile::fit(&train).unwrap();
    let text = serde_json::to_string(&profile).unwrap();
    assert_eq!(serde_json::from_str::<DriftProfile>(&text).unwrap(), profile);
    for damaged in [
        text.replacen("\"counts\":[", "\"counts\":[3,", 1),
        text.replacen("\"knots\":[", "\"knots\":[9.0,", 1),
    ] {
        assert!(
            serde_json::from_str::<DriftProfile>(&damaged).is_err(),
            "{damaged}"
        );
    }
    let narrow = Split::<Test>::declare(data(array![[1.0]]));
    let error = FitError::Width { fitted: 2, found: 1 };
    assert_eq!(profile.compare(&narrow).unwrap_err(), error);
    let none = Split::<Test>::declare(data(Array2::zeros((0, 2))));
    assert_eq!(profile.compare(&none).unwrap_err(), FitError::Empty);
    let infinite = Split::<Test>::declare(data(array![[1.0, f64::INFINITY]]));
    let error = FitError::Infinite { row: 0, feature: 1 };
    assert_eq!(profile.compare(&infinite).unwrap_err(), error);
    let nothing = Split::<Train>::declare(data(array![[f64::NAN]]));
    assert_eq!(
        DriftProfile::fit(&nothing).unwrap_err(),
        FitError::NoValue { feature: 0 }
    );
    // A batch without a value has moved by what is missing alone.
    let empty = Split::<Test>::declare(data(array![[f64::NAN, f64::NAN]]));
    let drift = profile.compare(&empty).unwrap();
    assert!(drift[0].ks == 0.0 && drift[0].psi > 0.0 && drift[0].missing.1 == 1.0);
}

proptest! {
    /// Law: the statistic is the largest difference over all values, and nothing has moved from itself.
    #[test]
    fn the_largest_gap_is_found(
        a in proptest::collection::vec(-9i8..9, 1..60),
        b in proptest::collection::vec(-9i8..9, 1..60),
    ) {
        let part = |v: &[i8]| data(Array2::from_shape_fn((v.len(), 1), |(i, _)| f64::from(v[i])));
        let train = Split::<Train>::declare(part(&a));
        let profile = DriftProfile::fit(&train).unwrap();
        let itself = &profile.compare(&train).unwrap()[0];
        prop_assert_eq!((itself.ks, itself.psi, itself.js), (0.0, 0.0, 0.0));
        let drift = &profile.compare(&Split::<Test>::declare(part(&b))).unwrap()[0];
        let below = |v: &[i8], limit: i8| v.iter().filter(|&&x| x <= limit).count() as f64 / v.len() as f64;
        let slow = (-9..9).map(|limit| (below(&a, limit) - below(&b, limit)).abs()).fold(0.0, f64::max);
        prop_assert!(close(drift.ks, slow, CLOSED_FORM));
        prop_assert!((0.0..=1.0).contains(&drift.js) && drift.psi >= 0.0);
    }
}
