//! Imputers against scikit-learn 1.9.1; the command is in tests/data/README.md.

use modelops_cleaning::{Dataset, FittedIterativeImputer, IterativeImputer, KnnImputer, Split, Train};
use modelops_testkit::tolerance::{ITERATED_RIDGE, NEIGHBOUR_MEAN, close};
use ndarray::{Array2, ArrayView2, arr2};

pub(crate) const DIRTY: [[f64; 4]; 24] = [
    [-1.399, 12.019, -4.623, -2.336],
    [-3.139, 12.562, -4.969, -4.287],
    [-0.516, f64::NAN, f64::NAN, f64::NAN],
    [0.295, 8.482, f64::NAN, 2.127],
    [2.857, 8.086, -2.863, 5.68],
    [-0.331, 9.797, -2.868, 0.445],
    [-1.222, 10.977, -3.072, -1.801],
    [-1.201, 11.02, -3.95, -2.559],
    [2.222, 8.787, -1.035, f64::NAN],
    [f64::NAN, 7.151, -1.669, 7.504],
    [f64::NAN, 9.256, -2.633, 2.08],
    [-2.162, 12.284, -4.31, -3.812],
    [-1.865, 11.484, -3.51, -3.482],
    [2.599, 6.159, -0.916, 7.22],
    [-0.08, 9.026, -2.587, f64::NAN],
    [f64::NAN, 13.771, -5.33, -6.09],
    [-0.171, 9.945, f64::NAN, 1.335],
    [-2.585, 11.697, -5.082, -3.755],
    [-1.435, 11.391, -3.861, -1.756],
    [-1.337, 10.716, -3.408, -1.142],
    [f64::NAN, 12.377, -3.474, -2.641],
    [f64::NAN, f64::NAN, -2.917, 3.667],
    [-0.117, 9.819, -3.38, 0.251],
    [-1.155, 11.713, f64::NAN, -1.147],
];
const KNN: [f64; 14] = [
    9.853666666666667,
    -2.945,
    0.677,
    -2.696,
    5.088,
    2.5593333333333335,
    0.014666666666666653,
    2.6246666666666667,
    -2.6286666666666667,
    -2.945,
    -1.5663333333333334,
    1.024,
    8.789333333333333,
    -3.4469999999999996,
];
const ITERATIVE: [f64; 14] = [
    10.374948923939812,
    -3.333884192606929,
    -0.05110308508939809,
    -2.6490081395139633,
    4.879456930910338,
    3.17254319773974,
    0.5190308874608296,
    1.4208041177233044,
    -3.420636248375359,
    -3.0224694707130912,
    -1.6803052392970994,
    1.2745531825276752,
    8.703683920238793,
    -3.7521543968791997,
];

fn dirty() -> Split<Train> {
    let labels = vec![0; DIRTY.len()];
    Split::declare(Dataset::try_new(arr2(&DIRTY), labels, vec!["only".into()]).unwrap())
}

pub(crate) fn filled(x: ArrayView2<'_, f64>) -> Vec<f64> {
    let dirty: Array2<f64> = arr2(&DIRTY);
    let missing = dirty.iter().zip(&x).filter(|(known, _)| known.is_nan());
    missing.map(|(_, value)| *value).collect()
}

#[test]
fn knn_gives_scikit_learns_values() {
    let train = dirty();
    let imputer = KnnImputer::new(3).unwrap().fit(&train).unwrap();
    for (ours, theirs) in filled(imputer.transform(&train).unwrap().x()).iter().zip(KNN) {
        assert!(close(*ours, theirs, NEIGHBOUR_MEAN), "{ours} {theirs}");
    }
}

#[test]
fn iterated_ridges_give_scikit_learns_values() {
    let train = dirty();
    let imputer = IterativeImputer::default().fit(&train).unwrap();
    assert!(imputer.converged());
    for (ours, theirs) in filled(imputer.transform(&train).unwrap().x())
        .iter()
        .zip(ITERATIVE)
    {
        assert!(close(*ours, theirs, ITERATED_RIDGE), "{ours} {theirs}");
    }
}

#[test]
fn fitted_state_comes_back_from_json_to_the_bit() {
    let imputer = IterativeImputer::default().fit(&dirty()).unwrap();
    let json = serde_json::to_string(&imputer).unwrap();
    assert_eq!(
        serde_json::from_str::<FittedIterativeImputer>(&json).unwrap(),
        imputer
    );
}

#[test]
fn a_file_cannot_ask_for_no_neighbours_or_no_rounds() {
    assert!(serde_json::from_str::<KnnImputer>(r#"{"neighbours":0}"#).is_err());
    assert!(serde_json::from_str::<IterativeImputer>(r#"{"rounds":0}"#).is_err());
    assert_eq!(
        serde_json::from_str::<KnnImputer>(r#"{"neighbours":3}"#).unwrap(),
        KnnImputer::new(3).unwrap()
    );
}
