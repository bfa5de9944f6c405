//! Splits into pipeline stages on plain numbers: an oracle that tries every assignment, and a reader of published inputs.

use std::collections::HashMap;

use serde_json::Value;

/// A layer: its time on each kind of device, its memory, the time of moving its output, its class, and the pass.
#[derive(Clone, Debug)]
pub struct LayerCase {
    /// By kind; `None` where it cannot run.
    pub times: Vec<Option<u64>>,
    /// Its memory.
    pub memory: u64,
    /// What moving its output takes.
    pub output: u64,
    /// Layers of one class share a device.
    pub class: Option<u32>,
    /// Whether it belongs to the backward pass.
    pub backward: bool,
}

/// The kinds: how many devices, their memory, whether they pay for transfers.
pub type KindCase = (u32, u64, bool);

/// The least maximum load over all assignments of layers to devices whose stages can be put in a row; `None` where none is
/// feasible.
#[must_use]
pub fn stages_by_trial(layers: &[LayerCase], edges: &[(usize, usize)], kinds: &[KindCase]) -> Option<u64> {
    let devices: Vec<usize> = kinds
        .iter()
        .enumerate()
        .flat_map(|(k, (count, ..))| std::iter::repeat_n(k, *count as usize))
        .collect();
    let mut best = None;
    let mut choice = vec![0; layers.len()];
    try_all(0, &mut choice, devices.len(), &mut |choice| {
        if let Some(load) = load_of(layers, edges, kinds, &devices, choice) {
            best = Some(best.map_or(load, |least: u64| least.min(load)));
        }
    });
    best
}

fn try_all(at: usize, choice: &mut [usize], devices: usize, judge: &mut impl FnMut(&[usize])) {
    if at == choice.len() {
        return judge(choice);
    }
    for device in 0..devices {
        choice[at] = device;
        try_all(at + 1, choice, devices, judge);
    }
}

/// The maximum load of an assignment; `None` where it is not allowed.
fn load_of(
    layers: &[LayerCase],
    edges: &[(usize, usize)],
    kinds: &[KindCase],
    devices: &[usize],
    choice: &[usize],
) -> Option<u64> {
    for (i, a) in layers.iter().enumerate() {
        for (j, b) in layers.iter().enumerate() {
            if a.class.is_some() && a.class == b.class && choice[i] != choice[j] {
                return None;
            }
        }
    }
    // A class that is in the backward pass only stands where it mirrors, so its edges count turned around.
    let alone = |i: usize| {
        layers[i].backward
            && layers
                .iter()
                .all(|other| other.backward || other.class.is_none() || other.class != layers[i].class)
    };
    let mut follows = vec![vec![false; devices.len()]; devices.len()];
    for (a, b) in edges {
        if !layers[*a].backward && !layers[*b].backward {
            follows[choice[*a]][choice[*b]] = true;
        } else if layers[*a].backward && layers[*b].backward && (alone(*a) || alone(*b)) {
            follows[choice[*b]][choice[*a]] = true;
        }
    }
    for k in 0..devices.len() {
        for i in 0..devices.len() {
            for j in 0..devices.len() {
                follows[i][j] |= i != k && j != k && follows[i][k] && follows[k][j];
            }
        }
    }
    if (0..devices.len()).any(|i| (0..devices.len()).any(|j| i != j && follows[i][j] && follows[j][i])) {
        return None;
    }
    let mut most = 0;
    for (device, kind) in devices.iter().enumerate() {
        let (_, room, transfers) = kinds[*kind];
        let (mut load, mut memory) = (0, 0);
        for (i, layer) in layers.iter().enumerate() {
            let here = choice[i] == device;
            if here {
                load += layer.times[*kind]?;
                memory += layer.memory;
            }
            let crosses = edges
                .iter()
                .any(|(a, b)| *a == i && (choice[*b] == device) != here);
            if transfers && crosses {
                load += layer.output;
            }
        }
        if memory > room {
            return None;
        }
        most = most.max(load);
    }
    Some(most)
}

/// A published input: layers, edges and devices.
#[derive(Clone, Debug)]
pub struct PartitionCase {
    /// The layers.
    pub layers: Vec<LayerCase>,
    /// From a layer to one that reads it.
    pub edges: Vec<(usize, usize)>,
    /// Accelerators, then hosts.
    pub kinds: [KindCase; 2],
}

impl PartitionCase {
    /// So many units of ours are one of the input.
    pub const UNIT: f64 = 1e9;

    /// Reads an input of msr-fiddle/dnn-partitioning: accelerators pay for transfers, hosts do not and have no limit of memory.
    ///
    /// # Panics
    /// If the text is no such input.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let input: Value = serde_json::from_str(text).expect("the input is JSON");
        let number = |value: &Value, name: &str| value[name].as_f64().unwrap_or(0.0);
        let scaled = |value: &Value, name: &str| (number(value, name) * Self::UNIT).round() as u64;
        let whole = |value: &Value, name: &str| value[name].as_u64().expect("a whole number");
        // Some inputs have numbers for truths.
        let truth = |value: &Value| value.as_bool().unwrap_or_else(|| value.as_u64() == Some(1));
        let list = |name: &str| input[name].as_array().expect("a list");
        let mut outputs: HashMap<u64, u64> = HashMap::new();
        for edge in list("edges") {
            outputs.insert(whole(edge, "sourceId"), scaled(edge, "cost"));
        }
        let mut places = HashMap::new();
        let layer = |(place, node): (usize, &Value)| {
            let id = whole(node, "id");
            places.insert(id, place);
            let accelerated = truth(&node["supportedOnFpga"]).then(|| scaled(node, "fpgaLatency"));
            LayerCase {
                times: vec![accelerated, Some(scaled(node, "cpuLatency"))],
                memory: number(node, "size") as u64,
                output: outputs.get(&id).copied().unwrap_or(0),
                class: node["colorClass"].as_u64().map(|class| class as u32),
                backward: truth(&node["isBackwardNode"]),
            }
        };
        let layers = list("nodes").iter().enumerate().map(layer).collect();
        let edges = list("edges").iter();
        let memory = number(&input, "maxSizePerFPGA") as u64;
        Self {
            layers,
            edges: edges
                .map(|edge| (places[&whole(edge, "sourceId")], places[&whole(edge, "destId")]))
                .collect(),
            kinds: [
                (whole(&input, "maxFPGAs") as u32, memory, true),
                (whole(&input, "maxCPUs") as u32, u64::MAX, false),
            ],
        }
    }
}
