//! Text that was decoded with the wrong encoding, and other marks that programs leave in text.
//!
//! Gives the results of ftfy 6.3 with its defaults: line by line, entities are replaced (unless the text has a `<`), wrong
//! decodings are undone, ligatures, full-width forms, curled quotes, line ends, terminal escapes and control characters are made plain, and
//! characters are composed (NFC). Of HTML's names the 252 of HTML 4 are known.
//!
//! ```
//! use modelops_cleaning::text::repair::{CodePage, Repair, repair, repair_and_explain};
//!
//! assert_eq!(repair("schÃ¶n, â€œfineâ€\u{9d}"), "schön, \"fine\"");
//! assert_eq!(repair("voilÃ  le travail"), "voilà le travail");
//! assert_eq!(repair("schön"), "schön");
//! let (text, steps) = repair_and_explain("sÃ³");
//! assert_eq!((text.as_str(), steps.as_slice()), ("só", &[Repair::Decoded(CodePage::Latin1)][..]));
//! ```
//!
//! # References
//! R. Speer, ftfy, 2019, doi:10.5281/zenodo.2591652.

mod bad;
mod bytes;
mod entities;
mod pages;

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

pub use pages::CodePage;

use bad::is_bad;
use pages::PAGES;

/// What was done to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Repair {
    /// Entities of HTML became the characters they stand for.
    Entities,
    /// The text had been decoded as this, and is UTF-8.
    Decoded(CodePage),
    /// The text had been decoded as Latin-1, and is Windows-1252.
    Windows,
    /// Parts of the text had been decoded wrongly.
    Parts,
    /// Control characters 80 to 9F became those of Windows-1252.
    Controls,
    /// Ligatures became letters.
    Ligatures,
    /// Full-width and half-width forms became plain ones.
    Width,
    /// Curled quotes became straight ones.
    Quotes,
    /// Line ends became `\n`.
    LineEnds,
    /// Escapes of terminals are gone.
    Escapes,
    /// Control characters are gone.
    ControlsGone,
    /// Characters were composed.
    Composed,
}

/// The repaired text; borrowed where nothing was to be done.
///
/// # Complexity
/// O(characters) for a bounded number of rounds; plain ASCII costs a look at each byte.
#[doc(alias("mojibake", "ftfy"))]
#[must_use]
pub fn repair(text: &str) -> Cow<'_, str> {
    if text.lines().all(is_plain) && !text.contains('\r') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(repair_and_explain(text).0)
}

/// The repaired text, and what was done to it, each step once and in the order of its first time.
#[must_use]
pub fn repair_and_explain(text: &str) -> (String, Vec<Repair>) {
    let mut out = String::with_capacity(text.len());
    let mut steps = Vec::new();
    let mut entities = true;
    for line in text.split_inclusive('\n') {
        entities &= !line.contains('<');
        if is_plain(line) {
            out.push_str(line);
        } else {
            out.push_str(&segment(line, entities, &mut steps));
        }
    }
    (out, steps)
}

/// Whether nothing can be wrong: printable ASCII without an ampersand.
fn is_plain(line: &str) -> bool {
    line.bytes()
        .all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n') && byte != b'&')
}

/// Rounds after which a text that still changes is left as it is.
const ROUNDS: usize = 100;

