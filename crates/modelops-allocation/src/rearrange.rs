//! Where replicas should be so that more of what is pending fits: ruin and recreate, without a thought for the order of the moves.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::backlog::{Backlog, Filling};
use crate::kernel::fit;
use crate::ledger::{Ledger, Ticket};
use crate::replan::MoveBudget;
use crate::score::{FragmentationGradient, NodeView, Score};
use crate::space::{Demand, Space};
use crate::workload::Request;

/// What a move has to gain, in mean values of a pending replica: at the start of the search and at its end.
const WORTH_A_MOVE: (f64, f64) = (1.2, 0.06);
/// A thousandth that stops being a fragment counts half as much as one that is given to a replica.
const FRAGMENT: f64 = 0.5;

/// One replica and where it is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) demand: u32,
    pub(crate) origin: Origin,
    pub(crate) node: u32,
    pub(crate) devices: u64,
}

/// Where a replica comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    /// It is bound.
    Bound {
        ticket: Ticket,
        node: u32,
        devices: u64,
        cost: u64,
    },
    /// It is pending: its shape and the position of its request.
    Pending { shape: usize, request: usize },
    /// It was pending and is so again; the entry is unused.
    Withdrawn,
}

impl Piece {
    /// Whether it is bound somewhere else now; what the move costs.
    pub(crate) fn moved(&self) -> Option<u64> {
        match self.origin {
            Origin::Bound {
                node, devices, cost, ..
            } if (node, devices) != (self.node, self.devices) => Some(cost),
            _ => None,
        }
    }
}

/// A search for an arrangement that holds more.
///
/// A round takes some replicas off two or three nodes, puts them back in another way, fills what became free, and keeps the result
/// where what it gains, in value and in devices that typical requests can use, is more than the moves have to gain. That price of a
/// move falls during the search, so that the best moves are found first and a small budget is not spent on others.
pub(crate) struct Arrangement<'a> {
    ledger: &'a Ledger,
    space: Arc<Space>,
    gradient: FragmentationGradient,
    backlog: &'a mut Backlog,
    pieces: Vec<Piece>,
    /// Entries of `pieces` that are unused.
    unused: Vec<u32>,
    /// The pieces on each node.
    on: Vec<Vec<u32>>,
    rows: Vec<Vec<u64>>,
    fragmentation: Vec<i64>,
    moves: usize,
    cost: u64,
    /// How many moves more an order of them may need, because replicas that change places need a third one.
    detours: i64,
    budget: MoveBudget,
}

/// What a round tries.
#[derive(Default)]
struct Trial {
    nodes: Vec<u32>,
    rows: Vec<Vec<u64>>,
    /// What is taken off, with the key by which it is put back.
    out: Vec<(f64, u32)>,
    /// Piece, position of its node in `nodes` (`None`: pending again), devices.
    put: Vec<(u32, Option<usize>, u64)>,
    fillings: Vec<Filling>,
    /// What is gained beside the fillings, and by how much moves and their cost grow.
    value: f64,
    moves: i64,
    cost: i128,
}

impl<'a> Arrangement<'a> {
    /// What is bound is `tickets`, as far as it may be moved.
    pub(crate) fn new(
        ledger: &'a Ledger,
        tickets: &[Ticket],
        backlog: &'a mut Backlog,
        pending: &[Request],
        budget: MoveBudget,
    ) -> Self {
        let space = Arc::clone(ledger.space());
        let bound = ledger.parties().bound().map(|(request, nodes)| {
            let replicas = nodes.iter().map(|(_, count)| *count).sum();
            request.clone().with_replicas(replicas)
        });
        let typical: Vec<Request> = pending.iter().cloned().chain(bound).collect();
        let mut gradient = FragmentationGradient::new(&typical);
        gradient.prepare(&space);
        let rows: Vec<Vec<u64>> = (0..ledger.state_of().len())
            .map(|node| ledger.row(node).to_vec())
            .collect();
        let mut on = vec![Vec::new(); rows.len()];
        let mut pieces = Vec::with_capacity(tickets.len());
        for ticket in tickets {
            let Some((node, devices, party)) = ledger.place_of(*ticket) else {
                continue;
            };
            on[node as usize].push(pieces.len() as u32);
            let origin = Origin::Bound {
                ticket: *ticket,
                node,
                devices,
                cost: ledger.parties().request(party).move_cost(),
            };
            pieces.push(Piece {
                demand: ledger.demand_of(party),
                origin,
                node,
                devices,
            });
        }
        let fragmentation = rows
            .iter()
            .map(|row| gradient.standing(NodeView { space: &space, row }))
            .collect();
        Self {
            ledger,
            space,
            gradient,
            backlog,
            pieces,
            unused: Vec::new(),
            on,
            rows,
            fragmentation,
            moves: 0,
            cost: 0,
            detours: 0,
            budget,
        }
    }

