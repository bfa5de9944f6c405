//! One tensor of a sealed safetensors file, without touching the rest.

use std::path::Path;

use safetensors::tensor::Metadata;

use super::{OpenOptions, SealedFile};
use crate::error::TensorError;
use crate::keys::KeyProvider;

/// Longest header that the safetensors format allows.
const LONGEST_HEADER: u64 = 100_000_000;

/// What the header of a safetensors file says of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TensorInfo {
    /// Element type as the format names it: `F32`, `BF16`, `I8`.
    pub dtype: String,
    /// Elements along each dimension.
    pub shape: Vec<usize>,
    /// First byte of the tensor within the content of the file.
    pub offset: u64,
    /// Bytes of the tensor.
    pub len: u64,
}

/// An open sealed safetensors file.
///
/// Names, types and shapes are encrypted and authenticated like the data; opening reads them alone, and each tensor is then read
/// and authenticated for itself.
///
/// ```
/// use std::collections::HashMap;
/// use modelops_security::keys::Keyring;
/// use modelops_security::sealed::{seal_file, OpenOptions, SealOptions, SealedSafetensors};
/// use modelops_security::SystemRandom;
/// use safetensors::{serialize_to_file, tensor::TensorView, Dtype};
/// # let dir = tempfile::tempdir()?;
/// # let (plain, sealed) = (dir.path().join("w"), dir.path().join("w.msc"));
/// let bias = TensorView::new(Dtype::F32, vec![2], &[0, 0, 128, 63, 0, 0, 0, 64])?; // 1.0 and 2.0
/// serialize_to_file([("bias", &bias)], None, &plain)?;
/// let mut random = SystemRandom::new();
/// let keyring = Keyring::generate(&mut random)?;
/// seal_file(&plain, &sealed, &keyring, &SealOptions::default(), &mut random)?;
///
/// let model = SealedSafetensors::open(&sealed, &keyring, &OpenOptions::default())?;
/// assert_eq!(model.names(), ["bias"]);
/// assert_eq!(model.info("bias").map(|info| info.shape), Some(vec![2]));
/// assert_eq!(model.tensor("bias")?, bias.data());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "tensor")]
#[derive(Debug)]
pub struct SealedSafetensors {
    file: SealedFile,
    metadata: Metadata,
    data_start: u64,
}

impl SealedSafetensors {
    /// Opens the file and reads its safetensors header.
    ///
    /// # Errors
    ///
    /// [`TensorError::Open`] as [`SealedFile::open`]; [`TensorError::Format`] where the content is no safetensors file.
    pub fn open(path: &Path, keys: &dyn KeyProvider, options: &OpenOptions) -> Result<Self, TensorError> {
        Self::over(SealedFile::open(path, keys, options)?)
    }

    /// Reads the safetensors header of an open sealed file, for one that lies in another place than a file
    /// ([`SealedFile::open_at`]).
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn over(file: SealedFile) -> Result<Self, TensorError> {
        let mut length = [0; 8];
        if file.len() < 8 {
            return Err(TensorError::Format);
        }
        file.read_at(&mut length, 0)?;
        let header_len = u64::from_le_bytes(length);
        // The length of the file is authenticated, so this bounds the allocation by what is there.
        if header_len > LONGEST_HEADER.min(file.len() - 8) {
            return Err(TensorError::Format);
        }
        let mut header = vec![0; header_len as usize];
        file.read_at(&mut header, 8)?;
        let metadata: Metadata = serde_json::from_slice(&header).map_err(|_| TensorError::Format)?;
        let data_start = 8 + header_len;
        if data_start.checked_add(metadata.data_len() as u64) != Some(file.len()) {
            return Err(TensorError::Format);
        }
        Ok(Self {
            file,
            metadata,
            data_start,
        })
    }

    /// The names of the tensors, in the order of their data.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.metadata.offset_keys()
    }

    /// Type, shape and place of a tensor.
    #[must_use]
    pub fn info(&self, name: &str) -> Option<TensorInfo> {
        let info = self.metadata.info(name)?;
        let (start, end) = info.data_offsets;
        Some(TensorInfo {
            dtype: info.dtype.to_string(),
            shape: info.shape.clone(),
            offset: self.data_start + start as u64,
            len: (end - start) as u64,
        })
    }

    /// Reads a tensor into `out`, which must have exactly its bytes.
    ///
    /// # Errors
    ///
    /// [`TensorError::Unknown`], [`TensorError::WrongLength`], or [`TensorError::Open`] where the data was altered or cannot be read;
    /// `out` is then wiped.
    ///
    /// # Complexity
    ///
    /// O(bytes of the tensor + 32 KiB), wherever it lies.
    pub fn read_tensor(&self, name: &str, out: &mut [u8]) -> Result<(), TensorError> {
        let info = self.info(name).ok_or_else(|| TensorError::Unknown {
            name: name.to_owned(),
        })?;
        if info.len != out.len() as u64 {
            return Err(TensorError::WrongLength {
                needed: info.len,
                given: out.len() as u64,
            });
        }
        Ok(self.file.read_at(out, info.offset)?)
    }

    /// Reads a tensor into new memory.
    ///
    /// # Errors
    ///
    /// [`TensorError::Unknown`], or [`TensorError::Open`] where the data was altered or cannot be read.
    pub fn tensor(&self, name: &str) -> Result<Vec<u8>, TensorError> {
        let info = self.info(name).ok_or_else(|| TensorError::Unknown {
            name: name.to_owned(),
        })?;
        let mut out = vec![0; usize::try_from(info.len).map_err(|_| TensorError::Format)?];
        self.file.read_at(&mut out, info.offset)?;
        Ok(out)
    }

    /// The file below, for ranges and for its header.
    #[must_use]
    pub fn file(&self) -> &SealedFile {
        &self.file
    }
}
