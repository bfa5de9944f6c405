//! Pruning from file to file, a few rows at a time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::Dtype;
use serde::Serialize;
use tempfile::NamedTempFile;

use super::checkpoint::{Checkpoint, Shard, Tensor, io_error};
use super::layout::{self, FileLayout, Format, Place};
use super::{Pattern, Recipe, Report, Scope, Sparsity, TensorReport};
use crate::error::{CheckpointError, PatternError};
use crate::kernel::lowest::{
    Lowest, RadixSelect, Weight, first_not_finite, keep_above, keep_in_groups, keep_in_row,
};

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

/// Bytes that are in memory at a time, unless one row is longer.
const CHUNK: usize = 1 << 20;

/// Prunes a checkpoint by magnitude, from file to file.
///
/// `input` and `output` are both a `.safetensors` file, or both an index of shards (`.json`); shards are written beside
/// the output index under their own names. Weights go by |w|; see [`Recipe`] for which tensors, [`Pattern`] for how many.
///
/// **Guarantees.** The input is never written to. Tensors that stay keep their bytes; in [`Format::Dense`] so does the
/// header. Outputs are written beside their final name and moved there when they are whole and on disk, the index last:
/// after a failure nothing new is visible. Counts are exact. The same input gives the same bytes.
///
/// # Errors
/// [`CheckpointError::SameFile`]; [`CheckpointError::Pattern`] for a pattern that does not fit a tensor or a weight that
/// is not finite; [`CheckpointError::Io`]; and those of [`Checkpoint::open`].
///
/// # Complexity
/// One reading of every tensor, three where the scope is [`Scope::Tensor`] or [`Scope::Global`] (four for a global
/// bitmask). Memory: 1 MiB and a few row lengths, however large the checkpoint.
///
/// # Example
/// ```
/// use modelops_pruning::weights::{Checkpoint, Format, Pattern, Recipe, Scope, Sparsity, prune_checkpoint};
/// # use safetensors::{Dtype, tensor::TensorView};
/// # let folder = tempfile::tempdir()?;
/// # let (input, output) = (folder.path().join("model.safetensors"), folder.path().join("pruned.safetensors"));
/// # let bytes: Vec<u8> = [4.0_f32, -1.0, 2.0, 3.0].iter().flat_map(|w| w.to_le_bytes()).collect();
/// # let view = TensorView::new(Dtype::F32, vec![2, 2], &bytes)?;
/// # safetensors::serialize_to_file([("layer.weight", view)], None, &input)?;
///
/// let half = Pattern::Unstructured { sparsity: Sparsity::try_new(0.5)?, scope: Scope::Tensor };
/// let report = prune_checkpoint(&input, &output, &Recipe::new(half), Format::Dense)?;
/// assert_eq!(report.tensors[0].zeros_after, 2);
/// assert_eq!(Checkpoint::open(&output)?.matrix("layer.weight")?, ndarray::array![[4.0, 0.0], [0.0, 3.0]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn prune_checkpoint(
    input: impl AsRef<Path>,
    output: impl AsRef<Path>,
    recipe: &Recipe,
    format: Format,
) -> Result<Report, CheckpointError> {
    let checkpoint = Checkpoint::open(input)?;
    let output = output.as_ref();
    let outputs = output_paths(&checkpoint, output)?;
    let mut jobs = plan(&checkpoint, recipe)?;
    find_bounds(&checkpoint, &mut jobs)?;
    let mut report = Report {
        tensors: Vec::new(),
        bytes_before: 0,
        bytes_after: 0,
    };
    let mut written = Vec::new();
    for ((shard, path), jobs) in checkpoint.shards.iter().zip(&outputs).zip(&jobs) {
        let layout = lay_out(shard, jobs, format)?;
        let temporary = write_shard(shard, &layout, jobs, path, &mut report.tensors)?;
        report.bytes_before += shard.length;
        report.bytes_after += layout.length;
        written.push((temporary, path, layout));
    }
    let index = if checkpoint.sharded {
        Some(write_index(&written, output)?)
    } else {
        None
    };
    for (temporary, path, _) in written {
        persist(temporary, path)?;
    }
    if let Some(index) = index {
        persist(index, output)?;
    }
    Ok(report)
}

/// What happens to one tensor.
struct Job {
    pattern: Pattern,
    rows: usize,
    columns: usize,
    /// For scopes beyond a row.
    lowest: Option<Lowest>,
    kept: u64,
}

