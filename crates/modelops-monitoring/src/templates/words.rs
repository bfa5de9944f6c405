//! From a log line to its skeleton: the words that stay, with a mark for everything that varies.

/// What stands for one or more varying words.
pub(super) const WILD: u8 = 0x1;
/// What parts words within a skeleton.
pub(super) const BREAK: u8 = 0x1f;

/// Words longer than this vary.
const LONGEST_WORD: usize = 40;
/// Units, which belong to the number before them.
const UNITS: [&[u8]; 18] = [
    b"B", b"KB", b"MB", b"GB", b"TB", b"PB", b"kB", b"KiB", b"MiB", b"GiB", b"TiB", b"ms", b"us", b"ns",
    b"s", b"sec", b"secs", b"min",
];
/// Names of days and months, which are dates.
const DAYS: [&[u8]; 26] = [
    b"Mon",
    b"Tue",
    b"Wed",
    b"Thu",
    b"Fri",
    b"Sat",
    b"Sun",
    b"Jan",
    b"Feb",
    b"Mar",
    b"Apr",
    b"May",
    b"Jun",
    b"Jul",
    b"Aug",
    b"Sep",
    b"Oct",
    b"Nov",
    b"Dec",
    b"Monday",
    b"Tuesday",
    b"Wednesday",
    b"Thursday",
    b"Friday",
    b"Saturday",
    b"Sunday",
];

const SEPARATOR: u8 = 1;
const DIGIT: u8 = 2;
const SLASH: u8 = 4;
const DOT: u8 = 8;
/// Letters, digits, `_` and everything beyond ASCII.
const LETTER: u8 = 16;
/// What a path or its query consists of.
const PATH: u8 = 32;
const NOT_HEX: u8 = 64;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut b = 0;
    while b < 256 {
        let byte = b as u8;
        let mut class = match byte {
            b'=' | b':' => SEPARATOR | PATH,
            b',' | b';' | b'|' | b'"' | b'\'' | b'[' | b']' | b'(' | b')' | b'{' | b'}' | b'<' | b'>' => {
                SEPARATOR
            }
            0..=b' ' => SEPARATOR,
            b'0'..=b'9' => DIGIT | LETTER | PATH,
            b'/' => SLASH | PATH,
            b'.' => DOT | PATH,
            b'_' | 128..=255 => LETTER | PATH,
            b'@' | b'~' | b'+' | b'$' | b'%' | b'&' | b'?' | b'#' | b'-' => PATH,
            _ if byte.is_ascii_alphabetic() => LETTER | PATH,
            _ => 0,
        };
        if !byte.is_ascii_hexdigit() {
            class |= NOT_HEX;
        }
        classes[b] = class;
        b += 1;
    }
    classes
};

