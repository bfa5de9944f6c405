//! The prefixes of a graph: sets of groups that hold everything that comes before any of them.

use rustc_hash::FxHashMap;

use super::contract::Contracted;

/// Prefixes from the empty to the full one; every prefix comes after those that it contains.
pub(super) struct Lattice {
    /// By prefix: one group fewer, and which.
    from: Vec<(u32, u32)>,
    /// By prefix, from `starts`: the groups that can be added, and what that makes.
    next: Vec<(u32, u32)>,
    starts: Vec<u32>,
}

impl Lattice {
    pub(super) fn len(&self) -> usize {
        self.from.len()
    }

    pub(super) fn next(&self, prefix: usize) -> &[(u32, u32)] {
        &self.next[self.starts[prefix] as usize..self.starts[prefix + 1] as usize]
    }

    /// The prefix with one group fewer, and that group; not for the empty one.
    pub(super) fn from(&self, prefix: usize) -> (u32, u32) {
        self.from[prefix]
    }

    /// The groups of a prefix.
    pub(super) fn groups(&self, prefix: usize) -> Vec<u32> {
        let (mut groups, mut at) = (Vec::new(), prefix);
        while at > 0 {
            let (before, group) = self.from[at];
            groups.push(group);
            at = before as usize;
        }
        groups
    }

    /// The prefixes along one order of the groups.
    pub(super) fn along(order: &[u32]) -> Self {
        let steps = || order.iter().zip(0_u32..);
        Self {
            from: std::iter::once((0, 0))
                .chain(steps().map(|(group, i)| (i, *group)))
                .collect(),
            next: steps().map(|(group, i)| (*group, i + 1)).collect(),
            starts: (0..=order.len() as u32).chain([order.len() as u32]).collect(),
        }
    }

    /// All prefixes; `None` where they take more than `words` words.
    pub(super) fn all(groups: &Contracted, words: u64) -> Option<Self> {
        let width = groups.len().div_ceil(64).max(1);
        let most = (words / (width as u64 + 4)).min(1 << 30) as usize;
        let mut rows: Vec<u64> = vec![0; width];
        let mut hashes = vec![0_u64];
        let mut known: FxHashMap<u64, u32> = FxHashMap::from_iter([(0, 0)]);
        let mut this = Self {
            from: vec![(0, 0)],
            next: Vec::new(),
            starts: vec![0],
        };
        let mut at = 0;
        let mut row = vec![0_u64; width];
        while at < this.from.len() {
            row.copy_from_slice(&rows[at * width..][..width]);
            for group in this.ready(groups, &row, at) {
                let (word, bit) = (group as usize / 64, 1_u64 << (group % 64));
                row[word] |= bit;
                let full_hash = hashes[at] ^ scatter(group);
                let mut hash = full_hash;
                let found = loop {
                    match known.get(&hash) {
                        Some(id) if rows[*id as usize * width..][..width] == row[..] => break *id,
                        Some(_) => hash = hash.wrapping_add(1),
                        None => {
                            let id = this.from.len() as u32;
                            if this.from.len() + this.next.len() / 2 >= most {
                                return None;
                            }
                            known.insert(hash, id);
                            rows.extend_from_slice(&row);
                            hashes.push(full_hash);
                            this.from.push((at as u32, group));
                            break id;
                        }
                    }
                };
                this.next.push((group, found));
                row[word] ^= bit;
            }
            this.starts.push(this.next.len() as u32);
            at += 1;
        }
        Some(this)
    }

    /// What can be added: what could be before the last group came, and what that group was the last to wait for.
    fn ready(&self, groups: &Contracted, row: &[u64], at: usize) -> Vec<u32> {
        let inside = |group: u32| row[group as usize / 64] >> (group % 64) & 1 == 1;
        let complete = |group: &u32| groups.before[*group as usize].iter().all(|b| inside(*b));
        if at == 0 {
            return (0..groups.len() as u32).filter(complete).collect();
        }
        let (before, last) = self.from[at];
        let mut ready: Vec<u32> = self
            .next(before as usize)
            .iter()
            .map(|(group, _)| *group)
            .collect();
        ready.retain(|group| *group != last);
        ready.extend(groups.after[last as usize].iter().filter(|g| complete(g)));
        ready
    }
}

/// Bits that look random: the finaliser of `SplitMix64`.
fn scatter(group: u32) -> u64 {
    let mut z = (u64::from(group) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Four orders of the groups: breadth first and depth first, from the front and from the back.
pub(super) fn orders(groups: &Contracted) -> Vec<Vec<u32>> {
    let mut orders = Vec::new();
    for depth in [false, true] {
        orders.push(order(&groups.before, &groups.after, depth));
        let mut back = order(&groups.after, &groups.before, depth);
        back.reverse();
        orders.push(back);
    }
    orders.sort_unstable();
    orders.dedup();
    orders
}

fn order(before: &[Vec<u32>], after: &[Vec<u32>], depth: bool) -> Vec<u32> {
    let mut waits: Vec<usize> = before.iter().map(Vec::len).collect();
    let mut ready: std::collections::VecDeque<u32> = (0..before.len() as u32)
        .filter(|g| waits[*g as usize] == 0)
        .collect();
    let mut order = Vec::with_capacity(before.len());
    while let Some(group) = if depth {
        ready.pop_back()
    } else {
        ready.pop_front()
    } {
        order.push(group);
        for next in &after[group as usize] {
            waits[*next as usize] -= 1;
            if waits[*next as usize] == 0 {
                ready.push_back(*next);
            }
        }
    }
    order
}

/// Whether each group has to come after the one before it in the order.
pub(super) fn is_row(groups: &Contracted, order: &[u32]) -> bool {
    order
        .windows(2)
        .all(|pair| groups.before[pair[1] as usize].contains(&pair[0]))
}
