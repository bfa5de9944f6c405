//! Where things lie in an output file.

use std::collections::{BTreeMap, HashMap};

use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::checkpoint::{Shard, Tensor};
use super::format::{Format, parts};

/// Places of one tensor's parts, from the start of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Dense(u64),
    /// In the order of [`parts`].
    Parts(Vec<u64>),
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

/// `kept` names, for every tensor that is compressed, its kept weights; `None` where two parts would share a name.
pub(crate) fn compressed(shard: &Shard, kept: &[Option<u64>], format: Format) -> Option<FileLayout> {
    let part_name = |tensor: &Tensor, suffix: &str| format!("{}.{suffix}", tensor.name);
    let mut stored: Vec<(String, Dtype, Vec<usize>)> = Vec::new();
    for (tensor, kept) in shard.tensors.iter().zip(kept) {
        match kept {
            None => stored.push((tensor.name.clone(), tensor.dtype, tensor.shape.clone())),
            Some(kept) => stored.extend(
                parts(format, tensor.dtype, &tensor.shape, *kept)
                    .into_iter()
                    .map(|part| (part_name(tensor, part.suffix), part.dtype, part.shape)),
            ),
        }
    }
    // Widest types first keeps every tensor aligned.
    stored.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    if stored.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    let mut end = 0;
    let infos: Vec<(String, TensorInfo)> = stored
        .into_iter()
        .map(|(name, dtype, shape)| {
            let start = end;
            end += shape.iter().product::<usize>() * dtype.bitsize() / 8;
            let data_offsets = (start, end);
            (
                name,
                TensorInfo {
                    dtype,
                    shape,
                    data_offsets,
                },
            )
        })
        .collect();
    let names = infos.iter().map(|(name, _)| name.clone()).collect();
    let starts: HashMap<&str, u64> = infos
        .iter()
        .map(|(name, info)| (name.as_str(), info.data_offsets.0 as u64))
        .collect();
    let head = head(shard.metadata.as_ref(), &infos)?;
    let data = head.len() as u64;
    let at = |name: &str| starts.get(name).map(|start| data + start);
    let place = |(tensor, kept): (&Tensor, &Option<u64>)| match kept {
        None => at(&tensor.name).map(Place::Dense),
        Some(kept) => parts(format, tensor.dtype, &tensor.shape, *kept)
            .iter()
            .map(|part| at(&part_name(tensor, part.suffix)))
            .collect::<Option<_>>()
            .map(Place::Parts),
    };
    let places = shard.tensors.iter().zip(kept).map(place).collect::<Option<_>>()?;
    Some(FileLayout {
        length: data + end as u64,
        head,
        places,
        names,
    })
}

/// Length prefix and header, padded so that the data is aligned.
pub(crate) fn head(
    metadata: Option<&HashMap<String, String>>,
    tensors: &[(String, TensorInfo)],
) -> Option<Vec<u8>> {
    let metadata = metadata.map(|metadata| metadata.iter().collect());
    let mut text = serde_json::to_vec(&Header { metadata, tensors }).ok()?;
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut head = (text.len() as u64).to_le_bytes().to_vec();
    head.extend_from_slice(&text);
    Some(head)
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
