//! Writing the smaller model.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::TensorInfo;
use serde_json::{Map, Value, json};

use super::{Architecture, Coupling, Family, LayerPlan, Part, StructuredPlan};
use crate::error::{CheckpointError, StructureError};
use crate::weights::{Checkpoint, Sink, head, persist};

/// What slicing left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlicedReport {
    /// Values in all tensors of the input.
    pub values_before: u64,
    /// Values in all tensors of the output.
    pub values_after: u64,
}

/// Writes what `plan` leaves of `input` into one file, and its config beside it.
///
/// Layers and experts are numbered anew. In the config the sizes change that its family has: `intermediate_size` or `n_inner`,
/// `num_hidden_layers` or `n_layer`, `num_local_experts`; heads as `num_attention_heads`, `num_key_value_heads` and `head_dim`
/// in the families of Llama, as `pruned_heads` for BERT and GPT-2. All else in it stays. Both files appear when they are whole.
///
/// # Errors
/// [`StructureError`]; nothing is visible then.
///
/// # Complexity
/// One reading. Memory: the largest tensor.
#[doc(alias("structured_pruning", "head_pruning"))]
pub fn slice_checkpoint(
    input: impl AsRef<Path>,
    config: &str,
    plan: &StructuredPlan,
    output: impl AsRef<Path>,
    output_config: impl AsRef<Path>,
) -> Result<SlicedReport, StructureError> {
    let (output, output_config) = (output.as_ref(), output_config.as_ref());
    let architecture = Architecture::from_config(config)?;
    plan.check(&architecture)?;
    let checkpoint = Checkpoint::open(input).map_err(StructureError::Checkpoint)?;
    if checkpoint.is_stored_in(output) || checkpoint.is_stored_in(output_config) {
        let path = output.to_owned();
        return Err(StructureError::Checkpoint(CheckpointError::SameFile { path }));
    }
    let cuts = cuts(&checkpoint, &architecture, plan)?;
    let mut stored: Vec<Stored<'_>> = Vec::new();
    let mut before = 0;
    for name in checkpoint.names() {
        let (_, tensor) = checkpoint.find(name).ok_or_else(|| missing(name))?;
        before += tensor.values();
        let Some(new) = renamed(name, &architecture, plan) else {
            continue;
        };
        let mut shape = tensor.shape.clone();
        for (axis, kept) in cuts.get(name).into_iter().flatten() {
            shape[*axis] = kept.len();
        }
        stored.push(Stored { name, new, shape });
    }
    stored.sort_by(|a, b| {
        let dtype = |s: &Stored<'_>| checkpoint.find(s.name).map(|(_, tensor)| tensor.dtype);
        dtype(b).cmp(&dtype(a)).then_with(|| a.new.cmp(&b.new))
    });
    let mut end = 0;
    let mut infos = Vec::new();
    for item in &stored {
        let (_, tensor) = checkpoint.find(item.name).ok_or_else(|| missing(item.name))?;
        let start = end;
        end += item.shape.iter().product::<usize>() * tensor.dtype.bitsize() / 8;
        let info = TensorInfo {
            dtype: tensor.dtype,
            shape: item.shape.clone(),
            data_offsets: (start, end),
        };
        infos.push((item.new.clone(), info));
    }
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let head = head(Some(&metadata), &infos).ok_or_else(|| missing(""))?;
    let mut sink = Sink::new(output).map_err(StructureError::Checkpoint)?;
    sink.write_at(&head, 0).map_err(StructureError::Checkpoint)?;
    for (item, (_, info)) in stored.iter().zip(&infos) {
        let (shard, tensor) = checkpoint.find(item.name).ok_or_else(|| missing(item.name))?;
        let bytes = shard.bytes(tensor).map_err(StructureError::Checkpoint)?;
        let none = Vec::new();
        let cut = cuts.get(item.name).unwrap_or(&none);
        let bytes = gather(bytes, tensor.shape.clone(), tensor.dtype.bitsize() / 8, cut);
        sink.write_at(&bytes, (head.len() + info.data_offsets.0) as u64)
            .map_err(StructureError::Checkpoint)?;
    }
    let mut small = Sink::new(output_config).map_err(StructureError::Checkpoint)?;
    small
        .write_at(rewritten(config, &architecture, plan)?.as_bytes(), 0)
        .map_err(StructureError::Checkpoint)?;
    let (whole, small) = (
        sink.finish().map_err(StructureError::Checkpoint)?,
        small.finish().map_err(StructureError::Checkpoint)?,
    );
    persist(whole, output).map_err(StructureError::Checkpoint)?;
    persist(small, output_config).map_err(StructureError::Checkpoint)?;
    Ok(SlicedReport {
        values_before: before,
        values_after: stored
            .iter()
            .map(|item| item.shape.iter().product::<usize>() as u64)
            .sum(),
    })
}

struct Stored<'a> {
    name: &'a str,
    new: String,
    shape: Vec<usize>,
}

