//! The result file: `target/compare/CRATE.json`, a list of records.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Less is better: time, bytes, loss.
    Lower,
    /// More is better: accuracy, throughput.
    Higher,
}

/// The middle and the ends of the rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// The spread of `values`; `None` where there are none or one is not a number.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            0.5 * (sorted[middle - 1] + sorted[middle])
        };
        (min.is_finite() && max.is_finite()).then_some(Self { median, min, max })
    }
}

/// One metric of one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What was asked of ours and of the peers.
    pub case: String,
    /// What was measured: `cpu`, `wall`, or a value of the output.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// Which way is better.
    pub better: Better,
    /// Ours.
    pub ours: Spread,
    /// Each peer.
    pub peers: BTreeMap<String, Spread>,
    /// Whether the outputs agreed (for the peers that were there).
    pub correct: bool,
    /// Peers that could not be run, with the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<String, String>,
    /// Where and when it was measured.
    #[serde(default)]
    pub run: Provenance,
}

/// Where a record was measured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The processor and how many of it.
    pub cpu: String,
    /// The commit, with `+` where the work tree had changes.
    pub commit: String,
    /// How many rounds.
    pub rounds: usize,
}

impl Provenance {
    /// This machine and this work tree.
    #[must_use]
    pub fn here(rounds: usize) -> Self {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let model = model.map_or("unknown processor", |(_, name)| name.trim());
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let commit = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
        let dirty = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|s| !s.is_empty());
        Self {
            cpu: format!("{model}, {threads} threads"),
            commit: format!("{commit}{}", if dirty { "+" } else { "" }),
            rounds,
        }
    }
}

/// What a git command prints.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(crate::workspace_root())
        .args(arguments)
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// `target/compare` of the workspace.
#[must_use]
pub fn results_dir() -> PathBuf {
    crate::workspace_root().join("target").join("compare")
}

/// The records of `file`; none where it does not exist.
///
/// # Errors
///
/// What reading the file gives, or that it is not a list of records.
pub(crate) fn read(file: &Path) -> io::Result<Vec<Record>> {
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Writes `new` over the records of the same case in `file`, and keeps the other cases.
///
/// # Errors
///
/// What reading or writing the file gives.
pub(crate) fn merge(file: &Path, new: &[Record]) -> io::Result<()> {
    let mut records = read(file)?;
    for record in new {
        match records
            .iter()
            .position(|old| old.case == record.case && old.metric == record.metric)
        {
            Some(at) => records[at] = record.clone(),
            None => records.push(record.clone()),
        }
    }
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut bytes = serde_json::to_vec_pretty(&records)?;
    bytes.push(b'\n');
    std::fs::write(file, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_the_median_and_the_ends() {
        assert_eq!(
            Spread::of(&[3.0, 1.0, 2.0]),
            Some(Spread {
                median: 2.0,
                min: 1.0,
                max: 3.0
            })
        );
        assert_eq!(
            Spread::of(&[4.0, 1.0]),
            Some(Spread {
                median: 2.5,
                min: 1.0,
                max: 4.0
            })
        );
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn merging_replaces_a_case_and_keeps_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep").join("x.json");
        let record = |case: &str, median: f64| Record {
            case: case.to_owned(),
            metric: "cpu".to_owned(),
            unit: "ms".to_owned(),
            better: Better::Lower,
            ours: Spread {
                median,
                min: median,
                max: median,
            },
            peers: BTreeMap::new(),
            correct: true,
            missing: BTreeMap::new(),
            run: Provenance::default(),
        };
        merge(&file, &[record("a", 1.0), record("b", 2.0)]).unwrap();
        merge(&file, &[record("a", 3.0)]).unwrap();
        assert_eq!(read(&file).unwrap(), [record("a", 3.0), record("b", 2.0)]);
        std::fs::write(&file, "{").unwrap();
        assert!(read(&file).is_err());
    }
}
