#![cfg_attr(feature = "frame", doc = include_str!("../README.md"))]
// The example of the page needs the feature.
#![cfg_attr(
    not(feature = "frame"),
    doc = "Cleans, deduplicates and augments training data, with a ledger of every row. README.md is the page."
)]

pub mod constraint;
mod dataset;
#[cfg(feature = "distributed")]
pub mod distributed;
mod drift;
mod engine;
mod error;
pub mod fuzzy;
mod impute;
mod kernel;
mod ledger;
mod outlier;
mod pipeline;
#[cfg_attr(
    not(feature = "frame"),
    expect(dead_code, reason = "parts that only engines with frames use")
)]
mod plan;
mod prepare;
mod profile;
mod resample;
mod scale;
mod spec;
#[cfg(feature = "distributed")]
mod sql;
mod table;
pub mod text;

pub use dataset::{Dataset, Role, Split, Test, Train};
pub use drift::{DriftProfile, FeatureDrift};
pub use error::{
    DataError, EngineError, FitError, LedgerError, ResampleError, RunError, SpecError, StateError,
    SyntaxError,
};
pub use impute::{
    FittedGroupImputer, FittedIterativeImputer, FittedKnnImputer, FittedSimpleImputer, Gap, GroupImputer,
    IterativeImputer, KnnImputer, SequenceImputer, SimpleImputer, Strategy,
};
pub use ledger::{Cause, Disposition, Ledger, Outcome, Reason};
pub use outlier::{FittedIsolationForest, FittedOutlierFences, IsolationForest, OutlierFences};
pub use pipeline::{Pipeline, Progress, RunOptions, RunReport, Work};
pub use prepare::{FittedPreparation, Preparation, Transformer};
pub use profile::{ColumnProfile, Histogram, Numbers, Profile};
pub use resample::{
    Adasyn, Agreement, BorderlineSmote, EditedNearestNeighbours, Jitter, Mixed, Mixup, Origin,
    RandomOverSampler, RandomUnderSampler, Resampled, Smote, SmoteNc, TomekLinks,
};
pub use scale::{FittedScaler, Scaler, Scaling};
pub use spec::{
    Action, Blame, Check, ColumnType, Compare, Deny, DropDuplicates, DropMissing, Equality, Fill, Format,
    How, Isolate, Keep, Mode, OutlierMethod, Outliers, PipelineSpec, Read, References, Rule, SPEC_VERSION,
    Sentinels, Step, Unique, Write,
};
pub use table::{EncodeOptions, Skipped, Table, Values};
pub use text::augment::{Augmented, SynonymTable, TextAugmenter, TextOp};
