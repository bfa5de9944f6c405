//! The bounds that scopes beyond a row need, found by counting.

use safetensors::Dtype;

use super::checkpoint::{Checkpoint, Shard, Tensor};
use super::pattern::blocks_kept;
use super::plan::{Job, Jobs, by_type, check_finite, each_chunk};
use super::{Pattern, Scope, Sparsity};
use crate::error::CheckpointError;
use crate::kernel::counts::{HIGH, HighCounts, Part, count_low, reach};
use crate::kernel::lowest::{INFINITE, Lowest, Weight, keep_above};
use crate::kernel::tiles::block_scores;

/// Bytes of counts that are kept for the tensors of one pool; those whose counts find no place are read once more.
pub(crate) const KEPT_COUNTS: usize = 32 << 20;

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

/// Finds the exact bounds of tensor and global scopes, and which blocks go.
///
/// Tensors of 16 bits whose pool has no other type are read once: their counts say all. Others are read twice, high halves of
/// magnitudes first and then the low halves under the one in which the count is reached. How many weights of each tensor go,
/// which decides where the ties of the next one start and how long a compressed one is, follows from counts of its own.
pub(crate) fn find_bounds(
    checkpoint: &Checkpoint,
    jobs: &mut Jobs,
    kept_counts: usize,
) -> Result<(), CheckpointError> {
    find_blocks(checkpoint, jobs)?;
    for pool in pools(jobs) {
        find_bound(checkpoint, jobs, &pool, kept_counts)?;
    }
    Ok(())
}

fn find_bound(
    checkpoint: &Checkpoint,
    jobs: &mut Jobs,
    pool: &Pool,
    kept_counts: usize,
) -> Result<(), CheckpointError> {
    let member = |(s, t): (usize, usize)| (&checkpoint.shards[s], &checkpoint.shards[s].tensors[t]);
    let weights = pool.members.iter().map(|at| member(*at).1.values()).sum();
    let first = pool.members.first().map(|at| member(*at).1.dtype);
    let alike = pool.members.iter().all(|at| Some(member(*at).1.dtype) == first);
    let whole = first.filter(|dtype| alike && *dtype != Dtype::F32);
    let budget = if pool.scope == Scope::Global {
        kept_counts
    } else {
        0
    };

    let mut counts = HighCounts::new();
    let mut high = Counts::new(HIGH, budget);
    for at in &pool.members {
        let (shard, tensor) = member(*at);
        let found = by_type!(
            tensor.dtype,
            count_high(shard, tensor, whole.is_some(), &mut counts)
        )?;
        high.add(&found);
    }
    let (bucket, left) = reach(&high.total, pool.sparsity.count(weights));
    let mut low = None;
    let mut lowest = if let Some(dtype) = whole {
        Lowest {
            bound: by_type!(dtype, magnitude_of(bucket)),
            ties: left,
        }
    } else {
        let mut found = Counts::new(1 << 16, budget);
        for at in &pool.members {
            let (shard, tensor) = member(*at);
            found.add(&by_type!(tensor.dtype, count_under(shard, tensor, bucket))?);
        }
        let (half, ties) = reach(&found.total, left);
        low = Some((found, half));
        Lowest {
            bound: u32::from(bucket) << 16 | u32::from(half),
            ties,
        }
    };
    for (index, (s, t)) in pool.members.iter().enumerate() {
        let (shard, tensor) = member((*s, *t));
        let Some(job) = &mut jobs[*s][*t] else { continue };
        job.lowest = Some(lowest);
        if pool.scope != Scope::Global {
            continue;
        }
        let counted = match (&high.parts[index], &low) {
            (Some(high), None) => Some(high.at(bucket)),
            (Some(high), Some((low, half))) => low.parts[index].as_ref().map(|low| {
                let [below, equal] = low.at(*half);
                [high.at(bucket)[0] + below, equal]
            }),
            (None, _) => None,
        };
        if let Some([below, equal]) = counted {
            let ties = equal.min(lowest.ties);
            lowest.ties -= ties;
            job.kept = tensor.values() - below - ties;
        } else {
            job.kept = by_type!(tensor.dtype, count_kept(shard, tensor, &mut lowest))?;
        }
    }
    Ok(())
}

/// How often each key occurs in a pool, and in each of its tensors as long as there is room.
struct Counts {
    total: Vec<u64>,
    parts: Vec<Option<Part>>,
    room: usize,
}

impl Counts {
    fn new(keys: usize, room: usize) -> Self {
        Self {
            total: vec![0; keys],
            parts: Vec::new(),
            room,
        }
    }

    /// Those of one more tensor.
    fn add(&mut self, found: &[u64]) {
        for (total, found) in self.total.iter_mut().zip(found) {
            *total += found;
        }
        let part = Part::of(found).filter(|part| part.bytes() <= self.room);
        self.room -= part.as_ref().map_or(0, Part::bytes);
        self.parts.push(part);
    }
}

