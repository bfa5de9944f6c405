//! Which web pages are worth training on: the rules of Gopher, C4 and FineWeb, each verdict with its reason.
//!
//! Verdicts and reasons are those of datatrove 0.10 for English with its default thresholds, so that a team can change the
//! engine and keep its data; see the comparison in docs/COMPARE.md for how this is checked.
//!
//! ```
//! use modelops_cleaning::text::quality::{GopherQuality, Page, Verdict};
//! use modelops_cleaning::text::words::English;
//!
//! let english = English::new();
//! let page = Page::new(&english, "Buy now!");
//! let Verdict::Drop(reason) = GopherQuality::default().verdict(&page) else { panic!("it is far too short") };
//! assert_eq!(reason.to_string(), "gopher_short_doc");
//! ```

mod c4;
mod c4_pages;
mod fineweb;
mod gopher;
mod repeats;
mod repetition;
mod runs;

pub use c4::{C4Outcome, C4Quality};
pub use c4_pages::{C4BadWords, C4Paragraphs};
pub use fineweb::FineWebQuality;
pub use gopher::GopherQuality;
pub use repetition::GopherRepetition;

use super::words::{English, Tokens};
use repeats::{Repeats, Same};
use std::cell::OnceCell;
use std::fmt;
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64;

/// A text whose words are cut at most once, however many rules read it.
#[derive(Debug)]
pub struct Page<'a> {
    text: &'a str,
    english: &'a English,
    tokens: OnceCell<Tokens<'a>>,
}

impl<'a> Page<'a> {
    /// A page of English text.
    #[must_use]
    pub fn new(english: &'a English, text: &'a str) -> Self {
        Self {
            text,
            english,
            tokens: OnceCell::new(),
        }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Its tokens.
    pub fn tokens(&self) -> &Tokens<'a> {
        self.tokens.get_or_init(|| self.english.tokenize(self.text))
    }
}

/// Whether to keep a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All rules hold.
    Keep,
    /// A rule is broken, the first in the order of the filter.
    Drop(Reason),
}

/// The broken rule; its text is that of datatrove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Fewer words than the least.
    ShortDocument,
    /// More words than the most.
    LongDocument,
    /// Words too short on average.
    ShortWords,
    /// Words too long on average.
    LongWords,
    /// Too many hash signs a word.
    Hashes,
    /// Too many ellipses a word.
    Ellipses,
    /// Too many lines begin with a bullet.
    Bullets,
    /// Too many lines end with an ellipsis.
    EndEllipses,
    /// Too few words with a letter.
    FewLetters,
    /// Too few of the commonest English words.
    StopWords,
    /// Nothing there.
    Empty,
    /// Too many paragraphs repeat another.
    DuplicateParagraphs,
    /// Repeated paragraphs hold too much of the text.
    DuplicateParagraphCharacters,
    /// Too many lines repeat another.
    DuplicateLines,
    /// Repeated lines hold too much of the text.
    DuplicateLineCharacters,
    /// The commonest run of this many words holds too much of the text.
    TopNGram(usize),
    /// Repeated runs of this many words hold too much of the text.
    DuplicateNGrams(usize),
    /// The phrase "lorem ipsum".
    LoremIpsum,
    /// A curly bracket: code.
    CurlyBracket,
    /// Too few sentences on the lines that are kept.
    FewSentences,
    /// Too few lines end with punctuation.
    LinePunctuation,
    /// Too many short lines.
    ShortLines,
    /// Repeated lines hold too much of the text, by the stricter rule of FineWeb.
    DuplicateCharacters,
    /// Too many line breaks a word: a list.
    List,
    /// Fewer long lines than this.
    Paragraphs(usize),
    /// A forbidden word.
    BadWords,
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::ShortDocument => "gopher_short_doc",
            Self::LongDocument => "gopher_long_doc",
            Self::ShortWords => "gopher_below_avg_threshold",
            Self::LongWords => "gopher_above_avg_threshold",
            Self::Hashes => "gopher_too_many_hashes",
            Self::Ellipses => "gopher_too_many_ellipsis",
            Self::Bullets => "gopher_too_many_bullets",
            Self::EndEllipses => "gopher_too_many_end_ellipsis",
            Self::FewLetters => "gopher_below_alpha_threshold",
            Self::StopWords => "gopher_enough_stop_words",
            Self::Empty => "empty",
            Self::DuplicateParagraphs => "dup_para_frac",
            Self::DuplicateParagraphCharacters => "dup_para_char_frac",
            Self::DuplicateLines => "dup_line_frac",
            Self::DuplicateLineCharacters => "dup_line_char_frac",
            Self::TopNGram(n) => return write!(out, "top_{n}_gram"),
            Self::DuplicateNGrams(n) => return write!(out, "duplicated_{n}_n_grams"),
            Self::LoremIpsum => "lorem_ipsum",
            Self::CurlyBracket => "curly_bracket",
            Self::FewSentences => "too_few_sentences",
            Self::LinePunctuation => "line_punct_ratio",
            Self::ShortLines => "short_line_ratio",
            Self::DuplicateCharacters => "char_dup_ratio",
            Self::List => "list_ratio",
            Self::Paragraphs(least) => return write!(out, "< {least} paragraphs"),
            Self::BadWords => "document_removed_with_badwords",
        };
        out.write_str(text)
    }
}

