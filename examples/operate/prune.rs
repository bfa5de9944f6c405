//! Stage 4: how much of the model can go?

use std::error::Error;
use std::path::Path;

use modelops::optimization::SoftmaxModel;
use modelops::pruning::graph::{Connectivity, Drawing, NodePruner, Strength, Threshold, node_strengths};
use modelops::pruning::weights::{Checkpoint, Format, Pattern, Recipe, Scope, Sparsity, prune_checkpoint};
use ndarray::{Array1, ArrayView2};
use petgraph::graph::{NodeIndex, UnGraph};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::cycle::{Stage, write_whole};
use crate::select::Data;

/// The share of the weights that goes.
const SPARSITY: f64 = 0.5;

/// The pruned model and the bytes it is stored as.
pub(crate) struct Pruned {
    /// What is served.
    pub(crate) model: SoftmaxModel,
    /// Its safetensors file.
    pub(crate) bytes: Vec<u8>,
}

/// Prunes the weights from file to file, then the graph of features, and says what each costs.
pub(crate) fn run(
    stage: &mut Stage<'_>,
    data: &Data,
    model: &SoftmaxModel,
) -> Result<Pruned, Box<dyn Error>> {
    let accuracy = |model: &SoftmaxModel| -> Result<f64, Box<dyn Error>> {
        Ok(100.0 * model.accuracy(data.test.x.view(), &data.test.y)?)
    };
    let (before, dense, small) = (
        stage.path("model.safetensors"),
        stage.path("pruned.safetensors"),
        stage.path("pruned-bitmask.safetensors"),
    );
    save(model, &before)?;
    let half = Pattern::Unstructured {
        sparsity: Sparsity::try_new(SPARSITY)?,
        scope: Scope::Tensor,
    };
    let report = prune_checkpoint(&before, &dense, &Recipe::new(half), Format::Dense)?;
    let compressed = prune_checkpoint(&before, &small, &Recipe::new(half), Format::Bitmask)?;
    let (whole, pruned) = (load(&before)?, load(&dense)?);
    stage.write("report.md", report.to_markdown())?;
    let weights = |model: &SoftmaxModel| model.coefficients().iter().filter(|w| **w != 0.0).count();
    println!(
        "{:<24}{:>10}{:>12}{:>14}",
        "weights", "not zero", "bytes", "accuracy, %"
    );
    let rows = [
        ("before", &whole, report.bytes_before),
        ("pruned", &pruned, report.bytes_after),
        ("pruned, as a bitmask", &pruned, compressed.bytes_after),
    ];
    for (name, model, bytes) in rows {
        println!(
            "{name:<24}{:>10}{bytes:>12}{:>14.2}",
            weights(model),
            accuracy(model)?
        );
    }

    let narrowed = prune_graph(stage, data, &whole)?;
    println!(
        "without the weak features: accuracy {:.2} %",
        accuracy(&narrowed)?
    );

    stage.fact("sparsity", report.sparsity());
    stage.fact("weights_before", weights(&whole));
    stage.fact("weights_after", weights(&pruned));
    stage.fact("accuracy_before_percent", accuracy(&whole)?);
    stage.fact("accuracy_after_percent", accuracy(&pruned)?);
    stage.fact("accuracy_without_weak_features_percent", accuracy(&narrowed)?);
    let (a, b) = (weights(&whole), weights(&pruned));
    let (x, y) = (accuracy(&whole)?, accuracy(&pruned)?);
    stage.result(
        format!("{a} to {b} weights, accuracy {x:.1} to {y:.1} %"),
        "graph-after.svg",
    );
    Ok(Pruned {
        model: pruned,
        bytes: std::fs::read(dense)?,
    })
}

