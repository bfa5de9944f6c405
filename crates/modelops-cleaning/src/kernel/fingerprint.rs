//! 128-bit fingerprints of records and cells.

use unicode_normalization::UnicodeNormalization as _;
use xxhash_rust::xxh3::xxh3_128;

use crate::spec::ColumnType;

/// A fingerprint; never zero, so that zero can mark a free slot.
#[inline]
pub(crate) fn of(bytes: &[u8]) -> u128 {
    let hash = xxh3_128(bytes);
    if hash == 0 { 1 } else { hash }
}

/// Cells laid one after the other so that different records never give the same bytes: a tag, then a value of known
/// length.
#[derive(Debug, Default)]
pub(crate) struct Cells(Vec<u8>);

impl Cells {
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn missing(&mut self) {
        self.0.push(0);
    }

    pub(crate) fn text(&mut self, text: &[u8]) {
        self.0.push(1);
        self.0.extend_from_slice(&(text.len() as u64).to_le_bytes());
        self.0.extend_from_slice(text);
    }

    /// White space around the text, its case, and how its characters are composed do not count.
    pub(crate) fn normalised(&mut self, text: &str) {
        let text = text.trim();
        if text.is_ascii() {
            self.text(text.to_ascii_lowercase().as_bytes());
        } else {
            // Lower case may take a composed character apart, so composing comes last.
            let folded: String = text.to_lowercase().nfc().collect();
            self.text(folded.as_bytes());
        }
    }

    /// A text as the value of its column's type; one that is none counts as text.
    pub(crate) fn value(&mut self, kind: ColumnType, text: &str) {
        match kind {
            ColumnType::Int => match text.parse() {
                Ok(value) => self.int(value),
                Err(_) => self.text(text.as_bytes()),
            },
            ColumnType::Float => match text.parse() {
                Ok(value) => self.float(value),
                Err(_) => self.text(text.as_bytes()),
            },
            ColumnType::Bool if text == "true" => self.bool(true),
            ColumnType::Bool if text == "false" => self.bool(false),
            ColumnType::Bool | ColumnType::Text => self.text(text.as_bytes()),
        }
    }

    pub(crate) fn int(&mut self, value: i64) {
        self.0.push(2);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// One NaN, one zero.
    pub(crate) fn float(&mut self, value: f64) {
        let canonical = if value.is_nan() {
            f64::NAN
        } else if value == 0.0 {
            0.0
        } else {
            value
        };
        self.0.push(3);
        self.0.extend_from_slice(&canonical.to_bits().to_le_bytes());
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.0.extend_from_slice(&[4, u8::from(value)]);
    }

    pub(crate) fn fingerprint(&self) -> u128 {
        of(&self.0)
    }
}
