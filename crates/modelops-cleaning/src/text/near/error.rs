//! What can be wrong with a search for near duplicates, and with an index file.

use std::path::PathBuf;
use thiserror::Error;

/// A parameter that promises nothing, or cannot be kept.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum NearError {
    /// The threshold is no Jaccard similarity.
    #[error(
        "the threshold {threshold} is not in (0, 1]: give the least Jaccard similarity of a near duplicate"
    )]
    Threshold {
        /// What was given.
        threshold: f64,
    },
    /// The recall is no probability below one.
    #[error("the recall {recall} is not in (0, 1): MinHash promises any recall below 1, such as 0.99")]
    Recall {
        /// What was given.
        recall: f64,
    },
    /// No banding within the limit keeps the promise.
    #[error(
        "recall {recall} at threshold {threshold} needs {needed} hashes and {max_hashes} are allowed: \
         allow more, or ask for less recall or a higher threshold"
    )]
    Hashes {
        /// The threshold asked for.
        threshold: f64,
        /// The recall asked for.
        recall: f64,
        /// Fewest hashes that keep the promise.
        needed: usize,
        /// Hashes allowed.
        max_hashes: usize,
    },
    /// Shingles of no unit, or of more than [`Shingle::MAX_SIZE`](super::Shingle::MAX_SIZE).
    #[error("shingles of {size} units: use 1 to {max}", max = super::Shingle::MAX_SIZE)]
    ShingleSize {
        /// What was given.
        size: usize,
    },
    /// The index counts documents, and shingles of a document, in 32 bits.
    #[error("more than {limit} documents in an index, or shingles in a document: split the input")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
}

/// Why an index file was not written or not opened.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum IndexFileError {
    /// The file system refused.
    #[error("index file {}: {kind}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        kind: std::io::ErrorKind,
    },
    /// The file is no index of this version, or its content contradicts itself.
    #[error("index file {}, at byte {offset}: {damage}; build the index again from its documents", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the reader stood.
        offset: u64,
        /// What it met.
        damage: Damage,
    },
}

/// What is wrong with the content of an index file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Damage {
    /// The first bytes are not those of an index.
    #[error("not an index of near duplicates")]
    Magic,
    /// Written by another version of the format.
    #[error("format version {found}")]
    Version {
        /// The version in the file.
        found: u32,
    },
    /// The file ends early.
    #[error("the file ends in the middle of a record")]
    Truncated,
    /// The file goes on after its end.
    #[error("bytes after the end")]
    Trailing,
    /// The checksum differs.
    #[error("the checksum does not match")]
    Checksum,
    /// The stored parameters are refused.
    #[error("parameters that no search accepts")]
    Parameters,
    /// A document's shingles are not strictly ascending.
    #[error("document {document}: its shingles are not in order")]
    Order {
        /// The document.
        document: usize,
    },
    /// A document says that it repeats one that does not come before it as an original.
    #[error("document {document} repeats {original}, which is not an earlier original")]
    Original {
        /// The document.
        document: usize,
        /// The document that it names.
        original: usize,
    },
}
