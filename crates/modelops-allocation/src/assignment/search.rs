//! A local search over shifts and swaps that may overload agents for a while.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{FORBIDDEN, Problem};

pub(super) struct Search<'a> {
    problem: &'a Problem,
    agents: Vec<u32>,
    /// What is left of each capacity, below 0 where it is overloaded.
    room: Vec<i64>,
    cost: i64,
    /// The price of a unit of overload on each agent.
    penalty: Vec<f64>,
    /// What penalties are multiplied by.
    weight: f64,
    best: Option<(Vec<u32>, i64)>,
    /// By agent: its jobs; and by job where it stands there.
    lists: Vec<Vec<u32>>,
    places: Vec<u32>,
    proposal: Vec<u32>,
    prices: Vec<f64>,
    /// By job: the agents that are cheapest for it under these prices.
    near: Vec<Vec<u32>>,
    rng: Xoshiro256PlusPlus,
}

/// At so many times its price no overload pays.
const HARD: f64 = 1e6;

/// So many agents are worth trying for a job.
const NEAR: usize = 5;

const NOBODY: u32 = u32::MAX;

impl<'a> Search<'a> {
    pub(super) fn new(problem: &'a Problem) -> Self {
        let weights = problem.weights.iter().filter(|w| **w < FORBIDDEN);
        let costs = problem.costs.iter().filter(|c| **c < FORBIDDEN);
        let unit = costs.map(|c| *c as f64).sum::<f64>() / weights.map(|w| *w as f64).sum::<f64>().max(1.0);
        Self {
            agents: vec![0; problem.jobs],
            room: problem.capacities.clone(),
            cost: 0,
            penalty: vec![unit.max(1e-6); problem.agents],
            weight: 1.0,
            best: None,
            lists: vec![Vec::new(); problem.agents],
            places: vec![0; problem.jobs],
            proposal: vec![NOBODY; problem.jobs],
            prices: vec![0.0; problem.agents],
            near: Vec::new(),
            // A fixed stream: the same problem has the same answer.
            rng: Xoshiro256PlusPlus::seed_from_u64(1),
            problem,
        }
    }

    pub(super) fn best(self) -> Option<(Vec<u32>, i64)> {
        self.best
    }

    /// The cost to come close to: that of the best assignment, or a little above the bound.
    pub(super) fn target(&self, bound: i64) -> i64 {
        match &self.best {
            Some((_, cost)) => *cost,
            None => bound.saturating_add(bound / 50 + 1),
        }
    }

    /// Notes that an agent would take a job; the cheaper of several is kept.
    pub(super) fn propose(&mut self, job: usize, agent: usize) {
        let now = self.proposal[job];
        if now == NOBODY || self.problem.cost(job, agent) < self.problem.cost(job, now as usize) {
            self.proposal[job] = agent as u32;
        }
    }

    /// Completes and improves what was proposed.
    pub(super) fn take_proposal(&mut self, left: &mut u64) {
        let proposal = std::mem::replace(&mut self.proposal, vec![NOBODY; self.problem.jobs]);
        self.finish(&proposal, left);
    }

    pub(super) fn drop_proposal(&mut self) {
        self.proposal.fill(NOBODY);
    }

    /// Completes an assignment that leaves jobs out, and improves it.
    pub(super) fn finish(&mut self, given: &[u32], left: &mut u64) {
        let prices = self.prices.clone();
        self.complete(given, &prices);
        self.settle(left);
    }

    /// Sets the prices of capacity: what overload costs at first, and which agents are worth trying for a job.
    pub(super) fn priced(&mut self, prices: Vec<f64>) {
        let problem = self.problem;
        for (penalty, price) in self.penalty.iter_mut().zip(&prices) {
            *penalty = price.max(*penalty * 0.1) * 2.0;
        }
        self.near.clear();
        for job in 0..problem.jobs {
            let mut agents: Vec<(f64, u32)> = (0..problem.agents)
                .filter(|agent| problem.allowed(job, *agent))
                .map(|agent| {
                    let asked =
                        problem.cost(job, agent) as f64 + prices[agent] * problem.weight(job, agent) as f64;
                    (asked, agent as u32)
                })
                .collect();
            agents.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            agents.truncate(NEAR);
            self.near
                .push(agents.into_iter().map(|(_, agent)| agent).collect());
        }
        self.prices = prices;
    }

