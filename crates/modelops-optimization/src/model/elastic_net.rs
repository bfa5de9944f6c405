//! Lasso and elastic net by coordinate descent.

use ndarray::{ArrayView1, ArrayView2};

use crate::OptimizationError;
use crate::coordinate_descent::{Columns, Descent, GramDesign, Outcome};
use crate::gradient_descent::{not_negative, positive};
use crate::kernel::gram;
use crate::model::linear::{LinearModel, mean_of_columns};
use crate::table::{check_finite, check_finite_targets, check_shape, contiguous, contiguous_rows, entries};

/// Linear regression that leaves columns out: the lasso, and with an l2 penalty beside it the elastic net.
///
/// Use it where many columns are suspected to say nothing. Bring the columns to like scales first: the penalty treats their coefficients
/// alike. For the l2 penalty alone use [`LinearRegression`](crate::LinearRegression).
///
/// **Formula**: loss = ‖Xw + b − y‖² / 2n + l1 ‖w‖₁ + (l2 / 2) ‖w‖², the intercept b free of the penalty. In terms of scikit-learn's alpha and
/// `l1_ratio`, l1 = alpha · `l1_ratio` and l2 = alpha (1 − `l1_ratio`). Above l1 = max |Xᵀy| / n of the centred table every coefficient is 0.
///
/// **Stops** when the duality gap, which no loss below can undercut, is at most `tolerance` (1e-8) of the loss of w = 0, or after
/// `max_iterations` (10,000) passes over the coefficients; the fit tells which, and the gap.
///
/// **Complexity**: O(n d²) once for tall tables and O(d) per coefficient changed, else O(n) per coefficient looked at; coefficients that the gap
/// proves to be 0 are looked at no more. A copy of the table where it is not tall.
///
/// # Example
///
/// ```
/// use modelops_optimization::ElasticNet;
/// use ndarray::array;
///
/// // y = 3 x₀; x₁ is at a right angle to it.
/// let x = array![[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]];
/// let fit = ElasticNet::new(0.5, 0.0).fit(x.view(), array![3.0, 3.0, -3.0, -3.0].view())?;
/// assert!(fit.converged());
/// // Each coefficient is shrunk by l1, and those below it are exactly 0.
/// assert!((fit.model().coefficients()[0] - 2.5).abs() < 1e-12);
/// assert_eq!(fit.model().coefficients()[1], 0.0);
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
///
/// **References**: J. Friedman, T. Hastie and R. Tibshirani, Regularization paths for generalized linear models via coordinate descent, 2010,
/// doi:10.18637/jss.v033.i01; E. Ndiaye, O. Fercoq, A. Gramfort and J. Salmon, Gap safe screening rules for sparsity enforcing penalties, 2017,
/// JMLR 18.
#[doc(alias = "Lasso")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ElasticNet {
    l1: f64,
    l2: f64,
    intercept: bool,
    max_iterations: usize,
    tolerance: f64,
}

/// A table of at most so many columns, and of this many times more rows, is boiled down to its Gram matrix.
const GRAM_COLUMNS: usize = 1024;
const GRAM_ROWS_PER_COLUMN: usize = 4;

impl ElasticNet {
    /// The penalties: `l1` above 0, `l2` at least 0 (0 for the lasso). With an intercept, tolerance 1e-8, 10,000 passes.
    #[must_use]
    pub fn new(l1: f64, l2: f64) -> Self {
        Self {
            l1,
            l2,
            intercept: true,
            max_iterations: 10_000,
            tolerance: 1e-8,
        }
    }

    /// Leaves the intercept out: the fit goes through the origin.
    #[must_use]
    pub fn without_intercept(mut self) -> Self {
        self.intercept = false;
        self
    }

    /// Sets the budget of passes over the coefficients.
    #[must_use]
    pub fn with_max_iterations(mut self, max_iterations: usize) -> Self {
        self.max_iterations = max_iterations;
        self
    }

    /// Sets the duality gap to reach, as a share of the loss of w = 0.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Fits the table `x` (n × d) to the targets `y` (n entries).
    ///
    /// # Errors
    ///
    /// Shapes that disagree, entries that are not finite, an l1 penalty that is not above 0, a negative l2 penalty or tolerance, or
    /// [`Singular`](OptimizationError::Singular) where the numbers are too large to be squared.
    pub fn fit(
        &self,
        x: ArrayView2<'_, f64>,
        y: ArrayView1<'_, f64>,
    ) -> Result<ElasticNetFit, OptimizationError> {
        positive("l1", self.l1)?;
        not_negative("l2", self.l2)?;
        not_negative("tolerance", self.tolerance)?;
        check_shape(x, y.len())?;
        check_finite(x)?;
        check_finite_targets(y)?;
        let (n, d) = x.dim();
        let mut shift = vec![0.0; d + 1];
        if self.intercept {
            shift[..d].copy_from_slice(&mean_of_columns(x).to_vec());
            shift[d] = y.sum() / n as f64;
        }
        let descent = Descent {
            // The loss times n.
            l1: self.l1 * n as f64,
            l2: self.l2 * n as f64,
            tolerance: self.tolerance,
            max_passes: self.max_iterations,
        };
        let outcome = if d <= GRAM_COLUMNS && n / GRAM_ROWS_PER_COLUMN >= d {
            let (rows, targets) = (contiguous_rows(x), contiguous(y));
            let sums = gram::gram(&entries(&rows), &entries(&targets), d, &shift);
            descent.run(GramDesign::new(sums, &shift, n))
        } else {
            descent.run(Columns::new(x, y, &shift))
        };
        let outcome = outcome.ok_or(OptimizationError::Singular)?;
        let intercept = shift[d]
            - outcome
                .coefficients
                .iter()
                .zip(&shift)
                .map(|(w, s)| w * s)
                .sum::<f64>();
        Ok(ElasticNetFit::new(outcome, intercept, n as f64))
    }
}

/// A fitted [`LinearModel`] with its certificate.
#[derive(Debug, Clone, PartialEq)]
pub struct ElasticNetFit {
    model: LinearModel,
    loss: f64,
    duality_gap: f64,
    iterations: usize,
    converged: bool,
}

impl ElasticNetFit {
    fn new(outcome: Outcome, intercept: f64, n: f64) -> Self {
        Self {
            loss: outcome.loss / n,
            duality_gap: outcome.gap / n,
            iterations: outcome.passes,
            converged: outcome.converged,
            model: LinearModel::from_parts(outcome.coefficients.into(), intercept),
        }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &LinearModel {
        &self.model
    }

    /// The model alone.
    #[must_use]
    pub fn into_model(self) -> LinearModel {
        self.model
    }

    /// The loss of the model, penalties included.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// The certificate: no model has a loss below `loss() − duality_gap()`.
    #[must_use]
    pub fn duality_gap(&self) -> f64 {
        self.duality_gap
    }

    /// Passes over the coefficients.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Whether the gap is within the tolerance, rather than the budget spent.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.converged
    }
}
