//! What `modelops-allocation` makes of the openb trace, from one command:
//!
//! ```sh
//! cargo run --release -p modelops-benches --features allocation --bin openb -- FOLDER [table|latency|scale|bounds|replan|offline|why]
//! ```
//!
//! FOLDER holds the published CSV files (hkust-adsl/kubernetes-scheduler-simulator). Without a part every part is printed. Times are
//! wall time of one thread; run it on an idle machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use modelops_allocation::score::{
    BestFit, BidPrice, Clustering, DotProduct, FirstFit, FragmentationGradient, Packing, Score,
};
use modelops_allocation::trace::{arrivals, openb_nodes, openb_pods};
use modelops_allocation::{
    Certificate, Event, Fleet, Greedy, MoveBudget, Order, Prices, Replay, Request, Scheduler, TieBreak,
    Workload, replan,
};

const SEEDS: std::ops::Range<u64> = 42..52;
const SCORED: [&str; 1] = ["cpu_milli"];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("usage: openb FOLDER [PART]"));
    let part = arguments.next();
    let wants = |name: &str| part.as_deref().is_none_or(|part| part == name);
    let names = workloads(&folder);
    if wants("table") {
        table(&folder, &names);
    }
    if wants("latency") {
        latency(&folder);
    }
    if wants("scale") {
        scale(&folder);
    }
    if wants("bounds") {
        bounds(&folder, &names);
    }
    if wants("replan") {
        replanning(&folder, &names);
    }
    if wants("offline") {
        offline(&folder, &names);
    }
    if wants("why") {
        why(&folder);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "measuring time is what this package is for"
)]
fn timed<T>(f: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let output = std::hint::black_box(f());
    (output, start.elapsed().as_secs_f64())
}

/// The workloads of which a file lies in the folder, the default first.
fn workloads(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| {
            Some(
                name.strip_prefix("openb_pod_list_")?
                    .strip_suffix(".csv")?
                    .to_owned(),
            )
        })
        .collect();
    names.sort_by_key(|name| (name != "default", name.clone()));
    names
}

fn read(folder: &Path, workload: &str) -> (Fleet, Vec<Request>) {
    let text = |name: String| std::fs::read_to_string(folder.join(name)).expect("the file can be read");
    let fleet = openb_nodes(&text("openb_node_list_gpu_node.csv".into())).expect("nodes");
    let pods = openb_pods(&text(format!("openb_pod_list_{workload}.csv"))).expect("pods");
    (fleet, pods)
}

fn events(order: &[usize]) -> Vec<Event> {
    let ids = order.iter().zip(0..);
    ids.map(|(request, id)| Event::Arrive {
        request: *request,
        id,
    })
    .collect()
}

fn gradient(pods: &[Request], seed: u64) -> Greedy<FragmentationGradient> {
    Greedy::new(FragmentationGradient::new(pods))
        .with_scored(SCORED)
        .with_ties(TieBreak::Permuted(seed))
}

/// The published means of each policy at 130 % load.
fn published(folder: &Path, workload: &str) -> BTreeMap<String, f64> {
    let text = std::fs::read_to_string(folder.join("expected_allocation_by_policy.csv")).unwrap_or_default();
    let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        if let [name, policy, .., last] = &fields[..]
            && *name == format!("openb_pod_list_{workload}")
            && let Ok(value) = last.parse::<f64>()
        {
            let (sum, count) = sums.entry((*policy).to_owned()).or_default();
            *sum += value;
            *count += 1.0;
        }
    }
    sums.into_iter()
        .map(|(policy, (sum, count))| (policy, sum / count))
        .collect()
}

