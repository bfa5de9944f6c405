//! The driver: which jobs and which statements, in which order.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::DistributedError;
use super::flight::SqlEngine;
use super::id::{MOST_SHARDS, from_order_key};
use super::job::{Mark, ShardJob, Statistics, Task};
use super::report::DistributedReport;
use super::runner::JobRunner;
use super::work::{Work, create_dir, files, read_json, read_rows, staging, write_json};
use crate::engine::outlier;
use crate::engine::source::CsvSource;
use crate::kernel::exact::ExactSum;
use crate::plan::{self, Plan, Predicate, RelOp};
use crate::spec::{Equality, Mode, OutlierMethod, PipelineSpec};
use crate::sql::{Prefix, Shuffle};

type Result<T> = std::result::Result<T, DistributedError>;

/// A textual pipeline over many files, whose shuffles an existing engine does.
///
/// The specification is that of a local run, with folders in the place of files: `read.path` holds the shards, one CSV
/// file each with the same header, in the order of their names; `write.path` and `quarantine` will hold one part a
/// shard. The parts one after another are what a local run over the shards one after another writes, and the ledger
/// gives every record the same outcome, for any number of workers and after any number of failed attempts.
///
/// # When to use it
/// When the records, or the fingerprints of those that are distinct, no longer fit on one machine. Until then a
/// [`Pipeline`](crate::Pipeline) is simpler and takes less work in all.
///
/// # Example
/// ```no_run
/// use std::{num::NonZeroUsize, time::Duration};
/// use modelops_cleaning::distributed::{Distributed, FlightSql, Threads};
/// use modelops_cleaning::{DropDuplicates, Mode, PipelineSpec, Read};
///
/// let spec = PipelineSpec::new(Read::csv("/data/shards"))
///     .mode(Mode::Textual)
///     .step(DropDuplicates::default())
///     .write_csv("/data/clean");
/// let engine = FlightSql::connect("http://127.0.0.1:32010", Duration::from_secs(3600))?;
/// let report = Distributed::try_new(spec, "/data/work")?.run(&engine, &Threads(NonZeroUsize::MIN))?;
/// println!("{report}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Distributed {
    spec: PipelineSpec,
    folder: PathBuf,
    work: Work,
    shards: Vec<PathBuf>,
    plan: Plan,
}

/// What a work folder is for.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Identity {
    format: u32,
    spec: PipelineSpec,
    shards: Vec<(PathBuf, u64)>,
    columns: Vec<String>,
}

/// Of what is in a work folder.
const FORMAT: u32 = 2;

impl Distributed {
    /// Checks the specification, lists the shards and reads the header of the first.
    ///
    /// `work` is a folder that the engine and every worker see under the same path, on one file system with the outputs;
    /// it may hold what an earlier attempt at the same run left.
    ///
    /// # Errors
    /// [`DistributedError`] for a specification that cannot run; [`DistributedError::Typed`] for a typed one;
    /// [`DistributedError::NotSharded`] for a denial constraint or a foreign key, which need all rows at once;
    /// [`DistributedError::NoShard`] and [`DistributedError::TooManyShards`] for none or too many input files;
    /// or for a path that an engine might read as a pattern.
    pub fn try_new(spec: PipelineSpec, work: impl Into<PathBuf>) -> Result<Self> {
        plan::check(&spec)?;
        if spec.mode != Mode::Textual {
            return Err(DistributedError::Typed);
        }
        let folder = work.into();
        plain_path(&folder)?;
        let shards = files(&spec.read.path)?;
        if shards.len() > MOST_SHARDS {
            return Err(DistributedError::TooManyShards { found: shards.len() });
        }
        let Some(first) = shards.first() else {
            return Err(DistributedError::NoShard { path: spec.read.path });
        };
        let mut read = spec.read.clone();
        read.path.clone_from(first);
        let of_first = |error| DistributedError::Shard { shard: 0, error };
        let names = CsvSource::open(&read).map_err(of_first)?.header.names;
        let plan = Plan::bind(&spec, names).map_err(of_first)?;
        // Values are compared by types that the whole input settles, and a shard is not the whole.
        let by_value =
            |op: &RelOp| matches!(op, RelOp::Distinct { keys, .. } if keys.equality == Equality::Typed);
        if plan.nodes.iter().any(|node| by_value(&node.op)) {
            return Err(DistributedError::Typed);
        }
        let needs_all = |op: &RelOp| {
            let by_file = |p: &Predicate| matches!(p, Predicate::Referenced { .. });
            match op {
                RelOp::Deny { .. } | RelOp::Isolate { .. } => true,
                RelOp::Select { predicate, .. } => by_file(predicate),
                RelOp::Distinct { .. } | RelOp::Project { .. } | RelOp::Aggregate { .. } => false,
            }
        };
        if let Some(node) = plan.nodes.iter().find(|node| needs_all(&node.op)) {
            return Err(DistributedError::NotSharded { step: node.step });
        }
        Ok(Self {
            work: Work::new(&folder),
            folder,
            spec,
            shards,
            plan,
        })
    }

