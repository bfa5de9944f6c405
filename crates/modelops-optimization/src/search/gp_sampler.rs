//! Bayesian optimisation with Gaussian processes.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::gaussian_process::GaussianProcess;
use super::random::trial_generator;
use super::sampler::{Context, Sampler};
use super::space::SearchSpace;
use super::study::Direction;
use super::trial::{Trial, TrialState};

/// Suggests the point with the largest expected improvement under a Gaussian process, among those that should keep the constraints.
///
/// For expensive objectives: it needs the fewest trials on smooth functions of up to a dozen or so parameters, and the most time to suggest
/// one. Beyond a few hundred trials use [`TpeSampler`](crate::TpeSampler). With several objectives it looks at the first.
///
/// **Method**: Matérn's covariance of smoothness 5/2 over the parameters scaled to their ranges, with lengths and noise of the largest posterior;
/// one process for the objective and one for each constraint. A thousand random points, and points around the best trials, compete.
/// Without [caution](Self::with_caution) the expected improvement is weighted by the probability that the constraints hold; with it
/// only points count at which every constraint holds with that many standard deviations to spare.
///
/// **Complexity**: O(n³) for each of up to some thirty steps of the fit, for n trials: of more than 150 the newest 100 and the best 50 count.
///
/// # Example
///
/// ```
/// use modelops_optimization::{Direction, GaussianProcessSampler, SearchSpace, Study};
///
/// let space = SearchSpace::new().float("x", -5.0..=5.0)?.float("y", -5.0..=5.0)?;
/// let mut study = Study::new("bowl", space, Direction::Minimize).with_sampler(GaussianProcessSampler::new(1));
/// study.optimize(30, |trial| -> Result<f64, modelops_optimization::ParameterError> {
///     let (x, y) = (trial.parameters().float("x")?, trial.parameters().float("y")?);
///     Ok((x - 2.0).powi(2) + (y + 1.0).powi(2))
/// })?;
/// assert!(study.best_trial().unwrap().value().unwrap() < 0.01);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// **References**: D. R. Jones, M. Schonlau and W. J. Welch, Efficient global optimization of expensive black-box functions, 1998,
/// J. Global Optim. 13, DOI 10.1023/A:1008306431147; M. A. Gelbart, J. Snoek and R. P. Adams, Bayesian optimization with unknown
/// constraints, 2014, arXiv:1403.5607.
#[doc(alias = "bayesian_optimization")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaussianProcessSampler {
    seed: u64,
    startup: usize,
    caution: Option<f64>,
}

/// Of more trials than both together only so many newest and best count.
const NEWEST: usize = 100;
const BEST: usize = 50;
/// Points drawn from the whole space, and around each of the best trials.
const ANYWHERE: usize = 1_000;
const NEARBY: usize = 100;
const CENTRES: usize = 5;

impl GaussianProcessSampler {
    /// Ten random trials first.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            startup: 10,
            caution: None,
        }
    }

    /// Sets the number of random trials before the first suggestion, at least 2.
    #[must_use]
    pub fn with_startup_trials(mut self, trials: usize) -> Self {
        self.startup = trials.max(2);
        self
    }

    /// Keeps `deviations` standard deviations (0 or more) away from what the constraints are expected to forbid, from the first suggestion
    /// on: random trials then stay within a small distance of a trial that kept them, if there is one.
    #[must_use]
    pub fn with_caution(mut self, deviations: f64) -> Self {
        self.caution = Some(deviations.max(0.0));
        self
    }
}

/// Compared from the left: with caution whether a point is safe and whether it is new, otherwise the other way round; then the gain.
type Score = (bool, bool, f64);

impl Sampler for GaussianProcessSampler {
    fn suggest(&self, context: &Context<'_>, number: usize) -> Box<[f64]> {
        let mut generator = trial_generator(self.seed, number);
        let known = relevant(context);
        if known.len() < self.startup {
            return self.first(context, &known, &mut generator);
        }
        let points: Vec<Vec<f64>> = known
            .iter()
            .map(|t| places(context.space, t.parameters.numbers()))
            .collect();
        let sign = sign(context);
        let values: Vec<f64> = known.iter().map(|t| sign * t.values[0]).collect();
        let constraints = known.iter().map(|t| t.constraints.len()).min().unwrap_or(0);
        let limits: Option<Vec<GaussianProcess>> = (0..constraints)
            .map(|c| {
                let broken: Vec<f64> = known.iter().map(|t| t.constraints[c]).collect();
                GaussianProcess::fit(&points, &broken)
            })
            .collect();
        let (Some(process), Some(limits)) = (GaussianProcess::fit(&points, &values), limits) else {
            return random(context, &mut generator);
        };
        let feasible = known.iter().zip(&values).filter(|(t, _)| t.is_feasible());
        let best = feasible.map(|(_, v)| *v).fold(f64::INFINITY, f64::min);
        let mut chosen: Option<(Score, Box<[f64]>)> = None;
        for candidate in candidates(context, &known, &mut generator) {
            let point = places(context.space, &candidate);
            let fresh = !points.contains(&point);
            let bounds = limits.iter().map(|limit| limit.predict(&point));
            let score = match self.caution {
                Some(deviations) => {
                    let worst = bounds
                        .map(|(mean, sd)| mean + deviations * sd)
                        .fold(f64::NEG_INFINITY, f64::max);
                    if worst <= 0.0 {
                        (fresh, true, log_improvement(&process, &point, best))
                    } else {
                        (fresh, false, -worst)
                    }
                }
                None => {
                    let holds: f64 = bounds
                        .map(|(mean, sd)| probability(-mean / sd).max(1e-300).ln())
                        .sum();
                    let gain = if best.is_finite() {
                        log_improvement(&process, &point, best)
                    } else {
                        0.0
                    };
                    (fresh, true, gain + holds)
                }
            };
            // What is known to be safe before what is new.
            let score = if self.caution.is_some() {
                (score.1, score.0, score.2)
            } else {
                score
            };
            if chosen.as_ref().is_none_or(|(best, _)| score > *best) {
                chosen = Some((score, candidate));
            }
        }
        chosen.map_or_else(|| random(context, &mut generator), |(_, candidate)| candidate)
    }
}

