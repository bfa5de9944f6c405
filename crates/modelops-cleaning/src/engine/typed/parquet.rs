//! Parquet: the footer counts the records and names the types.

use std::fs::File;

use polars::prelude::{DataType, ParquetReader, SerReader as _};

use crate::engine::source::unique_names;
use crate::engine::survey::Survey;
use crate::engine::typed::{Surveyed, engine};
use crate::error::RunError;
use crate::kernel::infer::Candidate;
use crate::plan::Plan;
use crate::spec::{PipelineSpec, Read};

/// The names of the columns.
pub(in crate::engine) fn names(read: &Read) -> Result<Vec<String>, RunError> {
    let file = File::open(&read.path).map_err(RunError::io(&read.path))?;
    let schema = ParquetReader::new(file).schema().map_err(|e| engine(&e))?;
    Ok(schema.iter_names().map(ToString::to_string).collect())
}

/// Reads names, types and the record count from the footer.
pub(super) fn survey(spec: &PipelineSpec) -> Result<Surveyed, RunError> {
    let file = File::open(&spec.read.path).map_err(RunError::io(&spec.read.path))?;
    let mut reader = ParquetReader::new(file);
    let records = reader.num_rows().map_err(|e| engine(&e))? as u64;
    let schema = reader.schema().map_err(|e| engine(&e))?;
    let names: Vec<String> = schema.iter_names().map(ToString::to_string).collect();
    unique_names(&names)?;
    let plan = Plan::bind(spec, names)?;
    let mut survey = Survey::new(plan.inputs);
    survey.records = records;
    survey.plain = true;
    for (at, field) in schema.iter_values().enumerate() {
        let kind = DataType::from_arrow_field(field);
        survey.candidates[at] = match kind {
            DataType::Boolean => Candidate::of(crate::ColumnType::Bool),
            DataType::Float32 | DataType::Float64 => Candidate::of(crate::ColumnType::Float),
            DataType::UInt64 => Candidate::of(crate::ColumnType::Float),
            DataType::Int64 | DataType::Int32 | DataType::UInt32 => Candidate::of(crate::ColumnType::Int),
            DataType::String | DataType::Null => Candidate::of(crate::ColumnType::Text),
            _ => {
                return Err(RunError::UnsupportedColumn {
                    column: plan.columns[at].clone(),
                });
            }
        };
        // Text may still be trimmed or stand for a missing value.
        survey.touched[at] = kind == DataType::String;
    }
    Ok((survey, plan, None))
}
