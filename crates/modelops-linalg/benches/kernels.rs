//! Kernels at three sizes: 32 kB, 512 kB and 8 MB of `f64` a matrix, so in the first-level cache, the second-level one,
//! and beyond. A naive baseline stands beside ours where it ends in reasonable time.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use modelops_linalg::{Cholesky, Eigh, Lu, Qr, Svd, gemm, syrk};
use modelops_testkit::linalg::{naive_cholesky, seeded_matrix};
use ndarray::{Array2, ArrayView2};

const SIZES: [usize; 3] = [64, 256, 1024];

/// The product as three loops, the inner one along rows.
fn naive_gemm(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>, c: &mut Array2<f64>) {
    c.fill(0.0);
    for (row, mut out) in a.rows().into_iter().zip(c.rows_mut()) {
        for (&x, other) in row.iter().zip(b.rows()) {
            out.scaled_add(x, &other);
        }
    }
}

fn products(criterion: &mut Criterion) {
    for n in SIZES {
        let mut group = criterion.benchmark_group("products");
        group.throughput(Throughput::Elements((2 * n * n * n) as u64));
        let (a, b) = (seeded_matrix(n, n, 1), seeded_matrix(n, n, 2));
        let mut c = Array2::zeros((n, n));
        group.bench_function(BenchmarkId::new("gemm", n), |bench| {
            bench.iter(|| gemm(1.0, a.view(), b.view(), 0.0, c.view_mut()));
        });
        group.bench_function(BenchmarkId::new("naive gemm", n), |bench| {
            bench.iter(|| naive_gemm(a.view(), b.view(), &mut c));
        });
        group.bench_function(BenchmarkId::new("ndarray dot", n), |bench| {
            bench.iter(|| a.dot(&b));
        });
        group.bench_function(BenchmarkId::new("syrk of the transpose", n), |bench| {
            bench.iter(|| syrk(1.0, a.t(), 0.0, c.view_mut()));
        });
        let (a32, b32) = (a.mapv(|x| x as f32), b.mapv(|x| x as f32));
        let mut c32 = Array2::zeros((n, n));
        group.bench_function(BenchmarkId::new("gemm f32", n), |bench| {
            bench.iter(|| gemm(1.0, a32.view(), b32.view(), 0.0, c32.view_mut()));
        });
    }
}

/// A tall matrix, as of samples by features: its Gram matrix is the first step of every least-squares fit.
fn tall(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tall");
    let x = seeded_matrix(100_000, 30, 3);
    let mut gram = Array2::zeros((30, 30));
    group.bench_function("syrk 100000 by 30", |bench| {
        bench.iter(|| syrk(1.0, x.t(), 0.0, gram.view_mut()));
    });
    group.bench_function("ndarray dot 100000 by 30", |bench| bench.iter(|| x.t().dot(&x)));
    group.sample_size(10);
    group.bench_function("qr 100000 by 30", |bench| bench.iter(|| Qr::new(x.view())));
}

fn factorizations(criterion: &mut Criterion) {
    for n in SIZES {
        let mut group = criterion.benchmark_group("factorizations");
        group.sample_size(10);
        let a = seeded_matrix(n, n, 4);
        let mut spd = Array2::eye(n);
        syrk(1.0, a.view(), 1.0, spd.view_mut()).expect("shapes agree");
        group.bench_function(BenchmarkId::new("cholesky", n), |bench| {
            bench.iter(|| Cholesky::new(spd.view()));
        });
        if n <= 256 {
            group.bench_function(BenchmarkId::new("naive cholesky", n), |bench| {
                bench.iter(|| naive_cholesky(spd.view()));
            });
        }
        group.bench_function(BenchmarkId::new("cholesky inverse", n), |bench| {
            let factor = Cholesky::new(spd.view()).expect("positive definite");
            bench.iter(|| factor.inverse());
        });
        group.bench_function(BenchmarkId::new("lu", n), |bench| {
            bench.iter(|| Lu::new(a.view()));
        });
        group.bench_function(BenchmarkId::new("qr", n), |bench| {
            bench.iter(|| Qr::new(a.view()));
        });
        group.bench_function(BenchmarkId::new("eigh", n), |bench| {
            bench.iter(|| Eigh::new(spd.view()));
        });
        group.bench_function(BenchmarkId::new("svd", n), |bench| {
            bench.iter(|| Svd::new(a.view()));
        });
    }
}

criterion_group!(benches, products, tall, factorizations);
criterion_main!(benches);
