//! Writing the tensors of one shard.

use std::path::Path;

use multiversion::multiversion;
use ndarray::Array2;
use safetensors::Dtype;
use tempfile::NamedTempFile;

use super::checkpoint::{Shard, Tensor};
use super::encode::Encoder;
use super::layout::{FileLayout, Place};
use super::plan::{CHUNK, Job, by_type, check_finite, each_chunk, failed};
use super::sink::Sink;
use super::{
    CheckpointPruner, FormatBytes, Gram, Pattern, PrunedLayer, Solver, TensorReport, calibration, layer,
};
use crate::error::{CheckpointError, PatternError};
use crate::kernel::lowest::{Weight, first_not_finite, keep_above, keep_in_groups, keep_in_row};
use crate::kernel::tiles::{keep_transposable, spread_blocks};

pub(crate) fn write_shard(
    shard: &Shard,
    layout: &FileLayout,
    jobs: &[Option<Job>],
    pruner: &CheckpointPruner<'_>,
    path: &Path,
    reports: &mut Vec<TensorReport>,
) -> Result<NamedTempFile, CheckpointError> {
    let mut sink = Sink::new(path)?;
    sink.write_at(&layout.head, 0)?;
    // Query, key and value share their inputs, and their matrix is read once.
    let mut last: Option<(String, Gram)> = None;
    for ((tensor, job), place) in shard.tensors.iter().zip(jobs).zip(&layout.places) {
        let mut report = TensorReport::untouched(tensor);
        match (job, place) {
            (Some(job), place) => {
                report.pattern = Some(job.pattern);
                report.solver = Some(pruner.solver(job));
                report.pruned = tensor.values() - job.kept;
                report.bytes = Some(FormatBytes::of(tensor, job));
                let places = match place {
                    Place::Dense(at) => vec![*at],
                    Place::Parts(places) => places.clone(),
                };
                let mut output = Output::new(Encoder::new(pruner.format(), job.rows, job.columns), places);
                if job.solved {
                    let pruned = solve(shard, tensor, job, pruner, &mut last)?;
                    let gram = last.as_ref().map(|(_, gram)| gram);
                    by_type!(
                        tensor.dtype,
                        write_solved(
                            shard,
                            tensor,
                            job,
                            &pruned,
                            gram,
                            &mut output,
                            &mut sink,
                            &mut report
                        )
                    )?;
                } else {
                    by_type!(
                        tensor.dtype,
                        write_pruned(shard, tensor, job, &mut output, &mut sink, &mut report)
                    )?;
                }
                report.bytes_after = output.finish(&tensor.shape, &mut sink)?;
            }
            (None, Place::Dense(at)) => copy(shard, tensor, *at, &mut sink)?,
            (None, Place::Parts(_)) => {}
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

/// Prunes a whole tensor against its inputs.
fn solve(
    shard: &Shard,
    tensor: &Tensor,
    job: &Job,
    pruner: &CheckpointPruner<'_>,
    last: &mut Option<(String, Gram)>,
) -> Result<PrunedLayer, CheckpointError> {
    let not_calibrated = || CheckpointError::NotCalibrated {
        tensor: tensor.name.clone(),
    };
    let (calibration, layer) = pruner.calibration().ok_or_else(not_calibrated)?;
    let stored = calibration.stored_name(&tensor.name).ok_or_else(not_calibrated)?;
    if last.as_ref().is_none_or(|(name, _)| *name != stored) {
        let gram = calibration.gram(&tensor.name)?.ok_or_else(not_calibrated)?;
        *last = Some((stored, gram));
    }
    let gram = last.as_ref().map(|(_, gram)| gram).ok_or_else(not_calibrated)?;
    let values = shard.floats(tensor)?.unwrap_or_default();
    let weights = Array2::from_shape_vec((job.rows, job.columns), values).map_err(|_| not_calibrated())?;
    let layer = layer.with_pattern(job.pattern);
    let pruned = if layer.solver() == Solver::Taylor {
        let gradient = calibration.gradient(&tensor.name)?.ok_or_else(not_calibrated)?;
        if gradient.dim() != weights.dim() {
            return Err(not_calibrated());
        }
        let saliency = &weights * &gradient;
        layer.prune_by(weights.view(), saliency.view(), gram)
    } else {
        layer.prune(weights.view(), gram)
    };
    pruned.map_err(|source| calibration::failed(&tensor.name, source))
}

/// Rounds solved weights to the type of the file and writes them; what was lost is measured after the rounding.
#[expect(clippy::too_many_arguments, reason = "one call, by type")]
fn write_solved<T: Weight>(
    shard: &Shard,
    tensor: &Tensor,
    job: &Job,
    pruned: &PrunedLayer,
    gram: Option<&Gram>,
    output: &mut Output,
    sink: &mut Sink<'_>,
    report: &mut TensorReport,
) -> Result<(), CheckpointError> {
    let mut rounded = pruned.weights().to_owned();
    rounded.mapv_inplace(|w| T::round(w).value());
    let (mut lost, mut all) = (0.0, 0.0);
    let mut before = Array2::zeros((job.rows, job.columns));
    let (flat, original) = (
        rounded.as_slice().unwrap_or(&[]),
        before.as_slice_mut().unwrap_or(&mut []),
    );
    if let Some(index) = first_not_finite(flat) {
        return Err(failed(tensor, PatternError::NonFinite { index }));
    }
    let mut keep = Vec::new();
    each_chunk::<T>(shard, tensor, job.columns, |weights, first| {
        let first = first as usize;
        keep.clear();
        for (i, weight) in weights.iter_mut().enumerate() {
            let (at, old) = (first + i, weight.value());
            let stays = pruned.mask().is_kept(at / job.columns, at % job.columns);
            original[at] = old;
            *weight = T::round(flat[at]);
            keep.push(u8::from(stays));
            lost += (f64::from(old) - f64::from(flat[at])).powi(2);
            all += f64::from(old).powi(2);
            report.zeros_before += u64::from(old == 0.0);
            report.zeros_after += u64::from(flat[at] == 0.0);
        }
        output.write(weights, &keep, sink)
    })?;
    report.relative_error = if all > 0.0 { lost / all } else { 0.0 };
    report.output_error = if T::WIDE {
        Some(pruned.certificate().relative_error).filter(|error| !error.is_nan())
    } else {
        gram.map(|gram| layer::output_error(&before, &rounded, gram))
    };
    report.certificate = Some(*pruned.certificate());
    Ok(())
}

fn write_pruned<T: Weight>(
    shard: &Shard,
    tensor: &Tensor,
    job: &Job,
    output: &mut Output,
    sink: &mut Sink<'_>,
    report: &mut TensorReport,
) -> Result<(), CheckpointError> {
    let mut lowest = job.lowest;
    let (mut scratch, mut keep) = (Vec::new(), Vec::new());
    let (mut lost, mut all) = (0.0, 0.0);
    let unit = job.columns * job.pattern.band();
    let mut blocks = job.blocks.as_slice();
    each_chunk::<T>(shard, tensor, unit, |weights, first| {
        keep.resize(weights.len(), 0);
        let finite = match (job.pattern, &mut lowest) {
            (Pattern::NM { keep: kept, group }, _) => keep_in_groups(weights, kept, group, &mut keep),
            (Pattern::TransposableNM { keep: kept, group }, _) => {
                keep_transposable(weights, job.columns, kept, group, &mut keep)
            }
            (Pattern::Block { rows, columns, .. }, _) => {
                let (now, rest) = blocks.split_at(weights.len() / (rows * columns));
                blocks = rest;
                spread_blocks(now, job.columns, [rows, columns], &mut keep);
                true // every weight was seen when the blocks were scored
            }
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
            check_finite(tensor, weights, first)?;
        }
        let part = apply(weights, &keep);
        lost += part.lost;
        all += part.all;
        report.zeros_before += part.zeros_before;
        report.zeros_after += part.zeros_after;
        output.write(weights, &keep, sink)
    })?;
    report.relative_error = if all > 0.0 { lost / all } else { 0.0 };
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
    const STRETCH: usize = 512;
    let mut part = Part::default();
    let mut values = [0.0_f32; STRETCH];
    for (weights, keep) in weights.chunks_mut(STRETCH).zip(keep.chunks(STRETCH)) {
        let values = &mut values[..weights.len()];
        for ((value, weight), keep) in values.iter_mut().zip(weights).zip(keep) {
            *value = weight.value();
            *weight = if *keep == 0 { T::ZERO } else { *weight };
        }
        let (sums, zeros) = tally(values, keep);
        part.all += sums[0];
        part.lost += sums[1];
        part.zeros_before += u64::from(zeros[0]);
        part.zeros_after += u64::from(zeros[1]);
    }
    part
}

/// Σ w² of all and of those that go; zeros before and after.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn tally(values: &[f32], keep: &[u8]) -> ([f64; 2], [u32; 2]) {
    const LANES: usize = 8;
    let (mut all, mut lost) = ([0.0_f64; LANES], [0.0_f64; LANES]);
    let (mut before, mut after) = ([0_u32; LANES], [0_u32; LANES]);
    for (values, keep) in values.chunks(LANES).zip(keep.chunks(LANES)) {
        let lanes = all
            .iter_mut()
            .zip(&mut lost)
            .zip(before.iter_mut().zip(&mut after));
        for (((all, lost), (before, after)), (value, keep)) in lanes.zip(values.iter().zip(keep)) {
            let square = f64::from(*value) * f64::from(*value);
            let (goes, zero) = (*keep == 0, *value == 0.0);
            *all += square;
            *lost += if goes { square } else { 0.0 };
            *before += u32::from(zero);
            *after += u32::from(goes | zero);
        }
    }
    let sum = |lanes: [f64; LANES]| lanes.iter().sum();
    ([sum(all), sum(lost)], [before.iter().sum(), after.iter().sum()])
}

/// Where the parts of a pruned tensor go.
struct Output {
    encoder: Encoder,
    /// Where the next byte of each part goes.
    places: Vec<u64>,
    written: u64,
}

impl Output {
    fn new(encoder: Encoder, places: Vec<u64>) -> Self {
        Self {
            encoder,
            places,
            written: 0,
        }
    }

    fn write<T: Weight>(
        &mut self,
        weights: &[T],
        keep: &[u8],
        sink: &mut Sink<'_>,
    ) -> Result<(), CheckpointError> {
        if let ([place], true) = (self.places.as_mut_slice(), self.encoder.is_dense()) {
            let bytes: &[u8] = bytemuck::cast_slice(weights);
            sink.write_at(bytes, *place)?;
            *place += bytes.len() as u64;
            self.written += bytes.len() as u64;
            return Ok(());
        }
        self.encoder.encode(weights, keep);
        self.flush(sink)
    }

    /// Bytes of all parts.
    fn finish(mut self, shape: &[usize], sink: &mut Sink<'_>) -> Result<u64, CheckpointError> {
        if !self.encoder.is_dense() {
            self.encoder.finish(shape);
            self.flush(sink)?;
        }
        Ok(self.written)
    }

    fn flush(&mut self, sink: &mut Sink<'_>) -> Result<(), CheckpointError> {
        for (place, bytes) in self.places.iter_mut().zip(&self.encoder.buffers) {
            if !bytes.is_empty() {
                sink.write_at(bytes, *place)?;
                *place += bytes.len() as u64;
                self.written += bytes.len() as u64;
            }
        }
        Ok(())
    }
}