type Jobs = Vec<Vec<Option<Job>>>;

fn output_paths(checkpoint: &Checkpoint, output: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    let folder = output.parent().unwrap_or(Path::new(""));
    let paths: Vec<PathBuf> = if checkpoint.sharded {
        checkpoint
            .shards
            .iter()
            .filter_map(|shard| shard.path.file_name())
            .map(|name| folder.join(name))
            .collect()
    } else {
        vec![output.to_owned()]
    };
    let inputs = || {
        checkpoint
            .shards
            .iter()
            .map(|shard| &shard.path)
            .chain([&checkpoint.path])
    };
    let inputs: Vec<PathBuf> = inputs().filter_map(|path| path.canonicalize().ok()).collect();
    for path in paths.iter().map(PathBuf::as_path).chain([output]) {
        if path.canonicalize().is_ok_and(|path| inputs.contains(&path)) {
            return Err(CheckpointError::SameFile {
                path: path.to_owned(),
            });
        }
    }
    Ok(paths)
}

fn plan(checkpoint: &Checkpoint, recipe: &Recipe) -> Result<Jobs, CheckpointError> {
    let job = |tensor: &Tensor| {
        let prunable =
            matches!(tensor.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) && tensor.shape.len() >= 2;
        let Some(pattern) = recipe.pattern(&tensor.name).filter(|_| prunable) else {
            return Ok(None);
        };
        let columns = tensor.shape[tensor.shape.len() - 1];
        pattern.check(columns).map_err(|source| failed(tensor, source))?;
        let rows: usize = tensor.shape[..tensor.shape.len() - 1].iter().product();
        let weights = (rows * columns) as u64;
        let kept = match pattern {
            Pattern::Unstructured {
                sparsity,
                scope: Scope::Row,
            } => (columns as u64 - sparsity.count(columns as u64)) * rows as u64,
            Pattern::Unstructured { sparsity, .. } => weights - sparsity.count(weights),
            Pattern::NM { keep, group } => weights / group as u64 * keep as u64,
        };
        Ok(Some(Job {
            pattern,
            rows,
            columns,
            lowest: None,
            kept,
        }))
    };
    checkpoint
        .shards
        .iter()
        .map(|shard| shard.tensors.iter().map(job).collect())
        .collect()
}

fn failed(tensor: &Tensor, source: PatternError) -> CheckpointError {
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
                ..
            }) = *job
            else {
                continue;
            };
            if scope == Scope::Row {
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

/// Finds the exact bounds of tensor and global scopes, reading their tensors twice.
fn find_bounds(checkpoint: &Checkpoint, jobs: &mut Jobs) -> Result<(), CheckpointError> {
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

/// Reads whole rows, as many as fit into a chunk, and hands them on with the position of the first weight.
fn each_chunk<T: Weight>(
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
        match first_not_finite(weights) {
            Some(at) => Err(failed(
                tensor,
                PatternError::NonFinite {
                    index: first as usize + at,
                },
            )),
            None => Ok(()),
        }
    })
}

fn lay_out(shard: &Shard, jobs: &[Option<Job>], format: Format) -> Result<FileLayout, CheckpointError> {
    let kept: Vec<_> = jobs
        .iter()
        .map(|job| job.as_ref().map(|job| (job.rows as u64, job.kept)))
        .collect();
    match format {
        Format::Dense => Ok(layout::dense(shard)),
        Format::Bitmask => layout::bitmask(shard, &kept).ok_or_else(|| CheckpointError::Header {
            path: shard.path.clone(),
        }),
    }
}

/// An output file that has not its name yet; dropped, it disappears.
struct Sink<'a> {
    file: NamedTempFile,
    path: &'a Path,
}

impl<'a> Sink<'a> {
    fn new(path: &'a Path) -> Result<Self, CheckpointError> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let file = NamedTempFile::new_in(folder).map_err(|error| io_error(path, &error))?;
        Ok(Self { file, path })
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<(), CheckpointError> {
        let file: &mut File = self.file.as_file_mut();
        let write = file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| file.write_all(bytes));
        write.map_err(|error| io_error(self.path, &error))
    }

    /// Forces the bytes to disk, so that the name cannot outlive them.
    fn finish(self) -> Result<NamedTempFile, CheckpointError> {
        self.file
            .as_file()
            .sync_all()
            .map_err(|error| io_error(self.path, &error))?;
        Ok(self.file)
    }
}

