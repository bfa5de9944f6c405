//! A checked pipeline, and what a run of it gives.

use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::engine::{self, textual, values};
use crate::error::{RunError, SpecError};
use crate::ledger::Ledger;
use crate::plan::{self, Plan};
use crate::profile::Profile;
use crate::spec::{Mode, PipelineSpec};

/// A checked pipeline.
///
/// # Example
/// ```
/// use modelops_cleaning::{DropDuplicates, DropMissing, Mode, Pipeline, PipelineSpec, Read};
///
/// # let dir = tempfile::tempdir()?;
/// # let at = |name: &str| dir.path().join(name);
/// std::fs::write(at("in.csv"), "id,score\n1,0.5\n2,\n1,0.5\n")?;
/// let spec = PipelineSpec::new(Read::csv(at("in.csv")))
///     .mode(Mode::Textual)
///     .step(DropMissing::default())
///     .step(DropDuplicates::default())
///     .write_csv(at("clean.csv"));
/// let run = Pipeline::try_new(spec)?.run()?;
/// assert_eq!(std::fs::read_to_string(at("clean.csv"))?, "id,score\n1,0.5\n");
/// assert_eq!((run.ledger.records_in(), run.ledger.kept(), run.ledger.dropped()), (3, 1, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    spec: PipelineSpec,
}

/// What a run gives: the ledger always, the profile where the specification asks for it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunReport {
    /// What became of every record.
    pub ledger: Ledger,
    /// The clean columns at a glance.
    pub profile: Option<Profile>,
    /// The units of a bounded run; zeros for any other.
    pub work: Work,
}

/// How a run spends memory, and where it keeps what an interrupted run can go on with.
///
/// # Example
/// ```
/// use modelops_cleaning::{DropDuplicates, Mode, Pipeline, PipelineSpec, Read, RunError, RunOptions};
/// use std::ops::ControlFlow;
///
/// # let dir = tempfile::tempdir()?;
/// # let at = |name: &str| dir.path().join(name);
/// std::fs::write(at("in.csv"), "id\n1\n2\n1\n")?;
/// let spec = PipelineSpec::new(Read::csv(at("in.csv")))
///     .mode(Mode::Textual)
///     .step(DropDuplicates::default())
///     .write_csv(at("clean.csv"));
/// let pipeline = Pipeline::try_new(spec)?;
/// let options = RunOptions::default().with_memory(64 << 20);
/// let stopped = pipeline.run_with(&options, |_| ControlFlow::Break(()));
/// assert_eq!(stopped.unwrap_err(), RunError::Stopped);
/// assert!(!at("clean.csv").exists());
/// let run = pipeline.run_with(&options, |_| ControlFlow::Continue(()))?;
/// assert_eq!(run.work.reused, 1);
/// assert_eq!(std::fs::read_to_string(at("clean.csv"))?, "id\n1\n2\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RunOptions {
    /// About how many bytes the run may hold at once; none for as many as it likes, in one piece that cannot be resumed.
    pub memory: Option<usize>,
    /// Where complete units are kept while a bounded run is not finished; a hidden folder beside the output by default.
    pub folder: Option<PathBuf>,
}

impl RunOptions {
    /// Runs in at most about `bytes` of memory, in units that survive the process.
    #[must_use]
    pub fn with_memory(mut self, bytes: usize) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Keeps complete units in `folder`, which this run alone uses.
    #[must_use]
    pub fn with_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }
}

/// The units of a bounded run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Work {
    /// Units done by this run.
    pub done: u64,
    /// Units that an earlier, unfinished run had completed.
    pub reused: u64,
}

/// How far a bounded run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Units complete so far, those of an earlier run included.
    pub units: u64,
}

impl Pipeline {
    /// Checks everything that can be checked without the input.
    ///
    /// # Errors
    /// [`SpecError`] names the step and says what to change.
    pub fn try_new(spec: PipelineSpec) -> Result<Self, SpecError> {
        plan::check(&spec)?;
        Ok(Self { spec })
    }

    /// The specification this pipeline was made from.
    #[must_use]
    pub fn spec(&self) -> &PipelineSpec {
        &self.spec
    }

