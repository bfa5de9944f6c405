//! What the exact solvers share: items, limits, how they ended.

/// One thing to choose: its value and its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Item {
    /// What it is worth.
    pub value: u64,
    /// What it takes of the capacity.
    pub weight: u64,
}

impl Item {
    /// An item of this value and weight.
    #[must_use]
    pub fn new(value: u64, weight: u64) -> Self {
        Self { value, weight }
    }
}

/// When a solver gives up proving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SolverOptions {
    /// The most partial solutions it may look at (default 2²⁶, a few seconds); beyond it the status is [`Status::StateLimit`].
    pub max_states: u64,
}

impl Default for SolverOptions {
    fn default() -> Self {
        Self { max_states: 1 << 26 }
    }
}

impl SolverOptions {
    /// The same with this limit.
    #[must_use]
    pub fn with_max_states(mut self, states: u64) -> Self {
        self.max_states = states;
        self
    }
}

/// How a solver ended. Either way the answer is feasible and its bound holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// The value is proven to be the best.
    Optimal,
    /// The limit of states was reached; the value lies between the answer and the bound.
    StateLimit,
}