/// The first rule that is broken decides.
fn first_broken(mut rules: impl Iterator<Item = (bool, Reason)>) -> Verdict {
    match rules.find(|&(broken, _)| broken) {
        Some((_, reason)) => Verdict::Drop(reason),
        None => Verdict::Keep,
    }
}

/// A count as a share of another.
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// Where the lines of Python's `str.splitlines` lie: ends of line of every kind, none after the last.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let bytes = text.as_bytes();
    let mut begin = 0;
    std::iter::from_fn(move || {
        if begin == bytes.len() {
            return None;
        }
        let mut end = begin;
        let mark = loop {
            end += bytes[end..]
                .chunks_exact(BLOCK)
                .take_while(|block| !block.iter().fold(false, |any, &byte| any | may_end(byte)))
                .count()
                * BLOCK;
            match bytes[end..].iter().position(|&byte| may_end(byte)) {
                None => {
                    end = bytes.len();
                    break 0;
                }
                Some(at) => end += at,
            }
            match line_end(&bytes[end..]) {
                0 => end += 1,
                mark => break mark,
            }
        };
        let line = begin..end;
        begin = end + mark;
        Some(line)
    })
}

/// Bytes that are looked at together.
const BLOCK: usize = 32;

/// Whether an end of line may begin with a byte: a control character, or one beyond ASCII.
fn may_end(byte: u8) -> bool {
    // Below 20 or from C2 on.
    byte.wrapping_sub(0x20) >= 0xa2
}

/// The bytes of the end of line at the front; 0 where there is none.
fn line_end(bytes: &[u8]) -> usize {
    match bytes {
        [b'\r', b'\n', ..] | [0xc2, 0x85, ..] => 2,
        [b'\n'..=b'\r' | 0x1c..=0x1e, ..] => 1,
        // The separators of lines and of paragraphs, U+2028 and U+2029.
        [0xe2, 0x80, 0xa8 | 0xa9, ..] => 3,
        _ => 0,
    }
}

/// What [`repeated`] has counted.
struct Repeated {
    pieces: usize,
    /// Those that were there before.
    repeats: usize,
    /// The characters of those.
    characters: usize,
}

struct Pieces<'a>(Vec<&'a str>);

impl<'a> Same for Pieces<'a> {
    type Key<'k>
        = &'k str
    where
        Self: 'k;

    fn same(&self, a: usize, b: usize) -> bool {
        self.0[a] == self.0[b]
    }

