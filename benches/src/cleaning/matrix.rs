//! Imputation and resampling of matrices.

use std::path::Path;

use modelops_benches::{Comparison, workspace_root};
use modelops_cleaning::{Dataset, KnnImputer, Smote, Split, Train};
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

pub(crate) fn run(comparison: &mut Comparison) {
    let folder = workspace_root().join("target").join("compare").join("cleaning");
    std::fs::create_dir_all(&folder).expect("a writable target folder");
    knn(comparison, &folder.join("knn.f64"));
    smote(comparison, &folder.join("smote.f64"));
}

fn knn(comparison: &mut Comparison, path: &Path) {
    let x = correlated(10_000, 0.05);
    save(path, x.iter().copied());
    let missing: Vec<bool> = x.iter().map(|v| v.is_nan()).collect();
    let labels = vec![0; x.nrows()];
    let train: Split<Train> =
        Split::declare(Dataset::try_new(x, labels, vec!["only".to_owned()]).expect("labels and rows agree"));
    comparison
        .case::<Vec<f64>>("KNN imputer, k = 5, 10,000 × 10, 5 % missing")
        .ours(|| {
            let fitted = KnnImputer::default()
                .fit(&train)
                .expect("every feature has values");
            let filled = fitted.transform(&train).expect("the same width");
            filled
                .x()
                .iter()
                .zip(&missing)
                .filter(|(_, missing)| **missing)
                .map(|(v, _)| *v)
                .collect()
        })
        .python(
            "scikit-learn 1.9.1",
            "matrix.py",
            &["KnnImputer", path.to_str().expect("a plain path"), "10"],
        )
        .agree(|ours, theirs| {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() <= 1e-9)
        })
        .run();
}

fn smote(comparison: &mut Comparison, path: &Path) {
    let x = correlated(100_000, 0.0);
    let labels: Vec<usize> = (0..x.nrows()).map(|i| usize::from(i % 10 == 3)).collect();
    let rows = x.rows().into_iter().zip(&labels);
    save(
        path,
        rows.flat_map(|(row, &label)| row.to_vec().into_iter().chain([label as f64])),
    );
    let classes = vec!["many".to_owned(), "few".to_owned()];
    let train: Split<Train> =
        Split::declare(Dataset::try_new(x, labels, classes).expect("labels and rows agree"));
    comparison
        .case::<Vec<f64>>("SMOTE, k = 5, 100,000 × 10, one row in ten")
        .ours(|| {
            let balanced = Smote::default().fit_resample(&train, 7).expect("enough rows");
            [0, 1]
                .map(|class| balanced.y().iter().filter(|&&y| y == class).count() as f64)
                .to_vec()
        })
        .python(
            "imbalanced-learn 0.14.2",
            "matrix.py",
            &["SMOTE", path.to_str().expect("a plain path"), "11"],
        )
        .agree(|ours, theirs| ours == theirs)
        .run();
}

/// Rows around one hidden factor, as features of one thing are; some values missing.
fn correlated(rows: usize, missing: f64) -> Array2<f64> {
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(0);
    let mut uniform = || (generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let mut normal = || (-2.0 * (1.0 - uniform()).ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
    let mut x = Array2::zeros((rows, 10));
    for mut row in x.rows_mut() {
        let factor = normal();
        row.mapv_inplace(|_| 0.7 * factor + 0.3 * normal());
    }
    x.mapv_inplace(|v| if uniform() < missing { f64::NAN } else { v });
    x
}

fn save(path: &Path, values: impl Iterator<Item = f64>) {
    let bytes: Vec<u8> = values.flat_map(f64::to_le_bytes).collect();
    std::fs::write(path, bytes).expect("a writable folder");
}