    /// The files of the shards, in their order.
    #[must_use]
    pub fn shards(&self) -> &[PathBuf] {
        &self.shards
    }

    /// The statements that a run in an empty work folder sends to the engine, as far as they are known before it: of
    /// the order statistics, the first look of four.
    #[must_use]
    pub fn statements(&self) -> Vec<String> {
        let mut statements = Vec::new();
        for node in 0..self.plan.nodes.len() {
            for (task, shuffle) in self.first_looks(node) {
                let stage = task.stage();
                statements.extend(self.statements_of(task, &shuffle, &self.work.answer(&stage)));
            }
        }
        statements
    }

    fn first_looks(&self, node: usize) -> Vec<(Task, Shuffle)> {
        let histogram = |series: usize| Shuffle::Histogram {
            round: 0,
            within: (0..series as u32)
                .map(|series| Prefix { series, bits: 0 })
                .collect(),
        };
        match &self.plan.nodes[node].op {
            RelOp::Distinct { keep, .. } => vec![(Task::Keys { node }, Shuffle::Survivors(*keep))],
            RelOp::Aggregate { columns, statistic } => match statistic {
                OutlierMethod::ZScore(_) => vec![
                    (Task::Sums { node }, Shuffle::Sums),
                    (Task::Squares { node }, Shuffle::Sums),
                ],
                OutlierMethod::Mad(_) => vec![
                    (Task::Values { node }, histogram(columns.len())),
                    (Task::Deviations { node }, histogram(columns.len())),
                ],
                OutlierMethod::Iqr(_) => vec![(Task::Values { node }, histogram(columns.len()))],
            },
            RelOp::Select { .. } | RelOp::Project { .. } | RelOp::Deny { .. } | RelOp::Isolate { .. } => {
                Vec::new()
            }
        }
    }

    /// Runs the pipeline, or what an earlier attempt in the same work folder has left to do.
    ///
    /// # Errors
    /// [`DistributedError`]; the work folder then holds what was done, and no output has appeared. After an answer that
    /// was not whole the next run asks everything anew.
    pub fn run(&self, engine: &dyn SqlEngine, runner: &dyn JobRunner) -> Result<DistributedReport> {
        let report = self.go_on(engine, runner);
        if report.as_ref().is_err_and(DistributedError::is_of_an_answer) {
            self.work.refuse();
        }
        report
    }

    fn go_on(&self, engine: &dyn SqlEngine, runner: &dyn JobRunner) -> Result<DistributedReport> {
        self.claim()?;
        self.work.forget_refused()?;
        if let Some(report) = read_json(&self.work.report())? {
            return Ok(report);
        }
        for node in 0..self.plan.nodes.len() {
            match &self.plan.nodes[node].op {
                RelOp::Distinct { keep, .. } => {
                    let task = Task::Keys { node };
                    self.jobs(task, runner)?;
                    self.answer(engine, task, &Shuffle::Survivors(*keep), &task.stage())?;
                }
                RelOp::Aggregate { statistic, .. } => self.aggregate(node, *statistic, engine, runner)?,
                RelOp::Select { .. } | RelOp::Project { .. } | RelOp::Deny { .. } | RelOp::Isolate { .. } => {
                }
            }
        }
        let marks = self.jobs(Task::Write, runner)?;
        let report = DistributedReport::of(&self.plan.reasons, &marks, &self.work.ledger())?;
        let outputs = [
            self.spec.quarantine.as_ref(),
            self.spec.write.as_ref().map(|w| &w.path),
        ];
        for output in outputs.into_iter().flatten() {
            appear(output)?;
        }
        write_json(&self.work.report(), &report).map_err(DistributedError::of_file)?;
        Ok(report)
    }

