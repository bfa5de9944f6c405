//! Kernels of this crate, at three sizes each, with a naive baseline beside ours.
//!
//! Sizes: a matrix or graph that fits in the second-level cache, one that fits in the third, one that fits in neither.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed benchmark")]

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use modelops_pruning::features::{FClassif, MutualInfo, Samples, ScoreFunction, Target};
use modelops_pruning::graph::{
    Cascade, NodePruner, Strength, Threshold, backbone, core_numbers, node_strengths,
};
use modelops_pruning::weights::{Pattern, Scope, Sparsity};
use modelops_testkit::pruning::{congruential, lowest};
use ndarray::Array2;
use petgraph::graph::UnGraph;

/// Ten edges a node, ends and weights at random: the shape of the published comparisons.
fn graph(nodes: usize) -> UnGraph<(), f64> {
    let draws = congruential(nodes * 30, 11);
    let node = |draw: f64| ((draw + 1.0) / 2.0 * nodes as f64) as u32;
    UnGraph::from_edges(
        draws
            .chunks_exact(3)
            .map(|d| (node(d[0]), node(d[1]), d[2] + 1.0)),
    )
}

fn graphs(c: &mut Criterion) {
    let mut group = c.benchmark_group("graph");
    group.sample_size(20);
    for nodes in [1_000, 10_000, 100_000] {
        let graph = graph(nodes);
        group.throughput(Throughput::Elements(graph.edge_count() as u64));
        let pruner = NodePruner::new(Threshold::Quantile(0.3));
        let run = |name: &str| BenchmarkId::new(name, nodes);
        group.bench_function(run("snapshot"), |b| {
            b.iter(|| pruner.prune(&graph, |w| *w).unwrap());
        });
        let fixpoint = pruner.clone().with_cascade(Cascade::Fixpoint);
        group.bench_function(run("fixpoint"), |b| {
            b.iter(|| fixpoint.prune(&graph, |w| *w).unwrap());
        });
        group.bench_function(run("snapshot, by retain_nodes"), |b| {
            let mut strengths = node_strengths(&graph, Strength::Total, |w| *w).unwrap();
            let strength = strengths.clone();
            strengths.sort_unstable_by(f64::total_cmp);
            let cut = strengths[nodes * 3 / 10];
            b.iter_batched(
                || graph.clone(),
                |mut graph| graph.retain_nodes(|_, node| strength[node.index()] >= cut),
                BatchSize::LargeInput,
            );
        });
        group.bench_function(run("core numbers"), |b| b.iter(|| core_numbers(&graph)));
        group.bench_function(run("disparity"), |b| {
            b.iter(|| backbone::disparity(&graph, |w| *w).unwrap());
        });
    }
    group.finish();
}

fn masks(c: &mut Criterion) {
    let mut group = c.benchmark_group("mask");
    group.sample_size(10);
    for side in [256, 1_024, 4_096] {
        let flat: Vec<f32> = congruential(side * side, 5)
            .into_iter()
            .map(|w| w as f32)
            .collect();
        let weights = Array2::from_shape_vec((side, side), flat).unwrap();
        group.throughput(Throughput::Bytes(weights.len() as u64 * 4));
        let sparsity = Sparsity::try_new(0.5).unwrap();
        let unstructured = |scope| Pattern::Unstructured { sparsity, scope };
        for (name, pattern) in [
            ("tensor", unstructured(Scope::Tensor)),
            ("row", unstructured(Scope::Row)),
            ("2 of 4", Pattern::NM { keep: 2, group: 4 }),
        ] {
            group.bench_function(BenchmarkId::new(name, side), |b| {
                b.iter(|| pattern.mask(weights.view()).unwrap());
            });
        }
        if side < 4_096 {
            let flat = weights.as_slice().unwrap();
            group.bench_function(BenchmarkId::new("tensor, by sorting", side), |b| {
                b.iter(|| lowest(black_box(flat), flat.len() / 2));
            });
        }
    }
    group.finish();
}

fn features(c: &mut Criterion) {
    let mut group = c.benchmark_group("feature");
    group.sample_size(10);
    for rows in [1_000, 10_000, 100_000] {
        let x = Array2::from_shape_vec((rows, 20), congruential(rows * 20, 3)).unwrap();
        let classes: Vec<usize> = (0..rows)
            .map(|i| usize::from(x[[i, 0]] > 0.0) + usize::from(x[[i, 1]] > 0.5))
            .collect();
        let samples = Samples::all(x.view(), Target::Classes(&classes)).unwrap();
        group.throughput(Throughput::Elements(x.len() as u64));
        group.bench_function(BenchmarkId::new("F of classes", rows), |b| {
            b.iter(|| FClassif.score(&samples).unwrap());
        });
        group.bench_function(BenchmarkId::new("F of classes, by columns", rows), |b| {
            b.iter(|| naive_f(&x, &classes));
        });
        group.bench_function(BenchmarkId::new("mutual information", rows), |b| {
            b.iter(|| MutualInfo::default().score(&samples).unwrap());
        });
    }
    group.finish();
}

fn naive_f(x: &Array2<f64>, classes: &[usize]) -> Vec<f64> {
    let score = |column: ndarray::ArrayView1<'_, f64>| {
        let (mut counts, mut sums, mut squares) = ([0.0; 3], [0.0; 3], 0.0);
        for (x, class) in column.iter().zip(classes) {
            counts[*class] += 1.0;
            sums[*class] += x;
            squares += x * x;
        }
        let between: f64 = counts
            .iter()
            .zip(sums)
            .map(|(n, sum): (&f64, f64)| sum * sum / n)
            .sum();
        let total = sums.iter().sum::<f64>();
        let n = classes.len() as f64;
        (between - total * total / n) / 2.0 / ((squares - between) / (n - 3.0))
    };
    x.columns().into_iter().map(score).collect()
}

criterion_group!(benches, graphs, masks, features);
criterion_main!(benches);
