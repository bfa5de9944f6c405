//! Kernels of this crate, at three sizes each: within the second cache, within the last, and beyond it.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use modelops_cleaning::{
    Dataset, DropDuplicates, DropMissing, KnnImputer, Mode, Pipeline, PipelineSpec, Read, Smote, Split, Train,
};
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

fn generator() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(42)
}

fn uniform(generator: &mut Xoshiro256PlusPlus) -> f64 {
    (generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Records of 50 to 70 bytes, one in fifty with a missing value and one in ten seen before, as training logs are.
fn csv(records: usize) -> String {
    let mut generator = generator();
    let mut text = String::from("id,user,amount,score,comment\n");
    for i in 0..records {
        let id = if i % 10 == 9 { i / 2 } else { i };
        let score = if i % 50 == 7 {
            String::new()
        } else {
            format!("{:.6}", (id % 997) as f64 / 997.0)
        };
        let user = generator.next_u64() % 2;
        writeln!(
            text,
            "{id},u{user:07},{}.25,{score},\"alpha, bravo charlie delta\"",
            id % 1000
        )
        .expect("writing to memory");
    }
    text
}

fn textual(c: &mut Criterion) {
    let mut group = c.benchmark_group("textual: drop missing and duplicate records");
    group.sample_size(10);
    let folder = tempfile::tempdir().expect("a temporary folder");
    for records in [1_000, 30_000, 300_000] {
        let text = csv(records);
        let path = folder.path().join("in.csv");
        std::fs::write(&path, &text).expect("a writable folder");
        group.throughput(Throughput::Bytes(text.len() as u64));
        let pipeline = Pipeline::try_new(
            PipelineSpec::new(Read::csv(&path))
                .mode(Mode::Textual)
                .step(DropMissing::default())
                .step(DropDuplicates::default()),
        )
        .expect("a sound specification");
        group.bench_function(BenchmarkId::new("ours", records), |b| {
            b.iter(|| pipeline.run().expect("a sound file").ledger.kept());
        });
        group.bench_function(BenchmarkId::new("csv crate and a set of rows", records), |b| {
            b.iter(|| {
                let mut reader = csv::ReaderBuilder::new().from_path(&path).expect("a sound file");
                let mut seen = std::collections::HashSet::new();
                let mut kept = 0u64;
                for record in reader.byte_records() {
                    let record = record.expect("a sound record");
                    if record.iter().all(|field| !field.is_empty())
                        && seen.insert(record.iter().map(<[u8]>::to_vec).collect::<Vec<_>>())
                    {
                        kept += 1;
                    }
                }
                kept
            });
        });
    }
    group.finish();
}

fn matrix(rows: usize, missing: f64) -> Split<Train> {
    let mut generator = generator();
    let mut x = Array2::from_shape_simple_fn((rows, 10), || uniform(&mut generator));
    x.mapv_inplace(|v| {
        if uniform(&mut generator) < missing {
            f64::NAN
        } else {
            v
        }
    });
    let labels = (0..rows).map(|i| usize::from(i % 10 == 0)).collect();
    let classes = vec!["many".to_owned(), "few".to_owned()];
    Split::declare(Dataset::try_new(x, labels, classes).expect("labels and rows agree"))
}

fn knn(c: &mut Criterion) {
    let mut group = c.benchmark_group("KNN imputer, 10 features, 5 % missing");
    group.sample_size(10);
    for rows in [500, 2_000, 8_000] {
        let train = matrix(rows, 0.05);
        let fitted = KnnImputer::default()
            .fit(&train)
            .expect("every feature has values");
        group.bench_function(BenchmarkId::new("ours", rows), |b| {
            b.iter(|| fitted.transform(black_box(&train)).expect("the same width"));
        });
        if rows <= 2_000 {
            group.bench_function(BenchmarkId::new("all distances sorted", rows), |b| {
                b.iter(|| modelops_testkit::cleaning::knn_impute(train.x(), train.x(), 5));
            });
        }
    }
    group.finish();
}

fn smote(c: &mut Criterion) {
    let mut group = c.benchmark_group("SMOTE, 10 features, one row in ten");
    group.sample_size(10);
    for rows in [1_000, 10_000, 40_000] {
        let train = matrix(rows, 0.0);
        group.bench_function(BenchmarkId::new("ours", rows), |b| {
            b.iter(|| {
                Smote::default()
                    .fit_resample(black_box(&train), 7)
                    .expect("enough rows")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, textual, knn, smote);
criterion_main!(benches);
