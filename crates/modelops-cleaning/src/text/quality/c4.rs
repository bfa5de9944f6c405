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

const LOREM_IPSUM: &str = "lorem ipsum";
const JAVASCRIPT: &str = "javascript";
const POLICIES: [&str; 6] = [
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
];

/// All the phrases above.
static PHRASES: LazyLock<Regex> = LazyLock::new(|| {
    let phrases: Vec<&str> = [LOREM_IPSUM, JAVASCRIPT].into_iter().chain(POLICIES).collect();
    Regex::new(&format!("(?i-u:{})", phrases.join("|"))).expect("the phrases are constant")
});

/// The one character outside of ASCII whose small form is a letter of the phrases: the sign of Kelvin.
const KELVIN: char = '\u{212a}';

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
        let text = page.text();
        // Most pages have none of the phrases, no citation and no bracket; then no line has.
        let phrases = PHRASES.is_match(text) || (!text.is_ascii() && text.contains(KELVIN));
        let (citations, brackets) = (text.contains('['), text.contains('{'));
        let mut sentences = 0;
        let mut kept = String::new();
        let mut token = 0;
        for range in lines(text) {
            let line = text[range.clone()].trim_matches(is_space);
            if line.len() > self.max_word_length && has_longer_word(line, self.max_word_length) {
                continue;
            }
            let few_words = line
                .split(is_space)
                .filter(|word| !word.is_empty())
                .nth(self.min_words_per_line.wrapping_sub(1));
            let few_words = self.min_words_per_line > 0 && few_words.is_none();
            let cleaned = if citations {
                CITATION.replace_all(line, "")
            } else {
                Cow::Borrowed(line)
            };
            if !cleaned.ends_with(['.', '?', '!', '"', '\'']) || cleaned.ends_with("...") || few_words {
                continue;
            }
            let lower = if phrases {
                cleaned.to_lowercase()
            } else {
                String::new()
            };
            if lower.contains(LOREM_IPSUM) {
                return dropped(Reason::LoremIpsum);
            }
            if lower.contains(JAVASCRIPT) {
                continue;
            }
            if brackets && cleaned.contains('{') {
                return dropped(Reason::CurlyBracket);
            }
            if POLICIES.iter().any(|policy| lower.contains(policy)) {
                continue;
            }
            sentences += match &cleaned {
                // White space parts tokens, so a line has the same ones by itself and within its page.
                Cow::Borrowed(line) => {
                    let begin = line.as_ptr() as usize - text.as_ptr() as usize;
                    token += page.tokens().before(token, begin);
                    let count = page.tokens().before(token, begin + line.len());
                    page.tokens().count_sentences(token..token + count)
                }
                Cow::Owned(line) => page.english.tokenize(line).sentences().count(),
            };
            if !kept.is_empty() {
                kept.push('\n');
            }
            kept.push_str(&cleaned);
        }
        if sentences < self.min_sentences {
            return dropped(Reason::FewSentences);
        }
        C4Outcome {
            verdict: Verdict::Keep,
            text: kept.trim_matches(is_space).to_owned(),
        }
    }
}

fn has_longer_word(line: &str, most: usize) -> bool {
    line.split(is_space)
        .any(|word| word.len() > most && word.chars().count() > most)
}
