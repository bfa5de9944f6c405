//! Placement on the openb trace: a replay, single decisions, a large fleet, a certificate, a migration.
//!
//! The trace is read from the folder that `MODELOPS_DATA` names, as in the tests; without it these cases are left out. There is no
//! peer to run beside them: the simulator of the trace's authors is a fork of kube-scheduler that by their account takes ten minutes a run.

use std::fs;
use std::time::Instant;

use modelops_allocation::score::FragmentationGradient;
use modelops_allocation::trace::{arrivals, openb_nodes, openb_pods};
use modelops_allocation::{
    Certificate, Event, Fleet, Greedy, MoveBudget, Node, Replay, Request, Scheduler, TieBreak, Workload,
    replan,
};
use modelops_benches::{Better, Comparison};

const SEED: u64 = 42;
/// Thousandths of the bound pods that may be moved.
const MAY_MOVE: usize = 33;
const SIMULATOR: (&str, &str) = (
    "kubernetes-scheduler-simulator",
    "a fork of kube-scheduler in Go; its authors state ten minutes a run",
);

pub(crate) fn run(run: &mut Comparison) {
    let Some(folder) = modelops_testkit::data_dir().map(|data| data.join("openb")) else {
        eprintln!("placement is left out: MODELOPS_DATA does not name the folder of conformance data");
        return;
    };
    let text = |name: &str| fs::read_to_string(folder.join(name)).expect("the trace can be read");
    let fleet = openb_nodes(&text("openb_node_list_gpu_node.csv")).expect("nodes");
    let pods = openb_pods(&text("openb_pod_list_default.csv")).expect("pods");
    let order = arrivals(&fleet, &pods, 1300, SEED);
    decisions(run, &fleet, &pods, &order);
    large(run, &fleet, &pods, &order);
    full(run, &fleet, &pods, &order);
}

fn gradient(pods: &[Request]) -> Greedy<FragmentationGradient> {
    Greedy::new(FragmentationGradient::new(pods))
        .with_scored(["cpu_milli"])
        .with_ties(TieBreak::Permuted(SEED))
}

fn events<'a>(order: impl IntoIterator<Item = &'a usize>) -> Vec<Event> {
    let ids = order.into_iter().zip(0..);
    ids.map(|(request, id)| Event::Arrive {
        request: *request,
        id,
    })
    .collect()
}

/// The replay as a whole, and every decision of it by itself.
fn decisions(run: &mut Comparison, fleet: &Fleet, pods: &[Request], order: &[usize]) {
    let list = events(order);
    let capacity = 1000.0 * fleet.devices() as f64;
    run.case("a replay of openb at 130 %, 1,213 nodes, gradient")
        .ours(|| Replay::run(fleet, &gradient(pods), pods, &list))
        .missing(SIMULATOR.0, SIMULATOR.1)
        .value("allocated", "%", Better::Higher, |replay| {
            let last = replay.points().last().map_or(0, |point| point.allocated);
            100.0 * last as f64 / capacity
        })
        .run();
    run.case("one decision after the other on 1,213 nodes, gradient")
        .ours(|| times(fleet, pods, order))
        .missing(SIMULATOR.0, SIMULATOR.1)
        .without_times()
        .value("mean", "µs", Better::Lower, |times| {
            times.iter().sum::<f64>() / times.len() as f64
        })
        .value("99th percentile", "µs", Better::Lower, |times| {
            times[times.len() * 99 / 100]
        })
        .value("worst", "µs", Better::Lower, |times| times[times.len() - 1])
        .run();
    run.case("why not, for every rejection on 1,213 nodes")
        .ours(|| reasons(fleet, pods, order))
        .without_times()
        .value("mean", "µs", Better::Lower, |times| {
            times.iter().sum::<f64>() / times.len() as f64
        })
        .value("median", "µs", Better::Lower, |times| times[times.len() / 2])
        .value("99th percentile", "µs", Better::Lower, |times| {
            times[times.len() * 99 / 100]
        })
        .run();
}

#[expect(
    clippy::disallowed_methods,
    reason = "measuring time is what this package is for"
)]
fn micros<T>(f: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let output = std::hint::black_box(f());
    (output, 1e6 * start.elapsed().as_secs_f64())
}

/// The microseconds of each placement, ascending.
fn times(fleet: &Fleet, pods: &[Request], order: &[usize]) -> Vec<f64> {
    let mut scheduler = Scheduler::new(fleet, &gradient(pods));
    let one = [Event::Arrive { request: 0, id: 0 }];
    let of = |i: &usize| micros(|| Replay::run_with(&mut scheduler, fleet, &pods[*i..=*i], &one)).1;
    let mut times: Vec<f64> = order.iter().map(of).collect();
    times.sort_by(f64::total_cmp);
    times
}

