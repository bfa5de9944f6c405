//! Compressed tensors back to matrices, with every part checked.

use ndarray::Array2;
use safetensors::Dtype;

use super::checkpoint::Checkpoint;
use super::encode::{DIGITS, cutlass_place, digit_to_pair};
use super::format::{Format, Part, parts};
use crate::error::CheckpointError;

/// A compressed tensor, put together.
pub(crate) struct Decoded {
    pub(crate) dense: Array2<f32>,
    /// 1 where a weight was kept.
    pub(crate) keep: Vec<u8>,
    pub(crate) shape: Vec<usize>,
    pub(crate) dtype: Dtype,
}

/// Follows from the bits, so that some writers leave it out.
const OPTIONAL: &str = "row_offsets";

const COMPRESSED: [Format; 4] = [Format::Bitmask, Format::Cutlass24, Format::Packed24, Format::Csr];

/// `None` where no part of such a tensor is stored.
pub(crate) fn decode(checkpoint: &Checkpoint, name: &str) -> Result<Option<Decoded>, CheckpointError> {
    let has = |part: &Part| {
        part.suffix == OPTIONAL || checkpoint.find(&format!("{name}.{}", part.suffix)).is_some()
    };
    let stored = COMPRESSED
        .into_iter()
        .find(|format| parts(*format, Dtype::F32, &[1, 1], 1).iter().all(has));
    let Some(format) = stored else {
        return Ok(None);
    };
    read(checkpoint, name, format)?
        .map(Some)
        .ok_or_else(|| CheckpointError::NotAMatrix {
            tensor: name.to_owned(),
        })
}

/// `None` in the result where the parts disagree.
fn read(checkpoint: &Checkpoint, name: &str, format: Format) -> Result<Option<Decoded>, CheckpointError> {
    let part = |suffix: &str| checkpoint.find(&format!("{name}.{suffix}"));
    let Some((shard, tensor)) = part("shape") else {
        return Ok(None);
    };
    let shape: Option<Vec<usize>> = integers(&shard.bytes(tensor)?)
        .into_iter()
        .map(|n| usize::try_from(n).ok())
        .collect();
    let first = parts(format, Dtype::F32, &[1, 1], 1)[0].suffix;
    let (Some(shape), Some((shard, values))) = (shape, part(first)) else {
        return Ok(None);
    };
    let kept = values.values();
    let columns = shape.last().copied().unwrap_or(0);
    let rows = shape
        .iter()
        .rev()
        .skip(1)
        .try_fold(1_usize, |rows, n| rows.checked_mul(*n));
    let Some(rows) = rows.filter(|_| !shape.is_empty()) else {
        return Ok(None);
    };
    if rows.checked_mul(columns).is_none_or(|n| (n as u64) < kept) {
        return Ok(None);
    }
    // Every part must have the type and shape that it would be written with.
    let dtype = values.dtype;
    let agree = parts(format, dtype, &shape, kept)
        .iter()
        .all(|expected| match part(expected.suffix) {
            Some((_, found)) => found.dtype == expected.dtype && found.shape == expected.shape,
            None => expected.suffix == OPTIONAL,
        });
    let Some(values) = shard.floats(values)?.filter(|_| agree) else {
        return Ok(None);
    };
    let bytes = |suffix: &str| match part(suffix) {
        Some((shard, tensor)) => shard.bytes(tensor),
        None => Ok(Vec::new()),
    };
    let keep = match format {
        Format::Dense => None,
        Format::Bitmask => from_bits(
            &bytes("bitmask")?,
            &integers(&bytes("row_offsets")?),
            rows,
            columns,
        ),
        Format::Cutlass24 => from_meta(&bytes("meta")?, rows, columns),
        Format::Packed24 => from_codes(&bytes("codes")?, rows, columns),
        Format::Csr => from_rows(
            &bytes("col_indices")?,
            &integers(&bytes("crow_indices")?),
            rows,
            columns,
        ),
    };
    let Some(keep) = keep.filter(|keep| keep.iter().map(|keep| u64::from(*keep)).sum::<u64>() == kept) else {
        return Ok(None);
    };
    let mut values = values.into_iter();
    let dense: Vec<f32> = keep
        .iter()
        .map(|keep| {
            if *keep == 1 {
                values.next().unwrap_or(0.0)
            } else {
                0.0
            }
        })
        .collect();
    let dense = Array2::from_shape_vec((rows, columns), dense).ok();
    Ok(dense.map(|dense| Decoded {
        dense,
        keep,
        shape,
        dtype,
    }))
}

