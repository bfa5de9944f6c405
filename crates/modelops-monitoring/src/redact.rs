//! What must not stand in a log, taken out of every text before it is formatted.

use std::fmt;
use std::io::{self, Write};

use serde_json::ser::{CharEscape, Formatter};

/// Takes out of a text what must not be logged.
///
/// [`Secrets`] does so for what secrets commonly look like; write one of your own for what yours look like.
pub trait Redactor: Send + Sync + fmt::Debug {
    /// Puts a placeholder in the place of every secret.
    fn redact(&self, text: &mut String);

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
/// let mut text = String::from("ada@example.org paid with 4111 1111 1111 1111, key sk-abcdefghijklmnop1234");
/// Secrets.redact(&mut text);
/// assert_eq!(text, "[email] paid with [card], key [token]");
/// ```
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
    fn redact(&self, text: &mut String) {
        if text.len() < 8 {
            return;
        }
        let found = find_all(text.as_bytes());
        // From the end, so that what is found before stays in its place.
        for Found {
            start,
            end,
            placeholder,
        } in found.into_iter().rev()
        {
            text.replace_range(start..end, placeholder);
        }
    }

    fn is_secret_field(&self, name: &str) -> bool {
        // The longest name is 18 letters; separators may be put in.
        if name.len() > 32 {
            return false;
        }
        let letters = name
            .bytes()
            .filter(u8::is_ascii_alphanumeric)
            .map(|b| b.to_ascii_lowercase());
        SECRET_FIELDS
            .iter()
            .any(|secret| secret.bytes().eq(letters.clone()))
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
const DASH: u8 = 8;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut b = 0;
    while b < 256 {
        let byte = b as u8;
        classes[b] = match byte {
            b'0'..=b'9' => WORD | DIGIT,
            b'@' => WORD | AT,
            b'-' => WORD | DASH,
            b'_' | b'.' | b'~' | b'+' | b'/' | b'%' => WORD,
            _ if byte.is_ascii_alphabetic() || byte >= 128 => WORD,
            _ => 0,
        };
        b += 1;
    }
    classes
};

/// All secrets by rising place, none within another.
fn find_all(text: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    let (mut at, mut digits) = (0, 0);
    let mut after_scheme = false;
    while at < text.len() {
        let start = at;
        let mut said = 0;
        while at < text.len() && CLASSES[usize::from(text[at])] & WORD != 0 {
            let class = CLASSES[usize::from(text[at])];
            said |= class;
            digits += usize::from(class & DIGIT != 0);
            at += 1;
        }
        let word = &text[start..at];
        if let Some((end, placeholder)) = judge(text, start, at, said, after_scheme) {
            found.push(Found {
                start,
                end,
                placeholder,
            });
            at = end;
        } else if said & AT != 0 {
            emails(word, start, &mut found);
        }
        if !word.is_empty() {
            after_scheme = word.eq_ignore_ascii_case(b"bearer") || word.eq_ignore_ascii_case(b"basic");
        }
        if start == at {
            at += 1;
        }
    }
    if digits >= 13 {
        cards(text, &mut found);
        found.sort_by_key(|found| found.start);
    }
    found
}

/// The end of the secret that begins with this word, if one does.
fn judge(
    text: &[u8],
    start: usize,
    end: usize,
    said: u8,
    after_scheme: bool,
) -> Option<(usize, &'static str)> {
    let word = &text[start..end];
    if word.len() < 5 {
        return None;
    }
    if said & DASH != 0 && word.starts_with(b"-----BEGIN") {
        return Some((pem_end(text, start), "[pem]"));
    }
    if word.len() < 8 {
        return None;
    }
    let padded = end + text[end..].iter().take_while(|b| **b == b'=').count();
    if after_scheme {
        return Some((padded, "[token]"));
    }
    // Few beginnings share a first letter with ordinary words of that length.
    let begins =
        |(beginning, least): &(&str, usize)| word.len() >= *least && word.starts_with(beginning.as_bytes());
    let jwt = || word.starts_with(b"eyJ") && word.iter().filter(|b| **b == b'.').count() == 2;
    (BEGINNINGS.iter().any(begins) || jwt()).then_some((padded, "[token]"))
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

/// The card numbers: 13 to 19 digits, single blanks or dashes between them allowed, with a right check digit.
fn cards(text: &[u8], found: &mut Vec<Found>) {
    let mut at = 0;
    while at < text.len() {
        if !text[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        let (mut digits, mut end) = (Vec::new(), at);
        while at < text.len() {
            match text[at] {
                digit @ b'0'..=b'9' => {
                    digits.push(digit - b'0');
                    end = at + 1;
                }
                b' ' | b'-' if text.get(at + 1).is_some_and(u8::is_ascii_digit) => {}
                _ => break,
            }
            at += 1;
        }
        let inside_word = start > 0 && (text[start - 1].is_ascii_alphabetic() || text[start - 1] == b'.');
        let within = found.iter().any(|found| found.start < end && start < found.end);
        if (13..=19).contains(&digits.len()) && !inside_word && !within && luhn(&digits) {
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

/// Formats JSON on one line, each text redacted as a whole before it is escaped.
pub(crate) struct Redacting<'a> {
    redactor: &'a dyn Redactor,
    /// The text being gathered.
    text: &'a mut String,
    in_key: bool,
    /// Whether the value that follows is a secret by its field's name.
    secret: bool,
}

impl<'a> Redacting<'a> {
    /// `text` is a buffer to be reused.
    pub(crate) fn new(redactor: &'a dyn Redactor, text: &'a mut String) -> Self {
        Self {
            redactor,
            text,
            in_key: false,
            secret: false,
        }
    }
}

impl Formatter for Redacting<'_> {
    fn begin_string<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.text.clear();
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, _: &mut W, fragment: &str) -> io::Result<()> {
        self.text.push_str(fragment);
        Ok(())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, _: &mut W, escape: CharEscape) -> io::Result<()> {
        self.text.push(match escape {
            CharEscape::Quote => '"',
            CharEscape::ReverseSolidus => '\\',
            CharEscape::Solidus => '/',
            CharEscape::Backspace => '\u{8}',
            CharEscape::FormFeed => '\u{c}',
            CharEscape::LineFeed => '\n',
            CharEscape::CarriageReturn => '\r',
            CharEscape::Tab => '\t',
            CharEscape::AsciiControl(byte) => char::from(byte),
        });
        Ok(())
    }

    fn end_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.in_key {
            self.secret = self.redactor.is_secret_field(self.text);
        } else if std::mem::take(&mut self.secret) {
            return writer.write_all(b"\"[secret]\"");
        }
        self.redactor.redact(self.text);
        write_escaped(writer, self.text)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.in_key = true;
        if first { Ok(()) } else { writer.write_all(b",") }
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.in_key = false;
        Ok(())
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.secret = false;
        Ok(())
    }
}

fn write_escaped<W: ?Sized + Write>(writer: &mut W, text: &str) -> io::Result<()> {
    writer.write_all(b"\"")?;
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0x8 => b"\\b",
            0xc => b"\\f",
            0..0x20 => b"",
            _ => continue,
        };
        writer.write_all(&text.as_bytes()[from..at])?;
        if escape.is_empty() {
            write!(writer, "\\u{byte:04x}")?;
        } else {
            writer.write_all(escape)?;
        }
        from = at + 1;
    }
    writer.write_all(&text.as_bytes()[from..])?;
    writer.write_all(b"\"")
}
