//! CMA-ES: minimisation without a gradient.

use rand::RngExt;

use crate::search::evolution::{Evolution, usual_population};
use crate::search::random::trial_generator;
use crate::{Evaluations, OptimizationError, Solution, Termination};

/// The covariance matrix adaptation evolution strategy, with restarts.
///
/// For functions of up to a few hundred real variables without a usable gradient: noisy, rugged or badly scaled. With a gradient use
/// [`Lbfgs`](crate::Lbfgs); for knobs of other kinds a [`Study`](crate::Study) with a [`CmaEsSampler`](crate::CmaEsSampler).
///
/// **Method**: weighted recombination, cumulative step-size adaptation, rank-one and rank-μ updates with negative weights for the bad points
/// (active CMA). Once a run has converged, stalls, or is flat far above the best value of those before, another begins elsewhere:
/// alternately with twice as many points a generation as the largest run so far, and with few, on equal shares of the evaluations
/// (BIPOP).
///
/// **Complexity**: O(λ n² + n³) a generation of λ points.
///
/// **Numerics**: the same seed gives the same bits. A NaN or an infinite value counts as worse than any other. There is no gradient:
/// the solution's `gradient_norm` is `None`.
///
/// # Example
///
/// ```
/// use modelops_optimization::CmaEs;
///
/// // An ellipsoid whose axes differ by a factor of a thousand.
/// let ellipsoid = |x: &[f64]| x[0] * x[0] + 1e6 * x[1] * x[1];
/// let solution = CmaEs::new(1).with_max_evaluations(3_000).minimize(ellipsoid, &[3.0, 3.0], 1.0)?;
/// assert!(solution.value < 1e-10);
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
///
/// **References**: N. Hansen, The CMA evolution strategy: a tutorial, 2016, arXiv:1604.00772; N. Hansen, Benchmarking a BI-population CMA-ES on
/// the BBOB-2009 function testbed, 2009, DOI 10.1145/1570256.1570333.
#[doc(alias = "evolution_strategy")]
#[derive(Debug, Clone, PartialEq)]
pub struct CmaEs {
    seed: u64,
    population: Option<usize>,
    max_evaluations: usize,
    restarts: bool,
    target: f64,
    start_box: Option<(f64, f64)>,
}

impl CmaEs {
    /// At most 10,000 evaluations, with restarts.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            population: None,
            max_evaluations: 10_000,
            restarts: true,
            target: f64::NEG_INFINITY,
            start_box: None,
        }
    }

    /// Sets the points a generation of the first run, at least 4; otherwise 4 + ⌊3 ln n⌋.
    #[must_use]
    pub fn with_population(mut self, points: usize) -> Self {
        self.population = Some(points.max(4));
        self
    }

    /// Sets the budget. The last generation may be cut short.
    #[must_use]
    pub fn with_max_evaluations(mut self, evaluations: usize) -> Self {
        self.max_evaluations = evaluations;
        self
    }

    /// Stops at the first run's end.
    #[must_use]
    pub fn without_restarts(mut self) -> Self {
        self.restarts = false;
        self
    }

    /// Stops at a value of `target` or less.
    #[must_use]
    pub fn with_target(mut self, target: f64) -> Self {
        self.target = target;
        self
    }

    /// Lets restarts begin anywhere in the cube from `low` to `high`; otherwise they begin at the start of the first run.
    #[must_use]
    pub fn with_start_box(mut self, low: f64, high: f64) -> Self {
        self.start_box = Some((low, high));
        self
    }

    /// Minimises `f` from `start` with a first width of `sigma`: a third of the distance to where the minimum may be.
    ///
    /// # Errors
    ///
    /// [`OptimizationError`] for an empty or non-finite start, a width that is not above 0, and where no value is finite.
    pub fn minimize(
        &self,
        mut f: impl FnMut(&[f64]) -> f64,
        start: &[f64],
        sigma: f64,
    ) -> Result<Solution, OptimizationError> {
        self.minimize_batches(|points| points.iter().map(|x| f(x)).collect(), start, sigma)
    }

    /// As [`minimize`](Self::minimize), with `f` asked for a whole generation at a time, so that it may use several processors.
    ///
    /// # Errors
    ///
    /// As [`minimize`](Self::minimize), and [`OptimizationError::DimensionMismatch`] where `f` returns a wrong number of values.
    pub fn minimize_batches(
        &self,
        mut f: impl FnMut(&[Vec<f64>]) -> Vec<f64>,
        start: &[f64],
        sigma: f64,
    ) -> Result<Solution, OptimizationError> {
        check(start, sigma)?;
        let mut search = Search {
            settings: self,
            best: (f64::INFINITY, start.to_vec()),
            evaluations: 0,
            generations: 0,
            runs: 0,
            history: Vec::new(),
        };
        let usual = self.population.unwrap_or_else(|| usual_population(start.len()));
        let mut termination = search.run(&mut f, start.to_vec(), sigma, usual)?;
        // The evaluations spent on large and on small populations.
        let (mut large, mut on_large, mut on_small) = (usual, 0, 0);
        while self.restarts && termination == Termination::ValueTolerance && search.left() > 0 {
            let mut generator = trial_generator(self.seed ^ RESTART, search.runs);
            let from: Vec<f64> = match self.start_box {
                Some((low, high)) => start
                    .iter()
                    .map(|_| low + (high - low) * generator.random::<f64>())
                    .collect(),
                None => start.to_vec(),
            };
            let before = search.evaluations;
            if on_large <= on_small {
                large *= 2;
                termination = search.run(&mut f, from, sigma, large)?;
                on_large += search.evaluations - before;
            } else {
                let part = generator.random::<f64>().powi(2);
                let points = (usual as f64 * (0.5 * large as f64 / usual as f64).powf(part)).floor() as usize;
                let width = sigma * 10f64.powf(-2.0 * generator.random::<f64>());
                termination = search.run(&mut f, from, width, points.max(4))?;
                on_small += search.evaluations - before;
            }
        }
        search.solution(termination)
    }
}

