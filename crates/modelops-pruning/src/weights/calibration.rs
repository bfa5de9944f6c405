//! What is known about the inputs of a checkpoint's layers, in files.

use std::path::Path;

use ndarray::Array2;
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;

use super::checkpoint::Checkpoint;
use super::sink::{Sink, persist};
use super::{Gram, layout};
use crate::error::{CheckpointError, LayerError};

/// Gram matrices of a checkpoint's layers, one a weight, read from a safetensors file when they are asked for.
///
/// The file holds `XᵀX` of the inputs of the weight `NAME` as a square `f64` or `f32` tensor `NAME`, and the number of
/// inputs as free text under `rows.NAME`. Where layers read the same inputs (query, key and value do), say so with
/// [`Calibration::with_shared`] and store one. Gradients, which only [`Solver::Taylor`](crate::weights::Solver) needs, come
/// from a second file with a tensor of the weight's name and shape.
///
/// # Example
/// ```
/// use modelops_pruning::weights::{Calibration, Gram};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("grams.safetensors");
///
/// let mut gram = Gram::new(2);
/// gram.observe(ndarray::array![[1.0, 2.0], [3.0, 4.0]].view())?;
/// Calibration::write(&path, [("layer.weight", &gram)])?;
/// assert_eq!(Calibration::open(&path)?.gram("layer.weight")?, Some(gram));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Calibration {
    grams: Checkpoint,
    gradients: Option<Checkpoint>,
    shared: Vec<(String, String)>,
}

impl Calibration {
    /// Opens a file, or an index of shards, of Gram matrices.
    ///
    /// # Errors
    /// Those of [`Checkpoint::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        Ok(Self {
            grams: Checkpoint::open(path)?,
            gradients: None,
            shared: Vec::new(),
        })
    }

    /// Adds gradients of the loss, averaged over the calibration data.
    ///
    /// # Errors
    /// Those of [`Checkpoint::open`].
    pub fn with_gradients(mut self, path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        self.gradients = Some(Checkpoint::open(path)?);
        Ok(self)
    }

    /// Reads weights whose name ends in `suffix`, and that have no matrix of their own, with `stored` in its place: with
    /// `("key.weight", "query.weight")` a layer's key uses what is stored for its query.
    #[must_use]
    pub fn with_shared(mut self, suffix: &str, stored: &str) -> Self {
        self.shared.push((suffix.to_owned(), stored.to_owned()));
        self
    }

    /// The Gram matrix for a weight, `None` where there is none.
    ///
    /// # Errors
    /// [`CheckpointError::NotAMatrix`] for another type or shape; [`CheckpointError::Layer`] for values that no Gram matrix
    /// has; [`CheckpointError::Io`].
    pub fn gram(&self, tensor: &str) -> Result<Option<Gram>, CheckpointError> {
        let Some(name) = self.stored_name(tensor) else {
            return Ok(None);
        };
        let Some((shard, found)) = self.grams.find(&name) else {
            return Ok(None);
        };
        let not_a_matrix = || CheckpointError::NotAMatrix { tensor: name.clone() };
        let &[n, m] = found.shape.as_slice() else {
            return Err(not_a_matrix());
        };
        let bytes = shard.bytes(found)?;
        let values: Vec<f64> = match found.dtype {
            Dtype::F64 => bytes.chunks_exact(8).map(bytemuck::pod_read_unaligned).collect(),
            Dtype::F32 => bytes
                .chunks_exact(4)
                .map(|x| f64::from(bytemuck::pod_read_unaligned::<f32>(x)))
                .collect(),
            _ => return Err(not_a_matrix()),
        };
        let rows = shard
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.get(&format!("rows.{name}"))?.parse().ok())
            .unwrap_or(0);
        let sum = Array2::from_shape_vec((n, m), values).map_err(|_| not_a_matrix())?;
        let gram =
            Gram::from_sum(sum, rows).map_err(|source| CheckpointError::Layer { tensor: name, source })?;
        Ok(Some(gram))
    }

    /// The gradient for a weight, `None` where there is none.
    pub(crate) fn gradient(&self, tensor: &str) -> Result<Option<Array2<f32>>, CheckpointError> {
        match &self.gradients {
            Some(gradients) if gradients.find(tensor).is_some() => gradients.matrix(tensor).map(Some),
            _ => Ok(None),
        }
    }

    /// The name under which the inputs of a weight are stored: two weights of one name share them.
    pub(crate) fn stored_name(&self, tensor: &str) -> Option<String> {
        if self.grams.find(tensor).is_some() {
            return Some(tensor.to_owned());
        }
        self.shared.iter().find_map(|(suffix, stored)| {
            let name = format!("{}{stored}", tensor.strip_suffix(suffix.as_str())?);
            self.grams.find(&name).is_some().then_some(name)
        })
    }

    /// Writes Gram matrices, as [`Calibration::open`] reads them. The file appears when it is whole.
    ///
    /// # Errors
    /// [`CheckpointError::Io`]; [`CheckpointError::Header`] where two have one name.
    pub fn write<'a>(
        path: impl AsRef<Path>,
        grams: impl IntoIterator<Item = (&'a str, &'a Gram)>,
    ) -> Result<(), CheckpointError> {
        let path = path.as_ref();
        let malformed = || CheckpointError::Header {
            path: path.to_owned(),
        };
        let mut grams: Vec<(&str, &Gram)> = grams.into_iter().collect();
        grams.sort_by_key(|(name, _)| *name);
        if grams.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(malformed());
        }
        let mut end = 0;
        let mut infos = Vec::new();
        for (name, gram) in &grams {
            let (start, n) = (end, gram.matrix().ncols());
            end += n * n * 8;
            let info = TensorInfo {
                dtype: Dtype::F64,
                shape: vec![n, n],
                data_offsets: (start, end),
            };
            infos.push(((*name).to_owned(), info));
        }
        let rows = grams
            .iter()
            .map(|(name, gram)| (format!("rows.{name}"), gram.rows().to_string()))
            .collect();
        let head = layout::head(Some(&rows), &infos).ok_or_else(malformed)?;
        let mut sink = Sink::new(path)?;
        sink.write_at(&head, 0)?;
        for ((_, gram), (_, info)) in grams.iter().zip(&infos) {
            let values: Vec<f64> = gram.matrix().iter().copied().collect();
            sink.write_at(
                bytemuck::cast_slice(&values),
                (head.len() + info.data_offsets.0) as u64,
            )?;
        }
        persist(sink.finish()?, path)
    }
}

/// A layer's failure with the tensor's name.
pub(crate) fn failed(tensor: &str, source: LayerError) -> CheckpointError {
    CheckpointError::Layer {
        tensor: tensor.to_owned(),
        source,
    }
}