    /// Searches; every replica that was bound or is to be placed, with its place.
    pub(crate) fn run(mut self) -> Vec<Piece> {
        self.fill();
        let (count, value, share) = self.backlog.totals();
        if count > 0.0 && !self.pieces.is_empty() && self.budget.moves > 0 {
            let mean = value / count;
            let fragment = if share > 0.0 {
                FRAGMENT * value / share / self.gradient.total() as f64
            } else {
                0.0
            };
            let mut chance = Xoshiro256PlusPlus::seed_from_u64(self.budget.seed);
            let rounds = self.budget.rounds.saturating_mul(self.rows.len() as u64);
            // In a hundred equal steps of the logarithm, without a logarithm.
            let (first, last) = WORTH_A_MOVE;
            let stages = 100_u64;
            let fall = root(last / first, stages);
            let mut price = first * mean;
            let mut trial = Trial::default();
            for stage in 0..stages {
                for _ in rounds * stage / stages..rounds * (stage + 1) / stages {
                    self.round(&mut chance, fragment, price, &mut trial);
                }
                price *= fall;
            }
        }
        self.pieces
    }

    fn round(&mut self, chance: &mut Xoshiro256PlusPlus, fragment: f64, price: f64, trial: &mut Trial) {
        if !self.choose(chance, trial) || !self.recreate(chance, trial) {
            return;
        }
        let left = i64::try_from(self.budget.moves).unwrap_or(i64::MAX) - self.moves as i64 - self.detours;
        if trial.moves > left.max(0) || i128::from(self.cost) + trial.cost > i128::from(self.budget.cost) {
            return;
        }
        let order = chance.random_range(0..2);
        let value = trial.value
            + self
                .backlog
                .fill(&self.space, order, &mut trial.rows, &mut trial.fillings);
        if value < 0.0 {
            return;
        }
        let mut healed = 0;
        for (node, row) in trial.nodes.iter().zip(&trial.rows) {
            healed += self.fragmentation[*node as usize] - self.standing(row);
        }
        let score = value + fragment * healed as f64 - price * trial.moves as f64;
        if score > 0.0 {
            let detours = self.detours(trial);
            if score - price * detours as f64 > 0.0 && trial.moves + detours <= left.max(0) {
                self.detours += detours;
                self.accept(trial);
            }
        }
    }

    fn standing(&self, row: &[u64]) -> i64 {
        self.gradient.standing(self.view(row))
    }

    fn view<'b>(&'b self, row: &'b [u64]) -> NodeView<'b> {
        NodeView {
            space: &self.space,
            row,
        }
    }

    fn demand(&self, piece: &Piece) -> &Demand {
        self.ledger.demand(piece.demand)
    }

