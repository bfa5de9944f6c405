//! The same bytes for any number of threads: the engine fixes its number when a process starts, so each is a child.

use std::process::Command;

use modelops_cleaning::{
    Action, DropDuplicates, DropMissing, Format, Keep, OutlierMethod, Outliers, PipelineSpec, Read,
};

use crate::{Files, run};

const CHILD: &str = "MODELOPS_CLEANING_TEST_FOLDER";

fn input() -> String {
    let mut text = String::from("id,v,w,name\n");
    for i in 0..60_000_u64 {
        let id = if i % 7 == 3 { i / 2 } else { i };
        let v = (id * 2_654_435_761 % 1_000_003) as f64 / 7.0;
        let w = if id % 11 == 0 {
            String::new()
        } else {
            format!("{}", id % 13)
        };
        let name = if id % 501 == 0 {
            format!("\"n\n{id}\"")
        } else {
            format!("n{id}")
        };
        text.push_str(&format!("{id},{v},{w},{name}\n"));
    }
    text
}

#[test]
fn threads_change_no_byte() {
    let text = input();
    let mut first: Option<Vec<Vec<u8>>> = None;
    for threads in ["1", "2", "5", "16"] {
        let files = Files::with(&text);
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "threads::in_a_child", "--ignored", "--quiet"])
            .env("POLARS_MAX_THREADS", threads)
            .env(CHILD, files.0.path())
            .output()
            .unwrap();
        assert!(
            status.status.success(),
            "{}",
            String::from_utf8_lossy(&status.stdout)
        );
        let outputs: Vec<Vec<u8>> = ["csv", "parquet", "quarantine", "ledger", "profile"]
            .iter()
            .map(|name| std::fs::read(files.at(name)).unwrap())
            .collect();
        match &first {
            None => first = Some(outputs),
            Some(first) => {
                let same: Vec<bool> = first.iter().zip(&outputs).map(|(a, b)| a == b).collect();
                assert_eq!(same, [true; 5], "{threads} threads");
            }
        }
    }
}

#[test]
#[ignore = "run by threads_change_no_byte, with a folder"]
#[expect(
    clippy::disallowed_methods,
    reason = "the parent says by a variable where the files lie"
)]
fn in_a_child() {
    let Some(folder) = std::env::var_os(CHILD) else {
        return;
    };
    let at = |name: &str| std::path::Path::new(&folder).join(name);
    let spec = || {
        PipelineSpec::new(Read::csv(at("in")))
            .step(DropMissing {
                columns: vec!["w".into()],
                ..DropMissing::default()
            })
            .step(DropDuplicates {
                keep: Keep::Last,
                ..DropDuplicates::default()
            })
            .step(Outliers {
                columns: vec!["v".into()],
                method: OutlierMethod::ZScore(1.7),
                action: Action::Quarantine,
            })
            .quarantine(at("quarantine"))
            .profile(true)
    };
    run(spec().write(at("parquet"), Format::Parquet));
    let report = run(spec().write_csv(at("csv")));
    assert!(report.ledger.quarantined() > 0 && report.ledger.dropped() > 0);
    let page = report.profile.unwrap().to_html("t", &report.ledger);
    std::fs::write(at("profile"), page).unwrap();
    let mut ledger = Vec::new();
    report.ledger.write_json_lines(&mut ledger).unwrap();
    std::fs::write(at("ledger"), ledger).unwrap();
}