fn persist(file: NamedTempFile, path: &Path) -> Result<(), CheckpointError> {
    #[cfg(unix)]
    {
        // A temporary file is private; a checkpoint is as readable as its neighbours usually are.
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o644);
        file.as_file()
            .set_permissions(mode)
            .map_err(|error| io_error(path, &error))?;
    }
    file.persist(path)
        .map(|_| ())
        .map_err(|error| io_error(path, &error.error))
}

fn write_shard(
    shard: &Shard,
    layout: &FileLayout,
    jobs: &[Option<Job>],
    path: &Path,
    reports: &mut Vec<TensorReport>,
) -> Result<NamedTempFile, CheckpointError> {
    let mut sink = Sink::new(path)?;
    sink.write_at(&layout.head, 0)?;
    for ((tensor, job), place) in shard.tensors.iter().zip(jobs).zip(&layout.places) {
        let mut report = TensorReport {
            name: tensor.name.clone(),
            dtype: tensor.dtype.to_string(),
            shape: tensor.shape.clone(),
            pattern: None,
            values: tensor.values(),
            pruned: 0,
            zeros_before: 0,
            zeros_after: 0,
            relative_error: 0.0,
            bytes_before: tensor.bytes,
            bytes_after: tensor.bytes,
        };
        match (job, *place) {
            (Some(job), place) => {
                report.pattern = Some(job.pattern);
                by_type!(
                    tensor.dtype,
                    write_pruned(shard, tensor, job, place, &mut sink, &mut report)
                )?;
            }
            (None, Place::Dense(at) | Place::Bitmask { values: at, .. }) => {
                copy(shard, tensor, at, &mut sink)?;
            }
        }
        reports.push(report);
    }
    sink.finish()
}

fn copy(shard: &Shard, tensor: &Tensor, at: u64, sink: &mut Sink<'_>) -> Result<(), CheckpointError> {
    let mut buffer = vec![0; CHUNK.min(tensor.bytes as usize)];
    let mut done = 0;
    while done < tensor.bytes {
        let size = buffer.len().min((tensor.bytes - done) as usize);
        shard.read(&mut buffer[..size], tensor.offset + done)?;
        sink.write_at(&buffer[..size], at + done)?;
        done += size as u64;
    }
    Ok(())
}

fn write_pruned<T: Weight>(
    shard: &Shard,
    tensor: &Tensor,
    job: &Job,
    place: Place,
    sink: &mut Sink<'_>,
    report: &mut TensorReport,
) -> Result<(), CheckpointError> {
    let mut lowest = job.lowest;
    let (mut scratch, mut keep) = (Vec::new(), Vec::new());
    let mut output = Output::<T>::new(place);
    let (mut lost, mut all) = (0.0, 0.0);
    each_chunk::<T>(shard, tensor, job.columns, |weights, first| {
        keep.resize(weights.len(), 0);
        let finite = match (job.pattern, &mut lowest) {
            (Pattern::NM { keep: kept, group }, _) => keep_in_groups(weights, kept, group, &mut keep),
            (Pattern::Unstructured { .. }, Some(lowest)) => {
                keep_above(weights, lowest, &mut keep);
                true // the bounds were found, so every weight was seen
            }
            (Pattern::Unstructured { sparsity, .. }, None) => {
                let count = sparsity.count(job.columns as u64) as usize;
                let rows = weights
                    .chunks_exact(job.columns)
                    .zip(keep.chunks_exact_mut(job.columns));
                rows.fold(true, |finite, (row, keep)| {
                    keep_in_row(row, count, &mut scratch, keep) && finite
                })
            }
        };
        if !finite {
            let at = first_not_finite(weights).unwrap_or(0);
            return Err(failed(
                tensor,
                PatternError::NonFinite {
                    index: first as usize + at,
                },
            ));
        }
        let part = apply(weights, &keep);
        lost += part.lost;
        all += part.all;
        report.zeros_before += part.zeros_before;
        report.zeros_after += part.zeros_after;
        output.write(weights, &keep, job.columns, sink)
    })?;
    output.finish(&tensor.shape, sink)?;
    report.pruned = tensor.values() - job.kept;
    report.relative_error = if all > 0.0 { lost / all } else { 0.0 };
    report.bytes_after = match place {
        Place::Dense(_) => tensor.bytes,
        Place::Bitmask { .. } => {
            let rows = job.rows as u64;
            job.kept * size_of::<T>() as u64
                + rows * (job.columns.div_ceil(8) as u64 + 8)
                + tensor.shape.len() as u64 * 8
        }
    };
    Ok(())
}

