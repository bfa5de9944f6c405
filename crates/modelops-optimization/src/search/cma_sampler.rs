//! CMA-ES as the sampler of a study.

use rand::RngExt;

use super::evolution::{Evolution, usual_population};
use super::random::trial_generator;
use super::sampler::{Context, Sampler};
use super::study::Direction;
use super::trial::{Trial, TrialState};

/// CMA-ES over the numeric parameters of a study, with restarts and a margin for whole numbers.
///
/// Use it for continuous parameters and a few hundred trials or more; for fewer, or for many choices, use
/// [`TpeSampler`](crate::TpeSampler). Choices and parameters under a condition are drawn at random, independently.
///
/// **Method**: every parameter is scaled to its range (on the scale of its logarithm where it has one), whole and stepped ones to the
/// middle of their cells. Trials 0 to λ − 1 make the first generation, and so on; failed, pruned and infeasible trials rank last. The
/// margin keeps each neighbouring value of a whole parameter reachable with a probability of 1/(n λ). Once the distribution has
/// collapsed, another begins with twice as many trials a generation.
///
/// **Complexity**: O(n²) a suggestion, O(λ n² + n³) at the end of each generation.
///
/// **References**: N. Hansen, The CMA evolution strategy: a tutorial, 2016, arXiv:1604.00772; R. Hamano, S. Saito, M. Nomura and S. Shirakawa,
/// CMA-ES with margin, 2022, DOI 10.1145/3512290.3528827.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CmaEsSampler {
    seed: u64,
    population: Option<usize>,
}

impl CmaEsSampler {
    /// 4 + ⌊3 ln n⌋ trials a generation.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            population: None,
        }
    }

    /// Sets the trials of the first generations, at least 4.
    #[must_use]
    pub fn with_population(mut self, trials: usize) -> Self {
        self.population = Some(trials.max(4));
        self
    }
}

/// The width of the first distribution, as a part of every range.
const WIDTH: f64 = 1.0 / 6.0;
/// Draws outside the range before the last one is moved to its edge.
const REDRAWS: usize = 100;

/// The distribution after the trials so far.
#[derive(Default)]
struct Learned {
    seen: usize,
    evolution: Option<Evolution>,
    /// Restarts so far.
    restarts: u64,
    /// The trials of the generation under way: rank, then place.
    generation: Vec<((u8, f64), Vec<f64>)>,
}

impl Sampler for CmaEsSampler {
    fn suggest(&self, context: &Context<'_>, number: usize) -> Box<[f64]> {
        let parameters = context.space.parameters();
        let mut generator = trial_generator(self.seed, number);
        let mut numbers: Box<[f64]> = parameters
            .iter()
            .map(|p| p.domain.at_quantile(generator.random()))
            .collect();
        let axes: Vec<usize> = (0..parameters.len())
            .filter(|k| parameters[*k].condition.is_none() && parameters[*k].domain.values() != Some(1))
            .filter(|k| !parameters[*k].domain.is_choice())
            .collect();
        if axes.is_empty() {
            return numbers;
        }
        context.memory.recall(|learned: &mut Learned| {
            self.update(learned, context, &axes);
            let Some(evolution) = &learned.evolution else {
                return;
            };
            let mut point = vec![0.0; axes.len()];
            for _ in 0..REDRAWS {
                evolution.draw(&mut generator, &mut point);
                if point.iter().all(|x| (0.0..1.0).contains(x)) {
                    break;
                }
            }
            for (axis, x) in axes.iter().zip(point) {
                let domain = &parameters[*axis].domain;
                numbers[*axis] = domain.at_quantile(x.clamp(0.0, 1.0 - f64::EPSILON));
            }
        });
        numbers
    }
}

impl CmaEsSampler {
    /// Takes in the trials that are new, generation by generation.
    fn update(&self, learned: &mut Learned, context: &Context<'_>, axes: &[usize]) {
        let parameters = context.space.parameters();
        let usual = self.population.unwrap_or_else(|| usual_population(axes.len()));
        let begin = |mean: Vec<f64>, restarts: u64| Evolution::new(mean, WIDTH, usual << restarts.min(16));
        let evolution = learned
            .evolution
            .get_or_insert_with(|| begin(vec![0.5; axes.len()], 0));
        let cells: Vec<Option<u64>> = axes.iter().map(|k| parameters[*k].domain.values()).collect();
        for trial in context.trials.iter().skip(learned.seen) {
            let place = |k: &usize| parameters[*k].domain.place_of(trial.parameters.numbers()[*k]);
            learned
                .generation
                .push((rank(trial, context.directions), axes.iter().map(place).collect()));
            if learned.generation.len() < evolution.population() {
                continue;
            }
            learned
                .generation
                .sort_by(|(a, _), (b, _)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            let ranked: Vec<&[f64]> = learned
                .generation
                .iter()
                .map(|(_, point)| point.as_slice())
                .collect();
            evolution.update(&ranked);
            evolution.keep_margin(&cells);
            learned.generation.clear();
            if evolution.is_exhausted(1e-9) {
                learned.restarts += 1;
                let mut generator = trial_generator(self.seed ^ RESTART, trial.number);
                let mean = axes.iter().map(|_| generator.random()).collect();
                *evolution = begin(mean, learned.restarts);
            }
        }
        learned.seen = learned.seen.max(context.trials.len());
    }
}

/// Keeps the generators of restarts apart from those of trials.
const RESTART: u64 = 0x5eed_0000_0000_0002;

/// Feasible trials by value, then infeasible ones by how far they are off, then those without a value.
fn rank(trial: &Trial, directions: &[Direction]) -> (u8, f64) {
    let sign = match directions.first() {
        Some(Direction::Maximize) => -1.0,
        _ => 1.0,
    };
    match (trial.state, trial.value()) {
        (TrialState::Complete, Some(value)) if trial.is_feasible() => (0, sign * value),
        (TrialState::Complete, Some(_)) => (1, trial.constraints.iter().filter(|c| **c > 0.0).sum()),
        _ => (2, 0.0),
    }
}
