//! NSGA-II: evolution towards a Pareto front.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::pareto::dominates;
use super::random::trial_generator;
use super::sampler::{Context, Sampler};
use super::space::Domain;
use super::study::Direction;
use super::trial::{Trial, TrialState};

/// NSGA-II: children of good and far-apart trials, for studies of several objectives.
///
/// **Method**: the best `population` trials so far, by the rank of their front and then by their distance to neighbours on it, are the parents.
/// Every child has two of them, chosen by tournaments of two; numeric parameters are crossed by simulated binary crossover and changed by
/// polynomial mutation on their scale, choices are taken from either parent and now and then drawn anew. Trials that break a
/// constraint rank behind all that do not.
///
/// **Complexity**: O(p² m) once a generation of p trials with m objectives; O(d) a suggestion.
///
/// # Example
///
/// ```
/// use modelops_optimization::{Direction, NsgaIiSampler, SearchSpace, Study};
///
/// let space = SearchSpace::new().float("x", -10.0..=10.0)?;
/// let mut study = Study::multi_objective("two bowls", space, [Direction::Minimize; 2])?
///     .with_sampler(NsgaIiSampler::new(1).with_population(20));
/// study.optimize(300, |trial| {
///     let x = trial.parameters().float("x").unwrap();
///     vec![x * x, (x - 2.0) * (x - 2.0)]
/// })?;
/// // The front is between the bowls: x from 0 to 2.
/// let late = study.pareto_front();
/// assert!(late.len() > 50);
/// assert!(late.iter().all(|t| (-0.1..2.1).contains(&t.parameters().float("x").unwrap())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// **References**: K. Deb, A. Pratap, S. Agarwal and T. Meyarivan, A fast and elitist multiobjective genetic algorithm: NSGA-II, 2002,
/// IEEE Trans. Evol. Comput. 6, DOI 10.1109/4235.996017.
#[doc(alias("NSGA2", "pareto", "multi_objective"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NsgaIiSampler {
    seed: u64,
    population: usize,
}

impl NsgaIiSampler {
    /// Fifty parents.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, population: 50 }
    }

    /// Sets the number of parents and of trials a generation, at least 4.
    #[must_use]
    pub fn with_population(mut self, trials: usize) -> Self {
        self.population = trials.max(4);
        self
    }
}

/// How close children stay to their parents; larger is closer.
const CROSSOVER_INDEX: f64 = 15.0;
const MUTATION_INDEX: f64 = 20.0;
const CROSSOVER: f64 = 0.9;

/// The parents after the trials so far.
#[derive(Default)]
struct Learned {
    seen: usize,
    parents: Vec<Parent>,
    next: Vec<Parent>,
}

#[derive(Clone)]
struct Parent {
    numbers: Box<[f64]>,
    values: Vec<f64>,
    violation: f64,
    front: usize,
    distance: f64,
}

impl Sampler for NsgaIiSampler {
    fn suggest(&self, context: &Context<'_>, number: usize) -> Box<[f64]> {
        let mut generator = trial_generator(self.seed, number);
        let parameters = context.space.parameters();
        context.memory.recall(|learned: &mut Learned| {
            self.update(learned, context);
            let parents = &learned.parents;
            if parents.is_empty() {
                return parameters
                    .iter()
                    .map(|p| p.domain.at_quantile(generator.random()))
                    .collect();
            }
            let (a, b) = (
                tournament(parents, &mut generator),
                tournament(parents, &mut generator),
            );
            let crosses = generator.random::<f64>() < CROSSOVER;
            let rate = 1.0 / parameters.len() as f64;
            let genes = parameters.iter().enumerate();
            genes
                .map(|(k, p)| {
                    let (x, y) = (a.numbers[k], b.numbers[k]);
                    let x = if crosses {
                        cross(&p.domain, x, y, &mut generator)
                    } else {
                        x
                    };
                    // What both parents lack is drawn anew, in case this child has the condition.
                    if x.is_nan() || (p.domain.is_choice() && generator.random::<f64>() < rate) {
                        p.domain.at_quantile(generator.random())
                    } else if !p.domain.is_choice() && generator.random::<f64>() < rate {
                        mutate(&p.domain, x, &mut generator)
                    } else {
                        x
                    }
                })
                .collect()
        })
    }
}

impl NsgaIiSampler {
    /// Takes in the trials that are new; a generation at a time they compete with their parents.
    fn update(&self, learned: &mut Learned, context: &Context<'_>) {
        for trial in context.trials.iter().skip(learned.seen) {
            learned.next.extend(Parent::new(trial, context.directions));
            if (trial.number + 1) % self.population == 0 {
                let mut all = std::mem::take(&mut learned.parents);
                all.append(&mut learned.next);
                learned.parents = survivors(all, self.population);
            }
        }
        learned.seen = learned.seen.max(context.trials.len());
    }
}

impl Parent {
    /// `None` for a trial without values.
    fn new(trial: &Trial, directions: &[Direction]) -> Option<Self> {
        if trial.state != TrialState::Complete {
            return None;
        }
        let signed = trial.values.iter().zip(directions).map(|(v, d)| match d {
            Direction::Minimize => *v,
            Direction::Maximize => -v,
        });
        Some(Self {
            numbers: trial.parameters.numbers().into(),
            values: signed.collect(),
            violation: trial.constraints.iter().filter(|c| **c > 0.0).sum(),
            front: 0,
            distance: 0.0,
        })
    }

