//! Prices of capacity and of jobs, and the bound that they prove.

use super::search::Search;
use super::{Problem, SCALE};
use crate::knapsack::knapsack;
use crate::relaxation::{advance, slope};
use crate::solver::{Item, SolverOptions};

/// Rounds of each descent: enough for the last digit of the bound on hundreds of jobs.
const ROUNDS: usize = 300;

/// States of one knapsack; beyond, its bound is used.
const STATES: u64 = 1 << 14;

/// The prices of the jobs with the best bound found, and that bound. What the prices make best is handed to the search.
pub(super) fn prices(problem: &Problem, search: &mut Search<'_>, left: &mut u64) -> (Vec<i64>, i64) {
    let capacity = by_capacity(problem, search, left);
    let mut best: Vec<i64> = (0..problem.jobs)
        .map(|job| {
            let asked = allowed(problem, job).map(|agent| {
                problem.cost(job, agent) as f64 + capacity[agent] * problem.weight(job, agent) as f64
            });
            // Any price proves a bound; those that are too high prove a poor one.
            (asked.fold(f64::INFINITY, f64::min) * SCALE as f64).min(highest(problem)) as i64
        })
        .collect();
    search.priced(capacity);
    let most = highest(problem);
    let all = Open::new(problem);
    let (mut bound, mut taken) = all.bound(problem, &best, |_, _| {});
    let mut now: Vec<f64> = best.iter().map(|price| *price as f64).collect();
    let (mut pace, mut stale) = (1.0, 0);
    let share = *left / 4;
    let mut spent = 0;
    let mut current = bound;
    for round in 0..ROUNDS {
        let missing: Vec<f64> = taken.iter().map(|times| 1.0 - f64::from(*times)).collect();
        let norm: f64 = missing.iter().map(|m| m * m).sum();
        let target = search.target(bound_of(bound)) * SCALE;
        spent += 8 * (problem.jobs * problem.agents) as u64;
        if norm == 0.0 || bound_of(bound) >= search.target(i64::MAX) || spent > share {
            break;
        }
        let step = pace * ((target - current).max(SCALE) as f64) / norm;
        let whole: Vec<i64> = now
            .iter_mut()
            .zip(&missing)
            .map(|(price, missing)| {
                *price = (*price + step * missing).clamp(0.0, most);
                *price as i64
            })
            .collect();
        let (value, times) = all.bound(problem, &whole, |agent, job| search.propose(job, agent));
        if round % 8 == 0 {
            search.take_proposal(left);
        } else {
            search.drop_proposal();
        }
        (current, taken) = (value, times);
        if value > bound {
            (bound, best, stale) = (value, whole, 0);
        } else {
            stale += 1;
            if stale == 15 {
                (pace, stale) = (pace * 0.7, 0);
            }
        }
    }
    *left = left.saturating_sub(spent);
    (best, bound_of(bound))
}

/// The highest price of a job: all of them together stay below 2⁶⁰.
fn highest(problem: &Problem) -> f64 {
    (1_u64 << 60) as f64 / problem.jobs.max(1) as f64
}

/// The bound in whole units of cost: costs are whole, so it rounds up.
fn bound_of(scaled: i64) -> i64 {
    (scaled + SCALE - 1).div_euclid(SCALE).max(0)
}

fn allowed(problem: &Problem, job: usize) -> impl Iterator<Item = usize> + '_ {
    (0..problem.agents).filter(move |agent| problem.allowed(job, *agent))
}

/// The jobs that are not decided yet, and the capacity that is left for them.
struct Open {
    jobs: Vec<usize>,
    room: Vec<i64>,
}

impl Open {
    fn new(problem: &Problem) -> Self {
        Self {
            jobs: (0..problem.jobs).collect(),
            room: problem.capacities.clone(),
        }
    }

    /// The bound of these prices in 1/[`SCALE`], and how often each job is taken.
    fn bound(
        &self,
        problem: &Problem,
        prices: &[i64],
        mut took: impl FnMut(usize, usize),
    ) -> (i64, Vec<u32>) {
        let mut bound: i64 = self.jobs.iter().map(|job| prices[*job]).sum();
        let mut taken = vec![0; problem.jobs];
        let options = SolverOptions::default().with_max_states(STATES);
        let (mut items, mut jobs) = (Vec::new(), Vec::new());
        for (agent, room) in self.room.iter().enumerate() {
            items.clear();
            jobs.clear();
            for job in &self.jobs {
                let (cost, weight) = (problem.cost(*job, agent), problem.weight(*job, agent));
                if weight <= *room && prices[*job] > cost * SCALE {
                    items.push(Item::new((prices[*job] - cost * SCALE) as u64, weight as u64));
                    jobs.push(*job);
                }
            }
            let chosen =
                knapsack(&items, *room as u64, &options).expect("sums of prices and of weights are checked");
            bound -= chosen.bound as i64;
            for at in chosen.chosen {
                taken[jobs[at]] += 1;
                took(agent, jobs[at]);
            }
        }
        (bound, taken)
    }
}

