//! FineWeb's rules.

use super::{Page, Reason, Verdict, is_terminal, repeated, share};
use crate::text::words::is_space;

/// Drops lists, menus and pages whose lines repeat.
///
/// **Reference**: G. Penedo et al., The FineWeb datasets, 2024, section 3.6, arXiv:2406.17557.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FineWebQuality {
    /// Least share of lines that end with a mark of punctuation.
    pub min_line_punctuation: f64,
    /// Characters up to which a line is short.
    pub short_line_length: usize,
    /// Greatest share of short lines.
    pub max_short_lines: f64,
    /// Greatest share of characters in repeated lines.
    pub max_duplicate_characters: f64,
    /// Most line feeds a word.
    pub max_new_lines: f64,
}

impl Default for FineWebQuality {
    fn default() -> Self {
        Self {
            min_line_punctuation: 0.12,
            short_line_length: 30,
            max_short_lines: 0.67,
            max_duplicate_characters: 0.01,
            max_new_lines: 0.3,
        }
    }
}

impl FineWebQuality {
    /// Applies the rules in their order.
    #[must_use]
    pub fn verdict(&self, page: &Page<'_>) -> Verdict {
        let text = page.text();
        let lines: Vec<&str> = text
            .split('\n')
            .filter(|line| !line.chars().all(is_space))
            .collect();
        if lines.is_empty() {
            return Verdict::Drop(Reason::Empty);
        }
        let ended = lines.iter().filter(|line| line.ends_with(is_terminal)).count();
        if share(ended, lines.len()) < self.min_line_punctuation {
            return Verdict::Drop(Reason::LinePunctuation);
        }
        // No character has fewer bytes than one or more than four.
        let is_short = |line: &&&str| {
            let short = self.short_line_length;
            line.len() <= short || (line.len() / 4 <= short && line.chars().nth(short).is_none())
        };
        if share(lines.iter().filter(is_short).count(), lines.len()) > self.max_short_lines {
            return Verdict::Drop(Reason::ShortLines);
        }
        let feeds = text.bytes().filter(|&byte| byte == b'\n').count();
        let repeated = repeated(lines.iter().copied());
        if share(repeated.characters, text.chars().count() - feeds) > self.max_duplicate_characters {
            return Verdict::Drop(Reason::DuplicateCharacters);
        }
        if share(feeds, page.tokens().count_words()) > self.max_new_lines {
            return Verdict::Drop(Reason::List);
        }
        Verdict::Keep
    }
}
