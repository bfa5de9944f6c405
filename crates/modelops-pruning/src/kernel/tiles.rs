//! Masks made of rectangles: whole blocks, and tiles whose rows and columns all keep the same number.

use super::lowest::Weight;

/// Sum of squares of every block of `block_rows` × `block_columns`, row by row of blocks. Rows come whole and in whole
/// rows of blocks.
pub(crate) fn block_scores<T: Weight>(
    weights: &[T],
    columns: usize,
    [block_rows, block_columns]: [usize; 2],
    scores: &mut Vec<f32>,
) {
    if columns == 0 {
        return;
    }
    for band in weights.chunks_exact(columns * block_rows) {
        let mut sums = vec![0.0_f64; columns / block_columns];
        for row in band.chunks_exact(columns) {
            for (sum, part) in sums.iter_mut().zip(row.chunks_exact(block_columns)) {
                *sum += part.iter().map(|w| f64::from(w.value()).powi(2)).sum::<f64>();
            }
        }
        // A sum beyond f32 is the largest there is: it must not look like a damaged weight.
        scores.extend(sums.iter().map(|sum| (*sum as f32).min(f32::MAX)));
    }
}

/// Spreads one flag per block over the weights of the block.
pub(crate) fn spread_blocks(
    blocks: &[u8],
    columns: usize,
    [block_rows, block_columns]: [usize; 2],
    keep: &mut [u8],
) {
    if columns == 0 {
        return;
    }
    let bands = keep.chunks_exact_mut(columns * block_rows);
    for (band, flags) in bands.zip(blocks.chunks_exact(columns / block_columns)) {
        for row in band.chunks_exact_mut(columns) {
            for (part, flag) in row.chunks_exact_mut(block_columns).zip(flags) {
                part.fill(*flag);
            }
        }
    }
}

/// Keeps in every tile of `group` × `group` exactly `kept` a row and `kept` a column, such that the sum of squares kept is
/// the largest possible; false where a weight is not finite.
pub(crate) fn keep_transposable<T: Weight>(
    weights: &[T],
    columns: usize,
    kept: usize,
    group: usize,
    keep: &mut [u8],
) -> bool {
    if columns == 0 {
        return true;
    }
    let mut tile = vec![0.0_f64; group * group];
    let mut flags = vec![0_u8; group * group];
    let bands = weights
        .chunks_exact(columns * group)
        .zip(keep.chunks_exact_mut(columns * group));
    let mut finite = true;
    for (band, keep) in bands {
        for start in (0..columns).step_by(group) {
            for row in 0..group {
                for column in 0..group {
                    let value = f64::from(band[row * columns + start + column].value());
                    tile[row * group + column] = value * value;
                }
            }
            if tile.iter().any(|value| !value.is_finite()) {
                finite = false;
                continue;
            }
            if (kept, group) == (2, 4) {
                best_of_ninety(&tile, &mut flags);
            } else {
                best_flow(&tile, kept, group, &mut flags);
            }
            for row in 0..group {
                keep[row * columns + start..][..group].copy_from_slice(&flags[row * group..][..group]);
            }
        }
    }
    finite
}

/// The six ways to keep two of four, as bits.
const PAIRS: [u8; 6] = [0b0011, 0b0101, 0b1001, 0b0110, 0b1010, 0b1100];

/// Two a row and two a column of 4 × 4: there are 90 such tiles, and all are tried. The last row follows from the others.
fn best_of_ninety(tile: &[f64], keep: &mut [u8]) {
    let gain = |row: usize, pair: u8| -> f64 {
        let row = &tile[row * 4..row * 4 + 4];
        (0..4)
            .filter(|column| pair >> column & 1 == 1)
            .map(|column| row[column])
            .sum()
    };
    let mut gains = [[0.0; 6]; 4];
    for (row, gains) in gains.iter_mut().enumerate() {
        for (gain_of, pair) in gains.iter_mut().zip(PAIRS) {
            *gain_of = gain(row, pair);
        }
    }
    let (mut best, mut chosen) = (f64::NEG_INFINITY, [0; 4]);
    for (a, first) in PAIRS.iter().enumerate() {
        for (b, second) in PAIRS.iter().enumerate() {
            for (c, third) in PAIRS.iter().enumerate() {
                // Each column has one or two by now; the last row keeps those with one.
                if first & second & third != 0 || first | second | third != 0b1111 {
                    continue;
                }
                let missing = first ^ second ^ third;
                let Some(d) = PAIRS.iter().position(|pair| *pair == missing) else {
                    continue;
                };
                let total = gains[0][a] + gains[1][b] + gains[2][c] + gains[3][d];
                if total > best {
                    (best, chosen) = (total, [*first, *second, *third, PAIRS[d]]);
                }
            }
        }
    }
    for (row, pair) in chosen.iter().enumerate() {
        for column in 0..4 {
            keep[row * 4 + column] = pair >> column & 1;
        }
    }
}

