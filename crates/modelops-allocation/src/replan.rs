//! Moves that make room for what is pending, under a budget.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use crate::constraint::Constraint;
use crate::error::LedgerError;
use crate::kernel::fit;
use crate::ledger::{Ledger, Ticket, devices_of};
use crate::space::Space;
use crate::topology;
use crate::workload::Request;

/// How much may be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MoveBudget {
    /// The most moves; a replica that is moved twice counts twice.
    pub moves: usize,
    /// The most that the moves may cost together, by [`Request::move_cost`].
    pub cost: u64,
}

impl MoveBudget {
    /// At most this many moves, whatever they cost.
    #[must_use]
    pub fn moves(moves: usize) -> Self {
        Self {
            moves,
            cost: u64::MAX,
        }
    }

    /// The same with at most this cost.
    #[must_use]
    pub fn with_cost(mut self, cost: u64) -> Self {
        self.cost = cost;
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    steps: Vec<Step>,
    moves: usize,
    cost: u64,
    gain: u64,
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

/// Moves replicas so that pending ones fit, the most value for each move first.
///
/// A step ejects one or two replicas of a node to where they do least harm and fills what becomes free with pending replicas; it is
/// taken only where it places something. Nothing that is bound is given up. Replicas with constraints, and those that somebody's
/// constraint speaks of, stay where they are; pending gangs are left out.
///
/// **Complexity**: O(nodes · residents² · pending shapes) for the first look, and again for the nodes that a step changes.
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
/// assert_eq!(ledger.location(placed[1]).map(|(node, _)| node), Some(0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn replan(ledger: &Ledger, pending: &[Request], budget: MoveBudget) -> Migration {
    Replanning::new(ledger, pending, budget).run()
}

/// Pending replicas that need the same and are worth the same.
struct Shape {
    demand: u32,
    value: u64,
    /// The positions of their requests, one a replica.
    left: Vec<usize>,
}

/// A step that may be taken; `version` is that of the node when it was found.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    /// Thousandths of value for each move.
    density: u64,
    node: Reverse<u32>,
    first: Ticket,
    second: Option<Ticket>,
    version: u32,
}

/// A step in full.
struct Plan {
    gain: u64,
    cost: u64,
    /// Ticket, node, devices.
    moves: Vec<(Ticket, u32, u64)>,
    /// Shape and devices.
    fills: Vec<(usize, u64)>,
}

struct Replanning<'a> {
    ledger: Ledger,
    space: Arc<Space>,
    pending: &'a [Request],
    shapes: Vec<Shape>,
    /// Orders in which a hole is filled.
    orders: [Vec<usize>; 2],
    residents: Vec<Vec<Ticket>>,
    /// The ticket in the ledger that was given, of those that were moved.
    original: HashMap<Ticket, Ticket, FxBuildHasher>,
    versions: Vec<u32>,
    budget: MoveBudget,
    migration: Migration,
}

impl<'a> Replanning<'a> {
    fn new(ledger: &Ledger, pending: &'a [Request], budget: MoveBudget) -> Self {
        let mut ledger = ledger.clone();
        let space = Arc::clone(ledger.space());
        let mut shapes: Vec<Shape> = Vec::new();
        let mut at: HashMap<(u32, u64), usize> = HashMap::new();
        for (i, request) in pending.iter().enumerate() {
            if request.gang() && request.replicas() > 1 || !topology::unruled(&ledger, request) {
                continue;
            }
            let (demand, value) = (ledger.demand_id(request), request.value());
            let shape = *at.entry((demand, value)).or_insert_with(|| {
                shapes.push(Shape {
                    demand,
                    value,
                    left: Vec::new(),
                });
                shapes.len() - 1
            });
            let replicas = usize::try_from(request.replicas()).unwrap_or(usize::MAX);
            shapes[shape].left.extend(std::iter::repeat_n(i, replicas));
        }
        // The first given is the first placed.
        shapes.iter_mut().for_each(|shape| shape.left.reverse());
        let burden = |shape: &Shape| {
            let demand = ledger.demand(shape.demand);
            let parts = demand.node.iter().zip(&space.largest);
            parts.fold(0.0, |sum, (need, largest)| {
                sum + *need as f64 / (*largest).max(1) as f64
            })
        };
        let mut by_value: Vec<usize> = (0..shapes.len()).collect();
        by_value.sort_by_key(|i| Reverse(shapes[*i].value));
        let density: Vec<f64> = shapes
            .iter()
            .map(|shape| shape.value as f64 / (burden(shape) + 1e-9))
            .collect();
        let mut by_density = by_value.clone();
        by_density.sort_by(|a, b| density[*b].total_cmp(&density[*a]));
        let residents = ledger.residents();
        let versions = vec![0; residents.len()];
        Self {
            ledger,
            space,
            pending,
            shapes,
            orders: [by_value, by_density],
            residents,
            original: HashMap::default(),
            versions,
            budget,
            migration: Migration {
                steps: Vec::new(),
                moves: 0,
                cost: 0,
                gain: 0,
            },
        }
    }

