//! A model split into the stages of a pipeline: which layers run on which device, so that the slowest stage is as fast as can be.
//!
//! The throughput of a pipeline is that of its slowest stage. A stage takes the time of its layers on its device and the time of
//! moving tensors in and out of it; it has to fit into the memory of the device. [`chain`] splits layers in a row, [`graph`] any
//! directed acyclic graph of layers, both exactly and over devices of several kinds.
//!
//! Stages are *contiguous*: they can be put in a row so that no layer reads what a later stage writes. A split that gives a
//! device several pieces of the model can be a little better, and is not looked for.

mod contract;
mod lattice;
mod search;

use petgraph::graph::{DiGraph, NodeIndex};

use crate::error::PipelineError;
use crate::solver::{SolverOptions, Status};
use contract::Contracted;

/// One layer or operator: what it takes on each kind of device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    times: Vec<Option<u64>>,
    memory: u64,
    output: u64,
    colocated: Option<u32>,
    backward: bool,
}

impl Layer {
    /// A layer that takes `times[k]` on a device of kind k; `None` where it cannot run there.
    ///
    /// Times are integers in a unit of your choice, nanoseconds for instance; the same unit everywhere.
    #[must_use]
    pub fn new(times: impl IntoIterator<Item = Option<u64>>) -> Self {
        Self {
            times: times.into_iter().collect(),
            memory: 0,
            output: 0,
            colocated: None,
            backward: false,
        }
    }

    /// What it occupies in the memory of its device, in any unit, MiB for instance; the same unit everywhere.
    #[must_use]
    pub fn with_memory(mut self, memory: u64) -> Self {
        self.memory = memory;
        self
    }

    /// The time that moving its output into or out of a device takes.
    ///
    /// Its own device pays it once where any other device reads the output, and every such device once.
    #[must_use]
    pub fn with_output(mut self, time: u64) -> Self {
        self.output = time;
        self
    }

    /// Layers of one class run on the same device: weights with what uses them, a layer with its gradient.
    #[must_use]
    pub fn with_colocation(mut self, class: u32) -> Self {
        self.colocated = Some(class);
        self
    }

    /// A layer of the backward pass: it follows its class, and does not count for being contiguous.
    #[must_use]
    pub fn with_backward(mut self, backward: bool) -> Self {
        self.backward = backward;
        self
    }
}

/// Devices that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceKind {
    name: String,
    count: u32,
    memory: u64,
    transfers: bool,
}

impl DeviceKind {
    /// `count` devices with this much memory each, in the unit of [`Layer::with_memory`].
    #[must_use]
    pub fn new(name: impl Into<String>, count: u32, memory: u64) -> Self {
        Self {
            name: name.into(),
            count,
            memory,
            transfers: true,
        }
    }

    /// The same where tensors lie already, such as a host whose memory the accelerators copy from: it pays no transfers.
    #[must_use]
    pub fn without_transfers(mut self) -> Self {
        self.transfers = false;
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }
}

/// What runs on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The position of the device's kind.
    pub kind: usize,
    /// The layers by position, ascending.
    pub layers: Vec<usize>,
    /// The time that the layers take.
    pub compute: u64,
    /// The time that moving tensors takes.
    pub transfer: u64,
    /// The memory that the layers occupy.
    pub memory: u64,
}

impl Stage {
    /// The time from one input to the next.
    #[must_use]
    pub fn load(&self) -> u64 {
        self.compute + self.transfer
    }
}

/// The answer of [`chain`] and [`graph`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagePlan {
    /// The stages from the first to the last; a device that gets nothing has none.
    pub stages: Vec<Stage>,
    /// The load of the slowest stage.
    pub max_load: u64,
    /// No contiguous split has a smaller one; equal to `max_load` when [`Status::Optimal`].
    pub bound: u64,
    /// Whether `max_load` is proven to be the least.
    pub status: Status,
}

/// Splits layers that run one after the other into stages with the least maximum load.
///
/// **Formula**: min over splits of max over stages s on a device of kind k of Σ time(l, k) + transfers(s), with
/// Σ memory(l) ≤ memory of k, and at most as many stages on kind k as there are devices.
///
/// # Errors
/// As [`graph`].
///
/// **Complexity**: O(n · m · s) for n layers, m the most layers that fit into a stage, s the numbers of used devices that are
/// worth looking at.
///
/// # Example
/// ```
/// use modelops_allocation::{SolverOptions, pipeline::{DeviceKind, Layer, chain}};
/// // Four layers on two devices: 3 + 4 on one, 5 + 1 and a transfer on the other.
/// let layers = [3, 4, 5, 1].map(|time| Layer::new([Some(time)]).with_output(1));
/// let plan = chain(&layers, &[DeviceKind::new("gpu", 2, u64::MAX)], &SolverOptions::default())?;
/// assert_eq!(plan.stages.iter().map(|s| s.layers.clone()).collect::<Vec<_>>(), [vec![0, 1], vec![2, 3]]);
/// assert_eq!((plan.stages[0].load(), plan.stages[1].load(), plan.max_load), (8, 7, 8));
/// # Ok::<(), modelops_allocation::PipelineError>(())
/// ```
///
/// **References**: as [`graph`].
#[doc(alias("pipeline_parallelism", "partition"))]
pub fn chain(
    layers: &[Layer],
    kinds: &[DeviceKind],
    options: &SolverOptions,
) -> Result<StagePlan, PipelineError> {
    let mut model: DiGraph<Layer, ()> = DiGraph::with_capacity(layers.len(), layers.len());
    for layer in layers {
        let here = model.add_node(layer.clone());
        if here.index() > 0 {
            model.add_edge(NodeIndex::new(here.index() - 1), here, ());
        }
    }
    graph(&model, kinds, options)
}

