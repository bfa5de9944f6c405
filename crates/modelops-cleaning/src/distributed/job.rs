//! The work on one shard: read it, and write files for the engine or the final parts.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::DistributedError;
use super::id::{RowId, order_key};
use super::work::{Partial, Rows, Work, part, read_json, read_rows, read_rows_of_file, staging, write_json};
use crate::engine::outlier;
use crate::engine::output::quarantine_line;
use crate::engine::passes::{Listed, Verdict};
use crate::engine::source::CsvSource;
use crate::engine::textual::Judge;
use crate::error::RunError;
use crate::kernel::exact::ExactSum;
use crate::ledger::Disposition;
use crate::plan::{Plan, RelOp};
use crate::spec::PipelineSpec;
use crate::sql::Table;

/// One job: what to do with one shard. It can be sent anywhere as JSON, as long as the paths mean the same there.
///
/// Running a job that is done already does nothing; running it twice at the same time writes the same bytes twice. A
/// job that is killed leaves nothing that counts.
///
/// # Example
/// ```
/// use modelops_cleaning::distributed::ShardJob;
///
/// // What a worker on another machine does with the text that a `JobRunner` sent it.
/// fn work(text: &str) -> Result<(), Box<dyn std::error::Error>> {
///     Ok(serde_json::from_str::<ShardJob>(text)?.run()?)
/// }
/// assert!(work("{}").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardJob {
    pub(crate) spec: PipelineSpec,
    pub(crate) work: PathBuf,
    pub(crate) columns: Vec<String>,
    pub(crate) shard: u32,
    pub(crate) input: PathBuf,
    pub(crate) task: Task,
}

/// What a job is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Task {
    /// The keys of the records that reach a node that keeps one of equal ones.
    Keys { node: usize },
    /// The exact sums of the values that reach an aggregate.
    Sums { node: usize },
    /// The exact sums of the squares of their distances from the mean.
    Squares { node: usize },
    /// The values themselves.
    Values { node: usize },
    /// Their distances from the median.
    Deviations { node: usize },
    /// The clean records, the quarantined ones and the ledger.
    Write,
}

impl Task {
    pub(crate) fn stage(self) -> String {
        match self {
            Self::Keys { node } => format!("{node:02}-keys"),
            Self::Sums { node } => format!("{node:02}-sums"),
            Self::Squares { node } => format!("{node:02}-squares"),
            Self::Values { node } => format!("{node:02}-values"),
            Self::Deviations { node } => format!("{node:02}-deviations"),
            Self::Write => "write".into(),
        }
    }

    /// The table that the engine reads, where it reads one.
    pub(crate) fn table(self) -> Option<Table> {
        match self {
            Self::Keys { .. } => Some(Table::Keys),
            Self::Sums { .. } | Self::Squares { .. } => Some(Table::Parts),
            Self::Values { .. } | Self::Deviations { .. } => Some(Table::Values),
            Self::Write => None,
        }
    }

    fn node(self) -> Option<usize> {
        match self {
            Self::Keys { node }
            | Self::Sums { node }
            | Self::Squares { node }
            | Self::Values { node }
            | Self::Deviations { node } => Some(node),
            Self::Write => None,
        }
    }
}

/// What a finished job says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mark {
    /// Records that the counter saw.
    pub(crate) records: u64,
    /// Records that reached the node, or were kept.
    pub(crate) reached: u64,
    /// For each series of an aggregate the number of finite values.
    pub(crate) values: Vec<u64>,
    /// Rows that were written for the engine.
    pub(crate) rows: u64,
    /// Whether a square in a series was too large for a double.
    pub(crate) infinite: Vec<bool>,
    /// For each reason of the plan the number of records.
    pub(crate) reasons: Vec<u64>,
}

/// What an aggregate has learned: doubles as bits, since JSON has no infinities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Statistics {
    /// The mean or the median of each series, for the second look.
    pub(crate) centres: Vec<u64>,
    /// The interval of each series, once it is known.
    pub(crate) intervals: Vec<(u64, u64)>,
}

impl Statistics {
    pub(crate) fn stage(node: usize) -> String {
        format!("{node:02}-statistics")
    }
}

impl ShardJob {
    /// The shard it works on, from 0.
    #[must_use]
    pub fn shard(&self) -> u32 {
        self.shard
    }

