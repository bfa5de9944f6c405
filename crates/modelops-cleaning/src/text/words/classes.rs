//! Character classes and word lists of the English tokenizer, as the tokenizer of spaCy 3.8 (MIT) draws them.

/// Letters of scripts without case, and the blocks that count with them.
#[rustfmt::skip]
const UNCASED: &[(u32, u32)] = &[
    (0x591, 0x5f4), (0x620, 0x64a), (0x66e, 0x6d5), (0x6e5, 0x6ff), (0x750, 0x77f), (0x8a0, 0x8bd), (0x900,
    0x9ff), (0xb80, 0xcff), (0xd80, 0xdff), (0x1100, 0x137f), (0x2e80, 0x2fdf), (0x2ff0, 0x30ff), (0x31c0,
    0x31ef), (0x3200, 0x4dbf), (0x4e00, 0x9fff), (0xac00, 0xd7af), (0xf900, 0xfaff), (0xfb1d, 0xfbb1), (0xfbd3,
    0xfd3d), (0xfd50, 0xfdc7), (0xfdf0, 0xfdfb), (0xfe30, 0xfe4f), (0xfe70, 0xfefc), (0x1ee00, 0x1eebb), (0x1f200,
    0x1f2ff), (0x20000, 0x2a6df), (0x2a700, 0x2ebef), (0x2f800, 0x2fa1f),
];

/// Letters of scripts with case.
#[rustfmt::skip]
const CASED: &[(u32, u32)] = &[
    (0x41, 0x5a), (0x61, 0x7a), (0xc0, 0xd6), (0xd8, 0xf6), (0xf8, 0x1bf), (0x1c4, 0x2af), (0x386, 0x386), (0x388,
    0x38a), (0x38c, 0x38c), (0x38e, 0x38f), (0x391, 0x3a9), (0x3ac, 0x3af), (0x3b1, 0x3c9), (0x3cc, 0x3ce),
    (0x400, 0x401), (0x403, 0x40a), (0x40c, 0x40d), (0x410, 0x451), (0x453, 0x45a), (0x45c, 0x45d), (0x490,
    0x491), (0x496, 0x497), (0x4a2, 0x4a3), (0x4ae, 0x4af), (0x4ba, 0x4bb), (0x4d8, 0x4d9), (0x4e8, 0x4e9),
    (0x1d00, 0x1d25), (0x1d6b, 0x1d77), (0x1d79, 0x1d9a), (0x1e00, 0x1eff), (0x2c60, 0x2c7b), (0x2c7e, 0x2c7f),
    (0xa722, 0xa76f), (0xa771, 0xa787), (0xa78b, 0xa78e), (0xa790, 0xa7b9), (0xa7fa, 0xa7fa), (0xab30, 0xab5a),
    (0xab60, 0xab64), (0xff21, 0xff3a), (0xff41, 0xff5a),
];

