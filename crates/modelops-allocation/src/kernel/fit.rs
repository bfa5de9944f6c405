//! Does a demand fit on a row, and on which devices.

use crate::space::{Demand, Space};

/// The devices of `row` that could each carry one part of the demand.
pub(crate) fn fitting(space: &Space, row: &[u64], demand: &Demand) -> u64 {
    let allowed = demand.allowed[row[0] as usize];
    let devices = &row[1 + space.node_dims()..space.devices_end];
    let mut mask = 0;
    if demand.device.len() == 1 {
        let share = demand.device[0];
        for (i, free) in devices.iter().enumerate() {
            mask |= u64::from(*free >= share) << i;
        }
    } else {
        for (i, free) in devices.chunks_exact(demand.device.len()).enumerate() {
            mask |= u64::from(free.iter().zip(&demand.device).all(|(free, need)| free >= need)) << i;
        }
    }
    mask & allowed
}

/// Whether the node's own resources suffice.
pub(crate) fn node_fits(row: &[u64], demand: &Demand) -> bool {
    row[1..].iter().zip(&demand.node).all(|(free, need)| free >= need)
}

/// The devices that could carry a part, where one replica fits; no device where it asks for none.
pub(crate) fn room(space: &Space, row: &[u64], demand: &Demand) -> Option<u64> {
    if !demand.missing.is_empty() || !node_fits(row, demand) {
        return None;
    }
    if demand.count == 0 {
        return Some(0);
    }
    let fitting = fitting(space, row, demand);
    (fitting.count_ones() >= demand.count).then_some(fitting)
}

/// Whether one replica fits.
pub(crate) fn fits(space: &Space, row: &[u64], demand: &Demand) -> bool {
    room(space, row, demand).is_some()
}

/// Whether one replica fits on exactly these devices.
pub(crate) fn fits_at(space: &Space, row: &[u64], demand: &Demand, devices: u64) -> bool {
    fits(space, row, demand) && (demand.count == 0 || devices & !fitting(space, row, demand) == 0)
}

/// The `count` tightest devices among `mask`: least share left, then least of the rest, then first.
pub(crate) fn tightest(space: &Space, row: &[u64], mut mask: u64, count: u32) -> u64 {
    let width = space.device_dims();
    let devices = &row[1 + space.node_dims()..];
    let cell = |i: u32| &devices[i as usize * width..][..width];
    let mut chosen = 0;
    if count == mask.count_ones() {
        return mask;
    }
    for _ in 0..count {
        let mut best = mask.trailing_zeros();
        let mut rest = mask & mask.wrapping_sub(1);
        while rest != 0 {
            let i = rest.trailing_zeros();
            // The share decides nearly always.
            let (share, least) = (cell(i)[0], cell(best)[0]);
            if share < least || share == least && width > 1 && cell(i) < cell(best) {
                best = i;
            }
            rest &= rest - 1;
        }
        chosen |= 1 << best;
        mask &= !(1 << best);
    }
    chosen
}

/// The devices that one replica takes where it fits: the tightest.
pub(crate) fn choose(space: &Space, row: &[u64], demand: &Demand) -> u64 {
    match demand.count {
        0 => 0,
        count => tightest(space, row, fitting(space, row, demand), count),
    }
}

/// Takes the demand from `row`; the caller knows that it fits.
pub(crate) fn take(space: &Space, row: &mut [u64], demand: &Demand, devices: u64) {
    each(space, row, demand, devices, |free, need| *free -= need);
    if let (Some(size), true) = (demand.size(), space.devices_end < row.len()) {
        row[space.devices_end + size] += 1;
    }
}

/// Gives the demand back to `row`.
pub(crate) fn give(space: &Space, row: &mut [u64], demand: &Demand, devices: u64) {
    each(space, row, demand, devices, |free, need| *free += need);
    if let (Some(size), true) = (demand.size(), space.devices_end < row.len()) {
        row[space.devices_end + size] -= 1;
    }
}

fn each(space: &Space, row: &mut [u64], demand: &Demand, mut devices: u64, apply: impl Fn(&mut u64, u64)) {
    let (node, cells) = row[1..].split_at_mut(space.node_dims());
    for (free, need) in node.iter_mut().zip(&demand.node) {
        apply(free, *need);
    }
    let width = space.device_dims();
    while devices != 0 {
        let i = devices.trailing_zeros() as usize;
        for (free, need) in cells[i * width..][..width].iter_mut().zip(&demand.device) {
            apply(free, *need);
        }
        devices &= devices - 1;
    }
}
