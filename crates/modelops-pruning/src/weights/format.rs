//! How pruned tensors are stored.

use safetensors::Dtype;
use serde::{Deserialize, Serialize};

use super::Pattern;

/// How pruned tensors are stored. Tensors that stay as they are, are copied byte for byte in every format.
///
/// A matrix `NAME` becomes several tensors `NAME.SUFFIX`; [`Checkpoint::matrix`] puts every format together again, and
/// [`verify_pruned`] checks it.
///
/// | format | needs | parts | f32 / 16-bit size at half the weights |
/// | --- | --- | --- | --- |
/// | [`Dense`](Format::Dense) | | the tensor itself | 100 % / 100 % |
/// | [`Bitmask`](Format::Bitmask) | | `compressed`, `bitmask`, `row_offsets`, `shape` | 53 % / 56 % |
/// | [`Cutlass24`](Format::Cutlass24) | 2 of 4, 16 bits, rows a multiple of 64, columns of 32 | `compressed`, `meta`, `shape` | – / 56 % |
/// | [`Packed24`](Format::Packed24) | 2 of 4 | `compressed`, `codes`, `shape` | 52 % / 54 % |
/// | [`Csr`](Format::Csr) | | `values`, `col_indices`, `crow_indices`, `shape` | 100 % / 150 % |
///
/// [`Checkpoint::matrix`]: crate::weights::Checkpoint::matrix
/// [`verify_pruned`]: crate::weights::verify_pruned
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Format {
    /// As before, with zeros: every reader understands it, and the file is as large as it was.
    #[default]
    Dense,
    /// Kept values, one bit per weight (lowest bit first, rows padded to whole bytes), the number of values before each
    /// row, and the shape: the names and layout of compressed-tensors.
    Bitmask,
    /// What sparse tensor cores read: the two kept values of every four, and their positions in two bits each, in the
    /// order of CUTLASS's metadata for 16-bit types.
    Cutlass24,
    /// The smallest for 2 of 4: which two of four stay is one of six, and twelve of those are the digits of a 32-bit
    /// number in base six (first group lowest).
    Packed24,
    /// Compressed sparse rows, under the names of PyTorch's sparse tensors. Smaller than dense only beyond half (`f32`)
    /// or two thirds (16 bits) of zeros.
    Csr,
}

impl Format {
    /// Whether a matrix of this type, pattern and shape can be stored so.
    pub(crate) fn accepts(self, dtype: Dtype, pattern: Pattern, rows: usize, columns: usize) -> bool {
        let two_of_four = matches!(
            pattern,
            Pattern::NM { keep: 2, group: 4 } | Pattern::TransposableNM { keep: 2, group: 4 }
        );
        match self {
            Self::Dense | Self::Bitmask => true,
            Self::Csr => i32::try_from(columns).is_ok(),
            Self::Packed24 => two_of_four,
            Self::Cutlass24 => {
                two_of_four
                    && matches!(dtype, Dtype::F16 | Dtype::BF16)
                    && rows.is_multiple_of(64)
                    && columns.is_multiple_of(32)
            }
        }
    }
}

/// One stored tensor of a compressed one.
pub(crate) struct Part {
    pub(crate) suffix: &'static str,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
}

/// What a tensor of this shape with `kept` weights is stored as; empty for a dense one.
pub(crate) fn parts(format: Format, dtype: Dtype, shape: &[usize], kept: u64) -> Vec<Part> {
    let columns = shape.last().copied().unwrap_or(1);
    let rows: usize = shape.iter().rev().skip(1).product();
    let kept = kept as usize;
    let list: Vec<(&'static str, Dtype, Vec<usize>)> = match format {
        Format::Dense => Vec::new(),
        Format::Bitmask => vec![
            ("compressed", dtype, vec![kept]),
            ("bitmask", Dtype::U8, vec![rows, columns.div_ceil(8)]),
            ("row_offsets", Dtype::I64, vec![rows]),
        ],
        Format::Cutlass24 => vec![
            ("compressed", dtype, vec![rows, columns / 2]),
            ("meta", Dtype::I16, vec![rows, columns / 16]),
        ],
        Format::Packed24 => vec![
            ("compressed", dtype, vec![rows, columns / 2]),
            ("codes", Dtype::U32, vec![rows, (columns / 4).div_ceil(12)]),
        ],
        Format::Csr => vec![
            ("values", dtype, vec![kept]),
            ("col_indices", Dtype::I32, vec![kept]),
            ("crow_indices", Dtype::I64, vec![rows + 1]),
        ],
    };
    let own = (!list.is_empty()).then(|| ("shape", Dtype::I64, vec![shape.len()]));
    list.into_iter()
        .chain(own)
        .map(|(suffix, dtype, shape)| Part { suffix, dtype, shape })
        .collect()
}

/// Bytes of one tensor in this format.
pub(crate) fn bytes(format: Format, dtype: Dtype, shape: &[usize], kept: u64) -> u64 {
    let size = |dtype: Dtype, shape: &[usize]| (shape.iter().product::<usize>() * dtype.bitsize() / 8) as u64;
    match format {
        Format::Dense => size(dtype, shape),
        _ => parts(format, dtype, shape, kept)
            .iter()
            .map(|part| size(part.dtype, &part.shape))
            .sum(),
    }
}
