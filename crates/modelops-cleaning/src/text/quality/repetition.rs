//! Gopher's repetition rules.

use super::runs::Runs;
use super::{Page, Reason, Verdict, repeated, share};
use crate::text::words::is_space;

/// Drops pages that repeat themselves: lines, paragraphs, runs of words.
///
/// **Complexity**: O(bytes) for each length of run; of the longer runs only those are looked up whose beginning is there twice.
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
        let paragraphs = repeated(runs_of_breaks(text.trim_matches(is_space), 2));
        if share(paragraphs.repeats, paragraphs.pieces) > self.max_duplicate_paragraphs {
            return Verdict::Drop(Reason::DuplicateParagraphs);
        }
        if share(paragraphs.characters, length) > self.max_duplicate_paragraph_characters {
            return Verdict::Drop(Reason::DuplicateParagraphCharacters);
        }
        let lines = repeated(runs_of_breaks(text, 1));
        if share(lines.repeats, lines.pieces) > self.max_duplicate_lines {
            return Verdict::Drop(Reason::DuplicateLines);
        }
        if share(lines.characters, length) > self.max_duplicate_line_characters {
            return Verdict::Drop(Reason::DuplicateLineCharacters);
        }
        let mut runs = Runs::new(page.tokens().words(), text.len());
        for &(n, most) in &self.top_n_grams {
            if runs
                .top(n)
                .is_some_and(|characters| share(characters, length) > most)
            {
                return Verdict::Drop(Reason::TopNGram(n));
            }
        }
        for &(n, most) in &self.duplicate_n_grams {
            if share(runs.repeated(n), length) > most {
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
