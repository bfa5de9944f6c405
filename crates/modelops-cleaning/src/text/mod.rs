//! Cleaning of text for training: near duplicates, contamination, quality.
//!
//! | I have … | so I use |
//! | --- | --- |
//! | documents that repeat each other with small edits | [`near::NearDuplicates`]: a promised recall, no false pair |
//! | fingerprints of 64 bits that must stay comparable for years | [`simhash::SimHashIndex`]: every pair within k bits |
//! | evaluation sets that must not be in the training data | [`decontaminate::Decontaminator`]: shared n-grams, exact |
//! | web pages, most of them not worth training on | [`quality`]: the Gopher, C4 and FineWeb rules, each with its reason |
//! | English text to cut into words or sentences as those rules do | [`words`] |
//!
//! Every part works on `&str`, keeps no state outside its values and gives the same result for any number of threads.

pub(crate) mod augment;
pub mod decontaminate;
mod fold;
mod hash;
pub mod near;
pub mod quality;
pub mod simhash;
pub mod words;
