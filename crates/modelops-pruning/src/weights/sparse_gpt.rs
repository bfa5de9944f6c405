//! Optimal brain surgeon in blocks of columns.

use modelops_linalg::gemm;
use multiversion::multiversion;
use ndarray::{Array2, ArrayViewMut2, s};

use super::{Pattern, Scope, Sparsity};
use crate::kernel::lowest::keep_in_groups;

/// `factor` is upper with `factorᵀ factor` the damped inverse of the Gram matrix. Marks what stays in `keep`.
pub(crate) fn solve(
    weights: &Array2<f32>,
    factor: &Array2<f32>,
    pattern: Pattern,
    block: usize,
    keep: &mut [u8],
) -> Array2<f32> {
    let (rows, columns) = weights.dim();
    let mut w = weights.clone();
    // What each weight has moved so far, transposed, so that what is still to come of it is contiguous.
    let mut moved = Array2::<f32>::zeros((columns, rows));
    // Groups and tiles must not straddle two blocks.
    let block = match pattern {
        Pattern::NM { group, .. } | Pattern::TransposableNM { group, .. } => block.next_multiple_of(group),
        Pattern::Block { columns, .. } => block.next_multiple_of(columns),
        Pattern::Unstructured { .. } => block,
    };
    for start in (0..columns).step_by(block) {
        let end = columns.min(start + block);
        let width = end - start;
        let inner = factor
            .slice(s![start..end, start..end])
            .as_standard_layout()
            .into_owned();
        let inner = inner.as_slice().expect("the layout was made standard");
        let mut part: Vec<f32> = w.slice(s![.., start..end]).iter().copied().collect();
        if start > 0 && rows > 0 {
            add_transposed(&mut part, flat(&mut moved.slice_mut(s![start..end, ..])), rows);
        }
        let mut stays = vec![1_u8; part.len()];
        mask_block(&part, inner, width, pattern, (start, end, columns), &mut stays);
        let mut errors = Array2::<f32>::zeros((rows, width));
        let mut error_rows = errors.view_mut();
        let error_rows = flat(&mut error_rows).chunks_exact_mut(width);
        for ((row, stays), errors) in part
            .chunks_exact_mut(width)
            .zip(stays.chunks_exact_mut(width))
            .zip(error_rows)
        {
            eliminate(row, stays, errors, inner, pattern);
        }
        for (r, (row, stays)) in part
            .chunks_exact(width)
            .zip(stays.chunks_exact(width))
            .enumerate()
        {
            w.slice_mut(s![r, start..end])
                .iter_mut()
                .zip(row)
                .for_each(|(to, from)| *to = *from);
            keep[r * columns + start..r * columns + end].copy_from_slice(stays);
        }
        if end < columns {
            let coupling = factor.slice(s![start..end, end..]);
            gemm(
                -1.0,
                coupling.t(),
                errors.t(),
                1.0,
                moved.slice_mut(s![end.., ..]),
            )
            .expect("shapes agree");
        }
    }
    w
}

fn flat<'a>(a: &'a mut ArrayViewMut2<'_, f32>) -> &'a mut [f32] {
    a.as_slice_mut().expect("whole rows of a standard layout")
}

/// Adds to rows the columns of another matrix, a tile of them at a time.
fn add_transposed(rows: &mut [f32], columns: &[f32], height: usize) {
    const TILE: usize = 64;
    let width = rows.len() / height;
    for (tile, rows) in rows.chunks_mut(TILE * width).enumerate() {
        for (j, column) in columns.chunks_exact(height).enumerate() {
            let column = &column[tile * TILE..];
            for (row, value) in rows.chunks_exact_mut(width).zip(column) {
                row[j] += value;
            }
        }
    }
}

/// Masks a whole block of columns by what removing each weight costs on its own; N:M is masked later, group by group.
fn mask_block(
    part: &[f32],
    inner: &[f32],
    width: usize,
    pattern: Pattern,
    (start, end, columns): (usize, usize, usize),
    stays: &mut [u8],
) {
    let rows = part.len() / width;
    let cost = |(at, w): (usize, &f32)| (w / inner[(at % width) * (width + 1)]).abs();
    let costs = || -> Vec<f32> { part.iter().enumerate().map(cost).collect() };
    // Blocks of columns share out the exact count of the whole, which is counted in units.
    let share = |sparsity: Sparsity, units: usize| {
        let whole = sparsity.count(units as u64) as f64;
        let until = |column: usize| (whole * column as f64 / columns as f64).round();
        let here = units as f64 * width as f64 / columns as f64;
        let share = (until(end) - until(start)) / here;
        Sparsity::try_new(share.clamp(0.0, 1.0)).unwrap_or(sparsity)
    };
    match pattern {
        Pattern::NM { .. } => {}
        Pattern::TransposableNM { .. } => pattern.select(&costs(), width, stays),
        Pattern::Unstructured { sparsity, scope } => {
            let units = if scope == Scope::Row {
                columns
            } else {
                rows * columns
            };
            let sparsity = share(sparsity, units);
            Pattern::Unstructured { sparsity, scope }.select(&costs(), width, stays);
        }
        Pattern::Block {
            sparsity,
            rows: height,
            columns: across,
        } => {
            let sparsity = share(sparsity, rows / height * (columns / across));
            let pattern = Pattern::Block {
                sparsity,
                rows: height,
                columns: across,
            };
            pattern.select(&costs(), width, stays);
        }
    }
}

/// Removes the weights of one row from left to right and hands what each did to those on its right.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn eliminate(row: &mut [f32], stays: &mut [u8], errors: &mut [f32], inner: &[f32], pattern: Pattern) {
    let width = row.len();
    let mut costs = [0.0_f32; 64];
    for i in 0..width {
        if let Pattern::NM { keep, group } = pattern
            && i % group == 0
        {
            for j in i..i + group {
                costs[j - i] = (row[j] / inner[j * (width + 1)]).powi(2);
            }
            keep_in_groups(&costs[..group], keep, group, &mut stays[i..i + group]);
        }
        if stays[i] == 1 {
            continue;
        }
        let factors = &inner[i * width..(i + 1) * width];
        let error = row[i] / factors[i];
        errors[i] = error;
        row[i] = 0.0;
        for (w, factor) in row[i + 1..].iter_mut().zip(&factors[i + 1..]) {
            *w -= error * factor;
        }
    }
}
