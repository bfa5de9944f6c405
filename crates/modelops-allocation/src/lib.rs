#![doc = include_str!("../README.md")]

mod bound;
mod catalogue;
mod divide;
mod error;
mod fleet;
mod greedy;
mod kernel;
mod knapsack;
mod ledger;
mod plan;
mod reject;
mod resources;
mod scheduler;
pub mod score;
mod serve;
mod solver;
mod space;
mod variants;
mod workload;

pub use bound::{Bound, Limit};
pub use catalogue::{Catalogue, Model, ModelVariant};
pub use divide::{Division, DivisionMethod, divide};
pub use error::{FleetError, LedgerError, ResourceError, SolveError, WorkloadError};
pub use fleet::{Device, Fleet, Node};
pub use greedy::{Greedy, Order, TieBreak};
pub use knapsack::{BoundedSelection, Copies, Selection, bounded_knapsack, knapsack};
pub use ledger::{Ledger, Mark, Ticket};
pub use plan::{Binding, Plan, Rejected};
pub use reject::Rejection;
pub use resources::{Milli, Resources};
pub use scheduler::{Placement, Scheduler};
pub use serve::plan_variants;
pub use solver::{Item, SolverOptions, Status};
pub use space::{Demand, Space};
pub use variants::{VariantPlan, choose_variants};
pub use workload::{DeviceDemand, Request, Workload};
