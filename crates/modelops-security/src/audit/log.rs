//! The log: entries in a file, hashes in memory.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::Checkpoint;
use super::tree::{Hash, Tree, leaf_hash};
use crate::error::{AuditError, FileError};

/// Longest entry.
const LONGEST: usize = 1 << 20;
/// Length and CRC-32 before every entry, both little-endian.
const FRAME: usize = 8;

/// An append-only log, in memory or in a file.
///
/// In a file each entry is its length, its CRC-32 and its bytes. A write that was cut short by a stop of the machine is dropped when
/// the file is opened again. The CRC finds accidents; against somebody who writes to the file keep signed checkpoints elsewhere.
///
/// ```
/// use modelops_security::audit::{leaf_hash, verify_inclusion, AuditLog};
/// let mut log = AuditLog::in_memory("example.org/audit");
/// for event in ["key issued", "model opened", "key revoked"] {
///     log.append(event.as_bytes())?;
/// }
/// let checkpoint = log.checkpoint();
/// let proof = log.inclusion_proof(1, checkpoint.size)?;
/// assert!(verify_inclusion(&leaf_hash(b"model opened"), 1, 3, &proof, &checkpoint.root));
/// assert!(!verify_inclusion(&leaf_hash(b"model closed"), 1, 3, &proof, &checkpoint.root));
/// # Ok::<(), modelops_security::AuditError>(())
/// ```
///
/// # Complexity
///
/// Appending hashes the entry and, on average, one node; proofs have at most ⌈log₂ n⌉ hashes (consistency: one more). 64 bytes of memory an
/// entry.
#[doc(alias("MerkleTree", "transparency_log"))]
pub struct AuditLog {
    origin: String,
    tree: Tree,
    file: Option<LogFile>,
}

/// The entries on the disk.
struct LogFile {
    file: File,
    path: PathBuf,
    /// Bytes of whole entries; this log is the only writer.
    len: u64,
    /// Room for the next frame.
    frame: Vec<u8>,
}

impl LogFile {
    fn append(&mut self, entry: &[u8]) -> Result<(), FileError> {
        self.frame.clear();
        self.frame.extend((entry.len() as u32).to_le_bytes());
        self.frame.extend(crc32fast::hash(entry).to_le_bytes());
        self.frame.extend(entry);
        if let Err(error) = self.file.write_all(&self.frame) {
            // Half a frame would hide what is appended later.
            let _ = self.file.set_len(self.len);
            return Err(FileError::new(&self.path, &error));
        }
        self.len += self.frame.len() as u64;
        Ok(())
    }
}

impl AuditLog {
    /// An empty log in memory; `origin` names it in its checkpoints.
    pub fn in_memory(origin: impl Into<String>) -> Self {
        Self {
            origin: origin.into(),
            tree: Tree::default(),
            file: None,
        }
    }

