//! Distributed runs against local ones: rows, quarantine and ledger, with an engine written for these tests and, where
//! `MODELOPS_SAIL` and `MODELOPS_SPARK` name them, with Sail and Apache Spark.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod equality;
mod failures;
mod oracle;
mod sail;
mod shards;
mod spark;