/// Drops the features whose weights are weak together, and draws the graph before and after.
///
/// Nodes are features and classes; the weight of an edge is the size of the coefficient between them.
fn prune_graph(
    stage: &mut Stage<'_>,
    data: &Data,
    model: &SoftmaxModel,
) -> Result<SoftmaxModel, Box<dyn Error>> {
    let mut graph = UnGraph::<&str, f64>::new_undirected();
    let features: Vec<NodeIndex> = data.features.iter().map(|name| graph.add_node(name)).collect();
    let classes: Vec<NodeIndex> = data
        .classes
        .iter()
        .map(|name| graph.add_node(short(name)))
        .collect();
    for ((class, feature), weight) in model.coefficients().indexed_iter() {
        graph.add_edge(features[feature], classes[class], weight.abs());
    }
    let strengths = node_strengths(&graph, Strength::Total, |weight| *weight)?;
    let mean = strengths[..features.len()].iter().sum::<f64>() / features.len() as f64;
    let pruner =
        NodePruner::new(Threshold::Below(0.75 * mean)).with_connectivity(Connectivity::Terminals(classes));
    let pruned = pruner.prune(&graph, |weight| *weight)?;

    let label = |_, name: &&str| (*name).to_owned();
    let before =
        Drawing::new(&graph, label, |weight| *weight).with_title("Features and classes, before pruning");
    let after = Drawing::new(pruned.graph(), label, |weight| *weight)
        .with_layout(before.layout().restricted_to(pruned.plan()))
        .with_title("The features that carry the model");
    for (name, drawing) in [
        ("graph-before", before.with_plan(pruned.plan())),
        ("graph-after", after),
    ] {
        stage.write(&format!("{name}.svg"), drawing.to_svg())?;
        stage.write(&format!("{name}.dot"), drawing.to_dot())?;
    }

    let kept = pruned.plan().new_index();
    let gone: Vec<&str> = (0..features.len())
        .filter(|&i| kept[i].is_none())
        .map(|i| data.features[i].as_str())
        .collect();
    println!(
        "graph: {} of {} features carry the model; weak: {}",
        features.len() - gone.len(),
        features.len(),
        gone.join(", ")
    );
    stage.fact("graph_features_before", features.len());
    stage.fact("graph_features_after", features.len() - gone.len());
    let mut coefficients = model.coefficients().to_owned();
    for (feature, mut column) in coefficients.columns_mut().into_iter().enumerate() {
        if kept[feature].is_none() {
            column.fill(0.0);
        }
    }
    Ok(SoftmaxModel::new(coefficients, model.intercepts().to_owned())?)
}

/// A class name up to the bracket that many tables end it with.
fn short(name: &str) -> &str {
    name.split(" (").next().unwrap_or(name)
}

const WEIGHT: &str = "classifier.weight";
const BIAS: &str = "classifier.bias";

/// Writes the model as safetensors, in single precision.
fn save(model: &SoftmaxModel, path: &Path) -> Result<(), Box<dyn Error>> {
    let bytes = |numbers: ArrayView2<'_, f64>| -> Vec<u8> {
        numbers.iter().flat_map(|x| (*x as f32).to_le_bytes()).collect()
    };
    let bias = model.intercepts().insert_axis(ndarray::Axis(0));
    let (weights, bias) = (bytes(model.coefficients()), bytes(bias));
    let (classes, features) = model.coefficients().dim();
    let tensors = [
        (
            WEIGHT,
            TensorView::new(Dtype::F32, vec![classes, features], &weights)?,
        ),
        (BIAS, TensorView::new(Dtype::F32, vec![classes], &bias)?),
    ];
    write_whole(path, &safetensors::serialize(tensors, None)?)
}

/// Reads the model back.
pub(crate) fn load(path: &Path) -> Result<SoftmaxModel, Box<dyn Error>> {
    let weights = Checkpoint::open(path)?.matrix(WEIGHT)?.mapv(f64::from);
    let file = std::fs::read(path)?;
    let bias = SafeTensors::deserialize(&file)?;
    let bias = bias.tensor(BIAS)?.data().as_chunks::<4>().0;
    let bias: Array1<f64> = bias
        .iter()
        .map(|bytes| f64::from(f32::from_le_bytes(*bytes)))
        .collect();
    Ok(SoftmaxModel::new(weights, bias)?)
}