#[derive(Default)]
struct Part {
    lost: f64,
    all: f64,
    zeros_before: u64,
    zeros_after: u64,
}

/// Zeroes what goes and sums what was there, in eight lanes of fixed order.
fn apply<T: Weight>(weights: &mut [T], keep: &[u8]) -> Part {
    const LANES: usize = 8;
    let mut part = Part::default();
    let (mut lost, mut all) = ([0.0_f64; LANES], [0.0_f64; LANES]);
    for (weights, keep) in weights.chunks_mut(LANES).zip(keep.chunks(LANES)) {
        for (lane, (weight, keep)) in weights.iter_mut().zip(keep).enumerate() {
            let square = f64::from(weight.value()).powi(2);
            all[lane] += square;
            lost[lane] += if *keep == 0 { square } else { 0.0 };
            part.zeros_before += u64::from(square == 0.0);
            *weight = if *keep == 0 { T::ZERO } else { *weight };
            part.zeros_after += u64::from((*keep == 0) | (square == 0.0));
        }
    }
    part.lost = lost.iter().sum();
    part.all = all.iter().sum();
    part
}

/// Where pruned rows go.
struct Output<T> {
    place: Place,
    values: Vec<T>,
    bits: Vec<u8>,
    row_offsets: Vec<i64>,
    written: u64,
    kept: i64,
}

impl<T: Weight> Output<T> {
    fn new(place: Place) -> Self {
        Self {
            place,
            values: Vec::new(),
            bits: Vec::new(),
            row_offsets: Vec::new(),
            written: 0,
            kept: 0,
        }
    }

    fn write(
        &mut self,
        weights: &[T],
        keep: &[u8],
        columns: usize,
        sink: &mut Sink<'_>,
    ) -> Result<(), CheckpointError> {
        match self.place {
            Place::Dense(at) => {
                let bytes: &[u8] = bytemuck::cast_slice(weights);
                sink.write_at(bytes, at + self.written)?;
                self.written += bytes.len() as u64;
            }
            Place::Bitmask { values, bits, .. } => {
                let value_at = values + self.kept as u64 * size_of::<T>() as u64;
                self.values.clear();
                self.bits.clear();
                for (row, keep) in weights.chunks_exact(columns).zip(keep.chunks_exact(columns)) {
                    self.row_offsets.push(self.kept);
                    let before = self.values.len();
                    self.values.extend(
                        row.iter()
                            .zip(keep)
                            .filter(|(_, keep)| **keep == 1)
                            .map(|(weight, _)| *weight),
                    );
                    self.kept += (self.values.len() - before) as i64;
                    let byte = |bits: &[u8]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | bit);
                    self.bits.extend(keep.chunks(8).map(byte));
                }
                sink.write_at(bytemuck::cast_slice(&self.values), value_at)?;
                sink.write_at(&self.bits, bits + self.written)?;
                self.written += self.bits.len() as u64;
            }
        }
        Ok(())
    }

    fn finish(self, shape: &[usize], sink: &mut Sink<'_>) -> Result<(), CheckpointError> {
        if let Place::Bitmask {
            row_offsets,
            shape: shape_at,
            ..
        } = self.place
        {
            let shape: Vec<i64> = shape.iter().map(|n| *n as i64).collect();
            sink.write_at(bytemuck::cast_slice(&self.row_offsets), row_offsets)?;
            sink.write_at(bytemuck::cast_slice(&shape), shape_at)?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Index<'a> {
    metadata: IndexMetadata,
    weight_map: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct IndexMetadata {
    total_size: u64,
}

type Written<'a> = (NamedTempFile, &'a PathBuf, FileLayout);

fn write_index(written: &[Written<'_>], output: &Path) -> Result<NamedTempFile, CheckpointError> {
    let mut index = Index {
        metadata: IndexMetadata { total_size: 0 },
        weight_map: BTreeMap::new(),
    };
    for (_, path, layout) in written {
        let file = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        index.metadata.total_size += layout.length - layout.head.len() as u64;
        index
            .weight_map
            .extend(layout.names.iter().map(|name| (name.as_str(), file)));
    }
    let text = serde_json::to_vec_pretty(&index).expect("names and sizes are JSON");
    let mut sink = Sink::new(output)?;
    sink.write_at(&text, 0)?;
    sink.finish()
}
