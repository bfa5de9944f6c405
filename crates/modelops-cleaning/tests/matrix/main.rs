//! Tests on matrices: what is learned, kept and resampled. None of them needs the typed engine.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod drift;
mod impute;
mod neighbours;
mod prepare;
mod resample;
