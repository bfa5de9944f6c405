//! The live state of a fleet: who holds what.

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use crate::error::LedgerError;
use crate::fleet::Fleet;
use crate::kernel::fit;
use crate::kernel::states::States;
use crate::parties::Parties;
use crate::space::{Demand, Space};
use crate::workload::Request;

/// A receipt for one bound replica; give it back to [`Ledger::release`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub(crate) u64);

/// A point in time that [`Ledger::rollback`] returns to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    at: usize,
    depth: u32,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    node: u32,
    party: u32,
    devices: u64,
}

#[derive(Clone, Debug)]
enum Operation {
    Bound(u64),
    Released(u64, Held),
}

/// What every node and device has left, with operations that either happen entirely or not at all.
///
/// Use it to mirror a cluster; [`crate::Scheduler`] places on it. All amounts are exact integers, and releasing what was
/// bound restores the state bit for bit.
///
/// **Complexity**: bind and release O(resources + devices of the node) plus one hash look-up; a clone is O(nodes).
///
/// # Example
/// ```
/// use modelops_allocation::{Fleet, Ledger, Node, Request, Resources};
/// let fleet = Fleet::try_new(vec![Node::new("a", Resources::new().with("cpu_milli", 4_000))])?;
/// let mut ledger = Ledger::new(&fleet);
/// let job = Request::new("job").with_resource("cpu_milli", 3_000);
/// let ticket = ledger.bind(&job, 0, &[])?;
/// assert_eq!(ledger.free(0, "cpu_milli"), 1_000);
/// assert!(ledger.bind(&job, 0, &[]).is_err());
/// ledger.release(ticket)?;
/// assert_eq!(ledger.free(0, "cpu_milli"), 4_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ledger {
    space: Arc<Space>,
    states: States,
    state_of: Vec<u32>,
    ranks: Arc<[u32]>,
    demands: Vec<Arc<Demand>>,
    demand_ids: HashMap<Arc<Demand>, u32, FxBuildHasher>,
    parties: Parties,
    /// A hash map keyed by ticket: a service that runs for a year releases nearly all of them.
    held: HashMap<u64, Held, FxBuildHasher>,
    next_ticket: u64,
    journal: Vec<Operation>,
    marks: u32,
}

impl Ledger {
    /// The ledger of an empty fleet.
    #[must_use]
    pub fn new(fleet: &Fleet) -> Self {
        let ranks = (0..fleet.nodes().len() as u32).collect();
        Self::with_ranks(Arc::new(Space::new(fleet, None, false)), ranks)
    }

    pub(crate) fn with_ranks(space: Arc<Space>, ranks: Arc<[u32]>) -> Self {
        let mut states = States::new(space.stride);
        let state_of = (0..space.class_of.len())
            .map(|node| {
                let class = &space.classes[space.class_of[node] as usize];
                states.enter(&class.full, node as u32, ranks[node])
            })
            .collect();
        Self {
            space,
            states,
            state_of,
            ranks,
            demands: Vec::new(),
            demand_ids: HashMap::default(),
            parties: Parties::default(),
            held: HashMap::default(),
            next_ticket: 0,
            journal: Vec::new(),
            marks: 0,
        }
    }

