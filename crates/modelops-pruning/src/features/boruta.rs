//! All features that tell more than chance.

use ndarray::{Array2, s};
use rand::Rng;
use rand::seq::SliceRandom;

use super::{Samples, ScoreFunction};
use crate::error::FeatureError;
use crate::kernel::log_tail::ln_f_tail;

/// With fewer shadows than this the best of them would be too easily beaten.
const LEAST_SHADOWS: usize = 5;

/// What [`Boruta`] found out about a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// It tells about the target.
    Confirmed,
    /// More rounds are needed to tell.
    Tentative,
    /// It tells no more than the best of the shuffled copies.
    Rejected,
}

/// Compares features with shuffled copies of them, to find all that tell about the target.
///
/// Use it to understand a target: it keeps features that repeat each other. To predict with few of them,
/// [`Mrmr`](crate::features::Mrmr) or [`Sequential`](crate::features::Sequential) leave those out. What it sees is what its source
/// of importances sees: [`ExtraTrees`](crate::features::ExtraTrees) is the usual one.
///
/// **Formula.** In every round the features not yet rejected stand beside shadows, copies with rows shuffled (at least five). A
/// feature whose importance is above that of every shadow has a hit. After a round a feature is decided where the chance of at
/// least its hits, or of at most these, in that many throws of a coin is below level / (2 · features).
///
/// **Errors.** [`FeatureError::Parameter`] for no round or a level outside 0 to 1, and those of the importances.
///
/// **Complexity.** That of the importances on twice the features, in each round.
///
/// **Numerics.** A feature without an importance (NaN) has no hit.
///
/// # Example
/// ```
/// use modelops_pruning::features::{Boruta, ExtraTrees, Samples, Target, Verdict};
/// use ndarray::Array2;
/// use rand::SeedableRng;
/// use rand_xoshiro::Xoshiro256PlusPlus;
///
/// // The class is the sign of the first feature; the second is a wave that has nothing to do with it.
/// let x = Array2::from_shape_fn((60, 2), |(i, j)| if j == 0 { i as f64 - 29.5 } else { (1.7 * i as f64).sin() });
/// let y: Vec<usize> = x.column(0).iter().map(|x| usize::from(*x > 0.0)).collect();
/// let samples = Samples::all(x.view(), Target::Classes(&y))?;
/// let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
/// let found = Boruta::new(30).fit(|seed| ExtraTrees::new(20, seed), &samples, &mut rng)?;
/// assert_eq!(found.verdicts(), [Verdict::Confirmed, Verdict::Rejected]);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
///
/// # References
/// Kursa and Rudnicki, "Feature selection with the Boruta package", 2010, DOI 10.18637/jss.v036.i11.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Boruta {
    rounds: usize,
    level: f64,
}

impl Boruta {
    /// Takes at most this many rounds (100 is usual), and errs about any feature with a chance of 0.01.
    #[must_use]
    pub fn new(rounds: usize) -> Self {
        Self { rounds, level: 0.01 }
    }

    /// Errs with this chance, 0 to 1, counted over all features in one round.
    #[must_use]
    pub fn with_level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Judges the features on the training rows. `importance` gives the source for a seed, which differs from round to round; a source
    /// without chance ignores it.
    ///
    /// # Errors
    /// As the type says.
    pub fn fit<S: ScoreFunction>(
        &self,
        mut importance: impl FnMut(u64) -> S,
        samples: &Samples<'_>,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Verdicts, FeatureError> {
        if self.rounds == 0 {
            return Err(FeatureError::Parameter { name: "rounds" });
        }
        if !(0.0..=1.0).contains(&self.level) {
            return Err(FeatureError::Parameter { name: "level" });
        }
        let features = samples.features();
        let bound = (self.level / (2 * features) as f64).ln();
        let mut verdicts = vec![Verdict::Tentative; features];
        let (mut hits, mut rounds) = (vec![0; features], 0);
        while rounds < self.rounds && verdicts.contains(&Verdict::Tentative) {
            let present: Vec<usize> = (0..features)
                .filter(|j| verdicts[*j] != Verdict::Rejected)
                .collect();
            let table = beside_shadows(samples, &present, rng);
            let scores = importance(rng.next_u64()).score(&samples.with_table(table))?;
            let statistics = scores.statistics();
            if statistics.len() < present.len() + LEAST_SHADOWS {
                return Err(FeatureError::Columns {
                    expected: present.len() + present.len().max(LEAST_SHADOWS),
                    found: statistics.len(),
                });
            }
            let best = statistics[present.len()..]
                .iter()
                .copied()
                .fold(f64::NEG_INFINITY, f64::max);
            rounds += 1;
            for (feature, importance) in present.iter().zip(statistics) {
                hits[*feature] += usize::from(*importance > best);
                if verdicts[*feature] == Verdict::Tentative {
                    verdicts[*feature] = if ln_at_least(hits[*feature], rounds) < bound {
                        Verdict::Confirmed
                    } else if ln_at_least(rounds - hits[*feature], rounds) < bound {
                        Verdict::Rejected
                    } else {
                        Verdict::Tentative
                    };
                }
            }
        }
        Ok(Verdicts {
            verdicts,
            hits,
            rounds,
        })
    }
}

/// What [`Boruta`] found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdicts {
    verdicts: Vec<Verdict>,
    hits: Vec<usize>,
    rounds: usize,
}

impl Verdicts {
    /// One for every feature.
    #[must_use]
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// Columns that are confirmed, ascending.
    #[must_use]
    pub fn selected(&self) -> Vec<usize> {
        let confirmed = |j: &usize| self.verdicts[*j] == Verdict::Confirmed;
        (0..self.verdicts.len()).filter(confirmed).collect()
    }

    /// In how many rounds each feature was above every shadow; of a rejected one, up to then.
    #[must_use]
    pub fn hits(&self) -> &[usize] {
        &self.hits
    }

    /// Rounds that were taken.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.rounds
    }
}

/// The features, and after them their copies with rows shuffled, some twice where there are few.
fn beside_shadows(samples: &Samples<'_>, present: &[usize], rng: &mut (impl Rng + ?Sized)) -> Array2<f64> {
    let (rows, n) = (samples.rows(), present.len());
    let mut table = Array2::zeros((rows, n + n.max(LEAST_SHADOWS)));
    let x = samples.x();
    for (at, feature) in present.iter().cycle().take(table.ncols()).enumerate() {
        let mut column = x.column(*feature).to_vec();
        if at >= n {
            column.shuffle(rng);
        }
        let mut out = table.slice_mut(s![.., at]);
        out.iter_mut().zip(column).for_each(|(out, x)| *out = x);
    }
    table
}

/// ln of the chance of at least this many heads in `throws` of a fair coin.
fn ln_at_least(heads: usize, throws: usize) -> f64 {
    if heads == 0 {
        return 0.0;
    }
    // A binomial tail is one of the F distribution, at the ratio of its degrees of freedom where the coin is fair.
    let (above, below) = (heads, throws - heads + 1);
    ln_f_tail(above as f64 / below as f64, 2 * below, 2 * above)
}
