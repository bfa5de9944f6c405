//! Coordinate descent on ½ ‖y − Xw‖² + l1 ‖w‖₁ + ½ l2 ‖w‖², with a duality gap for when to stop and what to leave out.

use ndarray::{ArrayView1, ArrayView2};

use crate::kernel::gram::{Gram, symmetric_product};
use crate::kernel::vector::{axpy, dot};

/// A table and targets as coordinate descent sees them, at the coefficients it has reached.
pub(crate) trait Design {
    /// The number of columns.
    fn columns(&self) -> usize;

    /// ‖xⱼ‖².
    fn squared(&self, j: usize) -> f64;

    /// ‖y‖².
    fn squared_targets(&self) -> f64;

    /// xⱼ · r, with the residual r = y − Xw.
    fn correlation(&self, j: usize) -> f64;

    /// Takes note of a change of wⱼ.
    fn change(&mut self, j: usize, by: f64);

    /// Brings what rounding has moved back to what `w` implies; ‖r‖² and y · r.
    fn settle(&mut self, w: &[f64]) -> (f64, f64);
}

/// The settings of a run.
pub(crate) struct Descent {
    pub(crate) l1: f64,
    pub(crate) l2: f64,
    /// Of the loss at zero.
    pub(crate) tolerance: f64,
    pub(crate) max_passes: usize,
}

/// Where a run ended.
pub(crate) struct Outcome {
    pub(crate) coefficients: Vec<f64>,
    pub(crate) loss: f64,
    pub(crate) gap: f64,
    pub(crate) passes: usize,
    pub(crate) converged: bool,
}

/// Passes over the coefficients that are not 0 between two over all of them.
const INNER_PASSES: usize = 20;

/// What is known at some coefficients.
struct Certificate {
    loss: f64,
    gap: f64,
    /// What the residual is multiplied by to be feasible in the dual.
    scale: f64,
    /// The slope of the squares at each coefficient still left.
    slopes: Vec<f64>,
}

impl Descent {
    /// `None` where the squares of the table are not finite.
    pub(crate) fn run(&self, mut design: impl Design) -> Option<Outcome> {
        let d = design.columns();
        let mut w = vec![0.0; d];
        let squares = design.squared_targets();
        if !squares.is_finite() || (0..d).any(|j| !design.squared(j).is_finite()) {
            return None;
        }
        let goal = self.tolerance * 0.5 * squares;
        // Columns without a length say nothing.
        let mut left: Vec<usize> = (0..d).filter(|j| design.squared(*j) > 0.0).collect();
        let mut passes = 0;
        loop {
            let certificate = self.certify(&mut design, &w, &left)?;
            if certificate.gap <= goal || passes >= self.max_passes {
                return Some(Outcome {
                    coefficients: w,
                    loss: certificate.loss,
                    gap: certificate.gap,
                    passes,
                    converged: certificate.gap <= goal,
                });
            }
            self.screen(&mut design, &mut w, &mut left, &certificate);
            self.pass(&mut design, &mut w, &left);
            passes += 1;
            let active: Vec<usize> = left.iter().copied().filter(|j| w[*j] != 0.0).collect();
            for _ in 0..INNER_PASSES {
                // A full pass is due once the active coefficients gain less than the goal.
                if passes >= self.max_passes || self.pass(&mut design, &mut w, &active) <= 0.1 * goal {
                    break;
                }
                passes += 1;
            }
        }
    }

    /// Minimises over one coefficient after the other; the largest decrease of the loss.
    fn pass(&self, design: &mut impl Design, w: &mut [f64], over: &[usize]) -> f64 {
        let mut largest = 0.0f64;
        for &j in over {
            let squared = design.squared(j);
            let pull = design.correlation(j) + squared * w[j];
            let next = (pull.abs() - self.l1).max(0.0).copysign(pull) / (squared + self.l2);
            let by = next - w[j];
            if by != 0.0 {
                design.change(j, by);
                w[j] = next;
                largest = largest.max(0.5 * (squared + self.l2) * by * by);
            }
        }
        largest
    }

    /// The duality gap at `w`, with the dual point in the direction of the residual. The columns not in `left` are known to be feasible.
    fn certify(&self, design: &mut impl Design, w: &[f64], left: &[usize]) -> Option<Certificate> {
        let (residual, along) = design.settle(w);
        // As a lasso on the table with √l2 I below it, whose residual there is −√l2 w.
        let squares = residual + self.l2 * dot(w, w);
        let slopes: Vec<f64> = left
            .iter()
            .map(|j| design.correlation(*j) - self.l2 * w[*j])
            .collect();
        let steepest = slopes.iter().fold(0.0f64, |m, s| m.max(s.abs()));
        // Without a slope anywhere any multiple is feasible.
        let most = self.l1 / steepest;
        let scale = if squares > 0.0 {
            (along / squares).clamp(-most, most)
        } else {
            0.0
        };
        let loss = 0.5 * squares + self.l1 * w.iter().map(|w| w.abs()).sum::<f64>();
        let dual = scale * along - 0.5 * scale * scale * squares;
        let gap = loss - dual;
        gap.is_finite().then_some(Certificate {
            loss,
            gap: gap.max(0.0),
            scale,
            slopes,
        })
    }

