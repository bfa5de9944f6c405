//! The fingerprints met so far, each with the record that brought it.

/// A set of 128-bit fingerprints with the row of each: open addressing in 256 shards, so that growing copies one
/// shard at a time and the peak stays near the final size. 20 bytes a slot, at most three of four slots in use.
#[derive(Debug)]
pub(crate) struct Seen {
    shards: Vec<Shard>,
    /// About how many rows there will be; zero where nobody knows.
    rows: u64,
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
/// Keys in a shard from which on its future can be told.
const FORESEEN: usize = 1024;

impl Default for Seen {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            rows: 0,
        }
    }
}

impl Seen {
    /// Says about how many rows there will be, so that a table that grows can grow to its likely end at once.
    pub(crate) fn expect(&mut self, rows: u64) {
        self.rows = rows;
    }

    /// Reads where each key belongs, all at once: the memory answers such reads together, where a look at a time would
    /// wait for each. What comes back only keeps the reads from being left out.
    pub(crate) fn touch(&self, keys: impl Iterator<Item = u128>) -> u32 {
        keys.fold(0, |sum, key| {
            let shard = &self.shards[(key >> 120) as usize];
            let home = shard.home(key);
            // A search goes on over a few slots, often into the next line of cache.
            [home, home + 3]
                .into_iter()
                .filter_map(|at| shard.slots.get(at))
                .fold(sum, |sum, slot| sum.wrapping_add(slot[0]))
        })
    }

    /// The row that brought `key` first; `row` becomes it where there was none.
    #[inline]
    pub(crate) fn insert(&mut self, key: u128, row: u32) -> Option<u32> {
        self.shards[(key >> 120) as usize].insert(key, row, self.rows)
    }

    /// Makes `row` the row of `key`, whichever it was.
    pub(crate) fn replace(&mut self, key: u128, row: u32) -> Option<u32> {
        let shard = &mut self.shards[(key >> 120) as usize];
        let before = shard.insert(key, row, self.rows)?;
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
    /// Where the search for `key` begins. The upper bits chose the shard; the lower half places the key, by
    /// multiplication rather than division.
    #[inline]
    fn home(&self, key: u128) -> usize {
        ((u128::from(key as u64) * self.slots.len() as u128) >> 64) as usize
    }

    /// The slot that holds `key`, or the free one where it belongs.
    #[inline]
    fn place(&self, key: u128) -> usize {
        let slots = self.slots.len();
        let mut at = self.home(key);
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
    fn insert(&mut self, key: u128, row: u32, rows: u64) -> Option<u32> {
        if self.used * 4 >= self.slots.len() * 3 {
            self.grow(row, rows);
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
    fn grow(&mut self, row: u32, rows: u64) {
        let mut size = (self.slots.len() * 3 / 2).max(FIRST_SLOTS);
        if self.used >= FORESEEN {
            // If new keys keep coming as they have, with some room above.
            let used = self.used as f64 * rows as f64 / (f64::from(row) + 1.0);
            size = size.max((used / 0.72) as usize);
        }
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