fn table(folder: &Path, names: &[String]) {
    println!("allocation at 130 % load in percent of the devices, ten seeds: published / ours");
    for name in names {
        let (fleet, pods) = read(folder, name);
        let expected = published(folder, name);
        let orders: Vec<Vec<Event>> = SEEDS
            .map(|seed| events(&arrivals(&fleet, &pods, 1300, seed)))
            .collect();
        let base = FragmentationGradient::new(&pods);
        let prices = Prices::fit(&pods);
        let mut line = format!("{name:<12}");
        let mut cell = |policy: &str, key: &str, ours: f64| {
            let theirs = expected
                .get(key)
                .map_or("-".to_owned(), |value| format!("{value:.2}"));
            line.push_str(&format!("  {policy} {theirs} / {ours:.2}"));
        };
        fn mean<S: Score>(
            fleet: &Fleet,
            pods: &[Request],
            orders: &[Vec<Event>],
            greedy: impl Fn(u64) -> Greedy<S>,
        ) -> f64 {
            let at = |(seed, events): (u64, &Vec<Event>)| {
                Replay::run(fleet, &greedy(seed), pods, events)
                    .allocation_at(130)
                    .expect("the load is reached")
            };
            SEEDS.zip(orders).map(at).sum::<f64>() / orders.len() as f64
        }
        let ties = TieBreak::Permuted;
        let of = |seed| Greedy::new(FirstFit).with_ties(TieBreak::Random(seed));
        cell("random", "01-Random", mean(&fleet, &pods, &orders, of));
        let of = |seed| {
            Greedy::new(DotProduct::opposed(10_000))
                .with_scored(SCORED)
                .with_ties(ties(seed))
        };
        cell("dot", "02-DotProd", mean(&fleet, &pods, &orders, of));
        let of = |seed| Greedy::new(Clustering).with_ties(ties(seed));
        cell("clustering", "03-GpuClustering", mean(&fleet, &pods, &orders, of));
        let of = |seed| Greedy::new(Packing).with_ties(ties(seed));
        cell("packing", "04-GpuPacking", mean(&fleet, &pods, &orders, of));
        let of = |seed| {
            Greedy::new(BestFit::with_quantum(10_000))
                .with_scored(SCORED)
                .with_ties(ties(seed))
        };
        cell("best fit", "05-BestFit", mean(&fleet, &pods, &orders, of));
        let of = |seed| {
            Greedy::new(base.clone())
                .with_scored(SCORED)
                .with_ties(ties(seed))
        };
        cell("gradient", "06-FGD", mean(&fleet, &pods, &orders, of));
        let of = |seed| {
            let score = BidPrice::new(base.clone(), prices.clone());
            Greedy::new(score).with_scored(SCORED).with_ties(ties(seed))
        };
        cell("bid price", "", mean(&fleet, &pods, &orders, of));
        println!("{line}");
    }
}