    /// Leaves out the coefficients that are 0 in every solution: the dual solution is within √(2 gap) of the dual point.
    fn screen(&self, design: &mut impl Design, w: &mut [f64], left: &mut Vec<usize>, at: &Certificate) {
        let radius = (2.0 * at.gap).sqrt();
        let mut slopes = at.slopes.iter();
        left.retain(|&j| {
            let here = slopes.next().map_or(f64::INFINITY, |s| (at.scale * s).abs());
            let keep = here + radius * (design.squared(j) + self.l2).sqrt() >= self.l1;
            if !keep && w[j] != 0.0 {
                design.change(j, -w[j]);
                w[j] = 0.0;
            }
            keep
        });
    }
}

/// A centred column whose length is this share of its offset is constant but for rounding.
const CONSTANT: f64 = 1e-14;

fn squared_or_none(squared: f64, shift: f64, rows: usize) -> f64 {
    let constant = squared.sqrt() <= CONSTANT * shift.abs() * (rows as f64).sqrt();
    if constant { 0.0 } else { squared }
}

/// The design through its Gram matrix: a change costs one row of it, whatever the number of rows of the table.
pub(crate) struct GramDesign {
    gram: Gram,
    squared: Vec<f64>,
    correlations: Vec<f64>,
}

impl GramDesign {
    /// `shift` is what the gram of `rows` rows was centred by.
    pub(crate) fn new(gram: Gram, shift: &[f64], rows: usize) -> Self {
        let d = gram.moments.len();
        let squared = (0..d)
            .map(|j| squared_or_none(gram.matrix[j * d + j], shift[j], rows))
            .collect();
        let correlations = gram.moments.clone();
        Self {
            gram,
            squared,
            correlations,
        }
    }
}

impl Design for GramDesign {
    fn columns(&self) -> usize {
        self.squared.len()
    }

    fn squared(&self, j: usize) -> f64 {
        self.squared[j]
    }

    fn squared_targets(&self) -> f64 {
        self.gram.squared_targets
    }

    fn correlation(&self, j: usize) -> f64 {
        self.correlations[j]
    }

    fn change(&mut self, j: usize, by: f64) {
        let d = self.squared.len();
        axpy(-by, &self.gram.matrix[j * d..(j + 1) * d], &mut self.correlations);
    }

    fn settle(&mut self, w: &[f64]) -> (f64, f64) {
        symmetric_product(&self.gram.matrix, w, &mut self.correlations);
        for (c, b) in self.correlations.iter_mut().zip(&self.gram.moments) {
            *c = b - *c;
        }
        let along = self.gram.squared_targets - dot(w, &self.gram.moments);
        ((along - dot(w, &self.correlations)).max(0.0), along)
    }
}

/// The design column by column, with the residual at hand.
pub(crate) struct Columns {
    rows: usize,
    /// One column after the other, centred.
    table: Vec<f64>,
    targets: Vec<f64>,
    residual: Vec<f64>,
    squared: Vec<f64>,
}

impl Columns {
    pub(crate) fn new(x: ArrayView2<'_, f64>, y: ArrayView1<'_, f64>, shift: &[f64]) -> Self {
        let (rows, d) = x.dim();
        let mut table = vec![0.0; rows * d];
        for (i, row) in x.rows().into_iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                table[j * rows + i] = value - shift[j];
            }
        }
        let targets: Vec<f64> = y.iter().map(|y| y - shift[d]).collect();
        let squared = table
            .chunks_exact(rows)
            .zip(shift)
            .map(|(c, s)| squared_or_none(dot(c, c), *s, rows))
            .collect();
        Self {
            rows,
            table,
            residual: targets.clone(),
            targets,
            squared,
        }
    }

    fn column(&self, j: usize) -> &[f64] {
        &self.table[j * self.rows..(j + 1) * self.rows]
    }
}

impl Design for Columns {
    fn columns(&self) -> usize {
        self.squared.len()
    }

    fn squared(&self, j: usize) -> f64 {
        self.squared[j]
    }

    fn squared_targets(&self) -> f64 {
        dot(&self.targets, &self.targets)
    }

    fn correlation(&self, j: usize) -> f64 {
        dot(self.column(j), &self.residual)
    }

    fn change(&mut self, j: usize, by: f64) {
        let at = j * self.rows;
        axpy(-by, &self.table[at..at + self.rows], &mut self.residual);
    }

    fn settle(&mut self, w: &[f64]) -> (f64, f64) {
        self.residual.copy_from_slice(&self.targets);
        for (j, w) in w.iter().enumerate().filter(|(_, w)| **w != 0.0) {
            self.change(j, *w);
        }
        (
            dot(&self.residual, &self.residual),
            dot(&self.targets, &self.residual),
        )
    }
}
