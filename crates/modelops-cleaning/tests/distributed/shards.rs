//! Hostile shards, and the comparison of a distributed run with a local one.

use std::fs;
use std::path::{Path, PathBuf};

use modelops_cleaning::distributed::{
    Distributed, DistributedError, DistributedReport, JobRunner, SqlEngine,
};
use modelops_cleaning::{
    Action, Check, DropDuplicates, DropMissing, Equality, Keep, Mode, OutlierMethod, Outliers, Pipeline,
    PipelineSpec, Read, Rule, Step,
};
use proptest::prelude::*;
use serde_json::Value;

pub(crate) const HEADER: &[u8] = b"id,\"na\"\"me`; DROP TABLE x --\n\",score\n";
/// The name of the second column: nothing that it says may reach an engine as syntax.
pub(crate) const NAME: &str = "na\"me`; DROP TABLE x --\n";

/// One whole record: sound, or broken in one of the ways that files are.
pub(crate) fn record() -> impl Strategy<Value = Vec<u8>> {
    let sound = (0u8..6, 0u8..4, 0u8..6).prop_map(|(id, name, score)| {
        let score = ["1", "1.5", "-2e3", "0.1", "1000000", "0.30000000000000004"][usize::from(score)];
        let name = ["x", "X ", "\"quoted\nline\"", ""][usize::from(name)];
        format!("{id},{name},{score}\n").into_bytes()
    });
    prop_oneof![
        12 => sound,
        1 => Just(b"\r\n".to_vec()),
        1 => Just(b"1,2\n".to_vec()),
        1 => Just(b"1,2,3,4\r\n".to_vec()),
        1 => Just(b"1,\xff\xfe,3\n".to_vec()),
        1 => Just(b"1,\"a\"b,3\n".to_vec()),
        1 => Just(b"1,a\"b,7\n".to_vec()),
        1 => Just(b"9,cr,5\r".to_vec()),
        1 => Just(b",,\n".to_vec()),
        1 => Just("2,é,\u{a0}\n".as_bytes().to_vec()),
    ]
}

pub(crate) fn hostile() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    proptest::collection::vec(proptest::collection::vec(record(), 0..30), 1..5)
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let keep = prop_oneof![Just(Keep::First), Just(Keep::Last), Just(Keep::None)];
    let columns = prop_oneof![
        Just(vec![]),
        Just(vec!["id".to_owned()]),
        Just(vec![NAME.to_owned(), "score".to_owned()])
    ];
    let equality = prop_oneof![Just(Equality::Exact), Just(Equality::Normalised)];
    let duplicates = (keep, columns, equality).prop_map(|(keep, columns, equality)| {
        Step::from(DropDuplicates {
            columns,
            keep,
            equality,
        })
    });
    let method = prop_oneof![
        Just(OutlierMethod::ZScore(1.0)),
        Just(OutlierMethod::Mad(2.0)),
        Just(OutlierMethod::Iqr(1.0))
    ];
    // Outliers want numbers, so what is none is refused first.
    let outliers = method.prop_map(|method| {
        Step::from(Outliers {
            columns: vec!["score".into(), "id".into()],
            method,
            action: Action::Quarantine,
        })
    });
    let number = Check::new("score", Rule::Regex("^[-0-9.e]+$".into()));
    let first = Step::from(DropMissing {
        columns: vec!["id".into(), "score".into()],
        ..DropMissing::default()
    });
    proptest::collection::vec(prop_oneof![duplicates, outliers], 1..4).prop_map(move |more| {
        [first.clone(), Step::from(number.clone())]
            .into_iter()
            .chain(more)
            .collect()
    })
}

/// Writes shards into `folder/in`, and all of them as one file.
pub(crate) fn write(folder: &Path, shards: &[Vec<Vec<u8>>]) {
    fs::create_dir_all(folder.join("in")).unwrap();
    let mut all = HEADER.to_vec();
    for (i, records) in shards.iter().enumerate() {
        let body = records.concat();
        fs::write(folder.join(format!("in/{i}.csv")), [HEADER, &body].concat()).unwrap();
        all.extend(body);
    }
    fs::write(folder.join("all.csv"), all).unwrap();
}

