//! Keys that spellings of one value share.

use std::num::NonZeroUsize;
use std::sync::LazyLock;

use regex::Regex;
use rphonetic::{Cologne, DoubleMetaphone, Encoder, Soundex};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// How a key is made of a value.
///
/// | keyer | the same key for |
/// | --- | --- |
/// | `Fingerprint` | other case, accents, punctuation, order of words, repeated words |
/// | `NGram` | all that, and blanks, small transpositions for a small n |
/// | `Metaphone`, `Soundex` | words that sound alike in English |
/// | `Cologne` | words that sound alike in German |
#[doc(alias("fingerprint", "soundex"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Keyer {
    /// `OpenRefine`'s fingerprint: lower case, no accents, no punctuation, words sorted, each once.
    Fingerprint,
    /// `OpenRefine`'s n-gram fingerprint: the runs of n characters, blanks left out, sorted, each once. A value with fewer than n
    /// characters is its own run.
    NGram(NonZeroUsize),
    /// Double Metaphone's first code of each word, of any length.
    Metaphone,
    /// The Cologne code of each word (Postel, 1969).
    Cologne,
    /// American Soundex of each word.
    Soundex,
}

static PUNCTUATION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\p{P}").expect("the pattern is constant"));

impl Keyer {
    /// The key of a value; empty where there is nothing to make one of.
    ///
    /// ```
    /// use modelops_cleaning::fuzzy::Keyer;
    /// assert_eq!(Keyer::Fingerprint.key("The Word, the multi-WORD"), "multiword the word");
    /// assert_eq!(Keyer::NGram(2.try_into().expect("not zero")).key("A bcc"), "abbccc");
    /// assert_eq!(Keyer::Metaphone.key("Smith"), Keyer::Metaphone.key("Smyth"));
    /// assert_eq!(Keyer::Cologne.key("Müller"), Keyer::Cologne.key("Mueler"));
    /// ```
    #[must_use]
    pub fn key(self, text: &str) -> String {
        let plain = plain(text);
        match self {
            Self::Fingerprint => {
                let mut words: Vec<&str> = plain.split_whitespace().collect();
                words.sort_unstable();
                words.dedup();
                words.join(" ")
            }
            Self::NGram(n) => {
                let letters: Vec<char> = plain.chars().filter(|c| !c.is_whitespace()).collect();
                if letters.is_empty() {
                    return String::new();
                }
                let mut runs: Vec<&[char]> = letters.windows(n.get().min(letters.len())).collect();
                runs.sort_unstable();
                runs.dedup();
                runs.into_iter().flatten().collect()
            }
            Self::Metaphone => each_word(&plain, &DoubleMetaphone::new(None)),
            Self::Cologne => each_word(&plain, &Cologne),
            Self::Soundex => each_word(&plain, &Soundex::default()),
        }
    }
}

/// The codes of the words; those without a letter have none.
fn each_word(plain: &str, encoder: &impl Encoder) -> String {
    // What is left outside ASCII is of another script, which no code covers.
    let words = plain.split(|c: char| !c.is_ascii_alphabetic());
    let codes: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(|word| encoder.encode(word))
        .filter(|code| !code.is_empty())
        .collect();
    codes.join(" ")
}

/// Lower case, Latin letters without accents, neither punctuation nor control characters; white space stays.
fn plain(text: &str) -> String {
    let lower = text.trim().to_lowercase();
    let mut out = String::with_capacity(lower.len());
    for c in lower.nfkd().filter(|&c| !is_combining_mark(c)) {
        match c {
            'ß' => out.push_str("ss"),
            'æ' => out.push_str("ae"),
            'ø' | 'œ' => out.push_str("oe"),
            'þ' => out.push_str("th"),
            'ð' | 'đ' => out.push('d'),
            'ħ' => out.push('h'),
            'ı' => out.push('i'),
            'ĸ' => out.push('k'),
            'ł' => out.push('l'),
            'ŋ' => out.push('n'),
            'ŧ' => out.push('t'),
            'ẜ' | 'ẝ' => out.push('s'),
            '©' => out.push('c'),
            // What is left of letters with an apostrophe or a half ring.
            '\u{2bc}' | '\u{2be}' => {}
            c if c.is_control() && !c.is_whitespace() => {}
            c => out.push(c),
        }
    }
    PUNCTUATION.replace_all(&out, "").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs as in `OpenRefine`'s own tests.
    #[test]
    fn fingerprints_are_those_of_openrefine() {
        for (text, key) in [
            ("the multi multi word test", "multi test the word"),
            (" école ÉCole ecoLe ", "ecole"),
            ("\tABC \t DEF ", "abc def"),
            ("bbb\taaa", "aaa bbb"),
            ("æø", "aeoe"),
            ("©ß", "css"),
            ("\u{d0}\u{de}", "dth"),
            ("ﬀﬁﬂﬃﬅﬆ", "fffiflffistst"),
            ("\u{130}\u{131}\u{149}\u{13f}\u{140}", "iinll"),
            ("ẖẗẘẙẚẛẜẝẞ", "htwyasssss"),
            ("", ""),
            (" ?! ", ""),
        ] {
            assert_eq!(Keyer::Fingerprint.key(text), key, "{text}");
        }
        let pairs = Keyer::NGram(NonZeroUsize::new(2).expect("not zero"));
        assert_eq!(pairs.key("abcdefg"), "abbccddeeffg");
        assert_eq!(pairs.key("x"), "x");
        assert_eq!(pairs.key(""), "");
    }

    #[test]
    fn every_accented_latin_letter_becomes_ascii() {
        let letters = ('\u{c0}'..='\u{17f}').chain('\u{1e00}'..='\u{1eff}');
        for letter in letters.filter(|c| !"×÷".contains(*c)) {
            let key = Keyer::Fingerprint.key(&letter.to_string());
            // Four letters of Middle Welsh have no base letter.
            assert!(
                key.is_ascii() || matches!(letter, '\u{1efa}'..='\u{1eff}' | '\u{1e9f}'),
                "{letter} {key}"
            );
        }
    }

    #[test]
    fn sounds_ignore_what_no_code_covers() {
        for keyer in [Keyer::Metaphone, Keyer::Cologne, Keyer::Soundex] {
            for text in ["", "東京", "42", "!?", "\u{0}", "Ω"] {
                assert_eq!(keyer.key(text), "", "{keyer:?} {text:?}");
            }
        }
        assert_eq!(Keyer::Soundex.key("Robert"), "R163");
        assert_eq!(Keyer::Soundex.key("Rupert"), "R163");
        assert_eq!(Keyer::Cologne.key("Müller Lüdenscheidt"), "657 52682");
    }
}
