//! Latin hypercubes.

use rand::seq::SliceRandom;

use super::random::trial_generator;
use super::sampler::{Context, Sampler};
use super::sobol::{hash, unit};

/// A Latin hypercube: of n trials each has its own n-th part of every parameter's range.
///
/// For a design whose number of trials is known. Further trials begin another hypercube.
///
/// # Example
///
/// ```
/// use modelops_optimization::{Direction, LatinHypercubeSampler, SearchSpace, Study};
///
/// let space = SearchSpace::new().int("x", 0..=9)?.int("y", 0..=9)?;
/// let sampler = LatinHypercubeSampler::new(10, 1);
/// let mut study = Study::new("design", space, Direction::Minimize).with_sampler(sampler);
/// study.optimize(10, |trial| trial.parameters().int("y").map(|y| y as f64))?;
/// let mut seen: Vec<f64> = study.trials().iter().filter_map(|t| t.value()).collect();
/// seen.sort_by(f64::total_cmp);
/// assert_eq!(seen, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// **References**: M. D. `McKay`, R. J. Beckman and W. J. Conover, A comparison of three methods for selecting values of input variables in the
/// analysis of output from a computer code, 1979, Technometrics 21, DOI 10.2307/1268522.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatinHypercubeSampler {
    trials: usize,
    seed: u64,
}

impl LatinHypercubeSampler {
    /// Hypercubes of so many trials (at least 1).
    #[must_use]
    pub fn new(trials: usize, seed: u64) -> Self {
        Self {
            trials: trials.max(1),
            seed,
        }
    }
}

/// The permutations of one hypercube, an axis each.
#[derive(Default)]
struct Cube {
    round: Option<usize>,
    parts: Vec<Vec<u32>>,
}

impl Sampler for LatinHypercubeSampler {
    fn suggest(&self, context: &Context<'_>, number: usize) -> Box<[f64]> {
        let parameters = context.space.parameters();
        let (round, place) = (number / self.trials, number % self.trials);
        context.memory.recall(|cube: &mut Cube| {
            if cube.round != Some(round) {
                cube.parts = (0..parameters.len())
                    .map(|axis| self.permutation(round, axis))
                    .collect();
                cube.round = Some(round);
            }
            let axes = parameters.iter().zip(&cube.parts).enumerate();
            axes.map(|(axis, (p, parts))| {
                let within = unit(hash(self.seed ^ hash(number as u64 ^ hash(axis as u64 + 1))));
                p.domain
                    .at_quantile((f64::from(parts[place]) + within) / self.trials as f64)
            })
            .collect()
        })
    }
}

impl LatinHypercubeSampler {
    fn permutation(&self, round: usize, axis: usize) -> Vec<u32> {
        let mut parts: Vec<u32> = (0..self.trials as u32).collect();
        let key = hash(self.seed ^ hash(axis as u64 + 1));
        parts.shuffle(&mut trial_generator(key, round));
        parts
    }
}
