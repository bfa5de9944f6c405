//! An order of moves in which every one of them is feasible when its turn comes.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use crate::backlog::Backlog;
use crate::constraint::Constraint;
use crate::kernel::fit;
use crate::ledger::{Ledger, Ticket, devices_of};
use crate::rearrange::{Arrangement, Origin, Piece};
use crate::replan::{Migration, MoveBudget, Step};
use crate::workload::Request;

/// How often the search starts again from what could be ordered, with what is left of the budget.
const PASSES: u64 = 3;

/// A move that is still to be made.
#[derive(Clone, Copy)]
struct Mover {
    /// Its ticket now.
    ticket: Ticket,
    demand: u32,
    cost: u64,
    /// Where it is to go.
    node: u32,
    devices: u64,
}

/// Searches for an arrangement and turns it into steps, again and again as long as that gains something.
pub(crate) struct Sequence<'a> {
    ledger: Ledger,
    pending: &'a [Request],
    backlog: Backlog,
    budget: MoveBudget,
    /// What may be moved, by its ticket now, with the ticket in the ledger that was given.
    original: HashMap<Ticket, Ticket, FxBuildHasher>,
    moves: Vec<(Step, [u32; 2])>,
    cost: u64,
    places: Vec<(Step, u32)>,
    gain: u64,
}

impl<'a> Sequence<'a> {
    pub(crate) fn new(ledger: &Ledger, pending: &'a [Request], budget: MoveBudget) -> Self {
        let mut ledger = ledger.clone();
        let backlog = Backlog::new(&mut ledger, pending);
        let original = ledger
            .tickets()
            .into_iter()
            .filter(|ticket| movable(&ledger, *ticket))
            .map(|ticket| (ticket, ticket))
            .collect();
        Self {
            ledger,
            pending,
            backlog,
            budget,
            original,
            moves: Vec::new(),
            cost: 0,
            places: Vec::new(),
            gain: 0,
        }
    }

    pub(crate) fn run(mut self) -> Migration {
        for pass in 0..PASSES {
            let (moves, gain) = (self.moves.len(), self.gain);
            self.pass(pass);
            let worth = self.gain > gain || pass == 0;
            if !worth || self.moves.len() == moves || self.moves.len() >= self.budget.moves {
                break;
            }
        }
        self.finish()
    }

    fn pass(&mut self, pass: u64) {
        let mut tickets: Vec<Ticket> = self.original.keys().copied().collect();
        tickets.sort_unstable();
        let budget = MoveBudget {
            moves: self.budget.moves - self.moves.len(),
            cost: self.budget.cost - self.cost,
            // Little is left for the later ones.
            rounds: if pass == 0 {
                self.budget.rounds
            } else {
                self.budget.rounds / 8
            },
            seed: self.budget.seed.wrapping_add(pass),
        };
        let search = Arrangement::new(&self.ledger, &tickets, &mut self.backlog, self.pending, budget);
        let pieces = search.run();
        self.order(&pieces);
        for piece in &pieces {
            self.place(piece);
        }
        for node in 0..self.ledger.state_of().len() as u32 {
            self.fill(node);
        }
    }

    /// Makes the moves: those that are feasible, and where none is, one replica is parked on a third node.
    fn order(&mut self, pieces: &[Piece]) {
        let mover = |piece: &Piece| match (piece.origin, piece.moved()) {
            (Origin::Bound { ticket, .. }, Some(cost)) => Some(Mover {
                ticket,
                demand: piece.demand,
                cost,
                node: piece.node,
                devices: piece.devices,
            }),
            _ => None,
        };
        let mut movers: Vec<Mover> = pieces.iter().filter_map(mover).collect();
        loop {
            let before = movers.len();
            let mut waiting = Vec::new();
            for mover in movers {
                let enough = self.moves.len() < self.budget.moves
                    && self.cost.saturating_add(mover.cost) <= self.budget.cost;
                if enough && self.may_go(&mover) {
                    self.shift(mover.ticket, mover.node, mover.devices);
                } else {
                    waiting.push(mover);
                }
            }
            movers = waiting;
            if movers.is_empty() || movers.len() == before && !self.park(&mut movers) {
                break;
            }
        }
    }

    /// Whether a replica could go where it is to go now.
    fn may_go(&self, mover: &Mover) -> bool {
        let Some((from, held, _)) = self.ledger.place_of(mover.ticket) else {
            return false;
        };
        let shape = self.ledger.demand(mover.demand);
        let mut row = self.ledger.row(mover.node as usize).to_vec();
        if from == mover.node {
            fit::give(self.ledger.space(), &mut row, shape, held);
        }
        fit::fits_at(self.ledger.space(), &row, shape, mover.devices)
    }

    /// Parks one replica whose leaving lets another go where it is to go; whether there is one.
    fn park(&mut self, movers: &mut [Mover]) -> bool {
        let cost = movers
            .iter()
            .fold(self.cost, |sum, mover| sum.saturating_add(mover.cost));
        if self.moves.len() + movers.len() >= self.budget.moves {
            return false;
        }
        // The smallest of those that help, away from where somebody is to go.
        let busy: Vec<u32> = movers.iter().map(|mover| mover.node).collect();
        let mut best: Option<(u64, usize, u32, u64)> = None;
        for (i, mover) in movers.iter().enumerate() {
            let Some((from, held, _)) = self.ledger.place_of(mover.ticket) else {
                continue;
            };
            let shape = self.ledger.demand(mover.demand);
            let size = shape.total_share();
            if best.is_some_and(|(least, ..)| least <= size)
                || cost.saturating_add(mover.cost) > self.budget.cost
            {
                continue;
            }
            let mut row = self.ledger.row(from as usize).to_vec();
            fit::give(self.ledger.space(), &mut row, shape, held);
            let helps = movers.iter().enumerate().any(|(j, other)| {
                let shape = self.ledger.demand(other.demand);
                j != i && other.node == from && fit::fits_at(self.ledger.space(), &row, shape, other.devices)
            });
            if helps && let Some((node, devices)) = self.refuge(mover.demand, from, &busy) {
                best = Some((size, i, node, devices));
            }
        }
        let Some((_, i, node, devices)) = best else {
            return false;
        };
        if let Some(parked) = self.shift(movers[i].ticket, node, devices) {
            movers[i].ticket = parked;
        }
        true
    }

