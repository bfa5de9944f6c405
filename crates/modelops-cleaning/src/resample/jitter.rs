//! Copies with a little noise.

use crate::dataset::{Split, Train};
use crate::error::ResampleError;
use crate::kernel::random::{derive, generator, normal};
use crate::resample::{Origin, Resampled, Rows, finite};

/// Appends noisy copies of every row: each feature moves by a normal number times `scale` times the feature's standard
/// deviation in the training part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter {
    scale: f64,
    copies: usize,
}

impl Jitter {
    /// Noise of `scale` standard deviations, `copies` of every row.
    ///
    /// # Errors
    /// [`ResampleError::Parameter`] unless `scale` is finite and above zero.
    pub fn new(scale: f64, copies: usize) -> Result<Self, ResampleError> {
        if !scale.is_finite() || scale <= 0.0 {
            return Err(ResampleError::Parameter { value: scale });
        }
        Ok(Self { scale, copies })
    }

    /// The training part, followed by the copies: all of the first round, then of the second, and so on.
    ///
    /// # Errors
    /// [`ResampleError::NotFinite`].
    pub fn fit_resample(&self, train: &Split<Train>, seed: u64) -> Result<Resampled, ResampleError> {
        finite(train)?;
        let x = train.x();
        let n = x.nrows();
        let spreads: Vec<f64> = x
            .columns()
            .into_iter()
            .map(|column| {
                let mean = column.iter().sum::<f64>() / n.max(1) as f64;
                let squares: f64 = column.iter().map(|v| (v - mean) * (v - mean)).sum();
                (squares / n.max(1) as f64).sqrt()
            })
            .collect();
        let mut rows = Rows::all(train, n * self.copies);
        for copy in 0..self.copies {
            for parent in 0..n {
                let seed = derive(seed, (copy * n + parent) as u64);
                let mut generator = generator(seed);
                let row = x.row(parent);
                let values = row
                    .iter()
                    .zip(&spreads)
                    .map(|(v, spread)| v + self.scale * spread * normal(&mut generator));
                rows.push(train.y()[parent], Origin::Noisy { parent, seed }, values);
            }
        }
        Ok(rows.finish(seed))
    }
}
