//! Every numeric tolerance that a test uses, with the reason for its size.

/// Results of the same arithmetic in another order: a few hundred roundings of `f64`.
pub const REORDERED_SUM: f64 = 1e-12;

/// A histogram's sum against the exact one: each value is cut to whole units of 2^-55, relative to at least 1.
pub const FIXED_POINT_SUM: f64 = 1e-12;

/// A mean of the same few neighbours, summed in another order, against scikit-learn.
pub const NEIGHBOUR_MEAN: f64 = 1e-9;

/// Chained Bayesian ridge regressions solved from products rather than from rows: a few rounds of ill-conditioned
/// rounding on values around one, against scikit-learn.
pub const ITERATED_RIDGE: f64 = 1e-6;

/// Scores of an isolation forest of 4,000 trees against the mean of 12,000 others: a thousand trees scatter by up to 0.005 from
/// seed to seed, so the difference scatters by 0.003; three times that.
pub const MANY_TREES: f64 = 1e-2;

/// Whether `a` and `b` agree to `tolerance`, relative to the larger of 1, |a| and |b|; false where either is NaN.
#[must_use]
pub fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1.0)
}

/// A backward-stable factorization in `f64`, per unit of size and of largest entry: 64 roundings a unit.
pub const BACKWARD_STABLE: f64 = 64.0 * f64::EPSILON;

/// As [`BACKWARD_STABLE`], in `f32`.
pub const BACKWARD_STABLE_F32: f64 = 64.0 * f32::EPSILON as f64;

/// Longley's regression: κ ≈ 5·10⁹ leaves about 6 of 16 digits by the worst case; QR keeps twice that many in practice.
pub const NIST_LONGLEY: f64 = 1e-9;

/// Filippelli's regression in unscaled powers: κ ≈ 2·10¹⁵, so most double-precision solvers keep 6 to 8 digits.
pub const NIST_FILIP: f64 = 1e-6;

/// The same regression in powers that are centred and scaled: κ ≈ 4·10⁹ leaves 7 digits of 16.
pub const NIST_FILIP_DIGITS: f64 = 7.0;

/// The inverse of the 6 by 6 Hilbert matrix: κ ≈ 1.5·10⁷ times a hundred roundings.
pub const HILBERT_6: f64 = 1e-8;

/// Whether `a` and `b` agree to `tolerance` relative to |b|, however small that is; false where either is NaN.
#[must_use]
pub fn close_relative(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * b.abs()
}

/// Logarithms of tails against 40 digits: a density of a few roundings, a continued fraction of about a hundred steps.
pub const LOG_TAIL: f64 = 1e-12;

/// Statistics that another program printed to 17 digits: its own roundings, in another order.
pub const PRINTED_STATISTIC: f64 = 1e-10;

/// F statistics under an offset: both sides sum exact differences, in another order.
pub const F_UNDER_OFFSET: f64 = 1e-12;

/// The loss that descent reaches without a learning rate, relative to that of a factorization: what it promises.
pub const LEAST_LOSS: f64 = 1e-8;

/// Iterates of the same descent computed by another route, relative to the largest entry: each of up to a thousand steps adds a
/// few roundings, and a step that does not diverge does not magnify them.
pub const DESCENT_ITERATES: f64 = 1e-10;

/// A gradient against extrapolated central differences: their truncation and cancellation leave about nine digits.
pub const GRADIENT_BY_DIFFERENCES: f64 = 1e-6;

/// A minimiser found by two methods whose gradient tolerances are 1e-8 or less, on problems of moderate condition.
pub const SOLVED: f64 = 1e-6;

/// Allocation in percentage points, mean of ten seeds: the published runs shuffle with another generator, and their standard
/// deviation over seeds is up to 0.7, so two such means differ by up to about 0.3.
pub const ALLOCATION_POINTS: f64 = 0.35;

/// The same closed formula in another program: a few dozen logarithms and error functions of 1e-15 each, summed.
pub const CLOSED_FORM: f64 = 1e-9;

/// A layer whose weights are `f32`: a few hundred of its roundings.
pub const F32_LAYER: f64 = 1e-5;

/// SparseGPT against an implementation that factors in `f32` and counts a dead input in its damping.
pub const REFERENCE_LAYER: f64 = 1e-3;

/// Gradients left, relative to the largest, once a least-squares optimum is rounded to `f32`.
pub const STATIONARY_IN_F32: f64 = 1e-5;

/// Mean importances of two ensembles of some thousand random trees: three standard errors, the largest of the features'.
pub const FOREST_OF_ANOTHER_SEED: f64 = 0.02;
