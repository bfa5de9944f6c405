//! Which dimensions of which tensors shrink together.

use std::collections::BTreeMap;

use petgraph::graph::{NodeIndex, UnGraph};
use petgraph::unionfind::UnionFind;

use super::{Architecture, Family};
use crate::error::StructureError;
use crate::weights::Checkpoint;

/// A part of a layer whose units can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Part {
    /// Key and value heads, each with the query heads that share it.
    Heads,
    /// Channels of a feed-forward layer.
    Ffn,
    /// Experts, by the rows of their router.
    Experts,
}

/// One dimension of one tensor: `segments` times `units` times `width` entries, in this order of nesting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Axis {
    /// The tensor.
    pub tensor: String,
    /// Which of its dimensions.
    pub axis: usize,
    /// How often all units follow each other: 3 where query, key and value are one matrix.
    pub segments: usize,
    /// Entries of one unit.
    pub width: usize,
    /// Layer and part that it belongs to.
    pub of: (usize, Part),
}

/// The graph of dimensions that carry the same units: a unit leaves a whole connected component, or stays.
///
/// Nodes are dimensions of tensors; an edge says that what one tensor writes along its dimension another reads along its own,
/// or adds to it. Components are found, not assumed: a tensor that is missing or of another size is an error.
///
/// # Example
/// ```
/// # use safetensors::{Dtype, tensor::TensorView};
/// use modelops_pruning::structured::{Architecture, Coupling, Part};
/// use modelops_pruning::weights::Checkpoint;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("model.safetensors");
/// # let bytes = vec![0_u8; 4 * 8 * 8];
/// # let tensor = |rows: usize, columns: usize| TensorView::new(Dtype::F32, vec![rows, columns], &bytes[..4 * rows * columns]);
/// # let layer = |name: &str| format!("model.layers.0.{name}.weight");
/// # safetensors::serialize_to_file([
/// #     (layer("self_attn.q_proj"), tensor(8, 8)?), (layer("self_attn.k_proj"), tensor(4, 8)?),
/// #     (layer("self_attn.v_proj"), tensor(4, 8)?), (layer("self_attn.o_proj"), tensor(8, 8)?),
/// #     (layer("mlp.gate_proj"), tensor(6, 8)?), (layer("mlp.up_proj"), tensor(6, 8)?), (layer("mlp.down_proj"), tensor(8, 6)?),
/// # ], None, &path)?;
/// # let config = r#"{"model_type": "llama", "num_hidden_layers": 1, "hidden_size": 8, "num_attention_heads": 4,
/// #                  "num_key_value_heads": 2, "intermediate_size": 6}"#;
///
/// let coupling = Coupling::new(&Checkpoint::open(&path)?, &Architecture::from_config(config)?)?;
/// let heads: Vec<&str> = coupling.group(0, Part::Heads).map(|axis| axis.tensor.as_str()).collect();
/// assert_eq!(heads.len(), 4); // query, key, value and output shrink together
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Coupling {
    graph: UnGraph<Axis, ()>,
    groups: BTreeMap<(usize, Part), Vec<NodeIndex>>,
}

impl Coupling {
    /// Builds the graph of a checkpoint.
    ///
    /// # Errors
    /// [`StructureError::Tensor`] names a tensor that the architecture needs and that is missing or has another shape.
    pub fn new(checkpoint: &Checkpoint, architecture: &Architecture) -> Result<Self, StructureError> {
        let mut builder = Builder {
            checkpoint,
            graph: UnGraph::new_undirected(),
            prefix: prefix(checkpoint, architecture)?,
        };
        for layer in 0..architecture.layers {
            match architecture.family {
                Family::Bert => bert(&mut builder, architecture, layer)?,
                Family::Gpt2 => gpt2(&mut builder, architecture, layer)?,
                Family::Llama | Family::Mixtral => llama(&mut builder, architecture, layer)?,
            }
        }
        Self::components(builder.graph)
    }

    fn components(graph: UnGraph<Axis, ()>) -> Result<Self, StructureError> {
        let mut sets = UnionFind::<usize>::new(graph.node_count());
        for edge in graph.raw_edges() {
            sets.union(edge.source().index(), edge.target().index());
        }
        let mut groups: BTreeMap<(usize, Part), Vec<NodeIndex>> = BTreeMap::new();
        for node in graph.node_indices() {
            let group = groups.entry(graph[node].of).or_default();
            if group
                .first()
                .is_some_and(|first| !sets.equiv(first.index(), node.index()))
            {
                return Err(StructureError::Tensor {
                    tensor: graph[node].tensor.clone(),
                });
            }
            group.push(node);
        }
        Ok(Self { graph, groups })
    }

    /// The graph itself.
    #[must_use]
    pub fn graph(&self) -> &UnGraph<Axis, ()> {
        &self.graph
    }

    /// All dimensions that a unit of this part is taken from.
    pub fn group(&self, layer: usize, part: Part) -> impl Iterator<Item = &Axis> + '_ {
        self.groups
            .get(&(layer, part))
            .into_iter()
            .flatten()
            .map(|node| &self.graph[*node])
    }
}

struct Builder<'a> {
    checkpoint: &'a Checkpoint,
    graph: UnGraph<Axis, ()>,
    prefix: String,
}

