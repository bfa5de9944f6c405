//! Near duplicates at a promised recall: MinHash finds candidates, exact Jaccard similarity decides.
//!
//! A document becomes the set of its shingles (runs of words, or of characters); two documents are near duplicates
//! where the Jaccard similarity of their sets, |A ∩ B| / |A ∪ B|, reaches a threshold t. [`NearDuplicates`] solves the
//! number of MinHash bands and rows from t and from the recall that you ask for, so that a pair at or above t becomes a
//! candidate with at least that probability; each candidate is then compared exactly, so that no pair below t is ever
//! reported. [`NearIndex`] holds the documents seen so far: adding documents in any number of batches, or saving and
//! opening in between, gives the same index as adding them all at once.
//!
//! ```
//! use modelops_cleaning::text::near::{Linkage, NearDuplicates, Shingle};
//!
//! let texts = [
//!     "the model answered the question about the weather in paris at once",
//!     "a wholly different sentence with nothing in common but its length here",
//!     "The model answered the question about the weather in Paris, at once!",
//! ];
//! let index = NearDuplicates::new(0.8, 0.99)?.with_shingle(Shingle::Words(3))?.find(&texts)?;
//! let clusters = index.clusters(Linkage::Closure);
//! assert_eq!(clusters.kept().collect::<Vec<_>>(), [0, 1]);
//! assert_eq!(clusters.kept_for(2), 0);
//! assert_eq!(clusters.explain(2)[0].jaccard, 1.0); // case and punctuation do not count
//! # Ok::<(), modelops_cleaning::text::near::NearError>(())
//! ```
//!
//! **References**: A. Broder, On the resemblance and containment of documents, 1997, doi:10.1109/SEQUEN.1997.666900;
//! P. Indyk and R. Motwani, Approximate nearest neighbors, 1998, doi:10.1145/276698.276876.

mod banding;
mod cluster;
mod compare;
mod error;
mod file;
mod index;
mod links;
mod search;
pub(super) mod shingle;
mod signature;
#[cfg(feature = "distributed")]
mod sketch;

pub use banding::Banding;
pub use cluster::{Clusters, Linkage};
pub use compare::Comparison;
pub use error::{Damage, IndexFileError, NearError};
pub use index::NearIndex;
pub use links::Link;
pub use search::NearDuplicates;
pub use shingle::Shingle;
#[cfg(feature = "distributed")]
pub(crate) use sketch::Sketcher;
