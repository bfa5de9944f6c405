//! Descent on a sum of many terms, a few of them at a time.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::gradient_check::check_dimension;
use crate::kernel::vector::{axpy, max_norm};
use crate::solution::{Observer, Tracker};
use crate::stepping::Stepper;
use crate::{Differentiable, FirstOrder, OptimizationError, Progress, Solution, Termination};

/// A [`Differentiable`] that is the mean of many terms, such as the loss over the rows of a table.
pub trait FiniteSum: Differentiable {
    /// The number of terms.
    fn terms(&self) -> usize;

    /// The mean over the terms of these numbers (from 0) at `x`, and its gradient; over all terms it is
    /// [`value_and_gradient`](Differentiable::value_and_gradient).
    fn batch_value_and_gradient(&self, terms: &[usize], x: &[f64], gradient: &mut [f64]) -> f64;
}

/// How the gradient of a batch is brought nearer to that of the whole sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum VarianceReduction {
    /// Not at all: plain mini-batches, every term once a pass, in random order.
    #[default]
    None,
    /// g = ∇fᵇ(x) − ∇fᵇ(x̃) + ∇f(x̃), x̃ the point at which the pass began and the batch b drawn at random. Two gradients a batch, two vectors of memory.
    /// R. Johnson and T. Zhang, 2013, `NeurIPS` 26.
    Svrg,
    /// g = ∇fᵇ(x) − aᵇ + mean a, aᵇ the last gradient seen of the batch b, drawn at random. One gradient a batch, one vector of memory for each
    /// batch. A. Defazio, F. Bach and S. Lacoste-Julien, 2014, arXiv:1407.0202.
    Saga,
}

/// How a [`FiniteSum`] is cut into batches.
#[doc(alias = "mini_batch")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batches {
    size: usize,
    seed: u64,
    reduction: VarianceReduction,
}

impl Batches {
    /// Batches of `size` terms, at least 1, drawn by this seed.
    #[must_use]
    pub fn new(size: usize, seed: u64) -> Self {
        Self {
            size: size.max(1),
            seed,
            reduction: VarianceReduction::None,
        }
    }

    /// Sets the variance reduction, which lets a constant learning rate converge.
    #[must_use]
    pub fn with_variance_reduction(mut self, reduction: VarianceReduction) -> Self {
        self.reduction = reduction;
        self
    }
}

impl FirstOrder {
    /// Minimises a sum from `x0`, a batch of terms a step.
    ///
    /// The iterations of the budget and of the [`Solution`] are passes over the sum, those of a [`Schedule`](crate::Schedule) are steps. After
    /// each pass the whole sum is evaluated, so that the answer is the best of these points and its value exact; a batch counts
    /// as a call of the gradient.
    ///
    /// # Errors
    ///
    /// As [`minimize`](FirstOrder::minimize), or a sum without terms.
    ///
    /// # Example
    ///
    /// ```
    /// use modelops_optimization::{Batches, FirstOrder, SquaredLoss, VarianceReduction};
    /// use ndarray::array;
    ///
    /// let (x, y) = (array![[1.0], [2.0], [3.0]], array![2.1, 3.9, 6.0]);
    /// let loss = SquaredLoss::new(x.view(), y.view(), 0.0)?;
    /// let saga = Batches::new(1, 7).with_variance_reduction(VarianceReduction::Saga);
    /// let rule = modelops_optimization::Rule::Sgd { momentum: 0.0, nesterov: false };
    /// let solution = FirstOrder::new(rule, 0.05).minimize_sum(&loss, &[0.0], &saga)?;
    /// // Σ x y / Σ x².
    /// assert!(solution.converged() && (solution.x[0] - 27.9 / 14.0).abs() < 1e-7);
    /// # Ok::<(), modelops_optimization::OptimizationError>(())
    /// ```
    pub fn minimize_sum<O: FiniteSum + ?Sized>(
        &self,
        objective: &O,
        x0: &[f64],
        batches: &Batches,
    ) -> Result<Solution, OptimizationError> {
        self.minimize_sum_observed(objective, x0, batches, &mut crate::solution::unobserved)
    }

