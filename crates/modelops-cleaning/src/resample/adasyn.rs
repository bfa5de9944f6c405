//! Over-sampling where a class is hard to learn.

use ndarray::Axis;

use crate::dataset::{Split, Train};
use crate::error::ResampleError;
use crate::kernel::neighbours::{Index, nearest};
use crate::kernel::random::{below, generator, uniform};
use crate::resample::{Resampled, Rows, at_least_one, enough, finite, members, smaller};

/// Makes rows as [`Smote`](crate::Smote) does, more of them from rows with more neighbours of other classes.
///
/// **Formula**: row i of a class that needs G rows is parent of round(G · rᵢ / Σ r) of them (ties to even), with rᵢ the fraction
/// of its k nearest rows that are of other classes; the other parent is one of its k nearest rows of the class. So
/// classes are as large as the largest up to the rounding.
///
/// # References
/// He, Bai, Garcia and Li, "ADASYN: Adaptive Synthetic Sampling Approach for Imbalanced Learning", 2008,
/// doi:10.1109/IJCNN.2008.4633969.
///
/// # Example
/// ```
/// use modelops_cleaning::{Adasyn, Dataset, Origin, Split, Train};
/// use ndarray::array;
///
/// // Of the few, only the row at 3.2 has a neighbour among the many.
/// let x = array![[1.0], [2.0], [3.0], [3.2], [9.0], [9.5], [0.0], [-1.0]];
/// let classes = vec!["many".to_string(), "few".to_string()];
/// let y = vec![0, 0, 0, 1, 1, 1, 0, 0];
/// let train = Split::<Train>::declare(Dataset::try_new(x, y, classes)?);
/// let balanced = Adasyn::new(1)?.fit_resample(&train, 7)?;
/// assert!(matches!(balanced.origins()[8..], [Origin::Between { parents: [3, _], .. }, Origin::Between { parents: [3, _], .. }]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adasyn {
    neighbours: usize,
}

impl Default for Adasyn {
    /// Five neighbours, as in the paper.
    fn default() -> Self {
        Self { neighbours: 5 }
    }
}

impl Adasyn {
    /// Uses `neighbours` nearest neighbours.
    ///
    /// # Errors
    /// [`ResampleError::Parameter`] for zero.
    pub fn new(neighbours: usize) -> Result<Self, ResampleError> {
        let neighbours = at_least_one(neighbours)?;
        Ok(Self { neighbours })
    }

    /// The training part, followed by the rows made: in class order, then in the order of their first parents.
    ///
    /// # Errors
    /// [`ResampleError::NotFinite`], [`ResampleError::OneClass`], [`ResampleError::TooFewRows`], and
    /// [`ResampleError::NoBorder`] for a class that needs rows and has none with a neighbour of another class.
    pub fn fit_resample(&self, train: &Split<Train>, seed: u64) -> Result<Resampled, ResampleError> {
        finite(train)?;
        let members = members(train)?;
        let index = Index::new(train.x());
        let mut generator = generator(seed);
        let mut rows = Rows::all(train, smaller(&members).map(|(.., wanted)| wanted).sum());
        let k = self.neighbours;
        for (label, members, wanted) in smaller(&members) {
            enough(label, members.len(), k)?;
            let mut around = Vec::new();
            let others: Vec<usize> = members
                .iter()
                .map(|&row| {
                    around.clear();
                    index.find(train.x(), row, k, &mut around);
                    around
                        .iter()
                        .filter(|&&row| train.y()[row as usize] != label)
                        .count()
                })
                .collect();
            let total: usize = others.iter().sum();
            if total == 0 {
                return Err(ResampleError::NoBorder { class: label });
            }
            let class = train.x().select(Axis(0), members);
            let near = nearest(class.view(), k);
            for (a, &others) in others.iter().enumerate() {
                let share = (others as f64 / total as f64 * wanted as f64).round_ties_even();
                for _ in 0..share as usize {
                    let b = near[a * k + below(&mut generator, k)] as usize;
                    rows.between([members[a], members[b]], uniform(&mut generator));
                }
            }
        }
        Ok(rows.finish(seed))
    }
}
