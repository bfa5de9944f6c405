//! How a plan runs: its passes and its files.
//!
//! All engines share the plan, the reader of record borders, the ledger and the outputs. The textual engine judges the
//! bytes of records, the engine of values what its cells say: both read CSV by themselves. Typed pipelines that read or write
//! other formats hand sound records to one polars plan on the streaming engine.

pub(crate) mod bounded;
pub(crate) mod outlier;
pub(crate) mod output;
pub(crate) mod passes;
pub(crate) mod references;
pub(crate) mod source;
pub(crate) mod survey;
pub(crate) mod textual;
#[cfg(feature = "frame")]
pub(crate) mod typed;
pub(crate) mod values;

use crate::engine::source::CsvSource;
use crate::error::RunError;
use crate::spec::{Format, PipelineSpec};

/// The names of the input's columns.
pub(crate) fn columns(spec: &PipelineSpec) -> Result<Vec<String>, RunError> {
    match spec.read.format {
        Format::Csv { .. } => Ok(CsvSource::open(&spec.read)?.header.names),
        #[cfg(feature = "frame")]
        Format::JsonLines => typed::json::names(&spec.read),
        #[cfg(feature = "frame")]
        Format::Parquet => typed::parquet::names(&spec.read),
        #[cfg(not(feature = "frame"))]
        _ => unreachable!("refused when the pipeline was made"),
    }
}
