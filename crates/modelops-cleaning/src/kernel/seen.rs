//! The fingerprints met so far, each with the record that brought it.

/// A set of 128-bit fingerprints with the row of each: open addressing in 256 shards, so that growing copies one
/// shard at a time and the peak stays near the final size. 20 bytes a slot, at most three of four slots in use.
#[derive(Debug)]
pub(crate) struct Seen {
    shards: Vec<Shard>,
}

/// A slot: the four words of the fingerprint, then the row, side by side so that a look touches one line of cache.
type Slot = [u32; 5];

const FREE: Slot = [0; 5];

#[inline]
fn slot(key: u128, row: u32) -> Slot {
    [
        key as u32,
        (key >> 32) as u32,
        (key >> 64) as u32,
        (key >> 96) as u32,
        row,
    ]
}

#[inline]
fn key_of(slot: &Slot) -> u128 {
    let low = u64::from(slot[0]) | u64::from(slot[1]) << 32;
    let high = u64::from(slot[2]) | u64::from(slot[3]) << 32;
    u128::from(low) | u128::from(high) << 64
}

#[derive(Debug, Default)]
struct Shard {
    slots: Vec<Slot>,
    used: usize,
}

const SHARDS: usize = 256;
const FIRST_SLOTS: usize = 16;

impl Default for Seen {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
        }
    }
}

impl Seen {
    /// The row that brought `key` first; `row` becomes it where there was none.
    #[inline]
    pub(crate) fn insert(&mut self, key: u128, row: u32) -> Option<u32> {
        self.shards[(key >> 120) as usize].insert(key, row)
    }

    /// Makes `row` the row of `key`, whichever it was.
    pub(crate) fn replace(&mut self, key: u128, row: u32) -> Option<u32> {
        let shard = &mut self.shards[(key >> 120) as usize];
        let before = shard.insert(key, row)?;
        let at = shard.place(key);
        shard.slots[at][4] = row;
        Some(before)
    }

    /// The row of `key`.
    pub(crate) fn row(&self, key: u128) -> Option<u32> {
        let shard = &self.shards[(key >> 120) as usize];
        if shard.slots.is_empty() {
            return None;
        }
        let held = &shard.slots[shard.place(key)];
        (key_of(held) == key).then_some(held[4])
    }
}

impl Shard {
    /// The slot that holds `key`, or the free one where it belongs.
    #[inline]
    fn place(&self, key: u128) -> usize {
        let slots = self.slots.len();
        // The upper bits chose the shard; the lower half places the key, by multiplication rather than division.
        let mut at = ((u128::from(key as u64) * slots as u128) >> 64) as usize;
        loop {
            let held = key_of(&self.slots[at]);
            if held == key || held == 0 {
                return at;
            }
            at += 1;
            if at == slots {
                at = 0;
            }
        }
    }

    #[inline]
    fn insert(&mut self, key: u128, row: u32) -> Option<u32> {
        if self.used * 4 >= self.slots.len() * 3 {
            self.grow();
        }
        let at = self.place(key);
        let held = &mut self.slots[at];
        if key_of(held) == key {
            return Some(held[4]);
        }
        *held = slot(key, row);
        self.used += 1;
        None
    }

    #[cold]
    fn grow(&mut self) {
        let size = (self.slots.len() * 3 / 2).max(FIRST_SLOTS);
        let slots = std::mem::replace(&mut self.slots, vec![FREE; size]);
        for held in slots.into_iter().filter(|held| key_of(held) != 0) {
            let at = self.place(key_of(&held));
            self.slots[at] = held;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn it_is_a_map(keys in proptest::collection::vec((1u128..300, any::<bool>()), 0..900)) {
            let (mut seen, mut map) = (Seen::default(), HashMap::new());
            for (row, (key, top)) in keys.into_iter().enumerate() {
                let key = if top { key << 113 } else { key };
                let row = row as u32;
                let known = map.get(&key).copied();
                map.entry(key).or_insert(row);
                prop_assert_eq!(seen.insert(key, row), known);
                prop_assert_eq!(seen.row(key), map.get(&key).copied());
            }
        }
    }
}
