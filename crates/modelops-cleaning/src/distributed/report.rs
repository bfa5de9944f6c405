//! What a distributed run gives.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::DistributedError;
use super::job::Mark;
use crate::ledger::{Disposition, Reasons};

/// The totals of a run, and where the outcome of every record is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DistributedReport {
    /// Records that the independent counters of the shards saw.
    pub records_in: u64,
    /// Records in the clean parts.
    pub kept: u64,
    /// Records in the quarantine parts.
    pub quarantined: u64,
    /// Records left out on purpose.
    pub dropped: u64,
    /// Every reason the pipeline could give, as text, with the number of records it met.
    pub reasons: Vec<(String, u64)>,
    /// The folder of the ledger: one file a shard, one JSON object a record.
    pub ledger: PathBuf,
}

impl DistributedReport {
    pub(crate) fn of(reasons: &Reasons, marks: &[Mark], ledger: &Path) -> Result<Self, DistributedError> {
        let mut report = Self {
            records_in: 0,
            kept: 0,
            quarantined: 0,
            dropped: 0,
            reasons: Vec::with_capacity(reasons.len()),
            ledger: ledger.to_path_buf(),
        };
        for mark in marks {
            report.records_in += mark.records;
            report.kept += mark.reached;
        }
        for index in 0..reasons.len() {
            let (reason, disposition) = reasons.reason(index as u16);
            let count: u64 = marks
                .iter()
                .map(|mark| mark.reasons.get(index).copied().unwrap_or(0))
                .sum();
            match disposition {
                Disposition::Quarantined => report.quarantined += count,
                Disposition::Dropped => report.dropped += count,
            }
            report.reasons.push((reason.to_string(), count));
        }
        let answered = report.kept + report.quarantined + report.dropped;
        if answered == report.records_in {
            Ok(report)
        } else {
            Err(DistributedError::RecordsLost {
                asked: report.records_in,
                answered,
            })
        }
    }
}

impl fmt::Display for DistributedReport {
    /// The totals as a small table; reasons that met no record are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>12}  records in", self.records_in)?;
        writeln!(f, "{:>12}  kept", self.kept)?;
        writeln!(f, "{:>12}  quarantined", self.quarantined)?;
        write!(f, "{:>12}  dropped", self.dropped)?;
        for (reason, count) in self.reasons.iter().filter(|(_, count)| *count > 0) {
            write!(f, "\n{count:>16}  {reason}")?;
        }
        Ok(())
    }
}
