//! Recording, reading and summing up, at sizes from within the first cache level to beyond the last.
//!
//! The naive baselines are what one writes first: a shared atomic for a counter, a mutex around a sorted list of
//! bounds for a histogram, a full sort for a quantile.

use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use modelops_monitoring::{HistogramOptions, Registry, RegistryOptions, Schema, Sketch, buckets, label_set};
use modelops_testkit::monitoring::quantile;

label_set! { struct Tenant<'a> { tenant: &'a str } }

/// Heavy-tailed durations, 0.5 ms upwards, spread over the buckets as those of a service are.
fn durations(n: usize) -> Vec<f64> {
    let tail = |i: usize| 1.0 / (1.0 - (i as f64 + 0.5) / n as f64);
    let mut values: Vec<f64> = (0..n).map(|i| 0.000_5 * tail(i).powf(1.3)).collect();
    // A fixed stride mixes them, so that no branch predictor learns the order.
    (0..n).for_each(|i| values.swap(i, i * 7_919 % n));
    values
}

fn record(c: &mut Criterion) {
    let registry = Registry::new("bench").expect("a good name");
    let counter = registry.counter("events", "").expect("a free name");
    let histogram = registry
        .histogram("h_seconds", "", HistogramOptions::seconds())
        .expect("a free name");
    let shared = AtomicU64::new(0);
    let listed = Mutex::new((vec![0u64; buckets::SECONDS.len() + 1], 0.0));
    let mut group = c.benchmark_group("record");
    for n in [64, 4_096, 262_144] {
        let values = durations(n);
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(format!("counter/{n}"), |b| {
            b.iter(|| (0..n).for_each(|_| black_box(&counter).inc()));
        });
        group.bench_function(format!("counter-naive/{n}"), |b| {
            b.iter(|| {
                (0..n).for_each(|_| {
                    black_box(shared.fetch_add(1, Ordering::Relaxed));
                });
            });
        });
        group.bench_function(format!("histogram/{n}"), |b| {
            b.iter(|| values.iter().for_each(|v| histogram.observe(*v)));
        });
        group.bench_function(format!("histogram-naive/{n}"), |b| {
            b.iter(|| {
                for value in &values {
                    let mut listed = listed.lock().expect("no holder panics");
                    let at = buckets::SECONDS.iter().position(|bound| value <= bound);
                    listed.0[at.unwrap_or(buckets::SECONDS.len())] += 1;
                    listed.1 += value;
                }
            });
        });
    }
}

fn read(c: &mut Criterion) {
    let mut group = c.benchmark_group("read");
    for n in [100, 5_000, 100_000] {
        let options = RegistryOptions::default().with_cardinality_limit(n);
        let registry = Registry::with_options("bench", options).expect("a good name");
        let family = registry
            .counter_family::<Tenant<'static>>("events", "")
            .expect("a free name");
        (0..n).for_each(|i| {
            family
                .with(&Tenant {
                    tenant: &i.to_string(),
                })
                .inc_by(i as u64);
        });
        let mut out = Vec::new();
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(format!("text/{n}"), |b| {
            b.iter(|| {
                out.clear();
                registry.encode_prometheus_text(&mut out);
                out.len()
            });
        });
        let values = durations(n);
        let mut sketch = Sketch::new(Schema::S5);
        values.iter().for_each(|v| sketch.observe(*v));
        group.bench_function(format!("quantile/{n}"), |b| {
            b.iter(|| sketch.quantile(black_box(0.99)));
        });
        group.bench_function(format!("quantile-naive/{n}"), |b| {
            b.iter(|| quantile(&values, black_box(0.99)));
        });
    }
}

criterion_group!(kernels, record, read);
criterion_main!(kernels);
