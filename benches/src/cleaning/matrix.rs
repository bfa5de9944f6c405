//! Imputation and resampling of matrices.

use std::path::Path;

use modelops_benches::{Better, Comparison, workspace_root};
use modelops_cleaning::{
    Adasyn, BorderlineSmote, Dataset, IterativeImputer, KnnImputer, ResampleError, Resampled, Smote, Split,
    Train,
};
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

pub(crate) fn run(comparison: &mut Comparison) {
    let folder = workspace_root().join("target").join("compare").join("cleaning");
    std::fs::create_dir_all(&folder).expect("a writable target folder");
    for (rows, rounds) in [(10_000, 3), (30_000, 1), (100_000, 1)] {
        knn(comparison, &folder.join("knn.f64"), rows, rounds);
    }
    iterative(comparison, &folder.join("iterative.f64"));
    over_sampling(comparison, &folder.join("smote.f64"));
}

fn iterative(comparison: &mut Comparison, path: &Path) {
    let truth = correlated(100_000, 0.0);
    let x = correlated(100_000, 0.05);
    save(path, x.iter().copied());
    let holes: Vec<(usize, f64)> = x
        .iter()
        .zip(&truth)
        .enumerate()
        .filter_map(|(at, (v, truth))| v.is_nan().then_some((at, *truth)))
        .collect();
    let error = |filled: &Vec<f64>| {
        let squares: f64 = filled
            .iter()
            .zip(&holes)
            .map(|(v, (_, truth))| (v - truth).powi(2))
            .sum();
        (squares / holes.len() as f64).sqrt()
    };
    let labels = vec![0; x.nrows()];
    let train: Split<Train> =
        Split::declare(Dataset::try_new(x, labels, vec!["only".to_owned()]).expect("labels and rows agree"));
    comparison
        .case::<Vec<f64>>("iterative imputer, ten rounds at most, 100,000 × 10, 5 % missing")
        .ours(|| {
            let fitted = IterativeImputer::default()
                .fit(&train)
                .expect("every feature has values");
            let filled = fitted.transform(&train).expect("the same width");
            let filled = filled.x();
            holes.iter().map(|&(at, _)| filled[[at / 10, at % 10]]).collect()
        })
        .python(
            "scikit-learn 1.9.1",
            "matrix.py",
            &["IterativeImputer", path.to_str().expect("a plain path"), "10"],
        )
        .value("root mean square error", "", Better::Lower, |filled| {
            // Beyond the ninth digit the order of sums speaks.
            (error(filled) * 1e9).round() / 1e9
        })
        .agree(|ours, theirs| error(ours) <= error(theirs) * 1.001)
        .rounds(2)
        .run();
}

fn knn(comparison: &mut Comparison, path: &Path, rows: usize, rounds: usize) {
    let name = format!("KNN imputer, k = 5, {} × 10, 5 % missing", thousands(rows));
    // The peer measures all pairs: minutes at the largest size.
    if !comparison.wants(&name) || rows > 30_000 && !comparison.asks(&name) {
        return;
    }
    let x = correlated(rows, 0.05);
    save(path, x.iter().copied());
    let missing: Vec<bool> = x.iter().map(|v| v.is_nan()).collect();
    let labels = vec![0; x.nrows()];
    let train: Split<Train> =
        Split::declare(Dataset::try_new(x, labels, vec!["only".to_owned()]).expect("labels and rows agree"));
    comparison
        .case::<Vec<f64>>(&name)
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
        .rounds(rounds)
        .cold()
        .run();
}

fn over_sampling(comparison: &mut Comparison, path: &Path) {
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
    type Sampler = fn(&Split<Train>) -> Result<Resampled, ResampleError>;
    let samplers: [(&str, &str, Sampler); 3] = [
        ("SMOTE, k = 5", "SMOTE", |train| {
            Smote::default().fit_resample(train, 7)
        }),
        ("Borderline-SMOTE, k = 5, m = 10", "BorderlineSMOTE", |train| {
            BorderlineSmote::default().fit_resample(train, 7)
        }),
        ("ADASYN, k = 5", "ADASYN", |train| {
            Adasyn::default().fit_resample(train, 7)
        }),
    ];
    for (name, theirs, ours) in samplers {
        comparison
            .case::<Vec<f64>>(&format!("{name}, 100,000 × 10, one row in ten"))
            .ours(|| {
                let balanced = ours(&train).expect("enough rows");
                [0, 1]
                    .map(|class| balanced.y().iter().filter(|&&y| y == class).count() as f64)
                    .to_vec()
            })
            .python(
                "imbalanced-learn 0.14.2",
                "matrix.py",
                &[theirs, path.to_str().expect("a plain path"), "11"],
            )
            .agree(|ours, theirs| ours == theirs)
            .rounds(5)
            .run();
    }
}

fn thousands(count: usize) -> String {
    format!("{},{:03}", count / 1000, count % 1000)
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
