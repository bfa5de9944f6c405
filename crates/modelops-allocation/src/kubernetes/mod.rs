//! Kubernetes in and out: what `kubectl get -o json` prints becomes a fleet and requests, a plan becomes manifests.
//!
//! Nothing here talks to a cluster. See [`Cluster`] for what is read and [`Manifests`] for what is written.

mod cluster;
mod manifest;
mod objects;
mod quantity;

pub use cluster::{Cluster, Unread};
pub use manifest::Manifests;
pub use objects::{NodeList, PodList};
