//! What reading the whole input once tells: how many records, which of them cannot be read, what types fit.

use crate::engine::source::{CsvSource, Place};
use crate::error::RunError;
use crate::kernel::infer::Candidate;
use crate::plan::Plan;
use crate::spec::ColumnType;

/// A place is remembered for every so many records.
pub(crate) const STRIDE: u64 = 4096;

/// What reading the whole input once tells.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Records, sound or not, counted without the engine's help.
    pub(crate) records: u64,
    /// Records that cannot be read, in order, each with its reason.
    pub(crate) faults: Vec<(u32, u16)>,
    /// Whether the engine will read the input itself the same way.
    pub(crate) plain: bool,
    /// What types the values of each column allow.
    pub(crate) candidates: Vec<Candidate>,
    /// Columns with a value that reading changes: white space taken off, a sentinel, a quoted empty text.
    pub(crate) touched: Vec<bool>,
    pub(crate) places: Vec<Place>,
}

impl Survey {
    pub(crate) fn new(columns: usize) -> Self {
        Self {
            candidates: vec![Candidate::default(); columns],
            touched: vec![false; columns],
            ..Self::default()
        }
    }
}

/// Surveys the records of a CSV file.
pub(crate) fn survey(source: &mut CsvSource, plan: &Plan) -> Result<Survey, RunError> {
    let columns = plan.inputs;
    let mut survey = Survey::new(columns);
    let mut plain = source.header.plain;
    let judged: Vec<bool> = (0..columns)
        .map(|column| {
            plan.trim
                || !plan.sentinels[column].is_empty()
                || plan.casts[column].is_none_or(|(kind, _)| kind != ColumnType::Text)
        })
        .collect();
    let mut scratch = Vec::new();
    loop {
        let place = source.place();
        let Some(record) = source.next_record()? else {
            break;
        };
        if place.row.is_multiple_of(STRIDE) {
            survey.places.push(place);
        }
        if let Some(reason) = record.fault(columns, plan.reading) {
            survey.faults.push((record.row, reason));
            plain = false;
            continue;
        }
        plain &= !(record.traits.stray_quote || record.traits.bare_cr);
        for (column, &judged) in judged.iter().enumerate() {
            let field = record.field(column);
            // Of text that nobody looks into only a quoted empty one matters.
            if field.is_empty() || (!judged && field[0] != b'"') {
                continue;
            }
            let (text, trimmed) = record.texts(plan, column, &mut scratch);
            if plan.is_missing(column, trimmed.as_bytes()) {
                survey.touched[column] = true;
                continue;
            }
            survey.touched[column] |= trimmed.len() != text.len();
            survey.candidates[column].see(trimmed.as_bytes());
        }
    }
    survey.records = source.rows();
    survey.plain = plain;
    Ok(survey)
}

/// The type of each column, declared or as every one of its values allows; leaves the source at the first record.
pub(crate) fn kinds(source: &mut CsvSource, plan: &Plan) -> Result<Vec<ColumnType>, RunError> {
    let first = source.first();
    source.seek(first)?;
    let survey = survey(source, plan)?;
    source.seek(first)?;
    let candidates = survey.candidates.iter().zip(&plan.casts);
    Ok(candidates
        .map(|(candidate, cast)| cast.map_or(candidate.kind(), |(kind, _)| kind))
        .collect())
}
