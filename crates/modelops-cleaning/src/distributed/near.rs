//! Near duplicates among documents of many shards.

use std::collections::HashMap;
use std::path::PathBuf;

use super::driver::{ask, plain_path, whole};
use super::error::DistributedError;
use super::flight::SqlEngine;
use super::id::{MOST_SHARDS, RowId};
use super::work::{Rows, Work, part, read_rows};
use crate::kernel::fingerprint;
use crate::sql::{Shuffle, Table};
use crate::text::near::{NearDuplicates, Sketcher};

/// Two documents whose exact Jaccard similarity reaches the threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct DistributedLink {
    /// The one that came first.
    pub earlier: RowId,
    /// The one that came later.
    pub later: RowId,
    /// |A ∩ B| / |A ∪ B| of their shingle sets.
    pub jaccard: f64,
}

/// Near duplicates among documents of many shards: the links of a
/// [`NearIndex`](crate::text::near::NearIndex) over the shards one after another.
///
/// Each shard is sketched where its texts are ([`NearShards::sketch`], by any number of workers); the engine joins the
/// bands and counts the shingles that candidates share, so that every link is verified exactly, and no text is moved.
///
/// # Example
/// ```no_run
/// use modelops_cleaning::distributed::{NearShards, SqlEngine};
/// use modelops_cleaning::text::near::NearDuplicates;
///
/// # fn run(engine: &dyn SqlEngine, shards: &[Vec<String>]) -> Result<(), Box<dyn std::error::Error>> {
/// let near = NearShards::try_new(NearDuplicates::new(0.8, 0.99)?, "/data/near")?;
/// for (shard, documents) in (0u32..).zip(shards) {
///     near.sketch(shard, documents)?;
/// }
/// for link in near.links(engine)? {
///     println!("{:?} repeats {:?}: {}", link.later, link.earlier, link.jaccard);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NearShards {
    search: NearDuplicates,
    folder: PathBuf,
    work: Work,
}

const STAGE: &str = "near";
const TABLES: [Table; 3] = [Table::Documents, Table::Bands, Table::Shingles];

impl NearShards {
    /// Sketches and answers lie in `work`, which workers and engine see under the same path. Give each search and each
    /// set of shards a folder of its own.
    ///
    /// # Errors
    /// [`DistributedError::Path`].
    pub fn try_new(search: NearDuplicates, work: impl Into<PathBuf>) -> Result<Self, DistributedError> {
        let folder = work.into();
        plain_path(&folder)?;
        Ok(Self {
            search,
            work: Work::new(&folder),
            folder,
        })
    }

    /// Writes what the engine needs to know of the documents of a shard. May run anywhere, at once with others, and
    /// again: the same documents give the same bytes.
    ///
    /// # Errors
    /// [`DistributedError::TooManyShards`], or [`DistributedError::Shard`] for files that cannot be written.
    ///
    /// # Complexity
    /// O(shingles · hashes); memory of one document.
    pub fn sketch<S: AsRef<str>>(&self, shard: u32, documents: &[S]) -> Result<(), DistributedError> {
        if shard as usize >= MOST_SHARDS {
            return Err(DistributedError::TooManyShards {
                found: shard as usize + 1,
            });
        }
        let write = || {
            let [mut sets, mut bands, mut shingles] = [
                Rows::create(&self.input(Table::Documents), shard)?,
                Rows::create(&self.input(Table::Bands), shard)?,
                Rows::create(&self.input(Table::Shingles), shard)?,
            ];
            let mut sketcher = Sketcher::new(&self.search);
            let mut bytes = Vec::new();
            for (ordinal, document) in (0u64..).zip(documents) {
                let id = RowId { shard, ordinal }.number();
                let (set, keys) = sketcher.sketch(document.as_ref());
                // A document without a shingle is near to none.
                if set.is_empty() {
                    continue;
                }
                bytes.clear();
                for &shingle in &set {
                    bytes.extend_from_slice(&shingle.to_le_bytes());
                    shingles.push([id, shingle as i64])?;
                }
                let sum = fingerprint::of(&bytes);
                sets.push([id, (sum >> 64) as i64, sum as i64, set.len() as i64])?;
                for (band, &key) in keys.iter().enumerate() {
                    bands.push([id, band as i64, key as i64])?;
                }
            }
            // The documents last: a shard counts from when they are there.
            shingles.commit()?;
            bands.commit()?;
            sets.commit()?;
            Ok(())
        };
        write().map_err(|error| DistributedError::Shard { shard, error })
    }

