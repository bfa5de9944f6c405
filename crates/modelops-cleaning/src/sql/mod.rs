//! The shuffles of a distributed run as Spark SQL text.
//!
//! An engine is asked for these statements and for nothing else. It sees whole numbers only: ids, fingerprints, places
//! and digits, in CSV files without header that shard jobs wrote, and it writes such files. No value of a user's data
//! and no literal of a specification is in a statement; names that come from a specification stand in backticks.
//! The text is accepted by Sail and by Apache Spark.

mod quote;
mod shuffle;

pub(crate) use shuffle::{Prefix, Shuffle, Table};
