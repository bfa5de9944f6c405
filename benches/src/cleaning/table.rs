//! Cleaning a large file: drop records with a missing value, then repeated ones, write the rest.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use modelops_benches::{Better, Comparison, workspace_root};
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
        generate(&source, 4_800_000);
    }
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

/// Records as the shop of a training log has them: 2 % missing in each of three columns, one in ten repeated nearby,
/// 2 % of the comments with a line end inside quotes, 8 % with a comma.
fn generate(path: &Path, records: usize) {
    const WORDS: [&str; 26] = [
        "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett", "kilo",
        "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform",
        "victor", "whiskey", "xray", "yankee", "zulu",
    ];
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).expect("a writable folder"));
    let mut state = 42u64;
    let mut next = |below: u64| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(z ^ (z >> 31)) * u128::from(below)) >> 64) as u64
    };
    writeln!(out, "id,user,amount,score,category,day,comment").expect("a disk with room");
    let mut recent: Vec<String> = Vec::new();
    for id in 0..records {
        let amount = if next(50) == 0 {
            String::new()
        } else {
            format!("{}.{:04}", next(200), next(10_000))
        };
        let score = if next(50) == 0 {
            String::new()
        } else {
            format!("0.{:06}", next(1_000_000))
        };
        let category = if next(50) == 0 {
            ""
        } else {
            ["A", "B", "C", "D", "E", "F", "G", "H"][next(8) as usize]
        };
        let mut comment: Vec<&str> = (0..6).map(|_| WORDS[next(26) as usize]).collect();
        let first = match next(50) {
            0 => "\n",
            1..=4 => ", ",
            _ => " ",
        };
        let head = comment.remove(0);
        let rest = comment.join(" ");
        let comment = if first == " " {
            format!("{head} {rest}")
        } else {
            format!("\"{head}{first}{rest}\"")
        };
        let (user, day) = (next(1_000_000), next(365));
        let record = format!(
            "{id},u{user:07},{amount},{score},{category},2025-{:02}-{:02},{comment}\n",
            day / 31 + 1,
            day % 28 + 1
        );
        out.write_all(record.as_bytes()).expect("a disk with room");
        if recent.len() < 1000 {
            recent.push(record);
        } else {
            let at = next(1000) as usize;
            if next(10) == 0 {
                out.write_all(recent[at].as_bytes()).expect("a disk with room");
            }
            recent[at] = record;
        }
    }
    out.flush().expect("a disk with room");
}
