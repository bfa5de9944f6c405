//! The mean of a column in each group of the records of many shards.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::driver::{ask, plain_path, whole};
use super::error::DistributedError;
use super::flight::SqlEngine;
use super::id::MOST_SHARDS;
use super::table::Columns;
use super::work::{Rows, Work, files, part, read_json, read_rows, write_json};
use crate::error::RunError;
use crate::kernel::exact::ExactSum;
use crate::kernel::fingerprint::Cells;
use crate::spec::Read;
use crate::sql::{Shuffle, Table};

/// The mean of a column in each group of records: what a group-wise imputer learns, over many shards.
///
/// Shards are read where they are, by any number of workers; the engine adds the digits of exact sums, so a mean is the
/// same bits for any cut into shards. As in SQL and pandas, a record with a missing cell among those that group is in no
/// group, and a missing value is in no mean. Records that cannot be read count nowhere: clean the table first.
///
/// # Example
/// ```no_run
/// use modelops_cleaning::Read;
/// use modelops_cleaning::distributed::{GroupMeans, SqlEngine};
///
/// # fn run(engine: &dyn SqlEngine) -> Result<(), modelops_cleaning::distributed::DistributedError> {
/// let masses = GroupMeans::try_new(&["species"], "mass", "/data/masses")?;
/// masses.shard(0, &Read::csv("/data/penguins/0.csv"))?;
/// masses.shard(1, &Read::csv("/data/penguins/1.csv"))?;
/// for group in masses.means(engine)? {
///     println!("{:?}: {} values, mean {}", group.key, group.values, group.mean);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct GroupMeans {
    by: Vec<String>,
    column: String,
    work: Work,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GroupMean {
    /// The cells that the records of the group share, in the order of the grouping columns.
    pub key: Vec<String>,
    /// How many of its records have a value.
    pub values: u64,
    /// The exact sum of the values, rounded once, divided by their number.
    pub mean: f64,
}

/// What a job knows of its shard that the engine is not told.
#[derive(Debug, Serialize, Deserialize)]
struct Tally {
    /// Each group, and how many values it has.
    groups: Vec<(Vec<String>, u64)>,
    /// The rows written for the engine.
    rows: u64,
}

const STAGE: &str = "groups";

impl GroupMeans {
    /// Groups by the columns `by`; with none, all records are one group. `work` is a folder that workers and engine see
    /// under the same path; give each question and each set of shards one of its own.
    ///
    /// # Errors
    /// [`DistributedError::Path`].
    pub fn try_new(by: &[&str], column: &str, work: impl Into<PathBuf>) -> Result<Self, DistributedError> {
        let folder = work.into();
        plain_path(&folder)?;
        Ok(Self {
            by: by.iter().map(|&name| name.to_owned()).collect(),
            column: column.to_owned(),
            work: Work::new(&folder),
        })
    }

    /// Reads a shard. Doing so twice changes nothing.
    ///
    /// # Errors
    /// [`DistributedError::Shard`]: an unknown column, or a value that is no number, among others.
    ///
    /// # Complexity
    /// One pass; memory of about 600 bytes a group of the shard.
    pub fn shard(&self, shard: u32, read: &Read) -> Result<(), DistributedError> {
        if shard as usize >= MOST_SHARDS {
            return Err(DistributedError::TooManyShards {
                found: shard as usize + 1,
            });
        }
        self.gather(shard, read)
            .map_err(|error| DistributedError::Shard { shard, error })
    }

