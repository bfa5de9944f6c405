//! What is cut off the front, off the end and out of the middle of a word.

use super::classes::{
    LONG_CURRENCIES, UNITS, ends_before_stop, is_alpha, is_currency, is_icon, is_lower, is_prefix, is_quote,
    is_suffix, is_upper,
};

/// Bytes to cut off the front.
pub(super) fn prefix_len(word: &str) -> usize {
    let mut chars = word.chars();
    let Some(first) = chars.next() else {
        return 0;
    };
    match first {
        '+' => usize::from(!chars.next().is_some_and(|c| c.is_ascii_digit())),
        '.' => match dots_at_start(word) {
            1 => 0,
            dots => dots,
        },
        _ if is_prefix(first) => first.len_utf8(),
        'U' | 'C' | 'A' => LONG_CURRENCIES
            .iter()
            .find(|currency| word.starts_with(**currency))
            .map_or(0, |currency| currency.len()),
        _ => 0,
    }
}

fn dots_at_start(word: &str) -> usize {
    word.bytes().take_while(|&byte| byte == b'.').count()
}

/// Bytes to cut off the end: the longest piece that any rule finds.
pub(super) fn suffix_len(word: &str) -> usize {
    let mut back = word.chars().rev();
    let Some(last) = back.next() else {
        return 0;
    };
    let before = back.next();
    let mut longest = 0;
    if is_suffix(last) {
        longest = last.len_utf8();
        if word.ends_with("\u{2026}\u{2026}") {
            longest = "\u{2026}\u{2026}".len();
        }
    }
    if matches!(last, 's' | 'S') && matches!(before, Some('\'' | '\u{2019}')) {
        longest = longest.max(1 + before.map_or(0, char::len_utf8));
    }
    if last == '.' {
        let dots = word.bytes().rev().take_while(|&byte| byte == b'.').count();
        if dots > 1 {
            longest = longest.max(dots);
        } else if before.is_some_and(ends_before_stop) || stop_after_capitals(word, before) {
            longest = longest.max(1);
        }
    }
    let after_digit = |length: usize| word[..word.len() - length].ends_with(|c: char| c.is_ascii_digit());
    if last == '+' && after_digit(1) {
        longest = longest.max(1);
    }
    if is_currency(last) && after_digit(last.len_utf8()) {
        longest = longest.max(last.len_utf8());
    }
    if last == '$' {
        for currency in LONG_CURRENCIES {
            if word.ends_with(currency) && after_digit(currency.len()) {
                longest = longest.max(currency.len());
            }
        }
    }
    // A unit ends with a letter, a power or the percent sign.
    let may_be_unit = !last.is_ascii() || last.is_ascii_alphabetic() || last == '%';
    // No unit is longer, and a long word must not be searched again for each mark cut off it.
    let mut end = word.bytes().rev().take(16);
    if may_be_unit && end.any(|byte| byte.is_ascii_digit()) {
        for unit in UNITS {
            if unit.len() > longest && word.ends_with(unit) && after_digit(unit.len()) {
                longest = unit.len();
            }
        }
    }
    longest
}

/// `U.S` or `°C` before the stop.
fn stop_after_capitals(word: &str, before: Option<char>) -> bool {
    let mut back = word.chars().rev().skip(2);
    let Some(second) = back.next() else {
        return false;
    };
    let degrees = second == '\u{b0}' && matches!(before, Some('F' | 'f' | 'C' | 'c' | 'K' | 'k'));
    degrees || (before.is_some_and(is_upper) && is_upper(second))
}

/// The pieces in the middle of a word that are tokens of their own, as byte ranges, in order.
pub(super) fn infixes(word: &str, out: &mut Vec<(usize, usize)>) {
    out.clear();
    let mut previous: Option<char> = None;
    let mut at = 0;
    while let Some(c) = word[at..].chars().next() {
        let length = if c.is_ascii_alphanumeric() {
            0
        } else {
            infix_len(&word[at..], c, previous)
        };
        if length > 0 {
            out.push((at, at + length));
            previous = word[..at + length].chars().next_back();
            at += length;
        } else {
            previous = Some(c);
            at += c.len_utf8();
        }
    }
}

fn infix_len(rest: &str, c: char, previous: Option<char>) -> usize {
    let next = rest[c.len_utf8()..].chars().next();
    let after_digit = previous.is_some_and(|p| p.is_ascii_digit());
    let after_alpha = previous.is_some_and(is_alpha);
    let before_alpha = next.is_some_and(is_alpha);
    if c == '.' {
        let dots = dots_at_start(rest);
        if dots > 1 {
            return dots;
        }
        let sentence = previous.is_some_and(|p| is_lower(p) || is_quote(p))
            && next.is_some_and(|n| is_upper(n) || is_quote(n));
        return usize::from(sentence);
    }
    if c == '\u{2026}' || is_icon(c) {
        return c.len_utf8();
    }
    let arithmetic = matches!(c, '+' | '-' | '*' | '^')
        && after_digit
        && next.is_some_and(|n| n.is_ascii_digit() || n == '-');
    if arithmetic {
        return 1;
    }
    if c == ',' {
        return usize::from(after_alpha && before_alpha);
    }
    if !(after_alpha || after_digit) {
        return 0;
    }
    match c {
        '-' | '\u{2013}' | '\u{2014}' | '~' if before_alpha => c.len_utf8(),
        '-' | '\u{2014}' => ["--", "---", "\u{2014}\u{2014}"]
            .into_iter()
            .find(|dash| {
                rest.strip_prefix(dash)
                    .and_then(|tail| tail.chars().next())
                    .is_some_and(is_alpha)
            })
            .map_or(0, str::len),
        ':' | '<' | '>' | '=' | '/' => usize::from(before_alpha),
        _ => 0,
    }
}
