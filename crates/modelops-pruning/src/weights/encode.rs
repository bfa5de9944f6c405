//! Rows of pruned weights as the parts of a format.

use super::format::Format;
use crate::kernel::lowest::Weight;

/// Groups of four that share one number in base six: 6¹² < 2³².
pub(crate) const DIGITS: usize = 12;

/// Encodes chunk after chunk; what is ready lies in `buffers`, in the order of [`parts`](super::format::parts).
pub(crate) struct Encoder {
    format: Format,
    rows: usize,
    columns: usize,
    row: usize,
    kept: i64,
    /// Metadata whose order runs across rows, until all are there.
    late: Vec<u16>,
    pub(crate) buffers: Vec<Vec<u8>>,
}

impl Encoder {
    pub(crate) fn new(format: Format, rows: usize, columns: usize) -> Self {
        let (parts, late) = match format {
            Format::Dense => (1, 0),
            Format::Bitmask | Format::Csr => (4, 0),
            Format::Packed24 => (3, 0),
            Format::Cutlass24 => (3, rows * (columns / 16)),
        };
        Self {
            format,
            rows,
            columns,
            row: 0,
            kept: 0,
            late: vec![0; late],
            buffers: vec![Vec::new(); parts],
        }
    }

    /// Dense tensors are written as they are, and not encoded.
    pub(crate) fn is_dense(&self) -> bool {
        self.format == Format::Dense
    }

    /// Replaces what is in the buffers by the parts of these whole rows.
    pub(crate) fn encode<T: Weight>(&mut self, weights: &[T], keep: &[u8]) {
        self.buffers.iter_mut().for_each(Vec::clear);
        let width = self.columns.max(1);
        for (row, keep) in weights.chunks_exact(width).zip(keep.chunks_exact(width)) {
            self.start_row();
            let before = self.buffers[0].len();
            for (weight, keep) in row.iter().zip(keep) {
                if *keep == 1 {
                    self.buffers[0].extend_from_slice(bytemuck::bytes_of(weight));
                }
            }
            self.kept += ((self.buffers[0].len() - before) / size_of::<T>()) as i64;
            self.positions(keep);
            self.row += 1;
        }
    }

    fn start_row(&mut self) {
        match self.format {
            Format::Bitmask | Format::Csr => self.buffers[2].extend_from_slice(&self.kept.to_le_bytes()),
            _ => {}
        }
    }

    /// Says where the kept weights of one row lie.
    fn positions(&mut self, keep: &[u8]) {
        match self.format {
            Format::Dense => {}
            Format::Bitmask => {
                let byte = |bits: &[u8]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | bit);
                self.buffers[1].extend(keep.chunks(8).map(byte));
            }
            Format::Csr => {
                for (column, _) in keep.iter().enumerate().filter(|(_, keep)| **keep == 1) {
                    self.buffers[1].extend_from_slice(&(column as i32).to_le_bytes());
                }
            }
            Format::Packed24 => {
                for groups in keep.chunks(4 * DIGITS) {
                    let number = groups.chunks_exact(4).rev().fold(0, |number, group| {
                        let (first, second) = kept_pair(group);
                        number * 6 + pair_to_digit(first, second)
                    });
                    self.buffers[1].extend_from_slice(&number.to_le_bytes());
                }
            }
            Format::Cutlass24 => {
                for (word, groups) in keep.chunks_exact(16).enumerate() {
                    let bits = groups.chunks_exact(4).rev().fold(0_u16, |bits, group| {
                        let (first, second) = kept_pair(group);
                        bits << 4 | (second << 2 | first) as u16
                    });
                    self.late[cutlass_place(self.row, word, self.rows)] = bits;
                }
            }
        }
    }

    /// What can only be said at the end.
    pub(crate) fn finish(&mut self, shape: &[usize]) {
        self.buffers.iter_mut().for_each(Vec::clear);
        if self.format == Format::Csr {
            self.buffers[2].extend_from_slice(&self.kept.to_le_bytes());
        }
        if self.format == Format::Cutlass24 {
            self.buffers[1].extend(self.late.iter().flat_map(|bits| bits.to_le_bytes()));
        }
        if let Some(last) = self.buffers.last_mut() {
            last.extend(shape.iter().flat_map(|n| (*n as i64).to_le_bytes()));
        }
    }
}

/// Positions of the two that stay of four.
fn kept_pair(group: &[u8]) -> (u32, u32) {
    let first = group.iter().position(|keep| *keep == 1).unwrap_or(0);
    let second = group.iter().rposition(|keep| *keep == 1).unwrap_or(3);
    (first as u32, second as u32)
}

/// (0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3) as 0 to 5.
fn pair_to_digit(first: u32, second: u32) -> u32 {
    match first {
        0 => second - 1,
        1 => second + 1,
        _ => 5,
    }
}

/// The inverse.
pub(crate) fn digit_to_pair(digit: u32) -> (usize, usize) {
    [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)][digit as usize % 6]
}

/// Where CUTLASS puts the 16 bits of metadata of four groups: within 64 rows the rows are interleaved as a tensor core
/// loads them, pairs of words are swapped across the diagonal of every 2 × 2 block, and pairs of columns are stored column
/// by column (so that their number has to be even).
pub(crate) fn cutlass_place(row: usize, word: usize, rows: usize) -> usize {
    let mut to_row =
        row / 64 * 64 + (row % 2) * 2 + (row % 8) / 4 + (row % 32 % 4) / 2 * 32 + (row % 64) / 8 * 4;
    let mut to_word = word;
    match (to_row % 2, to_word % 2) {
        (0, 1) => {
            to_row += 1;
            to_word -= 1;
        }
        (1, 0) => {
            to_row -= 1;
            to_word += 1;
        }
        _ => {}
    }
    to_word / 2 * rows * 2 + to_row * 2 + to_word % 2
}