    /// Opens or creates a log in a file, readable by its owner alone; a torn last entry is cut off.
    ///
    /// # Errors
    ///
    /// [`AuditError::File`] where the system fails; [`AuditError::Damaged`] where an entry before the last is not what was written.
    pub fn open(path: &Path, origin: impl Into<String>) -> Result<Self, AuditError> {
        let failed = |error: io::Error| FileError::new(path, &error);
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        let mut reader = BufReader::with_capacity(1 << 20, &file);
        let mut tree = Tree::default();
        let (mut sound, mut entry) = (0_u64, Vec::new());
        while sound < len {
            match read_entry(&mut reader, len - sound, &mut entry).map_err(failed)? {
                Entry::Sound => {
                    tree.push(leaf_hash(&entry));
                    sound += (FRAME + entry.len()) as u64;
                }
                Entry::Torn => break,
                Entry::Wrong => return Err(AuditError::Damaged { entry: tree.len() }),
            }
        }
        drop(reader);
        if sound < len {
            file.set_len(sound).map_err(failed)?;
            file.sync_all().map_err(failed)?;
        }
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Self {
            origin: origin.into(),
            tree,
            file: Some(LogFile {
                file,
                path: path.to_path_buf(),
                len: sound,
                frame: Vec::new(),
            }),
        })
    }

    /// Appends an entry and gives its index. Call [`sync`](Self::sync) before you act on it.
    ///
    /// # Errors
    ///
    /// [`AuditError::TooLong`] above 1 MiB; [`AuditError::File`] where the system fails, and the log is then as before.
    pub fn append(&mut self, entry: &[u8]) -> Result<u64, AuditError> {
        if entry.len() > LONGEST {
            return Err(AuditError::TooLong);
        }
        if let Some(file) = &mut self.file {
            file.append(entry)?;
        }
        let index = self.tree.len();
        self.tree.push(leaf_hash(entry));
        Ok(index)
    }

    /// Waits until every entry is on the disk.
    ///
    /// # Errors
    ///
    /// [`AuditError::File`].
    pub fn sync(&self) -> Result<(), AuditError> {
        match &self.file {
            Some(log) => Ok(log
                .file
                .sync_all()
                .map_err(|error| FileError::new(&log.path, &error))?),
            None => Ok(()),
        }
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.tree.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tree.len() == 0
    }

    /// The size and root of now.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        let size = self.tree.len();
        Checkpoint {
            origin: self.origin.clone(),
            size,
            root: self.tree.root(size),
        }
    }

    /// Whether this log still begins with what `checkpoint` (verified, and kept elsewhere) has fixed.
    ///
    /// # Errors
    ///
    /// [`AuditError::Truncated`] where entries are gone, [`AuditError::Rewritten`] where one was changed.
    pub fn check(&self, checkpoint: &Checkpoint) -> Result<(), AuditError> {
        if checkpoint.size > self.tree.len() {
            return Err(AuditError::Truncated {
                expected: checkpoint.size,
                found: self.tree.len(),
            });
        }
        if checkpoint.origin != self.origin || checkpoint.root != self.tree.root(checkpoint.size) {
            return Err(AuditError::Rewritten);
        }
        Ok(())
    }

    /// What proves to [`verify_inclusion`](super::verify_inclusion) that an entry is in the log.
    ///
    /// # Errors
    ///
    /// [`AuditError::OutOfRange`] unless `index < size ≤ len`.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, AuditError> {
        if index >= size || size > self.tree.len() {
            return Err(AuditError::OutOfRange);
        }
        Ok(self.tree.inclusion(index, size))
    }

    /// What proves to [`verify_consistency`](super::verify_consistency) that an old checkpoint is a beginning of a newer one.
    ///
    /// # Errors
    ///
    /// [`AuditError::OutOfRange`] unless `old ≤ size ≤ len`.
    pub fn consistency_proof(&self, old: u64, size: u64) -> Result<Vec<Hash>, AuditError> {
        if old > size || size > self.tree.len() {
            return Err(AuditError::OutOfRange);
        }
        Ok(self.tree.consistency(old, size))
    }

    /// The root over the entries of a range, so that a part of the log can be spoken of without the rest.
    ///
    /// # Errors
    ///
    /// [`AuditError::OutOfRange`] unless the range ends within the log and begins at a multiple of its width, rounded up to a power of two.
    ///
    /// ```
    /// use modelops_security::audit::{verify_subtree_consistency, AuditLog};
    /// let mut log = AuditLog::in_memory("example.org/audit");
    /// for event in 0..13_u8 {
    ///     log.append(&[event])?;
    /// }
    /// let part = log.subtree_root(8..11)?;
    /// let proof = log.subtree_consistency_proof(8..11, 13)?;
    /// assert!(verify_subtree_consistency(&(8..11), 13, &proof, &part, &log.checkpoint().root));
    /// assert!(log.subtree_root(9..11).is_err());
    /// # Ok::<(), modelops_security::AuditError>(())
    /// ```
    pub fn subtree_root(&self, range: Range<u64>) -> Result<Hash, AuditError> {
        self.tree.subtree(&range).ok_or(AuditError::OutOfRange)
    }

    /// What proves to [`verify_subtree_inclusion`](super::verify_subtree_inclusion) that an entry is in a part of the log.
    ///
    /// # Errors
    ///
    /// [`AuditError::OutOfRange`] unless `index` lies in the range and the range is one that [`subtree_root`](Self::subtree_root) takes.
    pub fn subtree_inclusion_proof(&self, index: u64, range: Range<u64>) -> Result<Vec<Hash>, AuditError> {
        self.tree
            .subtree_inclusion(index, &range)
            .ok_or(AuditError::OutOfRange)
    }

    /// What proves to [`verify_subtree_consistency`](super::verify_subtree_consistency) that the first `size` entries hold a part.
    ///
    /// # Errors
    ///
    /// [`AuditError::OutOfRange`] unless the range is one that [`subtree_root`](Self::subtree_root) takes and ends within `size ≤ len`.
    pub fn subtree_consistency_proof(&self, range: Range<u64>, size: u64) -> Result<Vec<Hash>, AuditError> {
        self.tree
            .subtree_consistency(&range, size)
            .ok_or(AuditError::OutOfRange)
    }
}

enum Entry {
    Sound,
    /// The file ends inside it.
    Torn,
    Wrong,
}

fn read_entry(reader: &mut impl Read, left: u64, entry: &mut Vec<u8>) -> io::Result<Entry> {
    if left < FRAME as u64 {
        return Ok(Entry::Torn);
    }
    let mut frame = [0; FRAME];
    reader.read_exact(&mut frame)?;
    let [a, b, c, d, crc @ ..] = frame;
    let len = u32::from_le_bytes([a, b, c, d]) as usize;
    if len > LONGEST {
        return Ok(Entry::Wrong);
    }
    if (len as u64) > left - FRAME as u64 {
        return Ok(Entry::Torn);
    }
    entry.resize(len, 0);
    reader.read_exact(entry)?;
    let last = left == (FRAME + len) as u64;
    match crc32fast::hash(entry) == u32::from_le_bytes(crc) {
        true => Ok(Entry::Sound),
        // A stop may leave the length on the disk before the bytes; only the last entry can be such a one.
        false if last => Ok(Entry::Torn),
        false => Ok(Entry::Wrong),
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog")
            .field("origin", &self.origin)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
