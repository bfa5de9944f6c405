//! Kernels of this crate, at three sizes each: within the second cache, within the third, and from memory.
//!
//! The shapes are tall tables of 100 columns, as a feature table of a small model has. The naive baseline is the loop of the
//! textbook: one product for the residual, one transposed product for the gradient.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use modelops_optimization::{
    Differentiable, Direction, LogisticLoss, RandomSampler, SearchSpace, SquaredLoss, Study, gradient_descent,
};
use modelops_testkit::optimization::{regression_table, two_pass_descent};

const COLUMNS: usize = 100;
const ROWS: [usize; 3] = [1_000, 10_000, 100_000];

fn descent_step(c: &mut Criterion) {
    let mut group = c.benchmark_group("least squares gradient");
    for rows in ROWS {
        let (x, y) = regression_table(rows, COLUMNS, 1);
        let loss = SquaredLoss::new(x.view(), y.view(), 0.0).expect("a regular table");
        let w = vec![0.01; COLUMNS];
        let mut gradient = vec![0.0; COLUMNS];
        group.throughput(Throughput::Bytes((rows * COLUMNS * 8) as u64));
        group.bench_function(BenchmarkId::new("fused", rows), |b| {
            b.iter(|| loss.value_and_gradient(black_box(&w), &mut gradient));
        });
        group.bench_function(BenchmarkId::new("two pass", rows), |b| {
            b.iter(|| two_pass_descent(black_box(x.view()), y.view(), 0.1, 1));
        });
    }
    group.finish();
}

fn descent(c: &mut Criterion) {
    let mut group = c.benchmark_group("100 steps of descent");
    group.sample_size(10);
    for rows in ROWS {
        let (x, y) = regression_table(rows, COLUMNS, 1);
        group.bench_function(BenchmarkId::new("gradient_descent", rows), |b| {
            b.iter(|| gradient_descent(black_box(x.view()), y.view(), 0.01, 100));
        });
        if rows <= ROWS[1] {
            group.bench_function(BenchmarkId::new("two pass", rows), |b| {
                b.iter(|| two_pass_descent(black_box(x.view()), y.view(), 0.01, 100));
            });
        }
    }
    group.finish();
}

fn logistic(c: &mut Criterion) {
    let mut group = c.benchmark_group("logistic gradient");
    for rows in ROWS {
        let (x, y) = regression_table(rows, COLUMNS, 2);
        let labels: Vec<bool> = y.iter().map(|v| *v > 0.0).collect();
        let loss = LogisticLoss::new(x.view(), &labels, 0.0).expect("two classes");
        let w = vec![0.01; COLUMNS + 1];
        let mut gradient = vec![0.0; COLUMNS + 1];
        group.throughput(Throughput::Bytes((rows * COLUMNS * 8) as u64));
        group.bench_function(BenchmarkId::from_parameter(rows), |b| {
            b.iter(|| loss.value_and_gradient(black_box(&w), &mut gradient));
        });
    }
    group.finish();
}

fn ask_and_tell(c: &mut Criterion) {
    let mut group = c.benchmark_group("random ask and tell");
    for dim in [2, 10, 50] {
        let mut space = SearchSpace::new();
        for j in 0..dim {
            space = space.float(&format!("x{j}"), 0.0..=1.0).expect("a regular range");
        }
        let mut study = Study::new("bench", space, Direction::Minimize).with_sampler(RandomSampler::new(1));
        group.bench_function(BenchmarkId::from_parameter(dim), |b| {
            b.iter(|| {
                let trial = study.ask().expect("nothing runs");
                let value = trial.parameters().numbers()[0];
                study.tell(trial.number(), value).expect("asked for");
            });
        });
    }
    group.finish();
}

criterion_group!(kernels, descent_step, descent, logistic, ask_and_tell);
criterion_main!(kernels);
