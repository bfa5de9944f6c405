//! The canonical text of a typed value: the one way in which each is written.
//!
//! Whole numbers have neither a plus sign nor leading zeros, and no minus before zero. Floating point numbers are the
//! shortest text that reads back to the same bits, with a point or an exponent. So equal values have equal texts, but
//! for −0.0, and a text that is canonical already needs neither to be parsed nor to be printed.

use std::io::Write as _;

use crate::spec::ColumnType;

/// Digits that every double keeps: up to so many, different decimals are different doubles, so the shortest text of the
/// double nearest to a decimal is that decimal.
const KEPT_DIGITS: usize = 15;

/// Whether `text` is a whole number in canonical form, of at most fifteen digits. Longer ones are not recognised.
#[inline]
pub(crate) fn is_int(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    match digits {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.len() < KEPT_DIGITS && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// How many of the bytes of `text` are the canonical form of the number that it is: all of them, or all but zeros at the
/// end of the fraction. `None` where that cannot be told without parsing.
#[inline]
pub(crate) fn float_prefix(text: &[u8]) -> Option<usize> {
    let start = usize::from(text.first() == Some(&b'-'));
    let point = start + digits(&text[start..]);
    let fraction = text.get(point + 1..)?;
    if text[point] != b'.' || fraction.is_empty() || digits(fraction) != fraction.len() {
        return None;
    }
    let whole = &text[start..point];
    let kept = fraction.len() - fraction.iter().rev().take_while(|&&b| b == b'0').count();
    if whole.len() + kept > KEPT_DIGITS {
        return None;
    }
    match whole {
        // Minus zero is told apart, and very small numbers have an exponent.
        b"0" if kept == 0 && start == 1 => return None,
        b"0" if kept > 0 && fraction.starts_with(b"000") => return None,
        b"0" | [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    Some(point + 1 + kept.max(1))
}

/// How many digits `text` starts with.
#[inline]
fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_digit()).count()
}

/// Appends the canonical text of the value of type `kind` that `text` is; `None` where it is none.
pub(crate) fn write(kind: ColumnType, text: &str, out: &mut Vec<u8>) -> Option<()> {
    match kind {
        ColumnType::Int => write_int(text.parse().ok()?, out),
        ColumnType::Float => match float_prefix(text.as_bytes()) {
            Some(length) => out.extend_from_slice(&text.as_bytes()[..length]),
            None => write_float(text.parse().ok()?, out),
        },
        ColumnType::Bool if text == "true" || text == "false" => out.extend_from_slice(text.as_bytes()),
        ColumnType::Bool => return None,
        ColumnType::Text => out.extend_from_slice(text.as_bytes()),
    }
    Some(())
}

/// Appends the canonical text of a whole number.
pub(crate) fn write_int(value: i64, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("memory takes whatever is written");
}

/// Appends the canonical text of a floating point number: `NaN`, `inf` and `-inf` where it is not finite.
pub(crate) fn write_float(value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(zmij::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(kind: ColumnType, text: &str) -> Option<String> {
        let mut out = Vec::new();
        write(kind, text, &mut out)?;
        Some(String::from_utf8(out).unwrap())
    }

    fn printed(value: f64) -> String {
        zmij::Buffer::new().format(value).to_owned()
    }

    #[test]
    fn by_hand() {
        for (text, canonical) in [
            ("1.10", "1.1"),
            ("-0.0", "-0.0"),
            ("0.000", "0.0"),
            ("5", "5.0"),
            ("+5.0", "5.0"),
            ("0.00001", "0.00001"),
            ("0.000001", "1e-6"),
            ("1234567890123456789", "1.2345678901234568e+18"),
            ("1e400", "inf"),
            ("nan", "NaN"),
        ] {
            assert_eq!(written(ColumnType::Float, text).as_deref(), Some(canonical));
        }
        assert_eq!(written(ColumnType::Int, "+007").as_deref(), Some("7"));
        assert_eq!(written(ColumnType::Int, "-0").as_deref(), Some("0"));
        assert_eq!(written(ColumnType::Int, "9223372036854775808"), None);
        assert_eq!(written(ColumnType::Bool, "True"), None);
        assert!(is_int(b"-120") && is_int(b"0") && !is_int(b"-0") && !is_int(b"01") && !is_int(b""));
        assert!(!is_int(b"1234567890123456") && !is_int(b"1e5") && !is_int(b"-"));
        for text in [
            "", "-", ".", "1.", ".5", "00.5", "1.5e3", "0.0001", "-0.0", "1.2.3", "x",
        ] {
            assert_eq!(float_prefix(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        /// Law: what is taken for canonical is what parsing and printing gives.
        #[test]
        fn a_canonical_prefix_is_what_printing_gives(
            text in "-?(0|[1-9][0-9]{0,16}|[0-9]{1,4})(\\.[0-9]{0,17}|\\.0{0,4}[0-9]{0,3}0{0,12})?(e-?[0-9]{1,3})?",
        ) {
            if let Some(length) = float_prefix(text.as_bytes()) {
                prop_assert_eq!(&text[..length], printed(text.parse().unwrap()));
            }
            if is_int(text.as_bytes()) {
                prop_assert_eq!(&text, &text.parse::<i64>().unwrap().to_string());
            }
        }

        /// Law: the canonical text reads back to the same bits and is its own canonical text.
        #[test]
        fn nothing_is_lost(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            let text = written(ColumnType::Float, &value.to_string()).unwrap();
            prop_assert_eq!(&text, &printed(value));
            let back: f64 = text.parse().unwrap();
            prop_assert!(back.to_bits() == bits || value.is_nan() && back.is_nan());
            prop_assert_eq!(written(ColumnType::Float, &text), Some(text));
        }
    }
}
