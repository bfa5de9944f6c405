//! Room for what is more important: the victims that cost least.

use crate::kernel::fit;
use crate::ledger::{Ledger, Ticket};
use crate::reject::Rejection;
use crate::scheduler::{Placement, Scheduler};
use crate::score::Score;
use crate::topology;
use crate::workload::Request;

/// What had to go so that one replica could be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preemption {
    /// Where the replica went.
    pub placement: Placement,
    /// What was evicted from that node, in the order of binding: requests and tickets that are released now.
    pub victims: Vec<(Ticket, Request)>,
    /// What the victims cost.
    pub cost: u64,
    /// Whether it is proven that no other set of victims on one node costs less.
    pub exact: bool,
}

/// How many partial sets are looked at on one node before the best so far is taken.
const STEPS: u32 = 20_000;

/// One resident that may be evicted.
#[derive(Clone, Copy)]
struct Candidate {
    ticket: Ticket,
    cost: u64,
    devices: u64,
    demand: u32,
}

impl<S: Score> Scheduler<S> {
    /// Places one replica of `request`, evicting others of strictly lower priority from one node where it must.
    ///
    /// Of all sets of victims after which it fits and its constraints hold, one of the least cost is taken, where a victim costs its
    /// value and its move cost; of equals the one on the node that comes first. A set after which a replica that stays would have
    /// lost the company that it wants is not taken. Nobody is evicted where it fits as it is.
    ///
    /// **Complexity**: exponential in the victims of one node at worst, cut at 20,000 sets a node; `exact` says whether it was cut.
    ///
    /// # Errors
    /// The [`Rejection`] of the replica where no eviction would help; nothing has changed then.
    ///
    /// # Panics
    /// Never: the place that is taken was tried before.
    ///
    /// # Example
    /// ```
    /// use modelops_allocation::score::BestFit;
    /// use modelops_allocation::{Fleet, Greedy, Node, Request, Resources, Scheduler};
    /// let fleet = Fleet::try_new(vec![Node::new("a", Resources::new().with("cpu", 10))])?;
    /// let mut scheduler = Scheduler::new(&fleet, &Greedy::new(BestFit::default()));
    /// for (name, cpu, value) in [("x", 3, 5), ("y", 4, 6), ("z", 3, 9)] {
    ///     scheduler.place(&Request::new(name).with_resource("cpu", cpu).with_value(value))?;
    /// }
    /// let urgent = Request::new("urgent").with_resource("cpu", 4).with_priority(1);
    /// let done = scheduler.preempt(&urgent)?;
    /// assert_eq!(done.victims[0].1.name(), "y"); // cheaper than x and z together, and x alone is too small
    /// assert_eq!(done.cost, 7); // its value 6 and its move cost 1
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn preempt(&mut self, request: &Request) -> Result<Preemption, Rejection> {
        let reason = match self.place(request) {
            Ok(placement) => {
                return Ok(Preemption {
                    placement,
                    victims: Vec::new(),
                    cost: 0,
                    exact: true,
                });
            }
            Err(reason) => reason,
        };
        let party = self.ledger_mut().party(request);
        let demand = self.ledger().demand_of(party);
        let residents = self.ledger().residents();
        let mut nodes: Vec<u32> = (0..residents.len() as u32).collect();
        nodes.sort_unstable_by_key(|node| self.ledger().rank(*node as usize));
        let missed = topology::company_missed(self.ledger());
        let mut search = Search {
            demand,
            request,
            missed,
            ruled: !topology::unruled(self.ledger(), request) || self.ledger().parties().any_companion(),
            best: None,
            exact: true,
        };
        for node in nodes {
            search.node(self.ledger_mut(), node, &residents[node as usize]);
        }
        let Search { best, exact, .. } = search;
        let Some(Best { cost, node, tickets }) = best else {
            self.ledger_mut().forget(party);
            return Err(reason);
        };
        let mut victims = Vec::with_capacity(tickets.len());
        for ticket in tickets {
            let victim = self.ledger().request(ticket).cloned();
            if let Some(victim) = victim
                && self.release(ticket).is_ok()
            {
                victims.push((ticket, victim));
            }
        }
        victims.sort_unstable_by_key(|(ticket, _)| *ticket);
        let placement = self.bind_best(party, |other| other == node);
        Ok(Preemption {
            placement: placement.expect("the room was tried"),
            victims,
            cost,
            exact,
        })
    }
}