    fn gather(&self, shard: u32, read: &Read) -> Result<(), RunError> {
        let names: Vec<&str> = self.by.iter().chain([&self.column]).map(String::as_str).collect();
        let mut columns = Columns::open(read, &names)?;
        let mut groups: BTreeMap<Vec<String>, (u64, ExactSum)> = BTreeMap::new();
        let mut key = Vec::new();
        while let Some(record) = columns.next_record()? {
            let [by @ .., value] = record.cells else { continue };
            let Some(value) = value else { continue };
            key.clear();
            key.extend(by.iter().flatten().cloned());
            if key.len() < by.len() {
                continue;
            }
            let value: f64 = value.parse().map_err(|_| RunError::NotNumeric {
                column: self.column.clone(),
            })?;
            if !value.is_finite() {
                continue;
            }
            if !groups.contains_key(&key) {
                groups.insert(key.clone(), (0, ExactSum::default()));
            }
            let (values, sum) = groups.get_mut(&key).expect("it was put there");
            *values += 1;
            sum.add(value);
        }
        let mut rows = Rows::create(&self.work.input(STAGE, Table::GroupParts.name()), shard)?;
        for (key, (_, sum)) in &mut groups {
            let (hi, lo) = fingerprint(key);
            for (place, digit) in sum.parts() {
                rows.push([hi, lo, place as i64, digit])?;
            }
        }
        let tally = Tally {
            rows: rows.commit()?,
            groups: groups
                .into_iter()
                .map(|(key, (values, _))| (key, values))
                .collect(),
        };
        write_json(&self.tallies().join(part(shard, "json")), &tally)
    }

    fn tallies(&self) -> PathBuf {
        self.work.input(STAGE, "tallies")
    }

    /// The statements of a question, as they are sent to the engine.
    #[must_use]
    pub fn statements(&self) -> Vec<String> {
        self.statements_of(&self.work.answer(STAGE))
    }

    fn statements_of(&self, output: &Path) -> Vec<String> {
        let input = self.work.input(STAGE, Table::GroupParts.name());
        let purpose = format!("{:?} by {:?}", self.column, self.by);
        Shuffle::GroupSums.statements(&purpose, &[&input.to_string_lossy()], &output.to_string_lossy())
    }

    /// The groups of all shards that have a value, in the order of their keys.
    ///
    /// # Errors
    /// The engine's, or [`DistributedError::RecordsLost`] where it did not answer for every part of a sum.
    ///
    /// # Complexity
    /// For the engine one aggregation of at most 68 rows a group and shard; memory here of about 600 bytes a group.
    pub fn means(&self, engine: &dyn SqlEngine) -> Result<Vec<GroupMean>, DistributedError> {
        whole(&self.work, || self.ask_means(engine))
    }

    fn ask_means(&self, engine: &dyn SqlEngine) -> Result<Vec<GroupMean>, DistributedError> {
        let (mut values, mut asked) = (BTreeMap::<Vec<String>, u64>::new(), 0);
        for path in files(&self.tallies())? {
            let tally: Option<Tally> = read_json(&path)?;
            let tally = tally.ok_or_else(|| DistributedError::damaged(&path))?;
            asked += tally.rows;
            for (key, count) in tally.groups {
                *values.entry(key).or_default() += count;
            }
        }
        let mut sums: HashMap<(i64, i64), ExactSum> = values
            .keys()
            .map(|key| (fingerprint(key), ExactSum::default()))
            .collect();
        let answer = ask(&self.work, engine, STAGE, |output| self.statements_of(output))?;
        let mut answered = 0u64;
        read_rows::<5>(&answer, |[hi, lo, place, digit, parts]| {
            let place = usize::try_from(place)
                .ok()
                .filter(|place| *place < ExactSum::PLACES);
            let (sum, place) = sums
                .get_mut(&(hi, lo))
                .zip(place)
                .ok_or_else(|| DistributedError::damaged(&answer))?;
            sum.add_part(place, digit);
            answered = answered.saturating_add(u64::try_from(parts).unwrap_or(u64::MAX));
            Ok(())
        })?;
        if asked != answered {
            return Err(DistributedError::RecordsLost { asked, answered });
        }
        let mean = |(key, values): (Vec<String>, u64)| {
            let sum = sums.get_mut(&fingerprint(&key)).expect("made from the same keys");
            GroupMean {
                mean: sum.value() / values as f64,
                key,
                values,
            }
        };
        Ok(values.into_iter().map(mean).collect())
    }
}

fn fingerprint(key: &[String]) -> (i64, i64) {
    let mut cells = Cells::default();
    for cell in key {
        cells.text(cell.as_bytes());
    }
    let key = cells.fingerprint();
    ((key >> 64) as i64, key as i64)
}
