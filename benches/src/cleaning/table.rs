//! Cleaning a large file: drop records with a missing value, then repeated ones, write the rest.

use std::path::PathBuf;

use modelops_benches::{Better, Comparison, dirty, workspace_root};
use modelops_cleaning::{DropDuplicates, DropMissing, Mode, Pipeline, PipelineSpec, Read};
use serde::Deserialize;

/// What a run of the job gives.
#[derive(Debug, Deserialize)]
struct Cleaned {
    rows: u64,
    /// The peak of resident memory of the process, MB.
    peak: f64,
}

/// Bytes as they are, then values: the textual job first, while the peak of memory of this process is its own.
pub(crate) fn run(comparison: &mut Comparison) {
    job(
        comparison,
        "drop missing and repeated records of a CSV file, 450 MB",
        Mode::Textual,
        &[
            ("polars 2.1.0, columns as text", "polars-text"),
            ("polars 2.1.0, typed", "polars"),
            ("duckdb 2.0.0", "duckdb"),
            ("pandas 3.1.1", "pandas"),
        ],
    );
    job(
        comparison,
        "drop missing and repeated rows of a typed table, 450 MB of CSV",
        Mode::Typed,
        &[("polars 2.1.0, typed", "polars")],
    );
}

fn job(comparison: &mut Comparison, name: &str, mode: Mode, peers: &[(&str, &str)]) {
    if !comparison.wants(name) {
        return;
    }
    let folder = workspace_root().join("target").join("compare").join("cleaning");
    std::fs::create_dir_all(&folder).expect("a writable target folder");
    let source = folder.join("dirty.csv");
    if !source.exists() {
        dirty::write_file(&source, dirty::RECORDS).expect("a disk with room");
    }
    // Nobody's first round pays for the disk.
    let mut file = std::fs::File::open(&source).expect("it was written");
    std::io::copy(&mut file, &mut std::io::sink()).expect("a readable file");
    let target = |name: &str| folder.join(format!("{name}.csv"));
    let text = |path: PathBuf| path.to_str().expect("a plain path").to_owned();
    let (input, ours) = (text(source.clone()), target("ours"));
    let pipeline = Pipeline::try_new(
        PipelineSpec::new(Read::csv(&source))
            .mode(mode)
            .step(DropMissing::default())
            .step(DropDuplicates::default())
            .write_csv(&ours),
    )
    .expect("a sound specification");
    let outputs: Vec<(&str, &str, String)> = peers
        .iter()
        .map(|&(name, tool)| (name, tool, text(target(tool))))
        .collect();
    let mut case = comparison.case(name).ours(|| Cleaned {
        rows: pipeline.run().expect("a sound file").ledger.kept(),
        peak: peak(),
    });
    for (name, tool, output) in &outputs {
        case = case.python(name, "table.py", &[tool, &input, output]);
    }
    case.value("peak memory", "MB", Better::Lower, |cleaned| cleaned.peak)
        .agree(|ours, theirs| ours.rows == theirs.rows)
        .rounds(2)
        .cold()
        .run();
}

fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmHWM:")?
                .trim()
                .strip_suffix("kB")?
                .trim()
                .parse::<f64>()
                .ok()
        })
        .map_or(f64::NAN, |kilobytes| kilobytes / 1024.0)
}