    /// Chooses nodes and takes some replicas off them; whether there are any.
    fn choose(&self, chance: &mut Xoshiro256PlusPlus, trial: &mut Trial) -> bool {
        let nodes = self.rows.len();
        let count = (2 + chance.random_range(0..2_usize)).min(nodes);
        trial.nodes.clear();
        let mut tries = 0;
        while trial.nodes.len() < count {
            let node = chance.random_range(0..nodes as u32);
            // One of them should have something to gain.
            if trial.nodes.is_empty() && tries < 4 && self.view(&self.rows[node as usize]).free_share() == 0 {
                tries += 1;
                continue;
            }
            if !trial.nodes.contains(&node) {
                trial.nodes.push(node);
            }
        }
        trial.out.clear();
        for (i, node) in trial.nodes.iter().enumerate() {
            let on = &self.on[*node as usize];
            // What to take off: nothing, one replica, all that it shares a device with, or most of that.
            let extent = chance.random_range(0..4_u32);
            if on.is_empty() || extent == 0 && i > 0 {
                continue;
            }
            let picked = on[chance.random_range(0..on.len())];
            let devices = self.pieces[picked as usize].devices;
            for at in on {
                let piece = &self.pieces[*at as usize];
                let beside = extent >= 2 && piece.devices & devices != 0;
                let spared = extent == 3 && chance.random_range(0..4_u32) == 0;
                if *at == picked || beside && !spared {
                    // Large ones go back first, more or less; whole devices before shares of one.
                    let demand = self.demand(piece);
                    let whole = if demand.share() >= 1000 { 3 } else { 1 };
                    let size = (1 + whole * demand.total_share()) as f64;
                    trial.out.push((size * (0.6 + 0.8 * chance.random::<f64>()), *at));
                }
            }
        }
        trial.out.sort_by(|a, b| b.0.total_cmp(&a.0));
        !trial.out.is_empty()
    }

    /// Puts back what was taken off; whether all that is bound found a place and anything changed.
    fn recreate(&self, chance: &mut Xoshiro256PlusPlus, trial: &mut Trial) -> bool {
        trial.rows.resize(trial.nodes.len(), Vec::new());
        for (row, node) in trial.rows.iter_mut().zip(&trial.nodes) {
            row.clone_from(&self.rows[*node as usize]);
        }
        for (_, at) in &trial.out {
            let piece = &self.pieces[*at as usize];
            if let Some(i) = trial.nodes.iter().position(|node| *node == piece.node) {
                fit::give(&self.space, &mut trial.rows[i], self.demand(piece), piece.devices);
            }
        }
        trial.put.clear();
        (trial.value, trial.moves, trial.cost) = (0.0, 0, 0);
        let mut changed = false;
        for (_, at) in &trial.out {
            let piece = self.pieces[*at as usize];
            let demand = self.demand(&piece);
            let first = chance.random_range(0..trial.nodes.len());
            let places = (0..trial.nodes.len()).map(|i| (first + i) % trial.nodes.len());
            let place = places
                .into_iter()
                .find(|i| fit::fits(&self.space, &trial.rows[*i], demand));
            let Some(i) = place else {
                let Origin::Pending { shape, .. } = piece.origin else {
                    return false;
                };
                trial.value -= self.backlog.shapes[shape].value as f64;
                trial.put.push((*at, None, 0));
                changed = true;
                continue;
            };
            let node = trial.nodes[i];
            let devices = self.devices(chance, &piece, demand, node, &trial.rows[i]);
            fit::take(&self.space, &mut trial.rows[i], demand, devices);
            trial.put.push((*at, Some(i), devices));
            changed |= (node, devices) != (piece.node, piece.devices);
            let there = Piece {
                node,
                devices,
                ..piece
            };
            for (moved, sign) in [(there.moved(), 1), (piece.moved(), -1)] {
                if let Some(cost) = moved {
                    trial.moves += sign;
                    trial.cost += i128::from(cost) * i128::from(sign);
                }
            }
        }
        changed
    }

    /// The devices for a piece on a node: often those where it was at first, which is no move, or is now, else the tightest.
    fn devices(
        &self,
        chance: &mut Xoshiro256PlusPlus,
        piece: &Piece,
        demand: &Demand,
        node: u32,
        row: &[u64],
    ) -> u64 {
        if demand.count == 0 {
            return 0;
        }
        let fitting = fit::fitting(&self.space, row, demand);
        if let Origin::Bound {
            node: home, devices, ..
        } = piece.origin
            && home == node
            && fitting & devices == devices
            && chance.random_range(0..4_u32) > 0
        {
            return devices;
        }
        if piece.node == node
            && fitting & piece.devices == piece.devices
            && chance.random_range(0..2_u32) == 0
        {
            return piece.devices;
        }
        fit::tightest(&self.space, row, fitting, demand.count)
    }

