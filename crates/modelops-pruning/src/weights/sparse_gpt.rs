//! Optimal brain surgeon in blocks of columns.

use modelops_linalg::gemm;
use multiversion::multiversion;
use ndarray::{Array2, s};

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
        let mut stays = vec![1_u8; part.len()];
        mask_block(&part, inner, width, pattern, (start, end, columns), &mut stays);
        let mut errors = Array2::<f32>::zeros((rows, width));
        let error_rows = errors
            .as_slice_mut()
            .expect("made in standard layout")
            .chunks_exact_mut(width);
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
            gemm(-1.0, errors.view(), coupling, 1.0, w.slice_mut(s![.., end..])).expect("shapes agree");
        }
    }
    w
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
#[multiversion(targets("x86_64+avx2", "x86_64+avx512f+avx512bw+avx512vl"))]
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
