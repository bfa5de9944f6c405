//! The answer to a batch: who goes where, who stays out and why, and how far from the best it may be.

use std::fmt;

use crate::bound::Bound;
use crate::explain::Change;
use crate::fleet::Fleet;
use crate::reject::Rejection;
use crate::workload::Workload;

/// One replica on one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The position of the request in the workload.
    pub request: usize,
    /// The number of the replica, from 0.
    pub replica: u32,
    /// The position of the node in the fleet.
    pub node: usize,
    /// The positions of the devices on the node.
    pub devices: Vec<usize>,
}

/// One replica that was not placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The position of the request in the workload.
    pub request: usize,
    /// The number of the replica, from 0.
    pub replica: u32,
    /// Why.
    pub reason: Rejection,
    /// The smallest change after which this replica would have fitted when it was rejected; `None` where there is none.
    pub change: Option<Change>,
}

/// A complete answer: every replica is bound once or rejected with a reason, and the value is at most the bound.
///
/// Its `Display` is a table to read. See [`crate::Greedy::plan`] for an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    bindings: Vec<Binding>,
    rejected: Vec<Rejected>,
    requests: Vec<(String, u64)>,
    nodes: Vec<String>,
    bound: Bound,
}

impl Plan {
    pub(crate) fn new(
        fleet: &Fleet,
        workload: &Workload,
        bindings: Vec<Binding>,
        rejected: Vec<Rejected>,
        bound: Bound,
    ) -> Self {
        Self {
            bindings,
            rejected,
            requests: workload
                .requests()
                .iter()
                .map(|r| (r.name().to_owned(), r.value()))
                .collect(),
            nodes: fleet.nodes().iter().map(|node| node.name().to_owned()).collect(),
            bound,
        }
    }

    /// Every placed replica, in the order of placing.
    #[must_use]
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// Every replica that was left out, with its reason, in the order of the workload.
    #[must_use]
    pub fn rejected(&self) -> &[Rejected] {
        &self.rejected
    }

    /// The name of a request, as in [`Binding::request`]; empty where there is no such request.
    #[must_use]
    pub fn request_name(&self, request: usize) -> &str {
        self.requests.get(request).map_or("", |(name, _)| name)
    }

    /// The name of a node, as in [`Binding::node`]; empty where there is no such node.
    #[must_use]
    pub fn node_name(&self, node: usize) -> &str {
        self.nodes.get(node).map_or("", String::as_str)
    }

    /// The value of what was placed.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.bindings
            .iter()
            .map(|binding| self.requests[binding.request].1)
            .sum()
    }

    /// What no plan can exceed.
    #[must_use]
    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// How far the best plan may be ahead: (bound − value) / bound, 0 where the bound is 0. 0 proves the plan best.
    #[must_use]
    pub fn gap(&self) -> f64 {
        let bound = self.bound.value();
        if bound == 0 {
            0.0
        } else {
            (bound - self.value().min(bound)) as f64 / bound as f64
        }
    }

    /// Equal reasons together: the request, how many of its replicas, why.
    pub fn rejected_by_reason(&self) -> impl Iterator<Item = (&str, usize, &Rejection)> {
        self.groups()
            .map(|(rejected, count)| (self.request_name(rejected.request), count, &rejected.reason))
    }

    /// The first of each run of equal reasons, and how many there are.
    fn groups(&self) -> impl Iterator<Item = (&Rejected, usize)> {
        self.rejected
            .chunk_by(|a, b| a.request == b.request && a.reason == b.reason)
            .map(|group| (&group[0], group.len()))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bindings: Vec<&Binding> = self.bindings.iter().collect();
        bindings.sort_by_key(|binding| (binding.node, binding.request, binding.replica));
        let rows: Vec<[String; 4]> = bindings
            .iter()
            .map(|binding| {
                let devices: Vec<String> = binding.devices.iter().map(ToString::to_string).collect();
                [
                    self.node_name(binding.node).to_owned(),
                    if devices.is_empty() {
                        "-".to_owned()
                    } else {
                        devices.join(",")
                    },
                    format!("{}#{}", self.request_name(binding.request), binding.replica),
                    self.requests[binding.request].1.to_string(),
                ]
            })
            .collect();
        let header = ["node", "devices", "replica", "value"];
        let width = |column: usize| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
                .max(header[column].len())
        };
        let widths = [width(0), width(1), width(2), width(3)];
        let mut line = |cells: [&str; 4]| {
            writeln!(
                f,
                "{:<w0$}  {:<w1$}  {:<w2$}  {:>w3$}",
                cells[0],
                cells[1],
                cells[2],
                cells[3],
                w0 = widths[0],
                w1 = widths[1],
                w2 = widths[2],
                w3 = widths[3]
            )
        };
        line(header)?;
        for row in &rows {
            line([&row[0], &row[1], &row[2], &row[3]])?;
        }
        writeln!(
            f,
            "placed {} of {}, value {} of at most {} (gap {:.2} %)",
            self.bindings.len(),
            self.bindings.len() + self.rejected.len(),
            self.value(),
            self.bound.value(),
            100.0 * self.gap()
        )?;
        for (rejected, count) in self.groups() {
            let name = self.request_name(rejected.request);
            let reason = &rejected.reason;
            writeln!(f, "left out {name} x{count}: {reason} [{}]", reason.token())?;
            if let Some(change) = &rejected.change {
                writeln!(
                    f,
                    "    would fit on {} with {change}",
                    self.node_name(change.node)
                )?;
            }
        }
        Ok(())
    }
}
