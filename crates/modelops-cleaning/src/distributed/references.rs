//! Foreign keys between files of many shards.

use std::path::{Path, PathBuf};

use super::driver::{ask, plain_path, whole};
use super::error::DistributedError;
use super::flight::SqlEngine;
use super::id::{MOST_SHARDS, RowId};
use super::table::Columns;
use super::work::{Rows, Work, read_rows};
use crate::kernel::fingerprint::Cells;
use crate::spec::Read;
use crate::sql::{Shuffle, Table};

/// Which records refer to a key that another table does not have.
///
/// Shards of both tables are read where they are, by any number of workers; the engine joins 128-bit fingerprints of
/// the keys. As in SQL, a record with a missing cell in its key refers to nothing. Records that cannot be read neither
/// refer nor are referred to: clean both tables first.
///
/// # Example
/// ```no_run
/// use modelops_cleaning::Read;
/// use modelops_cleaning::distributed::{References, SqlEngine};
///
/// # fn run(engine: &dyn SqlEngine) -> Result<(), modelops_cleaning::distributed::DistributedError> {
/// let owners = References::try_new(&["owner"], &["id"], "/data/owners")?;
/// owners.referring(0, &Read::csv("/data/models/0.csv"))?;
/// owners.referred(0, &Read::csv("/data/users/0.csv"))?;
/// for row in owners.orphans(engine)? {
///     println!("model {row:?} has no owner");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct References {
    columns: Vec<String>,
    keys: Vec<String>,
    work: Work,
}

const STAGE: &str = "references";

impl References {
    /// `columns` refer to `keys`, in their order. `work` is a folder that workers and engine see under the same path; give
    /// each reference and each set of shards one of its own.
    ///
    /// # Errors
    /// [`DistributedError::References`] or [`DistributedError::Path`].
    pub fn try_new(
        columns: &[&str],
        keys: &[&str],
        work: impl Into<PathBuf>,
    ) -> Result<Self, DistributedError> {
        if columns.is_empty() || columns.len() != keys.len() {
            return Err(DistributedError::References);
        }
        let folder = work.into();
        plain_path(&folder)?;
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Ok(Self {
            columns: owned(columns),
            keys: owned(keys),
            work: Work::new(&folder),
        })
    }

    /// Reads a shard of the table that refers.
    ///
    /// # Errors
    /// [`DistributedError::Shard`], for an unknown column among others.
    pub fn referring(&self, shard: u32, read: &Read) -> Result<(), DistributedError> {
        self.read(shard, read, &self.columns, Table::Keys)
    }

    /// Reads a shard of the table that is referred to.
    ///
    /// # Errors
    /// As [`References::referring`].
    pub fn referred(&self, shard: u32, read: &Read) -> Result<(), DistributedError> {
        self.read(shard, read, &self.keys, Table::Parents)
    }

    fn read(
        &self,
        shard: u32,
        read: &Read,
        columns: &[String],
        table: Table,
    ) -> Result<(), DistributedError> {
        if shard as usize >= MOST_SHARDS {
            return Err(DistributedError::TooManyShards {
                found: shard as usize + 1,
            });
        }
        let run = || {
            let names: Vec<&str> = columns.iter().map(String::as_str).collect();
            let mut columns = Columns::open(read, &names)?;
            let mut rows = Rows::create(&self.work.input(STAGE, table.name()), shard)?;
            let mut cells = Cells::default();
            while let Some(record) = columns.next_record()? {
                if record.cells.iter().any(Option::is_none) {
                    continue;
                }
                cells.clear();
                record
                    .cells
                    .iter()
                    .flatten()
                    .for_each(|cell| cells.text(cell.as_bytes()));
                let key = cells.fingerprint();
                let (hi, lo) = ((key >> 64) as i64, key as i64);
                if table == Table::Keys {
                    let ordinal = record.ordinal.into();
                    rows.push([RowId { shard, ordinal }.number(), hi, lo])?;
                } else {
                    rows.push([hi, lo])?;
                }
            }
            rows.commit()
        };
        run()
            .map(|_| ())
            .map_err(|error| DistributedError::Shard { shard, error })
    }

    /// The statements of a check, as they are sent to the engine.
    #[must_use]
    pub fn statements(&self) -> Vec<String> {
        self.statements_of(&self.work.answer(STAGE))
    }

    fn statements_of(&self, output: &Path) -> Vec<String> {
        let inputs = [Table::Keys, Table::Parents].map(|table| self.work.input(STAGE, table.name()));
        let inputs = inputs.each_ref().map(|path| path.to_string_lossy());
        let purpose = format!("{:?} in {:?}", self.columns, self.keys);
        Shuffle::Matches.statements(&purpose, &[&inputs[0], &inputs[1]], &output.to_string_lossy())
    }

    /// The records whose key is not among those referred to, in order.
    ///
    /// # Errors
    /// The engine's, or [`DistributedError::RecordsLost`] where it did not answer for every record that refers.
    pub fn orphans(&self, engine: &dyn SqlEngine) -> Result<Vec<RowId>, DistributedError> {
        whole(&self.work, || self.ask_orphans(engine))
    }

    fn ask_orphans(&self, engine: &dyn SqlEngine) -> Result<Vec<RowId>, DistributedError> {
        let mut asked = Vec::new();
        read_rows::<3>(&self.work.input(STAGE, Table::Keys.name()), |[id, _, _]| {
            asked.push(id);
            Ok(())
        })?;
        let answer = ask(&self.work, engine, STAGE, |output| self.statements_of(output))?;
        let (mut answered, mut orphans) = (Vec::new(), Vec::new());
        let mut shards: Vec<i64> = asked.iter().map(|id| id >> 40).collect();
        shards.dedup();
        for shard in shards {
            read_rows::<2>(&answer.join(format!("shard={shard}")), |[id, found]| {
                answered.push(id);
                if found == 0 {
                    orphans.extend(RowId::from_number(id));
                }
                Ok(())
            })?;
        }
        asked.sort_unstable();
        answered.sort_unstable();
        if asked != answered {
            return Err(DistributedError::RecordsLost {
                asked: asked.len() as u64,
                answered: answered.len() as u64,
            });
        }
        orphans.sort_unstable();
        Ok(orphans)
    }
}