fn segment(line: &str, entities: bool, steps: &mut Vec<Repair>) -> String {
    let mut text = line.to_owned();
    let mut apply = |text: &mut String, step: Repair, changed: Option<String>| {
        let Some(changed) = changed.filter(|changed| changed != text) else {
            return false;
        };
        *text = changed;
        if !steps.contains(&step) {
            steps.push(step);
        }
        true
    };
    for _ in 0..ROUNDS {
        let mut changed = false;
        if entities {
            let plain = entities::unescape(&text);
            changed |= apply(&mut text, Repair::Entities, plain);
        }
        for _ in 0..ROUNDS {
            let Some((step, fixed)) = undo(&text) else { break };
            changed |= apply(&mut text, step, Some(fixed));
        }
        type Step = fn(&str) -> Option<String>;
        let steps: [(Repair, Step); 8] = [
            (Repair::Controls, controls),
            (Repair::Ligatures, |text| each(text, ligature)),
            (Repair::Width, |text| each(text, width)),
            (Repair::Quotes, |text| each(text, quote)),
            (Repair::LineEnds, line_ends),
            (Repair::Escapes, escapes),
            (Repair::ControlsGone, without_controls),
            (Repair::Composed, composed),
        ];
        for (step, run) in steps {
            let next = run(&text);
            changed |= apply(&mut text, step, next);
        }
        if !changed {
            break;
        }
    }
    text
}

/// One step back from a wrong decoding; `None` where there was none, or it cannot be undone.
fn undo(text: &str) -> Option<(Repair, String)> {
    if !is_bad(text) {
        return None;
    }
    let mut latin = false;
    for page in PAGES {
        let Some(mut encoded) = page.encode(text) else {
            continue;
        };
        latin |= page == CodePage::Latin1;
        // In MacRoman an en dash before a blank would look like such a sequence.
        if page != CodePage::MacRoman
            && let Some(restored) = bytes::restore_blanks(&encoded)
        {
            encoded = restored;
        }
        if page.is_of_windows()
            && let Some(marked) = bytes::mark_losses(&encoded)
        {
            encoded = marked;
        }
        if let Some(decoded) = bytes::decode(&encoded) {
            return (decoded != text).then_some((Repair::Decoded(page), decoded));
        }
    }
    if let Some(parts) = parts(text).filter(|parts| parts != text) {
        return Some((Repair::Parts, parts));
    }
    let fixed = controls(text)?;
    let step = if latin { Repair::Windows } else { Repair::Controls };
    Some((step, fixed))
}

/// What a text with wrongly decoded sequences is made of: characters of first bytes and of continuing bytes in any of the
/// encodings of Windows or Latin-1.
struct Clues {
    first: [HashSet<char>; 3],
    continues: HashSet<char>,
}

static CLUES: LazyLock<Clues> = LazyLock::new(|| {
    let of = |bytes: &[u8]| -> HashSet<char> {
        let pages = PAGES
            .iter()
            .filter(|page| page.is_of_windows() || **page == CodePage::Latin1);
        pages
            .flat_map(|page| bytes.iter().map(|&byte| page.decode(byte)))
            .collect()
    };
    let range = |from: u8, to: u8| (from..=to).collect::<Vec<u8>>();
    Clues {
        first: [of(&range(0xc2, 0xdf)), of(&range(0xe0, 0xef)), of(&[0xf0, 0xf3])],
        continues: of(&range(0x80, 0xbf)),
    }
});

/// Punctuation that often stands before a word, and so says nothing about the sequence after it.
const OFTEN_BEFORE: &str = "–—―‘’‚“”„•…";

/// Undoes wrong decodings of parts of a text.
fn parts(text: &str) -> Option<String> {
    let letters: Vec<(usize, char)> = text.char_indices().collect();
    let continues = |c: char| c == ' ' || CLUES.continues.contains(&c);
    let strictly = |c: char| CLUES.continues.contains(&c) && !OFTEN_BEFORE.contains(c);
    let sequence = |at: usize| {
        let (_, c) = *letters.get(at)?;
        let length = 2 + CLUES.first.iter().position(|first| first.contains(&c))?;
        let rest = letters.get(at + 1..at + length)?;
        rest.iter().all(|&(_, c)| continues(c)).then_some(length)
    };
    let mut out = String::with_capacity(text.len());
    let mut changed = false;
    let mut at = 0;
    while at < letters.len() {
        let mut end = at;
        if at == 0 || !strictly(letters[at - 1].1) {
            while let Some(length) = sequence(end) {
                end += length;
            }
        }
        let until = |at: usize| letters.get(at).map_or(text.len(), |&(place, _)| place);
        if end == at {
            out.push(letters[at].1);
            at += 1;
            continue;
        }
        let part = &text[letters[at].0..until(end)];
        let mut fixed = part.to_owned();
        if part.len() < text.len() {
            for _ in 0..ROUNDS {
                let Some((_, next)) = undo(&fixed) else { break };
                changed = true;
                fixed = next;
            }
        }
        out.push_str(&fixed);
        at = end;
    }
    changed.then_some(out)
}