/// Symbols and pictographs, each a token of its own.
#[rustfmt::skip]
const ICONS: &[(u32, u32)] = &[
    (0xa6, 0xa6), (0xa9, 0xa9), (0xae, 0xae), (0xb0, 0xb0), (0x482, 0x482), (0x58d, 0x58e), (0x60e, 0x60f),
    (0x6de, 0x6de), (0x6e9, 0x6e9), (0x6fd, 0x6fe), (0x7f6, 0x7f6), (0x9fa, 0x9fa), (0xb70, 0xb70), (0xbf3,
    0xbf8), (0xbfa, 0xbfa), (0xc7f, 0xc7f), (0xd4f, 0xd4f), (0xd79, 0xd79), (0xf01, 0xf03), (0xf13, 0xf13),
    (0xf15, 0xf17), (0xf1a, 0xf1f), (0xf34, 0xf34), (0xf36, 0xf36), (0xf38, 0xf38), (0xfbe, 0xfc5), (0xfc7,
    0xfcc), (0xfce, 0xfcf), (0xfd5, 0xfd8), (0x109e, 0x109f), (0x1390, 0x1399), (0x1940, 0x1940), (0x19de,
    0x19ff), (0x1b61, 0x1b6a), (0x1b74, 0x1b7c), (0x2100, 0x2101), (0x2103, 0x2106), (0x2108, 0x2109), (0x2114,
    0x2114), (0x2116, 0x2117), (0x211e, 0x2123), (0x2125, 0x2125), (0x2127, 0x2127), (0x2129, 0x2129), (0x212e,
    0x212e), (0x213a, 0x213b), (0x214a, 0x214a), (0x214c, 0x214d), (0x214f, 0x214f), (0x218a, 0x218b), (0x2195,
    0x2199), (0x219c, 0x219f), (0x21a1, 0x21a2), (0x21a4, 0x21a5), (0x21a7, 0x21ad), (0x21af, 0x21cd), (0x21d0,
    0x21d1), (0x21d3, 0x21d3), (0x21d5, 0x21f3), (0x2300, 0x2307), (0x230c, 0x231f), (0x2322, 0x2328), (0x232b,
    0x237b), (0x237d, 0x239a), (0x23b4, 0x23db), (0x23e2, 0x2426), (0x2440, 0x244a), (0x249c, 0x24e9), (0x2500,
    0x25b6), (0x25b8, 0x25c0), (0x25c2, 0x25f7), (0x2600, 0x266e), (0x2670, 0x2767), (0x2794, 0x27bf), (0x2800,
    0x28ff), (0x2b00, 0x2b2f), (0x2b45, 0x2b46), (0x2b4d, 0x2b73), (0x2b76, 0x2b95), (0x2b98, 0x2bc8), (0x2bca,
    0x2bfe), (0x2ce5, 0x2cea), (0x2e80, 0x2e99), (0x2e9b, 0x2ef3), (0x2f00, 0x2fd5), (0x2ff0, 0x2ffb), (0x3004,
    0x3004), (0x3012, 0x3013), (0x3020, 0x3020), (0x3036, 0x3037), (0x303e, 0x303f), (0x3190, 0x3191), (0x3196,
    0x319f), (0x31c0, 0x31e3), (0x3200, 0x321e), (0x322a, 0x3247), (0x3250, 0x3250), (0x3260, 0x327f), (0x328a,
    0x32b0), (0x32c0, 0x32fe), (0x3300, 0x33ff), (0x4dc0, 0x4dff), (0xa490, 0xa4c6), (0xa828, 0xa82b), (0xa836,
    0xa837), (0xa839, 0xa839), (0xaa77, 0xaa79), (0xfdfd, 0xfdfd), (0xffe4, 0xffe4), (0xffe8, 0xffe8), (0xffed,
    0xffee), (0xfffc, 0xfffd), (0x10137, 0x1013f), (0x10179, 0x10189), (0x1018c, 0x1018e), (0x10190, 0x1019b),
    (0x101a0, 0x101a0), (0x101d0, 0x101fc), (0x10877, 0x10878), (0x10ac8, 0x10ac8), (0x1173f, 0x1173f), (0x16b3c,
    0x16b3f), (0x16b45, 0x16b45), (0x1bc9c, 0x1bc9c), (0x1d000, 0x1d0f5), (0x1d100, 0x1d126), (0x1d129, 0x1d164),
    (0x1d16a, 0x1d16c), (0x1d183, 0x1d184), (0x1d18c, 0x1d1a9), (0x1d1ae, 0x1d1e8), (0x1d200, 0x1d241), (0x1d245,
    0x1d245), (0x1d300, 0x1d356), (0x1d800, 0x1d9ff), (0x1da37, 0x1da3a), (0x1da6d, 0x1da74), (0x1da76, 0x1da83),
    (0x1da85, 0x1da86), (0x1ecac, 0x1ecac), (0x1f000, 0x1f02b), (0x1f030, 0x1f093), (0x1f0a0, 0x1f0ae), (0x1f0b1,
    0x1f0bf), (0x1f0c1, 0x1f0cf), (0x1f0d1, 0x1f0f5), (0x1f110, 0x1f16b), (0x1f170, 0x1f1ac), (0x1f1e6, 0x1f202),
    (0x1f210, 0x1f23b), (0x1f240, 0x1f248), (0x1f250, 0x1f251), (0x1f260, 0x1f265), (0x1f300, 0x1f3fa), (0x1f400,
    0x1f6d4), (0x1f6e0, 0x1f6ec), (0x1f6f0, 0x1f6f9), (0x1f700, 0x1f773), (0x1f780, 0x1f7d8), (0x1f800, 0x1f80b),
    (0x1f810, 0x1f847), (0x1f850, 0x1f859), (0x1f860, 0x1f887), (0x1f890, 0x1f8ad), (0x1f900, 0x1f90b), (0x1f910,
    0x1f93e), (0x1f940, 0x1f970), (0x1f973, 0x1f976), (0x1f97a, 0x1f97a), (0x1f97c, 0x1f9a2), (0x1f9b0, 0x1f9b9),
    (0x1f9c0, 0x1f9c2), (0x1f9d0, 0x1f9ff), (0x1fa60, 0x1fa6d),
];