pub(crate) fn spec(
    folder: &Path,
    steps: &[Step],
    input: &str,
    clean: &str,
    quarantine: &str,
) -> PipelineSpec {
    let mut spec = PipelineSpec::new(Read::csv(folder.join(input)))
        .mode(Mode::Textual)
        .write_csv(folder.join(clean))
        .quarantine(folder.join(quarantine));
    spec.steps = steps.to_vec();
    spec
}

pub(crate) fn distributed(
    folder: &Path,
    steps: &[Step],
    engine: &dyn SqlEngine,
    runner: &dyn JobRunner,
) -> Result<DistributedReport, DistributedError> {
    let spec = spec(folder, steps, "in", "clean", "bad");
    Distributed::try_new(spec, folder.join("work"))?.run(engine, runner)
}

fn parts(folder: &Path) -> Vec<PathBuf> {
    let mut parts: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    parts.sort();
    parts
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Runs locally over all shards and compares everything with what a distributed run has written.
pub(crate) fn assert_as_local(folder: &Path, steps: &[Step], report: &DistributedReport) {
    let spec = spec(folder, steps, "all.csv", "local.csv", "local.jsonl");
    let ledger = Pipeline::try_new(spec).unwrap().run().unwrap().ledger;
    let totals = (report.records_in, report.kept, report.quarantined, report.dropped);
    assert_eq!(
        totals,
        (
            ledger.records_in(),
            ledger.kept(),
            ledger.quarantined(),
            ledger.dropped()
        )
    );
    let reasons: Vec<(String, u64)> = ledger.reasons().map(|(r, _, n)| (r.to_string(), n)).collect();
    assert_eq!(report.reasons, reasons);

    // The same rows, byte by byte.
    let mut clean = HEADER.to_vec();
    for part in parts(&folder.join("clean")) {
        let bytes = fs::read(part).unwrap();
        clean.extend(bytes.strip_prefix(HEADER).unwrap());
    }
    assert!(
        clean == fs::read(folder.join("local.csv")).unwrap(),
        "clean rows differ"
    );
    let raw = |lines: Vec<Value>| -> Vec<Value> {
        let fields =
            |line: Value| serde_json::json!([line["reason"], line["column"], line["raw"], line["raw_hex"]]);
        lines.into_iter().map(fields).collect()
    };
    let bad: Vec<u8> = parts(&folder.join("bad"))
        .iter()
        .flat_map(|p| fs::read(p).unwrap())
        .collect();
    assert_eq!(
        raw(lines(&bad)),
        raw(lines(&fs::read(folder.join("local.jsonl")).unwrap()))
    );

    // The same ledger, once (shard, row) is the place in the whole.
    let mut first = vec![0u64];
    let ledgers: Vec<Vec<Value>> = parts(&report.ledger)
        .iter()
        .map(|p| lines(&fs::read(p).unwrap()))
        .collect();
    for ledger in &ledgers {
        first.push(first.last().unwrap() + ledger.len() as u64);
    }
    let mut mine = Vec::new();
    for (shard, ledger) in ledgers.into_iter().enumerate() {
        for mut line in ledger {
            line["row"] = (first[shard] + line["row"].as_u64().unwrap()).into();
            if let Some(survivor) = line.get("survivor").cloned() {
                let shard = survivor["shard"].as_u64().unwrap() as usize;
                line["survivor"] = (first[shard] + survivor["row"].as_u64().unwrap()).into();
            }
            mine.push(line);
        }
    }
    let mut local = Vec::new();
    ledger.write_json_lines(&mut local).unwrap();
    assert_eq!(mine, lines(&local));
    for name in ["local.csv", "local.jsonl"] {
        fs::remove_file(folder.join(name)).unwrap();
    }
}