    /// How many of the replicas that a round moves have to go somewhere else in between.
    fn detours(&self, trial: &Trial) -> i64 {
        let mut rows: Vec<Vec<u64>> = trial
            .nodes
            .iter()
            .map(|node| self.rows[*node as usize].clone())
            .collect();
        let leave = |rows: &mut Vec<Vec<u64>>, piece: &Piece| {
            if let Some(i) = trial.nodes.iter().position(|node| *node == piece.node) {
                fit::give(&self.space, &mut rows[i], self.demand(piece), piece.devices);
            }
        };
        let mut waiting = Vec::new();
        for (at, place, devices) in &trial.put {
            let piece = &self.pieces[*at as usize];
            match (piece.origin, place) {
                (Origin::Bound { .. }, Some(i))
                    if (trial.nodes[*i], *devices) != (piece.node, piece.devices) =>
                {
                    waiting.push((piece, *i, *devices, false));
                }
                (Origin::Bound { .. }, _) => {}
                // What is to be placed is placed in the end.
                _ => leave(&mut rows, piece),
            }
        }
        let mut detours = 0;
        while !waiting.is_empty() {
            let before = waiting.len();
            waiting.retain(|(piece, i, devices, parked)| {
                let mut row = rows[*i].clone();
                if !parked && trial.nodes[*i] == piece.node {
                    fit::give(&self.space, &mut row, self.demand(piece), piece.devices);
                }
                let demand = self.demand(piece);
                if !fit::fits_at(&self.space, &row, demand, *devices) {
                    return true;
                }
                if !parked {
                    leave(&mut rows, piece);
                }
                fit::take(&self.space, &mut rows[*i], demand, *devices);
                false
            });
            if waiting.len() == before {
                let Some(stuck) = waiting.iter_mut().find(|(.., parked)| !parked) else {
                    break;
                };
                stuck.3 = true;
                leave(&mut rows, stuck.0);
                detours += 1;
            }
        }
        detours
    }

    fn accept(&mut self, trial: &Trial) {
        self.moves = (self.moves as i64 + trial.moves).max(0) as usize;
        self.cost = u64::try_from((i128::from(self.cost) + trial.cost).max(0)).unwrap_or(u64::MAX);
        for (node, row) in trial.nodes.iter().zip(&trial.rows) {
            self.fragmentation[*node as usize] = self.standing(row);
            self.rows[*node as usize].clone_from(row);
        }
        for (at, place, devices) in &trial.put {
            let piece = &mut self.pieces[*at as usize];
            let to = place.map(|i| trial.nodes[i]);
            if to != Some(piece.node) {
                self.on[piece.node as usize].retain(|other| other != at);
            }
            match (to, piece.origin) {
                (Some(to), _) => {
                    if to != piece.node {
                        self.on[to as usize].push(*at);
                    }
                    (piece.node, piece.devices) = (to, *devices);
                }
                (None, Origin::Pending { shape, request }) => {
                    self.backlog.shapes[shape].left.push(request);
                    piece.origin = Origin::Withdrawn;
                    self.unused.push(*at);
                }
                (None, _) => {}
            }
        }
        for (shape, i, devices) in &trial.fillings {
            self.admit(*shape, trial.nodes[*i], *devices);
        }
    }

    /// Writes down a pending replica that is to be placed.
    fn admit(&mut self, shape: usize, node: u32, devices: u64) {
        let Some(request) = self.backlog.shapes[shape].left.pop() else {
            return;
        };
        let piece = Piece {
            demand: self.backlog.shapes[shape].id,
            origin: Origin::Pending { shape, request },
            node,
            devices,
        };
        let at = match self.unused.pop() {
            Some(at) => {
                self.pieces[at as usize] = piece;
                at
            }
            None => {
                self.pieces.push(piece);
                self.pieces.len() as u32 - 1
            }
        };
        self.on[node as usize].push(at);
    }

    /// Places what fits as it is.
    fn fill(&mut self) {
        for node in 0..self.rows.len() {
            for (shape, _, devices) in self.backlog.best_fill(&self.space, &self.rows[node]) {
                let demand = &self.backlog.shapes[shape].demand;
                fit::take(&self.space, &mut self.rows[node], demand, devices);
                self.admit(shape, node as u32, devices);
            }
            self.fragmentation[node] = self.standing(&self.rows[node]);
        }
    }
}

/// The `n`-th root of a number between 0 and 1, by halving: the same bits everywhere.
fn root(x: f64, n: u64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if (0..n).fold(1.0, |product, _| product * middle) < x {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}
