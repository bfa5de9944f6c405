//! What calibration inputs say about a layer.
#![expect(
    clippy::needless_pass_by_value,
    reason = "views are passed by value, as ndarray does"
)]

use modelops_linalg::syrk;
use ndarray::{Array2, ArrayView2, Axis};

use crate::error::LayerError;

/// `XᵀX` of the inputs of a layer, summed in `f64` over as many batches as there are: all that the solvers need to know.
///
/// Batches stream through; sums of different workers [merge](Gram::merge). Leave padding tokens out.
///
/// # Example
/// ```
/// use modelops_pruning::weights::Gram;
/// use ndarray::array;
///
/// let mut gram = Gram::new(2);
/// gram.observe(array![[1.0, 2.0], [3.0, 4.0]].view())?;
/// assert_eq!(gram.matrix(), array![[10.0, 14.0], [14.0, 20.0]]);
/// assert_eq!(gram.rows(), 2);
/// # Ok::<(), modelops_pruning::LayerError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Gram {
    sum: Array2<f64>,
    rows: u64,
}

/// Rows that are widened to `f64` at a time.
const BATCH: usize = 512;

impl Gram {
    /// For a layer of this many inputs; nothing observed.
    #[must_use]
    pub fn new(inputs: usize) -> Self {
        Self {
            sum: Array2::zeros((inputs, inputs)),
            rows: 0,
        }
    }

    /// From a matrix that was summed elsewhere over `rows` inputs.
    ///
    /// # Errors
    /// [`LayerError::NonFiniteInput`]; [`LayerError::NotAGram`] where it is not exactly symmetric or has a negative
    /// diagonal.
    pub fn from_sum(sum: Array2<f64>, rows: u64) -> Result<Self, LayerError> {
        if sum.iter().any(|x| !x.is_finite()) {
            return Err(LayerError::NonFiniteInput);
        }
        if !sum.is_square() || sum != sum.t() || sum.diag().iter().any(|x| *x < 0.0) {
            return Err(LayerError::NotAGram);
        }
        Ok(Self { sum, rows })
    }

    /// Adds a batch of inputs, (tokens, inputs).
    ///
    /// # Errors
    /// [`LayerError::Width`], [`LayerError::NonFiniteInput`]; the sum is as it was then.
    #[expect(clippy::missing_panics_doc, reason = "the widths were compared")]
    pub fn observe(&mut self, inputs: ArrayView2<'_, f32>) -> Result<(), LayerError> {
        if inputs.ncols() != self.sum.ncols() {
            return Err(LayerError::Width {
                expected: self.sum.ncols(),
                found: inputs.ncols(),
            });
        }
        if inputs.iter().any(|x| !x.is_finite()) {
            return Err(LayerError::NonFiniteInput);
        }
        for batch in inputs.axis_chunks_iter(Axis(0), BATCH) {
            let wide = batch.mapv(f64::from);
            syrk(1.0, wide.t(), 1.0, self.sum.view_mut()).expect("the widths were compared");
        }
        self.rows += inputs.nrows() as u64;
        Ok(())
    }

    /// Adds what another worker has seen.
    ///
    /// # Errors
    /// [`LayerError::Width`].
    pub fn merge(&mut self, other: &Self) -> Result<(), LayerError> {
        if other.sum.ncols() != self.sum.ncols() {
            return Err(LayerError::Width {
                expected: self.sum.ncols(),
                found: other.sum.ncols(),
            });
        }
        self.sum += &other.sum;
        self.rows += other.rows;
        Ok(())
    }

    /// The sum.
    #[must_use]
    pub fn matrix(&self) -> ArrayView2<'_, f64> {
        self.sum.view()
    }

    /// Inputs that were observed.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Euclidean norm of every input feature over all that was observed.
    #[must_use]
    pub fn column_norms(&self) -> Vec<f64> {
        self.sum.diag().iter().map(|square| square.sqrt()).collect()
    }
}
