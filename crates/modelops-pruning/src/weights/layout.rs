//! Where things lie in an output file.

use std::collections::{BTreeMap, HashMap};

use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::checkpoint::{Shard, Tensor};

/// How pruned tensors are stored. Tensors that stay as they are, are copied byte for byte in every format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Format {
    /// As before, with zeros: every reader understands it, and the file is as large as it was.
    #[default]
    Dense,
    /// Kept values, one bit per weight, row offsets and shape, as `NAME.compressed`, `NAME.bitmask` (lowest bit first,
    /// rows padded to whole bytes), `NAME.row_offsets` and `NAME.shape`: the names that compressed-tensors uses. At half
    /// the weights an f32 matrix shrinks to 53 %, a 16-bit one to 56 %. [`Checkpoint::matrix`] reads it.
    ///
    /// [`Checkpoint::matrix`]: crate::weights::Checkpoint::matrix
    Bitmask,
}

/// Places of one tensor's parts, from the start of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Dense(u64),
    Bitmask {
        values: u64,
        bits: u64,
        row_offsets: u64,
        shape: u64,
    },
}

/// The output file of one shard: its head, its length, and a place for every tensor.
pub(crate) struct FileLayout {
    pub(crate) head: Vec<u8>,
    pub(crate) length: u64,
    pub(crate) places: Vec<Place>,
    /// Names of everything stored.
    pub(crate) names: Vec<String>,
}

/// Nothing moves: the head is the input's own.
pub(crate) fn dense(shard: &Shard) -> FileLayout {
    FileLayout {
        head: shard.head.clone(),
        length: shard.length,
        places: shard
            .tensors
            .iter()
            .map(|tensor| Place::Dense(tensor.offset))
            .collect(),
        names: shard.tensors.iter().map(|tensor| tensor.name.clone()).collect(),
    }
}

/// `kept` names, for every tensor that is compressed, its rows and its kept weights.
pub(crate) fn bitmask(shard: &Shard, kept: &[Option<(u64, u64)>]) -> Option<FileLayout> {
    let mut parts: Vec<(String, Dtype, Vec<usize>)> = Vec::new();
    for (tensor, kept) in shard.tensors.iter().zip(kept) {
        match kept {
            None => parts.push((tensor.name.clone(), tensor.dtype, tensor.shape.clone())),
            Some((rows, kept)) => {
                let (rows, columns) = (*rows as usize, *tensor.shape.last()?);
                let name = |suffix: &str| format!("{}.{suffix}", tensor.name);
                parts.push((name("compressed"), tensor.dtype, vec![*kept as usize]));
                parts.push((name("bitmask"), Dtype::U8, vec![rows, columns.div_ceil(8)]));
                parts.push((name("row_offsets"), Dtype::I64, vec![rows]));
                parts.push((name("shape"), Dtype::I64, vec![tensor.shape.len()]));
            }
        }
    }
    // Widest types first keeps every tensor aligned.
    parts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    if parts.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    let mut end = 0;
    let infos: Vec<(String, TensorInfo)> = parts
        .into_iter()
        .map(|(name, dtype, shape)| {
            let start = end;
            end += shape.iter().product::<usize>() * dtype.bitsize() / 8;
            (
                name,
                TensorInfo {
                    dtype,
                    shape,
                    data_offsets: (start, end),
                },
            )
        })
        .collect();
    let names = infos.iter().map(|(name, _)| name.clone()).collect();
    let starts: HashMap<String, u64> = infos
        .iter()
        .map(|(name, info)| (name.clone(), info.data_offsets.0 as u64))
        .collect();
    let metadata = shard.metadata.as_ref().map(|metadata| metadata.iter().collect());
    let mut text = serde_json::to_vec(&Header {
        metadata,
        tensors: &infos,
    })
    .ok()?;
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut head = (text.len() as u64).to_le_bytes().to_vec();
    head.extend_from_slice(&text);
    let data = head.len() as u64;
    let at = |tensor: &Tensor, suffix: &str| {
        starts
            .get(&format!("{}{suffix}", tensor.name))
            .map(|start| data + start)
    };
    let place = |(tensor, kept): (&Tensor, &Option<(u64, u64)>)| match kept {
        None => at(tensor, "").map(Place::Dense),
        Some(_) => Some(Place::Bitmask {
            values: at(tensor, ".compressed")?,
            bits: at(tensor, ".bitmask")?,
            row_offsets: at(tensor, ".row_offsets")?,
            shape: at(tensor, ".shape")?,
        }),
    };
    let places = shard.tensors.iter().zip(kept).map(place).collect::<Option<_>>()?;
    Some(FileLayout {
        length: data + end as u64,
        head,
        places,
        names,
    })
}

/// A header with its parts in the order of the data and its free text in the order of the keys, so that the same
/// checkpoint gives the same bytes.
struct Header<'a> {
    metadata: Option<BTreeMap<&'a String, &'a String>>,
    tensors: &'a [(String, TensorInfo)],
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(metadata) = &self.metadata {
            map.serialize_entry("__metadata__", metadata)?;
        }
        for (name, info) in self.tensors {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}