    /// Binds one replica of `request` to `node` and exactly these devices of it.
    ///
    /// # Errors
    /// [`LedgerError`] where there is no such node, the devices are not as many, not of an accepted kind or named twice,
    /// or something is short; the ledger is unchanged then. [`crate::Constraint`]s are not checked here, so that a cluster can be
    /// mirrored whatever state it is in.
    pub fn bind(&mut self, request: &Request, node: usize, devices: &[usize]) -> Result<Ticket, LedgerError> {
        if node >= self.state_of.len() {
            return Err(LedgerError::UnknownNode {
                node,
                nodes: self.state_of.len(),
            });
        }
        let shape = self.space.demand(request);
        let row = self.row(node);
        let kinds = &self.space.classes[row[0] as usize].kinds;
        let mut mask = 0_u64;
        for device in devices {
            if *device >= kinds.len() || mask >> device & 1 == 1 {
                return Err(LedgerError::DeviceMismatch { node });
            }
            mask |= 1 << device;
        }
        if mask.count_ones() != shape.count || mask & !shape.allowed[row[0] as usize] != 0 {
            return Err(LedgerError::DeviceMismatch { node });
        }
        if let Some(missing) = shape.missing.first() {
            return Err(LedgerError::Insufficient {
                node,
                resource: missing.resource.clone(),
                requested: missing.amount,
                free: 0,
            });
        }
        let short = |name: &str, requested, free| {
            Err(LedgerError::Insufficient {
                node,
                resource: name.to_owned(),
                requested,
                free,
            })
        };
        for ((free, need), name) in row[1..].iter().zip(&shape.node).zip(&self.space.node_resources) {
            if free < need {
                return short(name, *need, *free);
            }
        }
        let width = self.space.device_dims();
        for device in devices {
            let cells = &row[1 + self.space.node_dims() + device * width..][..width];
            for ((free, need), name) in cells.iter().zip(&shape.device).zip(&self.space.device_resources) {
                if free < need {
                    return short(name, *need, *free);
                }
            }
        }
        let party = self.party(request);
        Ok(self.bind_unchecked(party, node as u32, mask))
    }

    /// The devices of `node` that [`Ledger::bind`] could take for one replica, the tightest; none where it does not fit.
    #[must_use]
    pub fn tightest(&self, request: &Request, node: usize) -> Vec<usize> {
        let demand = self.space.demand(request);
        if node >= self.state_of.len() || demand.count == 0 {
            return Vec::new();
        }
        let row = self.row(node);
        let fitting = fit::fitting(&self.space, row, &demand);
        if fitting.count_ones() < demand.count {
            return Vec::new();
        }
        devices_of(fit::tightest(&self.space, row, fitting, demand.count))
    }

    /// Gives back what the ticket holds.
    ///
    /// # Errors
    /// [`LedgerError::UnknownTicket`] where it was released before.
    pub fn release(&mut self, ticket: Ticket) -> Result<(), LedgerError> {
        let held = self
            .held
            .remove(&ticket.0)
            .ok_or(LedgerError::UnknownTicket { ticket: ticket.0 })?;
        self.give(held);
        if self.marks > 0 {
            self.journal.push(Operation::Released(ticket.0, held));
        }
        self.parties.settle(held.party, self.marks == 0);
        Ok(())
    }

    /// Replaces what the ticket holds by what `request` needs, on the same node and devices.
    ///
    /// # Errors
    /// As [`Ledger::bind`] and [`Ledger::release`]; the ledger is unchanged then.
    pub fn resize(&mut self, ticket: Ticket, request: &Request) -> Result<Ticket, LedgerError> {
        let Some(held) = self.held.get(&ticket.0).copied() else {
            return Err(LedgerError::UnknownTicket { ticket: ticket.0 });
        };
        let mark = self.mark();
        self.release(ticket)?;
        match self.bind(request, held.node as usize, &devices_of(held.devices)) {
            Ok(new) => {
                self.commit(mark);
                Ok(new)
            }
            Err(error) => {
                self.rollback(mark)?;
                Err(error)
            }
        }
    }

    /// Where a ticket is bound: the node and its devices.
    #[must_use]
    pub fn location(&self, ticket: Ticket) -> Option<(usize, Vec<usize>)> {
        self.held
            .get(&ticket.0)
            .map(|held| (held.node as usize, devices_of(held.devices)))
    }

    /// The request of what a ticket holds.
    #[must_use]
    pub fn request(&self, ticket: Ticket) -> Option<&Request> {
        self.held
            .get(&ticket.0)
            .map(|held| self.parties.request(held.party))
    }

    /// Every ticket that is bound, in the order of binding.
    #[must_use]
    pub fn tickets(&self) -> Vec<Ticket> {
        let mut tickets: Vec<Ticket> = self.held.keys().map(|number| Ticket(*number)).collect();
        tickets.sort_unstable();
        tickets
    }

