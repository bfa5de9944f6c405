#![doc = include_str!("../README.md")]

mod backend;
mod cholesky;
mod eigh;
mod error;
mod kernel;
mod lu;
mod product;
mod qr;
mod real;
mod svd;

pub use cholesky::Cholesky;
pub use eigh::Eigh;
pub use error::{FactorError, ShapeMismatch, SolveError};
pub use lu::Lu;
pub use product::{gemm, syrk};
pub use qr::Qr;
pub use real::Real;
pub use svd::Svd;
