//! What happens to every tensor, and the bounds that scopes beyond a row need.

use half::{bf16, f16};
use safetensors::Dtype;

use super::checkpoint::{Checkpoint, Shard, Tensor};
use super::pattern::blocks_kept;
use super::{Format, Pattern, Recipe, Scope, Sparsity};
use crate::error::{CheckpointError, PatternError};
use crate::kernel::lowest::{Lowest, RadixSelect, Weight, first_not_finite, keep_above};
use crate::kernel::tiles::block_scores;

/// Calls a function that is generic over the storage type; planning lets only these three through.
macro_rules! by_type {
    ($dtype:expr, $function:ident($($argument:expr),*)) => {
        match $dtype {
            Dtype::F16 => $function::<f16>($($argument),*),
            Dtype::BF16 => $function::<bf16>($($argument),*),
            _ => $function::<f32>($($argument),*),
        }
    };
}

pub(crate) use by_type;

/// Bytes that are in memory at a time, unless one row is longer.
pub(crate) const CHUNK: usize = 1 << 20;

/// What happens to one tensor.
pub(crate) struct Job {
    pub(crate) pattern: Pattern,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// For scopes beyond a row.
    pub(crate) lowest: Option<Lowest>,
    /// For blocks, one flag each.
    pub(crate) blocks: Vec<u8>,
    /// Whether a solver prunes it against its inputs, with the tensor as the scope.
    pub(crate) solved: bool,
    pub(crate) kept: u64,
}

pub(crate) type Jobs = Vec<Vec<Option<Job>>>;

/// Decides for every tensor. With a calibration, `calibrated` says which weights it knows.
pub(crate) fn plan(
    checkpoint: &Checkpoint,
    recipe: &Recipe,
    format: Format,
    calibrated: &dyn Fn(&str) -> bool,
) -> Result<Jobs, CheckpointError> {
    let job = |tensor: &Tensor| {
        let prunable =
            matches!(tensor.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) && tensor.shape.len() >= 2;
        let Some(pattern) = recipe.pattern(&tensor.name).filter(|_| prunable) else {
            return Ok(None);
        };
        let columns = tensor.shape[tensor.shape.len() - 1];
        let rows: usize = tensor.shape[..tensor.shape.len() - 1].iter().product();
        pattern
            .check(rows, columns)
            .map_err(|source| failed(tensor, source))?;
        if !format.accepts(tensor.dtype, pattern, rows, columns) {
            return Err(CheckpointError::Format {
                tensor: tensor.name.clone(),
            });
        }
        Ok(Some(Job {
            pattern,
            rows,
            columns,
            lowest: None,
            blocks: Vec::new(),
            solved: calibrated(&tensor.name),
            kept: pattern.kept(rows, columns),
        }))
    };
    checkpoint
        .shards
        .iter()
        .map(|shard| shard.tensors.iter().map(job).collect())
        .collect()
}

pub(crate) fn failed(tensor: &Tensor, source: PatternError) -> CheckpointError {
    CheckpointError::Pattern {
        tensor: tensor.name.clone(),
        source,
    }
}

/// Tensors that share one count.
struct Pool {
    sparsity: Sparsity,
    scope: Scope,
    members: Vec<(usize, usize)>,
}

fn pools(jobs: &Jobs) -> Vec<Pool> {
    let mut pools: Vec<Pool> = Vec::new();
    for (s, jobs) in jobs.iter().enumerate() {
        for (t, job) in jobs.iter().enumerate() {
            let Some(Job {
                pattern: Pattern::Unstructured { sparsity, scope },
                solved,
                ..
            }) = *job
            else {
                continue;
            };
            if scope == Scope::Row || solved {
                continue;
            }
            let same = |pool: &&mut Pool| {
                pool.scope == Scope::Global && scope == pool.scope && sparsity == pool.sparsity
            };
            match pools.iter_mut().find(same) {
                Some(pool) => pool.members.push((s, t)),
                None => pools.push(Pool {
                    sparsity,
                    scope,
                    members: vec![(s, t)],
                }),
            }
        }
    }
    pools
}