    /// The file that holds the shard.
    #[must_use]
    pub fn input(&self) -> &Path {
        &self.input
    }

    pub(crate) fn mark(&self) -> Result<Option<Mark>, DistributedError> {
        read_json(&Work::new(&self.work).mark(&self.task.stage(), self.shard))
    }

    /// Does the work, unless it is done.
    ///
    /// # Errors
    /// [`DistributedError::Shard`] with what stopped the shard, or errors of the work folder's files.
    ///
    /// # Complexity
    /// One pass over the shard. Memory: a chunk, and 16 bytes for each record of the shard and each earlier step that
    /// drops duplicates.
    pub fn run(&self) -> Result<(), DistributedError> {
        if self.mark()?.is_some() {
            return Ok(());
        }
        let of_shard = |error| DistributedError::Shard {
            shard: self.shard,
            error,
        };
        let mut read = self.spec.read.clone();
        read.path.clone_from(&self.input);
        let mut source = CsvSource::open(&read).map_err(of_shard)?;
        if source.header.names != self.columns {
            return Err(DistributedError::Columns {
                path: self.input.clone(),
            });
        }
        let plan = Plan::bind(&self.spec, self.columns.clone()).map_err(of_shard)?;
        let mut judge = Judge::new(&plan, &mut source).map_err(of_shard)?;
        let until = self.task.node().unwrap_or(plan.nodes.len());
        let mut survivors = Vec::new();
        for node in 0..until {
            self.learn(&plan, node, &mut judge, &mut survivors)?;
        }
        let mark = match self.task {
            Task::Write => self.write(&plan, &mut judge, &mut source, &survivors),
            _ => self.gather(&plan, &mut judge, &mut source, until),
        }
        .map_err(of_shard)?;
        let path = Work::new(&self.work).mark(&self.task.stage(), self.shard);
        write_json(&path, &mark).map_err(of_shard)
    }

    /// Tells the judge what the engine has found out for a node. The rows that it lists name their survivors by their
    /// places in `survivors`, since those may lie in other shards.
    fn learn(
        &self,
        plan: &Plan,
        node: usize,
        judge: &mut Judge<'_>,
        survivors: &mut Vec<RowId>,
    ) -> Result<(), DistributedError> {
        match &plan.nodes[node].op {
            RelOp::Select { .. } | RelOp::Project { .. } | RelOp::Deny { .. } | RelOp::Isolate { .. } => {}
            RelOp::Aggregate { .. } => {
                let path = Work::new(&self.work).learned(&Statistics::stage(node));
                let statistics: Statistics =
                    read_json(&path)?.ok_or_else(|| DistributedError::damaged(&path))?;
                let doubles = |&(low, high): &(u64, u64)| (f64::from_bits(low), f64::from_bits(high));
                judge.set_intervals(node, statistics.intervals.iter().map(doubles).collect());
            }
            RelOp::Distinct { .. } => {
                let mut repeated = Vec::new();
                for (row, survivor) in self.decisions(node)? {
                    if survivor == self.id(row).number() {
                        continue;
                    }
                    let place = match RowId::from_number(survivor) {
                        Some(id) => {
                            survivors.push(id);
                            survivors.len() as u32 - 1
                        }
                        None => Listed::NONE,
                    };
                    repeated.push((row, place));
                }
                judge.list(node, repeated);
            }
        }
        Ok(())
    }

    fn id(&self, row: u32) -> RowId {
        RowId {
            shard: self.shard,
            ordinal: row.into(),
        }
    }

    /// For each record that reached a node, in order, the id of the one that survives: the engine has answered for each
    /// that it was asked about and for no other.
    fn decisions(&self, node: usize) -> Result<Vec<(u32, i64)>, DistributedError> {
        let work = Work::new(&self.work);
        let decisions = self.whole_answer(&work, node);
        if decisions.as_ref().is_err_and(DistributedError::is_of_an_answer) {
            // The driver may hear of it only as a lost job.
            work.refuse();
        }
        decisions
    }

