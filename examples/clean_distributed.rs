//! My data no longer fits on one machine: how does the same cleaning run on a cluster, and is the result the same?
//!
//! `bash examples/distributed/sail.sh` installs Sail and starts it on this machine: a SQL engine with four workers.
//! `cargo run --example clean_distributed --features distributed` then cuts the raw Palmer penguins into four shards, cleans
//! them with that engine, and compares the parts with a local run over the whole. An engine elsewhere is named by
//! its address: `-- http://10.0.0.7:32010`.

use std::error::Error;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use modelops::cleaning::distributed::{Distributed, FlightSql, Threads};
use modelops::cleaning::{
    Action, DropDuplicates, DropMissing, Mode, OutlierMethod, Outliers, Pipeline, PipelineSpec, Read,
};

const SOURCE: &str = "examples/data/penguins_raw.csv";
const SHARDS: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("http://127.0.0.1:32010");
    let engine = FlightSql::connect(address, Duration::from_secs(60)).map_err(|error| {
        format!("{error}\nno engine at {address}: start one with `bash examples/distributed/sail.sh`")
    })?;

    // The engine and the workers see this folder under the same path. A run that was stopped goes on from it; here
    // every run begins anew.
    let out = std::path::absolute("target/clean_distributed")?;
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    let records = shard(Path::new(SOURCE), &out.join("shards"))?;
    println!("{records} records in {SHARDS} shards");

    // One specification; only the paths say whether it is a file or a folder of shards.
    let spec = specification(out.join("shards"), out.join("clean"), out.join("quarantine"));
    let distributed = Distributed::try_new(spec, out.join("work"))?;
    let statements = distributed.statements();
    fs::write(out.join("statements.sql"), statements.join(";\n") + ";\n")?;
    println!(
        "{} statements, in target/clean_distributed/statements.sql",
        statements.len()
    );
    let workers = Threads(NonZeroUsize::new(SHARDS).expect("not zero"));
    let report = distributed.run(&engine, &workers)?;
    println!("\n{report}");

    let local = out.join("local.csv");
    let spec = specification(SOURCE.into(), local.clone(), out.join("local.jsonl"));
    let ledger = Pipeline::try_new(spec)?.run()?.ledger;
    let same_rows = joined(&out.join("clean"))? == fs::read(&local)?;
    let same_reasons = ledger
        .reasons()
        .map(|(reason, _, count)| (reason.to_string(), count))
        .eq(report.reasons.iter().cloned());
    println!("\nthe same bytes as a local run: {same_rows}");
    println!("the same reasons, as often: {same_reasons}");
    println!("written: target/clean_distributed/clean, one part a shard");
    Ok(())
}

fn specification(input: PathBuf, clean: PathBuf, quarantine: PathBuf) -> PipelineSpec {
    let measured = ["Culmen Length (mm)", "Body Mass (g)"].map(String::from).to_vec();
    PipelineSpec::new(Read::csv(input).sentinels(["NA", "."]))
        .mode(Mode::Textual)
        .step(DropDuplicates {
            columns: vec!["Individual ID".into()],
            ..DropDuplicates::default()
        })
        .step(DropMissing {
            columns: measured.clone(),
            ..DropMissing::default()
        })
        .step(Outliers {
            columns: measured,
            method: OutlierMethod::Mad(2.5),
            action: Action::Quarantine,
        })
        .write_csv(clean)
        .quarantine(quarantine)
}

/// Cuts a file at the ends of lines, which are those of records in this one, and gives each part its header.
fn shard(source: &Path, folder: &Path) -> Result<usize, Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let text = fs::read_to_string(source)?;
    let (header, body) = text.split_once('\n').ok_or("a file with a header")?;
    let lines: Vec<&str> = body.split_inclusive('\n').collect();
    for (i, part) in lines.chunks(lines.len().div_ceil(SHARDS)).enumerate() {
        fs::write(
            folder.join(format!("{i}.csv")),
            format!("{header}\n{}", part.concat()),
        )?;
    }
    Ok(lines.len())
}

/// The parts one after another, with one header.
fn joined(folder: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut parts: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    parts.sort();
    let mut all = Vec::new();
    for part in parts {
        let bytes = fs::read(part)?;
        let header = bytes
            .iter()
            .position(|&byte| byte == b'\n')
            .map_or(0, |end| end + 1);
        all.extend(&bytes[if all.is_empty() { 0 } else { header }..]);
    }
    Ok(all)
}