/// Splits a graph of layers into stages with the least maximum load; an edge leads from a layer to one that reads its output.
///
/// Use it for branches, skip connections and operators. Layers are known by the position in the graph. For training, mark the
/// backward pass with [`Layer::with_backward`] and tie it to the forward pass by [`Layer::with_colocation`]; stages are then
/// contiguous in the forward pass.
///
/// **Formula**: as [`chain`]; what an output costs is counted once a stage, see [`Layer::with_output`].
///
/// # Errors
/// [`PipelineError::Times`], [`PipelineError::Overflow`], [`PipelineError::Cycle`], [`PipelineError::BackwardFeedsForward`];
/// [`PipelineError::Unplaceable`] and [`PipelineError::Infeasible`] where memory or kinds leave no split;
/// [`PipelineError::Undecided`] where the limit was reached before any split was found.
///
/// **Complexity**: with I prefixes of the graph (sets of layers that hold all that they read) at most I² pairs, of which only
/// those light enough for one device are looked at; a chain has n + 1 prefixes, a graph of w parallel branches up to (n/w)ʷ.
/// Beyond the limit in [`SolverOptions`] the answer is the best split along four orders of the layers, with a valid bound. A
/// prefix counts as one state for each eight bytes that it takes.
///
/// # Example
/// ```
/// use modelops_allocation::{SolverOptions, Status, pipeline::{DeviceKind, Layer, graph}};
/// use petgraph::graph::DiGraph;
/// // A diamond: the two branches run on two accelerators, what is light on the host.
/// let layer = |gpu, host| Layer::new([Some(gpu), Some(host)]).with_output(1);
/// let mut model = DiGraph::new();
/// let [a, b, c, d] = [(1, 2), (6, 60), (6, 60), (1, 2)].map(|(gpu, host)| model.add_node(layer(gpu, host)));
/// for (from, to) in [(a, b), (a, c), (b, d), (c, d)] {
///     model.add_edge(from, to, ());
/// }
/// let kinds = [DeviceKind::new("gpu", 2, 16), DeviceKind::new("host", 1, u64::MAX).without_transfers()];
/// let plan = graph(&model, &kinds, &SolverOptions::default())?;
/// assert_eq!((plan.max_load, plan.status), (9, Status::Optimal)); // 6 + 1 + 1 in + 1 out
/// # Ok::<(), modelops_allocation::PipelineError>(())
/// ```
///
/// **References**: J. Tarnawski and others, *Efficient algorithms for device
/// placement of DNN graph operators*, Advances in Neural Information Processing Systems 33, 2020, arXiv:2006.16423.
#[doc(alias("pipeline_parallelism", "partition"))]
pub fn graph<E>(
    model: &DiGraph<Layer, E>,
    kinds: &[DeviceKind],
    options: &SolverOptions,
) -> Result<StagePlan, PipelineError> {
    let contracted = Contracted::new(model, kinds)?;
    let found = search::solve(&contracted, kinds, options.max_states)?;
    let mut stages: Vec<Stage> = found
        .parts
        .iter()
        .map(|(kind, groups)| stage(model, kinds, *kind, &contracted.layers_of(groups)))
        .collect();
    stages.retain(|stage| !stage.layers.is_empty());
    let max_load = stages.iter().map(Stage::load).max().unwrap_or(0);
    debug_assert_eq!(
        max_load, found.max_load,
        "the plan has the load that was searched for"
    );
    Ok(StagePlan {
        stages,
        max_load,
        bound: found.bound,
        status: if found.bound == max_load {
            Status::Optimal
        } else {
            Status::StateLimit
        },
    })
}

/// A stage by the definition, from the graph alone.
fn stage<E>(model: &DiGraph<Layer, E>, kinds: &[DeviceKind], kind: usize, layers: &[usize]) -> Stage {
    let mut inside = vec![false; model.node_count()];
    layers.iter().for_each(|i| inside[*i] = true);
    let mut moved = vec![false; model.node_count()];
    for edge in model.edge_indices() {
        if let Some((from, to)) = model.edge_endpoints(edge) {
            moved[from.index()] |= inside[from.index()] != inside[to.index()];
        }
    }
    let layer = |i: usize| &model[NodeIndex::new(i)];
    Stage {
        kind,
        compute: layers.iter().filter_map(|i| layer(*i).times[kind]).sum(),
        transfer: if kinds[kind].transfers {
            (0..moved.len())
                .filter(|i| moved[*i])
                .map(|i| layer(i).output)
                .sum()
        } else {
            0
        },
        memory: layers.iter().map(|i| layer(*i).memory).sum(),
        layers: layers.to_vec(),
    }
}
