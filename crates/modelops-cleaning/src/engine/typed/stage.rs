//! Staged copies: sound records rewritten so that the engine can only read them one way.

use std::path::Path;

use crate::engine::source::{CsvSource, separator, unique_names};
use crate::engine::survey;
use crate::engine::typed::{Surveyed, json, scratch_folder};
use crate::error::RunError;
use crate::kernel::csv::{unquote, write_field};
use crate::plan::Plan;
use crate::spec::PipelineSpec;

/// A temporary CSV file of the sound records, gone with this value.
#[derive(Debug)]
pub(super) struct Staged(tempfile::NamedTempFile);

impl Staged {
    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// A staged copy being written; always separated by commas, with a header of positions.
pub(super) struct Stage {
    file: std::io::BufWriter<tempfile::NamedTempFile>,
    line: Vec<u8>,
    path: std::path::PathBuf,
}

impl Stage {
    pub(super) fn create(spec: &PipelineSpec, columns: usize) -> Result<Self, RunError> {
        let folder = scratch_folder(spec);
        let file = tempfile::Builder::new()
            .prefix(".staged-")
            .suffix(".csv")
            .tempfile_in(&folder)
            .map_err(RunError::io(&folder))?;
        let path = file.path().to_path_buf();
        let mut stage = Self {
            file: std::io::BufWriter::with_capacity(1 << 20, file),
            line: Vec::new(),
            path,
        };
        for column in 0..columns {
            stage.field(format!("c{column}").as_bytes());
        }
        stage.end()?;
        Ok(stage)
    }

    pub(super) fn field(&mut self, text: &[u8]) {
        write_field(&mut self.line, text, b',');
        self.line.push(b',');
    }

    pub(super) fn end(&mut self) -> Result<(), RunError> {
        use std::io::Write as _;
        self.line.pop();
        if self.line.is_empty() {
            // A single empty field: without quotes the line would be blank.
            self.line.extend_from_slice(b"\"\"");
        }
        self.line.push(b'\n');
        self.file
            .write_all(&self.line)
            .map_err(RunError::io(&self.path))?;
        self.line.clear();
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Staged, RunError> {
        let file = self.file.into_inner().map_err(|error| RunError::Io {
            path: self.path.clone(),
            kind: error.error().kind(),
        })?;
        Ok(Staged(file))
    }
}

/// Surveys a CSV file and stages its sound records where the engine might read the file another way.
pub(super) fn csv(spec: &PipelineSpec) -> Result<Surveyed, RunError> {
    let mut source = CsvSource::open(&spec.read)?;
    unique_names(&source.header.names)?;
    let plan = Plan::bind(spec, source.header.names.clone())?;
    let first = source.place();
    let mut survey = survey::survey(&mut source, &plan)?;
    if survey.plain {
        return Ok((survey, plan, None));
    }
    source.seek(first)?;
    let columns = plan.inputs;
    let mut stage = Stage::create(spec, columns)?;
    let mut scratch = Vec::new();
    while let Some(record) = source.next_record()? {
        if record.fault(columns, plan.reading).is_some() {
            continue;
        }
        for column in 0..columns {
            stage.field(unquote(record.field(column), &mut scratch));
        }
        stage.end()?;
    }
    if columns == 1 {
        survey.touched[0] = true;
    }
    Ok((survey, plan, Some(stage.finish()?)))
}

/// Surveys a file of JSON lines and stages its objects as CSV.
pub(super) fn json_lines(spec: &PipelineSpec) -> Result<Surveyed, RunError> {
    let names = json::names(&spec.read)?;
    let plan = Plan::bind(spec, names)?;
    let mut stage = Stage::create(spec, plan.inputs)?;
    let survey = json::survey(spec, &plan, &mut stage)?;
    Ok((survey, plan, Some(stage.finish()?)))
}

pub(super) fn comma_or(spec: &PipelineSpec, staged: bool) -> u8 {
    if staged { b',' } else { separator(spec.read.format) }
}
