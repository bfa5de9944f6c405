//! Expected fragmentation of a node where a device has a share and nothing else: eight typical demands at a time.
//!
//! With all that is free A, and of demand g what its fitting devices have free Uᵍ and the weight Wᵍ of its members that fit,
//! the fragmentation is A · total − Σᵍ Wᵍ · Uᵍ. Wᵍ depends on how many devices fit and on which of the typical amounts the node
//! still has, so it is read from a table. Devices with nothing free add nothing and are passed over.

use super::fragmentation::Group;
use crate::space::Space;

/// How many demands are looked at in one go: eight numbers of 16 bits are what every x86-64 and aarch64 register holds.
const WIDE: usize = 8;
/// As many devices as keep the sum of their shares within 15 bits.
const MOST_DEVICES: usize = 32;
/// As many weights as may be kept.
const MOST_WEIGHTS: usize = 1 << 20;

/// The typical demands, side by side.
#[derive(Clone, Debug)]
pub(super) struct Lanes {
    /// Where the devices of a row begin, and how many there are.
    first: usize,
    devices: usize,
    /// The position in a row of the node resource that scores look at, and the distinct amounts that are typical of it.
    scored: Option<usize>,
    levels: Vec<u64>,
    /// The share that each demand needs of a device; demands that fill up the last eight need more than there is.
    needs: Vec<[i16; WIDE]>,
    /// By class, device and eight demands: all bits where the device is of an accepted kind.
    allowed: Vec<[i16; WIDE]>,
    /// By level, demand and number of fitting devices: what the members that fit weigh.
    weights: Vec<i32>,
    total: i64,
}

impl Lanes {
    /// `None` where devices have more than a share, scores look at several node resources, or numbers are too large.
    pub(super) fn new(space: &Space, groups: &[Group], total: i64) -> Option<Self> {
        let devices = space.devices_end - 1 - space.node_dims();
        if space.device_dims() != 1
            || space.scored.len() > 1
            || devices > MOST_DEVICES
            || i32::try_from(total).is_err()
            // Nothing free would do for it.
            || groups.iter().any(|group| group.device[0] == 0)
        {
            return None;
        }
        let members = || groups.iter().flat_map(|group| &group.members);
        let mut levels: Vec<u64> = members()
            .filter_map(|member| member.node.first().copied())
            .collect();
        levels.sort_unstable();
        levels.dedup();
        let eights = groups.len().div_ceil(WIDE);
        let size = (levels.len() + 1) * eights * WIDE * (devices + 1);
        if size > MOST_WEIGHTS {
            return None;
        }
        let mut needs = vec![[i16::MAX; WIDE]; eights];
        let mut allowed = vec![[0; WIDE]; space.classes.len() * devices * eights];
        let mut weights = Vec::with_capacity(size);
        for (g, group) in groups.iter().enumerate() {
            needs[g / WIDE][g % WIDE] = group.device[0] as i16;
            for (class, mask) in group.allowed.iter().enumerate() {
                for device in (0..devices).filter(|device| mask >> device & 1 == 1) {
                    allowed[(class * devices + device) * eights + g / WIDE][g % WIDE] = -1;
                }
            }
        }
        for level in 0..=levels.len() {
            let most = level.checked_sub(1).map(|last| &levels[last]);
            let enough = |need: Option<&u64>| need.is_none() || need <= most;
            for g in 0..eights * WIDE {
                for fitting in 0..=devices {
                    let members = groups.get(g).map_or(&[][..], |group| &group.members);
                    let fit = members
                        .iter()
                        .filter(|member| member.count as usize <= fitting && enough(member.node.first()));
                    weights.push(fit.map(|member| member.weight as i32).sum());
                }
            }
        }
        Some(Self {
            first: 1 + space.node_dims(),
            devices,
            scored: space.scored.first().map(|i| 1 + i),
            levels,
            needs,
            allowed,
            weights,
            total,
        })
    }

    /// The expected fragmentation in thousandths of a device, times the number of typical requests.
    pub(super) fn fragmentation(&self, row: &[u64]) -> i64 {
        let shares = &row[self.first..][..self.devices];
        let level = self
            .scored
            .map_or(0, |i| self.levels.partition_point(|need| *need <= row[i]));
        let eights = self.needs.len();
        let allowed = &self.allowed[row[0] as usize * self.devices * eights..][..self.devices * eights];
        let per_demand = self.devices + 1;
        let weights = &self.weights[level * eights * WIDE * per_demand..][..eights * WIDE * per_demand];
        let mut sum = shares.iter().sum::<u64>() as i64 * self.total;
        for (eight, needs) in self.needs.iter().enumerate() {
            let (mut fitting, mut free) = ([0_i16; WIDE], [0_i16; WIDE]);
            for (device, share) in shares.iter().enumerate() {
                if *share == 0 {
                    continue;
                }
                let share = *share as i16;
                let allowed = &allowed[device * eights + eight];
                for lane in 0..WIDE {
                    let fits = if share >= needs[lane] { allowed[lane] } else { 0 };
                    fitting[lane] -= fits;
                    free[lane] += share & fits;
                }
            }
            let weights = weights[eight * WIDE * per_demand..].chunks_exact(per_demand);
            for ((weights, fitting), free) in weights.zip(fitting).zip(free) {
                sum -= i64::from(weights[fitting as usize]) * i64::from(free);
            }
        }
        sum
    }
}
