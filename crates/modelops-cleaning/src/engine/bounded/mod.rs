//! The textual engine in bounded memory, one resumable unit after the other.
//!
//! The input is cut into shards at record borders. For every distinct node, each shard gives a file of fingerprints,
//! ordered by their leading bits ([`shards`]); then each range of leading bits is judged alone ([`parts`]), which needs
//! memory for its share of the fingerprints only and gives a file of the records that repeat another. With those at hand
//! the last pass writes shard after shard ([`write`]). Every unit ends with the rename of a file in the work folder
//! ([`folder`]): what has its name is complete and never done again.

mod folder;
mod parts;
mod shards;
mod write;

use std::ops::ControlFlow;

use crate::engine::source::CsvSource;
use crate::engine::textual::Judge;
use crate::error::RunError;
use crate::ledger::Ledger;
use crate::pipeline::{Progress, RunOptions, Work};
use crate::plan::{Plan, Predicate, RelOp};
use crate::spec::{Mode, PipelineSpec};

use folder::Folder;
use parts::Repeated;
use shards::Shard;

/// How the memory that a caller grants is spent.
#[derive(Debug, Clone, Copy)]
struct Budget {
    /// Bytes of input in a shard.
    shard_bytes: u64,
    /// Fingerprints in a shard, 20 bytes each.
    shard_prints: usize,
    /// Fingerprints judged together, at most 45 bytes each while their table grows.
    part_prints: u64,
}

impl Budget {
    fn new(memory: usize) -> Self {
        // A quarter for the largest table; the rest is the ledger's, the buffers' and the program's.
        let quarter = (memory / 4).max(1 << 16);
        Self {
            shard_bytes: memory.max(1 << 16) as u64,
            shard_prints: quarter / 20,
            part_prints: (quarter / 45) as u64,
        }
    }
}

/// Counts units, and asks the observer whether to go on after each.
struct Units<'a> {
    work: Work,
    observer: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
}

impl Units<'_> {
    fn reused(&mut self) {
        self.work.reused += 1;
    }

    fn done(&mut self) -> Result<(), RunError> {
        self.work.done += 1;
        let progress = Progress {
            units: self.work.done + self.work.reused,
        };
        match (self.observer)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(RunError::Stopped),
        }
    }
}

/// Runs a textual pipeline with at most about `memory` bytes.
pub(crate) fn run(
    spec: &PipelineSpec,
    options: &RunOptions,
    memory: usize,
    observer: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<(Ledger, Work), RunError> {
    if spec.mode != Mode::Textual {
        return Err(RunError::NotBounded { step: None });
    }
    let mut source = CsvSource::open(&spec.read)?;
    let plan = Plan::bind(spec, source.header.names.clone())?;
    if let Some(node) = plan.nodes.iter().find(|node| needs_more(&node.op)) {
        let step = Some(node.step);
        return Err(RunError::NotBounded { step });
    }
    let budget = Budget::new(memory);
    let folder = Folder::open(spec, options, memory)?;
    let mut units = Units {
        work: Work::default(),
        observer,
    };
    if let Some(ledger) = write::committed(spec, &plan, &folder)? {
        folder.remove()?;
        return Ok((ledger, units.work));
    }
    let mut judge = Judge::new(&plan, &mut source)?;
    let mut shards: Vec<Shard> = Vec::new();
    let mut repeated: Vec<Repeated<'_>> = Vec::new();
    for (index, node) in plan.nodes.iter().enumerate() {
        if let RelOp::Distinct { keys, .. } = &node.op {
            shards::fingerprints(
                &mut source,
                &mut judge,
                (index, keys),
                budget,
                (&folder, &repeated),
                &mut shards,
                &mut units,
            )?;
            let count = shards.len();
            repeated.push(parts::judge(index, &node.op, budget, &folder, count, &mut units)?);
        }
    }
    if shards.is_empty() {
        shards = shards::borders(&mut source, budget)?;
    }
    let ledger = write::outputs(
        spec,
        &plan,
        &mut source,
        &mut judge,
        (&folder, &repeated),
        &shards,
        &mut units,
    )?;
    folder.remove()?;
    Ok((ledger, units.work))
}

/// Whether an operator needs every value at once, or a file of its own that could change between two runs.
fn needs_more(op: &RelOp) -> bool {
    match op {
        RelOp::Aggregate { .. } | RelOp::Deny { .. } | RelOp::Isolate { .. } => true,
        RelOp::Select { predicate, .. } => matches!(predicate, Predicate::Referenced { .. }),
        RelOp::Distinct { .. } | RelOp::Project { .. } => false,
    }
}
