//! Runs of words, and how often each is there.

use super::repeats::{Repeats, Same};

/// The words of a page in one string without gaps, so that a run of words is a slice, with what it takes to hash any run in
/// constant time.
pub(super) struct Runs {
    words: Words,
    repeats: Repeats,
    /// How often the run that begins with each word was met, where it is the first of its kind.
    counts: Vec<usize>,
    /// For each word the first with which the same run begins.
    firsts: Vec<usize>,
    /// The words with which runs may begin that are there twice, and the length of run for which this was found: longer runs
    /// begin with no others.
    may_repeat: (Vec<usize>, usize),
    /// For each word whether the [`LETTERS`] bytes from there on are those from another word on.
    shared: Option<Vec<bool>>,
}

/// Runs of at least so many bytes are equal only where these are.
const LETTERS: usize = 16;

struct Words {
    text: String,
    /// Where each word begins; then the end of the last.
    begins: Vec<usize>,
    /// With c the bytes of `text`, Σ (cⱼ + 1) baseʲ over all bytes before each word, and the inverse of base to that number of bytes.
    sums: Vec<(u64, u64)>,
    /// Whether bytes and characters are the same.
    ascii: bool,
}

/// An odd base: it has an inverse modulo 2⁶⁴.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// The powers of the base and of its inverse up to the 63rd.
const POWERS: [[u64; 64]; 2] = {
    // Newton's rule doubles the bits that are right, three to begin with.
    let (mut inverse, mut round) = (BASE, 0);
    while round < 5 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(BASE.wrapping_mul(inverse)));
        round += 1;
    }
    let mut powers = [[1u64; 64]; 2];
    let mut at = 1;
    while at < 64 {
        powers[0][at] = powers[0][at - 1].wrapping_mul(BASE);
        powers[1][at] = powers[1][at - 1].wrapping_mul(inverse);
        at += 1;
    }
    powers
};

impl Words {
    fn new<'a>(words: impl Iterator<Item = &'a str>, bytes: usize) -> Self {
        let mut text = String::with_capacity(bytes);
        let mut begins = Vec::with_capacity(bytes / 4 + 1);
        let mut sums = Vec::with_capacity(bytes / 4 + 1);
        let (mut sum, mut power, mut inverse) = (0u64, 1u64, 1u64);
        for word in words {
            begins.push(text.len());
            sums.push((sum, inverse));
            text.push_str(word);
            for piece in word.as_bytes().chunks(63) {
                let mut hash = 0u64;
                for (byte, power) in piece.iter().zip(&POWERS[0]) {
                    hash = hash.wrapping_add((u64::from(*byte) + 1).wrapping_mul(*power));
                }
                sum = sum.wrapping_add(hash.wrapping_mul(power));
                power = power.wrapping_mul(POWERS[0][piece.len()]);
                inverse = inverse.wrapping_mul(POWERS[1][piece.len()]);
            }
        }
        begins.push(text.len());
        sums.push((sum, inverse));
        let ascii = text.is_ascii();
        Self {
            text,
            begins,
            sums,
            ascii,
        }
    }

    fn count(&self) -> usize {
        self.begins.len() - 1
    }

    fn run(&self, first: usize, n: usize) -> &str {
        &self.text[self.begins[first]..self.begins[first + n]]
    }

    fn hash(&self, first: usize, n: usize) -> u64 {
        let (before, inverse) = self.sums[first];
        self.sums[first + n].0.wrapping_sub(before).wrapping_mul(inverse)
    }

    fn characters(&self, first: usize, n: usize) -> usize {
        let run = self.run(first, n);
        if self.ascii {
            run.len()
        } else {
            run.chars().count()
        }
    }
}

/// Runs of n words, equal where the words are.
struct ByWords<'w>(&'w Words, usize);

impl Same for ByWords<'_> {
    type Key<'k>
        = Vec<&'k str>
    where
        Self: 'k;

    fn same(&self, a: usize, b: usize) -> bool {
        let lengths = |first: usize| {
            self.0.begins[first..=first + self.1]
                .windows(2)
                .map(|at| at[1] - at[0])
        };
        self.0.run(a, self.1) == self.0.run(b, self.1) && lengths(a).eq(lengths(b))
    }

    fn key(&self, at: usize) -> Vec<&str> {
        (at..at + self.1).map(|word| self.0.run(word, 1)).collect()
    }
}

/// Runs of n words, equal where their letters are, wherever the words part.
struct ByLetters<'w>(&'w Words, usize);

impl Same for ByLetters<'_> {
    type Key<'k>
        = &'k str
    where
        Self: 'k;

    fn same(&self, a: usize, b: usize) -> bool {
        self.0.run(a, self.1) == self.0.run(b, self.1)
    }

    fn key(&self, at: usize) -> &str {
        self.0.run(at, self.1)
    }
}

/// The [`LETTERS`] bytes from a word on, equal where they are.
struct ByStart<'w>(&'w Words);

impl ByStart<'_> {
    fn start(&self, word: usize) -> Option<u128> {
        let from = self.0.text.as_bytes().get(self.0.begins[word]..)?;
        Some(u128::from_le_bytes(*from.first_chunk::<LETTERS>()?))
    }
}

