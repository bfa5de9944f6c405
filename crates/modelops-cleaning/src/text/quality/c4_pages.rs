//! The rules of C4 and mC4 that look at a page as a whole: forbidden words, paragraphs.

use regex::Regex;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Reason, Verdict};

/// Drops pages with too few long lines, as mC4 does.
///
/// **Reference**: L. Xue et al., mT5: a massively multilingual pre-trained text-to-text transformer, 2021, section 3.1,
/// arXiv:2010.11934.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct C4Paragraphs {
    /// Fewest lines of so many characters.
    pub min_paragraphs: usize,
    /// Characters of a line that counts.
    pub min_length: usize,
}

impl Default for C4Paragraphs {
    /// Three lines of 200 characters.
    fn default() -> Self {
        Self {
            min_paragraphs: 3,
            min_length: 200,
        }
    }
}

impl C4Paragraphs {
    /// Judges a text.
    #[must_use]
    pub fn verdict(&self, text: &str) -> Verdict {
        let long = |line: &&str| line.chars().count() >= self.min_length;
        let enough = text.split('\n').filter(long).take(self.min_paragraphs).count();
        if enough == self.min_paragraphs {
            Verdict::Keep
        } else {
            Verdict::Drop(Reason::Paragraphs(self.min_paragraphs))
        }
    }
}

/// Drops pages with a word of a list, as C4 does. No list is shipped: C4 used one that is public under its long name (LDNOOBW).
///
/// ```
/// use modelops_cleaning::text::quality::{C4BadWords, Verdict};
/// let filter = C4BadWords::new("worst\nbad word").expect("two words");
/// assert_eq!(filter.verdict("Not the worsted kind."), Verdict::Keep);
/// assert_ne!(filter.verdict("A BAD WORD!"), Verdict::Keep);
/// ```
///
/// **Reference**: C. Raffel et al., Exploring the limits of transfer learning, 2020, section 2.2, JMLR 21(140).
#[derive(Debug, Clone)]
pub struct C4BadWords {
    words: Regex,
    kept: f64,
    seed: u64,
}

impl C4BadWords {
    /// Looks for whole words or phrases, one a line, in texts in lower case.
    ///
    /// `None` for a list without a word, and for one too long for a pattern (some megabytes).
    #[must_use]
    pub fn new(list: &str) -> Option<Self> {
        Self::of(list, r"(?:\W|^)(?:", r")(?:\W|$)")
    }

    /// Looks for words anywhere: for languages that do not part words by blanks.
    ///
    /// `None` as in [`C4BadWords::new`].
    #[must_use]
    pub fn anywhere(list: &str) -> Option<Self> {
        Self::of(list, "(?:", ")")
    }

    fn of(list: &str, before: &str, after: &str) -> Option<Self> {
        let words: Vec<String> = list
            .lines()
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .map(regex::escape)
            .collect();
        if words.is_empty() {
            return None;
        }
        let words = Regex::new(&format!("{before}{}{after}", words.join("|"))).ok()?;
        Some(Self {
            words,
            kept: 0.0,
            seed: 0,
        })
    }

    /// Keeps about this fraction of the pages with such a word: those that a hash of the text and `seed` picks, the same on every
    /// run and in any order.
    #[must_use]
    pub fn with_kept(mut self, fraction: f64, seed: u64) -> Self {
        self.kept = fraction;
        self.seed = seed;
        self
    }

    /// Judges a text.
    #[must_use]
    pub fn verdict(&self, text: &str) -> Verdict {
        if !self.words.is_match(&text.to_lowercase()) {
            return Verdict::Keep;
        }
        let picked = xxh3_64_with_seed(text.as_bytes(), self.seed) as f64 / u64::MAX as f64;
        if picked < self.kept {
            Verdict::Keep
        } else {
            Verdict::Drop(Reason::BadWords)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_long_lines_are_enough() {
        let line = |length: usize| "é".repeat(length);
        let verdict = |lines: &[usize]| {
            let lines: Vec<String> = lines.iter().map(|&length| line(length)).collect();
            C4Paragraphs::default().verdict(&lines.join("\n"))
        };
        assert_eq!(verdict(&[200, 5, 200, 200]), Verdict::Keep);
        assert_eq!(verdict(&[200, 199, 200]), Verdict::Drop(Reason::Paragraphs(3)));
        assert_eq!(verdict(&[]).clone(), Verdict::Drop(Reason::Paragraphs(3)));
        assert_eq!(Reason::Paragraphs(3).to_string(), "< 3 paragraphs");
    }

    #[test]
    fn words_are_whole_and_their_marks_are_no_pattern() {
        let filter = C4BadWords::new("a.b\n(c)\n\n ").unwrap_or_else(|| unreachable!("two words"));
        for (text, verdict) in [
            ("x A.B y", Verdict::Drop(Reason::BadWords)),
            ("axb", Verdict::Keep),
            ("(C)", Verdict::Drop(Reason::BadWords)),
            ("za.b", Verdict::Keep),
            ("", Verdict::Keep),
        ] {
            assert_eq!(filter.verdict(text), verdict, "{text}");
        }
        assert!(C4BadWords::new(" \n").is_none());
        let half = filter.with_kept(0.5, 7);
        let kept = (0..1000)
            .filter(|i| half.verdict(&format!("a.b {i}")) == Verdict::Keep)
            .count();
        assert!((400..600).contains(&kept), "{kept}");
        assert!(C4BadWords::anywhere("悪").is_some_and(|f| f.verdict("最悪だ") != Verdict::Keep));
    }
}
