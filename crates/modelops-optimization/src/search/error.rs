//! Why a space or a study refuses.

use std::path::PathBuf;

use super::journal::JournalError;

/// A search space is not well formed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpaceError {
    /// Two parameters have one name: rename one.
    #[error("parameter {name:?} is declared twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The lower end is above the upper end, or an end is NaN or infinite.
    #[error("the range of {name:?} is empty or not finite: {low} to {high}")]
    EmptyRange {
        /// The parameter.
        name: String,
        /// Its lower end.
        low: f64,
        /// Its upper end.
        high: f64,
    },
    /// A logarithmic range must start above zero (integers: at 1 or more).
    #[error("the logarithmic range of {name:?} starts at {low}, which is not above 0")]
    LogOfNonPositive {
        /// The parameter.
        name: String,
        /// Its lower end.
        low: f64,
    },
    /// A step must be finite and above zero.
    #[error("the step of {name:?} is {step}, but must be finite and above 0")]
    BadStep {
        /// The parameter.
        name: String,
        /// The step given.
        step: f64,
    },
    /// Integers beyond ±2⁵³ have no exact floating-point form.
    #[error("the range of {name:?} reaches beyond 2^53")]
    TooLarge {
        /// The parameter.
        name: String,
    },
    /// A choice needs at least one option.
    #[error("{name:?} has no choices")]
    NoChoices {
        /// The parameter.
        name: String,
    },
    /// Two options of one choice are equal.
    #[error("{name:?} has the same choice twice")]
    DuplicateChoice {
        /// The parameter.
        name: String,
    },
    /// A condition names a parameter that was not declared before, or a value that it does not have.
    #[error("the condition on {name:?} names a parameter or value that is not declared before it")]
    UnknownCondition {
        /// The parameter that the condition names.
        name: String,
    },
}

/// A parameter cannot be read as asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// The space has no such parameter, or its condition does not hold in this trial.
    #[error("no parameter {name:?} in this trial")]
    Missing {
        /// The name asked for.
        name: String,
    },
    /// The parameter is of another kind.
    #[error("parameter {name:?} is no {expected}")]
    WrongKind {
        /// The name asked for.
        name: String,
        /// The kind asked for.
        expected: &'static str,
    },
    /// The value is outside the parameter's range or not one of its choices.
    #[error("the value for {name:?} is outside its range")]
    OutOfRange {
        /// The parameter.
        name: String,
    },
}

/// A database file cannot be read or written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// `SQLite` refused: for its codes see <https://www.sqlite.org/rescode.html>.
    #[error("{path:?}: SQLite refuses with code {code}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// The extended result code, such as 5 where others kept the file locked.
        code: i32,
    },
    /// The file is no database, or one without Optuna's tables of version 12.
    #[error("{path:?} does not have Optuna's tables of version 12")]
    OtherTables {
        /// The file.
        path: PathBuf,
    },
    /// The file holds a study of this name with other directions.
    #[error("{path:?} holds this study with other directions")]
    OtherDirections {
        /// The file.
        path: PathBuf,
    },
    /// A trial in the file does not fit the space: open it with the space it was made with.
    #[error("trial {trial} in {path:?} does not fit the space")]
    OtherSpace {
        /// The file.
        path: PathBuf,
        /// The trial's number.
        trial: usize,
    },
    /// Integers of `SQLite` end at 2⁶³ - 1, and so do the steps of intermediate values.
    #[error("{path:?} cannot hold the step {step}")]
    StepTooLarge {
        /// The file.
        path: PathBuf,
        /// The step.
        step: u64,
    },
}

/// A study refuses a request.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// There is no trial of this number.
    #[error("there is no trial {number}")]
    UnknownTrial {
        /// The number given.
        number: usize,
    },
    /// The trial was told its outcome before; the first stays.
    #[error("trial {number} is finished already")]
    AlreadyFinished {
        /// The number given.
        number: usize,
    },
    /// The outcome has another number of values than the study has directions.
    #[error("the outcome has {found} values, the study has {expected} directions")]
    WrongNumberOfValues {
        /// Directions of the study.
        expected: usize,
        /// Values of the outcome.
        found: usize,
    },
    /// As many trials as the study's concurrency allows are running: tell one of them first.
    #[error("trial {oldest} must be told its outcome before another is asked for")]
    TooManyRunning {
        /// The running trial with the lowest number.
        oldest: usize,
    },
    /// The limit of a service tuner must be finite and above 0.
    #[error("the limit is {limit}, but must be finite and above 0")]
    BadLimit {
        /// The limit given.
        limit: f64,
    },
    /// A study needs at least one direction.
    #[error("a study needs at least one direction")]
    NoDirections,
    /// The parameters do not fit the space of the study.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The journal cannot be read or written; the study is as it was.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The database cannot be read or written; the study is as it was.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}
