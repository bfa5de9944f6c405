//! Tuning the knobs of a service under a limit on its latency.

pub(crate) mod cautious;
pub(crate) mod queue;
pub(crate) mod tuner;
