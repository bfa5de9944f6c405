//! What must not stand in a log, found in a text and taken out of it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// Takes out of a text what must not be logged.
///
/// [`Secrets`] does so for what secrets commonly look like; write one of your own for what yours look like.
pub trait Redactor: Send + Sync + fmt::Debug {
    /// The text with a placeholder in the place of every secret; borrowed where there is none.
    ///
    /// The same text must always give the same: a log remembers the field names that came back as they were.
    fn redact<'a>(&self, text: &'a str) -> Cow<'a, str>;

    /// Whether the text of a field of this name is a secret as a whole.
    fn is_secret_field(&self, name: &str) -> bool {
        let _ = name;
        false
    }
}

/// Finds what secrets commonly look like: tokens and keys by their well-known beginnings (`sk-`, `hf_`, `ghp_`, `AKIA`,
/// `xoxb-`, `AIza`, JSON Web Tokens, …), credentials after `Bearer` and `Basic`, private keys in PEM, e-mail addresses,
/// and card numbers with a right check digit. Fields named `password`, `authorization`, `api_key` and the like are
/// taken out whole.
///
/// It knows shapes, not meanings: a password in the middle of a sentence passes.
///
/// **Complexity**: O(length), without allocation where there is nothing to take out.
///
/// ```
/// use modelops_monitoring::{Redactor, Secrets};
/// let text = Secrets.redact("ada@example.org paid with 4111 1111 1111 1111, key sk-abcdefghijklmnop1234");
/// assert_eq!(text, "[email] paid with [card], key [token]");
/// ```
#[doc(alias("redact", "mask"))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Secrets;

/// How tokens of well-known makers begin, and the least length of one.
const BEGINNINGS: [(&str, usize); 24] = [
    ("sk-", 20),
    ("pk-", 20),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("hf_", 20),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("npm_", 20),
    ("pypi-", 20),
    ("AKIA", 20),
    ("ASIA", 20),
    ("AIza", 30),
    ("ya29.", 20),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("xoxa-", 16),
    ("xoxr-", 16),
    ("dop_v1_", 20),
];

/// What a field is called whose whole text is a secret, without case and separators.
const SECRET_FIELDS: [&str; 12] = [
    "password",
    "passwd",
    "secret",
    "clientsecret",
    "authorization",
    "proxyauthorization",
    "apikey",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "privatekey",
    "cookie",
];

impl Redactor for Secrets {
    fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        // Only an address can be shorter than this.
        if text.len() < 8 && !text.bytes().any(|b| b == b'@') {
            return Cow::Borrowed(text);
        }
        let found = find_all(text.as_bytes());
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut clean = String::with_capacity(text.len());
        let mut from = 0;
        for found in found {
            clean.push_str(&text[from..found.start]);
            clean.push_str(found.placeholder);
            from = found.end;
        }
        clean.push_str(&text[from..]);
        Cow::Owned(clean)
    }

    fn is_secret_field(&self, name: &str) -> bool {
        // The longest name is 18 letters; separators may be put in.
        if name.len() > 32 {
            return false;
        }
        let letters = || {
            let own = name.bytes().filter(u8::is_ascii_alphanumeric);
            own.map(|b| b.to_ascii_lowercase())
        };
        // Most names differ in their first or last letter already.
        let (Some(first), Some(last)) = (letters().next(), letters().next_back()) else {
            return false;
        };
        SECRET_FIELDS.iter().any(|secret| {
            secret.as_bytes()[0] == first
                && secret.ends_with(char::from(last))
                && secret.bytes().eq(letters())
        })
    }
}

struct Found {
    start: usize,
    end: usize,
    placeholder: &'static str,
}

/// What a byte can be part of: a word, and what it says of the word.
const WORD: u8 = 1;
const DIGIT: u8 = 2;
const AT: u8 = 4;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut b = 0;
    while b < 256 {
        let byte = b as u8;
        classes[b] = match byte {
            b'0'..=b'9' => WORD | DIGIT,
            b'@' => WORD | AT,
            b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'%' => WORD,
            _ if byte.is_ascii_alphabetic() || byte >= 128 => WORD,
            _ => 0,
        };
        b += 1;
    }
    classes
};

/// For each first byte of a word those second bytes, modulo 32, with which a secret may begin: most words are ruled out
/// by this alone.
const BEGIN: [u32; 256] = {
    let mut second = [0; 256];
    let mut i = 0;
    while i < BEGINNINGS.len() {
        let beginning = BEGINNINGS[i].0.as_bytes();
        second[beginning[0] as usize] |= 1 << (beginning[1] % 32);
        i += 1;
    }
    second[b'-' as usize] |= 1 << (b'-' % 32);
    second[b'e' as usize] |= 1 << (b'y' % 32);
    second
};

