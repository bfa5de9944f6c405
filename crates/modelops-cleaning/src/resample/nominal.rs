//! Over-sampling of rows with categories among their features.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use crate::dataset::{Split, Train};
use crate::error::ResampleError;
use crate::kernel::neighbours::nearest;
use crate::kernel::random::{below, generator, uniform};
use crate::resample::{Origin, Resampled, Rows, at_least_one, enough, finite, members, smaller};

/// Makes rows as [`Smote`](crate::Smote) does where some features are categories: there is nothing between two colours.
///
/// A category is one feature that holds codes, or several that are one together, as [`Table::encode`](crate::Table::encode)
/// makes of a text column. A new row has the category that is most frequent among the k nearest rows of its first parent, of
/// equally frequent ones that of the nearest row; its numbers lie on the segment between its parents.
///
/// **Formula**: d(a, b)² = Σ (a − b)² over the numbers + M² for each category that differs, with M the median over the
/// numbers of their standard deviations (population) in the class.
///
/// # References
/// Chawla, Bowyer, Hall and Kegelmeyer, "SMOTE: Synthetic Minority Over-sampling Technique", 2002, section 6.1,
/// doi:10.1613/jair.953.
///
/// # Example
/// ```
/// use modelops_cleaning::{Dataset, SmoteNc, Split, Train};
/// use ndarray::array;
///
/// let x = array![[0.0, 1.0], [1.0, 1.0], [2.0, 2.0], [9.0, 7.0], [11.0, 7.0]];
/// let classes = vec!["many".to_string(), "few".to_string()];
/// let train = Split::<Train>::declare(Dataset::try_new(x, vec![0, 0, 0, 1, 1], classes)?);
/// let balanced = SmoteNc::new(1, [vec![1]])?.fit_resample(&train, 7)?;
/// assert_eq!(balanced.x()[[5, 1]], 7.0);
/// assert!((9.0..=11.0).contains(&balanced.x()[[5, 0]]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmoteNc {
    neighbours: usize,
    categories: Vec<Vec<usize>>,
}

impl SmoteNc {
    /// Uses `neighbours` nearest neighbours; each of `categories` lists the features that are one category together.
    ///
    /// # Errors
    /// [`ResampleError::Parameter`] for no neighbour; [`ResampleError::Categories`] where a category has no feature or a feature
    /// is in two.
    pub fn new(
        neighbours: usize,
        categories: impl IntoIterator<Item = Vec<usize>>,
    ) -> Result<Self, ResampleError> {
        let categories: Vec<Vec<usize>> = categories.into_iter().collect();
        let mut all: Vec<usize> = categories.iter().flatten().copied().collect();
        all.sort_unstable();
        if categories.iter().any(Vec::is_empty) || all.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(ResampleError::Categories);
        }
        Ok(Self {
            neighbours: at_least_one(neighbours)?,
            categories,
        })
    }

    /// The training part, followed by the rows made, in class order.
    ///
    /// # Errors
    /// As [`Smote::fit_resample`](crate::Smote::fit_resample); [`ResampleError::Categories`] where the training part does not have
    /// a feature that a category names, or has no number.
    pub fn fit_resample(&self, train: &Split<Train>, seed: u64) -> Result<Resampled, ResampleError> {
        finite(train)?;
        let d = train.x().ncols();
        let is_number = |feature: &usize| !self.categories.iter().flatten().any(|f| f == feature);
        let numbers: Vec<usize> = (0..d).filter(is_number).collect();
        if numbers.is_empty() || self.categories.iter().flatten().any(|&feature| feature >= d) {
            return Err(ResampleError::Categories);
        }
        let members = members(train)?;
        let mut generator = generator(seed);
        let mut rows = Rows::all(train, smaller(&members).map(|(.., wanted)| wanted).sum());
        let k = self.neighbours;
        for (label, members, wanted) in smaller(&members) {
            enough(label, members.len(), k)?;
            let x = train.x().select(Axis(0), members);
            let near = nearest(self.unfold(x.view(), &numbers).view(), k);
            for _ in 0..wanted {
                let a = below(&mut generator, members.len());
                let around = &near[a * k..(a + 1) * k];
                let b = around[below(&mut generator, k)] as usize;
                let weight = uniform(&mut generator);
                let ends = x.row(a).into_iter().zip(x.row(b));
                let mut made: Vec<f64> = ends.map(|(a, b)| a + weight * (b - a)).collect();
                for category in &self.categories {
                    let winner = x.row(most_frequent(x.view(), around, category));
                    category
                        .iter()
                        .for_each(|&feature| made[feature] = winner[feature]);
                }
                let parents = [members[a], members[b]];
                rows.push(label, Origin::Between { parents, weight }, made);
            }
        }
        Ok(rows.finish(seed))
    }

    /// The numbers, and behind them a feature for each value of each category, M/√2 where a row has it.
    fn unfold(&self, x: ArrayView2<'_, f64>, numbers: &[usize]) -> Array2<f64> {
        let n = x.nrows() as f64;
        let mut spreads: Vec<f64> = numbers
            .iter()
            .map(|&feature| {
                let mean = x.column(feature).sum() / n;
                let squares: f64 = x.column(feature).iter().map(|v| (v - mean) * (v - mean)).sum();
                (squares / n).sqrt()
            })
            .collect();
        let height = crate::engine::outlier::quantile(&mut spreads, 0.5) / std::f64::consts::SQRT_2;
        let mut columns: Vec<Vec<f64>> = numbers
            .iter()
            .map(|&feature| x.column(feature).to_vec())
            .collect();
        for category in &self.categories {
            let key = |row: ArrayView1<'_, f64>| -> Vec<u64> {
                category
                    .iter()
                    .map(|&feature| (row[feature] + 0.0).to_bits())
                    .collect()
            };
            let keys: Vec<Vec<u64>> = x.rows().into_iter().map(key).collect();
            let mut values: Vec<&Vec<u64>> = keys.iter().collect();
            values.sort_unstable();
            values.dedup();
            for value in values {
                columns.push(
                    keys.iter()
                        .map(|key| if key == value { height } else { 0.0 })
                        .collect(),
                );
            }
        }
        Array2::from_shape_fn((x.nrows(), columns.len()), |(row, column)| columns[column][row])
    }
}

/// The nearest of the rows `around` whose category is the most frequent among them.
fn most_frequent(x: ArrayView2<'_, f64>, around: &[u32], category: &[usize]) -> usize {
    let equal = |a: u32, b: u32| category.iter().all(|&f| x[[a as usize, f]] == x[[b as usize, f]]);
    let count = |a: u32| around.iter().filter(|&&b| equal(a, b)).count();
    let most = around.iter().map(|&row| count(row)).max().unwrap_or(0);
    let winner = around.iter().find(|&&row| count(row) == most);
    *winner.expect("a row has a neighbour at least") as usize
}