impl Same for ByStart<'_> {
    type Key<'k>
        = Option<u128>
    where
        Self: 'k;

    fn same(&self, a: usize, b: usize) -> bool {
        self.start(a) == self.start(b)
    }

    fn key(&self, at: usize) -> Option<u128> {
        self.start(at)
    }
}

impl Runs {
    /// The words of a text of so many bytes.
    pub(super) fn new<'a>(words: impl Iterator<Item = &'a str>, bytes: usize) -> Self {
        let words = Words::new(words, bytes);
        let repeats = Repeats::new(words.count());
        Self {
            words,
            repeats,
            counts: Vec::new(),
            firsts: Vec::new(),
            may_repeat: (Vec::new(), usize::MAX),
            shared: None,
        }
    }

    /// Characters in all occurrences of the commonest run of n words with a blank between them, the first of those that are as
    /// common.
    pub(super) fn top(&mut self, n: usize) -> Option<usize> {
        let runs = (self.words.count() + 1)
            .checked_sub(n)
            .filter(|&runs| runs > 0 && n > 0)?;
        if self.may_repeat.1 > n {
            self.may_repeat.0 = (0..runs).collect();
        }
        self.counts.clear();
        self.counts.resize(self.words.count(), 0);
        self.firsts.resize(self.words.count(), 0);
        let words = ByWords(&self.words, n);
        let mut seen = self.repeats.of(&words);
        // Without a run that is there twice it is the first.
        let mut best = (1, 0);
        let starts = &mut self.may_repeat.0;
        starts.retain(|&first| first < runs);
        for &first in starts.iter() {
            let known = seen
                .find_or_insert(first, self.words.hash(first, n))
                .unwrap_or(first);
            self.counts[known] += 1;
            let count = self.counts[known];
            if count > best.0 || (count == best.0 && known < best.1) {
                best = (count, known);
            }
            self.firsts[first] = known;
        }
        starts.retain(|&first| self.counts[self.firsts[first]] > 1);
        self.may_repeat.1 = n;
        let (count, first) = best;
        Some((self.words.characters(first, n) + n - 1) * count)
    }

    /// Characters in runs of n words that were there before, counted from left to right without overlap.
    pub(super) fn repeated(&mut self, n: usize) -> usize {
        let (words, repeats) = (&self.words, &mut self.repeats);
        let shared = self.shared.get_or_insert_with(|| shared_starts(words, repeats));
        let letters = ByLetters(words, n);
        let mut seen = repeats.of(&letters);
        let (mut first, mut characters) = (0, 0);
        while n > 0 && first + n <= words.count() {
            let may_repeat = shared[first] || words.run(first, n).len() < LETTERS;
            if may_repeat && seen.find_or_insert(first, words.hash(first, n)).is_some() {
                characters += words.characters(first, n);
                first += n;
            } else {
                first += 1;
            }
        }
        characters
    }
}

fn shared_starts(words: &Words, repeats: &mut Repeats) -> Vec<bool> {
    let mut shared = vec![false; words.count()];
    let starts = ByStart(words);
    let mut seen = repeats.of(&starts);
    for at in 0..words.count() {
        let Some(start) = starts.start(at) else {
            break;
        };
        let hash = (start as u64 ^ (start >> 64) as u64).wrapping_mul(BASE);
        if let Some(known) = seen.find_or_insert(at, hash) {
            shared[known] = true;
            shared[at] = true;
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    /// The definition: all runs as strings.
    fn slow(words: &[&str], n: usize) -> (Option<usize>, usize) {
        let mut counts: HashMap<String, (usize, usize)> = HashMap::new();
        for (at, run) in words.windows(n).enumerate() {
            counts.entry(run.join(" ")).or_insert((0, at)).0 += 1;
        }
        let top = counts
            .iter()
            .max_by_key(|(_, (count, at))| (*count, usize::MAX - at))
            .map(|(run, (count, _))| run.chars().count() * count);
        let (mut seen, mut at, mut characters) = (HashSet::new(), 0, 0);
        while at + n <= words.len() {
            let run = words[at..at + n].concat();
            let length = run.chars().count();
            if seen.insert(run) {
                at += 1;
            } else {
                characters += length;
                at += n;
            }
        }
        (top, characters)
    }

    #[test]
    fn counts_are_those_of_all_runs_as_strings() {
        let vocabulary = ["a", "ab", "b", "ba", "é", "aba", "longer"];
        for seed in 0..200u64 {
            let mut state = seed;
            let words: Vec<&str> = (0..seed as usize % 90)
                .map(|_| {
                    state = state.wrapping_mul(BASE).wrapping_add(1);
                    vocabulary[(state >> 40) as usize % (2 + seed as usize % 6)]
                })
                .collect();
            let mut runs = Runs::new(words.iter().copied(), 10);
            for n in [3, 1, 2, 10, 5, 3] {
                let expected = slow(&words, n);
                assert_eq!((runs.top(n), runs.repeated(n)), expected, "{words:?} {n}");
            }
            assert_eq!((runs.top(0), runs.repeated(0)), (None, 0));
        }
    }
}