    /// Makes the work folder this run's, or checks that it is.
    fn claim(&self) -> Result<()> {
        create_dir(&self.folder)?;
        let size = |path: &PathBuf| {
            let meta = fs::metadata(path).map_err(DistributedError::io(path))?;
            Ok((path.clone(), meta.len()))
        };
        let identity = Identity {
            format: FORMAT,
            spec: self.spec.clone(),
            shards: self.shards.iter().map(size).collect::<Result<_>>()?,
            columns: self.plan.columns.clone(),
        };
        let in_use = || DistributedError::WorkInUse {
            path: self.folder.clone(),
        };
        match read_json::<Identity>(&self.work.plan()) {
            Ok(Some(found)) if found == identity => Ok(()),
            Ok(None)
                if fs::read_dir(&self.folder)
                    .map_err(DistributedError::io(&self.folder))?
                    .next()
                    .is_none() =>
            {
                let outputs = [
                    self.spec.quarantine.as_ref(),
                    self.spec.write.as_ref().map(|w| &w.path),
                ];
                for output in outputs.into_iter().flatten() {
                    if output.exists() {
                        return Err(DistributedError::OutputExists { path: output.clone() });
                    }
                    // What a run in a work folder that is gone has left must not mix with this one's parts.
                    let staging = staging(output);
                    if staging.exists() {
                        fs::remove_dir_all(&staging).map_err(DistributedError::io(&staging))?;
                    }
                }
                write_json(&self.work.plan(), &identity).map_err(DistributedError::of_file)
            }
            Ok(_) => Err(in_use()),
            Err(DistributedError::Damaged { .. }) => Err(in_use()),
            Err(error) => Err(error),
        }
    }

    /// Runs a job for each shard that does not have its result, and gathers all results.
    fn jobs(&self, task: Task, runner: &dyn JobRunner) -> Result<Vec<Mark>> {
        let all: Vec<ShardJob> = (0u32..)
            .zip(&self.shards)
            .map(|(shard, input)| ShardJob {
                spec: self.spec.clone(),
                work: self.folder.clone(),
                columns: self.plan.columns.clone(),
                shard,
                input: input.clone(),
                task,
            })
            .collect();
        let mut todo = Vec::new();
        for job in &all {
            if job.mark()?.is_none() {
                todo.push(job.clone());
            }
        }
        if !todo.is_empty() {
            runner.run(&todo)?;
        }
        all.iter()
            .map(|job| job.mark()?.ok_or(DistributedError::JobLost { shard: job.shard }))
            .collect()
    }

    fn statements_of(&self, task: Task, shuffle: &Shuffle, output: &Path) -> Vec<String> {
        let table = task.table().expect("only tasks with a table are shuffled");
        let input = self.work.input(&task.stage(), table.name());
        let node = match task {
            Task::Keys { node }
            | Task::Sums { node }
            | Task::Squares { node }
            | Task::Values { node }
            | Task::Deviations { node } => node,
            Task::Write => unreachable!("it has no table"),
        };
        let purpose = plan::describe(&self.plan, node);
        shuffle.statements(&purpose, &[&input.to_string_lossy()], &output.to_string_lossy())
    }

    /// Has the engine answer, unless it has, and returns the folder of the answer.
    fn answer(&self, engine: &dyn SqlEngine, task: Task, shuffle: &Shuffle, name: &str) -> Result<PathBuf> {
        ask(&self.work, engine, name, |output| {
            self.statements_of(task, shuffle, output)
        })
    }