    /// Runs as [`Pipeline::run`] does, in bounded memory where the options say so, with the same outputs and ledger to the
    /// byte.
    ///
    /// A bounded run reads the input once more than [`Pipeline::run`] and works in units: it partitions the fingerprints
    /// of each duplicate step on disk, judges one partition after the other, then writes shard after shard. After each
    /// unit it asks `observer` whether to go on. A run that is stopped or killed at any point leaves complete units
    /// in its folder and no output under its final name; the same pipeline over the same input goes on from there, with
    /// at most one unit to do again, and removes the folder when it is finished. Another specification, memory, or input
    /// (length or time of change) starts over; bytes that change during a run are found out.
    ///
    /// # Errors
    /// [`RunError`]; [`RunError::NotBounded`] for typed pipelines and for outlier, constraint and reference steps, [`RunError::Stopped`] where the observer
    /// breaks, [`RunError::Busy`] while another run has the folder.
    ///
    /// # Complexity
    /// Time O(bytes). Memory: the ledger (two bytes a record, eight a duplicate), buffers of about 3 MB, one record, and
    /// a quarter of [`RunOptions::memory`] for fingerprints. Disk: 20 bytes a record for each duplicate step.
    pub fn run_with(
        &self,
        options: &RunOptions,
        mut observer: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<RunReport, RunError> {
        let Some(memory) = options.memory else {
            return self.run();
        };
        let (ledger, work) = engine::bounded::run(&self.spec, options, memory, &mut observer)?;
        Ok(RunReport {
            ledger,
            profile: None,
            work,
        })
    }

    /// The plan that [`Pipeline::run`] carries out, one line an operator: what is read, what every step judges or changes
    /// and in which order, and where each kind of record goes. Reads only as much of the input as names its columns: the
    /// header of CSV, the footer of Parquet, all of JSON lines.
    ///
    /// The text is for people; it may change between versions.
    ///
    /// # Errors
    /// [`RunError`], where the input cannot be read or a step names a column that it does not have.
    ///
    /// # Example
    /// ```
    /// use modelops_cleaning::{Check, DropDuplicates, Mode, Pipeline, PipelineSpec, Read, Rule};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let input = dir.path().join("in.csv");
    /// std::fs::write(&input, "id,age\n1,34\n")?;
    /// let spec = PipelineSpec::new(Read::csv(&input))
    ///     .mode(Mode::Textual)
    ///     .step(DropDuplicates::default())
    ///     .step(Check::new("age", Rule::Range { min: Some(0.0), max: Some(130.0) }));
    /// let plan = Pipeline::try_new(spec)?.explain()?;
    /// assert!(plan.contains("    0  distinct   every column, exact, keep first, else drop: duplicate\n"));
    /// assert!(plan.contains("    1  select     \"age\" within [0, 130], else quarantine: out of range\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn explain(&self) -> Result<String, RunError> {
        let plan = Plan::bind(&self.spec, engine::columns(&self.spec)?)?;
        Ok(plan::explain(&self.spec, &plan))
    }

    /// Reads the input, writes the clean and the quarantined records, and accounts for every one of them.
    ///
    /// The output is the same bytes for any number of threads and any chunk size. Outputs get their final name only
    /// after the ledger has been verified; a run that fails leaves whatever was there before.
    ///
    /// # Errors
    /// [`RunError`]; see its variants. A record that cannot be read is no error: it goes to quarantine.
    ///
    /// # Complexity
    /// Time O(bytes). Memory: chunks, two bytes a record for the ledger, some 44 bytes for each distinct record at a
    /// duplicate step, and eight bytes for each value at an outlier step.
    pub fn run(&self) -> Result<RunReport, RunError> {
        let (ledger, profile) = match self.spec.mode {
            Mode::Textual => (textual::run(&self.spec)?, None),
            Mode::Typed if values::covers(&self.spec) => values::run(&self.spec)?,
            #[cfg(feature = "frame")]
            Mode::Typed => engine::typed::run(&self.spec)?,
            #[cfg(not(feature = "frame"))]
            Mode::Typed => unreachable!("refused when the pipeline was made"),
        };
        Ok(RunReport {
            ledger,
            profile,
            work: Work::default(),
        })
    }
}