    fn input(&self, table: Table) -> PathBuf {
        self.work.input(STAGE, table.name())
    }

    /// The statements of a search, as they are sent to the engine.
    #[must_use]
    pub fn statements(&self) -> Vec<String> {
        [Shuffle::Originals, Shuffle::Pairs]
            .iter()
            .flat_map(|shuffle| {
                let output = self.work.answer(&format!("{STAGE}-{}", shuffle.name()));
                self.statements_of(shuffle, &output.to_string_lossy())
            })
            .collect()
    }

    fn statements_of(&self, shuffle: &Shuffle, output: &str) -> Vec<String> {
        let inputs = TABLES.map(|table| self.input(table).to_string_lossy().into_owned());
        let inputs = inputs.each_ref().map(String::as_str);
        shuffle.statements("near duplicates", &inputs[..shuffle.tables().len()], output)
    }

    /// The verified links among all documents that were sketched, by later and then earlier document. A document whose
    /// set repeats that of an earlier one has one link, to the first with that set.
    ///
    /// # Errors
    /// The engine's, or [`DistributedError::RecordsLost`] where it did not answer for every document.
    ///
    /// # Complexity
    /// For the engine a self-join of documents · bands keys and a join of candidates with their shingles; memory here of
    /// 24 bytes a document and a link.
    pub fn links(&self, engine: &dyn SqlEngine) -> Result<Vec<DistributedLink>, DistributedError> {
        whole(&self.work, || self.ask_links(engine))
    }

    fn ask_links(&self, engine: &dyn SqlEngine) -> Result<Vec<DistributedLink>, DistributedError> {
        let answer = |shuffle: &Shuffle| {
            let name = format!("{STAGE}-{}", shuffle.name());
            ask(&self.work, engine, &name, |output| {
                self.statements_of(shuffle, &output.to_string_lossy())
            })
        };
        let mut asked = 0;
        read_rows::<4>(&self.input(Table::Documents), |_| {
            asked += 1;
            Ok(())
        })?;
        let damaged = || DistributedError::damaged(&self.folder.join(part(0, "csv")));
        let id = |number: i64| RowId::from_number(number).ok_or_else(damaged);
        let mut sizes = HashMap::new();
        let mut links = Vec::new();
        read_rows::<3>(&answer(&Shuffle::Originals)?, |[document, original, size]| {
            sizes.insert(document, size as u64);
            if document != original {
                links.push(DistributedLink {
                    earlier: id(original)?,
                    later: id(document)?,
                    jaccard: 1.0,
                });
            }
            Ok(())
        })?;
        let answered = sizes.len() as u64;
        if asked != answered {
            return Err(DistributedError::RecordsLost { asked, answered });
        }
        read_rows::<3>(&answer(&Shuffle::Pairs)?, |[earlier, later, shared]| {
            let sizes = sizes.get(&earlier).zip(sizes.get(&later));
            let (&a, &b) = sizes.ok_or_else(damaged)?;
            if let Some(jaccard) = self.search.jaccard_of(shared as u64, a, b) {
                links.push(DistributedLink {
                    earlier: id(earlier)?,
                    later: id(later)?,
                    jaccard,
                });
            }
            Ok(())
        })?;
        links.sort_unstable_by_key(|link| (link.later, link.earlier));
        Ok(links)
    }
}
