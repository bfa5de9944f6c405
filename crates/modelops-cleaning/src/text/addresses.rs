//! Pages by their addresses: lists of hosts, of addresses and of words.
//!
//! The rules and reasons of datatrove's `URLFilter`, with lists of one's own: none is shipped. A host is judged by itself and by every host
//! above it, without a list of public suffixes: an entry `co.uk` would match all of it.

use std::collections::HashSet;
use std::fmt;

use regex::Regex;

/// Why an address is refused; its text is that of datatrove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressReason {
    /// A host above that of the address is listed, or its own where that has two labels.
    Domain,
    /// The host of the address is listed.
    Subdomain,
    /// The address is listed.
    Url,
    /// A word that may not occur.
    HardWord,
    /// Too many words that may occur alone.
    SoftWords,
    /// A text that may not occur even within a word.
    Part,
}

impl fmt::Display for AddressReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Domain => "domain",
            Self::Subdomain => "subdomain",
            Self::Url => "url",
            Self::HardWord => "hard_blacklisted",
            Self::SoftWords => "soft_blacklisted",
            Self::Part => "blacklisted_subword",
        })
    }
}

/// Judges addresses by lists. Each list is a text with an entry a line; lines that begin with `#` and blank ones are passed over.
///
/// # Example
/// ```
/// use modelops_cleaning::text::addresses::{AddressReason, Addresses};
///
/// let lists = Addresses::default().with_hosts("# ads\nads.test").with_soft_words("free\ncasino", 2);
/// assert_eq!(lists.judge("https://www.ads.test/page"), Some(AddressReason::Domain));
/// assert_eq!(lists.judge("https://ok.test/free/casino"), Some(AddressReason::SoftWords));
/// assert_eq!(lists.judge("https://ok.test/free"), None);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    hosts: HashSet<String>,
    addresses: HashSet<String>,
    hard: HashSet<String>,
    soft: HashSet<String>,
    threshold: usize,
    parts: Option<Regex>,
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::trim)
        .filter(|line| !line.is_empty())
}

/// Letters and digits alone, in lower case.
fn letters(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

impl Addresses {
    /// Adds hosts; everything below a host is refused with it.
    #[must_use]
    pub fn with_hosts(mut self, list: &str) -> Self {
        self.hosts.extend(entries(list).map(str::to_ascii_lowercase));
        self
    }

    /// Adds whole addresses, as they are written.
    #[must_use]
    pub fn with_addresses(mut self, list: &str) -> Self {
        self.addresses.extend(entries(list).map(str::to_owned));
        self
    }

    /// Adds words one of which is enough. Words of an address are its runs of letters and digits, compared in their case with entries
    /// in lower case, as datatrove does.
    #[must_use]
    pub fn with_hard_words(mut self, list: &str) -> Self {
        self.hard.extend(entries(list).map(letters));
        self
    }

    /// Adds words of which it takes `threshold` different ones.
    #[must_use]
    pub fn with_soft_words(mut self, list: &str, threshold: usize) -> Self {
        self.soft.extend(entries(list).map(letters));
        self.threshold = threshold;
        self
    }

    /// Looks for these texts, instead of any given before, anywhere among the letters and digits of an address.
    #[must_use]
    pub fn with_parts(mut self, list: &str) -> Self {
        let escaped: Vec<String> = entries(list)
            .map(letters)
            .filter(|part| !part.is_empty())
            .collect();
        // Plain texts always compile; a list beyond the size limit of a pattern would not, and is far beyond any in use.
        self.parts = (!escaped.is_empty())
            .then(|| Regex::new(&escaped.join("|")).ok())
            .flatten();
        self
    }

    /// Why the address is refused; `None` where it is not.
    #[must_use]
    pub fn judge(&self, address: &str) -> Option<AddressReason> {
        let host = host(address);
        let mut above = host.as_str();
        while let Some((_, rest)) = above.split_once('.') {
            above = rest;
            if self.hosts.contains(above) {
                return Some(AddressReason::Domain);
            }
        }
        if self.hosts.contains(&host) {
            let own = host.matches('.').count() > 1;
            return Some(if own {
                AddressReason::Subdomain
            } else {
                AddressReason::Domain
            });
        }
        if self.addresses.contains(address) {
            return Some(AddressReason::Url);
        }
        let words: HashSet<&str> = address.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        if words.iter().any(|word| self.hard.contains(*word)) {
            return Some(AddressReason::HardWord);
        }
        let soft = words.iter().filter(|word| self.soft.contains(**word)).count();
        if self.threshold > 0 && soft >= self.threshold {
            return Some(AddressReason::SoftWords);
        }
        let part = self
            .parts
            .as_ref()
            .is_some_and(|parts| parts.is_match(&letters(address)));
        part.then_some(AddressReason::Part)
    }
}

/// The host of an address, in lower case, without user and port.
fn host(address: &str) -> String {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_has_its_reason() {
        let lists = Addresses::default()
            .with_hosts("bad.test\ndeep.fine.test\n# no.test\n\n")
            .with_addresses("http://fine.test/a?b")
            .with_hard_words("worst")
            .with_soft_words("one\ntwo\nthree", 2)
            .with_parts("b-ad part");
        for (address, reason) in [
            ("http://bad.test/", Some(AddressReason::Domain)),
            ("bad.test", Some(AddressReason::Domain)),
            ("https://user:x@WWW.bad.test.:8080?q", Some(AddressReason::Domain)),
            ("http://deep.fine.test", Some(AddressReason::Subdomain)),
            ("http://notbad.test/", None),
            ("http://no.test/", None),
            ("http://fine.test/a?b", Some(AddressReason::Url)),
            ("http://fine.test/a", None),
            ("http://fine.test/the-worst", Some(AddressReason::HardWord)),
            ("http://fine.test/worstcase", None),
            ("http://fine.test/one-two", Some(AddressReason::SoftWords)),
            ("http://fine.test/one-one", None),
            ("http://fine.test/ABAD_PARTY", Some(AddressReason::Part)),
            ("", None),
            ("://", None),
        ] {
            assert_eq!(lists.judge(address), reason, "{address}");
        }
        assert_eq!(Addresses::default().judge("http://bad.test/"), None);
    }
}
