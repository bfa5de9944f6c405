//! Cleaning of text for training: near duplicates, contamination, quality.
//!
//! | I have … | so I use |
//! | --- | --- |
//! | documents that repeat each other with small edits | [`near::NearDuplicates`]: a promised recall, no false pair |
//! | fingerprints of 64 bits that must stay comparable for years | [`simhash::SimHashIndex`]: every pair within k bits |
//! | evaluation sets that must not be in the training data | [`decontaminate::Decontaminator`]: shared n-grams, exact |
//! | web pages, most of them not worth training on | [`quality`]: the Gopher, C4 and FineWeb rules, each with its reason |
//! | text that was decoded wrongly, or is full of entities and control characters | [`repair`]: ftfy's results, explained |
//! | e-mail addresses, IP addresses, cards, telephone numbers that must go | [`pii`]: replaced as datatrove does |
//! | pages to refuse by their addresses | [`addresses`]: lists of hosts and words |
//! | texts in many languages | [`language`] |
//! | a translator, and too few texts | [`back_translate`] |
//! | English text to cut into words or sentences as those rules do | [`words`] |
//!
//! Every part works on `&str`, keeps no state outside its values and gives the same result for any number of threads.

pub mod addresses;
pub(crate) mod augment;
pub mod decontaminate;
mod fold;
mod hash;
pub mod language;
pub mod near;
pub mod pii;
pub mod quality;
pub mod repair;
pub mod simhash;
mod translate;
pub mod words;

pub use translate::{Translator, back_translate};
