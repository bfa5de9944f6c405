//! The textual engine: judges bytes, never rewrites them.

use crate::engine::output::{Outputs, quarantine_line};
use crate::engine::passes::{Duplicates, Learned, Learner, Verdict, resolve};
use crate::engine::source::{CsvSource, Record};
use crate::error::RunError;
use crate::kernel::fingerprint::{self, Cells};
use crate::ledger::Ledger;
use crate::plan::{Bounds, Keys, Plan, Predicate, RelOp, Test};
use crate::spec::{Equality, PipelineSpec};

/// Runs a textual pipeline: one pass for each step that has to learn, then the one that writes.
pub(crate) fn run(spec: &PipelineSpec) -> Result<Ledger, RunError> {
    let mut source = CsvSource::open(&spec.read)?;
    let plan = Plan::bind(spec, source.header.names.clone())?;
    let first = source.place();
    let mut judge = Judge::new(&plan);
    for (index, node) in plan.nodes.iter().enumerate() {
        if node.op.needs_pass() {
            let mut learner = Learner::new(&node.op);
            judge.restart();
            while let Some(record) = source.next_record()? {
                if judge.fault(&record).is_none() && judge.verdict(&record, index)? == Verdict::Keep {
                    judge.teach(&record, &node.op, &mut learner)?;
                }
            }
            judge.learned[index] = Some(learner.finish(&node.op));
            source.seek(first)?;
        }
    }

    let mut ledger = Ledger::new(0, plan.reasons.clone(), plan.steps);
    let mut outputs = Outputs::create(spec)?;
    if let Some(clean) = &mut outputs.clean {
        clean.write(&source.header.raw)?;
    }
    judge.restart();
    while let Some(record) = source.next_record()? {
        let verdict = match judge.fault(&record) {
            Some(reason) => Verdict::Refuse(reason),
            None => judge.verdict(&record, plan.nodes.len())?,
        };
        settle(&record, verdict, &mut ledger, &mut outputs)?;
    }
    ledger.set_records_in(source.rows());
    ledger.settle();
    ledger.verify()?;
    outputs.sync()?;
    outputs.commit()?;
    Ok(ledger)
}

/// Enters the outcome of a record and writes it where it belongs.
#[inline]
pub(crate) fn settle(
    record: &Record<'_>,
    verdict: Verdict,
    ledger: &mut Ledger,
    outputs: &mut Outputs,
) -> Result<(), RunError> {
    verdict.enter(ledger, record.row, 0);
    if verdict == Verdict::Keep {
        if let Some(clean) = &mut outputs.clean {
            clean.write(record.raw)?;
        }
    } else if let Some(file) = &mut outputs.quarantine
        && let Some(reason) = ledger.is_quarantined(record.row)
    {
        file.write(&quarantine_line(
            record.row,
            Some(record.line),
            Some(record.offset),
            ledger.reason(reason),
            record.raw,
        ))?;
    }
    Ok(())
}

/// Judges sound records against the nodes of a plan.
pub(crate) struct Judge<'p> {
    plan: &'p Plan,
    learned: Vec<Option<Learned>>,
    duplicates: Duplicates,
    cells: Cells,
    scratch: Vec<u8>,
}

impl<'p> Judge<'p> {
    pub(crate) fn new(plan: &'p Plan) -> Self {
        Self {
            plan,
            learned: plan.nodes.iter().map(|_| None).collect(),
            duplicates: Duplicates::new(plan),
            cells: Cells::default(),
            scratch: Vec::new(),
        }
    }

    fn restart(&mut self) {
        self.duplicates = Duplicates::new(self.plan);
    }

    /// Makes known which records of the stretch to come repeat another one at `node`.
    pub(crate) fn list(&mut self, node: usize, pairs: Vec<(u32, u32)>) {
        self.duplicates.list(node, pairs);
    }

    /// Why the record cannot be read, if it cannot.
    #[inline]
    pub(crate) fn fault(&self, record: &Record<'_>) -> Option<u16> {
        record.fault(self.plan.columns.len(), self.plan.reading)
    }