/// Finds the exact bounds of tensor and global scopes, reading their tensors twice, and which blocks go.
pub(crate) fn find_bounds(checkpoint: &Checkpoint, jobs: &mut Jobs) -> Result<(), CheckpointError> {
    find_blocks(checkpoint, jobs)?;
    for pool in pools(jobs) {
        let member = |(s, t): (usize, usize)| (&checkpoint.shards[s], &checkpoint.shards[s].tensors[t]);
        let weights = pool
            .members
            .iter()
            .map(|at| member(*at).1)
            .map(|tensor| tensor.values())
            .sum();
        let mut select = RadixSelect::new(pool.sparsity.count(weights));
        for at in &pool.members {
            let (shard, tensor) = member(*at);
            by_type!(tensor.dtype, count(shard, tensor, &mut select))?;
            if !select.all_finite() {
                return by_type!(tensor.dtype, report_not_finite(shard, tensor));
            }
        }
        select.narrow();
        for at in &pool.members {
            let (shard, tensor) = member(*at);
            by_type!(tensor.dtype, count(shard, tensor, &mut select))?;
        }
        let mut lowest = select.finish();
        for (s, t) in &pool.members {
            let (shard, tensor) = member((*s, *t));
            let Some(job) = &mut jobs[*s][*t] else { continue };
            job.lowest = Some(lowest);
            if pool.scope == Scope::Global {
                // How many go here decides where the next tensor's ties start, and how long a compressed one is.
                job.kept = by_type!(tensor.dtype, count_kept(shard, tensor, &mut lowest))?;
            }
        }
    }
    Ok(())
}

fn find_blocks(checkpoint: &Checkpoint, jobs: &mut Jobs) -> Result<(), CheckpointError> {
    for (shard, jobs) in checkpoint.shards.iter().zip(jobs) {
        for (tensor, job) in shard.tensors.iter().zip(jobs) {
            let Some(job) = job else { continue };
            if let Pattern::Block { sparsity, .. } = job.pattern
                && !job.solved
            {
                let mut scores = Vec::new();
                by_type!(tensor.dtype, score_blocks(shard, tensor, job, &mut scores))?;
                job.blocks = blocks_kept(&scores, sparsity);
            }
        }
    }
    Ok(())
}

fn score_blocks<T: Weight>(
    shard: &Shard,
    tensor: &Tensor,
    job: &Job,
    scores: &mut Vec<f32>,
) -> Result<(), CheckpointError> {
    let Pattern::Block { rows, columns, .. } = job.pattern else {
        return Ok(());
    };
    each_chunk::<T>(shard, tensor, job.columns * rows, |weights, first| {
        check_finite(tensor, weights, first)?;
        block_scores(weights, job.columns, [rows, columns], scores);
        Ok(())
    })
}

/// Names the first weight that is NaN or infinite.
pub(crate) fn check_finite<T: Weight>(
    tensor: &Tensor,
    weights: &[T],
    first: u64,
) -> Result<(), CheckpointError> {
    match first_not_finite(weights) {
        Some(at) => Err(failed(
            tensor,
            PatternError::NonFinite {
                index: first as usize + at,
            },
        )),
        None => Ok(()),
    }
}

/// Reads whole units of `columns` weights, as many as fit into a chunk, and hands them on with the position of the first.
pub(crate) fn each_chunk<T: Weight>(
    shard: &Shard,
    tensor: &Tensor,
    columns: usize,
    mut visit: impl FnMut(&mut [T], u64) -> Result<(), CheckpointError>,
) -> Result<(), CheckpointError> {
    let rows = (CHUNK / (columns * size_of::<T>()).max(1)).max(1);
    let mut buffer = vec![T::ZERO; (rows * columns).min(tensor.values() as usize)];
    let mut first = 0;
    while first < tensor.values() {
        let size = buffer.len().min((tensor.values() - first) as usize);
        let part = &mut buffer[..size];
        shard.read(
            bytemuck::cast_slice_mut(part),
            tensor.offset + first * size_of::<T>() as u64,
        )?;
        visit(part, first)?;
        first += size as u64;
    }
    Ok(())
}

fn count<T: Weight>(shard: &Shard, tensor: &Tensor, select: &mut RadixSelect) -> Result<(), CheckpointError> {
    each_chunk::<T>(shard, tensor, 1, |weights, _| {
        select.count(weights);
        Ok(())
    })
}

fn count_kept<T: Weight>(
    shard: &Shard,
    tensor: &Tensor,
    lowest: &mut Lowest,
) -> Result<u64, CheckpointError> {
    let mut keep = Vec::new();
    let mut kept = 0;
    each_chunk::<T>(shard, tensor, 1, |weights, _| {
        keep.resize(weights.len(), 0);
        keep_above(weights, lowest, &mut keep);
        kept += keep.iter().map(|keep| u64::from(*keep)).sum::<u64>();
        Ok(())
    })?;
    Ok(kept)
}

fn report_not_finite<T: Weight>(shard: &Shard, tensor: &Tensor) -> Result<(), CheckpointError> {
    each_chunk::<T>(shard, tensor, 1, |weights, first| {
        check_finite(tensor, weights, first)
    })
}
