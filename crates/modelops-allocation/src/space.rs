//! Names turned into positions: what a fleet looks like to the kernels.

use std::collections::{BTreeSet, HashMap};

use crate::fleet::Fleet;
use crate::topology::Topology;
use crate::workload::Request;

/// Nodes that started equal: same capacities, same devices in the same order.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    /// The row of an empty node: the class, the node's resources, then every device.
    pub(crate) full: Box<[u64]>,
    /// The kind of each device.
    pub(crate) kinds: Box<[u32]>,
    /// How many nodes there are of it.
    pub(crate) nodes: u64,
}

/// The dimensions of a fleet: which resource has which position, and what the empty nodes have.
///
/// A [`crate::score::Score`] sees it once, in `prepare`.
#[derive(Clone, Debug)]
pub struct Space {
    pub(crate) node_resources: Vec<String>,
    /// Position 0 is the share.
    pub(crate) device_resources: Vec<String>,
    pub(crate) kinds: Vec<String>,
    pub(crate) classes: Vec<Class>,
    pub(crate) class_of: Vec<u32>,
    /// The node resources that scores look at.
    pub(crate) scored: Vec<usize>,
    pub(crate) largest: Vec<u64>,
    pub(crate) largest_share: u64,
    /// Where the devices end in a row, and what is counted of the residents begins.
    pub(crate) devices_end: usize,
    pub(crate) stride: usize,
    pub(crate) topology: Topology,
}

/// How many sizes of requests are told apart: see [`Demand::size`].
pub(crate) const SIZES: usize = 6;

/// The name under which the share of a device is reported.
pub(crate) const SHARE: &str = "device_milli";

impl Space {
    /// The dimensions of `fleet`. Scores look at the node resources in `scored`, or at all of them.
    pub(crate) fn new(fleet: &Fleet, scored: Option<&[String]>, residents: bool) -> Self {
        let mut node_names = BTreeSet::new();
        let mut device_names = BTreeSet::new();
        let mut kind_names = BTreeSet::new();
        for node in fleet.nodes() {
            node_names.extend(node.resources().iter().map(|(name, _)| name));
            for device in node.devices() {
                kind_names.insert(device.kind());
                device_names.extend(device.resources().iter().map(|(name, _)| name));
            }
        }
        let node_resources: Vec<String> = node_names.into_iter().map(str::to_owned).collect();
        let device_resources: Vec<String> = std::iter::once(SHARE)
            .chain(device_names)
            .map(str::to_owned)
            .collect();
        let kinds: Vec<String> = kind_names.into_iter().map(str::to_owned).collect();
        let most_devices = fleet
            .nodes()
            .iter()
            .map(|node| node.devices().len())
            .max()
            .unwrap_or(0);
        let devices_end = 1 + node_resources.len() + most_devices * device_resources.len();
        let stride = devices_end + if residents { SIZES } else { 0 };

        let kind_of: HashMap<&str, u32> = kinds.iter().map(String::as_str).zip(0..).collect();
        let mut classes: Vec<Class> = Vec::new();
        let mut class_ids: HashMap<(Vec<u64>, Vec<u32>), u32> = HashMap::new();
        let mut class_of = Vec::with_capacity(fleet.nodes().len());
        for node in fleet.nodes() {
            let mut row = vec![0_u64; stride];
            for (cell, name) in row[1..].iter_mut().zip(&node_resources) {
                *cell = node.resources().amount(name);
            }
            let cells = row[1 + node_resources.len()..].chunks_exact_mut(device_resources.len());
            for (device, cell) in node.devices().iter().zip(cells) {
                cell[0] = 1000;
                for (amount, name) in cell[1..].iter_mut().zip(&device_resources[1..]) {
                    *amount = device.resources().amount(name);
                }
            }
            let device_kinds: Vec<u32> = node
                .devices()
                .iter()
                .map(|device| kind_of[device.kind()])
                .collect();
            let class = *class_ids
                .entry((row, device_kinds))
                .or_insert_with_key(|(row, device_kinds)| {
                    let mut full = row.clone();
                    full[0] = classes.len() as u64;
                    classes.push(Class {
                        full: full.into(),
                        kinds: device_kinds.as_slice().into(),
                        nodes: 0,
                    });
                    classes.len() as u32 - 1
                });
            classes[class as usize].nodes += 1;
            class_of.push(class);
        }
        let scored = (0..node_resources.len())
            .filter(|i| scored.is_none_or(|names| names.contains(&node_resources[*i])))
            .collect();
        let largest = (0..node_resources.len())
            .map(|i| classes.iter().map(|class| class.full[1 + i]).max().unwrap_or(0))
            .collect();
        let largest_share = 1000 * most_devices as u64;
        Self {
            node_resources,
            device_resources,
            kinds,
            classes,
            class_of,
            scored,
            largest,
            largest_share,
            devices_end,
            stride,
            topology: Topology::new(fleet),
        }
    }

