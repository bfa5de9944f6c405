//! Devices in use first; and requests of one size together.

use crate::score::{Score, Trial};

/// Fills devices that are in use, then idle devices of nodes that are in use, then idle nodes.
///
/// **Formula**: on devices in use 100 − their free tenths of a percent, at least 50; else, with k idle devices taken on a node
/// in use, 50 − k, at least 33; on an idle node with k devices the larger of 33 − k and k. Without devices 0.
///
/// **References**: the packing baseline of Q. Weng et al., USENIX ATC 2023.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packing;

impl Score for Packing {
    fn score(&self, trial: &Trial<'_>) -> i64 {
        let wanted = trial.demand.devices() as usize;
        if wanted == 0 {
            return 0;
        }
        let (mut devices, mut idle) = (0, 0);
        for free in trial.before.shares() {
            devices += 1;
            idle += i64::from(free == 1000);
        }
        if idle == devices {
            return (33 - idle).max(idle);
        }
        // The devices that change are those that are taken, the tightest.
        let (mut taken_idle, mut free_percent) = (0, 0);
        for (before, after) in trial.before.shares().zip(trial.after.shares()) {
            if before != after {
                taken_idle += i64::from(before == 1000);
                free_percent += before as i64 / 10;
            }
        }
        if taken_idle > 0 {
            (50 - taken_idle).max(33)
        } else {
            (100 - free_percent / 10).max(50)
        }
    }
}

/// Puts requests of one size (a share, one device, two, four, eight, another number) on the same nodes.
///
/// **Formula**: 25 · used share of the node / largest share, plus 75 where only this size is on the node, 50 where this and
/// others are, 25 where nothing is, 0 where only others are. Without devices 0.
///
/// **References**: the clustering baseline of Q. Weng et al., USENIX ATC 2023, after Gandiva (OSDI 2018).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clustering;

impl Score for Clustering {
    fn reads_residents(&self) -> bool {
        true
    }

    fn score(&self, trial: &Trial<'_>) -> i64 {
        let Some(size) = trial.demand.size() else { return 0 };
        let largest = trial.before.largest_share().max(1) as i64;
        let used = 25 * (largest - trial.before.free_share() as i64) / largest;
        let residents = trial.before.residents();
        let sizes = residents.iter().filter(|count| **count > 0).count();
        let together = match (residents[size] > 0, sizes) {
            (true, 1) => 75,
            (true, _) => 50,
            (false, 0) => 25,
            (false, _) => 0,
        };
        used + together
    }
}
