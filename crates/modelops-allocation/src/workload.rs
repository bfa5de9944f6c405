//! Requests for nodes and devices.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::constraint::Constraint;
use crate::error::WorkloadError;
use crate::resources::{Milli, Resources};

/// The devices that one replica needs: all on one node, each with at least this share and these resources left.
///
/// # Example
/// ```
/// use modelops_allocation::{DeviceDemand, Milli};
/// let shared = DeviceDemand::share(Milli::try_new(460)?);
/// let pair = DeviceDemand::whole(2).with_resource("vram_mib", 70_000).with_kinds(["H100-80GB"]);
/// assert_eq!((shared.count(), pair.count()), (1, 2));
/// # Ok::<(), modelops_allocation::ResourceError>(())
/// ```
#[doc(alias("gpu_share", "gang"))]
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceDemand {
    #[serde(default = "one")]
    count: u32,
    #[serde(default = "whole", rename = "share_milli")]
    share: Milli,
    #[serde(default, skip_serializing_if = "Resources::is_empty")]
    resources: Resources,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    kinds: Vec<String>,
}

fn one() -> u32 {
    1
}

fn whole() -> Milli {
    Milli::WHOLE
}

impl DeviceDemand {
    /// A part of one device.
    #[must_use]
    pub fn share(share: Milli) -> Self {
        Self {
            count: 1,
            share,
            resources: Resources::new(),
            kinds: Vec::new(),
        }
    }

    /// `count` whole devices of one node.
    #[must_use]
    pub fn whole(count: u32) -> Self {
        Self {
            count,
            share: Milli::WHOLE,
            resources: Resources::new(),
            kinds: Vec::new(),
        }
    }

    /// The same, needing `amount` of `resource` on each of the devices.
    #[must_use]
    pub fn with_resource(mut self, resource: impl Into<String>, amount: u64) -> Self {
        self.resources = self.resources.with(resource, amount);
        self
    }

    /// The same, accepting only devices of these kinds; no kind at all accepts every kind.
    #[must_use]
    pub fn with_kinds<K: Into<String>>(mut self, kinds: impl IntoIterator<Item = K>) -> Self {
        self.kinds = kinds.into_iter().map(Into::into).collect();
        self
    }

    /// How many devices.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The share of each.
    #[must_use]
    pub fn milli(&self) -> Milli {
        self.share
    }

    /// What is needed on each.
    #[must_use]
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    /// The kinds that are accepted; empty: every kind.
    #[must_use]
    pub fn kinds(&self) -> &[String] {
        &self.kinds
    }
}

/// Something to place: a number of equal replicas, each of which goes to one node.
///
/// # Example
/// ```
/// use modelops_allocation::{DeviceDemand, Request};
/// let chat = Request::new("chat").with_replicas(3).with_resource("cpu_milli", 8_000)
///     .with_devices(DeviceDemand::whole(1)).with_value(10);
/// assert_eq!(chat.replicas(), 3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    name: String,
    #[serde(default = "one")]
    replicas: u32,
    #[serde(default, skip_serializing_if = "Resources::is_empty")]
    resources: Resources,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    devices: Option<DeviceDemand>,
    #[serde(default)]
    gang: bool,
    #[serde(default)]
    priority: i32,
    #[serde(default = "unit_value")]
    value: u64,
    #[serde(default = "unit_value")]
    move_cost: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_per_node: Option<u32>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    constraints: Vec<Constraint>,
}

fn unit_value() -> u64 {
    1
}

impl Request {
    /// One replica that needs nothing and is worth 1.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            replicas: 1,
            resources: Resources::new(),
            devices: None,
            gang: false,
            priority: 0,
            value: 1,
            move_cost: 1,
            max_per_node: None,
            labels: BTreeMap::new(),
            constraints: Vec::new(),
        }
    }

    /// The same with another name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The same with this many replicas.
    #[must_use]
    pub fn with_replicas(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    /// The same, each replica needing `amount` of the node's `resource`.
    #[must_use]
    pub fn with_resource(mut self, resource: impl Into<String>, amount: u64) -> Self {
        self.resources = self.resources.with(resource, amount);
        self
    }

    /// The same, each replica needing these devices.
    #[must_use]
    pub fn with_devices(mut self, devices: DeviceDemand) -> Self {
        self.devices = Some(devices);
        self
    }

    /// The same as a gang: all replicas are placed, or none.
    #[must_use]
    pub fn with_gang(mut self, gang: bool) -> Self {
        self.gang = gang;
        self
    }

    /// The same with this priority: a higher one is placed first.
    #[must_use]
    pub fn with_priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// The same, each placed replica being worth `value`.
    #[must_use]
    pub fn with_value(mut self, value: u64) -> Self {
        self.value = value;
        self
    }

    /// The same with at most this many replicas on one node.
    #[must_use]
    pub fn with_max_per_node(mut self, most: u32) -> Self {
        self.max_per_node = Some(most);
        self
    }

    /// The same, moving or evicting one replica costing this much (otherwise 1), in the unit of the value.
    #[must_use]
    pub fn with_move_cost(mut self, cost: u64) -> Self {
        self.move_cost = cost;
        self
    }

    /// The same with one more label, by which a [`crate::Selector`] finds its replicas.
    #[must_use]
    pub fn with_label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// The same with one more constraint on where each replica may go.
    #[must_use]
    pub fn with_constraint(mut self, constraint: Constraint) -> Self {
        self.constraints.push(constraint);
        self
    }

    /// The name, unique in its workload.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many replicas.
    #[must_use]
    pub fn replicas(&self) -> u32 {
        self.replicas
    }

    /// What each replica needs of the node.
    #[must_use]
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    /// The devices that each replica needs.
    #[must_use]
    pub fn devices(&self) -> Option<&DeviceDemand> {
        self.devices.as_ref()
    }

    /// Whether all replicas are placed, or none.
    #[must_use]
    pub fn gang(&self) -> bool {
        self.gang
    }

    /// The priority; a higher one is placed first.
    #[must_use]
    pub fn priority(&self) -> i32 {
        self.priority
    }

    /// What one placed replica is worth.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.value
    }

    /// The most replicas on one node.
    #[must_use]
    pub fn max_per_node(&self) -> Option<u32> {
        self.max_per_node
    }

    /// What moving or evicting one replica costs, in the unit of the value.
    #[must_use]
    pub fn move_cost(&self) -> u64 {
        self.move_cost
    }

    /// The labels of its replicas.
    #[must_use]
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// Where each replica may go.
    #[must_use]
    pub fn constraints(&self) -> &[Constraint] {
        &self.constraints
    }
}

