//! One trial of a study and how it ended.

use super::error::StudyError;
use super::parameters::Parameters;

/// How a trial ended, as told to its study.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It has a value for each direction of the study. A NaN makes it a failure.
    Complete(Vec<f64>),
    /// It has values and was measured under constraints, each of which holds where its number is at most 0. A NaN makes it a failure.
    Constrained {
        /// A value for each direction of the study.
        values: Vec<f64>,
        /// By how much each constraint is broken.
        constraints: Vec<f64>,
    },
    /// It was given up early.
    Pruned,
    /// It broke, for this reason.
    Failed(String),
    /// It was stopped from outside and says nothing: it stays as it is, and [`Study::run`](crate::Study::run) begins with it next time.
    Interrupted,
}

impl From<f64> for Outcome {
    fn from(value: f64) -> Self {
        Self::Complete(vec![value])
    }
}

impl From<Vec<f64>> for Outcome {
    fn from(values: Vec<f64>) -> Self {
        Self::Complete(values)
    }
}

impl<T: Into<Outcome>, E: std::fmt::Display> From<Result<T, E>> for Outcome {
    fn from(result: Result<T, E>) -> Self {
        result.map_or_else(|error| Self::Failed(error.to_string()), Into::into)
    }
}

/// Where a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrialState {
    /// Enqueued, and not yet asked for.
    Waiting,
    /// Asked for and not yet told.
    Running,
    /// It has its values.
    Complete,
    /// Given up early.
    Pruned,
    /// Broken; the reason is kept.
    Failed,
}

/// One trial: its parameters, its state and what it reported.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    pub(crate) number: usize,
    pub(crate) parameters: Parameters,
    pub(crate) state: TrialState,
    pub(crate) values: Vec<f64>,
    pub(crate) intermediate: Vec<(u64, f64)>,
    pub(crate) constraints: Vec<f64>,
    pub(crate) reason: Option<String>,
}

impl Trial {
    /// Its place in the study, from 0.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// What to try.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> TrialState {
        self.state
    }

    /// Its value, where it is complete; the first one of several.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.values.first().copied()
    }

    /// Its values, one a direction; empty unless it is complete.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// What it reported on the way: (step, value), in the order of the steps.
    #[must_use]
    pub fn intermediate(&self) -> &[(u64, f64)] {
        &self.intermediate
    }

    /// Why it failed.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The constraints that it was measured under; each holds where its number is at most 0.
    #[must_use]
    pub fn constraints(&self) -> &[f64] {
        &self.constraints
    }

    /// Whether all its constraints hold.
    #[must_use]
    pub fn is_feasible(&self) -> bool {
        self.constraints.iter().all(|c| *c <= 0.0)
    }

    /// Keeps an intermediate value, in the order of the steps; a step reported twice keeps its last value.
    pub(crate) fn note(&mut self, step: u64, value: f64) {
        note(&mut self.intermediate, step, value);
    }

    /// Ends it with a value for each of so many directions; where one is NaN, as a failure.
    pub(crate) fn complete(
        &mut self,
        expected: usize,
        values: Vec<f64>,
        constraints: Vec<f64>,
    ) -> Result<(), StudyError> {
        if values.len() != expected {
            return Err(StudyError::WrongNumberOfValues {
                expected,
                found: values.len(),
            });
        }
        let broken = [("value", &values), ("constraint", &constraints)];
        if let Some((what, _)) = broken.iter().find(|(_, list)| list.iter().any(|v| v.is_nan())) {
            self.state = TrialState::Failed;
            self.reason = Some(format!("the {what} is NaN"));
            return Ok(());
        }
        self.state = TrialState::Complete;
        self.values = values;
        // A journal has no infinities inside attributes.
        self.constraints = constraints.iter().map(|c| c.clamp(f64::MIN, f64::MAX)).collect();
        Ok(())
    }

    pub(crate) fn finished(&self) -> bool {
        !matches!(self.state, TrialState::Running | TrialState::Waiting)
    }
}

/// Puts a value at its step into a list in the order of the steps.
pub(crate) fn note(values: &mut Vec<(u64, f64)>, step: u64, value: f64) {
    match values.binary_search_by_key(&step, |(s, _)| *s) {
        Ok(at) => values[at].1 = value,
        Err(at) => values.insert(at, (step, value)),
    }
}
