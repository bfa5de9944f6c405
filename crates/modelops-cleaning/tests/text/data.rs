//! Tests on the conformance data that `MODELOPS_DATA` names.

mod near;
mod repair;
