//! Personal data in text: e-mail addresses, IP addresses, payment cards, telephone numbers.
//!
//! E-mail and IP addresses are found, and replaced, as datatrove's `PIIFormatter` does; cards and numbers are not in datatrove. A rule
//! finds what looks like such data; it does not know names, places or ids.
//!
//! ```
//! use modelops_cleaning::text::pii::{Kind, Pii};
//!
//! let pii = Pii::default();
//! let scrubbed = pii.scrub("Ask ann@corp.test or 8.8.8.8, pay with 4111 1111 1111 1111, call +49 30 901820.");
//! assert_eq!(
//!     scrubbed.text,
//!     "Ask email@example.com or 22.214.171.124, pay with 0000 0000 0000 0000, call +1 555 0100."
//! );
//! assert_eq!(scrubbed.found.iter().map(|found| found.kind).collect::<Vec<_>>(),
//!     [Kind::Email, Kind::Ip, Kind::Card, Kind::Phone]);
//! ```

use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// A kind of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// An e-mail address.
    Email,
    /// An IPv4 address that is routed in the public net; those of private nets and documentation stay.
    Ip,
    /// A payment card: a length and first digits that a network issues, and a check digit by Luhn's rule.
    Card,
    /// A telephone number: international with its plus sign, or of North America with its separators.
    Phone,
}

const KINDS: [Kind; 4] = [Kind::Email, Kind::Ip, Kind::Card, Kind::Phone];

/// A place where personal data was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// Its bytes in the text it was found in.
    pub bytes: Range<usize>,
}

/// A text without its personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrubbed {
    /// The text, with a replacement for everything that was found.
    pub text: String,
    /// What was found, in its order.
    pub found: Vec<Found>,
}

/// Finds personal data and puts other data in its place. By default all kinds, with datatrove's replacements where it has some.
#[doc(alias("anonymize", "personal_data", "email"))]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pii {
    kinds: Vec<(Kind, Vec<String>)>,
}

impl Default for Pii {
    fn default() -> Self {
        let replacements = |kind| -> &[&str] {
            match kind {
                Kind::Email => &["email@example.com", "firstname.lastname@example.org"],
                Kind::Ip => &[
                    "22.214.171.124",
                    "126.96.36.199",
                    "188.8.131.52",
                    "184.108.40.206",
                    "220.127.116.11",
                    "18.104.22.168",
                ],
                Kind::Card => &["0000 0000 0000 0000"],
                Kind::Phone => &["+1 555 0100"],
            }
        };
        let texts = |kind| replacements(kind).iter().map(|&text| text.to_owned()).collect();
        Self {
            kinds: KINDS.map(|kind| (kind, texts(kind))).to_vec(),
        }
    }
}

static PATTERNS: LazyLock<[Regex; 4]> = LazyLock::new(|| {
    let octet = "(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)";
    let name = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
    let label = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?";
    let literal = format!(r"\[(?:{octet}\.){{3}}(?:{octet}|[A-Za-z0-9-]*[A-Za-z0-9]:)\]");
    let patterns = [
        format!(r"\b{name}(?:\.{name})*@(?:(?:{label}\.)+{label}|{literal})"),
        format!(r"(?:{octet}\.){{3}}{octet}"),
        r"\b[3-6][0-9](?:[ -]?[0-9]){11,17}\b".to_owned(),
        r"\+[0-9]{1,3}(?:[ ./-]?\(?[0-9]{1,5}\)?){1,6}\b|(?:\([0-9]{3}\) ?|\b[0-9]{3}[-. ])[0-9]{3}[-. ][0-9]{4}\b".to_owned(),
    ];
    patterns.map(|pattern| Regex::new(&pattern).expect("the pattern is constant"))
});

impl Pii {
    /// Looks for nothing yet.
    #[must_use]
    pub fn none() -> Self {
        Self { kinds: Vec::new() }
    }

    /// Looks for `kind`, and puts `replacements` in its place, one after the other and from the first again; with no
    /// replacement it is cut out.
    #[must_use]
    pub fn with<S: Into<String>>(mut self, kind: Kind, replacements: impl IntoIterator<Item = S>) -> Self {
        self.kinds.retain(|(known, _)| *known != kind);
        self.kinds
            .push((kind, replacements.into_iter().map(Into::into).collect()));
        self.kinds.sort_by_key(|(kind, _)| *kind as usize);
        self
    }

    /// What stands in the place of `kind`, one after the other; nothing where it is not looked for.
    #[must_use]
    pub fn replacements(&self, kind: Kind) -> &[String] {
        let known = self.kinds.iter().find(|(known, _)| *known == kind);
        known.map_or(&[], |(_, texts)| texts)
    }

    /// Everything that is found, in its order. Where two kinds overlap, the first of them in the order of [`Kind`] counts.
    #[must_use]
    pub fn find(&self, text: &str) -> Vec<Found> {
        let mut all: Vec<Found> = Vec::new();
        // Every kind needs an at sign or a digit.
        if !text.bytes().any(|byte| byte == b'@' || byte.is_ascii_digit()) {
            return all;
        }
        for &(kind, _) in &self.kinds {
            let free = |bytes: &Range<usize>| {
                all.iter()
                    .all(|f| f.bytes.end <= bytes.start || f.bytes.start >= bytes.end)
            };
            let found: Vec<Found> = PATTERNS[kind as usize]
                .find_iter(text)
                .filter(|found| is_valid(kind, found.as_str()))
                .map(|found| found.range())
                .filter(free)
                .map(|bytes| Found { kind, bytes })
                .collect();
            all.extend(found);
        }
        all.sort_by_key(|found| found.bytes.start);
        all
    }