/// Every decision of one run by itself.
fn decisions(fleet: &Fleet, pods: &[Request], order: &[usize], seed: u64) -> (usize, f64, f64, f64) {
    let mut scheduler = Scheduler::new(fleet, &gradient(pods, seed));
    let mut times: Vec<f64> = order
        .iter()
        .map(|i| {
            timed(|| {
                Replay::run_with(
                    &mut scheduler,
                    fleet,
                    &pods[*i..=*i],
                    &[Event::Arrive { request: 0, id: 0 }],
                )
            })
            .1
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    (
        times.len(),
        1e6 * mean,
        1e6 * times[times.len() * 99 / 100],
        1e6 * times[times.len() - 1],
    )
}

fn latency(folder: &Path) {
    let (fleet, pods) = read(folder, "default");
    let order = arrivals(&fleet, &pods, 1300, 42);
    let list = events(&order);
    let mut runs: Vec<f64> = (0..5)
        .map(|_| timed(|| Replay::run(&fleet, &gradient(&pods, 42), &pods, &list)).1)
        .collect();
    runs.sort_by(f64::total_cmp);
    println!(
        "replay of {} arrivals on {} nodes: {:.1} ms (median of 5), {:.2} µs a decision",
        order.len(),
        fleet.nodes().len(),
        1e3 * runs[2],
        1e6 * runs[2] / order.len() as f64
    );
    for _ in 0..3 {
        let (count, mean, late, worst) = decisions(&fleet, &pods, &order, 42);
        println!(
            "  {count} decisions one by one, with the making of the request: mean {mean:.2} µs, 99th percentile {late:.2}, worst {worst:.1}"
        );
    }
}

fn scale(folder: &Path) {
    let (small, pods) = read(folder, "default");
    let times = 100_000_usize.div_ceil(small.nodes().len());
    let mut nodes = Vec::new();
    for copy in 0..times {
        for node in small.nodes() {
            let made =
                modelops_allocation::Node::new(format!("{}-{copy}", node.name()), node.resources().clone());
            nodes.push(
                node.devices()
                    .iter()
                    .fold(made, |node, device| node.with_devices(1, device)),
            );
        }
    }
    nodes.truncate(100_000);
    let fleet = Fleet::try_new(nodes).expect("distinct names");
    let order = arrivals(&small, &pods, 1300, 42);
    let mut all = Vec::new();
    for copy in 0..times {
        // Each copy in another order, so that the states differ.
        all.extend(order.iter().cycle().skip(copy * 97).take(order.len()));
    }
    let list = events(&all);
    for part in [all.len() / 10, all.len() / 2, all.len()] {
        let (replay, seconds) = timed(|| Replay::run(&fleet, &gradient(&pods, 42), &pods, &list[..part]));
        println!(
            "{} nodes, {part} arrivals, {} placed: {:.2} s, {:.2} µs a decision",
            fleet.nodes().len(),
            replay.placed(),
            seconds,
            1e6 * seconds / part as f64
        );
    }
}

/// The state after the gradient has seen 130 %, and what it left out.
fn full(
    fleet: &Fleet,
    pods: &[Request],
    seed: u64,
) -> (Scheduler<FragmentationGradient>, Replay, Workload, Vec<u32>) {
    let order = arrivals(fleet, pods, 1300, seed);
    let mut scheduler = Scheduler::new(fleet, &gradient(pods, seed));
    let replay = Replay::run_with(&mut scheduler, fleet, pods, &events(&order));
    let mut arrived = vec![0_u32; pods.len()];
    order.iter().for_each(|i| arrived[*i] += 1);
    let kept = arrived
        .iter()
        .enumerate()
        .map(|(i, n)| n - replay.rejected_of(i) as u32)
        .collect();
    let requests = pods
        .iter()
        .zip(&arrived)
        .map(|(pod, n)| pod.clone().with_replicas(*n))
        .collect();
    (
        scheduler,
        replay,
        Workload::try_new(requests).expect("a workload"),
        kept,
    )
}

fn bounds(folder: &Path, names: &[String]) {
    for name in names {
        let (fleet, pods) = read(folder, name);
        let capacity = 1000.0 * fleet.devices() as f64;
        let (_, replay, work, kept) = full(&fleet, &pods, 42);
        let (free, seconds) = timed(|| Certificate::fit(&fleet, &work).verify(&fleet, &work));
        let (keeping, more) =
            timed(|| Certificate::fit_keeping(&fleet, &work, &kept).verify_keeping(&fleet, &work, &kept));
        let allocated = replay.points().last().map_or(0, |point| point.allocated);
        let percent = |value: u64| 100.0 * value as f64 / capacity;
        println!(
            "{name:<12} gradient {:.2} %, bound {:.2} % free ({seconds:.2} s), {:.2} % with that kept ({more:.2} s)",
            percent(allocated),
            percent(free),
            percent(keeping)
        );
    }
}

fn replanning(folder: &Path, names: &[String]) {
    for name in names {
        let (fleet, pods) = read(folder, name);
        let capacity = 1000.0 * fleet.devices() as f64;
        let (scheduler, replay, work, kept) = full(&fleet, &pods, 42);
        let pending: Vec<Request> = pods
            .iter()
            .enumerate()
            .map(|(i, pod)| pod.clone().with_replicas(replay.rejected_of(i) as u32))
            .collect();
        let proof = Certificate::fit_keeping(&fleet, &work, &kept);
        let bound = proof.verify_keeping(&fleet, &work, &kept);
        let allocated = replay.points().last().map_or(0, |point| point.allocated);
        let placed = scheduler.ledger().bound();
        for permille in [10, 33, 1000] {
            let budget = MoveBudget::moves(placed * permille / 1000);
            let (migration, seconds) = timed(|| replan(scheduler.ledger(), &pending, budget));
            let mut ledger = scheduler.ledger().clone();
            migration
                .apply(&mut ledger, &pending)
                .expect("every step is feasible");
            let gap = (bound - allocated) as f64;
            println!(
                "{name:<12} {:.3} % to {:.3} % by {} moves ({:.2} % of {placed}), {:.1} % of the gap to {:.3} %, {seconds:.2} s",
                100.0 * allocated as f64 / capacity,
                100.0 * (allocated + migration.gain()) as f64 / capacity,
                migration.moves(),
                100.0 * migration.moves() as f64 / placed as f64,
                100.0 * migration.gain() as f64 / gap,
                100.0 * bound as f64 / capacity,
            );
        }
    }
}

fn offline(folder: &Path, names: &[String]) {
    for name in names {
        let (fleet, pods) = read(folder, name);
        let capacity = 1000.0 * fleet.devices() as f64;
        let (_, _, work, _) = full(&fleet, &pods, 42);
        let percent = |value: u64| 100.0 * value as f64 / capacity;
        let base = FragmentationGradient::new(&pods);
        let plain = Greedy::new(base.clone())
            .with_scored(SCORED)
            .with_order(Order::ByValue)
            .plan(&fleet, &work);
        let greedy = Greedy::new(BidPrice::new(base, Prices::fit(&pods))).with_scored(SCORED);
        let (best, seconds) = timed(|| greedy.plan_offline(&fleet, &work));
        println!(
            "{name:<12} big first {:.2} %, offline {:.2} % in {seconds:.1} s",
            percent(plain.value()),
            percent(best.value())
        );
    }
}

fn why(folder: &Path) {
    let (fleet, pods) = read(folder, "default");
    let order = arrivals(&fleet, &pods, 1300, 42);
    let mut scheduler = Scheduler::new(&fleet, &gradient(&pods, 42));
    let mut times = Vec::new();
    for i in order {
        let one = &pods[i..=i];
        let replay = Replay::run_with(
            &mut scheduler,
            &fleet,
            one,
            &[Event::Arrive { request: 0, id: 0 }],
        );
        if replay.rejected() == 1 {
            let (answer, seconds) = timed(|| scheduler.why_not(&pods[i]));
            assert!(
                answer.is_some_and(|answer| answer.change.is_some()),
                "a reason with a change"
            );
            times.push(1e6 * seconds);
        }
    }
    times.sort_by(f64::total_cmp);
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    println!(
        "{} rejections explained with the least change: mean {mean:.2} µs, median {:.2}, 99th percentile {:.2}, worst {:.1}",
        times.len(),
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        times[times.len() - 1]
    );
}
