//! The tokenizer: white space, special words, affixes, infixes, and special words that came apart put together again.

use super::affix::{infixes, prefix_len, suffix_len};
use super::classes::{Byte, class_of, is_space};
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
                english.cut(word, 0, word.len(), &mut tokens, &mut Vec::new());
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
        let class = |at: usize| bytes.get(at).map_or(Byte::Space, |&byte| class_of(byte));
        let mut suffixes = Vec::new();
        let (mut at, mut white) = (0, 0);
        while at < bytes.len() {
            let begin = at;
            while class(at) == Byte::Letter {
                at += 1;
            }
            // Most words are letters, perhaps with one mark behind them, and no rule but the list of special words cuts them.
            let letters = at;
            let mark = usize::from(letters > begin && is_plain_mark(text, begin, letters));
            at = letters + mark;
            if class(at) == Byte::Space && !self.maybe_cut(&text[begin..letters], &text[begin..at]) {
                if begin < letters {
                    spans.push((begin, letters));
                }
                if mark > 0 {
                    spans.push((letters, at));
                }
            } else {
                at = end_of_word(text, at);
                if begin < at {
                    self.cut_or_special(text, begin, at, &mut spans, &mut suffixes);
                }
            }
            // White space is a token too, but for one space after a word.
            if begin < at && bytes.get(at) == Some(&b' ') {
                at += 1;
            }
            let space = at;
            if matches!(class(at), Byte::Space | Byte::NotAscii) {
                at = text[at..]
                    .find(|c: char| !is_space(c))
                    .map_or(text.len(), |length| at + length);
            }
            if space < at {
                spans.push((space, at));
                white += 1;
            }
        }
        self.join_sequences(text, &mut spans);
        Tokens { text, spans, white }
    }

    /// Whether letters, and the same with a mark behind them, may be on the list of special words.
    fn maybe_cut(&self, letters: &str, marked: &str) -> bool {
        self.maybe_special.holds(letters)
            || (marked.len() > letters.len() && self.maybe_special.holds(marked))
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

    fn cut_or_special(
        &self,
        text: &str,
        begin: usize,
        end: usize,
        spans: &mut Vec<Span>,
        suffixes: &mut Vec<Span>,
    ) {
        if !self.push_special(&text[begin..end], begin, spans) {
            self.cut(text, begin, end, spans, suffixes);
        }
    }

    /// Takes affixes off until nothing changes or a special word is left, then cuts what is left at its infixes. `suffixes`
    /// is room to work in.
    fn cut(
        &self,
        text: &str,
        mut begin: usize,
        mut end: usize,
        spans: &mut Vec<Span>,
        suffixes: &mut Vec<Span>,
    ) {
        suffixes.clear();
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

/// Whether behind the letters `begin..end` stands a mark that is cut off whatever the letters are: one that is no full stop, or
/// the stop after a small letter.
fn is_plain_mark(text: &str, begin: usize, end: usize) -> bool {
    let bytes = text.as_bytes();
    match bytes.get(end) {
        Some(b',' | b';' | b':' | b'!' | b'?') => true,
        Some(b'.') => bytes[begin..end].last().is_some_and(u8::is_ascii_lowercase),
        _ => false,
    }
}

/// The next white space, or the end.
fn end_of_word(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    while let Some(&byte) = bytes.get(at) {
        match class_of(byte) {
            Byte::Space => break,
            Byte::Letter | Byte::Other => at += 1,
            Byte::NotAscii => match text[at..].chars().next() {
                Some(c) if !is_space(c) => at += c.len_utf8(),
                _ => break,
            },
        }
    }
    at
}

/// The tokens of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens<'a> {
    text: &'a str,
    spans: Vec<Span>,
    /// How many of them are white space.
    white: usize,
}

impl<'a> Tokens<'a> {
    /// The words: all tokens but white space.
    pub fn words(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.spans
            .iter()
            .map(|&(begin, end)| &self.text[begin..end])
            .filter(|token| !is_white(token))
    }

    pub(in crate::text) fn count_words(&self) -> usize {
        self.spans.len() - self.white
    }

    /// The sentences, without the white space around them: each ends before the first token that is no punctuation after
    /// a token that ends sentences.
    pub fn sentences(&self) -> impl Iterator<Item = &'a str> {
        let mut spans = &self.spans[..];
        std::iter::from_fn(move || {
            let (sentence, rest) = first_sentence(self.text, spans)?;
            spans = rest;
            Some(self.text[sentence.0..sentence.1].trim_matches(is_space))
        })
        .filter(|sentence| !sentence.is_empty())
    }

    /// How many tokens from `first` on begin before the byte `end`.
    pub(in crate::text) fn before(&self, first: usize, end: usize) -> usize {
        self.spans[first..].partition_point(|span| span.0 < end)
    }

    /// The sentences of some tokens in a row that neither begin nor end with white space.
    pub(in crate::text) fn count_sentences(&self, tokens: std::ops::Range<usize>) -> usize {
        let mut spans = &self.spans[tokens];
        let mut count = 0;
        while let Some((_, rest)) = first_sentence(self.text, spans) {
            count += 1;
            spans = rest;
        }
        count
    }
}

/// A token of white space; no other begins with it.
#[inline]
fn is_white(token: &str) -> bool {
    match class_of(token.as_bytes()[0]) {
        Byte::Space => true,
        Byte::Letter | Byte::Other => false,
        Byte::NotAscii => token.starts_with(is_space),
    }
}

/// Where the first sentence lies, and the tokens after it.
fn first_sentence<'s>(text: &str, spans: &'s [Span]) -> Option<(Span, &'s [Span])> {
    let &(begin, _) = spans.first()?;
    let mut seen_stop = false;
    for (at, &(from, to)) in spans.iter().enumerate() {
        // Almost all tokens begin with a letter or a digit, and end nothing.
        let plain = text.as_bytes()[from].is_ascii_alphanumeric();
        if plain && !seen_stop {
            continue;
        }
        let token = &text[from..to];
        let stop = !plain && is_stop(token);
        if seen_stop && !stop && (plain || !is_punctuation(token)) {
            return Some(((begin, from), &spans[at..]));
        }
        seen_stop |= stop;
    }
    let end = spans.last().map_or(begin, |span| span.1);
    Some(((begin, end), &[]))
}

/// Says no for most words that are not in a set, by length, first and last byte.
#[derive(Debug, Clone, Default)]
struct Sieve {
    /// For each first byte modulo 64 and each length a bit for each last byte modulo 64.
    bits: Box<[u64]>,
}

impl Sieve {
    fn place(word: &str) -> Option<(usize, u32)> {
        let (&first, &last) = (word.as_bytes().first()?, word.as_bytes().last()?);
        let row = usize::from(first % 64) * 16 + word.len().min(15);
        Some((row, u32::from(last) % 64))
    }

    fn insert(&mut self, word: &str) {
        if self.bits.is_empty() {
            self.bits = vec![0; 64 * 16].into();
        }
        if let Some((row, bit)) = Self::place(word) {
            self.bits[row] |= 1 << bit;
        }
    }

    fn holds(&self, word: &str) -> bool {
        Self::place(word)
            .is_some_and(|(row, bit)| self.bits.get(row).is_some_and(|bits| bits >> bit & 1 == 1))
    }
}
