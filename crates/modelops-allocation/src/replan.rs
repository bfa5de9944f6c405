//! Moves that make room for what is pending, under a budget.

use std::collections::HashMap;

use crate::error::LedgerError;
use crate::ledger::{Ledger, Ticket};
use crate::sequence::Sequence;
use crate::workload::Request;

/// How much may be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MoveBudget {
    /// The most moves; a replica that is moved twice counts twice.
    pub moves: usize,
    /// The most that the moves may cost together, by [`Request::move_cost`].
    pub cost: u64,
    /// How long to search: this many rounds for each node of the fleet; 10,000 where nothing else is said.
    pub rounds: u64,
    /// Where the search starts; the same seed gives the same plan.
    pub seed: u64,
}

impl MoveBudget {
    /// At most this many moves, whatever they cost.
    #[must_use]
    pub fn moves(moves: usize) -> Self {
        Self {
            moves,
            cost: u64::MAX,
            rounds: 10_000,
            seed: 0,
        }
    }

    /// The same with at most this cost.
    #[must_use]
    pub fn with_cost(mut self, cost: u64) -> Self {
        self.cost = cost;
        self
    }

    /// The same with so many rounds of search for each node.
    #[must_use]
    pub fn with_rounds(mut self, rounds: u64) -> Self {
        self.rounds = rounds;
        self
    }

    /// The same with another start of the search.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

/// One step of a migration. After every step the fleet is feasible.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// A replica that is bound goes elsewhere.
    Move {
        /// Its ticket in the ledger that was given, even where it is moved twice.
        ticket: Ticket,
        /// The node to which it goes; it may be the same one.
        node: usize,
        /// The devices there.
        devices: Vec<usize>,
    },
    /// A pending replica is bound.
    Place {
        /// The position of its request among those that were pending.
        pending: usize,
        /// The node.
        node: usize,
        /// The devices.
        devices: Vec<usize>,
    },
}

/// An ordered list of moves and placements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migration {
    pub(crate) steps: Vec<Step>,
    pub(crate) moves: usize,
    pub(crate) cost: u64,
    pub(crate) gain: u64,
}

impl Migration {
    /// The steps in the order in which they have to be taken; one may stop after any of them.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// How many of them are moves.
    #[must_use]
    pub fn moves(&self) -> usize {
        self.moves
    }

    /// What the moves cost.
    #[must_use]
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// The value of what is placed. For the gap that remains see [`crate::Certificate::fit_keeping`].
    #[must_use]
    pub fn gain(&self) -> u64 {
        self.gain
    }

    /// Takes the steps on a ledger; returns the tickets of what was placed, in the order of the steps.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger or `pending` is not the one for which it was planned; the ledger is unchanged then.
    pub fn apply(&self, ledger: &mut Ledger, pending: &[Request]) -> Result<Vec<Ticket>, LedgerError> {
        let mark = ledger.mark();
        match self.take(ledger, pending) {
            Ok(placed) => {
                ledger.commit(mark);
                Ok(placed)
            }
            Err(error) => {
                ledger.rollback(mark)?;
                Err(error)
            }
        }
    }

    fn take(&self, ledger: &mut Ledger, pending: &[Request]) -> Result<Vec<Ticket>, LedgerError> {
        let mut now: HashMap<Ticket, Ticket> = HashMap::new();
        let mut placed = Vec::new();
        for step in &self.steps {
            match step {
                Step::Move {
                    ticket,
                    node,
                    devices,
                } => {
                    let current = now.get(ticket).copied().unwrap_or(*ticket);
                    let unknown = LedgerError::UnknownTicket { ticket: current.0 };
                    let request = ledger.request(current).cloned().ok_or(unknown)?;
                    ledger.release(current)?;
                    now.insert(*ticket, ledger.bind(&request, *node, devices)?);
                }
                Step::Place {
                    pending: at,
                    node,
                    devices,
                } => {
                    let request = pending.get(*at).ok_or(LedgerError::UnknownRequest {
                        request: *at,
                        requests: pending.len(),
                    })?;
                    placed.push(ledger.bind(request, *node, devices)?);
                }
            }
        }
        Ok(placed)
    }
}

/// Moves replicas so that pending ones fit, the moves that gain most first in the search.
///
/// First an arrangement is searched that holds more and lies a few moves away: a round takes some replicas off two or three nodes,
/// puts them back in another way and fills what became free. Then the moves are put into an order in which each is feasible when its
/// turn comes; where replicas have to change places, one waits on a third node, which is a move more. Each pending replica is placed
/// as soon as no later move touches its node. Nothing that is bound is given up, and whatever still fits in the end is placed.
/// Replicas with constraints, and those that somebody's constraint speaks of, stay where they are; pending gangs are left out.
///
/// **Formula**: a round is kept where value + ½ · (fragmentation before − after) · value for each thousandth of a device > price ·
/// moves; fragmentation as in [`crate::score::FragmentationGradient`]; the price of a move falls from 1.2 to 0.06 mean values of a
/// pending replica.
///
/// **Complexity**: rounds · nodes of about a microsecond each, times the number of different pending replicas where a hole is large
/// enough for the smallest of them; a move is ordered in O(moves · states).
///
/// # Example
/// ```
/// use modelops_allocation::{Fleet, Ledger, MoveBudget, Node, Request, Resources, replan};
/// let cpu = |n| Resources::new().with("cpu", n);
/// let fleet = Fleet::try_new(vec![Node::new("a", cpu(8)), Node::new("b", cpu(10))])?;
/// let mut ledger = Ledger::new(&fleet);
/// for (name, n, node) in [("w", 5, 0), ("x", 2, 0), ("y", 5, 1)] {
///     ledger.bind(&Request::new(name).with_resource("cpu", n), node, &[])?;
/// }
/// // 1 is free on a and 5 on b: one of these fits as it is, the other where x was once x has gone to b.
/// let pending = [Request::new("z").with_resource("cpu", 3).with_replicas(2)];
/// let plan = replan(&ledger, &pending, MoveBudget::moves(1));
/// assert_eq!((plan.moves(), plan.gain()), (1, 2));
/// let placed = plan.apply(&mut ledger, &pending)?;
/// let nodes: Vec<usize> = placed.iter().filter_map(|ticket| ledger.location(*ticket)).map(|(node, _)| node).collect();
/// assert_eq!(nodes, [0, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("rebalance", "defragment", "migrate"))]
#[must_use]
pub fn replan(ledger: &Ledger, pending: &[Request], budget: MoveBudget) -> Migration {
    Sequence::new(ledger, pending, budget).run()
}
