//! An oracle for splits into pipeline stages, on plain numbers, by trying every assignment.

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
