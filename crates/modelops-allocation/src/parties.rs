//! Who holds something where: what constraints between requests are judged by.

use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use crate::constraint::Constraint;
use crate::workload::Request;

/// Distinct requests, each with the nodes that its replicas are on.
///
/// A request that holds nothing is forgotten once no mark is open, so that a service with new names every day does not grow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parties {
    /// Boxed, so that a longer list moves no parties.
    slots: Vec<Option<Box<Party>>>,
    /// The first party of each hash of a request, the others follow by `next`: growing reads no request again.
    firsts: HashMap<u64, u32, FxBuildHasher>,
    free: Vec<u32>,
    /// Those that held nothing when a mark was open.
    idle: Vec<u32>,
    /// Those that want to be apart from somebody and hold something.
    guards: BTreeSet<u32>,
    /// Those that want to be together with somebody and hold something.
    companions: BTreeSet<u32>,
}

#[derive(Clone, Debug)]
struct Party {
    request: Arc<Request>,
    hash: u64,
    /// The next party whose request has the same hash.
    next: Option<u32>,
    demand: u32,
    bound: u32,
    pinned: bool,
    /// Nodes with how many replicas, in the order of the nodes.
    nodes: Vec<(u32, u32)>,
}

fn hash(request: &Request) -> u64 {
    FxBuildHasher.hash_one(request)
}

const HELD: &str = "a party lasts as long as it is used";

impl Parties {
    pub(crate) fn find(&self, request: &Request) -> Option<u32> {
        let mut next = self.firsts.get(&hash(request)).copied();
        while let Some(id) = next {
            let party = self.at(id);
            if *party.request == *request {
                return Some(id);
            }
            next = party.next;
        }
        None
    }

    pub(crate) fn enter(&mut self, request: &Request, demand: u32) -> u32 {
        let hash = hash(request);
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.slots[id as usize] = Some(Box::new(Party {
            request: Arc::new(request.clone()),
            hash,
            next: self.firsts.insert(hash, id),
            demand,
            bound: 0,
            pinned: false,
            nodes: Vec::new(),
        }));
        id
    }

    /// Takes a party out of those with the same hash.
    fn unlink(&mut self, id: u32, party: &Party) {
        let first = self.firsts.get_mut(&party.hash).expect(HELD);
        if *first != id {
            let mut before = *first;
            while let Some(next) = self.at(before).next.filter(|next| *next != id) {
                before = next;
            }
            self.slots[before as usize].as_mut().expect(HELD).next = party.next;
        } else if let Some(next) = party.next {
            *first = next;
        } else {
            self.firsts.remove(&party.hash);
        }
    }

    fn at(&self, id: u32) -> &Party {
        self.slots[id as usize].as_ref().expect(HELD)
    }

    pub(crate) fn request(&self, id: u32) -> &Request {
        &self.at(id).request
    }

    pub(crate) fn demand(&self, id: u32) -> u32 {
        self.at(id).demand
    }

    pub(crate) fn pin(&mut self, id: u32) {
        self.slots[id as usize].as_mut().expect(HELD).pinned = true;
    }

    pub(crate) fn add(&mut self, id: u32, node: u32) {
        let party = self.slots[id as usize].as_mut().expect(HELD);
        party.bound += 1;
        match party.nodes.binary_search_by_key(&node, |entry| entry.0) {
            Ok(i) => party.nodes[i].1 += 1,
            Err(i) => party.nodes.insert(i, (node, 1)),
        }
        if party.bound == 1 {
            for constraint in party.request.constraints() {
                match constraint {
                    Constraint::Apart { .. } => self.guards.insert(id),
                    Constraint::Together { .. } => self.companions.insert(id),
                    _ => false,
                };
            }
        }
    }

    pub(crate) fn remove(&mut self, id: u32, node: u32) {
        let party = self.slots[id as usize].as_mut().expect(HELD);
        party.bound -= 1;
        if let Ok(i) = party.nodes.binary_search_by_key(&node, |entry| entry.0) {
            party.nodes[i].1 -= 1;
            if party.nodes[i].1 == 0 {
                party.nodes.remove(i);
            }
        }
        if party.bound == 0 {
            self.guards.remove(&id);
            self.companions.remove(&id);
        }
    }

    /// Forgets a party that holds nothing, now or at the next sweep.
    pub(crate) fn settle(&mut self, id: u32, now: bool) {
        let Some(party) = &self.slots[id as usize] else {
            return;
        };
        if party.bound > 0 || party.pinned {
            return;
        }
        if now {
            if let Some(party) = self.slots[id as usize].take() {
                self.unlink(id, &party);
                self.free.push(id);
            }
        } else {
            self.idle.push(id);
        }
    }

    pub(crate) fn sweep(&mut self) {
        for id in std::mem::take(&mut self.idle) {
            self.settle(id, true);
        }
    }

    /// Those that hold something, with the nodes of their replicas.
    pub(crate) fn bound(&self) -> impl Iterator<Item = (&Request, &[(u32, u32)])> {
        let held = self.slots.iter().flatten().filter(|party| party.bound > 0);
        held.map(|party| (&*party.request, &party.nodes[..]))
    }

    /// Those of them that want to be apart from somebody.
    pub(crate) fn guards(&self) -> impl Iterator<Item = (&Request, &[(u32, u32)])> {
        self.guards
            .iter()
            .map(|id| (&*self.at(*id).request, &self.at(*id).nodes[..]))
    }

    /// Whether anybody wants to be together with somebody.
    pub(crate) fn any_companion(&self) -> bool {
        !self.companions.is_empty()
    }

    /// Those whose constraints speak of others.
    pub(crate) fn ruling(&self) -> impl Iterator<Item = &Request> {
        let ids = self.guards.iter().chain(&self.companions);
        ids.map(|id| &*self.at(*id).request)
    }
}
