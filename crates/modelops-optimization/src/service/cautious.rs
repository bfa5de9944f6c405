//! Suggestions that raise the throughput and seldom break the limit.

use rand::RngExt;

use crate::search::gaussian_process::GaussianProcess;
use crate::search::gp_sampler::{near, places, random};
use crate::search::random::trial_generator;
use crate::{Context, Sampler, SearchSpace, Trial, TrialState};

/// The sampler of a service tuner. The constraints of its trials are ln(latency / limit) and, where it is measured, saturation − 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CautiousSampler {
    pub(super) seed: u64,
    pub(super) warm_up: usize,
    pub(super) deviations: f64,
}

/// Part of the trials that may break the limit.
const BUDGET: f64 = 0.05;
/// By how many standard deviations its care changes for a trial too many, and for one that the budget has left; and its least care.
const MORE_CARE: f64 = 1.0;
const LESS_CARE: f64 = 0.5;
const LEAST_CARE: f64 = 1.0;
/// A queue overflows suddenly: it keeps away from replicas that are fuller than this.
const FULL: f64 = 0.9;
/// The variance of the slopes of the linear trend, in standard deviations of the values over the whole range of a knob.
const TREND: f64 = 4.0;
/// Beyond these an excess tells no more: far below the limit, and when the queue overflows.
const EXCESS: (f64, f64) = (-2.0, 0.5);
/// The least standard deviation of a 99th percentile's logarithm.
const NOISE: f64 = 0.02;
/// How far, in parts of the ranges, from the nearest trial that kept the limit.
const REACH: f64 = 0.15;
/// The width of the steps of the warm-up.
const FIRST_STEPS: f64 = 0.1;
/// The points around each of the best trials, and the widths of the widest and the narrowest steps.
const CENTRES: usize = 5;
const NEARBY: usize = 300;
const WIDTHS: (f64, f64) = (0.2, 0.004);
/// What a trial that looks for slack may give up, as the logarithm of the throughput.
const GIVEN_UP: f64 = 0.03;

/// Whether a point is safe, and then how good it is or by how little it is not.
type Score = (bool, f64);

impl Sampler for CautiousSampler {
    fn suggest(&self, context: &Context<'_>, number: usize) -> Box<[f64]> {
        let mut generator = trial_generator(self.seed, number);
        let known = measured(context.trials);
        let mut safe: Vec<&Trial> = known.iter().copied().filter(|t| t.is_feasible()).collect();
        if safe.is_empty() {
            return random(context, &mut generator);
        }
        let Some(model) = Model::fit(context.space, &known).filter(|_| known.len() >= self.warm_up) else {
            let centre = safe[generator.random_range(0..safe.len())];
            return near(context, centre, FIRST_STEPS, &mut generator);
        };
        safe.sort_by(|a, b| b.values[0].total_cmp(&a.values[0]));
        let refuges: Vec<Vec<f64>> = safe
            .iter()
            .map(|t| places(context.space, t.parameters.numbers()))
            .collect();
        let best = logarithm(safe[0]);
        let deviations = self.care(&known, number);
        // Every other trial looks for the way to the same throughput with the least latency: what it finds, the next can spend.
        let spends = number.is_multiple_of(2);
        let mut chosen: Option<(Score, Box<[f64]>)> = None;
        for centre in safe.iter().take(CENTRES) {
            for k in 0..NEARBY {
                let width = WIDTHS.0 * (WIDTHS.1 / WIDTHS.0).powf(k as f64 / NEARBY as f64);
                let candidate = near(context, centre, width, &mut generator);
                let point = places(context.space, &candidate);
                if refuges.iter().all(|refuge| distance(refuge, &point) > REACH) {
                    continue;
                }
                let (gain, doubt) = model.gain.predict_noisy(&point);
                let (excess, deviation) = model.excess(&point);
                let bound = (excess + deviations * deviation).max(model.overflow(&point, deviations));
                let score = if bound > 0.0 {
                    (false, -bound)
                } else if spends {
                    (true, gain + doubt)
                } else {
                    let lack = (best - GIVEN_UP - gain).max(0.0);
                    (true, deviation - excess - 100.0 * lack)
                };
                if chosen.as_ref().is_none_or(|(best, _)| score > *best) {
                    chosen = Some((score, candidate));
                }
            }
        }
        chosen.map_or_else(|| safe[0].parameters.numbers().into(), |(_, candidate)| candidate)
    }
}

