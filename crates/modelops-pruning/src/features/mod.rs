//! Scores features and selects the ones that matter, from training rows alone.
//!
//! | my target is | and my features are | score |
//! | --- | --- | --- |
//! | classes | measurements | [`FClassif`], or [`MutualInfo`] where the relation need not be a shift of the mean |
//! | classes | measurements that matter together | [`ReliefF`] |
//! | classes | counts or one-hot | [`Chi2`] |
//! | a number | measurements | [`FRegression`] or [`Pearson`] for linear, [`Spearman`] for rising or falling, [`MutualInfo`] for any relation |
//! | none | measurements | [`Variance`] |
//!
//! Features that only matter together, or not beside others, take a model: [`Rfe`] and [`RfeCv`] eliminate by the coefficients
//! of a linear regression, [`Sequential`] adds or drops one at a time by a cross-validated score, and [`SelectFromModel`] keeps
//! what a model finds important: [`LinearCoefficients`], [`LassoEntry`], [`ExtraTrees`], or one of yours. Where features repeat
//! each other, [`Mrmr`] picks the most relevant for their redundancy, and [`Fcbf`] keeps those that no better one makes superfluous.
//!
//! | I want to bound | use |
//! | --- | --- |
//! | the share of useless features among those kept, one test a feature | [`Select::Fdr`] |
//! | that share, useless meaning beside all other features | [`Knockoffs`] |
//! | the number of features that any selection keeps by chance | [`StabilitySelection`] |
//! | the chance of missing a feature that tells anything at all, or of keeping noise | [`Boruta`] |
//!
//! [`Samples`] takes the indices of the training rows, so that a selection inside cross-validation cannot see the
//! held-out ones; [`Select`] turns scores into a [`Selection`], which transforms any table with the same columns.
//! Significance is kept as the *logarithm* of p, which neither underflows nor ties at zero.

mod boruta;
mod chi2;
mod correlation;
mod f_test;
mod fcbf;
mod from_model;
mod knockoffs;
mod lasso;
mod mrmr;
mod mutual_info;
mod picks;
mod regression;
mod relief;
mod rfe;
mod samples;
mod score;
mod select;
mod sequential;
mod stability;
mod sums;
mod trees;
mod variance;

pub use boruta::{Boruta, Verdict, Verdicts};
pub use chi2::Chi2;
pub use correlation::{Pearson, Spearman};
pub use f_test::{FClassif, FRegression};
pub use fcbf::Fcbf;
pub use from_model::{Importance, LinearCoefficients, SelectFromModel};
pub use knockoffs::{Contrasts, KnockoffModel, Knockoffs};
pub use lasso::LassoEntry;
pub use mrmr::{Mrmr, Tradeoff};
pub use mutual_info::MutualInfo;
pub use picks::Picks;
pub use relief::ReliefF;
pub use rfe::{CrossValidated, Elimination, Rfe, RfeCv};
pub use samples::{Samples, Target};
pub use score::{ScoreFunction, Scores};
pub use select::{Dependence, Select, Selection};
pub use sequential::{Direction, Sequence, Sequential};
pub use stability::{Stability, StabilitySelection};
pub use trees::ExtraTrees;
pub use variance::Variance;