    fn run(mut self) -> Migration {
        for node in 0..self.residents.len() as u32 {
            let plan = self.plan(node, &[]);
            if let Some(plan) = plan {
                self.take(node, plan);
            }
        }
        loop {
            let before = self.migration.moves;
            self.sweep();
            if self.migration.moves == before || self.migration.moves >= self.budget.moves {
                break;
            }
        }
        self.migration
    }

    /// One look at every node, then the best steps as long as any is left.
    fn sweep(&mut self) {
        let mut heap = BinaryHeap::new();
        for node in 0..self.residents.len() as u32 {
            self.look(node, &mut heap);
        }
        while let Some(candidate) = heap.pop() {
            let node = candidate.node.0;
            if candidate.version != self.versions[node as usize] {
                continue;
            }
            let tickets: Vec<Ticket> = std::iter::once(candidate.first).chain(candidate.second).collect();
            let Some(plan) = self.plan(node, &tickets) else {
                continue;
            };
            if self.migration.moves + plan.moves.len() > self.budget.moves
                || self.migration.cost.saturating_add(plan.cost) > self.budget.cost
            {
                continue;
            }
            let density = density(&plan);
            if density < candidate.density {
                heap.push(Candidate { density, ..candidate });
                continue;
            }
            let mut changed: Vec<u32> = plan.moves.iter().map(|(_, to, _)| *to).collect();
            changed.push(node);
            self.take(node, plan);
            changed.sort_unstable();
            changed.dedup();
            for node in changed {
                self.versions[node as usize] += 1;
                self.look(node, &mut heap);
            }
        }
    }

    /// Adds the steps that start at a node.
    fn look(&self, node: u32, heap: &mut BinaryHeap<Candidate>) {
        let movable: Vec<Ticket> = self.residents[node as usize]
            .iter()
            .copied()
            .filter(|ticket| self.movable(*ticket))
            .collect();
        let mut offer = |tickets: &[Ticket]| {
            if let Some(plan) = self.plan(node, tickets) {
                heap.push(Candidate {
                    density: density(&plan),
                    node: Reverse(node),
                    first: tickets[0],
                    second: tickets.get(1).copied(),
                    version: self.versions[node as usize],
                });
            }
        };
        for (i, first) in movable.iter().enumerate() {
            offer(&[*first]);
            for second in &movable[i + 1..] {
                offer(&[*first, *second]);
            }
        }
    }

    /// Whether no rule speaks about what the ticket holds.
    fn movable(&self, ticket: Ticket) -> bool {
        let Some(request) = self.ledger.request(ticket) else {
            return false;
        };
        let free = request.max_per_node().is_none() && request.constraints().is_empty();
        free && !self.ledger.parties().ruling().any(|other| {
            other.constraints().iter().any(|constraint| match constraint {
                Constraint::Together { with: selector, .. } | Constraint::Apart { from: selector, .. } => {
                    selector.matches(request)
                }
                _ => false,
            })
        })
    }

    /// The step that ejects these tickets from a node, where it gains something.
    fn plan(&self, node: u32, tickets: &[Ticket]) -> Option<Plan> {
        let mut row = self.ledger.row(node as usize).to_vec();
        let mut ejected = Vec::with_capacity(tickets.len());
        let mut cost = 0_u64;
        for ticket in tickets {
            let (_, devices, party) = self.ledger.place_of(*ticket)?;
            let demand = self.ledger.demand_of(party);
            fit::give(&self.space, &mut row, self.ledger.demand(demand), devices);
            cost = cost.saturating_add(self.ledger.parties().request(party).move_cost());
            ejected.push((*ticket, demand, devices));
        }
        let (gain, fills) = self.fill(&row)?;
        // Where each goes, with what went before it.
        let mut moves = Vec::with_capacity(ejected.len());
        let mut changed: Vec<(u32, Vec<u64>)> = Vec::new();
        for (ticket, demand, devices) in ejected {
            let (to, there) = self.refuge(node, demand, &changed)?;
            debug_assert!(devices.count_ones() == there.count_ones(), "as many as before");
            let shape = self.ledger.demand(demand);
            match changed.iter_mut().find(|(at, _)| *at == to) {
                Some((_, row)) => fit::take(&self.space, row, shape, there),
                None => {
                    let mut row = self.ledger.row(to as usize).to_vec();
                    fit::take(&self.space, &mut row, shape, there);
                    changed.push((to, row));
                }
            }
            moves.push((ticket, to, there));
        }
        Some(Plan {
            gain,
            cost,
            moves,
            fills,
        })
    }