/// Rounds of prices between two decisions of a dive.
const SETTLE: usize = 12;

/// Decides for good the jobs that one agent takes in most rounds of prices, lets the prices of the others settle, and so on.
pub(super) fn dive(
    problem: &Problem,
    prices: &[i64],
    pace: f64,
    bound: i64,
    search: &mut Search<'_>,
    left: &mut u64,
) {
    let mut open = Open::new(problem);
    let mut now: Vec<f64> = prices.iter().map(|price| *price as f64).collect();
    let mut given = vec![u32::MAX; problem.jobs];
    let mut often = vec![0.0_f32; problem.jobs * problem.agents];
    let mut pace = pace;
    while !open.jobs.is_empty() && *left > 0 && bound < search.target(i64::MAX) {
        for _ in 0..SETTLE {
            let whole: Vec<i64> = now.iter().map(|price| *price as i64).collect();
            often.iter_mut().for_each(|share| *share *= 0.85);
            let (_, taken) = open.bound(problem, &whole, |agent, job| {
                often[job * problem.agents + agent] += 0.15;
            });
            *left = left.saturating_sub(8 * (open.jobs.len() * problem.agents) as u64);
            let missing = |job: usize| 1.0 - f64::from(taken[job]);
            let norm: f64 = open.jobs.iter().map(|job| missing(*job) * missing(*job)).sum();
            if norm == 0.0 {
                break;
            }
            let gap = ((search.target(bound) - bound).max(1) * SCALE) as f64;
            let step = pace * gap / norm;
            for job in &open.jobs {
                now[*job] = (now[*job] + step * missing(*job)).clamp(0.0, highest(problem));
            }
        }
        pace = (pace * 0.95_f64).max(0.05);
        // The surest first; at least a twentieth of all, and whatever is as good as certain.
        let mut sure: Vec<(f32, usize, usize)> = open
            .jobs
            .iter()
            .filter_map(|job| {
                let shares = &often[job * problem.agents..][..problem.agents];
                let agent =
                    (0..problem.agents).max_by(|a, b| shares[*a].total_cmp(&shares[*b]).then(b.cmp(a)))?;
                let others: f32 = shares.iter().sum::<f32>() - shares[agent];
                Some((shares[agent] - others, *job, agent))
            })
            .collect();
        sure.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let least = (problem.jobs / 20).max(1);
        let mut decided = 0;
        for (share, job, agent) in sure {
            if decided >= least && share < 0.95 {
                break;
            }
            if problem.weight(job, agent) <= open.room[agent] {
                open.room[agent] -= problem.weight(job, agent);
                given[job] = agent as u32;
                decided += 1;
            }
        }
        open.jobs.retain(|job| given[*job] == u32::MAX);
        if decided == 0 {
            break;
        }
    }
    search.finish(&given, left);
}

/// Prices of capacity by subgradient steps: each job goes where cost and capacity are cheapest.
fn by_capacity(problem: &Problem, search: &mut Search<'_>, left: &mut u64) -> Vec<f64> {
    let mut prices = vec![0.0_f64; problem.agents];
    let (mut best, mut bound, mut pace, mut stale) = (prices.clone(), f64::NEG_INFINITY, 1.0, 0);
    for round in 0..ROUNDS {
        let mut over: Vec<f64> = problem.capacities.iter().map(|room| -(*room as f64)).collect();
        let mut value: f64 = prices.iter().zip(&over).map(|(price, over)| price * over).sum();
        for job in 0..problem.jobs {
            let asked = |agent: usize| {
                problem.cost(job, agent) as f64 + prices[agent] * problem.weight(job, agent) as f64
            };
            if let Some(agent) = allowed(problem, job).min_by(|a, b| asked(*a).total_cmp(&asked(*b))) {
                value += asked(agent);
                over[agent] += problem.weight(job, agent) as f64;
            }
        }
        *left = left.saturating_sub((problem.jobs * problem.agents) as u64);
        if value > bound {
            (best, bound, stale) = (prices.clone(), value, 0);
        } else {
            stale += 1;
            if stale == 10 {
                (pace, stale) = (pace * 0.7, 0);
            }
        }
        if round % 20 == 0 {
            search.construct(&prices);
        }
        let slope = slope(&over, &prices);
        if slope == 0.0 || *left == 0 {
            break;
        }
        let target = search.target(bound.ceil() as i64) as f64;
        let step = pace * (target - value).max(1.0) / slope;
        advance(&mut prices, &over, step);
    }
    search.construct(&best);
    best
}
