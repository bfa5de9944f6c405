//! The served model: the six crates of modelops behind HTTP.
//!
//! `cargo run --example serve` runs it; examples/README.md says what to try. One module a subject:
//!
//! | module | question | crates |
//! | --- | --- | --- |
//! | `model` | is this model what its publisher signed, and what does it say of a row? | security, optimization |
//! | `generator` | which words come next? | cleaning |
//! | `callers` | who calls, and may they? | security |
//! | `admission` | which replica on which device takes the request, or when to come back? | allocation |
//! | `telemetry`, `observe`, `status` | what happened? | monitoring |
//! | `audit` | who changed what, provably? | security |
//! | `publish` | how does a re-pruned model under new keys get out? | pruning, security |
//! | `predict`, `chat`, `admin` | the endpoints | |
//! | `server`, `patient` | connections, time limits, the way down | |
//! | `direct` | the same without connections, for measuring | |

mod admin;
mod admission;
mod audit;
mod callers;
mod chat;
mod clock;
mod direct;
mod files;
mod generator;
mod model;
mod observe;
mod patient;
mod predict;
mod publish;
mod refusal;
mod server;
mod service;
mod settings;
mod status;
mod telemetry;

pub use direct::{Direct, DirectCaller};
pub use publish::{PublishOptions, Published, publish};
pub use server::{Report, Running, start};
pub use settings::{Settings, USAGE};

/// What ends a start or a publication: a text for the terminal.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
