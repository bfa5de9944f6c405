//! Gopher's repetition rules.

use super::{Page, Reason, Verdict, repeated, share};
use crate::text::words::is_space;

/// Drops pages that repeat themselves: lines, paragraphs, runs of words.
///
/// **Complexity**: O(words × (3 + 6)) look-ups for the nine lengths of runs.
///
/// **Reference**: J. Rae et al., Scaling language models, 2021, table A1, arXiv:2112.11446.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct GopherRepetition {
    /// Greatest share of lines that repeat an earlier one.
    pub max_duplicate_lines: f64,
    /// Greatest share of paragraphs that repeat an earlier one.
    pub max_duplicate_paragraphs: f64,
    /// Greatest share of characters in repeated lines.
    pub max_duplicate_line_characters: f64,
    /// Greatest share of characters in repeated paragraphs.
    pub max_duplicate_paragraph_characters: f64,
    /// For lengths of runs the greatest share of characters in the commonest.
    pub top_n_grams: Vec<(usize, f64)>,
    /// For lengths of runs the greatest share of characters in repeated ones.
    pub duplicate_n_grams: Vec<(usize, f64)>,
}

impl Default for GopherRepetition {
    fn default() -> Self {
        Self {
            max_duplicate_lines: 0.3,
            max_duplicate_paragraphs: 0.3,
            max_duplicate_line_characters: 0.2,
            max_duplicate_paragraph_characters: 0.2,
            top_n_grams: vec![(2, 0.2), (3, 0.18), (4, 0.16)],
            duplicate_n_grams: vec![(5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10)],
        }
    }
}

impl GopherRepetition {
    /// Applies the rules in their order.
    #[must_use]
    pub fn verdict(&self, page: &Page<'_>) -> Verdict {
        let text = page.text();
        if text.is_empty() {
            return Verdict::Drop(Reason::Empty);
        }
        let length = text.chars().count();
        let paragraphs = || runs_of_breaks(text.trim_matches(is_space), 2);
        let (count, characters) = repeated(paragraphs());
        if share(count, paragraphs().count()) > self.max_duplicate_paragraphs {
            return Verdict::Drop(Reason::DuplicateParagraphs);
        }
        if share(characters, length) > self.max_duplicate_paragraph_characters {
            return Verdict::Drop(Reason::DuplicateParagraphCharacters);
        }
        let (count, characters) = repeated(runs_of_breaks(text, 1));
        if share(count, runs_of_breaks(text, 1).count()) > self.max_duplicate_lines {
            return Verdict::Drop(Reason::DuplicateLines);
        }
        if share(characters, length) > self.max_duplicate_line_characters {
            return Verdict::Drop(Reason::DuplicateLineCharacters);
        }
        let words: Vec<&str> = page.tokens().words().collect();
        let spaced = Joined::new(&words, " ");
        for &(n, most) in &self.top_n_grams {
            if spaced
                .top(n)
                .is_some_and(|characters| share(characters, length) > most)
            {
                return Verdict::Drop(Reason::TopNGram(n));
            }
        }
        let joined = Joined::new(&words, "");
        for &(n, most) in &self.duplicate_n_grams {
            if share(joined.repeated(n), length) > most {
                return Verdict::Drop(Reason::DuplicateNGrams(n));
            }
        }
        Verdict::Keep
    }
}

/// The pieces between runs of at least `least` line feeds; a run at an end leaves an empty piece there.
fn runs_of_breaks(text: &str, least: usize) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut from = 0;
        while let Some(at) = text[from..].find('\n').map(|at| from + at) {
            let feeds = text[at..].bytes().take_while(|&byte| byte == b'\n').count();
            if feeds >= least {
                rest = Some(&text[at + feeds..]);
                return Some(&text[..at]);
            }
            from = at + feeds;
        }
        rest = None;
        Some(text)
    })
}

/// Words joined by a glue, so that a run of words is a slice, with what it takes to hash any run in constant time.
struct Joined {
    text: String,
    begins: Vec<usize>,
    ends: Vec<usize>,
    /// The polynomial hash of the text up to each byte, and the power of the base to that length.
    prefixes: Vec<(u64, u64)>,
    /// Whether bytes and characters are the same.
    ascii: bool,
}