/// Counts the keys of the type where `whole`, else high halves of magnitudes.
fn count_high<T: Weight>(
    shard: &Shard,
    tensor: &Tensor,
    whole: bool,
    counts: &mut HighCounts,
) -> Result<Vec<u64>, CheckpointError> {
    each_chunk::<T>(shard, tensor, 1, |weights, _| {
        if whole {
            counts.count(weights, T::key);
        } else {
            counts.count(weights, |weight| (weight.magnitude() >> 16) as u16);
        }
        Ok(())
    })?;
    let found = counts.take();
    let magnitude = |key: u16| {
        if whole {
            T::magnitude_of(key)
        } else {
            u32::from(key) << 16
        }
    };
    let infinite = (0..=u16::MAX)
        .zip(&found)
        .any(|(key, count)| *count > 0 && magnitude(key) >= INFINITE);
    if infinite {
        each_chunk::<T>(shard, tensor, 1, |weights, first| {
            check_finite(tensor, weights, first)
        })?;
    }
    Ok(found)
}

fn magnitude_of<T: Weight>(key: u16) -> u32 {
    T::magnitude_of(key)
}

/// Counts the low halves of magnitudes under one high half.
fn count_under<T: Weight>(shard: &Shard, tensor: &Tensor, bucket: u16) -> Result<Vec<u64>, CheckpointError> {
    let mut counts = Vec::new();
    each_chunk::<T>(shard, tensor, 1, |weights, _| {
        count_low(weights, bucket, &mut counts);
        Ok(())
    })?;
    Ok(counts)
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

#[cfg(test)]
mod tests {
    use half::{bf16, f16};
    use safetensors::tensor::TensorView;

    use super::super::plan::plan;
    use super::super::{Format, Recipe};
    use super::*;

    /// Few distinct values, so that ties run over several tensors.
    fn value(at: usize) -> f32 {
        let coarse = (at * 7919 % 13) as f32 - 6.0;
        coarse * if at.is_multiple_of(5) { 0.1 } else { 0.25 }
    }

    fn write(path: &std::path::Path, types: &[Dtype]) -> Vec<Vec<f32>> {
        let mut values = Vec::new();
        let mut bytes = Vec::new();
        for (t, dtype) in types.iter().enumerate() {
            let own: Vec<f32> = (0..60 + 4 * t).map(|i| value(i + 31 * t)).collect();
            let of = |w: f32| match dtype {
                Dtype::F16 => (f16::from_f32(w).to_le_bytes().to_vec(), f16::from_f32(w).to_f32()),
                Dtype::BF16 => (
                    bf16::from_f32(w).to_le_bytes().to_vec(),
                    bf16::from_f32(w).to_f32(),
                ),
                _ => (w.to_le_bytes().to_vec(), w),
            };
            bytes.push(own.iter().flat_map(|w| of(*w).0).collect::<Vec<u8>>());
            values.push(own.iter().map(|w| of(*w).1).collect());
        }
        let views = types.iter().zip(&bytes).enumerate().map(|(t, (dtype, bytes))| {
            let view = TensorView::new(*dtype, vec![4, 15 + t], bytes).expect("as many as the shape holds");
            (format!("w{t}"), view)
        });
        safetensors::serialize_to_file(views, None, path).expect("a file can be written");
        values
    }

    /// Kept counts, of a tensor's own counts and of another reading, are those of a sorted list.
    #[test]
    fn counts_of_all_kinds_of_pools_are_those_of_sorting() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("model.safetensors");
        for types in [
            [Dtype::BF16, Dtype::BF16, Dtype::BF16],
            [Dtype::F16, Dtype::F16, Dtype::F16],
            [Dtype::F32, Dtype::F32, Dtype::F32],
            [Dtype::F32, Dtype::BF16, Dtype::F16],
            [Dtype::F16, Dtype::BF16, Dtype::F16],
        ] {
            let values = write(&path, &types);
            let checkpoint = Checkpoint::open(&path).expect("it was just written");
            for share in [0.0, 0.13, 0.5, 0.77, 1.0] {
                let sparsity = Sparsity::try_new(share).expect("a share");
                let scope = Scope::Global;
                let recipe = Recipe::new(Pattern::Unstructured { sparsity, scope });
                let found = [KEPT_COUNTS, 70_000, 0].map(|room| {
                    let mut jobs = plan(&checkpoint, &recipe, Format::Dense, &|_| false).expect("a plan");
                    find_bounds(&checkpoint, &mut jobs, room).expect("weights are finite");
                    let bound = |job: &Option<Job>| job.as_ref().map(|job| (job.kept, job.lowest));
                    jobs[0].iter().map(bound).collect::<Vec<_>>()
                });
                assert_eq!(found[0], found[1], "{types:?} {share}");
                assert_eq!(found[0], found[2], "{types:?} {share}");
                // In the order of the file, of equal magnitudes the first go first.
                let order: Vec<usize> = checkpoint
                    .names()
                    .map(|name| usize::from(name.as_bytes()[1] - b'0'))
                    .collect();
                let mut all: Vec<(f32, usize)> = Vec::new();
                for (place, t) in order.iter().enumerate() {
                    all.extend(values[*t].iter().map(|w| (w.abs(), place)));
                }
                all.sort_by(|a, b| a.0.total_cmp(&b.0));
                let mut kept = vec![0_u64; types.len()];
                for (_, place) in &all[sparsity.count(all.len() as u64) as usize..] {
                    kept[*place] += 1;
                }
                let ours: Vec<u64> = found[0].iter().flatten().map(|(kept, _)| *kept).collect();
                assert_eq!(ours, kept, "{types:?} {share}");
            }
        }
    }
}
