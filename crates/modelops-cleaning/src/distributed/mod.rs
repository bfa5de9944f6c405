//! The same pipeline over many files, with an existing engine for what needs a look at all of them.
//!
//! [`Distributed`] compiles the plan of a textual pipeline into jobs that each work on one shard ([`ShardJob`]: shard
//! in, shard out, idempotent, whole files or none) and into statements of Spark SQL for the rest: which of equal records
//! survives, sums, order statistics. A [`JobRunner`] runs the jobs, a [`SqlEngine`] the statements; nothing here
//! schedules, shuffles or retries. Jobs and engine meet in a work folder that both see: a job writes whole numbers
//! (ids, fingerprints, digits of exact sums), the engine answers with whole numbers, one folder a shard, and the next
//! job reads its own. A record is known by its shard and its place in it, which never change.
//!
//! Every record that the engine is asked about must come back; a run that misses one stops with
//! [`DistributedError::RecordsLost`]. Outputs appear when all is done, and a run that was stopped, by whatever, goes on
//! where it was when it is started again.
//!
//! docs/SCALING.md says how to start [Sail](https://docs.lakesail.com/sail/latest/) on one machine and on Kubernetes,
//! and what was measured.

mod driver;
mod error;
mod flight;
mod groups;
mod id;
mod job;
mod near;
mod references;
mod report;
mod runner;
mod table;
mod work;

pub use driver::Distributed;
pub use error::{DistributedError, EngineFailure};
pub use flight::{FlightSql, SqlEngine};
pub use groups::{GroupMean, GroupMeans};
pub use id::RowId;
pub use job::ShardJob;
pub use near::{DistributedLink, NearShards};
pub use references::References;
pub use report::DistributedReport;
pub use runner::{JobRunner, Threads};
