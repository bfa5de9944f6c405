//! Laws, reference values and bad input.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod assignment;
mod check;
mod data;
mod errors;
mod fairness;
mod faults;
mod ledger;
mod outside;
mod packing;
mod partition;
mod pipeline;
mod properties;
mod reference;
mod replan;
mod rules;
mod solvers;