    /// The most value of pending replicas in a hole, by the better of the orders.
    fn fill(&self, row: &[u64]) -> Option<(u64, Vec<(usize, u64)>)> {
        let mut best: Option<(u64, Vec<(usize, u64)>)> = None;
        for order in &self.orders {
            let mut room = row.to_vec();
            let mut fills = Vec::new();
            let mut gain = 0;
            for i in order {
                let shape = &self.shapes[*i];
                let demand = self.ledger.demand(shape.demand);
                for _ in &shape.left {
                    if !fit::fits(&self.space, &room, demand) {
                        break;
                    }
                    let fitting = if demand.count == 0 {
                        0
                    } else {
                        fit::fitting(&self.space, &room, demand)
                    };
                    let devices = fit::tightest(&self.space, &room, fitting, demand.count);
                    fit::take(&self.space, &mut room, demand, devices);
                    fills.push((*i, devices));
                    gain += shape.value;
                }
            }
            if gain > 0 && best.as_ref().is_none_or(|(most, _)| gain > *most) {
                best = Some((gain, fills));
            }
        }
        best
    }

    /// Where a replica that is ejected does least harm: least left of the devices, then of the node.
    fn refuge(&self, from: u32, demand: u32, changed: &[(u32, Vec<u64>)]) -> Option<(u32, u64)> {
        let shape = self.ledger.demand(demand);
        let space = &self.space;
        let harm = |row: &[u64]| -> (u64, u64) {
            let shares: u64 = row[1 + space.node_dims()..space.devices_end]
                .iter()
                .step_by(space.device_dims())
                .sum();
            let parts = row[1..].iter().zip(&space.largest);
            let left = parts
                .map(|(free, largest)| free.saturating_mul(1000) / (*largest).max(1))
                .sum();
            (shares, left)
        };
        let states = self.ledger.states();
        let mut best: Option<((u64, u64), u32)> = None;
        for state in states.live() {
            let row = states.row(state);
            if !fit::fits(space, row, shape) {
                continue;
            }
            let key = harm(row);
            if best.as_ref().is_none_or(|(least, _)| key < *least) {
                let mut members = (0_u32..).zip(self.ledger.state_of());
                let member = members.find(|(node, at)| {
                    **at == state && *node != from && changed.iter().all(|(other, _)| other != node)
                });
                if let Some((node, _)) = member {
                    best = Some((key, node));
                }
            }
        }
        for (node, row) in changed {
            if *node != from && fit::fits(space, row, shape) {
                let key = harm(row);
                if best.as_ref().is_none_or(|(least, _)| key < *least) {
                    best = Some((key, *node));
                }
            }
        }
        let (_, node) = best?;
        let row = changed
            .iter()
            .find(|(other, _)| *other == node)
            .map_or(self.ledger.row(node as usize), |(_, row)| &row[..]);
        let fitting = if shape.count == 0 {
            0
        } else {
            fit::fitting(space, row, shape)
        };
        Some((node, fit::tightest(space, row, fitting, shape.count)))
    }

    /// Takes a step.
    fn take(&mut self, node: u32, plan: Plan) {
        for (ticket, to, devices) in &plan.moves {
            let Some((from, _, party)) = self.ledger.place_of(*ticket) else {
                continue;
            };
            let first = self.original.remove(ticket).unwrap_or(*ticket);
            // Bound before it is released elsewhere: the party keeps its number.
            let moved = self.ledger.bind_unchecked(party, *to, *devices);
            let released = self.ledger.release(*ticket);
            debug_assert!(released.is_ok(), "it was bound");
            self.original.insert(moved, first);
            self.residents[from as usize].retain(|resident| resident != ticket);
            self.residents[*to as usize].push(moved);
            self.migration.steps.push(Step::Move {
                ticket: first,
                node: *to as usize,
                devices: devices_of(*devices),
            });
        }
        for (shape, devices) in plan.fills {
            let Some(pending) = self.shapes[shape].left.pop() else {
                continue;
            };
            let party = self.ledger.party(&self.pending[pending]);
            // Not among the residents: what was just placed is not moved.
            self.ledger.bind_unchecked(party, node, devices);
            self.migration.steps.push(Step::Place {
                pending,
                node: node as usize,
                devices: devices_of(devices),
            });
        }
        self.migration.moves += plan.moves.len();
        self.migration.cost = self.migration.cost.saturating_add(plan.cost);
        self.migration.gain += plan.gain;
    }
}

/// Thousandths of value for each move.
fn density(plan: &Plan) -> u64 {
    plan.gain.saturating_mul(1000) / plan.moves.len().max(1) as u64
}
