//! The keys of a store by name: an open-addressing table of one cache line a key.
//!
//! Among a million keys the look-up is a wait for memory. A name, its hash and its end lie in one aligned line of 64 bytes, so a key costs
//! one such wait, and principals and scopes, which many keys share, lie apart.

use std::collections::HashMap;
use std::sync::Arc;

use super::api_key::{ApiKeyId, ApiKeyRecord};
use super::{Scope, UnixSeconds};
use crate::kernel::memory::{ask_for_large_pages, prefetch};

/// Who calls, and what he may do.
pub(super) type Grant = (Arc<str>, Arc<[Scope]>);

const TAKEN: u8 = 1;
const REVOKED: u8 = 2;
const ENDS: u8 = 4;
/// Slots of a table that holds anything.
const LEAST: usize = 16;

/// One key, in one cache line.
#[derive(Clone)]
#[repr(align(64))]
pub(super) struct Slot {
    hash: [u8; 32],
    end: u64,
    grant: u32,
    id: [u8; ApiKeyId::LEN],
    pepper: u8,
    flags: u8,
}

const _: () = assert!(size_of::<Slot>() == 64);

impl Slot {
    const FREE: Self = Self {
        hash: [0; 32],
        end: 0,
        grant: 0,
        id: [0; ApiKeyId::LEN],
        pepper: 0,
        flags: 0,
    };

    pub(super) fn hash(&self) -> &[u8] {
        &self.hash
    }

    pub(super) fn pepper(&self) -> u8 {
        self.pepper
    }

    pub(super) fn is_revoked(&self) -> bool {
        self.flags & REVOKED != 0
    }

    pub(super) fn expires(&self) -> Option<UnixSeconds> {
        (self.flags & ENDS != 0).then_some(UnixSeconds(self.end))
    }

    pub(super) fn revoke(&mut self) {
        self.flags |= REVOKED;
    }

    pub(super) fn set_expires(&mut self, end: UnixSeconds) {
        (self.end, self.flags) = (end.0, self.flags | ENDS);
    }
}

/// Keys by name; a key that is in stays in.
#[derive(Default)]
pub(super) struct KeyTable {
    /// A power of two of slots, at most three quarters taken.
    slots: Vec<Slot>,
    taken: usize,
    grants: Vec<Grant>,
    places: HashMap<Grant, u32>,
}

impl KeyTable {
    /// Where the name is, or the free slot that ends the search; the table has one.
    fn place(&self, id: ApiKeyId) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = id.spread() as usize & mask;
        while self.slots[at].flags & TAKEN != 0 && self.slots[at].id != *id.bytes() {
            at = (at + 1) & mask;
        }
        at
    }

    /// Starts to bring the line of a name from memory, so that the time until [`find`](Self::find) can be used for something else.
    pub(super) fn expect(&self, id: ApiKeyId) {
        if let Some(mask) = self.slots.len().checked_sub(1) {
            let at = id.spread() as usize;
            // One key in three lies behind another one.
            prefetch(&self.slots[at & mask]);
            prefetch(&self.slots[(at + 1) & mask]);
        }
    }

    pub(super) fn find(&self, id: ApiKeyId) -> Option<&Slot> {
        if self.slots.is_empty() {
            return None;
        }
        Some(&self.slots[self.place(id)]).filter(|slot| slot.flags & TAKEN != 0)
    }

    pub(super) fn find_mut(&mut self, id: ApiKeyId) -> Option<&mut Slot> {
        if self.slots.is_empty() {
            return None;
        }
        let at = self.place(id);
        Some(&mut self.slots[at]).filter(|slot| slot.flags & TAKEN != 0)
    }

    pub(super) fn grant(&self, slot: &Slot) -> &Grant {
        &self.grants[slot.grant as usize]
    }

    pub(super) fn insert(&mut self, record: ApiKeyRecord) {
        if 4 * (self.taken + 1) > 3 * self.slots.len() {
            self.grow();
        }
        let grant = (record.principal, record.scopes);
        let grant = match self.places.get(&grant) {
            Some(place) => *place,
            None => {
                let place = u32::try_from(self.grants.len()).expect("fewer than 2³² grants fit in memory");
                self.grants.push(grant.clone());
                self.places.insert(grant, place);
                place
            }
        };
        let at = self.place(record.id);
        self.taken += usize::from(self.slots[at].flags & TAKEN == 0);
        let mut flags = TAKEN;
        flags |= if record.revoked { REVOKED } else { 0 };
        flags |= if record.expires.is_some() { ENDS } else { 0 };
        self.slots[at] = Slot {
            hash: record.hash,
            end: record.expires.map_or(0, |end| end.0),
            grant,
            id: *record.id.bytes(),
            pepper: record.pepper,
            flags,
        };
    }

    fn grow(&mut self) {
        let room = (2 * self.slots.len()).max(LEAST);
        let mut slots = Vec::with_capacity(room);
        ask_for_large_pages(slots.spare_capacity_mut());
        slots.resize(room, Slot::FREE);
        let old = std::mem::replace(&mut self.slots, slots);
        for slot in old.into_iter().filter(|slot| slot.flags & TAKEN != 0) {
            let at = self.place(ApiKeyId::from_bytes(slot.id));
            self.slots[at] = slot;
        }
    }

    pub(super) fn records(&self) -> impl Iterator<Item = ApiKeyRecord> {
        let taken = self.slots.iter().filter(|slot| slot.flags & TAKEN != 0);
        taken.map(|slot| {
            let (principal, scopes) = self.grant(slot).clone();
            ApiKeyRecord {
                id: ApiKeyId::from_bytes(slot.id),
                pepper: slot.pepper,
                hash: slot.hash,
                principal,
                scopes,
                expires: slot.expires(),
                revoked: slot.is_revoked(),
            }
        })
    }
}
