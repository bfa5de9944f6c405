//! Judges fingerprints range by range: which records repeat another one.

use std::ops::Range;

use crate::engine::bounded::folder::{Folder, Unit};
use crate::engine::bounded::shards::{BUCKETS, ENTRY, entries_before, open, seek_entry};
use crate::engine::bounded::{Budget, Units};
use crate::engine::passes::{Duplicates, Learner, Listed, Verdict};
use crate::error::RunError;
use crate::plan::RelOp;
use crate::spec::Keep;

/// A row and its survivor, as they lie in a unit.
const PAIR: u64 = 8;

/// The records that repeat another one at a distinct node, on disk.
#[derive(Debug)]
pub(super) struct Repeated<'f> {
    folder: &'f Folder,
    pub(super) node: usize,
    parts: usize,
}

/// Makes a unit for every range of buckets that has none yet.
pub(super) fn judge<'f>(
    node: usize,
    op: &RelOp,
    budget: Budget,
    folder: &'f Folder,
    shards: usize,
    units: &mut Units<'_>,
) -> Result<Repeated<'f>, RunError> {
    let ranges = ranges(node, budget, folder, shards)?;
    for (at, buckets) in ranges.iter().enumerate() {
        let name = unit_name(node, at);
        if folder.unit(&name)?.is_some() {
            units.reused();
            continue;
        }
        let mut repeated = repeated(node, op, folder, shards, buckets)?;
        repeated.sort_unstable();
        folder.put(&name, |file| {
            for (row, survivor) in &repeated {
                file.write_all(&row.to_le_bytes())?;
                file.write_all(&survivor.to_le_bytes())?;
            }
            file.flush()
        })?;
        units.done()?;
    }
    Ok(Repeated {
        folder,
        node,
        parts: ranges.len(),
    })
}

fn unit_name(node: usize, part: usize) -> String {
    format!("repeated-{node}-{part}.unit")
}

/// Ranges of buckets with about as many fingerprints as the budget allows.
fn ranges(
    node: usize,
    budget: Budget,
    folder: &Folder,
    shards: usize,
) -> Result<Vec<Range<usize>>, RunError> {
    let mut counts = vec![0u64; BUCKETS];
    for shard in 0..shards {
        let mut unit = open(folder, node, shard)?;
        let mut before = entries_before(&mut unit, 0)?;
        for count in &mut counts {
            let next = unit.u32()?;
            *count += u64::from(next - before);
            before = next;
        }
    }
    let mut ranges = Vec::new();
    let (mut start, mut held) = (0, 0);
    for (bucket, &count) in counts.iter().enumerate() {
        if held > 0 && held + count > budget.part_prints {
            ranges.push(start..bucket);
            (start, held) = (bucket, 0);
        }
        held += count;
    }
    ranges.push(start..BUCKETS);
    Ok(ranges)
}

/// The records of some buckets that repeat another one, each with its survivor.
fn repeated(
    node: usize,
    op: &RelOp,
    folder: &Folder,
    shards: usize,
    buckets: &Range<usize>,
) -> Result<Vec<(u32, u32)>, RunError> {
    let each = |take: &mut dyn FnMut(u128, u32)| -> Result<(), RunError> {
        for shard in 0..shards {
            let mut unit = open(folder, node, shard)?;
            let from = entries_before(&mut unit, buckets.start)?;
            let until = entries_before(&mut unit, buckets.end)?;
            seek_entry(&mut unit, from)?;
            let mut entry = [0; ENTRY];
            for _ in from..until {
                unit.exact(&mut entry)?;
                let (key, row) = entry.split_at(16);
                take(
                    u128::from_be_bytes(key.try_into().expect("sixteen bytes")),
                    u32::from_le_bytes(row.try_into().expect("four bytes")),
                );
            }
        }
        Ok(())
    };
    let RelOp::Distinct { keep, reason, .. } = op else {
        unreachable!("only distinct nodes have fingerprints")
    };
    let learned = if *keep == Keep::First {
        None
    } else {
        let mut learner = Learner::new(op);
        each(&mut |key, row| learner.fingerprint(key, row))?;
        Some(learner.finish(op))
    };
    let mut duplicates = Duplicates::one();
    let mut found = Vec::new();
    each(&mut |key, row| {
        if let Verdict::Duplicate { survivor, .. } =
            duplicates.judge(0, *keep, *reason, key, row, learned.as_ref())
        {
            found.push((row, survivor.unwrap_or(Listed::NONE)));
        }
    })?;
    Ok(found)
}

impl Repeated<'_> {
    /// How many there are.
    pub(super) fn count(&self) -> Result<u64, RunError> {
        let mut pairs = 0;
        for part in 0..self.parts {
            let unit = self.folder.unit(&unit_name(self.node, part))?;
            pairs += unit
                .expect("every part has its unit before the last pass")
                .len()?
                / PAIR;
        }
        Ok(pairs)
    }

    /// Those among `rows`, in order.
    pub(super) fn load(&self, rows: Range<u32>) -> Result<Vec<(u32, u32)>, RunError> {
        let mut found = Vec::new();
        for part in 0..self.parts {
            let unit = self.folder.unit(&unit_name(self.node, part))?;
            let mut unit = unit.expect("every part has its unit before the last pass");
            let pairs = unit.len()? / PAIR;
            let first = lower_bound(&mut unit, pairs, rows.start)?;
            unit.seek(first * PAIR)?;
            for _ in first..pairs {
                let pair = (unit.u32()?, unit.u32()?);
                if pair.0 >= rows.end {
                    break;
                }
                found.push(pair);
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

/// The first of the pairs whose row is not below `row`.
fn lower_bound(unit: &mut Unit, pairs: u64, row: u32) -> Result<u64, RunError> {
    let (mut low, mut high) = (0, pairs);
    while low < high {
        let middle = low + (high - low) / 2;
        unit.seek(middle * PAIR)?;
        if unit.u32()? < row {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
