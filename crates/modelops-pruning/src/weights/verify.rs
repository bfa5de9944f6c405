//! Checking a pruned checkpoint against its input.

use std::path::Path;

use ndarray::Array2;
use safetensors::Dtype;

use super::checkpoint::{Checkpoint, Shard, Tensor};
use super::decode::decode;
use super::plan::{CHUNK, plan};
use super::{Format, Pattern, Recipe, Scope};
use crate::error::CheckpointError;
use crate::kernel::tiles::{block_scores, spread_blocks};

/// Checks that `pruned` is what `recipe` may make of `input`, in whatever format it is stored.
///
/// Tensors that the recipe leaves alone have to be equal byte for byte. For the others every part of a compressed tensor is
/// checked (types, shapes, counts, order, unused bits), shape and type have to be those of the input, every weight finite,
/// and the pattern has to hold: at least as many zeros per row, tensor, group, column or block as it asks for.
///
/// # Errors
/// [`CheckpointError::Violated`] names the first tensor that fails; [`CheckpointError::NoTensor`] one that is missing;
/// [`CheckpointError::NotAMatrix`] one whose parts disagree; and those of [`Checkpoint::open`].
///
/// # Complexity
/// One reading of both. Memory: the largest pruned tensor in `f32`.
pub fn verify_pruned(
    input: impl AsRef<Path>,
    pruned: impl AsRef<Path>,
    recipe: &Recipe,
) -> Result<(), CheckpointError> {
    let (input, pruned) = (Checkpoint::open(input)?, Checkpoint::open(pruned)?);
    let jobs = plan(&input, recipe, Format::Dense, &|_| false)?;
    let (mut missing, mut zeros) = (0_u64, 0_u64);
    let mut last = None;
    for (shard, jobs) in input.shards.iter().zip(&jobs) {
        for (tensor, job) in shard.tensors.iter().zip(jobs) {
            let violated = || CheckpointError::Violated {
                tensor: tensor.name.clone(),
            };
            let Some(job) = job else {
                let (other, stored) = pruned
                    .find(&tensor.name)
                    .ok_or_else(|| CheckpointError::NoTensor {
                        tensor: tensor.name.clone(),
                    })?;
                if !equal(shard, tensor, other, stored)? {
                    return Err(violated());
                }
                continue;
            };
            let (weights, keep) = stored_weights(&pruned, tensor)?;
            if weights.iter().any(|w| !w.is_finite()) || weights.dim() != (job.rows, job.columns) {
                return Err(violated());
            }
            // A kept weight may be zero, so that a dense tensor shows the mask only from one side.
            let nonzero: Vec<u8> =
                keep.unwrap_or_else(|| weights.iter().map(|w| u8::from(*w != 0.0)).collect());
            if !fits(job.pattern, &nonzero, job.columns, job.kept) {
                return Err(violated());
            }
            if let Pattern::Unstructured {
                scope: Scope::Global, ..
            } = job.pattern
            {
                missing += tensor.values() - job.kept;
                zeros += nonzero.iter().filter(|keep| **keep == 0).count() as u64;
                last = Some(tensor.name.clone());
            }
        }
    }
    match last {
        // Rounding per tensor may differ from the rounding of the whole by half a weight each.
        Some(tensor) if zeros + jobs.iter().flatten().count() as u64 <= missing => {
            Err(CheckpointError::Violated { tensor })
        }
        _ => Ok(()),
    }
}

type Stored = (Array2<f32>, Option<Vec<u8>>);

fn stored_weights(pruned: &Checkpoint, tensor: &Tensor) -> Result<Stored, CheckpointError> {
    let violated = || CheckpointError::Violated {
        tensor: tensor.name.clone(),
    };
    if let Some((_, stored)) = pruned.find(&tensor.name) {
        if stored.shape != tensor.shape || stored.dtype != tensor.dtype {
            return Err(violated());
        }
        return Ok((pruned.matrix(&tensor.name)?, None));
    }
    match decode(pruned, &tensor.name)? {
        Some(decoded) if decoded.shape == tensor.shape && decoded.dtype == tensor.dtype => {
            Ok((decoded.dense, Some(decoded.keep)))
        }
        Some(_) => Err(violated()),
        None => Err(CheckpointError::NoTensor {
            tensor: tensor.name.clone(),
        }),
    }
}

/// Whether no line, group or block keeps more than the pattern allows.
fn fits(pattern: Pattern, keep: &[u8], columns: usize, kept: u64) -> bool {
    let count = |keep: &[u8]| keep.iter().map(|keep| u64::from(*keep)).sum::<u64>();
    let width = columns.max(1);
    match pattern {
        Pattern::Unstructured {
            scope: Scope::Global, ..
        } => true,
        Pattern::Unstructured {
            sparsity,
            scope: Scope::Row,
        } => {
            let most = columns as u64 - sparsity.count(columns as u64);
            keep.chunks_exact(width).all(|row| count(row) <= most)
        }
        Pattern::Unstructured { .. } => count(keep) <= kept,
        Pattern::NM { keep: most, group } => keep.chunks_exact(group).all(|part| count(part) <= most as u64),
        Pattern::TransposableNM { keep: most, group } => {
            let down = |band: &[u8], column: usize| -> usize {
                band.chunks_exact(width).map(|row| usize::from(row[column])).sum()
            };
            keep.chunks_exact(group).all(|part| count(part) <= most as u64)
                && keep
                    .chunks_exact(width * group)
                    .all(|band| (0..columns).all(|column| down(band, column) <= most))
        }
        Pattern::Block {
            rows,
            columns: across,
            ..
        } => {
            // A block stays whole or goes whole.
            let values: Vec<f32> = keep.iter().map(|keep| f32::from(*keep)).collect();
            let mut scores = Vec::new();
            block_scores(&values, columns, [rows, across], &mut scores);
            let blocks: Vec<u8> = scores.iter().map(|score| u8::from(*score > 0.0)).collect();
            let mut most = vec![0; keep.len()];
            spread_blocks(&blocks, columns, [rows, across], &mut most);
            count(&most) <= kept
        }
    }
}

fn equal(shard: &Shard, tensor: &Tensor, other: &Shard, stored: &Tensor) -> Result<bool, CheckpointError> {
    let same = |a: Dtype, b: Dtype| a == b;
    if !same(tensor.dtype, stored.dtype) || tensor.shape != stored.shape || tensor.bytes != stored.bytes {
        return Ok(false);
    }
    let (mut ours, mut theirs) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut done = 0;
    while done < tensor.bytes {
        let size = CHUNK.min((tensor.bytes - done) as usize);
        shard.read(&mut ours[..size], tensor.offset + done)?;
        other.read(&mut theirs[..size], stored.offset + done)?;
        if ours[..size] != theirs[..size] {
            return Ok(false);
        }
        done += size as u64;
    }
    Ok(true)
}