    fn whole_answer(&self, work: &Work, node: usize) -> Result<Vec<(u32, i64)>, DistributedError> {
        let stage = Task::Keys { node }.stage();
        let folder = work.answer(&stage).join(format!("shard={}", self.shard));
        let row = |id: i64| {
            let id = RowId::from_number(id).filter(|id| id.shard == self.shard)?;
            u32::try_from(id.ordinal).ok()
        };
        let mut decisions = Vec::new();
        read_rows::<2>(&folder, |[id, survivor]| {
            decisions.push((
                row(id).ok_or_else(|| DistributedError::damaged(&folder))?,
                survivor,
            ));
            Ok(())
        })?;
        decisions.sort_unstable();
        let question = work
            .input(&stage, Table::Keys.name())
            .join(part(self.shard, "csv"));
        let mut asked = 0;
        let mut same = true;
        read_rows_of_file::<3>(&question, |[id, _, _]| {
            same &= decisions.get(asked).map(|decision| decision.0) == row(id);
            asked += 1;
            Ok(())
        })?;
        if same && asked == decisions.len() {
            Ok(decisions)
        } else {
            Err(DistributedError::RecordsLost {
                asked: asked as u64,
                answered: decisions.len() as u64,
            })
        }
    }

    /// Writes what the engine needs to know of the records that reach a node.
    fn gather(
        &self,
        plan: &Plan,
        judge: &mut Judge<'_>,
        source: &mut CsvSource,
        node: usize,
    ) -> Result<Mark, RunError> {
        let table = self.task.table().expect("tasks that gather have a table");
        let folder = Work::new(&self.work).input(&self.task.stage(), table.name());
        let mut rows = Rows::create(&folder, self.shard)?;
        let mut mark = Mark::default();
        let op = &plan.nodes[node].op;
        let mut series = match op {
            RelOp::Aggregate { columns, .. } => Series::new(self.task, columns.len(), self.centres(node)?),
            _ => Series::new(self.task, 0, Vec::new()),
        };
        while let Some(record) = source.next_record()? {
            let sound = judge.fault(&record).is_none();
            if !sound || judge.verdict(&record, node)? != Verdict::Keep {
                continue;
            }
            mark.reached += 1;
            match op {
                RelOp::Distinct { keys, .. } => {
                    let key = judge.fingerprint(&record, keys);
                    let id = self.id(record.row).number();
                    rows.push([id, (key >> 64) as i64, key as i64])?;
                }
                RelOp::Aggregate { columns, .. } => {
                    for (at, &column) in columns.iter().enumerate() {
                        if let Some(value) = judge.number(&record, column)?.filter(|v| v.is_finite()) {
                            series.take(at, value, &mut rows)?;
                        }
                    }
                }
                RelOp::Select { .. } | RelOp::Project { .. } | RelOp::Deny { .. } | RelOp::Isolate { .. } => {
                    unreachable!("such a node asks the engine for nothing")
                }
            }
        }
        series.finish(&mut rows, &mut mark)?;
        mark.records = source.rows();
        mark.rows = rows.commit()?;
        Ok(mark)
    }

    fn centres(&self, node: usize) -> Result<Vec<f64>, RunError> {
        if matches!(self.task, Task::Sums { .. } | Task::Values { .. }) {
            return Ok(Vec::new());
        }
        let path = Work::new(&self.work).learned(&Statistics::stage(node));
        let damaged = || RunError::Io {
            path: path.clone(),
            kind: std::io::ErrorKind::InvalidData,
        };
        let statistics: Option<Statistics> = read_json(&path).map_err(|_| damaged())?;
        let centres = statistics.ok_or_else(damaged)?.centres;
        Ok(centres.into_iter().map(f64::from_bits).collect())
    }

