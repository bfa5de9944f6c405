//! C4's rules, which also clean what they keep.

use super::{Page, Reason, Verdict, lines};
use crate::text::words::is_space;
use regex::Regex;
use std::borrow::Cow;
use std::sync::LazyLock;

/// Keeps the lines that look like sentences, and drops pages with too few of them, with code or with filler text.
///
/// **Reference**: C. Raffel et al., Exploring the limits of transfer learning, 2020, section 2.2, JMLR 21(140).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct C4Quality {
    /// Fewest sentences on the kept lines.
    pub min_sentences: usize,
    /// Fewest words on a line, cut at white space.
    pub min_words_per_line: usize,
    /// Most characters in a word of a kept line.
    pub max_word_length: usize,
}

impl Default for C4Quality {
    fn default() -> Self {
        Self {
            min_sentences: 5,
            min_words_per_line: 3,
            max_word_length: 1000,
        }
    }
}

/// The verdict of [`C4Quality`], and what is left of the page where it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct C4Outcome {
    /// Whether to keep the page.
    pub verdict: Verdict,
    /// The kept lines without citation marks, joined by line feeds; empty for a dropped page.
    pub text: String,
}

const POLICIES: [&str; 6] = [
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
];

static CITATION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\[\d*\]|\[edit\]|\[citation needed\]").expect("the pattern is constant"));

impl C4Quality {
    /// Applies the rules to each line in turn.
    #[must_use]
    pub fn clean(&self, page: &Page<'_>) -> C4Outcome {
        let dropped = |reason| C4Outcome {
            verdict: Verdict::Drop(reason),
            text: String::new(),
        };
        let mut sentences = 0;
        let mut kept: Vec<Cow<'_, str>> = Vec::new();
        for line in lines(page.text()) {
            let line = line.trim_matches(is_space);
            let (mut words, mut too_long) = (0, false);
            for word in line.split(is_space).filter(|word| !word.is_empty()) {
                words += 1;
                too_long |= word.len() > self.max_word_length && word.chars().count() > self.max_word_length;
            }
            if too_long {
                continue;
            }
            let line = CITATION.replace_all(line, "");
            if !line.ends_with(['.', '?', '!', '"', '\''])
                || line.ends_with("...")
                || words < self.min_words_per_line
            {
                continue;
            }
            let lower = line.to_lowercase();
            if lower.contains("lorem ipsum") {
                return dropped(Reason::LoremIpsum);
            }
            if lower.contains("javascript") {
                continue;
            }
            if line.contains('{') {
                return dropped(Reason::CurlyBracket);
            }
            if POLICIES.iter().any(|policy| lower.contains(policy)) {
                continue;
            }
            sentences += page.english.tokenize(&line).sentences().count();
            kept.push(line);
        }
        if sentences < self.min_sentences {
            return dropped(Reason::FewSentences);
        }
        C4Outcome {
            verdict: Verdict::Keep,
            text: kept.join("\n").trim_matches(is_space).to_owned(),
        }
    }
}
