//! Cleaning of text for training: near duplicates, contamination, quality, encoding, language, personal data.
//!
//! | I have … | so I use |
//! | --- | --- |
//! | documents that repeat each other with small edits | [`near::NearDuplicates`]: a promised recall, no false pair |
//!
//! Every part works on `&str`, keeps no global state and gives the same result for any number of threads.

pub(crate) mod augment;
pub mod near;