impl GaussianProcessSampler {
    /// A trial before there is a process: anywhere, or with caution near a trial that kept the constraints.
    fn first(&self, context: &Context<'_>, known: &[&Trial], generator: &mut ChaCha8Rng) -> Box<[f64]> {
        let safe: Vec<&&Trial> = known.iter().filter(|t| t.is_feasible()).collect();
        match (self.caution, safe.len()) {
            (None, _) | (_, 0) => random(context, generator),
            (Some(_), n) => {
                let centre = safe[generator.random_range(0..n)];
                near(context, centre, FIRST_STEPS, generator)
            }
        }
    }
}

/// The width of the steps around a safe trial, as a part of each range.
const FIRST_STEPS: f64 = 0.08;

/// The complete trials that count.
fn relevant<'a>(context: &Context<'a>) -> Vec<&'a Trial> {
    let usable = |t: &&Trial| t.state == TrialState::Complete && t.values[0].is_finite();
    let mut known: Vec<&Trial> = context.trials.iter().filter(usable).collect();
    if known.len() > NEWEST + BEST {
        let newest = known.split_off(known.len() - NEWEST);
        known.sort_by(|a, b| better_first(context, a, b));
        known.truncate(BEST);
        known.extend(newest);
    }
    known
}

fn sign(context: &Context<'_>) -> f64 {
    match context.directions.first() {
        Some(Direction::Maximize) => -1.0,
        _ => 1.0,
    }
}

/// Feasible trials by value, then the others.
fn better_first(context: &Context<'_>, a: &Trial, b: &Trial) -> std::cmp::Ordering {
    let key = |t: &Trial| sign(context) * t.values[0];
    b.is_feasible()
        .cmp(&a.is_feasible())
        .then(key(a).total_cmp(&key(b)))
        .then(a.number.cmp(&b.number))
}

/// The point of the unit cube that stands for numbers of a trial; the middle where a parameter is missing.
pub(crate) fn places(space: &SearchSpace, numbers: &[f64]) -> Vec<f64> {
    let parameters = space.parameters().iter().zip(numbers).enumerate();
    let mut out = Vec::with_capacity(numbers.len());
    for (place, (parameter, number)) in parameters {
        if number.is_nan() || !space.is_active(place, numbers) {
            out.push(0.5);
        } else {
            out.push(parameter.domain.place_of(*number));
        }
    }
    out
}

pub(crate) fn random(context: &Context<'_>, generator: &mut ChaCha8Rng) -> Box<[f64]> {
    let parameters = context.space.parameters().iter();
    parameters
        .map(|p| p.domain.at_quantile(generator.random()))
        .collect()
}

/// A point around a trial: about half of the parameters change.
pub(crate) fn near(
    context: &Context<'_>,
    centre: &Trial,
    width: f64,
    generator: &mut ChaCha8Rng,
) -> Box<[f64]> {
    let parameters = context.space.parameters().iter().zip(centre.parameters.numbers());
    parameters
        .map(|(p, number)| {
            let (stays, u): (bool, f64) = (generator.random(), generator.random());
            let z: f64 = StandardNormal.sample(generator);
            if number.is_nan() || (p.domain.is_choice() && u < width) {
                p.domain.at_quantile(u)
            } else if stays || p.domain.is_choice() {
                *number
            } else {
                p.domain
                    .at_quantile((p.domain.place_of(*number) + width * z).clamp(0.0, 1.0 - f64::EPSILON))
            }
        })
        .collect()
}

/// Points from everywhere, and from around the best trials at several distances.
fn candidates(context: &Context<'_>, known: &[&Trial], generator: &mut ChaCha8Rng) -> Vec<Box<[f64]>> {
    let mut ranked = known.to_vec();
    ranked.sort_by(|a, b| better_first(context, a, b));
    let mut out: Vec<Box<[f64]>> = (0..ANYWHERE).map(|_| random(context, generator)).collect();
    for centre in ranked.iter().take(CENTRES) {
        for k in 0..NEARBY {
            // From a fifth of the range down to a five-hundredth.
            let width = 0.2 * 0.01f64.powf(k as f64 / NEARBY as f64);
            out.push(near(context, centre, width, generator));
        }
    }
    out
}

/// ln of the expected improvement on `best`; steadily falling where it is too small for a number.
fn log_improvement(process: &GaussianProcess, point: &[f64], best: f64) -> f64 {
    let (mean, deviation) = process.predict(point);
    if !best.is_finite() {
        return -mean;
    }
    let z = (best - mean) / deviation;
    let density = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let expected = z * probability(z) + density;
    if z > -5.0 && expected > 0.0 {
        deviation.ln() + expected.ln()
    } else {
        // Far below: φ(z) / z², the leading term.
        deviation.ln() - 0.5 * z * z - 2.0 * z.abs().ln() - 0.918_938_533_204_672_7
    }
}

/// Φ(z).
fn probability(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}