fn integers(bytes: &[u8]) -> Vec<i64> {
    bytes.chunks_exact(8).map(bytemuck::pod_read_unaligned).collect()
}

fn from_bits(bits: &[u8], offsets: &[i64], rows: usize, columns: usize) -> Option<Vec<u8>> {
    let stride = columns.div_ceil(8);
    let mut keep = vec![0; rows * columns];
    let mut before = 0;
    for row in 0..rows {
        if offsets.get(row).is_some_and(|offset| *offset != before) {
            return None;
        }
        let bits = &bits[row * stride..(row + 1) * stride];
        for column in 0..stride * 8 {
            let bit = bits[column / 8] >> (column % 8) & 1;
            if column < columns {
                keep[row * columns + column] = bit;
                before += i64::from(bit);
            } else if bit == 1 {
                return None;
            }
        }
    }
    Some(keep)
}

fn from_meta(meta: &[u8], rows: usize, columns: usize) -> Option<Vec<u8>> {
    let mut keep = vec![0; rows * columns];
    if !rows.is_multiple_of(64) || !columns.is_multiple_of(32) {
        return None;
    }
    for row in 0..rows {
        for word in 0..columns / 16 {
            let at = 2 * cutlass_place(row, word, rows);
            let bits = u16::from_le_bytes([meta[at], meta[at + 1]]);
            for group in 0..4 {
                let pair = usize::from(bits >> (4 * group) & 15);
                let (first, second) = (pair & 3, pair >> 2);
                if first >= second {
                    return None;
                }
                let start = row * columns + word * 16 + group * 4;
                keep[start + first] = 1;
                keep[start + second] = 1;
            }
        }
    }
    Some(keep)
}

fn from_codes(codes: &[u8], rows: usize, columns: usize) -> Option<Vec<u8>> {
    if !columns.is_multiple_of(4) {
        return None;
    }
    let mut keep = vec![0; rows * columns];
    let mut codes = codes.chunks_exact(4);
    for row in keep.chunks_exact_mut(columns.max(1)) {
        for groups in row.chunks_mut(4 * DIGITS) {
            let mut number: u32 = bytemuck::pod_read_unaligned(codes.next()?);
            for group in groups.chunks_exact_mut(4) {
                let (first, second) = digit_to_pair(number % 6);
                number /= 6;
                group[first] = 1;
                group[second] = 1;
            }
            if number != 0 {
                return None;
            }
        }
    }
    Some(keep)
}

fn from_rows(columns_of: &[u8], starts: &[i64], rows: usize, columns: usize) -> Option<Vec<u8>> {
    let columns_of: Vec<i32> = columns_of
        .chunks_exact(4)
        .map(bytemuck::pod_read_unaligned)
        .collect();
    let mut keep = vec![0; rows * columns];
    if starts.first() != Some(&0) || *starts.last()? != columns_of.len() as i64 {
        return None;
    }
    for (row, bounds) in starts.windows(2).enumerate() {
        let (from, to) = (usize::try_from(bounds[0]).ok()?, usize::try_from(bounds[1]).ok()?);
        let mut next = 0;
        for column in columns_of.get(from..to)? {
            let column = usize::try_from(*column).ok()?;
            // Strictly rising, so that no weight is there twice.
            if column < next || column >= columns {
                return None;
            }
            keep[row * columns + column] = 1;
            next = column + 1;
        }
    }
    Some(keep)
}
