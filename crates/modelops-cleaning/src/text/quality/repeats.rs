//! Which things of a page were there before, by their hashes.

use std::collections::BTreeMap;

/// When two things of a page, known by their numbers, are the same.
pub(super) trait Same {
    /// What stands for a thing where hashes fail.
    type Key<'k>: Ord
    where
        Self: 'k;

    fn same(&self, a: usize, b: usize) -> bool;

    fn key(&self, at: usize) -> Self::Key<'_>;
}

/// A table of things by their hashes, used again for one set of things after another without being cleared.
pub(super) struct Repeats {
    /// The lower half of a mixed hash, and the number of the thing plus `base`; free where that is below `base`.
    slots: Vec<(u32, u32)>,
    shift: u32,
    base: u32,
    /// How many there may be in a set; 0 where they are not hashed.
    most: u32,
}

/// Slots that are looked at for one thing. At half load a longer row of them comes of no chance, only of a text that was made for
/// its hashes; the things are then ordered instead, so that no text takes quadratic time.
const LONGEST_ROW: usize = 256;

impl Repeats {
    /// Room for so many things.
    pub(super) fn new(most: usize) -> Self {
        let bits = (2 * most).max(2).next_power_of_two().trailing_zeros();
        // Twice as many have to fit a number of 32 bits; more are never hashed.
        let hashed = u32::try_from(most).ok().filter(|most| *most < u32::MAX / 2);
        Self {
            slots: vec![(0, 0); if hashed.is_some() { 1 << bits } else { 0 }],
            shift: 64 - bits,
            base: 1,
            most: hashed.unwrap_or(0),
        }
    }

    /// Begins a new set of things.
    pub(super) fn of<'s, S: Same>(&'s mut self, things: &'s S) -> Seen<'s, S> {
        // As many things as there is room for were numbered from the base on.
        match self.base.checked_add(2 * self.most) {
            Some(_) => self.base += self.most,
            None => {
                self.slots.fill((0, 0));
                self.base = 1;
            }
        }
        Seen {
            ordered: self.slots.is_empty().then(BTreeMap::new),
            repeats: self,
            things,
        }
    }
}

/// The things of one set that have been seen.
pub(super) struct Seen<'s, S: Same> {
    repeats: &'s mut Repeats,
    things: &'s S,
    /// In the place of the slots once they have failed.
    ordered: Option<BTreeMap<S::Key<'s>, usize>>,
}

impl<'s, S: Same> Seen<'s, S> {
    /// The earlier thing that is the same as thing `at`, or none, and then this one is kept.
    pub(super) fn find_or_insert(&mut self, at: usize, hash: u64) -> Option<usize> {
        if self.ordered.is_none() {
            if let Some(answer) = self.find_hashed(at, hash) {
                return answer;
            }
            self.ordered = Some(self.hashed().map(|at| (self.things.key(at), at)).collect());
        }
        let ordered = self.ordered.as_mut()?;
        let known = *ordered.entry(self.things.key(at)).or_insert(at);
        (known != at).then_some(known)
    }

    /// As above; `None` where the row of slots is too long.
    fn find_hashed(&mut self, at: usize, hash: u64) -> Option<Option<usize>> {
        let Repeats {
            slots, shift, base, ..
        } = &mut *self.repeats;
        // The highest bits depend on every byte only after a second multiplication.
        let hash = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let tag = hash as u32;
        let mut slot = (hash >> *shift) as usize;
        for _ in 0..LONGEST_ROW {
            let (other, known) = slots[slot];
            if known < *base {
                slots[slot] = (tag, *base + at as u32);
                return Some(None);
            }
            let known = (known - *base) as usize;
            if other == tag && self.things.same(known, at) {
                return Some(Some(known));
            }
            slot = (slot + 1) & (slots.len() - 1);
        }
        None
    }

    fn hashed(&self) -> impl Iterator<Item = usize> + use<'_, 's, S> {
        let base = self.repeats.base;
        let numbers = self.repeats.slots.iter().map(|&(_, number)| number);
        numbers
            .filter_map(move |number| number.checked_sub(base))
            .map(|at| at as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Numbers(Vec<u32>);

    impl Same for Numbers {
        type Key<'k> = u32;

        fn same(&self, a: usize, b: usize) -> bool {
            self.0[a] == self.0[b]
        }

        fn key(&self, at: usize) -> u32 {
            self.0[at]
        }
    }

    /// One hash for all things is the worst that a text can do.
    #[test]
    fn things_of_one_hash_are_told_apart_in_time() {
        let numbers = Numbers((0..200_000).map(|i| i * 7 % 150_000).collect());
        let mut repeats = Repeats::new(numbers.0.len());
        for hash in [
            |_: u32| 5,
            |number: u32| u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        ] {
            let mut first = std::collections::HashMap::new();
            let mut seen = repeats.of(&numbers);
            for (at, &number) in numbers.0.iter().enumerate() {
                let expected = first.get(&number).copied();
                assert_eq!(seen.find_or_insert(at, hash(number)), expected);
                first.entry(number).or_insert(at);
            }
        }
    }

    #[test]
    fn a_table_is_used_again_until_its_numbers_run_out() {
        let numbers = Numbers(vec![1, 2, 1]);
        let mut repeats = Repeats::new(3);
        for round in 0..4 {
            repeats.base = if round == 2 { u32::MAX - 5 } else { repeats.base };
            let mut seen = repeats.of(&numbers);
            let found: Vec<_> = (0..3)
                .map(|at| seen.find_or_insert(at, u64::from(numbers.0[at])))
                .collect();
            assert_eq!(found, [None, None, Some(0)], "{round}");
        }
    }
}
