//! What can go wrong, one small enum a step.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

/// A metric could not be registered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The name is not `[a-zA-Z_][a-zA-Z0-9_]*`; colons are kept for recording rules.
    #[error("metric name {name:?} must match [a-zA-Z_][a-zA-Z0-9_]*")]
    Name {
        /// The name as given, namespace included.
        name: String,
    },
    /// Another metric of this registry already exposes this name.
    #[error("metric name {name:?} is taken")]
    Taken {
        /// The name that both would expose.
        name: String,
    },
    /// A label is not `[a-zA-Z_][a-zA-Z0-9_]*`, starts with two underscores, or is `le` or `quantile`.
    #[error("label name {label:?} is malformed or reserved")]
    Label {
        /// The label as given.
        label: String,
    },
    /// Two labels of one set have the same name.
    #[error("label name {label:?} occurs twice")]
    DuplicateLabel {
        /// The repeated label.
        label: String,
    },
    /// A classic bucket bound is not finite, or not above the one before it.
    #[error("bucket bound {position} must be finite and above the one before it")]
    Bounds {
        /// Position in the list, from 0.
        position: usize,
    },
    /// The exponents of the fast range are not `-64 <= min < max <= 64`.
    #[error("fast range 2^{min} to 2^{max} must satisfy -64 <= min < max <= 64")]
    FastRange {
        /// Exponent of the least value.
        min: i8,
        /// Exponent of the greatest value.
        max: i8,
    },
    /// The states of a state set must be an enum of at most 64 values.
    #[error("states must be an enum of at most 64 values")]
    States,
    /// All 16,777,216 storage cells of the process are in use: use fewer series, or coarser histograms.
    #[error("all storage cells of the process are in use")]
    Storage,
}

/// A number is outside the range of its type.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum ValueError {
    /// A schema is an integer from −4 to 8.
    #[error("schema {given} must lie between -4 and 8")]
    Schema {
        /// The schema as given.
        given: i8,
    },
    /// An objective's target lies strictly between 0 and 1: a target of 1 leaves no budget to spend.
    #[error("target {given} must lie strictly between 0 and 1")]
    Target {
        /// The target as given.
        given: f64,
    },
    /// A latency objective's threshold is a finite number above 0.
    #[error("threshold {given} must be finite and above 0")]
    Threshold {
        /// The threshold as given.
        given: f64,
    },
    /// More events were bad than there were events.
    #[error("{bad} bad events exceed the {total} events in all")]
    Counts {
        /// Bad events.
        bad: u64,
        /// All events.
        total: u64,
    },
}

/// Rules could not be generated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A metric is not `[a-zA-Z_:][a-zA-Z0-9_:]*`, nor that and a selector like `{label="value"}`.
    #[error(
        "metric {name:?} must match [a-zA-Z_:][a-zA-Z0-9_:]*, with no selector or one like {{label=\"value\"}}"
    )]
    Name {
        /// The metric as given.
        name: String,
    },
    /// A histogram's events are good up to a threshold, and the objective has none: use one of latency.
    #[error("the objective has no threshold to hold a histogram against")]
    NoThreshold,
}

/// Two sketches do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SketchError {
    /// The earlier snapshot counts more than the later one somewhere: they are not of one histogram, or were swapped.
    #[error("the earlier snapshot is not contained in the later one")]
    NotContained,
}

/// An endpoint could not be started.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Other machines reach the address: allow it in the options, or serve the metrics through your own server.
    #[error("{address} is not on the loopback interface")]
    Remote {
        /// The address as given.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {kind}")]
    Io {
        /// The address as given.
        address: SocketAddr,
        /// What the operating system said.
        kind: ErrorKind,
    },
}

/// A recorder could not be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InstallError {
    /// The process has a recorder already; it can have one only.
    #[error("another recorder is installed already")]
    Taken,
}

/// A request log could not be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LogError {
    /// A file operation failed.
    #[error("cannot write the log at {path:?}: {kind}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        kind: ErrorKind,
    },
    /// The record did not serialise to one JSON object.
    #[error("the record does not serialise to a JSON object")]
    Record,
    /// The record's own serialisation wrote to a log: write that record before or after, not within.
    #[error("a record was written while this thread serialises another one")]
    Reentrant,
    /// The redactor panicked; nothing is written without it.
    #[error("the redactor panicked, so the log cannot be written")]
    Redactor,
    /// The background writer ended after a failure; [`RecordLog::close`](crate::RecordLog::close) tells which.
    #[error("the log's writer has stopped")]
    Stopped,
}

/// A request log could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A file operation failed.
    #[error("cannot read the log at {path:?}: {kind}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        kind: ErrorKind,
    },
    /// The folder holds no file of that log.
    #[error("no log {stem:?} in {folder:?}")]
    Empty {
        /// The folder that was looked into.
        folder: PathBuf,
        /// The start of the file names that were looked for.
        stem: String,
    },
}
