//! The fingerprints met so far, each with the record that brought it.

/// A set of 128-bit fingerprints with the row of each: open addressing in 256 shards, so that growing copies one
/// shard at a time and the peak stays near the final size. 20 bytes a slot, at most three of four slots in use.
#[derive(Debug)]
pub(crate) struct Seen {
    shards: Vec<Shard>,
}

#[derive(Debug, Default)]
struct Shard {
    keys: Vec<u128>,
    rows: Vec<u32>,
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
        let slot = shard.slot(key);
        shard.rows[slot] = row;
        Some(before)
    }

    /// The row of `key`.
    pub(crate) fn row(&self, key: u128) -> Option<u32> {
        let shard = &self.shards[(key >> 120) as usize];
        if shard.keys.is_empty() {
            return None;
        }
        let slot = shard.slot(key);
        (shard.keys[slot] == key).then(|| shard.rows[slot])
    }
}

impl Shard {
    /// The slot that holds `key`, or the free one where it belongs.
    #[inline]
    fn slot(&self, key: u128) -> usize {
        let slots = self.keys.len();
        // The upper bits chose the shard; the lower half places the key, by multiplication rather than division.
        let mut at = ((u128::from(key as u64) * slots as u128) >> 64) as usize;
        loop {
            let held = self.keys[at];
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
        if self.used * 4 >= self.keys.len() * 3 {
            self.grow();
        }
        let at = self.slot(key);
        if self.keys[at] == key {
            return Some(self.rows[at]);
        }
        self.keys[at] = key;
        self.rows[at] = row;
        self.used += 1;
        None
    }

    #[cold]
    fn grow(&mut self) {
        let slots = (self.keys.len() * 3 / 2).max(FIRST_SLOTS);
        let keys = std::mem::replace(&mut self.keys, vec![0; slots]);
        let rows = std::mem::replace(&mut self.rows, vec![0; slots]);
        for (key, row) in keys.into_iter().zip(rows).filter(|(key, _)| *key != 0) {
            let at = self.slot(key);
            self.keys[at] = key;
            self.rows[at] = row;
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
