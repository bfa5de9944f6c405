//! Synthetic minority over-sampling.

use ndarray::Axis;

use crate::dataset::{Split, Train};
use crate::error::ResampleError;
use crate::kernel::neighbours::nearest;
use crate::kernel::random::{below, generator, uniform};
use crate::resample::{Resampled, Rows, at_least_one, enough, finite, members, smaller};

/// Makes rows of every smaller class until all classes are as large as the largest: each lies on the segment between
/// a row of the class and one of its `k` nearest neighbours in the class.
///
/// **Formula**: new = a + w·(b − a), a a row of the class, b one of its k nearest others by Euclidean distance,
/// w uniform in [0, 1). Scale the features first: distance has no meaning across units.
///
/// # References
/// Chawla, Bowyer, Hall and Kegelmeyer, "SMOTE: Synthetic Minority Over-sampling Technique", 2002,
/// doi:10.1613/jair.953.
///
/// # Example
/// ```
/// use modelops_cleaning::{Dataset, Origin, Smote, Split, Train};
/// use ndarray::array;
///
/// let x = array![[0.0], [1.0], [2.0], [9.0], [11.0]];
/// let classes = vec!["many".to_string(), "few".to_string()];
/// let train = Split::<Train>::declare(Dataset::try_new(x, vec![0, 0, 0, 1, 1], classes)?);
/// let balanced = Smote::new(1)?.fit_resample(&train, 7)?;
/// assert_eq!(balanced.y(), [0, 0, 0, 1, 1, 1]);
/// let made = balanced.x()[[5, 0]];
/// assert!((9.0..=11.0).contains(&made));
/// assert!(matches!(balanced.origins()[5], Origin::Between { parents: [3, 4] | [4, 3], .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("oversampling", "imbalanced"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Smote {
    neighbours: usize,
}

impl Default for Smote {
    /// Five neighbours, as in the paper.
    fn default() -> Self {
        Self { neighbours: 5 }
    }
}

impl Smote {
    /// Uses `neighbours` nearest neighbours.
    ///
    /// # Errors
    /// [`ResampleError::Parameter`] for zero.
    pub fn new(neighbours: usize) -> Result<Self, ResampleError> {
        let neighbours = at_least_one(neighbours)?;
        Ok(Self { neighbours })
    }

    /// The training part, followed by the rows made, in class order.
    ///
    /// # Errors
    /// [`ResampleError::NotFinite`], [`ResampleError::OneClass`], and [`ResampleError::TooFewRows`] for a class that
    /// needs rows and has no more than `neighbours` of them.
    pub fn fit_resample(&self, train: &Split<Train>, seed: u64) -> Result<Resampled, ResampleError> {
        finite(train)?;
        let members = members(train)?;
        let mut generator = generator(seed);
        let mut rows = Rows::all(train, smaller(&members).map(|(.., wanted)| wanted).sum());
        let k = self.neighbours;
        for (label, members, wanted) in smaller(&members) {
            enough(label, members.len(), k)?;
            let near = nearest(train.x().select(Axis(0), members).view(), k);
            for _ in 0..wanted {
                let a = below(&mut generator, members.len());
                let b = near[a * k + below(&mut generator, k)] as usize;
                rows.between([members[a], members[b]], uniform(&mut generator));
            }
        }
        Ok(rows.finish(seed))
    }
}
