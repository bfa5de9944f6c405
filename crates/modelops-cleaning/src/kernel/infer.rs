//! What type a column can have, judged from every one of its values.

use crate::spec::ColumnType;

/// The types that every value seen so far would survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    int: bool,
    float: bool,
    bool: bool,
    any: bool,
}

impl Default for Candidate {
    fn default() -> Self {
        Self {
            int: true,
            float: true,
            bool: true,
            any: false,
        }
    }
}

impl Candidate {
    /// Takes a value into account; missing ones are not shown to it.
    #[inline]
    pub(crate) fn see(&mut self, text: &[u8]) {
        self.any = true;
        if self.int || self.float {
            match number(text) {
                Some(Number::Int) => {}
                Some(Number::Float) => self.int = false,
                None => {
                    self.int = false;
                    self.float = false;
                }
            }
        }
        if self.bool && text != b"true" && text != b"false" {
            self.bool = false;
        }
    }

    /// A column whose format names its type.
    #[cfg(feature = "frame")]
    pub(crate) fn of(kind: ColumnType) -> Self {
        Self {
            int: kind == ColumnType::Int,
            float: matches!(kind, ColumnType::Int | ColumnType::Float),
            bool: kind == ColumnType::Bool,
            any: true,
        }
    }

    /// Takes a value into account that its format already calls text.
    #[cfg(feature = "frame")]
    pub(crate) fn see_text(&mut self) {
        *self = Self {
            int: false,
            float: false,
            bool: false,
            any: true,
        };
    }

    /// Whether no value to come can change that the column is text.
    #[inline]
    pub(crate) fn is_text(self) -> bool {
        self.any && !(self.int || self.float || self.bool)
    }

    /// The narrowest type that fits; text where there was no value at all.
    pub(crate) fn kind(self) -> ColumnType {
        if !self.any {
            ColumnType::Text
        } else if self.int {
            ColumnType::Int
        } else if self.float {
            ColumnType::Float
        } else if self.bool {
            ColumnType::Bool
        } else {
            ColumnType::Text
        }
    }

    /// Whether every value seen is written as the narrow parser of `kind` reads it.
    #[cfg(feature = "frame")]
    pub(crate) fn fits(self, kind: ColumnType) -> bool {
        match kind {
            ColumnType::Int => self.int,
            ColumnType::Float => self.float,
            ColumnType::Bool => self.bool,
            ColumnType::Text => true,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Int,
    Float,
}

/// The longest whole number that a double holds exactly, in digits.
const EXACT_DIGITS: usize = 15;

/// Whether `text` is a plain decimal number that loses nothing by becoming one.
fn number(text: &[u8]) -> Option<Number> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    // Leading zeros belong to codes, not to numbers.
    if whole == 0 || (whole > 1 && digits[0] == b'0') {
        return None;
    }
    let rest = &digits[whole..];
    if rest.is_empty() {
        return (whole <= EXACT_DIGITS).then_some(Number::Int);
    }
    if whole > 308 {
        return None;
    }
    let rest = rest.strip_prefix(b".")?;
    let fraction = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if fraction == 0 {
        return None;
    }
    let rest = &rest[fraction..];
    if rest.is_empty() {
        return Some(Number::Float);
    }
    // 1.5e-7 is a number; 1e5 (no point) was refused above, it may be an id.
    let rest = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E"))?;
    let rest = rest
        .strip_prefix(b"-")
        .or_else(|| rest.strip_prefix(b"+"))
        .unwrap_or(rest);
    let exponent = rest.len() <= 3 && !rest.is_empty() && rest.iter().all(u8::is_ascii_digit);
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (exponent && value.is_finite()).then_some(Number::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(values: &[&str]) -> ColumnType {
        let mut candidate = Candidate::default();
        for value in values {
            candidate.see(value.as_bytes());
        }
        candidate.kind()
    }

    #[test]
    fn codes_stay_text() {
        assert_eq!(kind(&["1", "-20", "0"]), ColumnType::Int);
        assert_eq!(kind(&["1", "2.50", "-0.1", "1.5e-7"]), ColumnType::Float);
        assert_eq!(kind(&["true", "false"]), ColumnType::Bool);
        assert_eq!(kind(&[]), ColumnType::Text);
        for code in [
            "00501",
            "1e5",
            "+49",
            "9007199254740993",
            "1.",
            ".5",
            "1e400",
            "1.0e999",
            "NaN",
            "inf",
            "0x1",
            "1_0",
        ] {
            assert_eq!(kind(&["1", code]), ColumnType::Text, "{code}");
        }
    }
}
