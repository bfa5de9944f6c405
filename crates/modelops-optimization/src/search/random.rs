//! Random search.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::error::StudyError;
use super::sampler::{Context, Sampler};
use super::space::SearchSpace;
use super::study::{Direction, Study};
use super::trial::{Outcome, Trial};

/// Independent draws from the whole space.
///
/// The yardstick of every other sampler, and hard to beat with few trials of many parameters of which few matter.
///
/// **References**: J. Bergstra and Y. Bengio, Random search for hyper-parameter optimization, 2012, JMLR 13.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomSampler {
    seed: u64,
}

impl RandomSampler {
    /// A sampler whose draws depend on `seed` and the trial's number alone.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }
}

impl Sampler for RandomSampler {
    fn suggest(&self, context: &Context<'_>, number: usize) -> Box<[f64]> {
        let mut generator = trial_generator(self.seed, number);
        context
            .space
            .parameters()
            .iter()
            .map(|p| p.domain.at_quantile(generator.random()))
            .collect()
    }
}

/// The generator of one trial: `ChaCha8` keyed by seed and number, so that any trial can be drawn without those before it.
pub(crate) fn trial_generator(seed: u64, number: usize) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(number as u64).to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// Tries `trials` random points of `space` and returns the study, of which [`Study::best_trial`] is the answer.
///
/// # Errors
///
/// [`StudyError::WrongNumberOfValues`] where `objective` returns a list of other than one value.
///
/// # Example
///
/// ```
/// use modelops_optimization::{SearchSpace, random_search};
///
/// let space = SearchSpace::new().float("x", -1.0..=1.0)?;
/// // Minimises (x − 0.5)².
/// let study = random_search(space, 200, 7, |trial| Ok::<_, std::convert::Infallible>((trial.parameters().float("x").unwrap() - 0.5).powi(2)))?;
/// assert!(study.best_trial().unwrap().value().unwrap() < 1e-3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "hyperparameter")]
pub fn random_search<T: Into<Outcome>>(
    space: SearchSpace,
    trials: usize,
    seed: u64,
    objective: impl FnMut(&Trial) -> T,
) -> Result<Study, StudyError> {
    let mut study =
        Study::new("random search", space, Direction::Minimize).with_sampler(RandomSampler::new(seed));
    study.optimize(trials, objective)?;
    Ok(study)
}