    /// As [`minimize_sum`](Self::minimize_sum); `observer` sees every pass and may stop the run.
    ///
    /// # Errors
    ///
    /// As [`minimize_sum`](Self::minimize_sum).
    pub fn minimize_sum_observed<O: FiniteSum + ?Sized>(
        &self,
        objective: &O,
        x0: &[f64],
        batches: &Batches,
        observer: &mut Observer<'_>,
    ) -> Result<Solution, OptimizationError> {
        self.stopping.validate()?;
        self.stepping.validate()?;
        check_dimension(objective.dim(), x0)?;
        if objective.terms() == 0 {
            return Err(OptimizationError::EmptyInput { what: "the sum" });
        }
        let mut x = x0.to_vec();
        let mut gradient = vec![0.0; x.len()];
        let mut value = objective.value_and_gradient(&x, &mut gradient);
        let mut gradient_norm = max_norm(&gradient);
        if !value.is_finite() || !gradient_norm.is_finite() {
            return Err(OptimizationError::NonFiniteObjective);
        }
        let mut tracker = Tracker::new(&x, value, gradient_norm);
        let mut stepper = Stepper::new(self.stepping, &x);
        let mut pass = Pass::new(objective, batches, &x, &mut tracker);
        let mut termination = Termination::MaxIterations;
        let mut passes = 0;
        while passes < self.stopping.max_iterations {
            if tracker.is_settled(self.stopping, value, gradient_norm) {
                break;
            }
            pass.run(&gradient, &mut stepper, &mut x, &mut tracker);
            value = objective.value_and_gradient(&x, &mut gradient);
            gradient_norm = max_norm(&gradient);
            tracker.evaluations.gradients += 1;
            tracker.history.push(value);
            passes += 1;
            if !value.is_finite() || !gradient_norm.is_finite() {
                return Err(self.divergence(passes, value));
            }
            tracker.see(&x, value, gradient_norm);
            let progress = Progress {
                iteration: passes,
                value,
                gradient_norm,
            };
            if observer(&progress).is_break() {
                termination = Termination::Cancelled;
                break;
            }
        }
        if tracker.is_settled(self.stopping, value, gradient_norm) && termination != Termination::Cancelled {
            termination = Termination::GradientTolerance;
        }
        Ok(self.finish(objective, &stepper, tracker, passes, termination))
    }
}

/// The batches of a run, and what is remembered of them.
struct Pass<'a, O: ?Sized> {
    objective: &'a O,
    reduction: VarianceReduction,
    size: usize,
    generator: ChaCha8Rng,
    /// The numbers of the terms; with variance reduction a batch is always the same stretch of them.
    order: Vec<usize>,
    /// The gradient of the batch at hand, and of the same batch at the start of the pass.
    gradient: Vec<f64>,
    anchor_gradient: Vec<f64>,
    anchor: Vec<f64>,
    /// For SAGA: the last gradient of each batch, one after the other, and their mean.
    table: Vec<f64>,
    mean: Vec<f64>,
}

impl<'a, O: FiniteSum + ?Sized> Pass<'a, O> {
    fn new(objective: &'a O, batches: &Batches, x: &[f64], tracker: &mut Tracker) -> Self {
        let n = x.len();
        let mut generator = ChaCha8Rng::seed_from_u64(batches.seed);
        let mut order: Vec<usize> = (0..objective.terms()).collect();
        order.shuffle(&mut generator);
        let mut pass = Self {
            objective,
            reduction: batches.reduction,
            size: batches.size.min(objective.terms()),
            generator,
            order,
            gradient: vec![0.0; n],
            anchor_gradient: vec![0.0; n],
            anchor: vec![0.0; n],
            table: Vec::new(),
            mean: vec![0.0; n],
        };
        if pass.reduction == VarianceReduction::Saga {
            pass.table = vec![0.0; pass.count() * n];
            for batch in 0..pass.count() {
                let at = batch * n..(batch + 1) * n;
                let terms = &pass.order[pass.stretch(batch)];
                pass.objective
                    .batch_value_and_gradient(terms, x, &mut pass.table[at.clone()]);
                tracker.evaluations.gradients += 1;
                let weight = terms.len() as f64 / pass.order.len() as f64;
                axpy(weight, &pass.table[at], &mut pass.mean);
            }
        }
        pass
    }

    fn count(&self) -> usize {
        self.order.len().div_ceil(self.size)
    }

    fn stretch(&self, batch: usize) -> std::ops::Range<usize> {
        batch * self.size..((batch + 1) * self.size).min(self.order.len())
    }

    /// As many steps as there are batches; `full` is the gradient of the whole sum at `x`.
    fn run(&mut self, full: &[f64], stepper: &mut Stepper, x: &mut [f64], tracker: &mut Tracker) {
        if self.reduction == VarianceReduction::None {
            self.order.shuffle(&mut self.generator);
        }
        self.anchor.copy_from_slice(x);
        for step in 0..self.count() {
            let batch = match self.reduction {
                VarianceReduction::None => step,
                VarianceReduction::Svrg | VarianceReduction::Saga => {
                    self.generator.random_range(0..self.count())
                }
            };
            let terms = &self.order[self.stretch(batch)];
            let share = terms.len() as f64 / self.order.len() as f64;
            // A last batch that is smaller counts for less, so that the estimate stays unbiased.
            let weight = share * self.count() as f64;
            self.objective
                .batch_value_and_gradient(terms, x, &mut self.gradient);
            tracker.evaluations.gradients += 1;
            match self.reduction {
                VarianceReduction::None => {}
                VarianceReduction::Svrg => {
                    self.objective
                        .batch_value_and_gradient(terms, &self.anchor, &mut self.anchor_gradient);
                    tracker.evaluations.gradients += 1;
                    for ((g, old), full) in self.gradient.iter_mut().zip(&self.anchor_gradient).zip(full) {
                        *g = weight * (*g - old) + full;
                    }
                }
                VarianceReduction::Saga => {
                    let n = x.len();
                    let last = &mut self.table[batch * n..(batch + 1) * n];
                    for ((g, old), mean) in self.gradient.iter_mut().zip(last).zip(&mut self.mean) {
                        let change = *g - *old;
                        *old = *g;
                        *g = weight * change + *mean;
                        *mean += share * change;
                    }
                }
            }
            stepper.step(&self.gradient, x);
        }
    }
}
