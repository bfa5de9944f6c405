//! Pruning from file to file.

use std::path::{Path, PathBuf};

use super::bounds::{KEPT_COUNTS, find_bounds};
use super::checkpoint::{Checkpoint, Shard};
use super::layout::{self, FileLayout};
use super::plan::{Job, plan};
use super::sink::{persist, write_index};
use super::write::write_shard;
use super::{Calibration, Format, LayerPruner, Recipe, Report, Solver};
use crate::error::CheckpointError;

/// Prunes a checkpoint by magnitude, from file to file.
///
/// `input` and `output` are both a `.safetensors` file, or both an index of shards (`.json`); shards are written beside
/// the output index under their own names. Weights go by |w|; see [`Recipe`] for which tensors, [`Pattern`](crate::weights::Pattern) for how many.
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
/// One reading of every tensor, two for blocks, three where the scope is tensor or global (four for a compressed global one).
/// Memory: 1 MiB and a few row lengths, however large the checkpoint; the offsets of compressed rows beside.
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
#[doc(alias("magnitude_pruning", "sparsify", "compress"))]
pub fn prune_checkpoint(
    input: impl AsRef<Path>,
    output: impl AsRef<Path>,
    recipe: &Recipe,
    format: Format,
) -> Result<Report, CheckpointError> {
    CheckpointPruner::new(recipe)
        .with_format(format)
        .prune(input, output)
}

/// Prunes checkpoints from file to file, by magnitude or against calibration inputs.
///
/// With a [`Calibration`], every chosen tensor that it knows is pruned by the given [`LayerPruner`] under the pattern of the
/// recipe (where a scope beyond the row means the tensor), and the report says what its outputs lost; the others go by
/// magnitude, and the report says that too. Guarantees and errors are those of [`prune_checkpoint`], with
/// [`CheckpointError::Layer`] for a layer that cannot be solved.
///
/// **Memory.** A solver holds its tensor in `f32` about six times and the Gram matrix a few times in `f64`, one tensor at a
/// time; tensors that go by magnitude stream.
///
/// # Example
/// ```
/// use modelops_pruning::weights::{
///     Calibration, CheckpointPruner, Gram, LayerPruner, Pattern, Recipe,
/// };
/// # use safetensors::{Dtype, tensor::TensorView};
/// # let folder = tempfile::tempdir()?;
/// # let file = |name: &str| folder.path().join(name);
/// # let bytes: Vec<u8> = [1.0_f32, 3.0].iter().flat_map(|w| w.to_le_bytes()).collect();
/// # let view = TensorView::new(Dtype::F32, vec![1, 2], &bytes)?;
/// # safetensors::serialize_to_file([("layer.weight", view)], None, &file("model.safetensors"))?;
///
/// // Both inputs of the layer always agree, so that one weight can stand in for both.
/// let mut gram = Gram::new(2);
/// gram.observe(ndarray::array![[1.0, 1.0], [2.0, 2.0]].view())?;
/// Calibration::write(file("grams.safetensors"), [("layer.weight", &gram)])?;
///
/// let one_of_two = Pattern::NM { keep: 1, group: 2 };
/// let recipe = Recipe::new(one_of_two);
/// let calibration = Calibration::open(file("grams.safetensors"))?;
/// let report = CheckpointPruner::new(&recipe)
///     .with_calibration(&calibration, LayerPruner::new(one_of_two))
///     .prune(file("model.safetensors"), file("pruned.safetensors"))?;
/// assert!(report.tensors[0].output_error.is_some_and(|error| error < 1e-9));
/// assert!(report.tensors[0].relative_error > 0.1); // though the weights themselves changed a lot
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("SparseGPT", "one_shot"))]
#[derive(Debug, Clone, Copy)]
pub struct CheckpointPruner<'a> {
    recipe: &'a Recipe,
    format: Format,
    calibration: Option<(&'a Calibration, LayerPruner)>,
}

impl<'a> CheckpointPruner<'a> {
    /// By magnitude, into dense tensors.
    #[must_use]
    pub fn new(recipe: &'a Recipe) -> Self {
        Self {
            recipe,
            format: Format::Dense,
            calibration: None,
        }
    }

    /// Stores pruned tensors so.
    #[must_use]
    pub fn with_format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Prunes against these inputs by this solver; the pattern is the recipe's.
    #[must_use]
    pub fn with_calibration(mut self, calibration: &'a Calibration, pruner: LayerPruner) -> Self {
        self.calibration = Some((calibration, pruner));
        self
    }

    /// Prunes `input` into `output`.
    ///
    /// # Errors
    /// As [`prune_checkpoint`]; [`CheckpointError::Layer`]; [`CheckpointError::NotCalibrated`] where
    /// [`Solver::Taylor`] finds no gradient.
    pub fn prune(
        &self,
        input: impl AsRef<Path>,
        output: impl AsRef<Path>,
    ) -> Result<Report, CheckpointError> {
        let checkpoint = Checkpoint::open(input)?;
        let output = output.as_ref();
        let outputs = output_paths(&checkpoint, output)?;
        let known = |tensor: &str| {
            self.calibration
                .as_ref()
                .is_some_and(|(calibration, _)| calibration.stored_name(tensor).is_some())
        };
        let mut jobs = plan(&checkpoint, self.recipe, self.format, &known)?;
        find_bounds(&checkpoint, &mut jobs, KEPT_COUNTS)?;
        let mut report = Report {
            tensors: Vec::new(),
            bytes_before: 0,
            bytes_after: 0,
        };
        let mut written = Vec::new();
        for ((shard, path), jobs) in checkpoint.shards.iter().zip(&outputs).zip(&jobs) {
            let layout = lay_out(shard, jobs, self.format)?;
            let temporary = write_shard(shard, &layout, jobs, self, path, &mut report.tensors)?;
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

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn calibration(&self) -> Option<&(&'a Calibration, LayerPruner)> {
        self.calibration.as_ref()
    }

    /// How a tensor of this job is pruned.
    pub(crate) fn solver(&self, job: &Job) -> Solver {
        match &self.calibration {
            Some((_, pruner)) if job.solved => pruner.solver(),
            _ => Solver::Magnitude,
        }
    }
}

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
    for path in paths.iter().map(PathBuf::as_path).chain([output]) {
        if checkpoint.is_stored_in(path) {
            return Err(CheckpointError::SameFile {
                path: path.to_owned(),
            });
        }
    }
    Ok(paths)
}

fn lay_out(shard: &Shard, jobs: &[Option<Job>], format: Format) -> Result<FileLayout, CheckpointError> {
    if format == Format::Dense {
        return Ok(layout::dense(shard));
    }
    let kept: Vec<_> = jobs.iter().map(|job| job.as_ref().map(|job| job.kept)).collect();
    layout::compressed(shard, &kept, format).ok_or_else(|| CheckpointError::Header {
        path: shard.path.clone(),
    })
}
