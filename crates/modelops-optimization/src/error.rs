//! Why a solver or a model gives no usable answer.

/// A solver or a model could not give a usable answer.
///
/// Stopping before convergence is no error: it is a [`Termination`](crate::Termination) of the
/// [`Solution`](crate::Solution). An error means that there is no answer worth having, and says what to change.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OptimizationError {
    /// Two inputs that must agree in length do not: pass arrays of the expected length.
    #[error("{what} has length {found}, expected {expected}")]
    DimensionMismatch {
        /// Which input.
        what: &'static str,
        /// The length that the other inputs imply.
        expected: usize,
        /// The length it has.
        found: usize,
    },
    /// An input has no rows, no columns or no entries.
    #[error("{what} is empty")]
    EmptyInput {
        /// Which input.
        what: &'static str,
    },
    /// An input holds NaN or an infinity: clean or impute it first.
    #[error("{what} is not finite at row {row}, column {column}: clean or impute it first")]
    NonFiniteInput {
        /// Which input.
        what: &'static str,
        /// Row of the first such entry, from 0.
        row: usize,
        /// Column of the first such entry, from 0; 0 for a vector.
        column: usize,
    },
    /// A hyper-parameter is out of its range.
    #[error("{name} is {value}, but must be {requirement}")]
    InvalidHyperparameter {
        /// Its name in the builder.
        name: &'static str,
        /// The value given.
        value: f64,
        /// The range in words.
        requirement: &'static str,
    },
    /// The learning rate is too large for this loss: the loss grows without bound. Use the suggested one.
    #[error(
        "diverged at iteration {iteration} with loss {loss:e}: the learning rate {learning_rate:e} is too large, try {suggested_learning_rate:e}"
    )]
    Diverged {
        /// The iteration at which the growth was certain.
        iteration: usize,
        /// The loss there; may be infinite or NaN.
        loss: f64,
        /// The learning rate in force.
        learning_rate: f64,
        /// One over the estimated largest curvature: a rate that converges on a quadratic loss.
        suggested_learning_rate: f64,
    },
    /// The objective or its gradient is NaN or infinite at the starting point: start elsewhere.
    #[error("the objective or its gradient is not finite at the starting point")]
    NonFiniteObjective,
    /// All labels are of one class: there is nothing to separate.
    #[error("the labels hold fewer than two classes")]
    SingleClass,
    /// The normal equations or the factor of the matrix are singular: add a penalty, or drop dependent columns.
    #[error("the matrix is singular to working precision: add an l2 penalty or drop dependent columns")]
    Singular,
}
