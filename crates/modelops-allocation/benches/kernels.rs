//! Kernels of this crate, at three sizes each, with a naive baseline beside ours.
//!
//! Sizes: 1,000 items live in the first cache level, 10,000 in the second, 100,000 in the third. Instances are seeded and made
//! outside of the loop.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use modelops_allocation::score::{BestFit, FragmentationGradient};
use modelops_allocation::{
    Device, DeviceDemand, Event, Fleet, Greedy, Item, Milli, Node, Replay, Request, Resources, SolverOptions,
    choose_variants, knapsack,
};
use modelops_testkit::allocation::{choice_instance, knapsack_by_table, knapsack_instance};

fn knapsacks(c: &mut Criterion) {
    let mut group = c.benchmark_group("knapsack");
    group.sample_size(10);
    for n in [1_000, 10_000, 100_000] {
        let (pairs, capacity) = knapsack_instance("weakly", n, 10_000, 1);
        let items: Vec<Item> = pairs.iter().map(|(v, w)| Item::new(*v, *w)).collect();
        group.bench_function(BenchmarkId::new("ours", n), |b| {
            b.iter(|| knapsack(black_box(&items), capacity, &SolverOptions::default()));
        });
    }
    // The table is O(n · capacity): only a small instance with small weights.
    let (pairs, capacity) = knapsack_instance("weakly", 1_000, 100, 1);
    group.bench_function("table/1000 of 100", |b| {
        b.iter(|| knapsack_by_table(black_box(&pairs), capacity));
    });
    group.finish();
}

fn variants(c: &mut Criterion) {
    let mut group = c.benchmark_group("variants");
    group.sample_size(10);
    for n in [100, 1_000, 10_000] {
        let (classes, budget) = choice_instance("weakly", n, 10, 1000, 1);
        let item = |(v, w): &(u64, u64)| Item::new(*v, *w);
        let classes: Vec<Vec<Item>> = classes
            .iter()
            .map(|class| class.iter().map(item).collect())
            .collect();
        group.bench_function(BenchmarkId::new("ours", n), |b| {
            b.iter(|| choose_variants(black_box(&classes), budget, &SolverOptions::default()));
        });
    }
    group.finish();
}

/// Requests of mixed size onto nodes of eight devices until nothing fits.
fn replays(c: &mut Criterion) {
    let mut group = c.benchmark_group("replay of 2000 arrivals");
    group.sample_size(10);
    let share = |milli| DeviceDemand::share(Milli::try_new(milli).expect("a share"));
    let requests: Vec<Request> = (1..10)
        .map(|i| {
            Request::new(format!("s{i}"))
                .with_resource("cpu_milli", 1000 * i)
                .with_devices(share(100 * i as u32))
        })
        .chain([Request::new("w")
            .with_resource("cpu_milli", 8000)
            .with_devices(DeviceDemand::whole(1))])
        .collect();
    let events: Vec<Event> = (0..2000_u64)
        .map(|id| Event::Arrive {
            request: (id * 7 % 10) as usize,
            id,
        })
        .collect();
    for n in [100, 1_000, 10_000] {
        let node = |i| {
            Node::new(format!("n{i}"), Resources::new().with("cpu_milli", 96_000))
                .with_devices(8, &Device::new("G", Resources::new()))
        };
        let fleet = Fleet::try_new((0..n).map(node).collect()).expect("distinct names");
        group.bench_function(BenchmarkId::new("best fit", n), |b| {
            b.iter(|| Replay::run(&fleet, &Greedy::new(BestFit::default()), &requests, &events));
        });
        let policy = Greedy::new(FragmentationGradient::new(&requests));
        group.bench_function(BenchmarkId::new("fragmentation gradient", n), |b| {
            b.iter(|| Replay::run(&fleet, &policy, &requests, &events));
        });
    }
    group.finish();
}

criterion_group!(benches, knapsacks, variants, replays);
criterion_main!(benches);
