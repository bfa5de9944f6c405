//! How a checked specification runs: the program it compiles to, its passes, its files.
//!
//! Both engines share the program, the reader of record borders, the ledger and the outputs. The textual engine judges
//! the bytes itself; the typed one hands sound records to one polars plan on the streaming engine.

pub(crate) mod outlier;
pub(crate) mod output;
pub(crate) mod passes;
pub(crate) mod program;
pub(crate) mod source;
pub(crate) mod textual;
#[cfg(feature = "frame")]
pub(crate) mod typed;
