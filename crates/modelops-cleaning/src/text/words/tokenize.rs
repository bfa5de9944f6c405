//! The tokenizer: white space, special words, affixes, infixes, and special words that came apart put together again.

use super::affix::{infixes, prefix_len, suffix_len};
use super::classes::is_space;
use super::specials::specials;
use super::url::is_url;
use super::{is_punctuation, is_stop};
use crate::text::hash::TextMap;

/// A token: where it lies in the text.
type Span = (usize, usize);

/// Bytes of any special word, at most.
const LONGEST_SPECIAL: usize = 40;

/// The tokenizer with its list of special words; build it once and share it.
#[derive(Debug, Clone)]
pub struct English {
    /// For each special word the lengths of its pieces.
    specials: TextMap<Box<str>, Vec<usize>>,
    /// Special words that the affix rules cut, as they cut them, by the first token.
    sequences: TextMap<Box<str>, Vec<Vec<Box<str>>>>,
    maybe_special: Sieve,
    maybe_sequence: Sieve,
}

impl Default for English {
    fn default() -> Self {
        Self::new()
    }
}

impl English {
    /// Builds the list of special words.
    #[must_use]
    pub fn new() -> Self {
        let mut english = Self {
            specials: TextMap::default(),
            sequences: TextMap::default(),
            maybe_special: Sieve::default(),
            maybe_sequence: Sieve::default(),
        };
        let words = specials();
        let mut found = Vec::new();
        for word in words.keys() {
            infixes(word, &mut found);
            if prefix_len(word) > 0 || suffix_len(word) > 0 || !found.is_empty() {
                let mut tokens = Vec::new();
                // There are no special words yet, so this cuts by the affix rules alone.
                english.cut(word, 0, word.len(), &mut tokens);
                let sequence: Vec<Box<str>> = tokens
                    .iter()
                    .map(|&(begin, end)| word[begin..end].into())
                    .collect();
                english.maybe_sequence.insert(&sequence[0]);
                english
                    .sequences
                    .entry(sequence[0].clone())
                    .or_default()
                    .push(sequence);
            }
        }
        for (word, pieces) in words {
            english.maybe_special.insert(&word);
            let lengths = pieces.iter().map(String::len).collect();
            english.specials.insert(word.into(), lengths);
        }
        english
    }

    /// Cuts a text into tokens.
    ///
    /// **Complexity**: O(bytes), whatever the text.
    #[must_use]
    pub fn tokenize<'a>(&self, text: &'a str) -> Tokens<'a> {
        let mut spans = Vec::with_capacity(text.len() / 5);
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let begin = at;
            let mut letters = true;
            while at < bytes.len() {
                let byte = bytes[at];
                if byte.is_ascii_alphabetic() {
                    at += 1;
                } else if byte < 0x80 {
                    if is_space(byte.into()) {
                        break;
                    }
                    letters = false;
                    at += 1;
                } else {
                    let Some(c) = text[at..].chars().next() else {
                        break;
                    };
                    if is_space(c) {
                        break;
                    }
                    letters = false;
                    at += c.len_utf8();
                }
            }
            if at > begin {
                if letters && !self.maybe_special.holds(&text[begin..at]) {
                    spans.push((begin, at));
                } else {
                    self.cut_or_special(text, begin, at, &mut spans);
                }
            }
            // White space is a token too, but for one space after a word.
            let mut space = at;
            let end = text[at..]
                .find(|c: char| !is_space(c))
                .map_or(text.len(), |length| at + length);
            if begin < at && bytes.get(at) == Some(&b' ') {
                space += 1;
            }
            if space < end {
                spans.push((space, end));
            }
            at = end;
        }
        self.join_sequences(text, &mut spans);
        Tokens { text, spans }
    }

    fn lengths(&self, word: &str) -> Option<&Vec<usize>> {
        // A long word must not be hashed again for each mark cut off it.
        if word.len() <= LONGEST_SPECIAL && self.maybe_special.holds(word) {
            self.specials.get(word)
        } else {
            None
        }
    }

    fn push_special(&self, word: &str, mut begin: usize, spans: &mut Vec<Span>) -> bool {
        let Some(lengths) = self.lengths(word) else {
            return false;
        };
        for length in lengths {
            spans.push((begin, begin + length));
            begin += length;
        }
        true
    }

    fn cut_or_special(&self, text: &str, begin: usize, end: usize, spans: &mut Vec<Span>) {
        if !self.push_special(&text[begin..end], begin, spans) {
            self.cut(text, begin, end, spans);
        }
    }

    /// Takes affixes off until nothing changes or a special word is left, then cuts what is left at its infixes.
    fn cut(&self, text: &str, mut begin: usize, mut end: usize, spans: &mut Vec<Span>) {
        let mut suffixes: Vec<Span> = Vec::new();
        let is_special = |from: usize, to: usize| from < to && self.lengths(&text[from..to]).is_some();
        let mut last = 0;
        while begin < end && end - begin != last && !is_special(begin, end) {
            last = end - begin;
            let prefix = prefix_len(&text[begin..end]);
            if prefix > 0 && is_special(begin + prefix, end) {
                spans.push((begin, begin + prefix));
                begin += prefix;
                break;
            }
            let suffix = suffix_len(&text[begin + prefix..end]);
            if suffix > 0 && is_special(begin, end - suffix) {
                suffixes.push((end - suffix, end));
                end -= suffix;
                break;
            }
            if prefix > 0 {
                spans.push((begin, begin + prefix));
                begin += prefix;
            }
            if suffix > 0 {
                suffixes.push((end - suffix, end));
                end -= suffix;
            }
        }
        let middle = &text[begin..end];
        if !middle.is_empty() && !self.push_special(middle, begin, spans) {
            if is_url(middle) {
                spans.push((begin, end));
            } else {
                push_between_infixes(middle, begin, spans);
            }
        }
        spans.extend(suffixes.iter().rev());
    }

    /// Puts special words together again that the affix rules cut, the longest first.
    fn join_sequences(&self, text: &str, spans: &mut Vec<Span>) {
        let token = |span: &Span| &text[span.0..span.1];
        let mut found: Vec<(usize, usize)> = Vec::new();
        for (at, span) in spans.iter().enumerate() {
            if !self.maybe_sequence.holds(token(span)) {
                continue;
            }
            for sequence in self.sequences.get(token(span)).into_iter().flatten() {
                let candidate = spans.get(at..at + sequence.len());
                if candidate.is_some_and(|found| found.iter().map(token).eq(sequence.iter().map(|s| &**s))) {
                    found.push((at, at + sequence.len()));
                }
            }
        }
        if found.is_empty() {
            return;
        }
        found.sort_unstable_by_key(|&(begin, end)| (usize::MAX - (end - begin), begin));
        let mut taken = vec![false; spans.len()];
        found.retain(|&(begin, end)| {
            let free = !taken[begin] && !taken[end - 1];
            taken[begin..end].fill(true);
            free
        });
        found.sort_unstable();
        let mut joined = Vec::with_capacity(spans.len());
        let mut at = 0;
        for (begin, end) in found {
            let (from, to) = (spans[begin].0, spans[end - 1].1);
            joined.extend_from_slice(&spans[at..begin]);
            // With white space in between it is no special word.
            if !self.push_special(&text[from..to], from, &mut joined) {
                joined.extend_from_slice(&spans[begin..end]);
            }
            at = end;
        }
        joined.extend_from_slice(&spans[at..]);
        *spans = joined;
    }
}

