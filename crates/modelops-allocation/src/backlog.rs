//! Pending replicas, equal ones together, and how they fill room.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use crate::kernel::fit;
use crate::ledger::Ledger;
use crate::space::{Demand, Space};
use crate::topology;
use crate::workload::Request;

/// Pending replicas that need the same and are worth the same.
pub(crate) struct Shape {
    pub(crate) id: u32,
    pub(crate) demand: Arc<Demand>,
    pub(crate) value: u64,
    /// The positions of their requests, one a replica; the last is the next to be placed.
    pub(crate) left: Vec<usize>,
}

/// What is pending and may be placed by itself: no gangs, and nothing that a rule speaks about.
pub(crate) struct Backlog {
    pub(crate) shapes: Vec<Shape>,
    /// The most valuable first; the most value for the node's resources first.
    orders: [Vec<usize>; 2],
    /// What every one of them needs at least: of the node, and of the share of some device.
    least: (Vec<u64>, u64),
}

/// A replica to be placed: its shape, the room and the devices there.
pub(crate) type Filling = (usize, usize, u64);

impl Backlog {
    pub(crate) fn new(ledger: &mut Ledger, pending: &[Request]) -> Self {
        let space = Arc::clone(ledger.space());
        let mut shapes: Vec<Shape> = Vec::new();
        let mut at: HashMap<(u32, u64), usize> = HashMap::new();
        for (i, request) in pending.iter().enumerate() {
            if request.gang() && request.replicas() > 1 || !topology::unruled(ledger, request) {
                continue;
            }
            let (id, value) = (ledger.demand_id(request), request.value());
            let shape = *at.entry((id, value)).or_insert_with(|| {
                shapes.push(Shape {
                    id,
                    demand: Arc::clone(ledger.demand(id)),
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
        let mut by_value: Vec<usize> = (0..shapes.len()).collect();
        by_value.sort_by_key(|i| Reverse(shapes[*i].value));
        let density = |shape: &Shape| {
            let parts = shape.demand.node.iter().zip(&space.largest);
            let burden = parts.fold(1e-9, |sum, (need, largest)| {
                sum + *need as f64 / (*largest).max(1) as f64
            });
            shape.value as f64 / burden
        };
        let mut by_density = by_value.clone();
        by_density.sort_by(|a, b| density(&shapes[*b]).total_cmp(&density(&shapes[*a])));
        let least = |i: usize| shapes.iter().map(|shape| shape.demand.node[i]).min().unwrap_or(0);
        let share = shapes.iter().map(|shape| shape.demand.share()).min();
        Self {
            least: ((0..space.node_dims()).map(least).collect(), share.unwrap_or(0)),
            shapes,
            orders: [by_value, by_density],
        }
    }

    /// How many replicas are left, what they are worth, and the thousandths of devices that they need.
    pub(crate) fn totals(&self) -> (f64, f64, f64) {
        let add = |(count, value, share): (f64, f64, f64), shape: &Shape| {
            let times = shape.left.len() as f64;
            (
                count + times,
                value + times * shape.value as f64,
                share + times * shape.demand.total_share() as f64,
            )
        };
        self.shapes.iter().fold((0.0, 0.0, 0.0), add)
    }

    /// Fills these rooms in one of the two orders as far as it goes; what it is worth.
    pub(crate) fn fill(
        &self,
        space: &Space,
        order: usize,
        rooms: &mut [Vec<u64>],
        fillings: &mut Vec<Filling>,
    ) -> f64 {
        fillings.clear();
        let mut value = 0.0;
        if !rooms.iter().any(|room| self.may_hold(space, room)) {
            return value;
        }
        for i in &self.orders[order] {
            let shape = &self.shapes[*i];
            let mut left = shape.left.len();
            for (at, room) in rooms.iter_mut().enumerate() {
                while left > 0 && fit::fits(space, room, &shape.demand) {
                    let devices = fit::choose(space, room, &shape.demand);
                    fit::take(space, room, &shape.demand, devices);
                    fillings.push((*i, at, devices));
                    left -= 1;
                    value += shape.value as f64;
                }
            }
        }
        value
    }

    /// Whether there is as much in a room as the smallest replica needs.
    fn may_hold(&self, space: &Space, room: &[u64]) -> bool {
        let (node, share) = (&self.least.0, self.least.1);
        let mut shares = room[1 + space.node_dims()..space.devices_end]
            .iter()
            .step_by(space.device_dims());
        room[1..].iter().zip(node).all(|(free, need)| free >= need)
            && (share == 0 || shares.any(|free| *free >= share))
    }

    /// The better of the two orders in one room.
    pub(crate) fn best_fill(&self, space: &Space, room: &[u64]) -> Vec<Filling> {
        let mut best = (0.0, Vec::new());
        for order in 0..self.orders.len() {
            let mut fillings = Vec::new();
            let value = self.fill(space, order, &mut [room.to_vec()], &mut fillings);
            if value > best.0 || best.1.is_empty() {
                best = (value, fillings);
            }
        }
        best.1
    }
}