/// A run ends whose values vary by less than this part of what it lacks to the best value known.
const HOPELESS: f64 = 0.01;

/// Keeps the generators of restarts apart from those of generations.
const RESTART: u64 = 0x5eed_0000_0000_0001;

fn check(start: &[f64], sigma: f64) -> Result<(), OptimizationError> {
    if start.is_empty() {
        return Err(OptimizationError::EmptyInput { what: "start" });
    }
    if let Some(row) = start.iter().position(|x| !x.is_finite()) {
        return Err(OptimizationError::NonFiniteInput {
            what: "start",
            row,
            column: 0,
        });
    }
    if !(sigma.is_finite() && sigma > 0.0) {
        return Err(OptimizationError::InvalidHyperparameter {
            name: "sigma",
            value: sigma,
            requirement: "finite and above 0",
        });
    }
    Ok(())
}

/// A search across restarts.
struct Search<'a> {
    settings: &'a CmaEs,
    best: (f64, Vec<f64>),
    evaluations: usize,
    generations: usize,
    runs: usize,
    /// The best value so far after each generation.
    history: Vec<f64>,
}

impl Search<'_> {
    fn left(&self) -> usize {
        self.settings.max_evaluations.saturating_sub(self.evaluations)
    }

    /// One run: until the target, the budget, or until the distribution has nothing more to give.
    fn run(
        &mut self,
        f: &mut impl FnMut(&[Vec<f64>]) -> Vec<f64>,
        start: Vec<f64>,
        sigma: f64,
        population: usize,
    ) -> Result<Termination, OptimizationError> {
        // The best value of the runs before.
        let rival = self.best.0;
        let n = start.len();
        let mut state = Evolution::new(start, sigma, population);
        let mut generator = trial_generator(self.settings.seed, self.runs);
        self.runs += 1;
        let mut points = vec![vec![0.0; n]; population];
        let mut recent: Vec<f64> = Vec::new();
        let memory = 10 + (30 * n).div_ceil(population);
        let longest = 100 + (150.0 * (n as f64 + 3.0).powi(2) / (population as f64).sqrt()) as usize;
        for _ in 0..longest {
            let count = population.min(self.left());
            if count == 0 {
                return Ok(Termination::MaxEvaluations);
            }
            points.iter_mut().for_each(|p| state.draw(&mut generator, p));
            let values = f(&points[..count]);
            if values.len() != count {
                return Err(OptimizationError::DimensionMismatch {
                    what: "values",
                    expected: count,
                    found: values.len(),
                });
            }
            self.evaluations += count;
            self.generations += 1;
            let mut order: Vec<usize> = (0..count).collect();
            let key = |k: usize| {
                if values[k].is_nan() {
                    f64::INFINITY
                } else {
                    values[k]
                }
            };
            order.sort_by(|a, b| key(*a).total_cmp(&key(*b)));
            let first = key(order[0]);
            if first < self.best.0 {
                self.best = (first, points[order[0]].clone());
            }
            self.history.push(self.best.0);
            if self.best.0 <= self.settings.target {
                return Ok(Termination::TargetReached);
            }
            if count < population {
                return Ok(Termination::MaxEvaluations);
            }
            let ranked: Vec<&[f64]> = order.iter().map(|k| points[*k].as_slice()).collect();
            state.update(&ranked);
            recent.push(first);
            let spread = |values: &mut dyn Iterator<Item = f64>| {
                let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
                    (l.min(v), h.max(v))
                });
                high - low
            };
            let window = &recent[recent.len().saturating_sub(memory)..];
            let flat = recent.len() > memory
                && spread(&mut window.iter().copied().chain(values.iter().copied())) < 1e-11;
            // Gone flat far above what an earlier run found: it will not catch up.
            let least = window.iter().copied().fold(f64::INFINITY, f64::min);
            let hopeless =
                recent.len() > memory && spread(&mut window.iter().copied()) < HOPELESS * (least - rival);
            let level = key(order[0]) == key(order[(population - 1).min(population.div_ceil(4) + 1)]);
            if flat
                || hopeless
                || (level && recent.len() > memory)
                || state.is_exhausted(1e-11 * sigma)
                || stagnates(&recent, n, population)
            {
                return Ok(Termination::ValueTolerance);
            }
        }
        Ok(Termination::ValueTolerance)
    }

    fn solution(self, termination: Termination) -> Result<Solution, OptimizationError> {
        if !self.best.0.is_finite() {
            return Err(OptimizationError::NonFiniteObjective);
        }
        Ok(Solution {
            x: self.best.1,
            value: self.best.0,
            gradient_norm: None,
            iterations: self.generations,
            evaluations: Evaluations {
                values: self.evaluations,
                gradients: 0,
                hessians: 0,
            },
            termination,
            history: self.history,
        })
    }
}

/// Whether the best values of the last third are no better than those of the third before, over a long enough run.
fn stagnates(best: &[f64], n: usize, population: usize) -> bool {
    let long = 120 + 30 * n / population.max(1) + best.len() / 5;
    if best.len() < 2 * long.max(100) {
        return false;
    }
    let window = &best[best.len() - long..];
    let third = window.len() / 3;
    let median = |part: &[f64]| {
        let mut sorted = part.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    median(&window[window.len() - third..]) >= median(&window[..third])
}