fn push_between_infixes(word: &str, offset: usize, spans: &mut Vec<Span>) {
    let mut found = Vec::new();
    infixes(word, &mut found);
    let mut start = 0;
    for (begin, end) in found {
        // An infix at the very front stays with what follows.
        if begin == 0 {
            continue;
        }
        if begin != start {
            spans.push((offset + start, offset + begin));
        }
        spans.push((offset + begin, offset + end));
        start = end;
    }
    if start < word.len() {
        spans.push((offset + start, offset + word.len()));
    }
}

/// The tokens of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens<'a> {
    text: &'a str,
    spans: Vec<Span>,
}

impl<'a> Tokens<'a> {
    /// The words: all tokens but white space.
    pub fn words(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.spans
            .iter()
            .map(|&(begin, end)| &self.text[begin..end])
            .filter(|token| !token.starts_with(is_space))
    }

    /// The sentences, without the white space around them: each ends before the first token that is no punctuation after
    /// a token that ends sentences.
    pub fn sentences(&self) -> impl Iterator<Item = &'a str> {
        let mut sentences = Vec::new();
        let mut begin = self.spans.first().map_or(0, |span| span.0);
        let mut seen_stop = false;
        for &(from, to) in &self.spans {
            let token = &self.text[from..to];
            // Almost all tokens begin with a letter, and end nothing.
            let stop = !token.as_bytes()[0].is_ascii_alphanumeric() && is_stop(token);
            if seen_stop && !stop && !is_punctuation(token) {
                sentences.push(self.text[begin..from].trim_matches(is_space));
                begin = from;
                seen_stop = false;
            } else if stop {
                seen_stop = true;
            }
        }
        if let Some(&(_, end)) = self.spans.last() {
            sentences.push(self.text[begin..end].trim_matches(is_space));
        }
        sentences.into_iter().filter(|sentence| !sentence.is_empty())
    }
}

/// Says no for most words that are not in a set, by length, first and last byte.
#[derive(Debug, Clone, Default)]
struct Sieve {
    /// For each first byte and last byte modulo 64, a bit.
    bits: Box<[u64]>,
}

impl Sieve {
    fn place(word: &str) -> (usize, u32) {
        let bytes = word.as_bytes();
        let (first, last) = (bytes[0], bytes[bytes.len() - 1]);
        let row = usize::from(first) * 16 + bytes.len().min(15);
        (row, u32::from(last) % 64)
    }

    fn insert(&mut self, word: &str) {
        if self.bits.is_empty() {
            self.bits = vec![0; 256 * 16].into();
        }
        let (row, bit) = Self::place(word);
        self.bits[row] |= 1 << bit;
    }

    fn holds(&self, word: &str) -> bool {
        let (row, bit) = Self::place(word);
        self.bits.get(row).is_some_and(|bits| bits >> bit & 1 == 1)
    }
}
