//! `XᵀX` and `Xᵀy` in one pass over the rows, and products with the result.

use super::vector::dot_lanes;
use multiversion::multiversion;

/// What least squares needs of a table: the d × d matrix `XᵀX`, the moments `Xᵀy` and ‖y‖².
pub(crate) struct Gram {
    pub(crate) matrix: Vec<f64>,
    pub(crate) moments: Vec<f64>,
    pub(crate) squared_targets: f64,
}

/// Columns of the register tile; four rows by eight columns of the result live in registers.
const TILE_COLUMNS: usize = 8;
const TILE_ROWS: usize = 4;
/// Rows of X per block, so that a block of a hundred columns stays in the second cache.
const BLOCK: usize = 256;

/// Builds the [`Gram`] of `x` (rows one after the other, `d` columns) and `y`, less `shift` in each row: one entry a column and the
/// last for the target.
pub(crate) fn gram(x: &[f64], y: &[f64], d: usize, shift: &[f64]) -> Gram {
    // The targets ride along as one more column, and the width is padded so that every tile is whole.
    let width = (d + 1).next_multiple_of(TILE_COLUMNS);
    let mut packed = vec![0.0; BLOCK * width];
    let mut sums = vec![0.0; width * width];
    for (rows, targets) in x.chunks(BLOCK * d).zip(y.chunks(BLOCK)) {
        for ((row, target), out) in rows
            .chunks_exact(d)
            .zip(targets)
            .zip(packed.chunks_exact_mut(width))
        {
            for ((out, value), shift) in out.iter_mut().zip(row.iter().chain([target])).zip(shift) {
                *out = value - shift;
            }
        }
        add_block(&packed[..targets.len() * width], width, &mut sums);
    }
    // Only tiles on or below the diagonal were summed; mirror them.
    let entry = |i: usize, j: usize| sums[i.max(j) * width + i.min(j)];
    Gram {
        matrix: (0..d * d).map(|k| entry(k / d, k % d)).collect(),
        moments: (0..d).map(|i| entry(d, i)).collect(),
        squared_targets: entry(d, d),
    }
}

/// Adds the products of a packed block, tile by tile, to the lower triangle of `sums`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
fn add_block(packed: &[f64], width: usize, sums: &mut [f64]) {
    for i in (0..width).step_by(TILE_ROWS) {
        for j in (0..=i + TILE_ROWS - 1).step_by(TILE_COLUMNS) {
            let mut tile = [[0.0; TILE_COLUMNS]; TILE_ROWS];
            for row in packed.chunks_exact(width) {
                let left: &[f64; TILE_ROWS] = row[i..]
                    .first_chunk()
                    .expect("the width is a multiple of the tile");
                let right: &[f64; TILE_COLUMNS] = row[j..]
                    .first_chunk()
                    .expect("the width is a multiple of the tile");
                for (tile_row, l) in tile.iter_mut().zip(left) {
                    for (t, r) in tile_row.iter_mut().zip(right) {
                        *t += l * r;
                    }
                }
            }
            for (k, tile_row) in tile.iter().enumerate() {
                let at = (i + k) * width + j;
                for (s, t) in sums[at..at + TILE_COLUMNS].iter_mut().zip(tile_row) {
                    *s += t;
                }
            }
        }
    }
}

/// out = M v for a symmetric matrix in rows.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
pub(crate) fn symmetric_product(matrix: &[f64], v: &[f64], out: &mut [f64]) {
    for (row, o) in matrix.chunks_exact(v.len()).zip(out) {
        *o = dot_lanes(row, v);
    }
}
