//! A checked pipeline, and what a run of it gives.

use crate::engine::{program, textual};
use crate::error::{RunError, SpecError};
use crate::ledger::Ledger;
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
}

impl Pipeline {
    /// Checks everything that can be checked without the input.
    ///
    /// # Errors
    /// [`SpecError`] names the step and says what to change.
    pub fn try_new(spec: PipelineSpec) -> Result<Self, SpecError> {
        program::check(&spec)?;
        Ok(Self { spec })
    }

    /// The specification this pipeline was made from.
    #[must_use]
    pub fn spec(&self) -> &PipelineSpec {
        &self.spec
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
    /// Time O(bytes). Memory: chunks, two bytes a record for the ledger, about 27 bytes for each distinct record at a
    /// duplicate step, and eight bytes for each value at an outlier step.
    pub fn run(&self) -> Result<RunReport, RunError> {
        match self.spec.mode {
            Mode::Textual => Ok(RunReport {
                ledger: textual::run(&self.spec)?,
                profile: None,
            }),
            #[cfg(feature = "frame")]
            Mode::Typed => {
                let (ledger, profile) = crate::engine::typed::run(&self.spec)?;
                Ok(RunReport { ledger, profile })
            }
            #[cfg(not(feature = "frame"))]
            Mode::Typed => unreachable!("refused when the pipeline was made"),
        }
    }
}
