//! Who did what: a log in which nothing can be changed, removed or inserted unnoticed.
//!
//! Entries are the leaves of an RFC 6962 Merkle tree. A [`Checkpoint`], signed and kept elsewhere, fixes all entries up to it: any later
//! change, removal or insertion gives another root, and a log that was cut off is shorter than its checkpoint.

mod checkpoint;
mod log;
mod subtree;
mod tree;

pub use checkpoint::Checkpoint;
pub use log::AuditLog;
pub use subtree::{verify_subtree_consistency, verify_subtree_inclusion};
pub use tree::{Hash, leaf_hash, verify_consistency, verify_inclusion};
