//! Every job to exactly one agent at the least cost: the generalised assignment problem.

mod relax;
mod search;

use crate::error::AssignError;
use crate::solver::{SolverOptions, Status};

/// What one agent asks for one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Offer {
    /// The cost.
    pub cost: u64,
    /// What it takes of the agent's capacity; more than the capacity where the agent cannot do it.
    pub weight: u64,
}

impl Offer {
    /// An offer of this cost and weight.
    #[must_use]
    pub fn new(cost: u64, weight: u64) -> Self {
        Self { cost, weight }
    }
}

/// The answer of [`assign`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The agent of each job.
    pub agents: Vec<usize>,
    /// The cost of that.
    pub cost: u64,
    /// No assignment costs less; equal to `cost` when [`Status::Optimal`].
    pub bound: u64,
    /// What proves the bound, see [`assign`]: the price of each job in 1/1024 of a unit of cost.
    pub prices: Vec<u64>,
    /// Whether the cost is proven to be the least.
    pub status: Status,
}

/// Prices are in this part of a unit of cost.
pub(crate) const SCALE: i64 = 1024;

/// Assigns every job to exactly one agent within the capacities, at a cost close to the least, with a bound.
///
/// `offers[i][j]` is what agent j asks for job i. Use it where every job has to be done and costs differ: replicas on clusters
/// by the price of the hour, tenants on shards by the latency. Where jobs may be left out, or fit anywhere alike, use
/// [`crate::Greedy`].
///
/// It is a heuristic that proves itself: prices of the jobs give a bound, what they make best is repaired, and a local search
/// over shifts and swaps that may overload agents for a while goes on until the bound is met or the limit of states is reached.
/// Every exchange that is looked at is a state.
///
/// **Formula**: min Σ c(i, aᵢ) subject to Σ {w(i, j): aᵢ = j} ≤ capacity of j. With any prices uᵢ, no assignment costs less than
/// Σ uᵢ − Σⱼ max {Σ (uᵢ − c(i, j)) over sets of jobs within the capacity of j}; `bound` is that of `prices`, rounded up.
///
/// # Errors
/// [`AssignError::Offers`], [`AssignError::Overflow`]; [`AssignError::Unassignable`] where a job fits on no agent;
/// [`AssignError::Undecided`] where no assignment was found: there may be none.
///
/// **Complexity**: O(n · m) for each of some hundred rounds of prices, and the limit in [`SolverOptions`] for the search.
///
/// # Example
/// ```
/// use modelops_allocation::{Offer, SolverOptions, Status, assign};
/// // The first agent is the cheaper one for both, and has room for one of them.
/// let offers = [[Offer::new(1, 2), Offer::new(4, 1)], [Offer::new(2, 2), Offer::new(9, 1)]];
/// let best = assign(&offers, &[3, 3], &SolverOptions::default())?;
/// assert_eq!((best.agents, best.cost, best.status), (vec![1, 0], 6, Status::Optimal));
/// # Ok::<(), modelops_allocation::AssignError>(())
/// ```
///
/// **References**: M. Fisher, R. Jaikumar, L. Van Wassenhove, *A multiplier adjustment method for the generalized assignment
/// problem*, 1986, doi:10.1287/mnsc.32.9.1095; M. Yagiura, T. Ibaraki, F. Glover, *An ejection chain approach for the generalized
/// assignment problem*, 2004, doi:10.1287/ijoc.1030.0036.
#[doc(alias = "generalized_assignment")]
pub fn assign<R: AsRef<[Offer]>>(
    offers: &[R],
    capacities: &[u64],
    options: &SolverOptions,
) -> Result<Assignment, AssignError> {
    let problem = Problem::new(offers, capacities)?;
    let mut left = options.max_states;
    let mut search = search::Search::new(&problem);
    let (prices, bound) = relax::prices(&problem, &mut search, &mut left);
    let share = options.max_states / 8;
    let mut pace = 0.2;
    // Dives into the prices, at another pace each time, with a local search after each.
    while left > 0 && search.target(i64::MAX) > bound && problem.jobs > 0 {
        relax::dive(&problem, &prices, pace, bound, &mut search, &mut left);
        let mut some = left.min(share);
        left -= some;
        search.improve(bound, &mut some);
        pace *= 1.3;
    }
    let (agents, cost) = search.best().ok_or(AssignError::Undecided)?;
    Ok(Assignment {
        agents: agents.iter().map(|agent| *agent as usize).collect(),
        cost: cost as u64,
        bound: bound.min(cost) as u64,
        prices: prices.iter().map(|price| *price as u64).collect(),
        status: if bound >= cost {
            Status::Optimal
        } else {
            Status::StateLimit
        },
    })
}

/// The offers as flat tables.
pub(crate) struct Problem {
    pub(crate) jobs: usize,
    pub(crate) agents: usize,
    /// By job and agent.
    pub(crate) costs: Vec<i64>,
    pub(crate) weights: Vec<i64>,
    pub(crate) capacities: Vec<i64>,
}

impl Problem {
    fn new<R: AsRef<[Offer]>>(offers: &[R], capacities: &[u64]) -> Result<Self, AssignError> {
        let agents = capacities.len();
        let limit = 1_u64 << 60;
        let (mut costs, mut weights) = (Vec::new(), Vec::new());
        let (mut most, mut total) = (0_u128, 0_u128);
        for (job, row) in offers.iter().enumerate() {
            let row = row.as_ref();
            if row.len() != agents {
                return Err(AssignError::Offers {
                    job,
                    offers: row.len(),
                    agents,
                });
            }
            let possible = || {
                row.iter()
                    .zip(capacities)
                    .filter(|(offer, room)| offer.weight <= **room)
            };
            most += u128::from(
                possible()
                    .map(|(offer, _)| offer.cost)
                    .max()
                    .ok_or(AssignError::Unassignable { job })?,
            );
            total += u128::from(possible().map(|(offer, _)| offer.weight).max().unwrap_or(0));
            for (offer, room) in row.iter().zip(capacities) {
                let fits = offer.weight <= *room;
                costs.push(if fits { offer.cost as i64 } else { FORBIDDEN });
                weights.push(if fits { offer.weight as i64 } else { FORBIDDEN });
            }
        }
        for (what, sum, limit) in [("costs", most, 1 << 48), ("weights", total, u128::from(limit))] {
            if sum >= limit {
                return Err(AssignError::Overflow { what });
            }
        }
        Ok(Self {
            jobs: offers.len(),
            agents,
            costs,
            weights,
            capacities: capacities.iter().map(|room| (*room).min(limit) as i64).collect(),
        })
    }

    pub(crate) fn cost(&self, job: usize, agent: usize) -> i64 {
        self.costs[job * self.agents + agent]
    }

    pub(crate) fn weight(&self, job: usize, agent: usize) -> i64 {
        self.weights[job * self.agents + agent]
    }

    pub(crate) fn allowed(&self, job: usize, agent: usize) -> bool {
        self.weight(job, agent) < FORBIDDEN
    }
}

/// The weight of a job that an agent has no room for, even if it did nothing else.
pub(crate) const FORBIDDEN: i64 = i64::MAX;