/// An odd base; hashes are sums modulo 2⁶⁴, and equal ones are compared as text.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

impl Joined {
    fn new(words: &[&str], glue: &str) -> Self {
        let bytes = words.iter().map(|word| word.len() + glue.len()).sum();
        let mut text = String::with_capacity(bytes);
        let mut begins = Vec::with_capacity(words.len());
        let mut ends = Vec::with_capacity(words.len());
        for word in words {
            begins.push(text.len());
            text.push_str(word);
            ends.push(text.len());
            text.push_str(glue);
        }
        let mut prefixes = Vec::with_capacity(text.len() + 1);
        let (mut hash, mut power) = (0u64, 1u64);
        prefixes.push((hash, power));
        for &byte in text.as_bytes() {
            hash = hash.wrapping_mul(BASE).wrapping_add(u64::from(byte) + 1);
            power = power.wrapping_mul(BASE);
            prefixes.push((hash, power));
        }
        let ascii = text.is_ascii();
        Self {
            text,
            begins,
            ends,
            prefixes,
            ascii,
        }
    }

    fn run(&self, first: usize, n: usize) -> &str {
        &self.text[self.begins[first]..self.ends[first + n - 1]]
    }

    fn hash(&self, first: usize, n: usize) -> u64 {
        let (begin, end) = (self.begins[first], self.ends[first + n - 1]);
        let (_, power) = self.prefixes[end - begin];
        let (before, _) = self.prefixes[begin];
        let hash = self.prefixes[end].0.wrapping_sub(before.wrapping_mul(power));
        (hash ^ (hash >> 32)).wrapping_mul(BASE)
    }

    fn characters(&self, first: usize, n: usize) -> usize {
        let run = self.run(first, n);
        if self.ascii {
            run.len()
        } else {
            run.chars().count()
        }
    }

    /// Characters in all occurrences of the commonest run of n words, the first of those that are as common.
    fn top(&self, n: usize) -> Option<usize> {
        let runs = (self.ends.len() + 1)
            .checked_sub(n)
            .filter(|&runs| runs > 0 && n > 0)?;
        let mut seen = Seen::new(runs);
        let mut counts = vec![0usize; runs];
        let mut best = (0, 0);
        for first in 0..runs {
            let known = seen.find_or_insert(self, first, n).unwrap_or(first);
            counts[known] += 1;
            if counts[known] > best.0 || (counts[known] == best.0 && known < best.1) {
                best = (counts[known], known);
            }
        }
        let (count, first) = best;
        Some(self.characters(first, n) * count)
    }

    /// Characters in runs of n words that were there before, counted from left to right without overlap.
    fn repeated(&self, n: usize) -> usize {
        let mut seen = Seen::new(self.ends.len());
        let (mut first, mut characters) = (0, 0);
        while n > 0 && first + n <= self.ends.len() {
            if seen.find_or_insert(self, first, n).is_some() {
                characters += self.characters(first, n);
                first += n;
            } else {
                first += 1;
            }
        }
        characters
    }
}

/// Runs of one length by their text: for each the lower half of its hash, and the word that it begins with, plus one; zero
/// where a slot is free.
struct Seen {
    slots: Vec<(u32, u32)>,
    shift: u32,
}

impl Seen {
    fn new(runs: usize) -> Self {
        let bits = (2 * runs).max(2).next_power_of_two().trailing_zeros();
        Self {
            slots: vec![(0, 0); 1 << bits],
            shift: 64 - bits,
        }
    }

    /// The earlier run of the same text, or none, and then this one is kept.
    fn find_or_insert(&mut self, words: &Joined, first: usize, n: usize) -> Option<usize> {
        let hash = words.hash(first, n);
        let mut at = (hash >> self.shift) as usize;
        let tag = hash as u32;
        loop {
            match self.slots[at] {
                (_, 0) => {
                    self.slots[at] = (tag, first as u32 + 1);
                    return None;
                }
                (other, known) => {
                    let known = known as usize - 1;
                    if other == tag && words.run(known, n) == words.run(first, n) {
                        return Some(known);
                    }
                }
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }
}
