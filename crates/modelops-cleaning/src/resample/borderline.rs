//! Over-sampling where classes meet.

use ndarray::Axis;

use crate::dataset::{Split, Train};
use crate::error::ResampleError;
use crate::kernel::neighbours::Index;
use crate::kernel::random::{below, generator, uniform};
use crate::resample::{Resampled, Rows, at_least_one, enough, finite, members, smaller};

/// Makes rows as [`Smote`](crate::Smote) does, but from rows in danger alone: those most of whose neighbours, but not all,
/// are of other classes. Rows deep inside their class teach a model little, and rows all alone are likely wrong.
///
/// **Formula**: a row is in danger where m/2 ≤ m′ < m, with m′ how many of its m nearest rows are of other classes. New rows
/// lie between a row in danger and one of its k nearest rows of the class (Borderline-SMOTE1).
///
/// # References
/// Han, Wang and Mao, "Borderline-SMOTE: A New Over-Sampling Method in Imbalanced Data Sets Learning", 2005,
/// doi:`10.1007/11538059_91`.
///
/// # Example
/// ```
/// use modelops_cleaning::{BorderlineSmote, Dataset, Split, Train};
/// use ndarray::array;
///
/// // Of the three nearest rows of the one at 3.2, those at 3 and 2 are of the other class.
/// let x = array![[0.0], [1.0], [2.0], [3.0], [3.2], [4.0], [5.0]];
/// let classes = vec!["many".to_string(), "few".to_string()];
/// let y = vec![0, 0, 0, 0, 1, 1, 1];
/// let train = Split::<Train>::declare(Dataset::try_new(x, y, classes)?);
/// let smote = BorderlineSmote::new(2, 3)?;
/// assert_eq!(smote.danger(&train)?, [4]);
/// let balanced = smote.fit_resample(&train, 7)?;
/// assert_eq!(balanced.y()[7..], [1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BorderlineSmote {
    neighbours: usize,
    around: usize,
}

impl Default for BorderlineSmote {
    /// Five neighbours in the class, ten around to tell danger.
    fn default() -> Self {
        Self {
            neighbours: 5,
            around: 10,
        }
    }
}

impl BorderlineSmote {
    /// Uses `neighbours` nearest rows of the class, and `around` nearest rows of any class to tell danger.
    ///
    /// # Errors
    /// [`ResampleError::Parameter`] for zero.
    pub fn new(neighbours: usize, around: usize) -> Result<Self, ResampleError> {
        Ok(Self {
            neighbours: at_least_one(neighbours)?,
            around: at_least_one(around)?,
        })
    }

    /// The rows in danger of every class that needs rows, in class order.
    ///
    /// # Errors
    /// As [`BorderlineSmote::fit_resample`], without [`ResampleError::NoBorder`].
    pub fn danger(&self, train: &Split<Train>) -> Result<Vec<usize>, ResampleError> {
        finite(train)?;
        let members = members(train)?;
        let index = Index::new(train.x());
        let mut danger = Vec::new();
        for (label, members, _) in smaller(&members) {
            let places = self.in_danger(train, &index, label, members)?;
            danger.extend(places.into_iter().map(|place| members[place]));
        }
        Ok(danger)
    }

    /// The places of the rows in danger among the members of a class.
    fn in_danger(
        &self,
        train: &Split<Train>,
        index: &Index,
        label: usize,
        members: &[usize],
    ) -> Result<Vec<usize>, ResampleError> {
        let n = train.y().len();
        enough(label, n, self.around)?;
        let mut near = Vec::new();
        let is_in_danger = |place: &usize| {
            near.clear();
            index.find(train.x(), members[*place], self.around, &mut near);
            let others = near
                .iter()
                .filter(|&&row| train.y()[row as usize] != label)
                .count();
            2 * others >= self.around && others < self.around
        };
        Ok((0..members.len()).filter(is_in_danger).collect())
    }

    /// The training part, followed by the rows made, in class order.
    ///
    /// # Errors
    /// [`ResampleError::NotFinite`], [`ResampleError::OneClass`], [`ResampleError::TooFewRows`], and
    /// [`ResampleError::NoBorder`] for a class that needs rows and has none in danger.
    pub fn fit_resample(&self, train: &Split<Train>, seed: u64) -> Result<Resampled, ResampleError> {
        finite(train)?;
        let members = members(train)?;
        let index = Index::new(train.x());
        let mut generator = generator(seed);
        let mut rows = Rows::all(train, smaller(&members).map(|(.., wanted)| wanted).sum());
        for (label, members, wanted) in smaller(&members) {
            let k = self.neighbours;
            enough(label, members.len(), k)?;
            let danger = self.in_danger(train, &index, label, members)?;
            if danger.is_empty() {
                return Err(ResampleError::NoBorder { class: label });
            }
            let class = train.x().select(Axis(0), members);
            let inside = Index::new(class.view());
            let mut near = Vec::with_capacity(danger.len() * k);
            for &place in &danger {
                inside.find(class.view(), place, k, &mut near);
            }
            for _ in 0..wanted {
                let a = below(&mut generator, danger.len());
                let b = near[a * k + below(&mut generator, k)] as usize;
                rows.between([members[danger[a]], members[b]], uniform(&mut generator));
            }
        }
        Ok(rows.finish(seed))
    }
}
