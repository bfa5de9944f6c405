//! The published inputs of pipeline partition, see tests/data/README.md.

use std::fs;

use modelops_allocation::pipeline::graph;
use modelops_allocation::{SolverOptions, Status};
use modelops_testkit::allocation_pipeline::PartitionCase;
use modelops_testkit::data_dir;

use crate::pipeline::{devices, model};

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
        let case = PartitionCase::read(&text);
        let (model, kinds) = (model(&case.layers, &case.edges), devices(&case.kinds));
        let plan = graph(&model, &kinds, &SolverOptions::default()).unwrap();
        let found = plan.max_load as f64 / PartitionCase::UNIT;
        println!("{name}: {found:.9} against {load:.9}, {:?}", plan.status);
        assert_eq!(plan.status, Status::Optimal, "{name}");
        assert!((found - load).abs() <= 1e-6, "{name}");
    }
}