/// Reads characters 80 to 9F as Windows-1252.
fn controls(text: &str) -> Option<String> {
    let wrong = |c: char| matches!(c, '\u{80}'..='\u{9f}');
    let read = |c: char| {
        if wrong(c) {
            CodePage::Windows1252.decode(c as u8)
        } else {
            c
        }
    };
    text.contains(wrong).then(|| text.chars().map(read).collect())
}

/// Replaces characters; `None` where there is none to replace.
fn each(text: &str, replace: impl Fn(char) -> Option<Cow<'static, str>>) -> Option<String> {
    let mut out: Option<String> = None;
    for (at, c) in text.char_indices() {
        match (replace(c), &mut out) {
            (None, None) => {}
            (None, Some(out)) => out.push(c),
            (Some(with), out) => out.get_or_insert_with(|| text[..at].to_owned()).push_str(&with),
        }
    }
    out
}

fn ligature(c: char) -> Option<Cow<'static, str>> {
    Some(Cow::Borrowed(match c {
        'Ĳ' => "IJ",
        'ĳ' => "ij",
        'ŉ' => "ʼn",
        'Ǳ' => "DZ",
        'ǲ' => "Dz",
        'ǳ' => "dz",
        'Ǆ' => "DŽ",
        'ǅ' => "Dž",
        'ǆ' => "dž",
        'Ǉ' => "LJ",
        'ǈ' => "Lj",
        'ǉ' => "lj",
        'Ǌ' => "NJ",
        'ǋ' => "Nj",
        'ǌ' => "nj",
        'ﬀ' => "ff",
        'ﬁ' => "fi",
        'ﬂ' => "fl",
        'ﬃ' => "ffi",
        'ﬄ' => "ffl",
        'ﬅ' => "ſt",
        'ﬆ' => "st",
        _ => return None,
    }))
}

fn width(c: char) -> Option<Cow<'static, str>> {
    match c {
        '\u{3000}' => Some(Cow::Borrowed(" ")),
        '\u{ff01}'..='\u{ffef}' => {
            let plain: String = std::iter::once(c).nfkc().collect();
            (!plain.chars().eq([c])).then_some(Cow::Owned(plain))
        }
        _ => None,
    }
}

fn quote(c: char) -> Option<Cow<'static, str>> {
    match c {
        '\u{2bc}' | '\u{2018}'..='\u{201b}' => Some(Cow::Borrowed("'")),
        '\u{201c}'..='\u{201f}' => Some(Cow::Borrowed("\"")),
        _ => None,
    }
}

fn line_ends(text: &str) -> Option<String> {
    let breaks = |c: char| matches!(c, '\r' | '\u{2028}' | '\u{2029}' | '\u{85}');
    text.contains(breaks)
        .then(|| text.replace("\r\n", "\n").replace(breaks, "\n"))
}

static ESCAPE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\x1b\[[\d;]*[a-zA-Z]").expect("the pattern is constant"));

fn escapes(text: &str) -> Option<String> {
    match ESCAPE.replace_all(text, "") {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => Some(text),
    }
}

/// Control characters without a use in text.
fn is_control(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffc}')
}

fn without_controls(text: &str) -> Option<String> {
    text.contains(is_control)
        .then(|| text.chars().filter(|&c| !is_control(c)).collect())
}

fn composed(text: &str) -> Option<String> {
    (is_nfc_quick(text.chars()) != IsNormalized::Yes).then(|| text.nfc().collect())
}
