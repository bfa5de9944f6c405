//! Typed CSV pipelines without data frames: values are their canonical texts.
//!
//! The input is split as the textual engine splits it. A cell that is already written as its value would be written is
//! neither parsed nor printed: it is compared and copied as bytes; any other is parsed and gets its canonical text.
//! Types are those of the whole file, yet most runs read it once: they are guessed from the first records, and every
//! later value is held against the guess. Where one does not fit, the rest of the file is only read for its types, and the run
//! starts again with what is then known; nothing of the first attempt is kept.

mod bind;
mod columns;
mod judge;
mod row;
#[cfg(all(test, feature = "frame"))]
mod tests;
mod write;

use crate::engine::output::Outputs;
use crate::engine::passes::{Learned, Learner, Verdict};
use crate::engine::references;
use crate::engine::source::{Block, CsvSource, Place, Record, separator, unique_names};
use crate::error::RunError;
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::profile::Profile;
use crate::spec::{ColumnType, Format, PipelineSpec};

use columns::Columns;
use judge::{Judge, Judged, number};
use row::Row;
use write::Writer;

/// Whether this engine runs the pipeline: all of CSV but for Parquet outputs.
pub(crate) fn covers(spec: &PipelineSpec) -> bool {
    let csv = matches!(spec.read.format, Format::Csv { .. });
    csv && spec
        .write
        .as_ref()
        .is_none_or(|write| write.format != Format::Parquet)
}

/// Why an attempt has ended early.
enum Stop {
    /// A value does not fit the type that was guessed for its column; the source stands at its record.
    Misfit,
    Failed(RunError),
}

impl From<RunError> for Stop {
    fn from(error: RunError) -> Self {
        Self::Failed(error)
    }
}

/// Records that the first guess of the types rests on.
const SAMPLE: u64 = 10_000;

/// Runs a typed pipeline that this engine covers.
pub(crate) fn run(spec: &PipelineSpec) -> Result<(Ledger, Option<Profile>), RunError> {
    run_from(spec, SAMPLE)
}

/// Runs a pipeline with types guessed from the first `sample` records.
fn run_from(spec: &PipelineSpec, sample: u64) -> Result<(Ledger, Option<Profile>), RunError> {
    let mut source = CsvSource::open(&spec.read)?;
    unique_names(&source.header.names)?;
    let plan = Plan::bind(spec, source.header.names.clone())?;
    let first = source.place();
    let mut columns = Columns::guess(&mut source, &plan, separator(spec.read.format), sample)?;
    match attempt(spec, &plan, &mut source, &mut columns) {
        Ok(run) => return Ok(run),
        Err(Stop::Misfit) => {}
        // The step may be at odds with the guess alone.
        Err(Stop::Failed(
            RunError::NotNumeric { .. } | RunError::NotText { .. } | RunError::BadConstant { .. },
        )) if !columns.are_exact() => source.seek(first)?,
        Err(Stop::Failed(error)) => return Err(error),
    }
    columns.complete(&mut source)?;
    source.seek(first)?;
    attempt(spec, &plan, &mut source, &mut columns).map_err(|stop| match stop {
        Stop::Failed(error) => error,
        Stop::Misfit => unreachable!("every value has been seen"),
    })
}

/// One pass for each node that has to learn, then the one that writes.
fn attempt(
    spec: &PipelineSpec,
    plan: &Plan,
    source: &mut CsvSource,
    columns: &mut Columns<'_>,
) -> Result<(Ledger, Option<Profile>), Stop> {
    let separator = separator(spec.read.format);
    let mut learned: Vec<Option<Learned>> = references::read(plan, Some(columns.kinds()))?;
    for (index, node) in plan.nodes.iter().enumerate() {
        if node.op.needs_pass() {
            let mut learner = Learner::new(&node.op);
            let judge = Judge::new(plan, columns.kinds(), &learned, index, separator)?;
            pass(judge, source, columns, |judge, record, row, verdict, _| {
                if verdict == Verdict::Keep {
                    judge.teach(record, row, &node.op, &mut learner)?;
                }
                Ok(())
            })?;
            learned[index] = Some(learner.finish(&node.op));
        }
    }

    let kinds = columns.kinds().to_vec();
    let judge = Judge::new(plan, &kinds, &learned, plan.nodes.len(), separator)?;
    let mut ledger = Ledger::new(0, plan.reasons.clone(), plan.steps);
    let mut outputs = Outputs::create(spec)?;
    let mut writer = match (&spec.write, &mut outputs.clean) {
        (Some(to), Some(file)) => Some(Writer::new(to, &plan.columns, &kinds, separator, file)?),
        _ => None,
    };
    let mut profile = spec.profile.then(|| Profile::new(&plan.columns, &kinds));
    let mut scratch = Vec::new();
    let records = pass(judge, source, columns, |_, record, row, verdict, repairs| {
        verdict.enter(&mut ledger, record.row, repairs);
        if verdict == Verdict::Keep {
            if let Some(profile) = &mut profile {
                observe(profile, &kinds, record, row, &mut scratch);
            }
            if let (Some(writer), Some(file)) = (&mut writer, &mut outputs.clean) {
                writer.write(record, row, file)?;
            }
        } else {
            outputs.quarantine(record, &ledger)?;
        }
        Ok(())
    })?;
    ledger.set_records_in(records);
    ledger.settle();
    ledger.verify().map_err(RunError::from)?;
    outputs.sync()?;
    outputs.commit()?;
    Ok((ledger, profile))
}

/// Judges every record and hands it over with its verdict and repairs; gives the number of records, and leaves the source at
/// the first one.
fn pass(
    mut judge: Judge<'_>,
    source: &mut CsvSource,
    columns: &mut Columns<'_>,
    mut take: impl FnMut(&mut Judge<'_>, &Record<'_>, &Row, Verdict, u64) -> Result<(), RunError>,
) -> Result<u64, Stop> {
    let mut block = Block::default();
    let mut judged: Vec<Judged> = Vec::new();
    loop {
        source.next_block(&mut block)?;
        if block.len() == 0 {
            break;
        }
        if source.rows() == block.len() as u64 {
            judge.duplicates.expect(source.expected_rows()?);
        }
        if let Err(misfit) = judge.look_ahead(columns, source, &block, &mut judged) {
            let record = source.record(&block, misfit.at);
            let place = Place {
                row: u64::from(record.row),
                line: record.line,
                offset: record.offset,
            };
            source.seek(place)?;
            return Err(Stop::Misfit);
        }
        for (at, judged) in judged.iter_mut().enumerate() {
            let record = source.record(&block, at);
            let verdict = judge.verdict_after(&record, judged);
            take(&mut judge, &record, &judged.row, verdict, judged.repairs)?;
        }
    }
    columns.confirm();
    let records = source.rows();
    source.seek(source.first())?;
    Ok(records)
}

/// Shows a clean row to the profile.
fn observe(
    profile: &mut Profile,
    kinds: &[ColumnType],
    record: &Record<'_>,
    row: &Row,
    scratch: &mut Vec<u8>,
) {
    for (column, kind) in kinds.iter().enumerate() {
        let text = row.text(record, column, scratch);
        match kind {
            ColumnType::Int | ColumnType::Float => profile.number(column, text.map(number)),
            ColumnType::Bool | ColumnType::Text => profile.text(column, text),
        }
    }
    profile.rows(1);
}
