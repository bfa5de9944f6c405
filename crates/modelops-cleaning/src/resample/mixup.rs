//! Convex mixtures of rows and of their labels.

use ndarray::{Array2, ArrayView2};

use crate::dataset::{Split, Train};
use crate::error::ResampleError;
use crate::kernel::random::{below, generator, normal, uniform};
use crate::resample::{Origin, finite};

/// Makes rows between any two rows, and labels between theirs.
///
/// **Formula**: x = a + w·(b − a), and the label is 1 − w of a's class and w of b's, with w from Beta(α, α).
///
/// # References
/// Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", 2018, arXiv:1710.09412.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mixup {
    alpha: f64,
}

/// Rows made by [`Mixup`].
#[derive(Debug, Clone, PartialEq)]
pub struct Mixed {
    x: Array2<f64>,
    y: Array2<f64>,
    origins: Vec<Origin>,
    seed: u64,
}

impl Mixed {
    /// The features: rows × features.
    #[must_use]
    pub fn x(&self) -> ArrayView2<'_, f64> {
        self.x.view()
    }

    /// How much of each class a row is: rows × classes, every row sums to one.
    #[must_use]
    pub fn y(&self) -> ArrayView2<'_, f64> {
        self.y.view()
    }

    /// The parents of each row and its weight.
    #[must_use]
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// The seed that makes the same rows again.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

impl Mixup {
    /// Draws weights from Beta(α, α): near the ends for a small α, in the middle for a large one.
    ///
    /// # Errors
    /// [`ResampleError::Parameter`] unless α is finite and above zero.
    pub fn new(alpha: f64) -> Result<Self, ResampleError> {
        if !alpha.is_finite() || alpha <= 0.0 {
            return Err(ResampleError::Parameter { value: alpha });
        }
        Ok(Self { alpha })
    }

    /// `count` mixtures of the training part.
    ///
    /// # Errors
    /// [`ResampleError::NotFinite`]; [`ResampleError::OneClass`] where there is no row.
    pub fn mix(&self, train: &Split<Train>, count: usize, seed: u64) -> Result<Mixed, ResampleError> {
        finite(train)?;
        let x = train.x();
        let n = x.nrows();
        if n == 0 {
            return Err(ResampleError::OneClass);
        }
        let mut generator = generator(seed);
        let mut mixed = Mixed {
            x: Array2::zeros((count, x.ncols())),
            y: Array2::zeros((count, train.classes().len())),
            origins: Vec::with_capacity(count),
            seed,
        };
        for i in 0..count {
            let (a, b) = (below(&mut generator, n), below(&mut generator, n));
            let (p, q) = (
                gamma(self.alpha, &mut generator),
                gamma(self.alpha, &mut generator),
            );
            // Both can underflow for a tiny α: then the mixture is one of its parents.
            let weight = if p + q > 0.0 { p / (p + q) } else { 0.0 };
            for ((to, a), b) in mixed.x.row_mut(i).iter_mut().zip(x.row(a)).zip(x.row(b)) {
                *to = a + weight * (b - a);
            }
            mixed.y[[i, train.y()[a]]] += 1.0 - weight;
            mixed.y[[i, train.y()[b]]] += weight;
            mixed.origins.push(Origin::Between {
                parents: [a, b],
                weight,
            });
        }
        Ok(mixed)
    }
}

/// Gamma(shape, 1) (Marsaglia and Tsang, "A simple method for generating gamma variables", 2000,
/// doi:10.1145/358407.358414).
fn gamma(shape: f64, generator: &mut impl rand::Rng) -> f64 {
    if shape < 1.0 {
        let boost = uniform(generator).powf(1.0 / shape);
        return gamma(shape + 1.0, generator) * boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let z = normal(generator);
        let v = (1.0 + c * z).powi(3);
        if v > 0.0 {
            let u = 1.0 - uniform(generator);
            if u.ln() < 0.5 * z * z + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }
}