/// The microseconds of each explanation, ascending.
fn reasons(fleet: &Fleet, pods: &[Request], order: &[usize]) -> Vec<f64> {
    let mut scheduler = Scheduler::new(fleet, &gradient(pods));
    let one = [Event::Arrive { request: 0, id: 0 }];
    let mut times = Vec::new();
    for i in order {
        let replay = Replay::run_with(&mut scheduler, fleet, &pods[*i..=*i], &one);
        if replay.rejected() == 1 {
            let (answer, time) = micros(|| scheduler.why_not(&pods[*i]));
            assert!(answer.is_some(), "it was rejected");
            times.push(time);
        }
    }
    times.sort_by(f64::total_cmp);
    times
}

/// Copies of the fleet up to 100,000 nodes, each with the arrivals in another order.
fn large(run: &mut Comparison, small: &Fleet, pods: &[Request], order: &[usize]) {
    const NODES: usize = 100_000;
    let name = "decisions on 100,000 nodes up to 65 % load, gradient";
    if !run.wants(name) {
        return;
    }
    let copies = NODES.div_ceil(small.nodes().len());
    let copy = |copy: usize| {
        small.nodes().iter().map(move |node| {
            let made = Node::new(format!("{}-{copy}", node.name()), node.resources().clone());
            let devices = node.devices().iter();
            devices.fold(made, |node, device| node.with_devices(1, device))
        })
    };
    let nodes = (0..copies).flat_map(copy).take(NODES).collect();
    let fleet = Fleet::try_new(nodes).expect("distinct names");
    let all = (0..copies).flat_map(|copy| order.iter().cycle().skip(copy * 97).take(order.len()));
    let list = events(all.take(copies * order.len() / 2));
    run.case(name)
        .ours(|| Replay::run(&fleet, &gradient(pods), pods, &list))
        .missing(SIMULATOR.0, SIMULATOR.1)
        .per("decision", list.len())
        .rounds(1)
        .cold()
        .run();
}

/// What is proven of the final state, and what a migration gains from there.
fn full(run: &mut Comparison, fleet: &Fleet, pods: &[Request], order: &[usize]) {
    let names = [
        "a certificate for openb at 130 %",
        "a certificate for openb at 130 %, what is placed kept",
        "a migration of 3.3 % of the pods of openb",
    ];
    if !names.iter().any(|name| run.wants(name)) {
        return;
    }
    let mut scheduler = Scheduler::new(fleet, &gradient(pods));
    let replay = Replay::run_with(&mut scheduler, fleet, pods, &events(order));
    let mut arrived = vec![0_u32; pods.len()];
    order.iter().for_each(|i| arrived[*i] += 1);
    let rejected: Vec<u32> = (0..pods.len()).map(|i| replay.rejected_of(i) as u32).collect();
    let kept: Vec<u32> = arrived.iter().zip(&rejected).map(|(all, no)| all - no).collect();
    let some = |counts: &[u32]| {
        let pods = pods.iter().zip(counts);
        pods.map(|(pod, n)| pod.clone().with_replicas(*n))
            .collect::<Vec<_>>()
    };
    let work = Workload::try_new(some(&arrived)).expect("a workload");
    let capacity = 1000.0 * fleet.devices() as f64;
    run.case(names[0])
        .ours(|| Certificate::fit(fleet, &work).verify(fleet, &work))
        .value("bound", "%", Better::Lower, |bound| {
            100.0 * *bound as f64 / capacity
        })
        .rounds(3)
        .run();
    let keeping = || Certificate::fit_keeping(fleet, &work, &kept).verify_keeping(fleet, &work, &kept);
    run.case(names[1])
        .ours(keeping)
        .value("bound", "%", Better::Lower, |bound| {
            100.0 * *bound as f64 / capacity
        })
        .rounds(3)
        .run();
    if !run.wants(names[2]) {
        return;
    }
    let pending = some(&rejected);
    let placed = scheduler.ledger().bound();
    let allocated = replay.points().last().map_or(0, |point| point.allocated);
    let gap = (keeping() - allocated) as f64;
    run.case(names[2])
        .ours(|| {
            let plan = replan(
                scheduler.ledger(),
                &pending,
                MoveBudget::moves(placed * MAY_MOVE / 1000),
            );
            let mut ledger = scheduler.ledger().clone();
            plan.apply(&mut ledger, &pending).expect("every step is feasible");
            plan
        })
        .value("certified gap closed", "%", Better::Higher, |plan| {
            100.0 * plan.gain() as f64 / gap
        })
        .value("pods moved", "%", Better::Lower, |plan| {
            100.0 * plan.moves() as f64 / placed as f64
        })
        .rounds(1)
        .cold()
        .run();
}
