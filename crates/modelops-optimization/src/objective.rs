//! What the user gives: a function of a vector, with or without its gradient.

/// A function of `dim` real variables to be minimised.
///
/// **NaN policy**: a value that is NaN or infinite means "no value here". Solvers step back from such points and never
/// return one; at the starting point it is an error. An objective that can fail for other reasons keeps its own error and
/// returns NaN.
///
/// # Example
///
/// ```
/// use modelops_optimization::Objective;
///
/// /// The squared distance from (1, 2).
/// struct Bowl;
/// impl Objective for Bowl {
///     fn dim(&self) -> usize {
///         2
///     }
///     fn value(&self, x: &[f64]) -> f64 {
///         (x[0] - 1.0).powi(2) + (x[1] - 2.0).powi(2)
///     }
/// }
/// assert_eq!(Bowl.value(&[0.0, 0.0]), 5.0);
/// ```
pub trait Objective {
    /// The number of variables.
    fn dim(&self) -> usize;

    /// The value at `x`, which has [`dim`](Self::dim) entries.
    fn value(&self, x: &[f64]) -> f64;
}

/// An [`Objective`] with a gradient.
///
/// Value and gradient come from one call because they share most of their work, and the gradient goes into the caller's
/// buffer so that a solver allocates nothing per step. Check a hand-written gradient with
/// [`check_gradient`](crate::check_gradient) once, in a test.
pub trait Differentiable: Objective {
    /// Writes the gradient at `x` into `gradient` (both of [`dim`](Objective::dim) entries) and returns the value.
    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64;

    /// An upper bound on the curvature everywhere (the Lipschitz constant of the gradient), where one is known.
    ///
    /// Solvers with an automatic step then need no search for it: one over this bound always descends.
    fn lipschitz(&self) -> Option<f64> {
        None
    }

    /// Writes the second derivatives at `x` into `hessian` (dim × dim, row by row) and returns true, where they are known.
    ///
    /// Only [`Newton`](crate::Newton) and [`TrustRegion`](crate::TrustRegion) ask; where the answer is false, as here, they take
    /// differences of the gradient instead.
    fn hessian(&self, _x: &[f64], _hessian: &mut [f64]) -> bool {
        false
    }

    /// Writes the product of the second derivatives at `x` with `v` into `product` and returns true, where it is known: for objectives
    /// with too many variables for the whole matrix.
    fn hessian_product(&self, _x: &[f64], _v: &[f64], _product: &mut [f64]) -> bool {
        false
    }
}

/// A [`Differentiable`] made of two closures, for a quick start and for tests.
///
/// # Example
///
/// ```
/// use modelops_optimization::{Differentiable, FnObjective};
///
/// let parabola = FnObjective::new(1, |x, g| {
///     g[0] = 2.0 * x[0];
///     x[0] * x[0]
/// });
/// let mut g = [0.0];
/// assert_eq!(parabola.value_and_gradient(&[3.0], &mut g), 9.0);
/// assert_eq!(g, [6.0]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct FnObjective<F> {
    dim: usize,
    function: F,
}

impl<F: Fn(&[f64], &mut [f64]) -> f64> FnObjective<F> {
    /// Wraps `function`, which writes the gradient into its second argument and returns the value.
    pub fn new(dim: usize, function: F) -> Self {
        Self { dim, function }
    }
}

impl<F: Fn(&[f64], &mut [f64]) -> f64> Objective for FnObjective<F> {
    fn dim(&self) -> usize {
        self.dim
    }

    fn value(&self, x: &[f64]) -> f64 {
        (self.function)(x, &mut vec![0.0; self.dim])
    }
}

impl<F: Fn(&[f64], &mut [f64]) -> f64> Differentiable for FnObjective<F> {
    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        (self.function)(x, gradient)
    }
}

impl<T: Objective + ?Sized> Objective for &T {
    fn dim(&self) -> usize {
        (**self).dim()
    }

    fn value(&self, x: &[f64]) -> f64 {
        (**self).value(x)
    }
}

impl<T: Differentiable + ?Sized> Differentiable for &T {
    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        (**self).value_and_gradient(x, gradient)
    }

    fn lipschitz(&self) -> Option<f64> {
        (**self).lipschitz()
    }
    fn hessian(&self, x: &[f64], hessian: &mut [f64]) -> bool {
        (**self).hessian(x, hessian)
    }

    fn hessian_product(&self, x: &[f64], v: &[f64], product: &mut [f64]) -> bool {
        (**self).hessian_product(x, v, product)
    }
}