fn missing(tensor: &str) -> StructureError {
    StructureError::Tensor {
        tensor: tensor.to_owned(),
    }
}

/// Entries that stay, by tensor and dimension.
type Cuts = BTreeMap<String, Vec<(usize, Vec<usize>)>>;

fn cuts(
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    plan: &StructuredPlan,
) -> Result<Cuts, StructureError> {
    let coupling = Coupling::new(checkpoint, architecture)?;
    let mut cuts = Cuts::new();
    for (number, layer) in plan.layers.iter().enumerate() {
        let Some(layer) = layer else { continue };
        for (part, kept, units) in [
            (Part::Heads, &layer.heads, architecture.kv_heads),
            (Part::Ffn, &layer.ffn, architecture.ffn),
            (Part::Experts, &layer.experts, architecture.experts),
        ] {
            for axis in coupling.group(number, part) {
                let entries = (0..axis.segments)
                    .flat_map(|segment| kept.iter().map(move |unit| segment * units + unit))
                    .flat_map(|unit| unit * axis.width..(unit + 1) * axis.width)
                    .collect();
                cuts.entry(axis.tensor.clone())
                    .or_default()
                    .push((axis.axis, entries));
            }
        }
    }
    Ok(cuts)
}

/// The name in the output; `None` where the tensor goes.
fn renamed(name: &str, architecture: &Architecture, plan: &StructuredPlan) -> Option<String> {
    const EXPERTS: &str = "block_sparse_moe.experts.";
    let Some((before, number, after)) = architecture.split(name) else {
        return Some(name.to_owned());
    };
    let layer = plan.layers.get(number)?.as_ref()?;
    let number = plan.layers[..number].iter().flatten().count();
    let Some(rest) = after.strip_prefix(EXPERTS).filter(|_| architecture.experts > 0) else {
        return Some(format!("{before}{number}.{after}"));
    };
    let (expert, rest) = rest.split_once('.')?;
    let expert: usize = expert.parse().ok()?;
    let expert = layer.experts.iter().position(|kept| *kept == expert)?;
    Some(format!("{before}{number}.{EXPERTS}{expert}.{rest}"))
}

/// Takes out of a row-major tensor the entries that stay, dimension by dimension.
fn gather(mut bytes: Vec<u8>, mut shape: Vec<usize>, size: usize, cut: &[(usize, Vec<usize>)]) -> Vec<u8> {
    for (axis, kept) in cut {
        let inner: usize = shape[axis + 1..].iter().product::<usize>() * size;
        let outer = shape[*axis] * inner;
        let mut taken = Vec::with_capacity(bytes.len() / shape[*axis].max(1) * kept.len());
        for block in bytes.chunks_exact(outer.max(1)) {
            for entry in kept {
                taken.extend_from_slice(&block[entry * inner..(entry + 1) * inner]);
            }
        }
        shape[*axis] = kept.len();
        bytes = taken;
    }
    bytes
}

fn rewritten(
    config: &str,
    architecture: &Architecture,
    plan: &StructuredPlan,
) -> Result<String, StructureError> {
    let mut config: Map<String, Value> =
        serde_json::from_str(config).map_err(|_| StructureError::Config { key: "" })?;
    let kept: Vec<&LayerPlan> = plan.layers.iter().flatten().collect();
    let Some(first) = kept.first() else {
        return Err(StructureError::Plan { layer: 0 });
    };
    let mut set = |key: &str, value: Value| config.insert(key.to_owned(), value);
    let (layers, ffn) = if architecture.family == Family::Gpt2 {
        ("n_layer", "n_inner")
    } else {
        ("num_hidden_layers", "intermediate_size")
    };
    set(layers, json!(kept.len()));
    set(ffn, json!(first.ffn.len()));
    if architecture.experts > 0 {
        set("num_local_experts", json!(first.experts.len()));
    }
    match architecture.family {
        Family::Llama | Family::Mixtral => {
            set("num_key_value_heads", json!(first.heads.len()));
            set(
                "num_attention_heads",
                json!(first.heads.len() * architecture.group()),
            );
            set("head_dim", json!(architecture.head_dim));
        }
        Family::Bert | Family::Gpt2 => {
            let gone = |layer: &LayerPlan| -> Vec<usize> {
                (0..architecture.heads)
                    .filter(|head| layer.heads.binary_search(head).is_err())
                    .collect()
            };
            let pruned: Map<String, Value> = kept
                .iter()
                .enumerate()
                .map(|(number, layer)| (number.to_string(), json!(gone(layer))))
                .filter(|(_, gone)| gone.as_array().is_some_and(|gone| !gone.is_empty()))
                .collect();
            if !pruned.is_empty() {
                set("pruned_heads", Value::Object(pruned));
            }
        }
    }
    serde_json::to_string_pretty(&config).map_err(|_| StructureError::Config { key: "" })
}