const PUNCTUATION: &str = "\u{2026},:;!?\u{bf}\u{61f}\u{a1}()[]{}<>_#*&\u{3002}\u{ff1f}\u{ff01}\u{ff0c}\u{3001}\u{ff1b}\u{ff1a}\u{ff5e}\u{b7}\u{964}\u{60c}\u{6d4}\u{61b}\u{66a}";

const QUOTES: &str = "'\"\u{201d}\u{201c}`\u{2018}\u{b4}\u{2019}\u{201a},\u{201e}\u{bb}\u{ab}\u{300c}\u{300d}\u{300e}\u{300f}\u{ff08}\u{ff09}\u{3014}\u{3015}\u{3010}\u{3011}\u{300a}\u{300b}\u{3008}\u{3009}\u{2329}\u{232a}\u{27e6}\u{27e7}";

const CURRENCIES: &str = "$\u{a3}\u{20ac}\u{a5}\u{e3f}\u{20bd}\u{fdfc}\u{20b4}\u{20a0}\u{20a1}\u{20a2}\u{20a3}\u{20a4}\u{20a5}\u{20a6}\u{20a7}\u{20a8}\u{20a9}\u{20aa}\u{20ab}\u{20ac}\u{20ad}\u{20ae}\u{20af}\u{20b0}\u{20b1}\u{20b2}\u{20b3}\u{20b4}\u{20b5}\u{20b6}\u{20b7}\u{20b8}\u{20b9}\u{20ba}\u{20bb}\u{20bc}\u{20bd}\u{20be}\u{20bf}";

/// Units that are cut off a number. One of them is two that the origin ran together; it is kept so that results agree.
#[rustfmt::skip]
pub(super) const UNITS: &[&str] = &[
    "km", "km\u{b2}", "km\u{b3}", "m", "m\u{b2}", "m\u{b3}", "dm", "dm\u{b2}", "dm\u{b3}", "cm", "cm\u{b2}",
    "cm\u{b3}", "mm", "mm\u{b2}", "mm\u{b3}", "ha", "\u{b5}m", "nm", "yd", "in", "ft", "kg", "g", "mg", "\u{b5}g",
    "t", "lb", "oz", "m/s", "km/h", "kmh", "mph", "hPa", "Pa", "mbar", "mb", "MB", "kb", "KB", "gb", "GB", "tb",
    "TB", "T", "G", "M", "K", "%", "\u{43a}\u{43c}", "\u{43a}\u{43c}\u{b2}", "\u{43a}\u{43c}\u{b3}", "\u{43c}",
    "\u{43c}\u{b2}", "\u{43c}\u{b3}", "\u{434}\u{43c}", "\u{434}\u{43c}\u{b2}", "\u{434}\u{43c}\u{b3}",
    "\u{441}\u{43c}", "\u{441}\u{43c}\u{b2}", "\u{441}\u{43c}\u{b3}", "\u{43c}\u{43c}", "\u{43c}\u{43c}\u{b2}",
    "\u{43c}\u{43c}\u{b3}", "\u{43d}\u{43c}", "\u{43a}\u{433}", "\u{433}", "\u{43c}\u{433}", "\u{43c}/\u{441}",
    "\u{43a}\u{43c}/\u{447}", "\u{43a}\u{41f}\u{430}", "\u{41f}\u{430}", "\u{43c}\u{431}\u{430}\u{440}",
    "\u{41a}\u{431}", "\u{41a}\u{411}", "\u{43a}\u{431}", "\u{41c}\u{431}", "\u{41c}\u{411}", "\u{43c}\u{431}",
    "\u{413}\u{431}", "\u{413}\u{411}", "\u{433}\u{431}", "\u{422}\u{431}", "\u{422}\u{411}",
    "\u{442}\u{431}\u{643}\u{645}", "\u{643}\u{645}\u{b2}", "\u{643}\u{645}\u{b3}", "\u{645}", "\u{645}\u{b2}",
    "\u{645}\u{b3}", "\u{633}\u{645}", "\u{633}\u{645}\u{b2}", "\u{633}\u{645}\u{b3}", "\u{645}\u{645}",
    "\u{645}\u{645}\u{b2}", "\u{645}\u{645}\u{b3}", "\u{643}\u{645}", "\u{63a}\u{631}\u{627}\u{645}",
    "\u{62c}\u{631}\u{627}\u{645}", "\u{62c}\u{645}", "\u{643}\u{63a}", "\u{645}\u{644}\u{63a}",
    "\u{643}\u{648}\u{628}", "\u{627}\u{643}\u{648}\u{627}\u{628}",
];