    /// How many replicas are bound.
    #[must_use]
    pub fn bound(&self) -> usize {
        self.held.len()
    }

    /// Remembers this moment. Every mark ends with [`Ledger::commit`] or [`Ledger::rollback`], the latest first.
    pub fn mark(&mut self) -> Mark {
        self.marks += 1;
        Mark {
            at: self.journal.len(),
            depth: self.marks,
        }
    }

    /// Keeps what happened since `mark`.
    #[expect(clippy::needless_pass_by_value, reason = "a mark is used once")]
    pub fn commit(&mut self, mark: Mark) {
        self.marks = self.marks.min(mark.depth.saturating_sub(1));
        if self.marks == 0 {
            self.journal.clear();
            self.parties.sweep();
        }
    }

    /// Undoes everything since `mark`, the latest first: the state is the same bits as then.
    ///
    /// # Errors
    /// [`LedgerError::UnknownMark`] for a mark that was undone or committed before.
    #[expect(clippy::needless_pass_by_value, reason = "a mark is used once")]
    pub fn rollback(&mut self, mark: Mark) -> Result<(), LedgerError> {
        if mark.depth > self.marks || mark.at > self.journal.len() {
            return Err(LedgerError::UnknownMark {
                mark: mark.at,
                length: self.journal.len(),
            });
        }
        while self.journal.len() > mark.at {
            match self.journal.pop() {
                Some(Operation::Bound(ticket)) => {
                    if let Some(held) = self.held.remove(&ticket) {
                        self.give(held);
                        self.parties.settle(held.party, false);
                    }
                }
                Some(Operation::Released(ticket, held)) => {
                    self.take(held);
                    self.held.insert(ticket, held);
                }
                None => break,
            }
        }
        self.marks = mark.depth - 1;
        if self.marks == 0 {
            self.parties.sweep();
        }
        Ok(())
    }

    /// What `question` answers on a ledger that it may change, after which everything is undone.
    pub fn what_if<T>(&mut self, question: impl FnOnce(&mut Self) -> T) -> T {
        let mark = self.mark();
        let depth = mark.depth;
        let answer = question(self);
        // A mark left open inside is closed by rolling back further.
        self.marks = self.marks.max(depth);
        let undone = self.rollback(mark);
        debug_assert!(undone.is_ok(), "the mark was made here");
        answer
    }

    /// How much of the node's own `resource` is left; 0 for a node or a resource that does not exist.
    #[must_use]
    pub fn free(&self, node: usize, resource: &str) -> u64 {
        let at = self.space.node_resources.iter().position(|name| name == resource);
        match (at, node < self.state_of.len()) {
            (Some(i), true) => self.row(node)[1 + i],
            _ => 0,
        }
    }

    /// The share left of every device of `node`, in thousandths.
    #[must_use]
    pub fn free_shares(&self, node: usize) -> Vec<u64> {
        if node >= self.state_of.len() {
            return Vec::new();
        }
        let row = self.row(node);
        let devices = self.space.classes[row[0] as usize].kinds.len();
        row[1 + self.space.node_dims()..]
            .chunks_exact(self.space.device_dims())
            .take(devices)
            .map(|cells| cells[0])
            .collect()
    }

    /// Whether one replica of `request` fits somewhere now.
    #[must_use]
    pub fn fits(&self, request: &Request) -> bool {
        let demand = self.space.demand(request);
        self.states
            .live()
            .any(|state| fit::fits(&self.space, self.states.row(state), &demand))
    }

    pub(crate) fn space(&self) -> &Arc<Space> {
        &self.space
    }

    pub(crate) fn states(&self) -> &States {
        &self.states
    }

    pub(crate) fn state_of(&self) -> &[u32] {
        &self.state_of
    }

    pub(crate) fn rank(&self, node: usize) -> u32 {
        self.ranks[node]
    }

