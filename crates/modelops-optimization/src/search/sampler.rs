//! How the next trial's parameters are chosen.

use std::any::Any;
use std::fmt;
use std::sync::{Mutex, PoisonError};

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
    pub(crate) memory: &'a Memory,
}

/// What a sampler has derived from the trials so far, kept by the study between two suggestions.
///
/// It holds nothing that could not be derived again: the trials a suggestion may depend on only grow in number, and a
/// finished trial does not change.
#[derive(Default)]
pub(crate) struct Memory(Mutex<Option<Box<dyn Any + Send>>>);

impl Memory {
    /// Runs `act` on what was kept, or on a new `T`.
    pub(crate) fn recall<T: Default + Send + 'static, R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        // A panic half-way may have left anything: begin anew.
        let mut slot = self.0.lock().unwrap_or_else(|poisoned| {
            let mut slot = PoisonError::into_inner(poisoned);
            *slot = None;
            slot
        });
        let mut kept = match slot.take().map(Box::<dyn Any + Send>::downcast::<T>) {
            Some(Ok(kept)) => kept,
            _ => Box::default(),
        };
        let result = act(&mut kept);
        *slot = Some(kept);
        result
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
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