    /// What becomes of a sound record in the first `until` nodes.
    #[inline]
    pub(crate) fn verdict(&mut self, record: &Record<'_>, until: usize) -> Result<Verdict, RunError> {
        let plan = self.plan;
        for (index, node) in plan.nodes[..until].iter().enumerate() {
            match &node.op {
                RelOp::Select { predicate, reason } => {
                    if !self.holds(record, predicate)? {
                        return Ok(Verdict::Refuse(*reason));
                    }
                }
                RelOp::Distinct { keys, keep, reason } => {
                    let verdict = match self.duplicates.listed(index, record.row, *reason) {
                        Some(verdict) => verdict,
                        None => {
                            let fingerprint = self.fingerprint(record, keys);
                            let learned = self.learned[index].as_ref();
                            self.duplicates
                                .judge(index, *keep, *reason, fingerprint, record.row, learned)
                        }
                    };
                    if verdict != Verdict::Keep {
                        return Ok(verdict);
                    }
                }
                RelOp::Aggregate { .. } => {}
                RelOp::Project { .. } => unreachable!("refused when the pipeline was made"),
            }
        }
        Ok(Verdict::Keep)
    }

    #[inline]
    fn holds(&mut self, record: &Record<'_>, predicate: &Predicate) -> Result<bool, RunError> {
        let plan = self.plan;
        Ok(match predicate {
            Predicate::Cell {
                column,
                test: Test::NotNull,
            } => !is_missing(plan, record, *column, &mut self.scratch),
            Predicate::Cell {
                column,
                test: Test::Range(bounds @ Bounds::Learned { .. }),
            } => {
                let (min, max) = resolve(*bounds, &self.learned);
                let cell = record.cell(plan, *column, &mut self.scratch);
                number(plan, *column, cell)?.is_none_or(|value| value >= min && value <= max)
            }
            Predicate::Cell { column, test } => {
                test.passes_text(record.cell(plan, *column, &mut self.scratch))
            }
            Predicate::AnyPresent { columns } => columns
                .iter()
                .any(|&column| !is_missing(plan, record, column, &mut self.scratch)),
        })
    }

    #[inline]
    pub(crate) fn fingerprint(&mut self, record: &Record<'_>, keys: &Keys) -> u128 {
        let normalised = keys.equality == Equality::Normalised;
        if keys.columns.is_none() && !normalised {
            return fingerprint::of(record.body);
        }
        self.cells.clear();
        let count = keys.columns.as_ref().map_or(record.fields(), Vec::len);
        for i in 0..count {
            let column = keys.columns.as_ref().map_or(i, |columns| columns[i]);
            if normalised {
                match record.cell(self.plan, column, &mut self.scratch) {
                    Some(text) => self.cells.normalised(text),
                    None => self.cells.missing(),
                }
            } else {
                self.cells.text(record.field(column));
            }
        }
        self.cells.fingerprint()
    }

    fn teach(&mut self, record: &Record<'_>, op: &RelOp, learner: &mut Learner) -> Result<(), RunError> {
        match op {
            RelOp::Aggregate { columns, .. } => {
                for (i, column) in columns.iter().enumerate() {
                    let cell = record.cell(self.plan, *column, &mut self.scratch);
                    if let Some(value) = number(self.plan, *column, cell)? {
                        learner.value(i, value);
                    }
                }
            }
            RelOp::Distinct { keys, .. } => learner.fingerprint(self.fingerprint(record, keys), record.row),
            RelOp::Select { .. } | RelOp::Project { .. } => {}
        }
        Ok(())
    }
}

fn is_missing(plan: &Plan, record: &Record<'_>, column: usize, scratch: &mut Vec<u8>) -> bool {
    let field = record.field(column);
    if field.is_empty() {
        return true;
    }
    if !plan.trim && plan.sentinels[column].is_empty() {
        return field == b"\"\"";
    }
    record.cell(plan, column, scratch).is_none()
}

fn number(plan: &Plan, column: usize, cell: Option<&str>) -> Result<Option<f64>, RunError> {
    let Some(text) = cell else { return Ok(None) };
    text.parse().map(Some).map_err(|_| RunError::NotNumeric {
        column: plan.columns[column].clone(),
    })
}
