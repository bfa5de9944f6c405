//! Shards of the input, and the fingerprints of each.

use crate::engine::bounded::folder::{Digest, Folder, Unit};
use crate::engine::bounded::parts::Repeated;
use crate::engine::bounded::{Budget, Units};
use crate::engine::passes::Verdict;
use crate::engine::source::{CsvSource, Place};
use crate::engine::textual::Judge;
use crate::error::RunError;
use crate::plan::Keys;

/// Fingerprints are told apart by so many leading bits before any of them are judged.
const BUCKET_BITS: u32 = 10;
pub(super) const BUCKETS: usize = 1 << BUCKET_BITS;
/// Bytes of a fingerprint and its row.
pub(super) const ENTRY: usize = 20;
const HEAD: usize = 6 * 8 + 16;

/// A run of records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shard {
    pub(super) start: Place,
    pub(super) end: Place,
    /// Of its bytes, so that an input that changes between two passes is seen.
    pub(super) digest: Digest,
}

impl Shard {
    pub(super) fn rows(&self) -> std::ops::Range<u32> {
        self.start.row as u32..self.end.row as u32
    }
}

/// A fingerprint and its row, without the padding that a `u128` would bring.
#[derive(Clone, Copy)]
struct Print {
    key: [u8; 16],
    row: u32,
}

impl Print {
    fn bucket(&self) -> usize {
        (u16::from_be_bytes([self.key[0], self.key[1]]) >> (16 - BUCKET_BITS)) as usize
    }
}

/// Makes a unit of fingerprints for every shard that has none yet. `shards` is empty where the borders are not known.
pub(super) fn fingerprints(
    source: &mut CsvSource,
    judge: &mut Judge<'_>,
    (node, keys): (usize, &Keys),
    budget: Budget,
    (folder, repeated): (&Folder, &[Repeated<'_>]),
    shards: &mut Vec<Shard>,
    units: &mut Units<'_>,
) -> Result<(), RunError> {
    let known = (!shards.is_empty()).then_some(shards.len());
    let mut start = source.first();
    let mut prints: Vec<Print> = Vec::new();
    for at in 0.. {
        if known == Some(at) {
            return Ok(());
        }
        if let Some(mut unit) = folder.unit(&unit_name(node, at))? {
            let shard = read_head(&mut unit)?;
            units.reused();
            start = shard.end;
            if known.is_none() {
                shards.push(shard);
            }
            continue;
        }
        source.seek(start)?;
        let border = known.map(|_| shards[at]);
        if let Some(shard) = border {
            // Where the borders are unknown this is the first distinct node, and nothing is listed yet.
            for list in repeated {
                judge.list(list.node, list.load(shard.rows())?);
            }
        }
        prints.clear();
        let mut digest = Digest::default();
        let end = loop {
            let place = source.place();
            let full = match border {
                Some(shard) => place.row == shard.end.row,
                None => {
                    place.offset - start.offset >= budget.shard_bytes || prints.len() >= budget.shard_prints
                }
            };
            if full {
                break place;
            }
            let Some(record) = source.next_record()? else {
                break place;
            };
            digest.add(record.raw);
            if judge.fault(&record).is_none() && judge.verdict(&record, node)? == Verdict::Keep {
                let key = judge.fingerprint(&record, keys).to_be_bytes();
                prints.push(Print { key, row: record.row });
            }
        };
        if end == start {
            return Ok(());
        }
        let shard = Shard { start, end, digest };
        match border {
            None => shards.push(shard),
            Some(border) if border.digest != digest => return Err(RunError::InputChanged),
            Some(_) => {}
        }
        write_unit(folder, &unit_name(node, at), &shard, &mut prints)?;
        units.done()?;
        start = end;
    }
    Ok(())
}

/// The borders alone, for a plan without a distinct node.
pub(super) fn borders(source: &mut CsvSource, budget: Budget) -> Result<Vec<Shard>, RunError> {
    let mut shards = Vec::new();
    let mut start = source.first();
    source.seek(start)?;
    loop {
        let mut digest = Digest::default();
        while source.place().offset - start.offset < budget.shard_bytes
            && let Some(record) = source.next_record()?
        {
            digest.add(record.raw);
        }
        let end = source.place();
        if end == start {
            return Ok(shards);
        }
        shards.push(Shard { start, end, digest });
        start = end;
    }
}

fn unit_name(node: usize, shard: usize) -> String {
    format!("prints-{node}-{shard}.unit")
}

/// The layout of a unit: start and end of the shard, digest, where each bucket begins, entries by bucket and row.
fn write_unit(folder: &Folder, name: &str, shard: &Shard, prints: &mut [Print]) -> Result<(), RunError> {
    prints.sort_unstable_by_key(|print| (print.bucket(), print.row));
    folder.put(name, |file| {
        for place in [shard.start, shard.end] {
            for number in [place.row, place.line, place.offset] {
                file.write_all(&number.to_le_bytes())?;
            }
        }
        file.write_all(&shard.digest.to_bytes())?;
        let mut at = 0;
        for bucket in 0..=BUCKETS {
            at += prints[at..].partition_point(|print| print.bucket() < bucket);
            file.write_all(&(at as u32).to_le_bytes())?;
        }
        for print in prints.iter() {
            file.write_all(&print.key)?;
            file.write_all(&print.row.to_le_bytes())?;
        }
        file.flush()
    })
}

fn read_head(unit: &mut Unit) -> Result<Shard, RunError> {
    let mut place = || -> Result<Place, RunError> {
        Ok(Place {
            row: unit.u64()?,
            line: unit.u64()?,
            offset: unit.u64()?,
        })
    };
    let (start, end) = (place()?, place()?);
    let mut digest = [0; 16];
    unit.exact(&mut digest)?;
    let digest = Digest::from_bytes(digest);
    Ok(Shard { start, end, digest })
}

/// The fingerprints of one shard, to be read by ranges of buckets.
pub(super) fn open(folder: &Folder, node: usize, shard: usize) -> Result<Unit, RunError> {
    let unit = folder.unit(&unit_name(node, shard))?;
    Ok(unit.expect("every shard has its unit before any part is judged"))
}

/// How many entries lie before `bucket`.
pub(super) fn entries_before(unit: &mut Unit, bucket: usize) -> Result<u32, RunError> {
    unit.seek((HEAD + 4 * bucket) as u64)?;
    unit.u32()
}

/// Goes to entry `at`.
pub(super) fn seek_entry(unit: &mut Unit, at: u32) -> Result<(), RunError> {
    unit.seek((HEAD + 4 * (BUCKETS + 1) + ENTRY * at as usize) as u64)
}