/// Currencies of more than one character.
pub(super) const LONG_CURRENCIES: [&str; 3] = ["US$", "C$", "A$"];

fn within(ranges: &[(u32, u32)], c: char) -> bool {
    let c = u32::from(c);
    let at = ranges.partition_point(|&(_, last)| last < c);
    ranges.get(at).is_some_and(|&(first, _)| first <= c)
}

pub(super) fn is_alpha(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphabetic();
    }
    within(CASED, c) || within(UNCASED, c)
}

pub(super) fn is_lower(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_lowercase();
    }
    // U+0294 has no case today and had one when the classes were drawn.
    (within(CASED, c) && (c.is_lowercase() || c == '\u{294}')) || within(UNCASED, c)
}

pub(super) fn is_upper(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_uppercase();
    }
    (within(CASED, c) && c.is_uppercase()) || within(UNCASED, c)
}

pub(super) fn is_quote(c: char) -> bool {
    if c.is_ascii() {
        return matches!(c, '\'' | '"' | '`' | ',');
    }
    QUOTES.contains(c)
}

pub(super) fn is_currency(c: char) -> bool {
    c == '$' || (!c.is_ascii() && CURRENCIES.contains(c))
}

/// Cut off both ends of a word.
fn is_outer(c: char) -> bool {
    if c.is_ascii() {
        return ASCII_OUTER >> u32::from(c) & 1 == 1;
    }
    PUNCTUATION.contains(c) || is_quote(c) || is_icon(c) || matches!(c, '\u{2014}' | '\u{2013}')
}

/// The bits of ASCII's share of the punctuation and the quotes.
const ASCII_OUTER: u128 = {
    let marks = b",:;!?()[]{}<>_#*&'\"`";
    let (mut bits, mut at) = (0, 0);
    while at < marks.len() {
        bits |= 1 << marks[at];
        at += 1;
    }
    bits
};

pub(super) fn is_icon(c: char) -> bool {
    !c.is_ascii() && within(ICONS, c)
}

/// Cut off the front of a word; `+` too, unless a digit follows.
pub(super) fn is_prefix(c: char) -> bool {
    if c.is_ascii() {
        return is_outer(c) || matches!(c, '$' | '%' | '=');
    }
    is_outer(c) || is_currency(c) || c == '\u{a7}'
}

/// Cut off the end of a word whatever stands before it.
pub(super) fn is_suffix(c: char) -> bool {
    is_outer(c)
}

/// What may stand before a full stop that ends a word. The class was written with the marks of a pattern in it (`|`, `?`,
/// `:` and brackets), which therefore belong to it.
pub(super) fn ends_before_stop(c: char) -> bool {
    c.is_ascii_digit()
        || is_lower(c)
        || matches!(c, '%' | '\u{b2}' | '-' | '+' | '|' | '?' | ':' | '(' | ')')
        || (c.is_ascii() && is_outer(c))
        || (!c.is_ascii() && (PUNCTUATION.contains(c) || is_quote(c)))
}

/// White space as Python's `str.isspace` has it: that of Unicode and the four separators of ASCII.
pub(in crate::text) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// What a byte of a text begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Byte {
    Letter,
    Space,
    Other,
    NotAscii,
}

const BYTES: [Byte; 256] = {
    let mut classes = [Byte::NotAscii; 256];
    let mut at = 0;
    while at < 0x80 {
        classes[at] = match at as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => Byte::Letter,
            b'\t'..=b'\r' | 0x1c..=b' ' => Byte::Space,
            _ => Byte::Other,
        };
        at += 1;
    }
    classes
};

pub(super) fn class_of(byte: u8) -> Byte {
    BYTES[usize::from(byte)]
}
