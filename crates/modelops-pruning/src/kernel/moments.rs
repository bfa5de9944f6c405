//! Means and sums of squares of the columns of a table, in one pass over memory.
//!
//! Values are taken relative to a shift near their mean, centred twice within blocks of rows that stay in cache, and
//! the blocks are merged (Chan and others, 1983). No large sums are ever subtracted, so an offset of 10⁸ costs
//! nothing.

/// Moments of each group of rows: `groups × columns` values, row-major, means relative to `shift`.
pub(crate) struct Moments {
    pub(crate) shift: Vec<f64>,
    pub(crate) counts: Vec<f64>,
    pub(crate) means: Vec<f64>,
    pub(crate) squares: Vec<f64>,
}

/// `x` holds rows of `columns` values; `group` gives the group of every row.
pub(crate) fn grouped(x: &[f64], columns: usize, groups: usize, group: impl Fn(usize) -> usize) -> Moments {
    let rows = x.len() / columns;
    let block = (32 * groups).clamp(128, 4096);
    let mut all = Moments {
        shift: shift(x, columns, block),
        counts: vec![0.0; groups],
        means: vec![0.0; groups * columns],
        squares: vec![0.0; groups * columns],
    };
    let (mut means, mut squares) = (vec![0.0; groups * columns], vec![0.0; groups * columns]);
    let mut counts = vec![0.0; groups];
    for first in (0..rows).step_by(block) {
        let last = rows.min(first + block);
        means.fill(0.0);
        squares.fill(0.0);
        counts.fill(0.0);
        for row in first..last {
            let g = group(row);
            counts[g] += 1.0;
            add_shifted(
                &mut means[g * columns..][..columns],
                &x[row * columns..][..columns],
                &all.shift,
            );
        }
        for (g, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            for mean in &mut means[g * columns..][..columns] {
                *mean /= count;
            }
        }
        for row in first..last {
            let at = group(row) * columns..(group(row) + 1) * columns;
            let row = &x[row * columns..][..columns];
            add_squares(&mut squares[at.clone()], row, &all.shift, &means[at]);
        }
        for (g, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            let total = all.counts[g] + count;
            let (share, between) = (count / total, all.counts[g] * count / total);
            all.counts[g] = total;
            for at in g * columns..(g + 1) * columns {
                let apart = means[at] - all.means[at];
                all.means[at] += apart * share;
                all.squares[at] += squares[at] + apart * apart * between;
            }
        }
    }
    all
}

/// Sums of products of centred columns with a centred target.
pub(crate) struct CoMoments {
    pub(crate) shift: Vec<f64>,
    /// Mean of each column, relative to its shift.
    pub(crate) means: Vec<f64>,
    pub(crate) squares: Vec<f64>,
    pub(crate) products: Vec<f64>,
}

/// `y` is centred already, so that products need no merging term of its mean.
pub(crate) fn with_target(x: &[f64], columns: usize, y: &[f64]) -> CoMoments {
    let block = 128;
    let shift = shift(x, columns, block);
    let (mut all_means, mut all_squares) = (vec![0.0; columns], vec![0.0; columns]);
    let mut all_products = vec![0.0; columns];
    let (mut means, mut squares, mut products) = (vec![0.0; columns], vec![0.0; columns], vec![0.0; columns]);
    let (mut seen, mut y_mean) = (0.0, 0.0);
    for (x, y) in x.chunks(block * columns).zip(y.chunks(block)) {
        means.fill(0.0);
        squares.fill(0.0);
        products.fill(0.0);
        for row in x.chunks_exact(columns) {
            add_shifted(&mut means, row, &shift);
        }
        let count = y.len() as f64;
        means.iter_mut().for_each(|mean| *mean /= count);
        let block_y = y.iter().sum::<f64>() / count;
        for (row, y) in x.chunks_exact(columns).zip(y) {
            add_products(&mut squares, &mut products, row, &shift, &means, y - block_y);
        }
        let total = seen + count;
        let (share, between, y_apart) = (count / total, seen * count / total, block_y - y_mean);
        for at in 0..columns {
            let apart = means[at] - all_means[at];
            all_means[at] += apart * share;
            all_squares[at] += squares[at] + apart * apart * between;
            all_products[at] += products[at] + apart * y_apart * between;
        }
        y_mean += y_apart * share;
        seen = total;
    }
    CoMoments {
        shift,
        means: all_means,
        squares: all_squares,
        products: all_products,
    }
}

/// Mean of the first block: near enough to every value of a usual column for differences to be exact.
fn shift(x: &[f64], columns: usize, block: usize) -> Vec<f64> {
    let first = &x[..x.len().min(block * columns)];
    let Some(origin) = first.get(..columns) else {
        return vec![0.0; columns];
    };
    let mut mean = vec![0.0; columns];
    for row in first.chunks_exact(columns) {
        add_shifted(&mut mean, row, origin);
    }
    let rows = (first.len() / columns) as f64;
    mean.iter()
        .zip(origin)
        .map(|(mean, origin)| origin + mean / rows)
        .collect()
}

fn add_shifted(sum: &mut [f64], row: &[f64], shift: &[f64]) {
    for ((sum, x), shift) in sum.iter_mut().zip(row).zip(shift) {
        *sum += x - shift;
    }
}

fn add_squares(sum: &mut [f64], row: &[f64], shift: &[f64], mean: &[f64]) {
    for (((sum, x), shift), mean) in sum.iter_mut().zip(row).zip(shift).zip(mean) {
        let centred = (x - shift) - mean;
        *sum += centred * centred;
    }
}

fn add_products(squares: &mut [f64], products: &mut [f64], row: &[f64], shift: &[f64], mean: &[f64], y: f64) {
    for ((((square, product), x), shift), mean) in
        squares.iter_mut().zip(products).zip(row).zip(shift).zip(mean)
    {
        let centred = (x - shift) - mean;
        *square += centred * centred;
        *product += centred * y;
    }
}
