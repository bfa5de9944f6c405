//! Hyper-parameter search: spaces, samplers and studies.

pub(crate) mod error;
pub(crate) mod journal;
pub(crate) mod parameters;
pub(crate) mod pareto;
pub(crate) mod parzen;
pub(crate) mod pruner;
pub(crate) mod random;
pub(crate) mod record;
pub(crate) mod run;
pub(crate) mod sampler;
pub(crate) mod space;
pub(crate) mod store;
pub(crate) mod study;
pub(crate) mod table;
pub(crate) mod tpe;
pub(crate) mod trial;
pub(crate) mod value;
