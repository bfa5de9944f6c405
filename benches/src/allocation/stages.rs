//! Pipeline stages on the published inputs of msr-fiddle/dnn-partitioning.
//!
//! Eleven of them lie in the folder that `MODELOPS_DATA` names. `DNN_PARTITIONING` may name a clone with the authors' solver built in
//! it, see benches/peers/allocation/stages.py: then it runs beside ours, and two more inputs are read from there.

use std::fs;
use std::path::PathBuf;

use modelops_allocation::pipeline::{DeviceKind, Layer, graph};
use modelops_allocation::{SolverOptions, Status};
use modelops_benches::{Better, Comparison};
use modelops_testkit::allocation_pipeline::PartitionCase;
use petgraph::graph::{DiGraph, NodeIndex};
use serde::Deserialize;

const SOLVER: &str = "dnn-partitioning b207b6a, dp.cpp";
/// The inputs and the maximum loads that the authors' exact solver gives.
const INPUTS: [(&str, &str, f64); 13] = [
    ("LayerGraphs", "bert24_inference", 17.789_906_250),
    ("LayerGraphs", "bert24_training", 41.745_812_500),
    ("LayerGraphs", "resnet50_inference", 33.774_666_016),
    ("LayerGraphs", "resnet50_training", 78.631_812_500),
    ("OperatorGraphs", "bert_l-3_inference", 27.918_567_680),
    ("OperatorGraphs", "bert_l-3_training", 65.303_149_122),
    ("OperatorGraphs", "bert_l-6_inference", 29.579_505_806),
    ("OperatorGraphs", "bert_l-6_training", 72.864_966_322),
    ("OperatorGraphs", "bert_L-12_training", 437.997_637_858),
    ("OperatorGraphs", "resnet50_inference", 124.348_849_774),
    ("OperatorGraphs", "resnet50_training", 255.194_416_452),
    ("OperatorGraphs", "bert_l-12_inference", 147.477_984_449),
    ("LayerGraphs", "gnmt_inference", 32.910_658_203),
];

/// What a solver answers; that of the authors proves each of its loads.
#[derive(Deserialize)]
#[serde(from = "f64")]
struct Answer {
    load: f64,
    proven: bool,
}

impl From<f64> for Answer {
    fn from(load: f64) -> Self {
        Self { load, proven: true }
    }
}

#[expect(clippy::disallowed_methods, reason = "a program says where its peers lie")]
pub(crate) fn run(run: &mut Comparison) {
    let clone = std::env::var_os("DNN_PARTITIONING").map(PathBuf::from);
    let data = modelops_testkit::data_dir().map(|data| data.join("dnn-partitioning"));
    for (kind, input, load) in INPUTS {
        let name = format!("pipeline stages, {kind} {input}");
        if !run.wants(&name) {
            continue;
        }
        let kept = data
            .as_ref()
            .map(|data| data.join(format!("{kind}-{input}.json")));
        let cloned = clone.as_ref().map(|clone| {
            let inputs = clone.join("throughput-inputs");
            inputs.join(kind).join(format!("{input}.json"))
        });
        let Some(path) = [cloned, kept].into_iter().flatten().find(|path| path.exists()) else {
            eprintln!("{name}: left out, neither MODELOPS_DATA nor DNN_PARTITIONING names a folder with it");
            continue;
        };
        let text = fs::read_to_string(&path).expect("the input can be read");
        let case = run.case(&name).ours(|| {
            let case = PartitionCase::read(&text);
            let (model, kinds) = read(&case);
            let plan = graph(&model, &kinds, &SolverOptions::default()).expect("there is a split");
            Answer {
                load: plan.max_load as f64 / PartitionCase::UNIT,
                proven: plan.status == Status::Optimal,
            }
        });
        let case = if clone.is_some() {
            case.python(SOLVER, "stages.py", &[&path.to_string_lossy()])
        } else {
            case.missing(SOLVER, "DNN_PARTITIONING names no clone with it")
        };
        // Loads to the millionth, in which they are compared.
        case.value("maximum load", "ms", Better::Lower, |answer| {
            (1e6 * answer.load).round() / 1e6
        })
        .value("proven", "", Better::Higher, |answer| {
            f64::from(u8::from(answer.proven))
        })
        .agree(move |ours, theirs| {
            let above = (ours.load - theirs.load).max(ours.load - load);
            (theirs.load - load).abs() <= 1e-6 && above >= -1e-6 && (!ours.proven || above <= 1e-6)
        })
        .rounds(if input.starts_with("gnmt") { 1 } else { 3 })
        .peer_rounds(1)
        .cold()
        .run();
    }
}

fn read(case: &PartitionCase) -> (DiGraph<Layer, ()>, [DeviceKind; 2]) {
    let mut model = DiGraph::new();
    for layer in &case.layers {
        let made = Layer::new(layer.times.clone())
            .with_memory(layer.memory)
            .with_output(layer.output)
            .with_backward(layer.backward);
        model.add_node(match layer.class {
            Some(class) => made.with_colocation(class),
            None => made,
        });
    }
    for (from, to) in &case.edges {
        model.add_edge(NodeIndex::new(*from), NodeIndex::new(*to), ());
    }
    let [(accelerators, memory, _), (hosts, ..)] = case.kinds;
    let kinds = [
        DeviceKind::new("accelerator", accelerators, memory),
        DeviceKind::new("host", hosts, u64::MAX).without_transfers(),
    ];
    (model, kinds)
}
