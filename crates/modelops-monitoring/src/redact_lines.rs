//! Secrets taken out of JSON lines that are formatted already, before they go to the disk.
//!
//! Every text is judged as what it says, escapes undone, so that no way of writing hides a secret; a text without
//! secrets stays as it is, byte by byte.

use std::borrow::Cow;

use serde::Deserialize;

use crate::redact::Redactor;

/// Field names that are remembered; a log has few.
const NAMES: usize = 64;
/// Bytes of a value that is remembered; longer ones are seldom the same twice.
const VALUE: usize = 64;

/// A field name without a secret, as it stands in a line, `"name":`, and the text without a secret that followed it
/// last, in its quotes: the values of many fields are few.
#[derive(Debug)]
struct Plain {
    name: Box<str>,
    value: String,
}

/// Takes the secrets out of the lines of one log.
#[derive(Debug)]
pub(crate) struct LineRedactor {
    redactor: Box<dyn Redactor>,
    /// Names that neither are secret nor hold a secret.
    plain: Vec<Plain>,
    /// The one of them that comes next where the records have the same fields.
    next: usize,
    clean: String,
}

impl LineRedactor {
    pub(crate) fn new(redactor: Box<dyn Redactor>) -> Self {
        Self {
            redactor,
            plain: Vec::new(),
            next: 0,
            clean: String::new(),
        }
    }

    /// `lines`, whole JSON lines, with a placeholder for every secret; copied only where there is one.
    ///
    /// **Complexity**: O(length), without allocation where there is nothing to take out and no text has an escape.
    pub(crate) fn redact<'a>(&'a mut self, lines: &'a str) -> &'a str {
        self.clean.clear();
        // Up to `copied` the lines are in `clean`, redacted.
        let (mut copied, mut at) = (0, 0);
        // The remembered name that was passed last, and where it ended.
        let mut named: Option<(usize, usize)> = None;
        let bytes = lines.as_bytes();
        while let Some(gap) = bytes[at..].iter().position(|b| *b == b'"') {
            let start = at + gap;
            if let Some(Plain { name, value }) = self.plain.get(self.next)
                && bytes[start..].starts_with(name.as_bytes())
            {
                at = start + name.len();
                named = Some((self.next, at));
                if !value.is_empty() && bytes[at..].starts_with(value.as_bytes()) {
                    at += value.len();
                }
                self.next = (self.next + 1) % self.plain.len();
                continue;
            }
            let (end, escaped) = text_end(bytes, start + 1);
            at = end;
            let text = if escaped {
                unescaped(&lines[start..end])
            } else {
                Cow::Borrowed(lines.get(start + 1..end - 1).unwrap_or_default())
            };
            let redacted = self.redactor.redact(&text);
            let plain = matches!(&redacted, Cow::Borrowed(same) if std::ptr::eq(*same, &*text));
            if !plain {
                self.clean.push_str(&lines[copied..start]);
                push_escaped(&mut self.clean, &redacted);
                copied = end;
            }
            let colon = skip_blanks(bytes, end);
            if bytes.get(colon) != Some(&b':') {
                if let Some((name, _)) = named.filter(|(_, end)| plain && *end == start) {
                    let value = Some(&lines[start..end]).filter(|value| value.len() <= VALUE);
                    value.unwrap_or_default().clone_into(&mut self.plain[name].value);
                }
                continue;
            }
            if self.redactor.is_secret_field(&text) {
                let value = skip_blanks(bytes, colon + 1);
                at = value_end(bytes, value);
                if !matches!(lines[value..at].trim_end(), "null" | "true" | "false") {
                    self.clean.push_str(&lines[copied..value]);
                    self.clean.push_str("\"[secret]\"");
                    copied = at;
                }
            } else if plain {
                self.remember(&lines[start..=colon]);
            }
        }
        if copied == 0 {
            return lines;
        }
        self.clean.push_str(&lines[copied..]);
        &self.clean
    }

    /// Keeps a plain name, and expects after it what came after it last time.
    fn remember(&mut self, name: &str) {
        let known = self.plain.iter().position(|known| *known.name == *name);
        let place = known.unwrap_or(self.plain.len());
        if known.is_none() && place < NAMES {
            self.plain.push(Plain {
                name: name.into(),
                value: String::new(),
            });
        }
        self.next = (place + 1) % self.plain.len();
    }

    /// Gives back what the last lines took.
    pub(crate) fn shrink(&mut self) {
        self.clean = String::new();
    }
}

/// The place after the closing quote of the text that begins at `from`, and whether an escape is in it.
fn text_end(bytes: &[u8], from: usize) -> (usize, bool) {
    let (mut at, mut escaped) = (from, false);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => break,
            b'\\' => {
                escaped = true;
                at += 1;
            }
            _ => {}
        }
    }
    (at.min(bytes.len()), escaped)
}

fn skip_blanks(bytes: &[u8], from: usize) -> usize {
    let blanks = bytes[from..].iter().take_while(|b| b.is_ascii_whitespace());
    from + blanks.count()
}

/// The place after the value that begins at `from`.
fn value_end(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = text_end(bytes, at + 1).0 - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 1 => depth -= 1,
            // The bracket that closes the value, or the object that the value stands in.
            b'}' | b']' => return at + depth,
            b',' | b'\n' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// What a quoted text says; as it is written where it is no JSON.
fn unescaped(quoted: &str) -> Cow<'_, str> {
    let mut reader = serde_json::Deserializer::from_str(quoted);
    String::deserialize(&mut reader).map_or(Cow::Borrowed(quoted), Cow::Owned)
}

fn push_escaped(line: &mut String, text: &str) {
    line.push_str(&serde_json::Value::from(text).to_string());
}