    fn beats(&self, other: &Self) -> bool {
        (self.front, -self.distance) < (other.front, -other.distance)
    }

    fn dominates(&self, other: &Self, directions: &[Direction]) -> bool {
        if self.violation != other.violation {
            return self.violation < other.violation;
        }
        dominates(&self.values, &other.values, directions)
    }
}

/// The better of two parents taken at random.
fn tournament<'a>(parents: &'a [Parent], generator: &mut ChaCha8Rng) -> &'a Parent {
    let mut pick = || &parents[generator.random_range(0..parents.len())];
    let (a, b) = (pick(), pick());
    if b.beats(a) { b } else { a }
}

/// The best `count`, with their fronts and distances.
fn survivors(mut all: Vec<Parent>, count: usize) -> Vec<Parent> {
    let minimize = vec![Direction::Minimize; all.first().map_or(0, |p| p.values.len())];
    // How many others dominate each, and whom each dominates.
    let mut dominators = vec![0usize; all.len()];
    let mut dominated: Vec<Vec<usize>> = vec![Vec::new(); all.len()];
    for a in 0..all.len() {
        for b in 0..all.len() {
            if a != b && all[a].dominates(&all[b], &minimize) {
                dominated[a].push(b);
                dominators[b] += 1;
            }
        }
    }
    let mut front: Vec<usize> = (0..all.len()).filter(|k| dominators[*k] == 0).collect();
    let mut chosen: Vec<usize> = Vec::new();
    let mut level = 0;
    while !front.is_empty() && chosen.len() < count {
        crowd(&mut all, &front);
        let mut next = Vec::new();
        for k in &front {
            all[*k].front = level;
            for other in &dominated[*k] {
                dominators[*other] -= 1;
                if dominators[*other] == 0 {
                    next.push(*other);
                }
            }
        }
        front.sort_by(|a, b| all[*b].distance.total_cmp(&all[*a].distance).then(a.cmp(b)));
        chosen.extend(front.iter().take(count - chosen.len()));
        front = next;
        front.sort_unstable();
        level += 1;
    }
    chosen.sort_unstable();
    chosen.into_iter().map(|k| all[k].clone()).collect()
}

/// Gives each of a front the sum of the gaps around it; the ends of every objective are infinitely far from others.
fn crowd(all: &mut [Parent], front: &[usize]) {
    front.iter().for_each(|k| all[*k].distance = 0.0);
    for objective in 0..all[front[0]].values.len() {
        let mut order = front.to_vec();
        order.sort_by(|a, b| {
            all[*a].values[objective]
                .total_cmp(&all[*b].values[objective])
                .then(a.cmp(b))
        });
        let value = |k: usize| all[order[k]].values[objective];
        let last = order.len() - 1;
        let range = value(last) - value(0);
        let gaps: Vec<f64> = (0..order.len())
            .map(|k| match k {
                0 => f64::INFINITY,
                _ if k == last => f64::INFINITY,
                _ if range > 0.0 && range.is_finite() => (value(k + 1) - value(k - 1)) / range,
                _ => 0.0,
            })
            .collect();
        for (k, gap) in order.iter().zip(gaps) {
            all[*k].distance += gap;
        }
    }
}

/// One child of two numbers.
fn cross(domain: &Domain, a: f64, b: f64, generator: &mut ChaCha8Rng) -> f64 {
    let (first, u): (bool, f64) = (generator.random(), generator.random());
    if a.is_nan() || b.is_nan() {
        return if a.is_nan() { b } else { a };
    }
    if domain.is_choice() || a == b {
        return if first { a } else { b };
    }
    let (x, y) = (domain.place_of(a), domain.place_of(b));
    let power = 1.0 / (CROSSOVER_INDEX + 1.0);
    let spread = if u <= 0.5 {
        (2.0 * u).powf(power)
    } else {
        (1.0 / (2.0 * (1.0 - u))).powf(power)
    };
    let side = if first { spread } else { -spread };
    at_place(domain, 0.5 * ((1.0 + side) * x + (1.0 - side) * y))
}

/// A number near another one.
fn mutate(domain: &Domain, x: f64, generator: &mut ChaCha8Rng) -> f64 {
    let (place, u): (f64, f64) = (domain.place_of(x), generator.random());
    let power = 1.0 / (MUTATION_INDEX + 1.0);
    // The distribution is squeezed to the room on either side.
    let change = if u < 0.5 {
        let room = (1.0 - place).powf(MUTATION_INDEX + 1.0);
        (2.0 * u + (1.0 - 2.0 * u) * room).powf(power) - 1.0
    } else {
        let room = place.powf(MUTATION_INDEX + 1.0);
        1.0 - (2.0 * (1.0 - u) + (2.0 * u - 1.0) * room).powf(power)
    };
    at_place(domain, place + change)
}

fn at_place(domain: &Domain, place: f64) -> f64 {
    domain.at_quantile(place.clamp(0.0, 1.0 - f64::EPSILON))
}
