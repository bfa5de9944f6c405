//! The tree-structured Parzen estimator.

use rand::RngExt;

use super::parzen::Parzen;
use super::random::trial_generator;
use super::sampler::{Context, Sampler};
use super::study::Direction;
use super::trial::{Trial, TrialState};

/// The tree-structured Parzen estimator: draws where good trials are dense and bad ones are not.
///
/// Use it from a few dozen trials on; below that it is random search, on purpose. With several objectives it looks at the first.
///
/// **Method**: the best ⌈n / 10⌉ trials (at most 25) and the rest each give a mixture of one kernel a trial over all parameters at once.
/// Of 24 draws from the first mixture the one with the largest ratio of both densities is tried. Parameters under a condition are
/// chosen one by one from the trials that have them. Pruned trials count after the complete ones, by their last intermediate value.
///
/// **Complexity**: O(n log n · d) per suggestion, n trials of d parameters.
///
/// **Numerics**: the densities are those of Optuna 5.0.0 to 1e-9.
///
/// # Example
///
/// ```
/// use modelops_optimization::{Direction, SearchSpace, Study, TpeSampler};
///
/// let space = SearchSpace::new().float("x", -10.0..=10.0)?.float("y", -10.0..=10.0)?;
/// let mut study = Study::new("bowl", space, Direction::Minimize).with_sampler(TpeSampler::new(3));
/// study.optimize(100, |trial| -> Result<f64, modelops_optimization::ParameterError> {
///     let (x, y) = (trial.parameters().float("x")?, trial.parameters().float("y")?);
///     Ok((x - 2.0).powi(2) + (y + 1.0).powi(2))
/// })?;
/// assert!(study.best_trial().unwrap().value().unwrap() < 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// **References**: J. Bergstra, R. Bardenet, Y. Bengio and B. Kégl, Algorithms for hyper-parameter optimization, 2011, Advances in Neural Information Processing Systems 24;
/// S. Watanabe, Tree-structured Parzen estimator, 2023, arXiv:2304.11127.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TpeSampler {
    seed: u64,
    startup: usize,
    candidates: usize,
}

/// Most trials that count as good.
const MOST_GOOD: usize = 25;

impl TpeSampler {
    /// Ten random trials first, 24 draws a suggestion.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            startup: 10,
            candidates: 24,
        }
    }

    /// Sets the number of random trials before the first suggestion.
    #[must_use]
    pub fn with_startup_trials(mut self, trials: usize) -> Self {
        self.startup = trials;
        self
    }

    /// Sets the number of draws a suggestion, at least 1.
    #[must_use]
    pub fn with_candidates(mut self, candidates: usize) -> Self {
        self.candidates = candidates.max(1);
        self
    }
}

impl Sampler for TpeSampler {
    fn suggest(&self, context: &Context<'_>, number: usize) -> Box<[f64]> {
        let mut generator = trial_generator(self.seed, number);
        let parameters = context.space.parameters();
        let mut numbers: Box<[f64]> = parameters
            .iter()
            .map(|p| p.domain.at_quantile(generator.random()))
            .collect();
        let ranked = ranked(context);
        if ranked.len() < self.startup.max(1) {
            return numbers;
        }
        let free: Vec<usize> = (0..parameters.len())
            .filter(|k| parameters[*k].condition.is_none())
            .collect();
        let bound = (0..parameters.len()).filter(|k| parameters[*k].condition.is_some());
        let groups = std::iter::once(free)
            .chain(bound.map(|k| vec![k]))
            .filter(|g| !g.is_empty());
        for group in groups {
            let has_all = |t: &&Trial| group.iter().all(|k| !t.parameters.numbers()[*k].is_nan());
            let trials: Vec<&Trial> = ranked.iter().copied().filter(has_all).collect();
            if trials.len() < self.startup.max(1) {
                continue;
            }
            let (good, bad) = split(trials);
            let domains: Vec<_> = group.iter().map(|k| &parameters[*k].domain).collect();
            let rows = |trials: &[&Trial]| -> Vec<Vec<f64>> {
                group
                    .iter()
                    .map(|k| trials.iter().map(|t| t.parameters.numbers()[*k]).collect())
                    .collect()
            };
            let (good, bad) = (
                Parzen::new(&domains, &rows(&good)),
                Parzen::new(&domains, &rows(&bad)),
            );
            let draws: Vec<Vec<f64>> = (0..self.candidates).map(|_| good.draw(&mut generator)).collect();
            let gains = good
                .log_density(&draws)
                .into_iter()
                .zip(bad.log_density(&draws))
                .map(|(l, g)| l - g);
            let best = gains
                .enumerate()
                .reduce(|best, here| if here.1 > best.1 { here } else { best });
            if let Some((best, _)) = best {
                for (k, value) in group.iter().zip(&draws[best]) {
                    numbers[*k] = *value;
                }
            }
        }
        numbers
    }
}

/// The trials that have a value, from best to worst: complete ones by their value, then pruned ones, those that came further first.
fn ranked<'a>(context: &Context<'a>) -> Vec<&'a Trial> {
    let sign = match context.directions.first() {
        Some(Direction::Maximize) => -1.0,
        _ => 1.0,
    };
    let key = |trial: &Trial| -> Option<(u8, u64, f64)> {
        match trial.state {
            TrialState::Complete => Some((0, 0, sign * trial.value()?)),
            TrialState::Pruned => {
                let (step, value) = *trial.intermediate.last()?;
                (!value.is_nan()).then_some((1, u64::MAX - step, sign * value))
            }
            _ => None,
        }
    };
    let mut keyed: Vec<_> = context.trials.iter().filter_map(|t| Some((key(t)?, t))).collect();
    keyed.sort_by(|(a, t), (b, u)| {
        (a.0, a.1)
            .cmp(&(b.0, b.1))
            .then(a.2.total_cmp(&b.2))
            .then(t.number.cmp(&u.number))
    });
    keyed.into_iter().map(|(_, t)| t).collect()
}

/// The good trials and the rest, each in the order of their numbers.
fn split(ranked: Vec<&Trial>) -> (Vec<&Trial>, Vec<&Trial>) {
    let good = ranked.len().div_ceil(10).min(MOST_GOOD);
    let mut rest = ranked;
    let mut best: Vec<&Trial> = rest.drain(..good).collect();
    best.sort_by_key(|t| t.number);
    rest.sort_by_key(|t| t.number);
    (best, rest)
}
