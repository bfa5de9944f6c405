//! Reading safetensors files, one or many, without holding them in memory.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use half::{bf16, f16};
use ndarray::Array2;
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde::Deserialize;

use super::decode::decode;
use crate::error::CheckpointError;
use crate::kernel::lowest::Weight;

/// A header may not be longer: the limit of the format's reference implementation.
const LONGEST_HEADER: u64 = 100_000_000;

/// An open checkpoint: a `.safetensors` file, or the `.safetensors.index.json` of several.
///
/// Only headers are in memory. Tensors are read when they are asked for, by positioned reads and not by a memory map,
/// so that memory is bounded and a file that shrinks meanwhile is an error, not a signal.
///
/// # Example
/// ```
/// use modelops_pruning::weights::Checkpoint;
/// # use safetensors::{Dtype, tensor::TensorView};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("model.safetensors");
/// # let bytes: Vec<u8> = [1.0_f32, 2.0].iter().flat_map(|w| w.to_le_bytes()).collect();
/// # let view = TensorView::new(Dtype::F32, vec![1, 2], &bytes)?;
/// # safetensors::serialize_to_file([("weight", view)], None, &path)?;
///
/// let checkpoint = Checkpoint::open(&path)?;
/// assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["weight"]);
/// assert_eq!(checkpoint.matrix("weight")?, ndarray::array![[1.0, 2.0]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Checkpoint {
    pub(crate) path: PathBuf,
    pub(crate) shards: Vec<Shard>,
    pub(crate) sharded: bool,
    by_name: HashMap<String, (usize, usize)>,
}

/// One file.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) path: PathBuf,
    file: File,
    /// Length prefix and header, as they are in the file.
    pub(crate) head: Vec<u8>,
    /// The format's free-text map.
    pub(crate) metadata: Option<HashMap<String, String>>,
    /// In the order of their data.
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) length: u64,
}

/// One tensor of a file.
#[derive(Debug)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    /// From the start of the file.
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

impl Tensor {
    /// Number of values; the header was checked, so that this cannot overflow.
    pub(crate) fn values(&self) -> u64 {
        self.shape.iter().product::<usize>() as u64
    }
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, PathBuf>,
}

impl Checkpoint {
    /// Opens a `.safetensors` file, or several through their index (a path that ends in `.json`).
    ///
    /// # Errors
    /// [`CheckpointError::Io`], [`CheckpointError::Header`] for a malformed or truncated file,
    /// [`CheckpointError::Index`] for an index that is malformed, names a file outside its folder, or does not agree with
    /// its shards.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        let path = path.as_ref();
        let sharded = path.extension().is_some_and(|extension| extension == "json");
        let shards = if sharded {
            open_index(path)?
        } else {
            vec![Shard::open(path)?]
        };
        let mut by_name = HashMap::new();
        for (s, shard) in shards.iter().enumerate() {
            for (t, tensor) in shard.tensors.iter().enumerate() {
                if by_name.insert(tensor.name.clone(), (s, t)).is_some() {
                    return Err(CheckpointError::Index {
                        path: path.to_owned(),
                    });
                }
            }
        }
        Ok(Self {
            path: path.to_owned(),
            shards,
            sharded,
            by_name,
        })
    }

    /// Names of all stored tensors, in the order of the files.
    pub fn names(&self) -> impl Iterator<Item = &str> + '_ {
        self.shards
            .iter()
            .flat_map(|shard| shard.tensors.iter().map(|tensor| tensor.name.as_str()))
    }

    /// Reads a floating-point tensor as a matrix: the last dimension is the row, all others together the rows; a vector
    /// is one row. A tensor stored in a compressed [`Format`](crate::weights::Format) is put together, zeros included.
    ///
    /// # Errors
    /// [`CheckpointError::NoTensor`], [`CheckpointError::NotAMatrix`] for another type or parts that disagree, and
    /// [`CheckpointError::Io`].
    pub fn matrix(&self, name: &str) -> Result<Array2<f32>, CheckpointError> {
        let not_a_matrix = || CheckpointError::NotAMatrix {
            tensor: name.to_owned(),
        };
        if let Some((shard, tensor)) = self.find(name) {
            let values = shard.floats(tensor)?.ok_or_else(not_a_matrix)?;
            let columns = *tensor.shape.last().unwrap_or(&1);
            let rows = values.len().checked_div(columns).unwrap_or(0);
            return Array2::from_shape_vec((rows, columns), values).map_err(|_| not_a_matrix());
        }
        match decode(self, name)? {
            Some(decoded) => Ok(decoded.dense),
            None => Err(CheckpointError::NoTensor {
                tensor: name.to_owned(),
            }),
        }
    }

    /// Whether this path is one of the files that are read.
    pub(crate) fn is_stored_in(&self, path: &Path) -> bool {
        let files = self.shards.iter().map(|shard| &shard.path).chain([&self.path]);
        path.canonicalize().is_ok_and(|path| {
            files
                .filter_map(|file| file.canonicalize().ok())
                .any(|file| file == path)
        })
    }

    pub(crate) fn find(&self, name: &str) -> Option<(&Shard, &Tensor)> {
        let (shard, tensor) = *self.by_name.get(name)?;
        Some((&self.shards[shard], &self.shards[shard].tensors[tensor]))
    }
}

