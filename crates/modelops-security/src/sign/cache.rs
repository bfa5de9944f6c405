//! Hashes that were computed before, for files that did not change since.

use std::collections::BTreeMap;
use std::fs::Metadata;

use serde::{Deserialize, Serialize};

/// Hashes of a folder with the state of each file when it was hashed, so that signing again reads changed files only.
///
/// A file counts as unchanged when its length, its time of change and its number in the file system are those of last time.
/// Whoever can write to the folder can forge these, so use a cache where you sign your own files, never to verify.
/// It serialises to keep it between runs; keep it outside the folder, as carefully as the files.
///
/// ```
/// use modelops_security::sign::{HashCache, HashOptions, ModelManifest};
/// # let dir = tempfile::tempdir()?;
/// # let folder = dir.path();
/// std::fs::write(folder.join("weights"), [7; 1000])?;
/// let mut cache = HashCache::default();
/// let first = ModelManifest::of_folder_cached(folder, &HashOptions::default(), &mut cache)?;
/// let second = ModelManifest::of_folder_cached(folder, &HashOptions::default(), &mut cache)?;
/// assert_eq!(first, second);
/// assert_eq!(cache.reused(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HashCache {
    shard_size: Option<u64>,
    files: BTreeMap<String, CachedFile>,
    #[serde(skip)]
    reused: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CachedFile {
    state: FileState,
    hashes: Vec<[u8; 32]>,
}

/// What tells one version of a file from the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FileState(Vec<i128>);

impl FileState {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let (mtime, ctime) = (metadata.mtime(), metadata.ctime());
        Self(vec![
            metadata.len().into(),
            metadata.dev().into(),
            metadata.ino().into(),
            mtime.into(),
            metadata.mtime_nsec().into(),
            ctime.into(),
            metadata.ctime_nsec().into(),
        ])
    }

    #[cfg(not(unix))]
    fn of(metadata: &Metadata) -> Self {
        let modified = metadata
            .modified()
            .ok()
            .and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        Self(vec![
            metadata.len().into(),
            modified.map_or(-1, |t| t.as_nanos() as i128),
        ])
    }
}

impl HashCache {
    /// Files of the last run that were not read.
    #[must_use]
    pub fn reused(&self) -> usize {
        self.reused
    }

    /// The hashes of a file's pieces, where it did not change.
    pub(crate) fn find(&self, name: &str, metadata: &Metadata, pieces: usize) -> Option<&[[u8; 32]]> {
        let cached = self.files.get(name)?;
        let same = cached.state == FileState::of(metadata) && cached.hashes.len() == pieces;
        same.then_some(cached.hashes.as_slice())
    }

    /// Forgets everything where pieces had another size.
    pub(crate) fn start(&mut self, shard_size: Option<u64>) {
        self.reused = 0;
        if self.shard_size != shard_size {
            *self = Self {
                shard_size,
                ..Self::default()
            };
        }
    }

    /// Keeps exactly these files.
    pub(crate) fn replace<'a>(
        &mut self,
        files: impl Iterator<Item = (&'a str, &'a Metadata, Vec<[u8; 32]>)>,
        reused: usize,
    ) {
        let entry = |(name, metadata, hashes): (&str, &Metadata, _)| {
            (
                name.to_owned(),
                CachedFile {
                    state: FileState::of(metadata),
                    hashes,
                },
            )
        };
        self.files = files.map(entry).collect();
        self.reused = reused;
    }
}
