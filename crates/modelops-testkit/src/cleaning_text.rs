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