    /// An assignment by the cheapest offers under prices of capacity.
    pub(super) fn construct(&mut self, prices: &[f64]) {
        let nothing = vec![NOBODY; self.problem.jobs];
        self.complete(&nothing, prices);
    }

    /// Gives the jobs without an agent to the cheapest that has room, those first that lose most by their second choice.
    fn complete(&mut self, given: &[u32], prices: &[f64]) {
        let problem = self.problem;
        self.clear();
        let mut open = Vec::new();
        for (job, agent) in given.iter().enumerate() {
            if *agent == NOBODY {
                open.push(job);
            } else {
                self.put(job, *agent as usize);
            }
        }
        let asked = |job: usize, agent: usize| {
            problem.cost(job, agent) as f64 + prices[agent] * problem.weight(job, agent) as f64
        };
        let regret = |job: usize| {
            let (mut first, mut second) = (f64::INFINITY, f64::INFINITY);
            for agent in (0..problem.agents).filter(|agent| problem.allowed(job, *agent)) {
                let cost = asked(job, agent);
                if cost < first {
                    (first, second) = (cost, first);
                } else if cost < second {
                    second = cost;
                }
            }
            second - first
        };
        let mut order: Vec<(f64, usize)> = open.iter().map(|job| (regret(*job), *job)).collect();
        order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, job) in order {
            let over = |agent: usize| (problem.weight(job, agent) - self.room[agent]).max(0);
            let agent = (0..problem.agents)
                .filter(|agent| problem.allowed(job, *agent))
                .min_by(|a, b| {
                    (over(*a), asked(job, *a))
                        .partial_cmp(&(over(*b), asked(job, *b)))
                        .unwrap_or(std::cmp::Ordering::Equal)
                })
                .unwrap_or(0);
            self.put(job, agent);
        }
        self.keep();
    }

    fn clear(&mut self) {
        self.room.clone_from(&self.problem.capacities);
        self.lists.iter_mut().for_each(Vec::clear);
        self.cost = 0;
    }

    fn put(&mut self, job: usize, agent: usize) {
        self.places[job] = self.lists[agent].len() as u32;
        self.lists[agent].push(job as u32);
        self.agents[job] = agent as u32;
        self.room[agent] -= self.problem.weight(job, agent);
        self.cost += self.problem.cost(job, agent);
    }

    fn shift(&mut self, job: usize, agent: usize) {
        let before = self.agents[job] as usize;
        let place = self.places[job] as usize;
        self.lists[before].swap_remove(place);
        if let Some(moved) = self.lists[before].get(place) {
            self.places[*moved as usize] = place as u32;
        }
        self.room[before] += self.problem.weight(job, before);
        self.cost -= self.problem.cost(job, before);
        self.put(job, agent);
    }

    fn feasible(&self) -> bool {
        self.room.iter().all(|room| *room >= 0)
    }

    fn keep(&mut self) {
        if self.feasible() && self.best.as_ref().is_none_or(|(_, cost)| self.cost < *cost) {
            self.best = Some((self.agents.clone(), self.cost));
        }
    }

    /// The penalty of an agent with this room.
    fn pain(&self, agent: usize, room: i64) -> f64 {
        if room < 0 {
            -(room as f64) * self.penalty[agent] * self.weight
        } else {
            0.0
        }
    }

    /// Searches until the bound is met or nothing is left.
    pub(super) fn improve(&mut self, bound: i64, left: &mut u64) {
        while *left > 0 && self.target(i64::MAX) > bound {
            self.settle(left);
            self.disturb();
        }
    }

    /// To a minimum in which overload has its price, and from there to one without overload.
    fn settle(&mut self, left: &mut u64) {
        self.descend(left);
        self.keep();
        let within = self.feasible();
        if !within {
            self.weight = HARD;
            self.descend(left);
            self.weight = 1.0;
            self.keep();
        }
        self.adapt(within);
    }

    /// Overload becomes dearer where there is some, and cheaper everywhere once there is none.
    fn adapt(&mut self, within: bool) {
        if within {
            self.penalty.iter_mut().for_each(|penalty| *penalty *= 0.9);
        } else {
            self.penalty.iter_mut().for_each(|penalty| *penalty *= 1.1);
        }
    }

    /// A few jobs go elsewhere; now and then from the best assignment again.
    fn disturb(&mut self) {
        let problem = self.problem;
        if let Some((agents, _)) = &self.best
            && self.rng.random_range(0..20) == 0
        {
            let agents = agents.clone();
            self.clear();
            for (job, agent) in agents.iter().enumerate() {
                self.put(job, *agent as usize);
            }
        }
        for _ in 0..3 {
            let job = self.rng.random_range(0..problem.jobs);
            let near = &self.near[job];
            let agent = near[self.rng.random_range(0..near.len())];
            self.shift(job, agent as usize);
        }
    }

    /// Shifts, swaps and chains until none lowers cost and penalty together. Jobs are looked at again when their agents change.
    fn descend(&mut self, left: &mut u64) {
        let mut waiting: Vec<u32> = (0..self.problem.jobs as u32).rev().collect();
        let mut queued = vec![true; self.problem.jobs];
        while let Some(job) = waiting.pop() {
            queued[job as usize] = false;
            if *left == 0 {
                return;
            }
            if let Some(touched) = self.step(job as usize, left) {
                for agent in touched.into_iter().flatten() {
                    for job in &self.lists[agent] {
                        if !std::mem::replace(&mut queued[*job as usize], true) {
                            waiting.push(*job);
                        }
                    }
                }
            }
        }
    }

    /// The best of: the job goes to another agent; one of that agent's comes back; one of that agent's goes on to a third.
    /// Gives the agents that changed.
    fn step(&mut self, job: usize, left: &mut u64) -> Option<[Option<usize>; 3]> {
        let problem = self.problem;
        let a = self.agents[job] as usize;
        let (wa, ca) = (problem.weight(job, a), problem.cost(job, a));
        let change = |agent: usize, taken: i64| {
            self.pain(agent, self.room[agent] - taken) - self.pain(agent, self.room[agent])
        };
        let gone = change(a, -wa);
        let mut best = (-1e-9, usize::MAX, usize::MAX, usize::MAX);
        let mut seen = 1;
        for b in self.near[job].iter().map(|b| *b as usize).filter(|b| *b != a) {
            let (wb, cost) = (problem.weight(job, b), (problem.cost(job, b) - ca) as f64);
            let shift = cost + gone + change(b, wb);
            if shift < best.0 {
                best = (shift, b, usize::MAX, usize::MAX);
            }
            seen += 1 + self.lists[b].len();
            for other in self.lists[b].iter().map(|other| *other as usize) {
                let freed = problem.weight(other, b);
                let there = cost - problem.cost(other, b) as f64 + change(b, wb - freed);
                for to in self.near[other]
                    .iter()
                    .map(|to| *to as usize)
                    .filter(|to| *to != b)
                {
                    seen += 1;
                    let weight = problem.weight(other, to);
                    let end = if to == a {
                        change(a, weight - wa)
                    } else {
                        gone + change(to, weight)
                    };
                    let total = there + problem.cost(other, to) as f64 + end;
                    if total < best.0 {
                        best = (total, b, other, to);
                    }
                }
            }
        }
        *left = left.saturating_sub(seen as u64);
        let (_, b, other, to) = best;
        if b == usize::MAX {
            return None;
        }
        self.shift(job, b);
        if other == usize::MAX {
            return Some([Some(a), Some(b), None]);
        }
        self.shift(other, to);
        Some([Some(a), Some(b), Some(to).filter(|to| *to != a)])
    }
}
