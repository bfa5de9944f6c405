//! Gopher's quality rules.

use super::{Page, Reason, Verdict, first_broken, is_terminal, lines, share};
use crate::text::words::is_space;
use regex::Regex;
use std::sync::LazyLock;

/// Drops pages that do not read like prose, by counts of words, symbols, bullets and the commonest English words.
///
/// The thresholds are public so that they can be changed; [`Default`] has the published ones. A page without a word is a
/// short document whatever the least is.
///
/// **Complexity**: O(bytes), dominated by cutting the words.
///
/// **Reference**: J. Rae et al., Scaling language models, 2021, table A1 and section A.1.1, arXiv:2112.11446.
#[doc(alias = "quality_filter")]
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct GopherQuality {
    /// Fewest words that are not symbols alone.
    pub min_words: usize,
    /// Most of them.
    pub max_words: usize,
    /// Least mean length of a word, in characters.
    pub min_mean_word_length: f64,
    /// Greatest mean length of a word.
    pub max_mean_word_length: f64,
    /// Most hash signs, and most ellipses, a word.
    pub max_symbol_ratio: f64,
    /// Greatest share of lines that begin with a bullet.
    pub max_bullet_lines: f64,
    /// Greatest share of lines that end with an ellipsis.
    pub max_ellipsis_lines: f64,
    /// Least share of words with a letter.
    pub min_alphabetic_words: f64,
    /// Fewest different words of `stop_words`.
    pub min_stop_words: usize,
    /// The commonest words.
    pub stop_words: Vec<String>,
}

impl Default for GopherQuality {
    fn default() -> Self {
        let stop_words = ["the", "be", "to", "of", "and", "that", "have", "with"];
        Self {
            min_words: 50,
            max_words: 100_000,
            min_mean_word_length: 3.0,
            max_mean_word_length: 10.0,
            max_symbol_ratio: 0.1,
            max_bullet_lines: 0.9,
            max_ellipsis_lines: 0.3,
            min_alphabetic_words: 0.8,
            min_stop_words: 2,
            stop_words: stop_words.map(String::from).to_vec(),
        }
    }
}

impl GopherQuality {
    /// Applies the rules in their order.
    #[must_use]
    pub fn verdict(&self, page: &Page<'_>) -> Verdict {
        let (mut words, mut proper, mut letters, mut alphabetic) = (0, 0, 0, 0);
        let text = page.text();
        let ascii = text.is_ascii();
        let mut stop_words = StopWords::new(&self.stop_words);
        for word in page.tokens().words() {
            words += 1;
            if word.as_bytes()[0].is_ascii_alphabetic() {
                proper += 1;
                alphabetic += 1;
                letters += if ascii { word.len() } else { characters(word) };
            } else {
                let (is_proper, is_alphabetic, length) = measure(word);
                if is_proper {
                    proper += 1;
                    letters += length;
                }
                alphabetic += usize::from(is_alphabetic);
            }
            stop_words.meet(word);
        }
        if proper < self.min_words || words == 0 {
            return Verdict::Drop(Reason::ShortDocument);
        }
        let mean = share(letters, proper);
        let early = [
            (proper > self.max_words, Reason::LongDocument),
            (mean < self.min_mean_word_length, Reason::ShortWords),
            (mean > self.max_mean_word_length, Reason::LongWords),
        ];
        if let Verdict::Drop(reason) = first_broken(early.into_iter()) {
            return Verdict::Drop(reason);
        }
        let hashes = text.bytes().filter(|&byte| byte == b'#').count();
        let ellipses = text.matches("...").count() + text.matches('\u{2026}').count();
        let (mut all, mut bullets, mut trailing) = (0, 0, 0);
        for line in lines(text) {
            let line = &text[line];
            all += 1;
            bullets += usize::from(line.trim_start_matches(is_space).starts_with(['\u{2022}', '-']));
            let end = line.trim_end_matches(is_space);
            trailing += usize::from(end.ends_with("...") || end.ends_with('\u{2026}'));
        }
        let stop_words = stop_words.met();
        let late = [
            (share(hashes, words) > self.max_symbol_ratio, Reason::Hashes),
            (share(ellipses, words) > self.max_symbol_ratio, Reason::Ellipses),
            (share(bullets, all) > self.max_bullet_lines, Reason::Bullets),
            (
                share(trailing, all) > self.max_ellipsis_lines,
                Reason::EndEllipses,
            ),
            (
                share(alphabetic, words) < self.min_alphabetic_words,
                Reason::FewLetters,
            ),
            (stop_words < self.min_stop_words, Reason::StopWords),
        ];
        first_broken(late.into_iter())
    }
}

/// The characters of a short word, by the bytes that begin one.
fn characters(word: &str) -> usize {
    word.bytes().filter(|byte| byte & 0xc0 != 0x80).count()
}

/// Which words of a list were met.
struct StopWords<'a> {
    words: &'a [String],
    met: Vec<bool>,
    /// For each length a bit for each first byte modulo 64 of a word of the list.
    firsts: [u64; 16],
}

impl<'a> StopWords<'a> {
    fn new(words: &'a [String]) -> Self {
        let mut firsts = [0; 16];
        for word in words {
            if let Some(first) = word.as_bytes().first() {
                firsts[word.len().min(15)] |= 1 << (first % 64);
            }
        }
        Self {
            words,
            met: vec![false; words.len()],
            firsts,
        }
    }

    fn meet(&mut self, word: &str) {
        let first = word.as_bytes()[0] % 64;
        if self.firsts[word.len().min(15)] >> first & 1 == 1
            && let Some(which) = self.words.iter().position(|stop| stop == word)
        {
            self.met[which] = true;
        }
    }

    fn met(&self) -> usize {
        self.met.iter().filter(|&&met| met).count()
    }
}

static LETTER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\p{L}").expect("the pattern is constant"));

/// Whether a word is more than symbols, whether it has a letter, and its length in characters.
fn measure(word: &str) -> (bool, bool, usize) {
    if word.is_ascii() {
        let letter = word.bytes().any(|byte| byte.is_ascii_alphabetic());
        let digit = || word.bytes().any(|byte| byte.is_ascii_digit());
        return (letter || digit(), letter, word.len());
    }
    let proper = word.chars().any(|c| !is_symbol(c));
    (proper, LETTER.is_match(word), word.chars().count())
}

/// Symbols that make no word; the full-width digit one is in the published list.
fn is_symbol(c: char) -> bool {
    const OTHERS: &str = "\u{ab}\u{b4}\u{bb}\u{2013}\u{2014}\u{2019}\u{201c}\u{201d}\u{201e}\u{2026}\u{2236}\u{2501}\u{25ba}\
        \u{3001}\u{3002}\u{3008}\u{3009}\u{300a}\u{300b}\u{300c}\u{300d}\u{3010}\u{3011}\u{ff01}\u{ff05}\u{ff08}\u{ff09}\
        \u{ff0c}\u{ff0e}\u{ff11}\u{ff1a}\u{ff1b}\u{ff1f}\u{ff5e}";
    if c.is_ascii() {
        return c.is_ascii_punctuation() || (c.is_ascii_control() && !matches!(c, '\t' | '\n'));
    }
    matches!(c, '\u{80}'..='\u{9f}') || OTHERS.contains(c) || is_terminal(c)
}
