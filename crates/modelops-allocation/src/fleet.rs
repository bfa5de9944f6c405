//! Nodes with devices.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::error::FleetError;
use crate::resources::Resources;

/// One accelerator: its kind and what it has beside its share of 1000 thousandths.
#[doc(alias("gpu", "accelerator"))]
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Device {
    kind: String,
    resources: Resources,
}

impl Device {
    /// A device of `kind` (for instance `H100-80GB`) with `resources` (for instance `vram_mib`).
    #[must_use]
    pub fn new(kind: impl Into<String>, resources: Resources) -> Self {
        Self {
            kind: kind.into(),
            resources,
        }
    }

    /// The kind, as requests name it.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What the device has.
    #[must_use]
    pub fn resources(&self) -> &Resources {
        &self.resources
    }
}

/// One machine: its own resources, its devices in order, and labels.
///
/// # Example
/// ```
/// use modelops_allocation::{Device, Node, Resources};
/// let node = Node::new("a", Resources::new().with("cpu_milli", 64_000))
///     .with_devices(2, &Device::new("L4", Resources::new().with("vram_mib", 24_576)));
/// assert_eq!(node.devices().len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    name: String,
    resources: Resources,
    devices: Vec<Device>,
    labels: BTreeMap<String, String>,
}

impl Node {
    /// A node without devices.
    #[must_use]
    pub fn new(name: impl Into<String>, resources: Resources) -> Self {
        Self {
            name: name.into(),
            resources,
            devices: Vec::new(),
            labels: BTreeMap::new(),
        }
    }

    /// The same with `count` more devices like `device`.
    #[must_use]
    pub fn with_devices(mut self, count: usize, device: &Device) -> Self {
        self.devices.extend(std::iter::repeat_n(device, count).cloned());
        self
    }

    /// The same with one more label.
    #[must_use]
    pub fn with_label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// The name, unique in its fleet.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the node itself has, devices aside.
    #[must_use]
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    /// The devices; a binding names them by position.
    #[must_use]
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// The labels, for instance `zone`.
    #[must_use]
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }
}

/// The nodes that may be used, validated once.
///
/// Read it from YAML or JSON (`nodes:` with `name`, `count`, `resources`, `labels` and `devices`, see
/// `examples/data/fleet.yaml`) or build it from [`Node`]s. The order of the nodes is the order of ties.
///
/// # Errors
/// [`FleetError`] for names that occur twice, too many nodes or devices, and totals that overflow.
///
/// # Example
/// ```
/// use modelops_allocation::Fleet;
/// let fleet: Fleet = serde_json::from_str(
///     r#"{"nodes": [{"name": "gpu", "count": 3, "resources": {"cpu_milli": 64000},
///         "devices": [{"kind": "L4", "count": 2, "resources": {"vram_mib": 24576}}]}]}"#,
/// )?;
/// assert_eq!(fleet.nodes().len(), 3);
/// assert_eq!(fleet.nodes()[2].name(), "gpu-2");
/// assert_eq!(fleet.devices(), 6);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "FleetFile", into = "FleetFile")]
pub struct Fleet {
    nodes: Vec<Node>,
}

impl Fleet {
    /// The most devices one node may have.
    pub const MAX_DEVICES: usize = 64;
    /// The most nodes a fleet may have.
    pub const MAX_NODES: u64 = 10_000_000;

    /// A fleet of these nodes. It may be empty: then everything is rejected with a reason.
    ///
    /// # Errors
    /// [`FleetError`], see there.
    pub fn try_new(nodes: Vec<Node>) -> Result<Self, FleetError> {
        if nodes.len() as u64 > Self::MAX_NODES {
            return Err(FleetError::TooManyNodes {
                nodes: nodes.len() as u64,
                limit: Self::MAX_NODES,
            });
        }
        let mut names = HashSet::with_capacity(nodes.len());
        let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
        for (index, node) in nodes.iter().enumerate() {
            if node.name.is_empty() {
                return Err(FleetError::UnnamedNode { index });
            }
            if !names.insert(node.name.as_str()) {
                return Err(FleetError::DuplicateNode {
                    name: node.name.clone(),
                });
            }
            if node.devices.len() > Self::MAX_DEVICES {
                return Err(FleetError::TooManyDevices {
                    node: node.name.clone(),
                    devices: node.devices.len(),
                    limit: Self::MAX_DEVICES,
                });
            }
            let amounts = node
                .resources
                .iter()
                .chain(node.devices.iter().flat_map(|device| device.resources.iter()));
            for (resource, amount) in amounts {
                let total = totals.entry(resource).or_insert(0);
                *total = total
                    .checked_add(amount)
                    .filter(|sum| *sum < 1 << 63)
                    .ok_or_else(|| FleetError::CapacityOverflow {
                        resource: resource.to_owned(),
                    })?;
            }
        }
        Ok(Self { nodes })
    }

    /// The nodes, in the order of ties.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// How many devices there are.
    #[must_use]
    pub fn devices(&self) -> usize {
        self.nodes.iter().map(|node| node.devices.len()).sum()
    }
}

/// The shape of a fleet in a file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FleetFile {
    nodes: Vec<NodeFile>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeFile {
    name: String,
    /// Several alike are called `name-0`, `name-1`, and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(default)]
    resources: Resources,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    devices: Vec<DeviceFile>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceFile {
    kind: String,
    #[serde(default = "one")]
    count: usize,
    #[serde(default)]
    resources: Resources,
}

fn one() -> usize {
    1
}

impl TryFrom<FleetFile> for Fleet {
    type Error = FleetError;

    fn try_from(file: FleetFile) -> Result<Self, FleetError> {
        let total = file
            .nodes
            .iter()
            .fold(0_u64, |sum, node| sum.saturating_add(node.count.unwrap_or(1)));
        if total > Self::MAX_NODES {
            return Err(FleetError::TooManyNodes {
                nodes: total,
                limit: Self::MAX_NODES,
            });
        }
        let mut nodes = Vec::new();
        for spec in file.nodes {
            let mut devices = Vec::new();
            for device in &spec.devices {
                // Before the copies are made: a file may ask for any number of them.
                if device.count > Self::MAX_DEVICES {
                    return Err(FleetError::TooManyDevices {
                        node: spec.name,
                        devices: device.count,
                        limit: Self::MAX_DEVICES,
                    });
                }
                let device_like = Device::new(device.kind.clone(), device.resources.clone());
                devices.extend(std::iter::repeat_n(device_like, device.count));
            }
            let node = |name| Node {
                name,
                resources: spec.resources.clone(),
                devices: devices.clone(),
                labels: spec.labels.clone(),
            };
            match spec.count {
                None => nodes.push(node(spec.name.clone())),
                Some(count) => nodes.extend((0..count).map(|i| node(format!("{}-{i}", spec.name)))),
            }
        }
        Self::try_new(nodes)
    }
}

impl From<Fleet> for FleetFile {
    fn from(fleet: Fleet) -> Self {
        let nodes = fleet
            .nodes
            .into_iter()
            .map(|node| {
                let mut devices: Vec<DeviceFile> = Vec::new();
                for device in node.devices {
                    match devices.last_mut() {
                        Some(last) if last.kind == device.kind && last.resources == device.resources => {
                            last.count += 1;
                        }
                        _ => devices.push(DeviceFile {
                            kind: device.kind,
                            count: 1,
                            resources: device.resources,
                        }),
                    }
                }
                NodeFile {
                    name: node.name,
                    count: None,
                    resources: node.resources,
                    labels: node.labels,
                    devices,
                }
            })
            .collect();
        Self { nodes }
    }
}
