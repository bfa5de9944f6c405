//! The textual engine: judges bytes, never rewrites them.

use std::ops::Range;

use crate::engine::output::Outputs;
use crate::engine::passes::{Duplicates, Learned, Learner, Verdict, resolve};
use crate::engine::references;
use crate::engine::source::{Block, CsvSource, Record};
use crate::engine::survey;
use crate::error::RunError;
use crate::kernel::fingerprint::{self, Cells};
use crate::ledger::Ledger;
use crate::plan::{Bounds, Keys, Plan, Predicate, RelOp, Test};
use crate::spec::{ColumnType, Equality, PipelineSpec};

/// Runs a textual pipeline: one pass for each step that has to learn, then the one that writes.
pub(crate) fn run(spec: &PipelineSpec) -> Result<Ledger, RunError> {
    let mut source = CsvSource::open(&spec.read)?;
    let plan = Plan::bind(spec, source.header.names.clone())?;
    let first = source.place();
    let mut judge = Judge::new(&plan, &mut source)?;
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
    let mut block = Block::default();
    let mut ahead = Vec::new();
    loop {
        source.next_block(&mut block)?;
        if block.len() == 0 {
            break;
        }
        if source.rows() == block.len() as u64 {
            judge.duplicates.expect(source.expected_rows()?);
        }
        judge.look_ahead(&source, &block, &mut ahead)?;
        for (at, ahead) in ahead.iter().enumerate() {
            let record = source.record(&block, at);
            let verdict = judge.verdict_after(&record, *ahead)?;
            settle(&record, verdict, &mut ledger, &mut outputs)?;
        }
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
    } else {
        outputs.quarantine(record, ledger)?;
    }
    Ok(())
}

/// How far a record has been judged without knowing the records before it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ahead {
    Refuse(u16),
    /// Nothing is known yet: the plan has no distinct node.
    Open,
    /// It reaches the first distinct node, with this fingerprint.
    Print(usize, u128),
}

/// Judges sound records against the nodes of a plan.
pub(crate) struct Judge<'p> {
    plan: &'p Plan,
    learned: Vec<Option<Learned>>,
    duplicates: Duplicates,
    /// The type of each column, where a node compares values.
    kinds: Vec<ColumnType>,
    cells: Cells,
    scratch: Vec<u8>,
    other: Vec<u8>,
}

impl<'p> Judge<'p> {
    /// A judge who knows the types of the columns where a node asks for them: that takes one pass over `source`, which
    /// is left at its first record.
    pub(crate) fn new(plan: &'p Plan, source: &mut CsvSource) -> Result<Self, RunError> {
        let by_value =
            |op: &RelOp| matches!(op, RelOp::Distinct { keys, .. } if keys.equality == Equality::Typed);
        let kinds = if plan.nodes.iter().any(|node| by_value(&node.op)) {
            survey::kinds(source, plan)?
        } else {
            Vec::new()
        };
        Ok(Self {
            plan,
            learned: references::read(plan, None)?,
            duplicates: Duplicates::new(plan),
            kinds,
            cells: Cells::default(),
            scratch: Vec::new(),
            other: Vec::new(),
        })
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
        record.fault(self.plan.inputs, self.plan.reading)
    }

    /// Judges every record of a block as far as it goes without knowing the records before it, and reads ahead what the
    /// first distinct node will ask for.
    pub(crate) fn look_ahead(
        &mut self,
        source: &CsvSource,
        block: &Block,
        ahead: &mut Vec<Ahead>,
    ) -> Result<(), RunError> {
        let plan = self.plan;
        let distinct = plan
            .nodes
            .iter()
            .enumerate()
            .find_map(|(at, node)| match &node.op {
                RelOp::Distinct { keys, .. } => Some((at, keys)),
                _ => None,
            });
        ahead.clear();
        for at in 0..block.len() {
            let record = source.record(block, at);
            ahead.push(match (self.fault(&record), distinct) {
                (Some(reason), _) => Ahead::Refuse(reason),
                (None, None) => Ahead::Open,
                (None, Some((node, keys))) => match self.verdict(&record, node)? {
                    Verdict::Keep => Ahead::Print(node, self.fingerprint(&record, keys)),
                    Verdict::Refuse(reason) => Ahead::Refuse(reason),
                    Verdict::Duplicate { .. } => unreachable!("no distinct node has been asked yet"),
                },
            });
        }
        if let Some((node, _)) = distinct {
            let prints = ahead.iter().filter_map(|ahead| match ahead {
                Ahead::Print(_, print) => Some(*print),
                _ => None,
            });
            self.duplicates.touch(node, prints);
        }
        Ok(())
    }

    /// What becomes of a record that has been looked at ahead.
    #[inline]
    pub(crate) fn verdict_after(&mut self, record: &Record<'_>, ahead: Ahead) -> Result<Verdict, RunError> {
        match ahead {
            Ahead::Refuse(reason) => Ok(Verdict::Refuse(reason)),
            Ahead::Open => self.verdict(record, self.plan.nodes.len()),
            Ahead::Print(node, print) => {
                let verdict = self.distinct(record, node, Some(print));
                if verdict != Verdict::Keep {
                    return Ok(verdict);
                }
                self.verdict_between(record, node + 1..self.plan.nodes.len())
            }
        }
    }

