//! The KNN imputer against its definition.

use modelops_cleaning::{Dataset, KnnImputer, Split, Train};
use ndarray::{Array2, ArrayView2};
use proptest::prelude::*;

/// Every hole filled by sorting all rows.
fn slow(x: ArrayView2<'_, f64>, train: ArrayView2<'_, f64>, k: usize) -> Array2<f64> {
    let mut out = x.to_owned();
    for (at, row) in x.rows().into_iter().enumerate() {
        for feature in (0..row.len()).filter(|&feature| row[feature].is_nan()) {
            let mut near: Vec<(f64, usize)> = Vec::new();
            for (other, donor) in train.rows().into_iter().enumerate() {
                let pairs = row.iter().zip(donor).filter(|(a, b)| !a.is_nan() && !b.is_nan());
                let squares: f64 = pairs.clone().map(|(a, b)| (b - a) * (b - a)).sum();
                let distance = squares / pairs.count() as f64;
                if distance.is_finite() && !donor[feature].is_nan() {
                    near.push((distance, other));
                }
            }
            near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            near.truncate(k);
            let known = || train.column(feature).into_iter().filter(|v| !v.is_nan());
            out[[at, feature]] = if near.is_empty() {
                known().sum::<f64>() / known().count() as f64
            } else {
                let values = near.iter().map(|&(_, donor)| train[[donor, feature]]);
                values.sum::<f64>() / near.len() as f64
            };
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Law: what is filled in is what sorting all rows gives, to the bit: with ties, few and many holes, rows of nothing,
    /// offsets, values whose squares overflow or vanish, and infinity in what is filled in.
    #[test]
    fn holes_are_filled_as_by_sorting(
        cells in proptest::collection::vec(-6i8..6, 120..1600),
        features in 1usize..5,
        holes in prop_oneof![Just(0u64), Just(30), Just(150), Just(600)],
        scale in prop_oneof![Just(1.0), Just(1e-160), Just(1e-200), Just(1e250), Just(0.1)],
        offset in prop_oneof![Just(0.0), Just(1e6)],
        infinite in prop_oneof![Just(None), (0usize..40).prop_map(Some)],
        k in 1usize..7,
    ) {
        let n = cells.len() / features;
        let mut state = cells.len() as u64;
        let mut train = Array2::from_shape_fn((n, features), |(row, feature)| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            if (state >> 33) % 1000 < holes {
                f64::NAN
            } else {
                offset + scale * f64::from(cells[row * features + feature])
            }
        });
        train.row_mut(0).fill(offset);
        let mut x = train.clone();
        if let Some(row) = infinite {
            x[[row % n, 0]] = f64::INFINITY;
        }
        let labels = || vec![0; n];
        let split = Split::<Train>::declare(Dataset::try_new(train.clone(), labels(), vec!["only".into()]).unwrap());
        let part = Split::<Train>::declare(Dataset::try_new(x.clone(), labels(), vec!["only".into()]).unwrap());
        let fitted = KnnImputer::new(k).unwrap().fit(&split).unwrap();
        let fast = fitted.transform(&part).unwrap();
        let slow = slow(x.view(), train.view(), k);
        for (at, (fast, slow)) in fast.x().iter().zip(&slow).enumerate() {
            prop_assert_eq!(fast.to_bits(), slow.to_bits(), "cell {}: {} {}", at, fast, slow);
        }
    }
}