    /// The text with a replacement for everything that is found. Replacements are counted from the first in every text, so a text
    /// gives the same result wherever it stands.
    #[must_use]
    pub fn scrub(&self, text: &str) -> Scrubbed {
        let found = self.find(text);
        let mut out = String::with_capacity(text.len());
        let mut counts = [0; KINDS.len()];
        let mut done = 0;
        for Found { kind, bytes } in &found {
            out.push_str(&text[done..bytes.start]);
            let texts = self.replacements(*kind);
            if !texts.is_empty() {
                let count = &mut counts[*kind as usize];
                out.push_str(&texts[*count % texts.len()]);
                *count += 1;
            }
            done = bytes.end;
        }
        out.push_str(&text[done..]);
        Scrubbed { text: out, found }
    }
}

fn is_valid(kind: Kind, text: &str) -> bool {
    let digits = || text.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0');
    match kind {
        Kind::Email => true,
        Kind::Ip => text.parse().is_ok_and(is_public),
        Kind::Card => {
            let digits: Vec<u8> = digits().collect();
            is_issued(&digits) && luhn(&digits)
        }
        // E.164 has fifteen digits at most; fewer than seven are an extension.
        Kind::Phone => (7..=15).contains(&digits().count()),
    }
}

/// Whether the address is routed everywhere (the registry of special addresses of RFC 6890).
fn is_public(address: Ipv4Addr) -> bool {
    let [a, b, c, d] = address.octets();
    let special = match (a, b) {
        (0 | 10 | 127 | 240..=255, _) => true,
        (100, 64..=127) | (169, 254) | (172, 16..=31) | (192, 168) | (198, 18 | 19) => true,
        (192, 0) => c == 2 || (c == 0 && !matches!(d, 9 | 10)),
        (198, 51) => c == 100,
        (203, 0) => c == 113,
        _ => false,
    };
    !special
}

/// Whether some network issues cards of this length with these first digits.
fn is_issued(digits: &[u8]) -> bool {
    let first = |count: usize| {
        digits
            .iter()
            .take(count)
            .fold(0u32, |n, &d| 10 * n + u32::from(d))
    };
    let count = digits.len();
    match first(2) {
        34 | 37 => count == 15,
        36 | 38 | 39 => (14..=19).contains(&count),
        30 => matches!(first(3), 300..=305 | 309) && (14..=19).contains(&count),
        35 => matches!(first(4), 3528..=3589) && (16..=19).contains(&count),
        40..=49 => matches!(count, 13 | 16 | 19),
        51..=55 => count == 16,
        60 => first(4) == 6011 && (16..=19).contains(&count),
        62 | 65 => (16..=19).contains(&count),
        64 => first(3) >= 644 && (16..=19).contains(&count),
        _ => false,
    }
}

/// Luhn's rule: with every second digit from the right doubled, and nine taken off above nine, all add up to a multiple of ten.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, &digit)| match (at % 2, digit) {
            (0, digit) => u32::from(digit),
            (_, digit @ 0..=4) => 2 * u32::from(digit),
            (_, digit) => 2 * u32::from(digit) - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(Kind, &str)> {
        Pii::default()
            .find(text)
            .into_iter()
            .map(|found| (found.kind, &text[found.bytes]))
            .collect()
    }

    #[test]
    fn cards_need_a_network_and_a_check_digit() {
        // The networks' own numbers for tests.
        for card in [
            "4111111111111111",
            "4012 8888 8888 1881",
            "5555-5555-5555-4444",
            "378282246310005",
            "6011111111111117",
            "3530111333300000",
            "30569309025904",
        ] {
            assert_eq!(found(&format!("x {card}.")), [(Kind::Card, card)]);
        }
        for other in [
            "4111111111111112",
            "9111111111111111",
            "41111111111111111111111",
            "4111",
            "0000 0000 0000 0000",
        ] {
            assert_eq!(found(other), [], "{other}");
        }
    }

    #[test]
    fn addresses_of_private_nets_stay() {
        for address in [
            "10.0.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "172.31.0.9",
            "203.0.113.7",
            "08.8.8.8",
        ] {
            assert_eq!(found(address), [], "{address}");
        }
        assert_eq!(found("172.32.0.9"), [(Kind::Ip, "172.32.0.9")]);
        assert_eq!(
            found("a@[8.8.8.8] 8.8.4.4"),
            [(Kind::Email, "a@[8.8.8.8]"), (Kind::Ip, "8.8.4.4")]
        );
    }

    #[test]
    fn telephone_numbers_need_a_plus_or_their_separators() {
        for number in [
            "+44 20 7946 0958",
            "+1-202-555-0143",
            "(202) 555-0143",
            "202.555.0143",
            "+4930901820",
        ] {
            assert_eq!(found(number), [(Kind::Phone, number)], "{number}");
        }
        for other in ["2024-05-06", "1234567", "+1", "3.14159265", "+123456789012345678"] {
            assert_eq!(found(other), [], "{other}");
        }
    }

    #[test]
    fn nothing_found_changes_nothing() {
        for text in ["", "no data", "@", "a@b", "é@ü.de"] {
            assert_eq!(Pii::default().scrub(text).text, text);
        }
        let cut = Pii::none().with(Kind::Email, [""; 0]);
        assert_eq!(cut.scrub("a@b.de, 8.8.8.8").text, ", 8.8.8.8");
    }
}