    /// Writes the shard's part of every output.
    fn write(
        &self,
        plan: &Plan,
        judge: &mut Judge<'_>,
        source: &mut CsvSource,
        survivors: &[RowId],
    ) -> Result<Mark, RunError> {
        let create =
            |output: &Path, extension| Partial::create(staging(output).join(part(self.shard, extension)));
        let clean = self.spec.write.as_ref().map(|write| create(&write.path, "csv"));
        let mut clean = clean.transpose()?;
        let quarantine = self.spec.quarantine.as_ref().map(|path| create(path, "jsonl"));
        let mut quarantine = quarantine.transpose()?;
        let mut ledger = Partial::create(Work::new(&self.work).ledger().join(part(self.shard, "jsonl")))?;
        if let Some(clean) = &mut clean {
            clean.write(&source.header.raw)?;
        }
        let mut mark = Mark {
            reasons: vec![0; plan.reasons.len()],
            ..Mark::default()
        };
        while let Some(record) = source.next_record()? {
            let verdict = match judge.fault(&record) {
                Some(reason) => Verdict::Refuse(reason),
                None => judge.verdict(&record, plan.nodes.len())?,
            };
            ledger.write(&ledger_line(plan, record.row, verdict, survivors))?;
            let reason = match verdict {
                Verdict::Keep => {
                    mark.reached += 1;
                    if let Some(clean) = &mut clean {
                        clean.write(record.raw)?;
                    }
                    continue;
                }
                Verdict::Refuse(reason) | Verdict::Duplicate { reason, .. } => reason,
            };
            mark.reasons[usize::from(reason)] += 1;
            let (why, disposition) = plan.reasons.reason(reason);
            if let Some(file) = &mut quarantine
                && *disposition == Disposition::Quarantined
            {
                let (line, offset) = (Some(record.line), Some(record.offset));
                file.write(&quarantine_line(record.row, line, offset, why, record.raw))?;
            }
        }
        mark.records = source.rows();
        for file in [quarantine, clean, Some(ledger)].into_iter().flatten() {
            file.commit()?;
        }
        Ok(mark)
    }
}

/// What a job gathers for an aggregate.
struct Series {
    task: Task,
    centres: Vec<f64>,
    sums: Vec<ExactSum>,
    counts: Vec<u64>,
    infinite: Vec<bool>,
}

impl Series {
    fn new(task: Task, count: usize, centres: Vec<f64>) -> Self {
        Self {
            task,
            centres,
            sums: vec![ExactSum::default(); count],
            counts: vec![0; count],
            infinite: vec![false; count],
        }
    }

    fn take(&mut self, at: usize, value: f64, rows: &mut Rows) -> Result<(), RunError> {
        self.counts[at] += 1;
        match self.task {
            Task::Sums { .. } => self.sums[at].add(value),
            Task::Squares { .. } => {
                let square = outlier::square(value, self.centres[at]);
                if square.is_finite() {
                    self.sums[at].add(square);
                } else {
                    self.infinite[at] = true;
                }
            }
            Task::Deviations { .. } => {
                let deviation = outlier::deviation(value, self.centres[at]);
                rows.push([at as i64, order_key(deviation)])?;
            }
            _ => rows.push([at as i64, order_key(value)])?,
        }
        Ok(())
    }

    fn finish(&mut self, rows: &mut Rows, mark: &mut Mark) -> Result<(), RunError> {
        if matches!(self.task, Task::Sums { .. } | Task::Squares { .. }) {
            for (series, sum) in self.sums.iter_mut().enumerate() {
                for (place, digit) in sum.parts() {
                    rows.push([series as i64, place as i64, digit])?;
                }
            }
        }
        mark.values.clone_from(&self.counts);
        mark.infinite.clone_from(&self.infinite);
        Ok(())
    }
}

/// One line of the ledger of a shard: as in the ledger of one file, except that a survivor has a shard.
fn ledger_line(plan: &Plan, row: u32, verdict: Verdict, survivors: &[RowId]) -> Vec<u8> {
    let mut line = serde_json::Map::new();
    line.insert("row".into(), row.into());
    let (outcome, reason, survivor) = match verdict {
        Verdict::Keep => ("kept", None, None),
        Verdict::Refuse(reason) => (name(plan, reason), Some(reason), None),
        Verdict::Duplicate { reason, survivor } => (name(plan, reason), Some(reason), survivor),
    };
    line.insert("outcome".into(), outcome.into());
    if let Some(reason) = reason {
        line.insert("reason".into(), plan.reasons.reason(reason).0.to_string().into());
    }
    if let Some(id) = survivor.map(|place| survivors[place as usize]) {
        let survivor = serde_json::json!({ "shard": id.shard, "row": id.ordinal });
        line.insert("survivor".into(), survivor);
    }
    let mut bytes = serde_json::to_vec(&line).expect("a map of plain values");
    bytes.push(b'\n');
    bytes
}

fn name(plan: &Plan, reason: u16) -> &'static str {
    match plan.reasons.reason(reason).1 {
        Disposition::Quarantined => "quarantined",
        Disposition::Dropped => "dropped",
    }
}