    /// How many of the node's resources there are.
    pub(crate) fn node_dims(&self) -> usize {
        self.node_resources.len()
    }

    /// How many resources a device has, its share included.
    pub(crate) fn device_dims(&self) -> usize {
        self.device_resources.len()
    }

    /// What `request` needs, in this space.
    #[must_use]
    pub fn demand(&self, request: &Request) -> Demand {
        let mut missing = Vec::new();
        let mut find = |names: &[String], name: &str, amount: u64, on_device: bool| {
            let at = names.iter().position(|known| known == name);
            if at.is_none() && amount > 0 {
                missing.push(Missing {
                    resource: name.to_owned(),
                    amount,
                    on_device,
                });
            }
            at
        };
        let mut node = vec![0; self.node_dims()];
        for (name, amount) in request.resources().iter() {
            if let Some(i) = find(&self.node_resources, name, amount, false) {
                node[i] = amount;
            }
        }
        let mut device = vec![0; self.device_dims()];
        let mut count = 0;
        let mut kinds = Vec::new();
        if let Some(devices) = request.devices() {
            count = devices.count();
            device[0] = u64::from(devices.milli().to_u32());
            for (name, amount) in devices.resources().iter() {
                if let Some(i) = find(&self.device_resources[1..], name, amount, true) {
                    device[1 + i] = amount;
                }
            }
            kinds = devices.kinds().to_vec();
            kinds.sort_unstable();
            kinds.dedup();
        }
        let accepted = |kind: u32| kinds.is_empty() || kinds.contains(&self.kinds[kind as usize]);
        let allowed = self
            .classes
            .iter()
            .map(|class| {
                (0_u32..)
                    .zip(&class.kinds)
                    .filter(|(_, kind)| accepted(**kind))
                    .fold(0, |m, (i, _)| m | 1 << i)
            })
            .collect();
        Demand {
            node: node.into(),
            count,
            device: device.into(),
            allowed,
            kinds,
            missing,
        }
    }
}

/// A resource that nothing in the fleet has, and how much of it is needed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Missing {
    pub(crate) resource: String,
    pub(crate) amount: u64,
    /// Needed on each device, not on the node.
    pub(crate) on_device: bool,
}

/// What one replica of a request needs, by position.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Demand {
    pub(crate) node: Box<[u64]>,
    pub(crate) count: u32,
    /// What each device must have left; the share comes first.
    pub(crate) device: Box<[u64]>,
    /// For each class of nodes, the devices of an accepted kind.
    pub(crate) allowed: Box<[u64]>,
    pub(crate) kinds: Vec<String>,
    /// What no node of the fleet has.
    pub(crate) missing: Vec<Missing>,
}

impl Demand {
    /// How much of the node's resource at position `i` is needed.
    #[must_use]
    pub fn node(&self, i: usize) -> u64 {
        self.node[i]
    }

    /// How many devices are needed.
    #[must_use]
    pub fn devices(&self) -> u32 {
        self.count
    }

    /// The share needed of each device, in thousandths; 0 without devices.
    #[must_use]
    pub fn share(&self) -> u64 {
        self.device[0]
    }

    /// The share needed of all devices together.
    #[must_use]
    pub fn total_share(&self) -> u64 {
        u64::from(self.count) * self.device[0]
    }

    /// The size: 0 for a share, 1, 2, 3 and 4 for one, two, four and eight devices, 5 for another number; `None` without devices.
    #[must_use]
    pub fn size(&self) -> Option<usize> {
        match self.count {
            0 => None,
            _ if self.device[0] < 1000 => Some(0),
            1 => Some(1),
            2 => Some(2),
            4 => Some(3),
            8 => Some(4),
            _ => Some(5),
        }
    }
}