fn open_index(path: &Path) -> Result<Vec<Shard>, CheckpointError> {
    let malformed = || CheckpointError::Index {
        path: path.to_owned(),
    };
    let text = std::fs::read(path).map_err(|error| io_error(path, &error))?;
    let index: Index = serde_json::from_slice(&text).map_err(|_| malformed())?;
    let mut names: Vec<&PathBuf> = index.weight_map.values().collect();
    names.sort_unstable();
    names.dedup();
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut shards = Vec::new();
    for name in names {
        let mut parts = name.components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
            return Err(malformed());
        }
        shards.push(Shard::open(&folder.join(name))?);
    }
    let listed = |shard: &Shard, tensor: &Tensor| {
        index.weight_map.get(&tensor.name).map(|file| folder.join(file)) == Some(shard.path.clone())
    };
    let agree = shards
        .iter()
        .all(|shard| shard.tensors.iter().all(|tensor| listed(shard, tensor)));
    let found: usize = shards.iter().map(|shard| shard.tensors.len()).sum();
    if agree && found == index.weight_map.len() {
        Ok(shards)
    } else {
        Err(malformed())
    }
}

impl Shard {
    fn open(path: &Path) -> Result<Self, CheckpointError> {
        let malformed = || CheckpointError::Header {
            path: path.to_owned(),
        };
        let failed = |error: std::io::Error| io_error(path, &error);
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut prefix = [0; 8];
        if length < 8 {
            return Err(malformed());
        }
        read_at(&file, &mut prefix, 0).map_err(failed)?;
        let header = u64::from_le_bytes(prefix);
        if header > LONGEST_HEADER.min(length - 8) {
            return Err(malformed());
        }
        let mut head = vec![0; 8 + header as usize];
        read_at(&file, &mut head, 0).map_err(failed)?;
        // Deserialising checks that offsets are contiguous and agree with types and shapes.
        let parsed: Metadata = serde_json::from_slice(&head[8..]).map_err(|_| malformed())?;
        if parsed.data_len() as u64 != length - head.len() as u64 {
            return Err(malformed());
        }
        let mut tensors: Vec<Tensor> = parsed
            .tensors()
            .into_iter()
            .map(|(name, info)| Tensor {
                name,
                dtype: info.dtype,
                shape: info.shape.clone(),
                offset: (head.len() + info.data_offsets.0) as u64,
                bytes: (info.data_offsets.1 - info.data_offsets.0) as u64,
            })
            .collect();
        tensors.sort_unstable_by(|a, b| (a.offset, a.bytes, &a.name).cmp(&(b.offset, b.bytes, &b.name)));
        let metadata = parsed.metadata().clone();
        Ok(Self {
            path: path.to_owned(),
            file,
            head,
            metadata,
            tensors,
            length,
        })
    }

    /// Fills `buffer` from this place of the file.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), CheckpointError> {
        read_at(&self.file, buffer, offset).map_err(|error| io_error(&self.path, &error))
    }

    pub(crate) fn bytes(&self, tensor: &Tensor) -> Result<Vec<u8>, CheckpointError> {
        let mut bytes = vec![0; tensor.bytes as usize];
        self.read(&mut bytes, tensor.offset)?;
        Ok(bytes)
    }

    pub(crate) fn floats(&self, tensor: &Tensor) -> Result<Option<Vec<f32>>, CheckpointError> {
        fn values<T: Weight>(bytes: &[u8]) -> Vec<f32> {
            bytes
                .chunks_exact(size_of::<T>())
                .map(|x| bytemuck::pod_read_unaligned::<T>(x).value())
                .collect()
        }
        let values = match tensor.dtype {
            Dtype::F32 => values::<f32>,
            Dtype::F16 => values::<f16>,
            Dtype::BF16 => values::<bf16>,
            _ => return Ok(None),
        };
        Ok(Some(values(&self.bytes(tensor)?)))
    }
}

pub(crate) fn io_error(path: &Path, error: &std::io::Error) -> CheckpointError {
    CheckpointError::Io {
        path: path.to_owned(),
        kind: error.kind(),
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => {
                buffer = &mut buffer[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}