struct Best {
    cost: u64,
    node: u32,
    tickets: Vec<Ticket>,
}

struct Search<'a> {
    demand: u32,
    request: &'a Request,
    /// How much company was missed before.
    missed: usize,
    /// Whether rules about places have to be looked at.
    ruled: bool,
    best: Option<Best>,
    exact: bool,
}

impl Search<'_> {
    fn node(&mut self, ledger: &mut Ledger, node: u32, residents: &[Ticket]) {
        let mut candidates: Vec<Candidate> = Vec::new();
        for ticket in residents {
            let (Some((_, devices, party)), Some(request)) =
                (ledger.place_of(*ticket), ledger.request(*ticket))
            else {
                continue;
            };
            if request.priority() < self.request.priority() {
                candidates.push(Candidate {
                    ticket: *ticket,
                    cost: request.value().saturating_add(request.move_cost()),
                    devices,
                    demand: ledger.demand_of(party),
                });
            }
        }
        // The dearest is decided first: sparing it first finds cheap sets early.
        candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.cost));
        // The row with everybody gone who is not decided to stay.
        let mut row = ledger.row(node as usize).to_vec();
        let space = std::sync::Arc::clone(ledger.space());
        for candidate in &candidates {
            fit::give(
                &space,
                &mut row,
                ledger.demand(candidate.demand),
                candidate.devices,
            );
        }
        let mut steps = 0;
        let mut evicted = Vec::new();
        self.decide(ledger, node, &candidates, &mut row, 0, &mut evicted, &mut steps);
        self.exact &= steps < STEPS;
    }

    /// Decides the candidates one by one; `row` has all gone that are not decided to stay.
    #[expect(clippy::too_many_arguments, reason = "the state of one recursion")]
    fn decide(
        &mut self,
        ledger: &mut Ledger,
        node: u32,
        rest: &[Candidate],
        row: &mut [u64],
        cost: u64,
        evicted: &mut Vec<Ticket>,
        steps: &mut u32,
    ) {
        if *steps >= STEPS || self.best.as_ref().is_some_and(|best| cost >= best.cost) {
            return;
        }
        *steps += 1;
        let space = std::sync::Arc::clone(ledger.space());
        if !fit::fits(&space, row, ledger.demand(self.demand)) {
            return;
        }
        let Some((candidate, rest)) = rest.split_first() else {
            if !self.ruled || self.rules_hold(ledger, node, evicted) {
                self.best = Some(Best {
                    cost,
                    node,
                    tickets: evicted.clone(),
                });
            }
            return;
        };
        let shape = std::sync::Arc::clone(ledger.demand(candidate.demand));
        fit::take(&space, row, &shape, candidate.devices);
        self.decide(ledger, node, rest, row, cost, evicted, steps);
        fit::give(&space, row, &shape, candidate.devices);
        evicted.push(candidate.ticket);
        let dearer = cost.saturating_add(candidate.cost);
        self.decide(ledger, node, rest, row, dearer, evicted, steps);
        evicted.pop();
    }

    /// Whether the rules let the replica onto the node once these are gone, and nobody who stays loses company.
    fn rules_hold(&self, ledger: &mut Ledger, node: u32, evicted: &[Ticket]) -> bool {
        ledger.what_if(|ledger| {
            let released = evicted.iter().all(|ticket| ledger.release(*ticket).is_ok());
            let verdicts = topology::verdicts(ledger, self.request);
            released
                && verdicts.iter().all(|verdict| verdict.allowed[node as usize])
                && topology::company_missed(ledger) <= self.missed
        })
    }
}