#[inline]
fn class(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

/// A word of the line, by its place.
#[derive(Debug, Clone, Copy)]
struct Word {
    start: u32,
    end: u32,
    wild: bool,
}

/// Buffers that are used again for every line.
#[derive(Debug, Clone, Default)]
pub(super) struct Splitter {
    words: Vec<Word>,
    /// The skeleton: words with a [`BREAK`] after each.
    pub(super) skeleton: Vec<u8>,
    /// The places of what the marks stand for.
    pub(super) varying: Vec<(u32, u32)>,
}

impl Splitter {
    /// Splits `line`; the skeleton and the varying places are then in the buffers.
    pub(super) fn split(&mut self, line: &[u8]) {
        self.words.clear();
        self.scan(line);
        self.skeleton.clear();
        self.varying.clear();
        let mut after_wild = false;
        for word in &self.words {
            let text = &line[word.start as usize..word.end as usize];
            if word.wild || (after_wild && is_unit(text)) {
                if after_wild {
                    if let Some(last) = self.varying.last_mut() {
                        last.1 = word.end;
                    }
                    continue;
                }
                after_wild = true;
                self.varying.push((word.start, word.end));
                self.skeleton.extend_from_slice(&[WILD, BREAK]);
            } else {
                after_wild = false;
                self.skeleton.extend_from_slice(text);
                self.skeleton.push(BREAK);
            }
        }
    }

    fn scan(&mut self, line: &[u8]) {
        // Where the words within the innermost bracket begin.
        let mut bracket = None;
        let mut at = 0;
        while at < line.len() {
            let byte = line[at];
            if class(byte) & SEPARATOR != 0 {
                match byte {
                    b'(' | b'[' => bracket = Some(self.words.len()),
                    b')' | b']' => {
                        if let Some(open) = bracket.take()
                            && self.only_varies(line, open)
                        {
                            self.words.truncate(open);
                        }
                    }
                    _ => {}
                }
                at += 1;
                continue;
            }
            at = self.word(line, at);
        }
    }

    /// Whether the words from `open` on are at most one mark once they are put together.
    fn only_varies(&self, line: &[u8], open: usize) -> bool {
        let mut after_wild = false;
        self.words[open..].iter().all(|word| {
            let text = &line[word.start as usize..word.end as usize];
            let varies = word.wild || (after_wild && is_unit(text));
            after_wild = true;
            varies
        })
    }

    /// Takes the word that begins at `start` and gives the place after it.
    fn word(&mut self, line: &[u8], start: usize) -> usize {
        let (mut end, mut said, mut dots) = (start, 0, 0);
        let mut path = None;
        while let Some(byte) = line.get(end) {
            let class = class(*byte);
            if class & SEPARATOR != 0 {
                break;
            }
            if class & SLASH != 0 && path.is_none() && self::path(line, start, end) {
                path = Some(end);
            }
            said |= class;
            dots += usize::from(class & DOT != 0);
            end += 1;
        }
        let mut wild = said & DIGIT != 0 || path.is_some();
        if path.is_some() {
            // The rest of a path may hold what parts words elsewhere.
            while line.get(end).is_some_and(|byte| class(*byte) & PATH != 0) {
                end += 1;
            }
        } else if line[end..].starts_with(b"://") && is_scheme(&line[start..end]) {
            wild = true;
            let stops =
                |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b'"' | b'\'' | b')' | b']');
            end += line[end..].iter().position(stops).unwrap_or(line.len() - end);
        }
        let text = &line[start..end];
        wild = wild
            || text.len() > LONGEST_WORD
            || (dots > 0 && is_host(text, &line[end..]))
            || (text.len() >= 8 && said & NOT_HEX == 0)
            || DAYS.contains(&text);
        self.words.push(Word {
            start: start as u32,
            end: end as u32,
            wild,
        });
        end
    }
}

/// Whether a path begins at the slash at `at`: nothing that belongs to a word stands before it, and a name follows.
fn path(line: &[u8], start: usize, at: usize) -> bool {
    let before = at > start && class(line[at - 1]) & LETTER != 0;
    let after = line
        .get(at + 1)
        .is_some_and(|byte| class(*byte) & (PATH | SLASH) == PATH);
    !before && after
}

fn is_scheme(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_lowercase)
        && text
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'+' | b'.' | b'-'))
}

fn is_unit(text: &[u8]) -> bool {
    text.len() <= 4 && UNITS.contains(&text)
}

/// Whether the word names a host: parts with two dots between them at least, or one dot and a port after it. What is
/// called like a function is none.
fn is_host(text: &[u8], after: &[u8]) -> bool {
    let called = after.first() == Some(&b'(');
    let port = after.first() == Some(&b':') && after.get(1).is_some_and(u8::is_ascii_digit);
    let belongs = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let mut from = 0;
    while from < text.len() {
        if !belongs(text[from]) {
            from += 1;
            continue;
        }
        let end = from + text[from..].iter().take_while(|b| belongs(**b)).count();
        let before = from.checked_sub(1).map(|before| text[before]);
        let run = text[from..end].strip_suffix(b".").unwrap_or(&text[from..end]);
        let whole = end == text.len();
        if !(matches!(before, Some(b'/' | b'@')) || whole && called) {
            let parts = run.split(|b| *b == b'.');
            let named = parts.clone().all(|part| !part.is_empty());
            let last = parts.clone().next_back().unwrap_or_default();
            let letters = last.len() >= 2 && last.iter().all(u8::is_ascii_alphabetic);
            let count = parts.count();
            if named && (count >= 3 || (count == 2 && whole && port && letters)) {
                return true;
            }
        }
        from = end;
    }
    false
}
