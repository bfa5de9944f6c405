#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod burn_rate;
mod collector;
mod counter;
mod dashboard;
pub mod detect;
pub mod drift;
mod encode;
mod endpoint;
mod error;
mod exemplar;
mod exposition;
mod family;
mod gauge;
#[cfg(feature = "gpu")]
mod gpu;
mod histogram;
mod info;
mod kernel;
mod labels;
#[cfg(feature = "tracing")]
mod layer;
mod listing;
pub mod llm;
#[cfg(feature = "metrics")]
mod loose;
mod objective;
pub mod openmetrics;
mod process;
mod record_context;
mod record_files;
mod record_log;
mod record_reader;
mod record_scan;
#[cfg(feature = "metrics")]
mod recorder;
mod redact;
mod redact_lines;
mod registry;
mod rules;
mod sample;
mod series;
#[cfg(feature = "tower")]
mod service;
mod sketch;
mod templates;

pub use burn_rate::{BurnAlert, BurnRate, BurnRule, Severity};
pub use collector::{Collected, Collector};
pub use counter::Counter;
pub use endpoint::{Endpoint, EndpointOptions};
pub use error::{
    InstallError, LogError, ReadError, RegisterError, RuleError, ServeError, SketchError, ValueError,
};
pub use exemplar::Exemplar;
pub use exposition::{Exposition, Format};
pub use family::{Family, Series};
pub use gauge::Gauge;
#[cfg(feature = "gpu")]
pub use gpu::GpuCollector;
pub use histogram::{Histogram, HistogramOptions, buckets};
pub use info::StateSet;
#[doc(hidden)]
pub use labels::combinations;
pub use labels::{LabelSet, LabelValue};
#[cfg(feature = "tracing")]
pub use layer::MonitoringLayer;
pub use objective::{Objective, Status, Verdict};
pub use process::ProcessCollector;
pub use record_context::LogContext;
pub use record_log::{LogReport, RecordLog, RecordLogOptions, WhenFull};
pub use record_reader::{LogSummary, RecordReader};
#[cfg(feature = "metrics")]
pub use recorder::{RegistryRecorder, install_recorder};
pub use redact::{Redactor, Secrets};
pub use registry::{Registry, RegistryOptions};
pub use rules::Events;
pub use series::{Cardinality, Metric};
#[cfg(feature = "tower")]
pub use service::MetricsService;
pub use sketch::{Schema, Sketch};
pub use templates::{Template, TemplateMiner, TemplateMinerOptions};