impl Builder<'_> {
    /// Adds a dimension of `units` × `width`, and couples it with `to`.
    fn axis(
        &mut self,
        name: &str,
        axis: usize,
        [segments, units, width]: [usize; 3],
        of: (usize, Part),
        to: Option<NodeIndex>,
    ) -> Result<NodeIndex, StructureError> {
        let tensor = format!("{}{name}", self.prefix);
        let wrong = || StructureError::Tensor {
            tensor: tensor.clone(),
        };
        let (_, found) = self.checkpoint.find(&tensor).ok_or_else(wrong)?;
        if found.shape.get(axis) != Some(&(segments * units * width)) {
            return Err(wrong());
        }
        let node = self.graph.add_node(Axis {
            tensor,
            axis,
            segments,
            width,
            of,
        });
        if let Some(to) = to {
            self.graph.add_edge(to, node, ());
        }
        Ok(node)
    }

    /// As [`Builder::axis`] for a bias that may be absent.
    fn bias(
        &mut self,
        name: &str,
        sizes: [usize; 3],
        of: (usize, Part),
        to: NodeIndex,
    ) -> Result<(), StructureError> {
        if self.checkpoint.find(&format!("{}{name}", self.prefix)).is_some() {
            self.axis(name, 0, sizes, of, Some(to))?;
        }
        Ok(())
    }
}

/// What stands before the first layer's marker, `bert.` or `transformer.` or nothing.
fn prefix(checkpoint: &Checkpoint, architecture: &Architecture) -> Result<String, StructureError> {
    let marker = architecture.layer_marker();
    let of = |name: &str| {
        let (before, _, _) = architecture.split(name)?;
        before.strip_suffix(marker).map(str::to_owned)
    };
    checkpoint
        .names()
        .find_map(of)
        .ok_or_else(|| StructureError::Tensor {
            tensor: format!("{marker}0"),
        })
}

fn bert(builder: &mut Builder<'_>, a: &Architecture, layer: usize) -> Result<(), StructureError> {
    let name = |rest: &str| format!("encoder.layer.{layer}.{rest}");
    let (heads, of) = ([1, a.heads, a.head_dim], (layer, Part::Heads));
    let read = builder.axis(&name("attention.output.dense.weight"), 1, heads, of, None)?;
    for part in ["query", "key", "value"] {
        let written = builder.axis(
            &name(&format!("attention.self.{part}.weight")),
            0,
            heads,
            of,
            Some(read),
        )?;
        builder.bias(&name(&format!("attention.self.{part}.bias")), heads, of, written)?;
    }
    let (channels, of) = ([1, a.ffn, 1], (layer, Part::Ffn));
    let written = builder.axis(&name("intermediate.dense.weight"), 0, channels, of, None)?;
    builder.bias(&name("intermediate.dense.bias"), channels, of, written)?;
    builder.axis(&name("output.dense.weight"), 1, channels, of, Some(written))?;
    Ok(())
}

fn gpt2(builder: &mut Builder<'_>, a: &Architecture, layer: usize) -> Result<(), StructureError> {
    let name = |rest: &str| format!("h.{layer}.{rest}");
    let (three, of) = ([3, a.heads, a.head_dim], (layer, Part::Heads));
    let written = builder.axis(&name("attn.c_attn.weight"), 1, three, of, None)?;
    builder.bias(&name("attn.c_attn.bias"), three, of, written)?;
    builder.axis(
        &name("attn.c_proj.weight"),
        0,
        [1, a.heads, a.head_dim],
        of,
        Some(written),
    )?;
    let (channels, of) = ([1, a.ffn, 1], (layer, Part::Ffn));
    let written = builder.axis(&name("mlp.c_fc.weight"), 1, channels, of, None)?;
    builder.bias(&name("mlp.c_fc.bias"), channels, of, written)?;
    builder.axis(&name("mlp.c_proj.weight"), 0, channels, of, Some(written))?;
    Ok(())
}

fn llama(builder: &mut Builder<'_>, a: &Architecture, layer: usize) -> Result<(), StructureError> {
    let name = |rest: &str| format!("layers.{layer}.{rest}");
    let of = (layer, Part::Heads);
    let (one, group) = (
        [1, a.kv_heads, a.head_dim],
        [1, a.kv_heads, a.head_dim * a.group()],
    );
    let read = builder.axis(&name("self_attn.o_proj.weight"), 1, group, of, None)?;
    for (part, sizes) in [("q", group), ("k", one), ("v", one)] {
        let weight = name(&format!("self_attn.{part}_proj.weight"));
        let written = builder.axis(&weight, 0, sizes, of, Some(read))?;
        builder.bias(&name(&format!("self_attn.{part}_proj.bias")), sizes, of, written)?;
    }
    if a.experts > 0 {
        let router = name("block_sparse_moe.gate.weight");
        builder.axis(&router, 0, [1, a.experts, 1], (layer, Part::Experts), None)?;
        return Ok(());
    }
    let (channels, of) = ([1, a.ffn, 1], (layer, Part::Ffn));
    let read = builder.axis(&name("mlp.down_proj.weight"), 1, channels, of, None)?;
    for part in ["gate", "up"] {
        builder.axis(
            &name(&format!("mlp.{part}_proj.weight")),
            0,
            channels,
            of,
            Some(read),
        )?;
    }
    Ok(())
}
