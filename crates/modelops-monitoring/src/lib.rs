#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod burn_rate;
mod counter;
mod encode;
mod error;
mod family;
mod gauge;
mod histogram;
mod kernel;
mod labels;
pub mod llm;
mod objective;
pub mod openmetrics;
mod record_log;
mod record_reader;
mod registry;
mod sample;
mod series;
mod sketch;

pub use burn_rate::{BurnAlert, BurnRate, BurnRule, Severity};
pub use counter::Counter;
pub use error::{LogError, ReadError, RegisterError, SketchError, ValueError};
pub use family::{Family, Series};
pub use gauge::Gauge;
pub use histogram::{Histogram, HistogramOptions, buckets};
#[doc(hidden)]
pub use labels::combinations;
pub use labels::{LabelSet, LabelValue};
pub use objective::{Objective, Status, Verdict};
pub use record_log::{LogReport, RecordLog, RecordLogOptions, WhenFull};
pub use record_reader::{LogSummary, RecordReader};
pub use registry::{Registry, RegistryOptions};
pub use series::{Cardinality, Metric};
pub use sketch::{Schema, Sketch};
