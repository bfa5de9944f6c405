//! What happens to every tensor.

use safetensors::Dtype;

use super::checkpoint::{Checkpoint, Shard, Tensor};
use super::{Format, Pattern, Recipe};
use crate::error::{CheckpointError, PatternError};
use crate::kernel::lowest::{Lowest, Weight, first_not_finite};

/// Calls a function that is generic over the storage type; planning lets only these three through.
macro_rules! by_type {
    ($dtype:expr, $function:ident($($argument:expr),*)) => {
        match $dtype {
            Dtype::F16 => $function::<half::f16>($($argument),*),
            Dtype::BF16 => $function::<half::bf16>($($argument),*),
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
