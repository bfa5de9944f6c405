//! Distributed runs against local ones: rows, quarantine and ledger, with an engine written for these tests and, where
//! `MODELOPS_SAIL` names its program, with Sail.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod equality;
mod failures;
mod oracle;
mod sail;
mod shards;