impl CautiousSampler {
    /// How many standard deviations to keep away from the limit: more for each trial that broke it beyond the budget, fewer for what is
    /// left of the budget.
    fn care(&self, known: &[&Trial], number: usize) -> f64 {
        let since = |t: &&&Trial| t.number >= self.warm_up && !t.is_feasible();
        let broken = known.iter().filter(since).count() as f64;
        let overdrawn = broken - BUDGET * number.saturating_sub(self.warm_up) as f64;
        let change = if overdrawn > 0.0 { MORE_CARE } else { LESS_CARE };
        (self.deviations + change * overdrawn).max(LEAST_CARE.min(self.deviations))
    }
}

/// What the trials tell of throughput, latency and saturation, in logarithms.
struct Model {
    gain: GaussianProcess,
    excess: GaussianProcess,
    fullness: Option<GaussianProcess>,
}

impl Model {
    /// `None` where nothing is known.
    fn fit(space: &SearchSpace, known: &[&Trial]) -> Option<Self> {
        let points: Vec<Vec<f64>> = known
            .iter()
            .map(|t| places(space, t.parameters.numbers()))
            .collect();
        let fit = |value: &dyn Fn(&Trial) -> f64| {
            let values: Vec<f64> = known.iter().map(|t| value(t)).collect();
            GaussianProcess::fit_with_trend(&points, &values, TREND)
        };
        let full = known.iter().all(|t| t.constraints.len() > 1);
        Some(Self {
            gain: fit(&logarithm)?,
            excess: fit(&|t| t.constraints[0].clamp(EXCESS.0, EXCESS.1))?,
            fullness: full
                .then(|| fit(&|t| (1.0 + t.constraints[1]).clamp(1e-3, 1.0).ln()))
                .flatten(),
        })
    }

    /// ln(latency / limit) that a trial at `point` would measure, and its standard deviation.
    fn excess(&self, point: &[f64]) -> (f64, f64) {
        let (excess, deviation) = self.excess.predict_noisy(point);
        (excess, deviation.max(NOISE))
    }

    /// Above 0 where replicas may be too full at `point`.
    fn overflow(&self, point: &[f64], deviations: f64) -> f64 {
        self.fullness.as_ref().map_or(f64::NEG_INFINITY, |process| {
            let (fullness, deviation) = process.predict_noisy(point);
            fullness + deviations * deviation - FULL.ln()
        })
    }
}

/// The trial that a tuner should end with: of those that kept the limit and that the model trusts to keep it again, the best.
pub(super) fn trusted<'a>(space: &SearchSpace, trials: &'a [Trial], deviations: f64) -> Option<&'a Trial> {
    let known = measured(trials);
    let model = Model::fit(space, &known)?;
    let keeps = |t: &&&Trial| {
        let (excess, deviation) = model.excess(&places(space, t.parameters.numbers()));
        t.is_feasible() && excess + deviations * deviation <= 0.0
    };
    let kept = known.iter().filter(keeps).copied();
    kept.reduce(|best, t| if t.values[0] > best.values[0] { t } else { best })
}

fn measured(trials: &[Trial]) -> Vec<&Trial> {
    let usable = |t: &&Trial| t.state == TrialState::Complete && !t.constraints.is_empty();
    trials.iter().filter(usable).collect()
}

/// The logarithm of a throughput.
fn logarithm(trial: &Trial) -> f64 {
    trial.values[0].clamp(1e-9, f64::MAX).ln()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b) * (a - b))
        .sum::<f64>()
        .sqrt()
}
