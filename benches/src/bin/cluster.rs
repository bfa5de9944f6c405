//! The cleaning job of 450 MB twice: by an engine over shards, and by this machine alone; then both results are
//! compared, row by row and outcome by outcome.
//!
//! `cargo run --release -p modelops-benches --features cluster --bin cluster -- ADDRESS [RECORDS]`, with the address of an engine
//! that speaks Arrow Flight SQL, such as `bash examples/distributed/sail.sh` starts: `http://127.0.0.1:32010`.
#![allow(clippy::unwrap_used, reason = "a failed set-up ends the run")]
#![allow(clippy::print_stdout, reason = "it is a report")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use modelops_benches::{Sample, dirty, measure};
use modelops_cleaning::distributed::{Distributed, FlightSql, Threads};
use modelops_cleaning::{DropDuplicates, DropMissing, Mode, Pipeline, PipelineSpec, Read};

const SHARDS: usize = 12;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().expect("the address of an engine");
    let records = arguments.next().map_or(dirty::RECORDS, |count| {
        count.parse().expect("a number of records")
    });
    let engine = FlightSql::connect(&address, Duration::from_secs(600)).unwrap();

    fs::create_dir_all("target").unwrap();
    let folder = tempfile::tempdir_in(std::path::absolute("target").unwrap()).unwrap();
    let at = |name: &str| folder.path().join(name);
    let bytes = write_shards(&at("in"), &at("all.csv"), records);
    println!(
        "{records} records and their repetitions, {} MB, {SHARDS} shards",
        bytes / 1_000_000
    );

    let workers = Threads(NonZeroUsize::new(4).unwrap());
    let distributed = Distributed::try_new(spec(at("in"), at("clean")), at("work")).unwrap();
    let (report, sample) = measure(|| distributed.run(&engine, &workers).unwrap());
    line("the engine, and our jobs on 4 threads", sample);
    let pipeline = Pipeline::try_new(spec(at("all.csv"), at("local.csv"))).unwrap();
    let (run, sample) = measure(|| pipeline.run().unwrap());
    line("this machine alone", sample);
    println!("{report}");

    let ledger = run.ledger;
    let totals = (
        ledger.records_in(),
        ledger.kept(),
        ledger.quarantined(),
        ledger.dropped(),
    );
    assert_eq!(
        (report.records_in, report.kept, report.quarantined, report.dropped),
        totals,
        "the totals differ"
    );
    let rows = same_rows(&at("clean"), &at("local.csv"));
    let mut lines = BufWriter::new(File::create(at("local.jsonl")).unwrap());
    ledger.write_json_lines(&mut lines).unwrap();
    lines.flush().unwrap();
    let outcomes = same_outcomes(&report.ledger, &at("local.jsonl"));
    println!("{rows} bytes of clean rows and {outcomes} outcomes of records: equal");
}

fn line(what: &str, sample: Sample) {
    println!(
        "{what:<40} {:>8.2} s of this process  {:>8.2} s by the clock",
        sample.cpu, sample.wall
    );
}

fn spec(input: PathBuf, output: PathBuf) -> PipelineSpec {
    PipelineSpec::new(Read::csv(input))
        .mode(Mode::Textual)
        .step(DropMissing::default())
        .step(DropDuplicates::default())
        .write_csv(output)
}

/// Writes the table as shards and as one file; gives the bytes of the latter.
fn write_shards(folder: &Path, all: &Path, records: usize) -> u64 {
    fs::create_dir(folder).unwrap();
    let create = |path: &Path| {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
        out.write_all(dirty::HEADER.as_bytes()).unwrap();
        out
    };
    let mut whole = create(all);
    let mut shards: Vec<_> = (0..SHARDS)
        .map(|i| create(&folder.join(format!("{i:02}.csv"))))
        .collect();
    let mut written = 0;
    // Repetitions make more records than were asked for; the last shard takes what is over.
    let each = records.div_ceil(SHARDS);
    dirty::records(records, |record| {
        shards[(written / each).min(SHARDS - 1)].write_all(record.as_bytes())?;
        written += 1;
        whole.write_all(record.as_bytes())
    })
    .unwrap();
    for mut shard in shards {
        shard.flush().unwrap();
    }
    whole.flush().unwrap();
    fs::metadata(all).unwrap().len()
}

fn parts(folder: &Path) -> Vec<PathBuf> {
    let mut parts: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    parts.sort();
    parts
}

/// Asserts that the parts, one after another and with one header, are the file.
fn same_rows(folder: &Path, file: &Path) -> usize {
    let mut joined = Vec::new();
    for part in parts(folder) {
        let bytes = fs::read(part).unwrap();
        let rows = bytes.strip_prefix(dirty::HEADER.as_bytes()).expect("a header");
        joined.extend_from_slice(if joined.is_empty() { &bytes } else { rows });
    }
    assert!(joined == fs::read(file).unwrap(), "the rows differ");
    joined.len()
}

/// Asserts that every record has the same outcome in the ledger of the shards as in that of the whole, where a place in
/// a shard is one in the whole.
fn same_outcomes(folder: &Path, file: &Path) -> u64 {
    let lines = |path: &Path| {
        BufReader::new(File::open(path).unwrap())
            .lines()
            .map(Result::unwrap)
    };
    let parse = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let parts = parts(folder);
    let mut first = vec![0];
    for part in &parts {
        first.push(first[first.len() - 1] + lines(part).count() as u64);
    }
    let mut local = lines(file);
    for (part, &start) in parts.iter().zip(&first) {
        for line in lines(part) {
            let mut outcome = parse(&line);
            outcome["row"] = (start + outcome["row"].as_u64().unwrap()).into();
            if let Some(survivor) = outcome.get("survivor").cloned() {
                let shard = survivor["shard"].as_u64().unwrap() as usize;
                outcome["survivor"] = (first[shard] + survivor["row"].as_u64().unwrap()).into();
            }
            assert_eq!(outcome, parse(&local.next().expect("as many outcomes")));
        }
    }
    assert!(local.next().is_none(), "as many outcomes");
    first[parts.len()]
}
