//! Slow oracles and planted documents for the text half of cleaning.

use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::collections::BTreeSet;

/// The confidence at which a measured recall must show the promised one.
pub const RECALL_CONFIDENCE: f64 = 0.95;

/// The one-sided Clopper-Pearson lower bound of a proportion: the p at which `successes` or more of `trials` have
/// probability 1 − `confidence`; by bisection on the binomial tail.
#[must_use]
pub fn proportion_lower_bound(successes: u64, trials: u64, confidence: f64) -> f64 {
    if successes == 0 {
        return 0.0;
    }
    let tail = |p: f64| -> f64 {
        let mut log_choose = 0.0;
        let mut total = 0.0;
        for misses in 0..=trials - successes {
            let hits = (trials - misses) as f64;
            if misses > 0 {
                log_choose += ((hits + 1.0) / misses as f64).ln();
            }
            total += (log_choose + hits * p.ln() + misses as f64 * (-p).ln_1p()).exp();
        }
        total
    };
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if tail(middle) < 1.0 - confidence {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The distinct shingles of a text as strings: lower case, only letters and digits in words, runs of `size` words, or of
/// characters with one space between words. For text that is composed (NFC) already.
#[must_use]
pub fn shingles(text: &str, size: usize, words: bool) -> BTreeSet<String> {
    let lower: String = text
        .chars()
        .flat_map(char::to_lowercase)
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    let tokens: Vec<&str> = lower.split_whitespace().collect();
    let units: Vec<String> = if words {
        tokens.iter().map(|&word| word.to_owned()).collect()
    } else {
        tokens.join(" ").chars().map(String::from).collect()
    };
    if units.is_empty() {
        return BTreeSet::new();
    }
    let glue = if words { " " } else { "" };
    units
        .windows(size.min(units.len()))
        .map(|w| w.join(glue))
        .collect()
}

/// |A ∩ B| / |A ∪ B|, and 0 for two empty sets.
#[must_use]
pub fn jaccard<T: Ord>(a: &BTreeSet<T>, b: &BTreeSet<T>) -> f64 {
    let shared = a.intersection(b).count();
    let union = a.len() + b.len() - shared;
    if union == 0 {
        0.0
    } else {
        shared as f64 / union as f64
    }
}

/// Connected components by repeated relabelling: for each document the least one that it reaches.
#[must_use]
pub fn components(documents: usize, pairs: &[(usize, usize)]) -> Vec<usize> {
    let mut label: Vec<usize> = (0..documents).collect();
    loop {
        let before = label.clone();
        for &(a, b) in pairs {
            let least = label[a].min(label[b]);
            label[a] = least;
            label[b] = least;
        }
        if label == before {
            return label;
        }
    }
}

/// A made-up word of two to four syllables.
pub fn word<R: Rng>(rng: &mut R) -> String {
    const SYLLABLES: [&str; 24] = [
        "ba", "ce", "di", "fo", "gu", "ha", "ji", "ko", "lu", "me", "na", "pi", "qua", "re", "so", "tu",
        "va", "wi", "xe", "yo", "zu", "sta", "tre", "plo",
    ];
    (0..rng.random_range(2..5))
        .map(|_| SYLLABLES[rng.random_range(0..SYLLABLES.len())])
        .collect()
}

/// Families of documents: an original of 60 to 200 words and `copies` of it, each with up to `most_edits` words replaced,
/// so that similarities spread below and above any usual threshold.
#[must_use]
pub fn planted(families: usize, copies: usize, most_edits: usize, seed: u64) -> Vec<String> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut documents = Vec::new();
    for _ in 0..families {
        let length = rng.random_range(60..200);
        let original: Vec<String> = (0..length).map(|_| word(&mut rng)).collect();
        documents.push(original.join(" "));
        for _ in 0..copies {
            let mut copy = original.clone();
            for _ in 0..rng.random_range(0..=most_edits) {
                let at = rng.random_range(0..copy.len());
                copy[at] = word(&mut rng);
            }
            documents.push(copy.join(" "));
        }
    }
    documents
}

/// English-like pages of every quality: prose, menus, code, lists, repetition, filler, with contractions, abbreviations,
/// addresses, units, quotes and symbols between the words. The same pages on every run.
#[must_use]
pub fn pages(count: usize, seed: u64) -> Vec<String> {
    const COMMON: &str =
        "the be to of and that have with a in is it for on as was at by this are from or an they which";
    const ODD: &str = "don't I'm it's can't we'll they've U.S. e.g. Dr. Ph.D. 5km 10% $20 US$5 3.14 1,000 2nd 7pm :) <3 \
        http://example.com/a?b=c www.test.org/x me@mail.com 8.8.8.8 C++ state-of-the-art and/or foo.Bar x=y #tag … ... \
        “quoted” ‘single’ naïve Zürich (see) [12] [edit] — – 1-2 “well,” ‘tis rock’n’roll — £30 50°C. 中文 Привет 🙂 a.m.";
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let common: Vec<&str> = COMMON.split_whitespace().collect();
    let odd: Vec<&str> = ODD.split_whitespace().collect();
    let vocabulary: Vec<String> = (0..2000).map(|_| word(&mut rng)).collect();
    let sentence = |odds: f64, rng: &mut Xoshiro256PlusPlus| {
        let length = rng.random_range(4..22);
        let mut words: Vec<String> = (0..length)
            .map(|_| match rng.random::<f64>() {
                x if x < odds => odd[rng.random_range(0..odd.len())].to_owned(),
                x if x < 0.45 => common[rng.random_range(0..common.len())].to_owned(),
                _ => vocabulary[rng.random_range(0..vocabulary.len())].clone(),
            })
            .collect();
        if words[0].is_char_boundary(1) {
            words[0][..1].make_ascii_uppercase();
        }
        let end = [".", ".", ".", ".", "!", "?", ".\"", ",", ""][rng.random_range(0..9)];
        words.join(" ") + end
    };
    (0..count)
        .map(|_| {
            let kind = rng.random_range(0..10);
            let odds = [0.02, 0.05, 0.2][rng.random_range(0..3)];
            let lines = rng.random_range(1..30);
            let mut page: Vec<String> = Vec::new();
            for _ in 0..lines {
                let per_line = if kind == 1 { 1 } else { rng.random_range(1..5) };
                let mut line: Vec<String> = (0..per_line).map(|_| sentence(odds, &mut rng)).collect();
                match kind {
                    2 => line.insert(0, "- ".to_owned()),
                    3 => line.push("...".to_owned()),
                    4 if rng.random::<f64>() < 0.4 && !page.is_empty() => line = vec![page[0].clone()],
                    5 => line = line[0].split(' ').take(3).map(String::from).collect(),
                    6 if rng.random::<f64>() < 0.1 => {
                        line.push("function() { return 1; }.".to_owned());
                    }
                    7 if rng.random::<f64>() < 0.1 => {
                        line.push("We use cookies, enable Javascript. Lorem ipsum dolor.".to_owned());
                    }
                    8 => line = vec!["# ".repeat(rng.random_range(1..4)) + &line[0]],
                    _ => {}
                }
                page.push(line.join(" "));
            }
            page.join(["\n", "\n\n", "\n", "\r\n"][rng.random_range(0..4)])
        })
        .collect()
}

/// Articles of `words` words; every fifth repeats an earlier one but for up to a hundredth of its words.
#[must_use]
pub fn articles(count: usize, words: usize, seed: u64) -> Vec<String> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut articles: Vec<Vec<String>> = Vec::new();
    for number in 0..count {
        let article = if number % 5 == 4 {
            let mut copy = articles[rng.random_range(0..articles.len())].clone();
            for _ in 0..rng.random_range(0..=words / 100) {
                let at = rng.random_range(0..words);
                copy[at] = word(&mut rng);
            }
            copy
        } else {
            (0..words).map(|_| word(&mut rng)).collect()
        };
        articles.push(article);
    }
    articles.iter().map(|words| words.join(" ")).collect()
}
