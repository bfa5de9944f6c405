//! From text to the set of its shingles.

use super::NearError;
use crate::text::fold::each_word;
use xxhash_rust::xxh3::xxh3_64;

/// What a shingle is made of.
///
/// Text is compared in canonical composition (NFC) and lower case; everything that is neither a letter nor a digit
/// separates words. A document with fewer units than a shingle holds has one shingle, all of it; a document with no
/// word at all has none, and is never a near duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shingle {
    /// Runs of this many words; 5 is usual for documents.
    Words(usize),
    /// Runs of this many characters, words joined by one space; for short records (3) and for scripts that put no
    /// space between words (5).
    Chars(usize),
}

impl Shingle {
    /// The longest shingle, in units.
    pub const MAX_SIZE: usize = 1024;

    pub(in crate::text) fn validated(self) -> Result<Self, NearError> {
        let (Self::Words(size) | Self::Chars(size)) = self;
        if (1..=Self::MAX_SIZE).contains(&size) {
            Ok(self)
        } else {
            Err(NearError::ShingleSize { size })
        }
    }

    fn size(self) -> usize {
        let (Self::Words(size) | Self::Chars(size)) = self;
        size
    }

    /// The distinct shingles of `text`, hashed to 64 bits, ascending.
    pub(in crate::text) fn set(self, text: &str, scratch: &mut Scratch) -> Vec<u64> {
        scratch.units.clear();
        match self {
            Self::Words(_) => each_word(text, &mut scratch.buffer, |word| {
                scratch.units.push(xxh3_64(word));
            }),
            Self::Chars(_) => {
                let units = &mut scratch.units;
                each_word(text, &mut scratch.buffer, |word| {
                    if !units.is_empty() {
                        units.push(mix(u64::from(b' ')));
                    }
                    let word = std::str::from_utf8(word).expect("words are cut between characters");
                    units.extend(word.chars().map(|c| mix(c.into())));
                });
            }
        }
        let mut set = roll(&scratch.units, self.size());
        set.sort_unstable();
        set.dedup();
        set
    }

    /// The shingles of `text` as text, in their order: the slow path, for explanations.
    pub(super) fn texts(self, text: &str) -> Vec<String> {
        let mut words = Vec::new();
        each_word(text, &mut Vec::new(), |word| {
            words.push(String::from_utf8_lossy(word).into_owned());
        });
        let (units, glue): (Vec<String>, &str) = match self {
            Self::Words(_) => (words, " "),
            Self::Chars(_) => (words.join(" ").chars().map(String::from).collect(), ""),
        };
        if units.is_empty() {
            return Vec::new();
        }
        units
            .windows(self.size().min(units.len()))
            .map(|window| window.join(glue))
            .collect()
    }
}

/// Buffers that one thread reuses from document to document.
#[derive(Default)]
pub(in crate::text) struct Scratch {
    buffer: Vec<u8>,
    units: Vec<u64>,
}

/// An odd multiplier for the rolling hash.
const BASE: u64 = 0x9e6c_63d0_876a_3f6b;

/// The hash Σ uᵢ BASE^(size − 1 − i) of each window of `units`, mixed; of all of them where there are too few.
///
/// The units are hashes already, so the sums of two different windows differ but for a chance of 2⁻⁶⁴.
fn roll(units: &[u64], size: usize) -> Vec<u64> {
    if units.is_empty() {
        return Vec::new();
    }
    let size = size.min(units.len());
    let oldest = BASE.wrapping_pow(size as u32);
    let mut hash = units[..size]
        .iter()
        .fold(0u64, |hash, &unit| hash.wrapping_mul(BASE).wrapping_add(unit));
    let mut hashes = Vec::with_capacity(units.len() - size + 1);
    hashes.push(mix(hash));
    for (&enters, &leaves) in units[size..].iter().zip(units) {
        hash = hash
            .wrapping_mul(BASE)
            .wrapping_add(enters)
            .wrapping_sub(leaves.wrapping_mul(oldest));
        hashes.push(mix(hash));
    }
    hashes
}

/// The finaliser of `SplitMix64` (Steele, Lea and Flood, 2014, doi:10.1145/2660193.2660195): a bijection of 64 bits.
pub(in crate::text) fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