    fn key(&self, at: usize) -> &str {
        self.0[at]
    }
}

/// How many of `pieces` were there before, and their characters.
fn repeated<'a>(pieces: impl Iterator<Item = &'a str>) -> Repeated {
    let pieces = Pieces(pieces.collect());
    let mut table = Repeats::new(pieces.0.len());
    let mut seen = table.of(&pieces);
    let (mut repeats, mut characters) = (0, 0);
    for (at, piece) in pieces.0.iter().enumerate() {
        if seen.find_or_insert(at, xxh3_64(piece.as_bytes())).is_some() {
            repeats += 1;
            characters += piece.chars().count();
        }
    }
    Repeated {
        pieces: pieces.0.len(),
        repeats,
        characters,
    }
}

/// Whether a character ends a sentence in any script.
fn is_terminal(c: char) -> bool {
    if c.is_ascii() {
        return matches!(c, '!' | '.' | '?');
    }
    TERMINAL.contains(c)
}

/// Marks that end a sentence in any script.
const TERMINAL: &str = "!.?\u{589}\u{61d}\u{61e}\u{61f}\u{6d4}\u{700}\u{701}\u{702}\u{7f9}\u{837}\u{839}\u{83d}\u{83e}\
    \u{964}\u{965}\u{104a}\u{104b}\u{1362}\u{1367}\u{1368}\u{166e}\u{1735}\u{1736}\u{17d4}\u{17d5}\
    \u{17d6}\u{17d9}\u{17da}\u{1803}\u{1809}\u{1944}\u{1945}\u{1aa8}\u{1aa9}\u{1aaa}\u{1aab}\u{1b5a}\
    \u{1b5b}\u{1b5e}\u{1b5f}\u{1b7d}\u{1b7e}\u{1c3b}\u{1c3c}\u{1c7e}\u{1c7f}\u{203c}\u{203d}\u{2047}\
    \u{2048}\u{2049}\u{2e2e}\u{2e3c}\u{2e53}\u{2e54}\u{3002}\u{a4ff}\u{a60e}\u{a60f}\u{a6f3}\u{a6f7}\
    \u{a876}\u{a877}\u{a8ce}\u{a8cf}\u{a92f}\u{a9c8}\u{a9c9}\u{aa5d}\u{aa5e}\u{aa5f}\u{aaf0}\u{aaf1}\
    \u{abeb}\u{fe52}\u{fe56}\u{fe57}\u{ff01}\u{ff0e}\u{ff1f}\u{ff61}\u{10a56}\u{10a57}\u{10f55}\u{10f56}\
    \u{10f57}\u{10f58}\u{10f59}\u{10f86}\u{10f87}\u{10f88}\u{10f89}\u{11047}\u{11048}\u{110be}\u{110bf}\
    \u{110c0}\u{110c1}\u{11141}\u{11142}\u{11143}\u{111c5}\u{111c6}\u{111cd}\u{111de}\u{111df}\u{11238}\
    \u{11239}\u{1123b}\u{1123c}\u{112a9}\u{1144b}\u{1144c}\u{115c2}\u{115c3}\u{115c9}\u{115ca}\u{115cb}\
    \u{115cc}\u{115cd}\u{115ce}\u{115cf}\u{115d0}\u{115d1}\u{115d2}\u{115d3}\u{115d4}\u{115d5}\u{115d6}\
    \u{115d7}\u{11641}\u{11642}\u{1173c}\u{1173d}\u{1173e}\u{11944}\u{11946}\u{11a42}\u{11a43}\u{11a9b}\
    \u{11a9c}\u{11c41}\u{11c42}\u{11ef7}\u{11ef8}\u{11f43}\u{11f44}\u{16a6e}\u{16a6f}\u{16af5}\u{16b37}\
    \u{16b38}\u{16b44}\u{16e98}\u{1bc9f}\u{1da88}";