    /// Learns the intervals of an aggregate.
    fn aggregate(
        &self,
        node: usize,
        statistic: OutlierMethod,
        engine: &dyn SqlEngine,
        runner: &dyn JobRunner,
    ) -> Result<()> {
        let path = self.work.learned(&Statistics::stage(node));
        let known: Option<Statistics> = read_json(&path)?;
        if known.as_ref().is_some_and(|known| !known.intervals.is_empty()) {
            return Ok(());
        }
        let keep = |centres: &[f64], intervals: &[(f64, f64)]| {
            let statistics = Statistics {
                centres: centres.iter().map(|c| c.to_bits()).collect(),
                intervals: intervals
                    .iter()
                    .map(|(a, b)| (a.to_bits(), b.to_bits()))
                    .collect(),
            };
            write_json(&path, &statistics).map_err(DistributedError::of_file)
        };
        let intervals: Vec<(f64, f64)> = match statistic {
            OutlierMethod::ZScore(k) => {
                let (counts, sums) = self.sums(Task::Sums { node }, engine, runner)?;
                let means: Vec<f64> = sums.iter().zip(&counts).map(|(sum, &n)| sum / n as f64).collect();
                keep(&means, &[])?;
                let (_, squares) = self.sums(Task::Squares { node }, engine, runner)?;
                counts
                    .iter()
                    .zip(means.iter().zip(&squares))
                    .map(|(&n, (&mean, &squares))| outlier::around_mean(k, n, mean, squares))
                    .collect()
            }
            OutlierMethod::Mad(k) => {
                let medians = self.quantiles(Task::Values { node }, &[0.5], engine, runner)?;
                let centres: Vec<f64> = medians.iter().map(|m| m.as_ref().map_or(0.0, |m| m[0])).collect();
                keep(&centres, &[])?;
                let deviations = self.quantiles(Task::Deviations { node }, &[0.5], engine, runner)?;
                medians
                    .iter()
                    .zip(&deviations)
                    .map(|pair| match pair {
                        (Some(median), Some(mad)) => outlier::around_median(k, median[0], mad[0]),
                        _ => (f64::NEG_INFINITY, f64::INFINITY),
                    })
                    .collect()
            }
            OutlierMethod::Iqr(k) => self
                .quantiles(Task::Values { node }, &[0.25, 0.75], engine, runner)?
                .iter()
                .map(|quartiles| match quartiles {
                    Some(q) => outlier::around_quartiles(k, q[0], q[1]),
                    None => (f64::NEG_INFINITY, f64::INFINITY),
                })
                .collect(),
        };
        keep(&[], &intervals)
    }

    /// The number of finite values and the exact sum of each series.
    fn sums(
        &self,
        task: Task,
        engine: &dyn SqlEngine,
        runner: &dyn JobRunner,
    ) -> Result<(Vec<u64>, Vec<f64>)> {
        let marks = self.jobs(task, runner)?;
        let counts = counts(&marks);
        let answer = self.answer(engine, task, &Shuffle::Sums, &task.stage())?;
        let mut sums = vec![ExactSum::default(); counts.len()];
        let mut answered = 0u64;
        read_rows::<4>(&answer, |[series, place, digit, parts]| {
            answered = answered.saturating_add(u64::try_from(parts).unwrap_or(u64::MAX));
            let sum = usize::try_from(series)
                .ok()
                .and_then(|series| sums.get_mut(series));
            let place = usize::try_from(place)
                .ok()
                .filter(|place| *place < ExactSum::PLACES);
            let (sum, place) = sum.zip(place).ok_or_else(|| DistributedError::damaged(&answer))?;
            sum.add_part(place, digit);
            Ok(())
        })?;
        let asked = marks.iter().map(|mark| mark.rows).sum();
        if answered != asked {
            return Err(DistributedError::RecordsLost { asked, answered });
        }
        let infinite = |series: usize| marks.iter().any(|mark| mark.infinite.get(series) == Some(&true));
        let value = |(series, sum): (usize, &mut ExactSum)| {
            if infinite(series) {
                f64::INFINITY
            } else {
                sum.value()
            }
        };
        Ok((counts, sums.iter_mut().enumerate().map(value).collect()))
    }

    /// The quantiles of each series; none where it has fewer than two values.
    fn quantiles(
        &self,
        task: Task,
        quantiles: &[f64],
        engine: &dyn SqlEngine,
        runner: &dyn JobRunner,
    ) -> Result<Vec<Option<Vec<f64>>>> {
        let counts = counts(&self.jobs(task, runner)?);
        let mut searches = Vec::new();
        for (series, &n) in (0u32..).zip(&counts).filter(|(_, n)| **n >= 2) {
            for &q in quantiles {
                let (below, weight) = outlier::rank(n, q);
                searches.push(Search::new(series, n, below));
                searches.push(Search::new(series, n, below + u64::from(weight > 0.0)));
            }
        }
        for round in 0..4 {
            let mut within: Vec<Prefix> = searches.iter().map(|search| search.prefix).collect();
            within.sort_unstable();
            within.dedup();
            if within.is_empty() {
                break;
            }
            let name = format!("{}-{round}", task.stage());
            let answer = self.answer(engine, task, &Shuffle::Histogram { round, within }, &name)?;
            let mut bins: Vec<(Prefix, u64)> = Vec::new();
            read_rows::<3>(&answer, |[series, bits, values]| {
                let series = u32::try_from(series).map_err(|_| DistributedError::damaged(&answer))?;
                let values = u64::try_from(values).map_err(|_| DistributedError::damaged(&answer))?;
                bins.push((Prefix { series, bits }, values));
                Ok(())
            })?;
            bins.sort_unstable();
            for search in &mut searches {
                search.narrow(round, &bins)?;
            }
        }
        let mut found = searches.chunks_exact(2);
        Ok(counts
            .iter()
            .map(|&n| {
                (n >= 2).then(|| {
                    let value = |&q: &f64| {
                        let pair = found.next().expect("two searches a quantile");
                        let (low, high) = (
                            from_order_key(pair[0].prefix.bits),
                            from_order_key(pair[1].prefix.bits),
                        );
                        match outlier::rank(n, q) {
                            (_, weight) if weight > 0.0 => outlier::between(low, high, weight),
                            _ => low,
                        }
                    };
                    quantiles.iter().map(value).collect()
                })
            })
            .collect())
    }
}