/// The same for any size, as a flow of largest value from rows to columns, built by best augmenting paths: each of them
/// leaves a flow that is optimal for its size, so the last one is the optimum.
fn best_flow(tile: &[f64], kept: usize, group: usize, keep: &mut [u8]) {
    keep.fill(0);
    let (mut rows_left, mut columns_left) = (vec![kept; group], vec![kept; group]);
    let mut row_gain = vec![0.0_f64; group];
    let mut column_gain = vec![0.0_f64; group];
    let mut row_from = vec![usize::MAX; group];
    let mut column_from = vec![usize::MAX; group];
    for _ in 0..kept * group {
        // Best gain of a path from any row with room to each node: along free cells to columns, back along kept ones.
        for (gain, left) in row_gain.iter_mut().zip(&rows_left) {
            *gain = if *left > 0 { 0.0 } else { f64::NEG_INFINITY };
        }
        row_from.fill(usize::MAX);
        column_gain.fill(f64::NEG_INFINITY);
        // Rounding could make a cycle look like a gain; no shortest path has more steps than there are nodes.
        for _ in 0..2 * group {
            let mut changed = false;
            for row in 0..group {
                for column in 0..group {
                    let (cell, value) = (row * group + column, tile[row * group + column]);
                    if keep[cell] == 0 && row_gain[row] + value > column_gain[column] {
                        column_gain[column] = row_gain[row] + value;
                        column_from[column] = row;
                        changed = true;
                    }
                }
            }
            for column in 0..group {
                for row in 0..group {
                    let (cell, value) = (row * group + column, tile[row * group + column]);
                    let better = column_gain[column] - value;
                    if keep[cell] == 1
                        && better > row_gain[row]
                        && !leads_back(row, column, &row_from, &column_from)
                    {
                        row_gain[row] = better;
                        row_from[row] = column;
                        changed = true;
                    }
                }
            }
            if !changed {
                break;
            }
        }
        let mut end = None;
        for column in (0..group).filter(|column| columns_left[*column] > 0) {
            if column_gain[column] > end.map_or(f64::NEG_INFINITY, |end: usize| column_gain[end]) {
                end = Some(column);
            }
        }
        let Some(mut column) = end else { return };
        columns_left[column] -= 1;
        loop {
            let row = column_from[column];
            keep[row * group + column] = 1;
            column = row_from[row];
            if column == usize::MAX {
                rows_left[row] -= 1;
                break;
            }
            keep[row * group + column] = 0;
        }
    }
}

/// Whether the path to `column` passes through `row`.
fn leads_back(row: usize, column: usize, row_from: &[usize], column_from: &[usize]) -> bool {
    let mut at = column;
    loop {
        let through = column_from[at];
        if through == row {
            return true;
        }
        at = row_from[through];
        if at == usize::MAX {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways agree on tiles of 4; the enumeration has no flow in it.
    #[test]
    fn flows_find_the_best_of_ninety() {
        let mut state = 7_u64;
        for round in 0..2_000 {
            let tile: Vec<f64> = (0..16)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    // Many ties in every other round.
                    let draw = (state >> 40) as f64;
                    if round % 2 == 0 {
                        draw
                    } else {
                        draw.rem_euclid(3.0)
                    }
                })
                .collect();
            let (mut ninety, mut flow) = ([0; 16], [0; 16]);
            best_of_ninety(&tile, &mut ninety);
            best_flow(&tile, 2, 4, &mut flow);
            let worth =
                |keep: &[u8; 16]| -> f64 { keep.iter().zip(&tile).map(|(k, v)| f64::from(*k) * v).sum() };
            assert!(
                (worth(&ninety) - worth(&flow)).abs() <= 1e-9 * worth(&ninety),
                "{tile:?}"
            );
            for line in 0..4 {
                assert_eq!((0..4).map(|i| flow[line * 4 + i]).sum::<u8>(), 2);
                assert_eq!((0..4).map(|i| flow[i * 4 + line]).sum::<u8>(), 2);
            }
        }
    }
}
