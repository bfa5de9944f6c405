//! The typed engine: sound records go through one polars plan on the streaming engine, in input order.
//!
//! A survey reads the whole input first: it counts the records, sets aside those that cannot be read, and learns what
//! type each column can have. polars then sees only what it is sure to read the same way, from the input itself where
//! that is plain, else from a staged copy of the sound records. The rows it delivers are counted against the survey.

mod consume;
pub(super) mod json;
pub(super) mod parquet;
mod query;
mod stage;
mod write;

use std::path::PathBuf;

use polars::prelude::{DataFrame, LazyFrame};

use crate::engine::output::{Pending, quarantine_line};
use crate::engine::passes::Learner;
use crate::engine::references;
use crate::engine::source::CsvSource;
use crate::engine::survey::Survey;
use crate::error::RunError;
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::profile::Profile;
use crate::spec::{Format, PipelineSpec};

use consume::Consumer;
use query::Input;
use write::CleanWriter;

pub(super) fn engine(error: &polars::error::PolarsError) -> RunError {
    RunError::Engine(crate::error::EngineError::new(error))
}

/// Runs a typed pipeline.
pub(crate) fn run(spec: &PipelineSpec) -> Result<(Ledger, Option<Profile>), RunError> {
    let (survey, plan, staged) = match spec.read.format {
        Format::Csv { .. } => stage::csv(spec)?,
        Format::JsonLines => stage::json_lines(spec)?,
        Format::Parquet => parquet::survey(spec)?,
    };
    let input = Input::new(spec, &survey, &plan, staged.as_ref().map(stage::Staged::path))?;

    let mut learned = references::read(&plan, Some(input.kinds()))?;
    for (index, node) in plan.nodes.iter().enumerate() {
        let op = &node.op;
        if op.needs_pass() {
            let mut learner = Learner::new(op);
            let frame = input.query(&plan, &learned, index)?;
            let mut consumer = Consumer::new(&plan, &survey, &learned, index);
            drive(frame, &survey, |batch| consumer.teach(batch, op, &mut learner))?;
            learned[index] = Some(learner.finish(op));
        }
    }

    let frame = input.query(&plan, &learned, plan.nodes.len())?;
    let mut ledger = Ledger::new(survey.records, plan.reasons.clone(), plan.steps);
    for &(row, reason) in &survey.faults {
        ledger.refuse(row, reason);
    }
    let mut clean = spec
        .write
        .as_ref()
        .map(|write| CleanWriter::create(write, &plan.columns, input.kinds()))
        .transpose()?;
    let mut quarantine = spec.quarantine.as_deref().map(Pending::create).transpose()?;
    let mut profile = spec.profile.then(|| Profile::new(&plan.columns, input.kinds()));
    let mut consumer = Consumer::new(&plan, &survey, &learned, plan.nodes.len());
    let parquet = spec.read.format == Format::Parquet;
    drive(frame, &survey, |batch| {
        let sound = consumer.settle(
            batch,
            &mut ledger,
            |row, reason, raw| match &mut quarantine {
                Some(file) if parquet => {
                    let reason = &plan.reasons.reason(reason).0;
                    file.write(&quarantine_line(row, None, None, reason, raw.as_bytes()))
                }
                _ => Ok(()),
            },
            parquet,
        )?;
        if let Some(profile) = &mut profile {
            consume::observe(profile, &sound);
        }
        match &mut clean {
            Some(clean) => clean.write(sound),
            None => Ok(()),
        }
    })?;
    ledger.settle();
    ledger.verify()?;
    if let Some(file) = &mut quarantine
        && !parquet
    {
        quarantined_records(spec, &survey, &ledger, file)?;
    }
    if let Some(file) = &mut quarantine {
        file.finish()?;
    }
    let clean = clean.map(CleanWriter::finish).transpose()?;
    for file in [quarantine, clean].into_iter().flatten() {
        file.commit()?;
    }
    Ok((ledger, profile))
}

/// Runs the plan and hands its batches, in input order, to `take`; then checks that none is missing.
fn drive(
    frame: LazyFrame,
    survey: &Survey,
    mut take: impl FnMut(DataFrame) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let mut delivered = 0u64;
    let result = query::batches(frame, |batch| {
        delivered += batch.height() as u64;
        take(batch)
    });
    result?;
    let expected = survey.records - survey.faults.len() as u64;
    if delivered == expected {
        Ok(())
    } else {
        Err(RunError::RowsLost { expected, delivered })
    }
}

/// Reads the quarantined records once more, from the input, so that their bytes are exactly what came in.
fn quarantined_records(
    spec: &PipelineSpec,
    survey: &Survey,
    ledger: &Ledger,
    file: &mut Pending,
) -> Result<(), RunError> {
    if ledger.quarantined() == 0 {
        return Ok(());
    }
    let mut write = |row: u32, line: u64, offset: u64, raw: &[u8]| match ledger.is_quarantined(row) {
        Some(reason) => file.write(&quarantine_line(
            row,
            Some(line),
            Some(offset),
            ledger.reason(reason),
            raw,
        )),
        None => Ok(()),
    };
    if spec.read.format == Format::JsonLines {
        return json::each_line(&spec.read, |line| {
            write(line.row, line.line, line.offset, line.raw)
        });
    }
    let mut source = CsvSource::open(&spec.read)?;
    for (index, &place) in survey.places.iter().enumerate() {
        let end = survey
            .places
            .get(index + 1)
            .map_or(survey.records, |next| next.row);
        if !(place.row..end).any(|row| ledger.is_quarantined(row as u32).is_some()) {
            continue;
        }
        source.seek(place)?;
        for _ in place.row..end {
            let Some(record) = source.next_record()? else {
                break;
            };
            write(record.row, record.line, record.offset, record.raw)?;
        }
    }
    Ok(())
}

/// Bound plan, survey and, where the engine must not read the input itself, the staged copy.
type Surveyed = (Survey, Plan, Option<stage::Staged>);

/// A folder where a temporary file may stand: that of an output, else the system's.
fn scratch_folder(spec: &PipelineSpec) -> PathBuf {
    let output = spec
        .write
        .as_ref()
        .map(|write| &write.path)
        .or(spec.quarantine.as_ref());
    match output.and_then(|path| path.parent()) {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        Some(_) => PathBuf::from("."),
        None => std::env::temp_dir(),
    }
}
