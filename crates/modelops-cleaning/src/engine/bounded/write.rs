//! The last pass: shard after shard into the outputs, with the part of the ledger that belongs to it.

use crate::engine::bounded::Units;
use crate::engine::bounded::folder::{Digest, Folder};
use crate::engine::bounded::parts::Repeated;
use crate::engine::bounded::shards::Shard;
use crate::engine::output::{Outputs, Pending};
use crate::engine::passes::Verdict;
use crate::engine::source::CsvSource;
use crate::engine::textual::{self, Judge};
use crate::error::RunError;
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::spec::PipelineSpec;

/// Says that the outputs are complete and only their names are missing.
const COMMIT: &str = "commit.unit";

fn unit_name(shard: usize) -> String {
    format!("written-{shard}.unit")
}

/// Writes what is not yet written, and gives the outputs their names.
pub(super) fn outputs(
    spec: &PipelineSpec,
    plan: &Plan,
    source: &mut CsvSource,
    judge: &mut Judge<'_>,
    (folder, repeated): (&Folder, &[Repeated<'_>]),
    shards: &[Shard],
    units: &mut Units<'_>,
) -> Result<Ledger, RunError> {
    let records = shards.last().map_or(0, |last| last.end.row);
    let duplicates: u64 = repeated.iter().map(Repeated::count).sum::<Result<_, _>>()?;
    let empty = || {
        let mut ledger = Ledger::new(records, plan.reasons.clone(), plan.steps);
        ledger.expect_duplicates(duplicates);
        ledger
    };
    let mut ledger = empty();
    let mut lengths = [0, 0];
    let mut done = 0;
    while let Some(written) = load(folder, done, &mut ledger)? {
        lengths = written;
        done += 1;
    }
    let mut outputs = match Outputs::resume(spec, lengths)? {
        Some(outputs) if done > 0 => outputs,
        // Nothing is written yet, or somebody has removed an unfinished output.
        _ => {
            ledger = empty();
            done = 0;
            Outputs::create(spec)?.keep_unfinished()
        }
    };
    for _ in 0..done {
        units.reused();
    }
    if done == 0
        && let Some(clean) = &mut outputs.clean
    {
        clean.write(&source.header.raw)?;
    }
    for (at, shard) in shards.iter().enumerate().skip(done) {
        source.seek(shard.start)?;
        for list in repeated {
            judge.list(list.node, list.load(shard.rows())?);
        }
        let mut digest = Digest::default();
        for _ in shard.rows() {
            let Some(record) = source.next_record()? else {
                return Err(RunError::InputChanged);
            };
            digest.add(record.raw);
            let verdict = match judge.fault(&record) {
                Some(reason) => Verdict::Refuse(reason),
                None => judge.verdict(&record, plan.nodes.len())?,
            };
            textual::settle(&record, verdict, &mut ledger, &mut outputs)?;
        }
        if digest != shard.digest {
            return Err(RunError::InputChanged);
        }
        let lengths = outputs.sync()?;
        let (codes, survivors) = ledger.entries(shard.rows());
        folder.put(&unit_name(at), |file| {
            for number in lengths {
                file.write_all(&number.to_le_bytes())?;
            }
            file.write_all(&(codes.len() as u32).to_le_bytes())?;
            file.write_all(&(survivors.len() as u32).to_le_bytes())?;
            for code in codes {
                file.write_all(&code.to_le_bytes())?;
            }
            for (row, survivor) in survivors {
                file.write_all(&row.to_le_bytes())?;
                file.write_all(&survivor.to_le_bytes())?;
            }
            file.flush()
        })?;
        units.done()?;
    }
    ledger.settle();
    ledger.verify()?;
    outputs.sync()?;
    folder.put(COMMIT, |_| Ok(()))?;
    outputs.commit()?;
    Ok(ledger)
}

/// Adds what a complete unit says to the ledger and gives the lengths of the outputs after it; `None` where there is no such unit.
fn load(folder: &Folder, shard: usize, ledger: &mut Ledger) -> Result<Option<[u64; 2]>, RunError> {
    let Some(mut unit) = folder.unit(&unit_name(shard))? else {
        return Ok(None);
    };
    let lengths = [unit.u64()?, unit.u64()?];
    let (codes, survivors) = (unit.u32()?, unit.u32()?);
    for _ in 0..codes {
        let mut code = [0; 2];
        unit.exact(&mut code)?;
        ledger
            .restore(u16::from_le_bytes(code))
            .ok_or(RunError::InputChanged)?;
    }
    for _ in 0..survivors {
        ledger.restore_survivor(unit.u32()?, unit.u32()?);
    }
    Ok(Some(lengths))
}

/// Where a run was stopped between completing the outputs and naming them: names them and gives the ledger.
pub(super) fn committed(
    spec: &PipelineSpec,
    plan: &Plan,
    folder: &Folder,
) -> Result<Option<Ledger>, RunError> {
    if folder.unit(COMMIT)?.is_none() {
        return Ok(None);
    }
    let mut ledger = Ledger::new(0, plan.reasons.clone(), plan.steps);
    let mut shard = 0;
    while load(folder, shard, &mut ledger)?.is_some() {
        shard += 1;
    }
    ledger.set_records_in(ledger.rows());
    ledger.settle();
    ledger.verify()?;
    let outputs = [
        spec.quarantine.as_deref(),
        spec.write.as_ref().map(|write| write.path.as_path()),
    ];
    for path in outputs.into_iter().flatten() {
        Pending::name(path)?;
    }
    Ok(Some(ledger))
}
