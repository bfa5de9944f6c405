//! The tree-structured Parzen estimator.

use std::collections::BTreeSet;

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
/// chosen one by one from the trials that have them. Pruned trials count after the complete ones, by their last intermediate value,
/// and trials that break a constraint come last, by how much. Where all parameters are discrete, a point that was not tried before
/// is preferred to one that was.
///
/// **Complexity**: O(n · d) per suggestion, n trials of d parameters: 24 draws against every trial. The mixtures are kept between
/// suggestions and grow by the new trials.
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
#[doc(alias("parzen", "bayesian_optimization"))]
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
        context.memory.recall(|learned: &mut Learned| {
            learned.update(context);
            self.suggest_from(learned, context, number)
        })
    }
}

impl TpeSampler {
    fn suggest_from(&self, learned: &Learned, context: &Context<'_>, number: usize) -> Box<[f64]> {
        let mut generator = trial_generator(self.seed, number);
        let parameters = context.space.parameters();
        let mut numbers: Box<[f64]> = parameters
            .iter()
            .map(|p| p.domain.at_quantile(generator.random()))
            .collect();
        if learned.valued < self.startup.max(1) {
            return numbers;
        }
        for group in learned.groups.iter().filter(|g| g.count >= self.startup.max(1)) {
            let width = group.members.len();
            let mut draws = vec![0.0; self.candidates * width];
            for point in draws.chunks_exact_mut(width) {
                group.good.draw(&mut generator, point);
            }
            let good = group.good.log_density(&draws);
            let gains = good.iter().zip(group.bad.log_density(&draws)).map(|(l, g)| l - g);
            let mut best: Option<(bool, f64, usize)> = None;
            for (index, gain) in gains.enumerate() {
                let fresh = learned.tried.is_empty()
                    || !learned
                        .tried
                        .contains(&key(&draws[index * width..(index + 1) * width]));
                let better = |(best_fresh, best_gain, _)| (fresh, gain) > (best_fresh, best_gain);
                if best.is_none_or(better) {
                    best = Some((fresh, gain, index));
                }
            }
            if let Some((_, _, index)) = best {
                for (member, x) in group.members.iter().zip(&draws[index * width..]) {
                    numbers[*member] = *x;
                }
            }
        }
        numbers
    }
}

/// What the sampler has derived from the trials so far.
#[derive(Default)]
struct Learned {
    /// Trials looked at.
    seen: usize,
    /// Trials that have a value.
    valued: usize,
    groups: Vec<Group>,
    /// In a space of discrete parameters without conditions: the points tried.
    tried: BTreeSet<Box<[u64]>>,
}

/// Parameters that are chosen together, and the trials that have them all.
struct Group {
    members: Vec<usize>,
    count: usize,
    /// The trials from best to worst; once [`MOST_GOOD`] is reached the best of them alone.
    ranked: Vec<(Rank, usize)>,
    good: Parzen,
    bad: Parzen,
}

/// What ranks trials: complete ones by their value, then pruned ones, those that came further first, then those that break a constraint.
type Rank = (u8, u64, u64);

impl Learned {
    /// Takes in the trials that are new.
    fn update(&mut self, context: &Context<'_>) {
        let parameters = context.space.parameters();
        if self.groups.is_empty() {
            let free = (0..parameters.len())
                .filter(|k| parameters[*k].condition.is_none())
                .collect();
            let bound = (0..parameters.len()).filter(|k| parameters[*k].condition.is_some());
            let members = std::iter::once(free).chain(bound.map(|k| vec![k]));
            self.groups = members
                .filter(|members: &Vec<usize>| !members.is_empty())
                .map(|members| Group::new(members, context))
                .collect();
        }
        let discrete = parameters
            .iter()
            .all(|p| p.condition.is_none() && !p.domain.is_continuous());
        for trial in context.trials.iter().skip(self.seen) {
            let Some(rank) = rank(trial, context.directions) else {
                continue;
            };
            self.valued += 1;
            for group in &mut self.groups {
                group.learn(rank, trial, context.trials);
            }
            if discrete {
                self.tried.insert(key(trial.parameters.numbers()));
            }
        }
        self.seen = self.seen.max(context.trials.len());
    }
}

impl Group {
    fn new(members: Vec<usize>, context: &Context<'_>) -> Self {
        let domains = || members.iter().map(|k| &context.space.parameters()[*k].domain);
        let (good, bad) = (Parzen::new(domains()), Parzen::new(domains()));
        Self {
            members,
            count: 0,
            ranked: Vec::new(),
            good,
            bad,
        }
    }

    fn point(&self, trial: &Trial) -> Vec<f64> {
        self.members
            .iter()
            .map(|k| trial.parameters.numbers()[*k])
            .collect()
    }

    /// Takes in one trial, if it has the parameters of the group.
    fn learn(&mut self, rank: Rank, trial: &Trial, trials: &[Trial]) {
        let point = self.point(trial);
        if point.iter().any(|x| x.is_nan()) {
            return;
        }
        let before = good_trials(self.count);
        self.count += 1;
        let good = good_trials(self.count);
        let place = self.ranked.partition_point(|r| *r < (rank, trial.number));
        self.ranked.insert(place, (rank, trial.number));
        if place >= before {
            self.bad.insert(trial.number, &point);
        } else if before == good {
            let (_, displaced) = self.ranked[good];
            let point = self.point(&trials[displaced]);
            self.bad.insert(displaced, &point);
        }
        if good > before && place >= before {
            // The best of the bad ones has become good.
            let mut rest: Vec<usize> = self.ranked[good..].iter().map(|(_, number)| *number).collect();
            rest.sort_unstable();
            let points: Vec<_> = rest
                .iter()
                .map(|number| (*number, self.point(&trials[*number])))
                .collect();
            self.bad.refill(points.into_iter());
        }
        if place < good || good > before {
            let mut best: Vec<usize> = self.ranked[..good].iter().map(|(_, number)| *number).collect();
            best.sort_unstable();
            let points: Vec<_> = best
                .iter()
                .map(|number| (*number, self.point(&trials[*number])))
                .collect();
            self.good.refill(points.into_iter());
        }
        if good == MOST_GOOD {
            self.ranked.truncate(MOST_GOOD);
        }
    }
}

/// How many of `n` trials count as good.
fn good_trials(n: usize) -> usize {
    n.div_ceil(10).min(MOST_GOOD)
}

/// The rank of a trial; `None` where it has no value.
fn rank(trial: &Trial, directions: &[Direction]) -> Option<Rank> {
    let sign = match directions.first() {
        Some(Direction::Maximize) => -1.0,
        _ => 1.0,
    };
    match trial.state {
        TrialState::Complete if !trial.is_feasible() => {
            let violation = trial.constraints.iter().filter(|c| **c > 0.0).sum();
            Some((2, 0, ordered(violation)))
        }
        TrialState::Complete => Some((0, 0, ordered(sign * trial.value()?))),
        TrialState::Pruned => {
            let (step, value) = *trial.intermediate.last()?;
            (!value.is_nan()).then_some((1, u64::MAX - step, ordered(sign * value)))
        }
        _ => None,
    }
}

/// A whole number that orders as the value does.
fn ordered(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

fn key(point: &[f64]) -> Box<[u64]> {
    point.iter().map(|x| x.to_bits()).collect()
}
