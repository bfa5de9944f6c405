//! How the next trial's parameters are chosen.

use std::fmt;

use super::space::SearchSpace;
use super::study::Direction;
use super::trial::Trial;

/// What a sampler may know: everything that is settled, and nothing else.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Context<'a> {
    /// What is searched.
    pub space: &'a SearchSpace,
    /// Which way is better, one entry an objective.
    pub directions: &'a [Direction],
    /// The trials that this suggestion may depend on, all finished, in the order of their numbers.
    pub trials: &'a [Trial],
}

/// Chooses the parameters of a trial.
///
/// **Contract**: `suggest` is a pure function of its arguments and of the sampler's own settings. That is what makes a study
/// the same for any number of workers, and after a crash the same as without it. Take randomness from a generator keyed by
/// a seed and the trial's number, never from a running stream.
pub trait Sampler: fmt::Debug + Send + Sync {
    /// One number for each parameter of the space: its value or the index of its choice. Numbers of parameters whose condition
    /// does not hold are ignored.
    fn suggest(&self, context: &Context<'_>, number: usize) -> Box<[f64]>;
}