    pub(crate) fn row(&self, node: usize) -> &[u64] {
        self.states.row(self.state_of[node])
    }

    pub(crate) fn demand(&self, id: u32) -> &Arc<Demand> {
        &self.demands[id as usize]
    }

    /// The first node of a state, by rank.
    pub(crate) fn first(&mut self, state: u32) -> Option<(u32, u32)> {
        self.states.first(state, &self.state_of)
    }

    pub(crate) fn demand_id(&mut self, request: &Request) -> u32 {
        let demand = self.space.demand(request);
        if let Some(id) = self.demand_ids.get(&demand) {
            return *id;
        }
        let id = self.demands.len() as u32;
        let demand = Arc::new(demand);
        self.demands.push(Arc::clone(&demand));
        self.demand_ids.insert(demand, id);
        id
    }

    /// The number of a request among those that hold or may hold something; see [`Parties`].
    pub(crate) fn party(&mut self, request: &Request) -> u32 {
        if let Some(party) = self.parties.find(request) {
            return party;
        }
        let demand = self.demand_id(request);
        self.parties.enter(request, demand)
    }

    /// Forgets a party that holds nothing.
    pub(crate) fn forget(&mut self, party: u32) {
        self.parties.settle(party, self.marks == 0);
    }

    /// Keeps a party however little it holds.
    pub(crate) fn pin(&mut self, party: u32) {
        self.parties.pin(party);
    }

    /// What a party needs.
    pub(crate) fn demand_of(&self, party: u32) -> u32 {
        self.parties.demand(party)
    }

    pub(crate) fn parties(&self) -> &Parties {
        &self.parties
    }

    /// Where a ticket is bound, for kernels: the node, its devices and the party.
    pub(crate) fn place_of(&self, ticket: Ticket) -> Option<(u32, u64, u32)> {
        let held = self.held.get(&ticket.0)?;
        Some((held.node, held.devices, held.party))
    }

    /// What is bound on each node, in the order of binding.
    pub(crate) fn residents(&self) -> Vec<Vec<Ticket>> {
        let mut residents = vec![Vec::new(); self.state_of.len()];
        for ticket in self.tickets() {
            residents[self.held[&ticket.0].node as usize].push(ticket);
        }
        residents
    }

    pub(crate) fn bind_unchecked(&mut self, party: u32, node: u32, devices: u64) -> Ticket {
        let held = Held { node, party, devices };
        self.take(held);
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.held.insert(ticket, held);
        if self.marks > 0 {
            self.journal.push(Operation::Bound(ticket));
        }
        Ticket(ticket)
    }

    fn take(&mut self, held: Held) {
        self.parties.add(held.party, held.node);
        self.move_node(held, fit::take);
    }

    fn give(&mut self, held: Held) {
        self.parties.remove(held.party, held.node);
        self.move_node(held, fit::give);
    }

    fn move_node(&mut self, held: Held, change: fn(&Space, &mut [u64], &Demand, u64)) {
        let node = held.node as usize;
        let old = self.state_of[node];
        let mut row = [0_u64; 32];
        let mut long;
        let row = if self.space.stride <= row.len() {
            &mut row[..self.space.stride]
        } else {
            long = vec![0; self.space.stride];
            &mut long[..]
        };
        row.copy_from_slice(self.states.row(old));
        change(
            &self.space,
            row,
            &self.demands[self.parties.demand(held.party) as usize],
            held.devices,
        );
        // Entering first: a state that is left and entered in one step keeps its slot.
        let new = self.states.enter(row, held.node, self.ranks[node]);
        self.states.leave(old);
        self.state_of[node] = new;
        self.states.tidy(new, &self.state_of);
    }
}

/// The positions of the bits of a device mask.
pub(crate) fn devices_of(mut mask: u64) -> Vec<usize> {
    let mut devices = Vec::with_capacity(mask.count_ones() as usize);
    while mask != 0 {
        devices.push(mask.trailing_zeros() as usize);
        mask &= mask - 1;
    }
    devices
}