/// Requests, validated once.
///
/// Read it from YAML or JSON (`requests:`) or build it from [`Request`]s.
///
/// # Errors
/// [`WorkloadError`] for names that occur twice, an empty device section, and totals that overflow.
///
/// # Example
/// ```
/// use modelops_allocation::Workload;
/// let work: Workload = serde_json::from_str(
///     r#"{"requests": [{"name": "chat", "replicas": 2, "devices": {"share_milli": 500}}]}"#,
/// )?;
/// assert_eq!(work.replicas(), 2);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WorkloadFile", into = "WorkloadFile")]
pub struct Workload {
    requests: Vec<Request>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkloadFile {
    requests: Vec<Request>,
}

/// The most resources one request may name: a reason keeps one bit for each.
const MAX_RESOURCES: usize = 100;
/// The most constraints one request may have, for the same reason.
const MAX_CONSTRAINTS: usize = 60;

impl Workload {
    /// A workload of these requests. It may be empty: the plan is then empty.
    ///
    /// # Errors
    /// [`WorkloadError`], see there.
    pub fn try_new(requests: Vec<Request>) -> Result<Self, WorkloadError> {
        let mut names = HashSet::with_capacity(requests.len());
        let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
        for (index, request) in requests.iter().enumerate() {
            if request.name.is_empty() {
                return Err(WorkloadError::UnnamedRequest { index });
            }
            if !names.insert(request.name.as_str()) {
                return Err(WorkloadError::DuplicateRequest {
                    name: request.name.clone(),
                });
            }
            if request.constraints.len() > MAX_CONSTRAINTS {
                return Err(WorkloadError::TooManyConstraints {
                    name: request.name.clone(),
                    constraints: request.constraints.len(),
                    limit: MAX_CONSTRAINTS,
                });
            }
            if request.devices.as_ref().is_some_and(|devices| devices.count == 0) {
                return Err(WorkloadError::NoDevices {
                    name: request.name.clone(),
                });
            }
            let named = request.resources.iter().count()
                + request
                    .devices
                    .as_ref()
                    .map_or(0, |devices| devices.resources.iter().count());
            if named > MAX_RESOURCES {
                let name = request.name.clone();
                return Err(WorkloadError::TooManyResources {
                    name,
                    resources: named,
                    limit: MAX_RESOURCES,
                });
            }
            let replicas = u64::from(request.replicas);
            let mut add = |what: &'static str, key, amount: u64| {
                let total: &mut u64 = totals.entry(key).or_insert(0);
                *total = amount
                    .checked_mul(replicas)
                    .and_then(|sum| sum.checked_add(*total))
                    .filter(|sum| *sum < 1 << 63)
                    .ok_or_else(|| WorkloadError::DemandOverflow {
                        what: if what.is_empty() {
                            key.to_owned()
                        } else {
                            what.to_owned()
                        },
                    })?;
                Ok(())
            };
            // A colon keeps the totals of values and replicas apart from a resource of that name.
            add("value", "value:", request.value)?;
            add("move_cost", "move_cost:", request.move_cost)?;
            add("replicas", "replicas:", 1)?;
            for (resource, amount) in request.resources.iter() {
                add("", resource, amount)?;
            }
            if let Some(devices) = &request.devices {
                for (resource, amount) in devices.resources.iter() {
                    let each = amount.saturating_mul(u64::from(devices.count));
                    add("", resource, each)?;
                }
            }
        }
        Ok(Self { requests })
    }

    /// The requests, in the order given.
    #[must_use]
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// How many replicas there are in all.
    #[must_use]
    pub fn replicas(&self) -> u64 {
        self.requests
            .iter()
            .map(|request| u64::from(request.replicas))
            .sum()
    }
}

impl TryFrom<WorkloadFile> for Workload {
    type Error = WorkloadError;
    fn try_from(file: WorkloadFile) -> Result<Self, WorkloadError> {
        Self::try_new(file.requests)
    }
}

impl From<Workload> for WorkloadFile {
    fn from(workload: Workload) -> Self {
        Self {
            requests: workload.requests,
        }
    }
}