/// All secrets by rising place, none within another.
fn find_all(text: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    let (mut at, mut digits) = (0, 0);
    let mut after_scheme = false;
    while at < text.len() {
        let (start, mut said) = (at, 0);
        while let Some(byte) = text.get(at)
            && CLASSES[usize::from(*byte)] & WORD != 0
        {
            let class = CLASSES[usize::from(*byte)];
            said |= class;
            digits += usize::from(class & DIGIT != 0);
            at += 1;
        }
        let word = &text[start..at];
        if word.is_empty() {
            at += 1;
            continue;
        }
        if let Some((end, placeholder)) = judge(text, start, at, after_scheme) {
            found.push(Found {
                start,
                end,
                placeholder,
            });
            at = end;
        } else if said & AT != 0 {
            emails(word, start, &mut found);
        }
        after_scheme = word.eq_ignore_ascii_case(b"bearer") || word.eq_ignore_ascii_case(b"basic");
    }
    if digits >= CARD_DIGITS.start {
        cards(text, &mut found);
        found.sort_by_key(|found| found.start);
    }
    found
}

/// The end of the secret that begins with this word, if one does.
fn judge(text: &[u8], start: usize, end: usize, after_scheme: bool) -> Option<(usize, &'static str)> {
    let word = &text[start..end];
    let [first, second, _, _, _, _, _, _, ..] = word else {
        return None;
    };
    if !after_scheme && BEGIN[usize::from(*first)] >> (second % 32) & 1 == 0 {
        return None;
    }
    if word.starts_with(b"-----BEGIN") {
        return Some((pem_end(text, start), "[pem]"));
    }
    let begins =
        |(beginning, least): &(&str, usize)| word.len() >= *least && word.starts_with(beginning.as_bytes());
    let jwt = || word.starts_with(b"eyJ") && word.iter().filter(|b| **b == b'.').count() == 2;
    if after_scheme || BEGINNINGS.iter().any(begins) || jwt() {
        let padding = text[end..].iter().take_while(|b| **b == b'=').count();
        return Some((end + padding, "[token]"));
    }
    None
}

/// The end of a PEM block, which is the end of the text where the block is not closed.
fn pem_end(text: &[u8], start: usize) -> usize {
    const CLOSING: &[u8] = b"-----END";
    let rest = &text[start..];
    let Some(closing) = rest.windows(CLOSING.len()).position(|window| window == CLOSING) else {
        return text.len();
    };
    let label = &rest[closing + CLOSING.len()..];
    let dashes = label.windows(5).position(|window| window == b"-----");
    dashes.map_or(text.len(), |dashes| start + closing + CLOSING.len() + dashes + 5)
}

/// The addresses in a word that holds an `@`.
fn emails(word: &[u8], offset: usize, found: &mut Vec<Found>) {
    let local =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'%' | b'+' | b'-') || b >= 128;
    let domain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-') || b >= 128;
    let mut from = 0;
    for at in word
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'@')
        .map(|(at, _)| at)
    {
        let start = from
            + word[from..at]
                .iter()
                .rposition(|b| !local(*b))
                .map_or(0, |stop| stop + 1);
        let mut end = at + 1 + word[at + 1..].iter().take_while(|b| domain(**b)).count();
        while end > at + 1 && matches!(word[end - 1], b'.' | b'-') {
            end -= 1;
        }
        let dotted = word[at + 1..end].iter().skip(1).any(|b| *b == b'.');
        if start < at && dotted {
            found.push(Found {
                start: offset + start,
                end: offset + end,
                placeholder: "[email]",
            });
            from = end;
        } else {
            from = at + 1;
        }
    }
}

/// How many digits a card number has.
const CARD_DIGITS: Range<usize> = 13..20;

/// The card numbers: 13 to 19 digits, single blanks or dashes between them allowed, with a right check digit.
fn cards(text: &[u8], found: &mut Vec<Found>) {
    // What was found before is sorted, and so are the numbers: both are gone through once.
    let others = found.len();
    let (mut at, mut other) = (0, 0);
    while at < text.len() {
        if !text[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        let (mut digits, mut count, mut end) = ([0; CARD_DIGITS.end], 0, at);
        while at < text.len() {
            match text[at] {
                digit @ b'0'..=b'9' => {
                    if let Some(place) = digits.get_mut(count) {
                        *place = digit - b'0';
                    }
                    count += 1;
                    end = at + 1;
                }
                b' ' | b'-' if text.get(at + 1).is_some_and(u8::is_ascii_digit) => {}
                _ => break,
            }
            at += 1;
        }
        while other < others && found[other].end <= start {
            other += 1;
        }
        let within = other < others && found[other].start < end;
        let inside_word = start > 0 && (text[start - 1].is_ascii_alphabetic() || text[start - 1] == b'.');
        if CARD_DIGITS.contains(&count) && !inside_word && !within && luhn(&digits[..count]) {
            found.push(Found {
                start,
                end,
                placeholder: "[card]",
            });
        }
    }
}

/// Whether the last digit checks the others, by Luhn's rule; zeros alone are no number.
fn luhn(digits: &[u8]) -> bool {
    let weigh = |(place, digit): (usize, &u8)| match (place % 2, *digit) {
        (0, digit) => u32::from(digit),
        (_, digit @ 0..=4) => u32::from(digit) * 2,
        (_, digit) => u32::from(digit) * 2 - 9,
    };
    let sum: u32 = digits.iter().rev().enumerate().map(weigh).sum();
    sum > 0 && sum.is_multiple_of(10)
}
