//! What can go wrong in a distributed run.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{EngineError, RunError, SpecError};

/// Why an engine did not do what a statement asks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineFailure {
    /// The address is none.
    #[error("{address:?} is no address; expected http://HOST:PORT")]
    Address {
        /// The address.
        address: Box<str>,
    },
    /// Nobody answers there.
    #[error("no engine answers at {address}; is it started?")]
    Unreachable {
        /// The address.
        address: Box<str>,
    },
    /// The engine was there and went away before it had answered.
    #[error("the engine was lost before it answered: {0}")]
    Lost(EngineError),
    /// The engine answered with an error of its own.
    #[error("the engine refused a statement: {0}")]
    Refused(EngineError),
    /// No answer within the time allowed.
    #[error("the engine did not answer within {seconds} s")]
    TimedOut {
        /// The time allowed.
        seconds: u64,
    },
}

impl EngineFailure {
    /// An error of the engine's own, in its words; for another [`SqlEngine`](super::SqlEngine) than those of this crate.
    #[must_use]
    pub fn refused(message: &str) -> Self {
        Self::Refused(EngineError::new(&message))
    }

    /// The engine was there and is no more.
    #[must_use]
    pub fn lost(message: &str) -> Self {
        Self::Lost(EngineError::new(&message))
    }
}

/// Why a distributed run stopped. Nothing is left under an output's final name; a later run in the same work folder
/// goes on where this one stopped.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DistributedError {
    /// The specification cannot become a pipeline.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Only textual pipelines that compare texts are distributed.
    #[error("types are not settled over shards yet; use mode textual, and exact or normalised equality")]
    Typed,
    /// The step compares records over all shards in a way that is not compiled for engines, or reads a file of its own.
    #[error("step {step} does not run over shards; look for foreign keys with the references of this module")]
    NotSharded {
        /// The step, from 0.
        step: usize,
    },
    /// A path that an engine would read as a pattern or as something else.
    #[error("{} may be read as a pattern; use letters, digits and / . _ - only", path.display())]
    Path {
        /// The path.
        path: PathBuf,
    },
    /// The input folder has no shard.
    #[error("{} has no file to read", path.display())]
    NoShard {
        /// The folder.
        path: PathBuf,
    },
    /// More shards than ids have room for.
    #[error("{found} shards are more than the 4,194,304 that one run may have")]
    TooManyShards {
        /// How many there are.
        found: usize,
    },
    /// The shards do not all have the same columns.
    #[error("the columns of {} are not those of the first shard", path.display())]
    Columns {
        /// The shard.
        path: PathBuf,
    },
    /// The work folder belongs to a run with another specification or other inputs.
    #[error("{} belongs to another run; use an empty folder", path.display())]
    WorkInUse {
        /// The folder.
        path: PathBuf,
    },
    /// The output exists.
    #[error("{} exists; distributed runs never overwrite", path.display())]
    OutputExists {
        /// The output.
        path: PathBuf,
    },
    /// A job of a shard failed.
    #[error("shard {shard}: {error}")]
    Shard {
        /// The shard, from 0.
        shard: u32,
        /// What went wrong.
        error: RunError,
    },
    /// No column is named, or not as many as refer to them.
    #[error("a reference names as many columns on either side, and one at least")]
    References,
    /// A job of a shard came back without having done its work.
    #[error("the job of shard {shard} ended without a result; run again")]
    JobLost {
        /// The shard, from 0.
        shard: u32,
    },
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineFailure),
    /// The engine answered for another number of rows than the shard jobs gave it: records, values, or parts of sums.
    #[error("the engine answered for {answered} rows of {asked}")]
    RecordsLost {
        /// Rows asked about.
        asked: u64,
        /// Rows answered for.
        answered: u64,
    },
    /// A file of the work folder is not what was written there.
    #[error("{} is damaged; run again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error("{}: {kind}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        kind: io::ErrorKind,
    },
}

impl DistributedError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| Self::Io {
            path: path.to_path_buf(),
            kind: error.kind(),
        }
    }

    /// An error of a file that belongs to no shard.
    pub(crate) fn of_file(error: RunError) -> Self {
        match error {
            RunError::Io { path, kind } => Self::Io { path, kind },
            _ => unreachable!("a file is written or not for reasons of the system alone"),
        }
    }

    /// Whether an answer of the engine was not whole.
    pub(crate) fn is_of_an_answer(&self) -> bool {
        matches!(self, Self::RecordsLost { .. } | Self::Damaged { .. })
    }

    pub(crate) fn damaged(path: &Path) -> Self {
        Self::Damaged {
            path: path.to_path_buf(),
        }
    }
}