/// Has the engine answer, unless it has, and returns the folder of the answer.
pub(crate) fn ask(
    work: &Work,
    engine: &dyn SqlEngine,
    name: &str,
    statements: impl FnOnce(&Path) -> Vec<String>,
) -> Result<PathBuf> {
    let answer = work.answer(name);
    if answer.exists() {
        return Ok(answer);
    }
    let output = work.attempt()?.join("answer");
    for statement in statements(&output) {
        engine.execute(&statement)?;
    }
    // An engine that had nothing to write may have made nothing.
    create_dir(&output)?;
    create_dir(answer.parent().unwrap_or(Path::new("")))?;
    fs::rename(&output, &answer).map_err(DistributedError::io(&answer))?;
    Ok(answer)
}

/// Has a question answered; after an answer that was not whole, the next time asks anew.
pub(crate) fn whole<T>(work: &Work, question: impl FnOnce() -> Result<T>) -> Result<T> {
    work.forget_refused()?;
    let answer = question();
    if answer.as_ref().is_err_and(DistributedError::is_of_an_answer) {
        work.refuse();
    }
    answer
}

/// The search for one order statistic, 16 bits a round.
#[derive(Debug)]
struct Search {
    prefix: Prefix,
    /// How many values have the prefix.
    values: u64,
    /// The rank of the value wanted among those with the prefix.
    rank: u64,
}

impl Search {
    fn new(series: u32, values: u64, rank: u64) -> Self {
        Self {
            prefix: Prefix { series, bits: 0 },
            values,
            rank,
        }
    }

    /// Finds the bin of the value among ascending `bins`, which must hold every value with the prefix.
    fn narrow(&mut self, round: u32, bins: &[(Prefix, u64)]) -> Result<()> {
        let inside = |bin: &Prefix| {
            bin.series == self.prefix.series && (round == 0 || bin.bits >> 16 == self.prefix.bits)
        };
        let inside = bins.iter().filter(|(bin, _)| inside(bin));
        let answered = inside
            .clone()
            .fold(0u64, |sum, (_, values)| sum.saturating_add(*values));
        let mut rank = self.rank;
        let found = inside.clone().find(|(_, values)| {
            let found = rank < *values;
            rank -= if found { 0 } else { *values };
            found
        });
        match found {
            Some((bin, values)) if answered == self.values => {
                (self.prefix, self.values, self.rank) = (*bin, *values, rank);
                Ok(())
            }
            _ => Err(DistributedError::RecordsLost {
                asked: self.values,
                answered,
            }),
        }
    }
}

/// The finite values of each series, over all shards.
fn counts(marks: &[Mark]) -> Vec<u64> {
    let series = marks.first().map_or(0, |mark| mark.values.len());
    (0..series)
        .map(|at| {
            marks
                .iter()
                .map(|mark| mark.values.get(at).copied().unwrap_or(0))
                .sum()
        })
        .collect()
}

/// Gives the gathered parts of an output their final name.
fn appear(output: &Path) -> Result<()> {
    let staging = staging(output);
    if staging.exists() {
        // An empty folder may be replaced by a rename; anything else must not be.
        if output.exists() {
            return Err(DistributedError::OutputExists {
                path: output.to_path_buf(),
            });
        }
        fs::rename(&staging, output).map_err(DistributedError::io(output))?;
    } else if !output.exists() {
        return Err(DistributedError::damaged(output));
    }
    Ok(())
}

/// Refuses a path that an engine might read as a pattern, a scheme or an escape.
pub(crate) fn plain_path(path: &Path) -> Result<()> {
    let plain = path.is_absolute()
        && path.to_str().is_some_and(|text| {
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-'))
        });
    if plain {
        Ok(())
    } else {
        Err(DistributedError::Path {
            path: path.to_path_buf(),
        })
    }
}
