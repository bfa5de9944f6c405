//! The published inputs of pipeline partition, see tests/data/README.md.

use std::collections::HashMap;
use std::fs;

use modelops_allocation::pipeline::{DeviceKind, Layer, graph};
use modelops_allocation::{SolverOptions, Status};
use modelops_testkit::data_dir;
use petgraph::graph::DiGraph;
use serde_json::Value;

/// Thousandths of a picosecond for a unit of the input.
const UNIT: f64 = 1e9;

/// An input and its devices: accelerators that pay for transfers, and hosts that do not.
fn read(text: &str) -> (DiGraph<Layer, ()>, [DeviceKind; 2]) {
    let input: Value = serde_json::from_str(text).unwrap();
    let number = |value: &Value, name: &str| value[name].as_f64().unwrap_or(0.0);
    let scaled = |value: &Value, name: &str| (number(value, name) * UNIT).round() as u64;
    // Older inputs have numbers for truths.
    let truth = |value: &Value| value.as_bool().unwrap_or_else(|| value.as_u64() == Some(1));
    let edges = input["edges"].as_array().unwrap();
    let mut outputs: HashMap<u64, u64> = HashMap::new();
    for edge in edges {
        outputs.insert(edge["sourceId"].as_u64().unwrap(), scaled(edge, "cost"));
    }
    let (mut model, mut places) = (DiGraph::new(), HashMap::new());
    for node in input["nodes"].as_array().unwrap() {
        let id = node["id"].as_u64().unwrap();
        let accelerated = truth(&node["supportedOnFpga"]).then(|| scaled(node, "fpgaLatency"));
        let mut layer = Layer::new([accelerated, Some(scaled(node, "cpuLatency"))])
            .with_memory(number(node, "size") as u64)
            .with_output(outputs.get(&id).copied().unwrap_or(0))
            .with_backward(truth(&node["isBackwardNode"]));
        if let Some(class) = node["colorClass"].as_u64() {
            layer = layer.with_colocation(class as u32);
        }
        places.insert(id, model.add_node(layer));
    }
    for edge in edges {
        let end = |name: &str| places[&edge[name].as_u64().unwrap()];
        model.add_edge(end("sourceId"), end("destId"), ());
    }
    let count = |name: &str| input[name].as_u64().unwrap() as u32;
    let accelerators = DeviceKind::new(
        "accelerator",
        count("maxFPGAs"),
        number(&input, "maxSizePerFPGA") as u64,
    );
    let hosts = DeviceKind::new("host", count("maxCPUs"), u64::MAX).without_transfers();
    (model, [accelerators, hosts])
}

/// The maximum loads that the authors' exact solver gives, to 10⁻⁶.
#[test]
#[ignore = "needs MODELOPS_DATA"]
fn published_inputs_have_the_reference_loads() {
    let folder = data_dir().unwrap().join("dnn-partitioning");
    for (name, load) in [
        ("LayerGraphs-bert24_inference", 17.789_906_250),
        ("LayerGraphs-bert24_training", 41.745_812_500),
        ("LayerGraphs-resnet50_inference", 33.774_666_016),
        ("LayerGraphs-resnet50_training", 78.631_812_500),
        ("OperatorGraphs-bert_l-3_inference", 27.918_567_680),
        ("OperatorGraphs-bert_l-3_training", 65.303_149_122),
        ("OperatorGraphs-bert_l-6_inference", 29.579_505_806),
        ("OperatorGraphs-bert_l-6_training", 72.864_966_322),
        ("OperatorGraphs-bert_L-12_training", 437.997_637_858),
        ("OperatorGraphs-resnet50_inference", 124.348_849_774),
        ("OperatorGraphs-resnet50_training", 255.194_416_452),
    ] {
        let text = fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let (model, kinds) = read(&text);
        let plan = graph(&model, &kinds, &SolverOptions::default()).unwrap();
        let found = plan.max_load as f64 / UNIT;
        println!("{name}: {found:.9} against {load:.9}, {:?}", plan.status);
        assert_eq!(plan.status, Status::Optimal, "{name}");
        assert!((found - load).abs() <= 1e-6, "{name}");
    }
}
