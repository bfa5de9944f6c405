//! From scores to a selection.
#![expect(
    clippy::needless_pass_by_value,
    reason = "views are passed by value, as ndarray does"
)]

use ndarray::{Array2, ArrayView2, Axis};

use super::{Samples, ScoreFunction, Scores};
use crate::error::FeatureError;

/// How p-values may depend on each other, for the false discovery rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Dependence {
    /// Independent or positively dependent: Benjamini and Hochberg.
    #[default]
    Positive,
    /// Any dependence, at the price of a factor of about ln(features): Benjamini and Yekutieli.
    Any,
}

/// Which features to keep. A feature without a statistic (NaN) is never kept.
///
/// # Example
/// ```
/// use modelops_pruning::features::{FClassif, Samples, Select, Target};
/// use ndarray::array;
///
/// let x = array![[5.0, 0.0], [4.0, 2.0], [5.0, 3.0], [4.0, 5.0], [0.0, 9.0]];
/// let y = [0, 0, 1, 1, 1];
/// let training = Samples::training(x.view(), Target::Classes(&y), &[0, 1, 2, 3])?;
/// let selection = Select::KBest(1).fit(&FClassif, &training)?;
/// assert_eq!(selection.selected(), [1]);
/// assert_eq!(selection.transform(x.view())?.column(0).to_vec(), [0.0, 2.0, 3.0, 5.0, 9.0]);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
///
/// # References
/// Benjamini and Hochberg, "Controlling the false discovery rate", 1995, DOI 10.1111/j.2517-6161.1995.tb02031.x.
/// Benjamini and Yekutieli, "The control of the false discovery rate in multiple testing under dependency", 2001,
/// DOI 10.1214/aos/1013699998.
#[doc(alias("SelectKBest", "SelectFdr", "false_discovery_rate"))]
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Select {
    /// The best of that number (all, where there are fewer); on a tie the lower index.
    KBest(usize),
    /// The best of this percentage (0 to 100) of all features, rounded down.
    Percentile(f64),
    /// Those whose statistic is strictly above.
    Above(f64),
    /// Those with p < level: expects that share of the useless features among the kept.
    Fpr(f64),
    /// Bounds the expected share of useless features among the kept ones.
    Fdr {
        /// The bound, 0 to 1.
        level: f64,
        /// What is assumed about the p-values.
        dependence: Dependence,
    },
    /// Bounds the chance of keeping even one useless feature: p < level / features (Bonferroni).
    Fwe(f64),
}

impl Select {
    /// Scores the training rows and selects.
    ///
    /// # Errors
    /// Those of the score; [`FeatureError::NoPValues`] for a level on a score without p-values;
    /// [`FeatureError::Parameter`] for a level or percentile outside its range.
    pub fn fit(&self, score: &impl ScoreFunction, samples: &Samples<'_>) -> Result<Selection, FeatureError> {
        self.select(score.score(samples)?)
    }

    /// Selects from scores that are there already.
    ///
    /// # Errors
    /// As [`Select::fit`], less those of the score.
    pub fn select(&self, scores: Scores) -> Result<Selection, FeatureError> {
        let selected = match *self {
            Self::KBest(count) => best(&scores, count),
            Self::Percentile(percent) => {
                let percent = checked(percent, 100.0, "percentile")?;
                best(
                    &scores,
                    (scores.statistics().len() as f64 * percent / 100.0) as usize,
                )
            }
            Self::Above(bound) => {
                let above = |feature: &usize| scores.statistics()[*feature] > bound;
                (0..scores.statistics().len()).filter(above).collect()
            }
            Self::Fpr(level) => below(ln_p(&scores)?, checked(level, 1.0, "level")?.ln()),
            Self::Fdr { level, dependence } => {
                step_up(ln_p(&scores)?, checked(level, 1.0, "level")?, dependence)
            }
            Self::Fwe(level) => {
                let ln_p = ln_p(&scores)?;
                below(ln_p, (checked(level, 1.0, "level")? / ln_p.len() as f64).ln())
            }
        };
        Ok(Selection::new(selected, scores))
    }
}

/// The features that were kept, and the scores of all.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    selected: Vec<usize>,
    scores: Scores,
}

impl Selection {
    pub(super) fn new(mut selected: Vec<usize>, scores: Scores) -> Self {
        selected.sort_unstable();
        Self { selected, scores }
    }

    /// Columns that are kept, ascending.
    #[must_use]
    pub fn selected(&self) -> &[usize] {
        &self.selected
    }

    /// Scores of all features, kept or not.
    #[must_use]
    pub fn scores(&self) -> &Scores {
        &self.scores
    }

    /// Copies the kept columns of a table with the same columns, held-out rows included.
    ///
    /// # Errors
    /// [`FeatureError::Columns`] where the table has another number of columns.
    pub fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, FeatureError> {
        let expected = self.scores.statistics().len();
        if x.ncols() != expected {
            return Err(FeatureError::Columns {
                expected,
                found: x.ncols(),
            });
        }
        Ok(x.select(Axis(1), &self.selected))
    }
}

fn checked(value: f64, most: f64, name: &'static str) -> Result<f64, FeatureError> {
    if (0.0..=most).contains(&value) {
        Ok(value)
    } else {
        Err(FeatureError::Parameter { name })
    }
}

fn ln_p(scores: &Scores) -> Result<&[f64], FeatureError> {
    scores.ln_p_values().ok_or(FeatureError::NoPValues)
}

fn best(scores: &Scores, count: usize) -> Vec<usize> {
    let mut ranking = scores.ranking();
    ranking.truncate(count);
    ranking
}

fn below(ln_p: &[f64], bound: f64) -> Vec<usize> {
    (0..ln_p.len()).filter(|feature| ln_p[*feature] < bound).collect()
}

/// The largest i with p₍ᵢ₎ ≤ level · i / (n · c), and everything at or below that p.
fn step_up(ln_p: &[f64], level: f64, dependence: Dependence) -> Vec<usize> {
    let n = ln_p.len() as f64;
    let factor = match dependence {
        Dependence::Positive => 1.0,
        Dependence::Any => (1..=ln_p.len()).map(|i| 1.0 / i as f64).sum(),
    };
    let mut sorted: Vec<f64> = ln_p.iter().copied().filter(|p| !p.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let passes = |(i, p): &(usize, &f64)| **p <= (level * (*i + 1) as f64 / (n * factor)).ln();
    match sorted.iter().enumerate().rfind(passes) {
        Some((_, bound)) => (0..ln_p.len())
            .filter(|feature| ln_p[*feature] <= *bound)
            .collect(),
        None => Vec::new(),
    }
}