    /// Where a demand fits on a node that is neither `from` nor busy: least left of the devices.
    fn refuge(&self, demand: u32, from: u32, busy: &[u32]) -> Option<(u32, u64)> {
        let shape = self.ledger.demand(demand);
        let space = self.ledger.space();
        let states = self.ledger.states();
        let mut best: Option<(u64, u32)> = None;
        for state in states.live() {
            let row = states.row(state);
            if !fit::fits(space, row, shape) {
                continue;
            }
            let shares = row[1 + space.node_dims()..space.devices_end]
                .iter()
                .step_by(space.device_dims())
                .sum();
            if best.is_some_and(|(least, _)| least <= shares) {
                continue;
            }
            let mut members = (0_u32..).zip(self.ledger.state_of());
            let member = members.find(|(node, at)| **at == state && *node != from && !busy.contains(node));
            if let Some((node, _)) = member {
                best = Some((shares, node));
            }
        }
        let (_, node) = best?;
        Some((node, fit::choose(space, self.ledger.row(node as usize), shape)))
    }

    /// Moves one replica; its ticket then.
    fn shift(&mut self, ticket: Ticket, node: u32, devices: u64) -> Option<Ticket> {
        let (from, _, party) = self.ledger.place_of(ticket)?;
        let first = self.original.remove(&ticket)?;
        // Under a mark the party keeps its number while it holds nothing.
        let mark = self.ledger.mark();
        let released = self.ledger.release(ticket);
        debug_assert!(released.is_ok(), "it was bound");
        let moved = self.ledger.bind_unchecked(party, node, devices);
        self.ledger.commit(mark);
        self.original.insert(moved, first);
        let cost = self.ledger.parties().request(party).move_cost();
        self.cost = self.cost.saturating_add(cost);
        let step = Step::Move {
            ticket: first,
            node: node as usize,
            devices: devices_of(devices),
        };
        self.moves.push((step, [from, node]));
        Some(moved)
    }

    /// Places what the arrangement wants to place, where there is room for it.
    fn place(&mut self, piece: &Piece) {
        let Origin::Pending { shape, request } = piece.origin else {
            return;
        };
        let row = self.ledger.row(piece.node as usize);
        let shape_of = self.ledger.demand(piece.demand);
        if fit::fits_at(self.ledger.space(), row, shape_of, piece.devices) {
            self.bind(shape, request, piece.node, piece.devices);
        } else {
            self.backlog.shapes[shape].left.push(request);
        }
    }

    /// Places what still fits on a node.
    fn fill(&mut self, node: u32) {
        let row = self.ledger.row(node as usize);
        for (shape, _, devices) in self.backlog.best_fill(self.ledger.space(), row) {
            if let Some(request) = self.backlog.shapes[shape].left.pop() {
                self.bind(shape, request, node, devices);
            }
        }
    }

    fn bind(&mut self, shape: usize, request: usize, node: u32, devices: u64) {
        let party = self.ledger.party(&self.pending[request]);
        // Without an entry in `original`: what was just placed is not moved.
        self.ledger.bind_unchecked(party, node, devices);
        self.gain = self.gain.saturating_add(self.backlog.shapes[shape].value);
        let step = Step::Place {
            pending: request,
            node: node as usize,
            devices: devices_of(devices),
        };
        self.places.push((step, node));
    }

    /// All steps, each placement as soon as no later move touches its node.
    fn finish(self) -> Migration {
        let mut last: HashMap<u32, usize, FxBuildHasher> = HashMap::default();
        for (i, (_, nodes)) in self.moves.iter().enumerate() {
            nodes.iter().for_each(|node| {
                last.insert(*node, i + 1);
            });
        }
        let moves = self.moves.len();
        let mut places = vec![Vec::new(); moves + 1];
        for (step, node) in self.places {
            places[last.get(&node).copied().unwrap_or(0)].push(step);
        }
        let mut places = places.into_iter();
        let mut steps = places.next().unwrap_or_default();
        for ((step, _), next) in self.moves.into_iter().zip(places) {
            steps.push(step);
            steps.extend(next);
        }
        Migration {
            steps,
            moves,
            cost: self.cost,
            gain: self.gain,
        }
    }
}

/// Whether no rule speaks about what the ticket holds.
fn movable(ledger: &Ledger, ticket: Ticket) -> bool {
    let Some(request) = ledger.request(ticket) else {
        return false;
    };
    let free = request.max_per_node().is_none() && request.constraints().is_empty();
    free && !ledger.parties().ruling().any(|other| {
        other.constraints().iter().any(|constraint| match constraint {
            Constraint::Together { with: selector, .. } | Constraint::Apart { from: selector, .. } => {
                selector.matches(request)
            }
            _ => false,
        })
    })
}
