//! The text generator: words that follow words in this project's own pages. Small, seeded, and fast enough that what is
//! measured is the service.

use std::collections::HashMap;

use modelops_cleaning::text::near::{Linkage, NearDuplicates, Shingle};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::Failure;

/// What it learned from.
const PAGES: [&str; 7] = [
    include_str!("../../../README.md"),
    include_str!("../../../crates/modelops-allocation/README.md"),
    include_str!("../../../crates/modelops-monitoring/README.md"),
    include_str!("../../../crates/modelops-security/README.md"),
    include_str!("../../../crates/modelops-optimization/README.md"),
    include_str!("../../../crates/modelops-pruning/README.md"),
    include_str!("../../../crates/modelops-cleaning/README.md"),
];

/// Words and marks of a paragraph that is learned from.
const SHORTEST: usize = 6;
/// Marks both ends of a paragraph.
const END: u32 = 0;

/// A word may follow two others; how often each did was counted.
#[derive(Debug)]
pub(crate) struct Generator {
    words: Vec<String>,
    numbers: HashMap<String, u32>,
    after: HashMap<(u32, u32), Vec<(u32, u32)>>,
    /// Paragraphs learned from, and those left out as near-duplicates.
    pub(crate) learned: (usize, usize),
}

/// A text under way.
#[derive(Debug)]
pub(crate) struct Draft {
    rng: Xoshiro256PlusPlus,
    last: (u32, u32),
    temperature: f64,
    begun: bool,
}

impl Generator {
    /// Learns from this project's pages, each paragraph once.
    pub(crate) fn learn() -> Result<Self, Failure> {
        let paragraphs: Vec<&str> = PAGES.iter().flat_map(|page| prose(page)).collect();
        let search = NearDuplicates::new(0.6, 0.99)?.with_shingle(Shingle::Words(3))?;
        let clusters = search.find(&paragraphs)?.clusters(Linkage::Leader);
        let kept: Vec<&str> = clusters.kept().map(|i| paragraphs[i]).collect();

        let mut generator = Self {
            words: vec![String::new()],
            numbers: HashMap::new(),
            after: HashMap::new(),
            learned: (kept.len(), paragraphs.len() - kept.len()),
        };
        for paragraph in kept {
            let mut last = (END, END);
            for word in tokens(paragraph) {
                let next = generator.number(word);
                generator.count(last, next);
                last = (last.1, next);
            }
            generator.count(last, END);
        }
        Ok(generator)
    }

    fn number(&mut self, word: &str) -> u32 {
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        let number = self.words.len() as u32;
        self.words.push(word.to_owned());
        self.numbers.insert(word.to_owned(), number);
        number
    }

    fn count(&mut self, last: (u32, u32), next: u32) {
        // After one word alone as well, for beginnings that were never seen.
        for context in [last, (u32::MAX, last.1)] {
            let counts = self.after.entry(context).or_default();
            match counts.iter_mut().find(|(word, _)| *word == next) {
                Some((_, count)) => *count += 1,
                None => counts.push((next, 1)),
            }
        }
    }

    /// Begins a text that goes on from `prompt`: the same prompt, seed and temperature give the same text.
    pub(crate) fn begin(&self, prompt: &str, seed: u64, temperature: f64) -> Draft {
        let known = tokens(prompt).filter_map(|word| self.numbers.get(word)).copied();
        let last = known
            .last()
            .filter(|word| self.after.contains_key(&(u32::MAX, *word)));
        Draft {
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            last: last.map_or((END, END), |last| (u32::MAX, last)),
            temperature,
            begun: false,
        }
    }

    /// The next token with the space before it; `None` where the text ends.
    pub(crate) fn next(&self, draft: &mut Draft) -> Option<String> {
        let exact = self.after.get(&draft.last);
        let counts = exact.or_else(|| self.after.get(&(u32::MAX, draft.last.1)))?;
        let mut word = choose(counts, draft);
        if !draft.begun && self.words[word as usize].chars().all(is_mark) {
            // An answer begins with a word. (The end of a paragraph is an empty one.)
            word = choose(self.after.get(&(END, END))?, draft);
            draft.last = (END, END);
        }
        if word == END {
            return None;
        }
        draft.last = (draft.last.1, word);
        let text = &self.words[word as usize];
        let mark = text.chars().all(is_mark);
        let space = if draft.begun && !mark { " " } else { "" };
        draft.begun = true;
        Some(format!("{space}{text}"))
    }
}

fn is_mark(c: char) -> bool {
    ",.:;!?)%".contains(c)
}

/// Draws by count^(1/temperature); at temperature 0 the most frequent, the first of equals.
fn choose(counts: &[(u32, u32)], draft: &mut Draft) -> u32 {
    if draft.temperature == 0.0 {
        let most = counts.iter().map(|(_, count)| *count).max();
        return counts
            .iter()
            .find(|(_, count)| Some(*count) == most)
            .map_or(END, |(word, _)| *word);
    }
    let weight = |count: u32| f64::from(count).powf(1.0 / draft.temperature);
    let all: f64 = counts.iter().map(|(_, count)| weight(*count)).sum();
    let mut left = draft.rng.random::<f64>() * all;
    for (word, count) in counts {
        left -= weight(*count);
        if left <= 0.0 {
            return *word;
        }
    }
    counts.last().map_or(END, |(word, _)| *word)
}

/// Words and marks: what is billed as tokens.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().flat_map(|word| {
        let body = word.trim_end_matches([',', '.', ':', ';', '!', '?']);
        let mut marks = &word[body.len()..];
        let mut first = Some(body).filter(|body| !body.is_empty());
        std::iter::from_fn(move || {
            first.take().or_else(|| {
                let (mark, rest) = marks.split_at_checked(1)?;
                marks = rest;
                Some(mark)
            })
        })
    })
}

/// The paragraphs and list items of a page, without code, tables and headings.
fn prose(page: &str) -> Vec<&str> {
    let plain = page.split("```").step_by(2);
    let paragraphs = plain.flat_map(|part| part.split("\n\n")).map(str::trim);
    let prose = paragraphs.filter(|text| !text.is_empty() && !text.starts_with(['|', '#', '!', '[', '`']));
    prose
        .flat_map(|text| text.split("\n- "))
        .map(|text| text.trim_start_matches("- "))
        .filter(|text| tokens(text).count() >= SHORTEST)
        .collect()
}
