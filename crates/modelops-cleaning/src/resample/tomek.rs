//! Pairs of rows that are each other's nearest, of different classes.

use crate::dataset::{Split, Train};
use crate::error::ResampleError;
use crate::kernel::neighbours::nearest;
use crate::resample::{Resampled, Rows, finite, members, smallest};

/// Leaves out rows that form a Tomek link with a row of another class: each is the other's nearest row. One of the two is
/// noise, or both lie on the border.
///
/// Rows of the smallest class stay. Where distances are equal, the earlier row is the nearer one.
///
/// # References
/// Tomek, "Two Modifications of CNN", 1976, doi:10.1109/TSMC.1976.4309452.
///
/// # Example
/// ```
/// use modelops_cleaning::{Dataset, Origin, Split, TomekLinks, Train};
/// use ndarray::array;
///
/// let x = array![[0.0], [1.0], [1.9], [2.0], [5.0]];
/// let classes = vec!["many".to_string(), "few".to_string()];
/// let train = Split::<Train>::declare(Dataset::try_new(x, vec![0, 0, 0, 1, 1], classes)?);
/// let left = TomekLinks.fit_resample(&train)?;
/// assert_eq!(left.origins(), [0, 1, 3, 4].map(Origin::Row)); // 1.9 and 2.0 are linked
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TomekLinks;

impl TomekLinks {
    /// The rows that stay, in their order.
    ///
    /// # Errors
    /// [`ResampleError::NotFinite`] and [`ResampleError::OneClass`].
    pub fn fit_resample(&self, train: &Split<Train>) -> Result<Resampled, ResampleError> {
        finite(train)?;
        let spared = smallest(&members(train)?);
        let near = nearest(train.x(), 1);
        let y = train.y();
        let mut rows = Rows::none(train);
        for (row, &other) in near.iter().enumerate() {
            let other = other as usize;
            let linked = y[row] != y[other] && near[other] as usize == row;
            if !linked || y[row] == spared {
                rows.repeat(row);
            }
        }
        Ok(rows.finish(0))
    }
}