    /// What becomes of a sound record in the first `until` nodes.
    #[inline]
    pub(crate) fn verdict(&mut self, record: &Record<'_>, until: usize) -> Result<Verdict, RunError> {
        self.verdict_between(record, 0..until)
    }

    #[inline]
    fn verdict_between(&mut self, record: &Record<'_>, nodes: Range<usize>) -> Result<Verdict, RunError> {
        let plan = self.plan;
        for index in nodes {
            match &plan.nodes[index].op {
                RelOp::Select { predicate, reason } => {
                    if !self.holds(record, index, predicate)? {
                        return Ok(Verdict::Refuse(*reason));
                    }
                }
                RelOp::Distinct { .. } => {
                    let verdict = self.distinct(record, index, None);
                    if verdict != Verdict::Keep {
                        return Ok(verdict);
                    }
                }
                RelOp::Deny { reason, .. } | RelOp::Isolate { reason, .. } => {
                    if self.learned[index]
                        .as_ref()
                        .is_some_and(|rows| rows.has_row(record.row))
                    {
                        return Ok(Verdict::Refuse(*reason));
                    }
                }
                RelOp::Aggregate { .. } => {}
                RelOp::Project { .. } => unreachable!("refused when the pipeline was made"),
            }
        }
        Ok(Verdict::Keep)
    }

    /// The verdict of a distinct node; `print` is the fingerprint where it is known.
    #[inline]
    fn distinct(&mut self, record: &Record<'_>, index: usize, print: Option<u128>) -> Verdict {
        let RelOp::Distinct { keys, keep, reason } = &self.plan.nodes[index].op else {
            unreachable!("only distinct nodes are asked")
        };
        if let Some(verdict) = self.duplicates.listed(index, record.row, *reason) {
            return verdict;
        }
        let print = print.unwrap_or_else(|| self.fingerprint(record, keys));
        let learned = self.learned[index].as_ref();
        self.duplicates
            .judge(index, *keep, *reason, print, record.row, learned)
    }

    #[inline]
    fn holds(&mut self, record: &Record<'_>, node: usize, predicate: &Predicate) -> Result<bool, RunError> {
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
            Predicate::Compare {
                left,
                comparison,
                right,
            } => {
                let left = record.cell(plan, *left, &mut self.scratch);
                let right = record.cell(plan, *right, &mut self.other);
                left.zip(right)
                    .is_none_or(|(left, right)| comparison.holds(left, right))
            }
            Predicate::Referenced { columns, .. } => {
                self.cells.clear();
                for &column in columns {
                    match record.cell(plan, column, &mut self.scratch) {
                        Some(text) => references::lay(&mut self.cells, None, text),
                        None => return Ok(true),
                    }
                }
                let key = self.cells.fingerprint();
                self.learned[node].as_ref().is_some_and(|keys| keys.has_key(key))
            }
        })
    }

    #[inline]
    pub(crate) fn fingerprint(&mut self, record: &Record<'_>, keys: &Keys) -> u128 {
        if keys.columns.is_none() && keys.equality == Equality::Exact {
            return fingerprint::of(record.body);
        }
        self.cells.clear();
        let count = keys.columns.as_ref().map_or(record.fields(), Vec::len);
        for i in 0..count {
            let column = keys.columns.as_ref().map_or(i, |columns| columns[i]);
            if keys.equality == Equality::Exact {
                self.cells.text(record.field(column));
                continue;
            }
            match record.cell(self.plan, column, &mut self.scratch) {
                None => self.cells.missing(),
                Some(text) if keys.equality == Equality::Normalised => self.cells.normalised(text),
                Some(text) => self.cells.value(self.kinds[column], text),
            }
        }
        self.cells.fingerprint()
    }

    /// Makes known the intervals of the aggregate at `node`.
    #[cfg(feature = "distributed")]
    pub(crate) fn set_intervals(&mut self, node: usize, intervals: Vec<(f64, f64)>) {
        self.learned[node] = Some(Learned::Intervals(intervals));
    }

    /// The number in a cell of a sound record.
    #[cfg(feature = "distributed")]
    pub(crate) fn number(&mut self, record: &Record<'_>, column: usize) -> Result<Option<f64>, RunError> {
        let cell = record.cell(self.plan, column, &mut self.scratch);
        number(self.plan, column, cell)
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
            RelOp::Isolate { columns, .. } => {
                let mut numbers = Vec::with_capacity(columns.len());
                for &column in columns {
                    let cell = record.cell(self.plan, column, &mut self.scratch);
                    numbers.push(number(self.plan, column, cell)?);
                }
                learner.numbers(numbers.into_iter(), record.row);
            }
            RelOp::Deny { columns, .. } => {
                let mut cells = Vec::with_capacity(columns.len());
                for &column in columns {
                    let cell = record.cell(self.plan, column, &mut self.scratch);
                    cells.push(cell.unwrap_or_default().to_owned());
                }
                learner.cells(cells, record.row);
            }
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
