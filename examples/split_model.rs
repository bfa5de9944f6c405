//! My model is larger than one device: which layers go on which, how fast is the pipeline, and what would make it faster?
//!
//! A language model that also reads pictures, split over one large and three smaller accelerators and a host: exactly, and into
//! equal parts; then with smaller weights, with one device more, and on a device that it does not fit on.
//!
//! ```sh
//! cargo run --example split_model
//! ```

use std::error::Error;

use modelops::allocation::pipeline::{DeviceKind, Layer, StagePlan, graph};
use modelops::allocation::{SolverOptions, Status};
use petgraph::graph::{DiGraph, NodeIndex};

const MIB: u64 = 1 << 20;
const BLOCKS: usize = 64;

/// What a device reads from its memory in a microsecond, in KiB: a decoder is as fast as its weights are read.
const BANDWIDTH: [u64; 3] = [1_990, 843, 190];
const KINDS: [&str; 3] = ["A100-80GB", "L40S-48GB", "host"];

fn main() -> Result<(), Box<dyn Error>> {
    let kinds = |smaller: u32| {
        [
            DeviceKind::new(KINDS[0], 1, 76_000 * MIB),
            DeviceKind::new(KINDS[1], smaller, 45_000 * MIB),
            DeviceKind::new(KINDS[2], 1, u64::MAX).without_transfers(),
        ]
    };
    let options = SolverOptions::default();
    let (model, names) = model(2);
    let weights: u64 = names.iter().map(|(_, mib)| mib).sum();
    println!("{} layers, {weights} MiB of weights\n", names.len());
    let best = graph(&model, &kinds(3), &options)?;
    println!("the best split into contiguous stages\n{}", table(&best, &names));
    assert_eq!(best.status, Status::Optimal);
    let equal = equal_parts(&names, &best);
    let times = equal as f64 / best.max_load as f64;
    println!("as many layers on each device: {equal} µs for the slowest, {times:.2} times as long\n");

    let (halved, names) = self::model(1);
    let best = graph(&halved, &kinds(3), &options)?;
    println!("with weights of one byte\n{}", table(&best, &names));
    let more = graph(&halved, &kinds(4), &options)?;
    println!("and with a fourth {}: {} µs\n", KINDS[1], more.max_load);

    let mut one = kinds(0);
    one[2] = DeviceKind::new(KINDS[2], 0, 0);
    match graph(&model, &one, &options) {
        Ok(plan) => println!("on one device: {} µs", plan.max_load),
        Err(error) => println!("on one {} without a host: {error}", KINDS[0]),
    }
    Ok(())
}

/// The graph, and a name and the MiB of weights for each layer, with so many bytes a weight.
fn model(bytes: u64) -> (DiGraph<Layer, ()>, Vec<(String, u64)>) {
    let (mut model, mut names) = (DiGraph::new(), Vec::new());
    let mut add = |name: String, millions: u64, output: u64| -> NodeIndex {
        let mib = millions * bytes;
        names.push((name, mib));
        let times = BANDWIDTH.map(|kib| Some(mib * 1024 / kib));
        model.add_node(Layer::new(times).with_memory(mib * MIB).with_output(output))
    };
    let mut edges = Vec::new();
    let mut vision = add("patches".into(), 30, 20);
    for i in 0..6 {
        let next = add(format!("vision {i}"), 400, 20);
        edges.push((vision, next));
        vision = next;
    }
    let text = add("tokens".into(), 1050, 10);
    let mut last = add("join".into(), 60, 30);
    edges.extend([(vision, last), (text, last)]);
    for i in 0..BLOCKS {
        let next = add(format!("block {i}"), 850, 30);
        edges.push((last, next));
        last = next;
    }
    edges.push((last, add("head".into(), 1050, 0)));
    for (from, to) in edges {
        model.add_edge(from, to, ());
    }
    (model, names)
}

/// A line a stage.
fn table(plan: &StagePlan, names: &[(String, u64)]) -> String {
    let mut table = String::from("device       layers       MiB   work µs  moves µs  layers\n");
    for stage in &plan.stages {
        let (first, last) = (stage.layers[0], stage.layers[stage.layers.len() - 1]);
        table += &format!(
            "{:<11}{:>8}{:>10}{:>10}{:>10}  {} to {}\n",
            KINDS[stage.kind],
            stage.layers.len(),
            stage.memory / MIB,
            stage.compute,
            stage.transfer,
            names[first].0,
            names[last].0
        );
    }
    table + &format!("slowest stage {} µs, proven to be the least\n", plan.max_load)
}

/// The work of the slowest device when the layers are cut into as many equal parts, in the order of the best split's devices.
fn equal_parts(names: &[(String, u64)], plan: &StagePlan) -> u64 {
    let part = names.len().div_ceil(plan.stages.len());
    let parts = names.chunks(part).zip(&plan.stages);
    let work = parts.map(|(layers, stage)| {
        layers
            .iter()
            .map(|(_, mib)| mib * 1024 / BANDWIDTH[stage.kind])
            .sum::<u64>()
    });
    work.max().unwrap_or(0)
}
