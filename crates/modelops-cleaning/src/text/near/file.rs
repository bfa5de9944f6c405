//! The index as a file.
//!
//! Little endian: magic, version, parameters, number of documents, then each document as a count and its ascending
//! 64-bit shingle hashes, or as a mark and the original that it repeats; last the XXH3-128 of all before. Signatures and
//! links are not stored: computing them again is as quick as reading them, and a file cannot contradict itself.

use super::{Damage, IndexFileError, NearDuplicates, NearIndex, Shingle};
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

const MAGIC: [u8; 8] = *b"MONEARDX";
const VERSION: u32 = 1;
/// In place of a count: the document repeats another.
const REPEATS: u32 = u32::MAX;
/// Documents that are indexed together while reading.
const BATCH: usize = 4096;
/// Shingles that are read at once: a hostile count reserves no more than this.
const PIECE: usize = 8192;

impl NearIndex {
    /// Writes the index under `path`: complete, or not at all.
    ///
    /// # Errors
    ///
    /// [`IndexFileError::Io`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), IndexFileError> {
        let path = path.as_ref();
        let io = |error: std::io::Error| IndexFileError::Io {
            path: path.to_owned(),
            kind: error.kind(),
        };
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let part = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
        let mut out = Summed {
            inner: BufWriter::new(part.as_file()),
            sum: Xxh3::new(),
        };
        self.write(&mut out).map_err(io)?;
        let sum = out.sum.digest128();
        out.inner.write_all(&sum.to_le_bytes()).map_err(io)?;
        out.inner.flush().map_err(io)?;
        drop(out);
        part.as_file().sync_all().map_err(io)?;
        part.persist(path).map_err(|error| io(error.error))?;
        Ok(())
    }

    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let search = self.search();
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        out.write_all(&search.threshold.to_le_bytes())?;
        out.write_all(&search.recall.to_le_bytes())?;
        out.write_all(&(search.max_hashes as u64).to_le_bytes())?;
        out.write_all(&search.seed.to_le_bytes())?;
        let (kind, size) = match search.shingle {
            Shingle::Words(size) => (0u32, size),
            Shingle::Chars(size) => (1, size),
        };
        out.write_all(&kind.to_le_bytes())?;
        out.write_all(&(size as u32).to_le_bytes())?;
        out.write_all(&(self.len() as u32).to_le_bytes())?;
        for (document, &original) in self.originals.iter().enumerate() {
            if original as usize == document {
                let set = self.set(document);
                out.write_all(&(set.len() as u32).to_le_bytes())?;
                for shingle in set {
                    out.write_all(&shingle.to_le_bytes())?;
                }
            } else {
                out.write_all(&REPEATS.to_le_bytes())?;
                out.write_all(&original.to_le_bytes())?;
            }
        }
        Ok(())
    }

    /// Opens a saved index and checks all of it.
    ///
    /// The checksum finds accidents. A file made on purpose can claim other documents, but it cannot bring the index into
    /// a state that adding documents could not, nor reserve more memory than it has bytes for.
    ///
    /// # Errors
    ///
    /// [`IndexFileError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, IndexFileError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| IndexFileError::Io {
            path: path.to_owned(),
            kind: error.kind(),
        })?;
        let mut reader = Reader {
            path,
            offset: 0,
            input: BufReader::with_capacity(1 << 18, file),
            sum: Xxh3::new(),
        };
        let mut index = NearIndex::new(reader.parameters()?);
        let documents = reader.u32()? as usize;
        let mut batch: Vec<Vec<u64>> = Vec::new();
        for document in 0..documents {
            let count = reader.u32()?;
            let set = if count == REPEATS {
                let original = reader.u32()? as usize;
                let begun = index.len();
                let wrong = Damage::Original { document, original };
                if original >= document {
                    return Err(reader.damaged(wrong));
                }
                let (is_original, set) = if original < begun {
                    let is = index.originals[original] as usize == original;
                    (is, index.set(original).to_vec())
                } else {
                    (true, batch[original - begun].clone())
                };
                if !is_original || set.is_empty() {
                    return Err(reader.damaged(wrong));
                }
                set
            } else {
                reader.set(document, count as usize)?
            };
            batch.push(set);
            if batch.len() == BATCH || document + 1 == documents {
                index
                    .add_sets(&batch)
                    .map_err(|_| reader.damaged(Damage::Parameters))?;
                batch.clear();
            }
        }
        reader.end()?;
        Ok(index)
    }
}

struct Summed<W> {
    inner: W,
    sum: Xxh3,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

struct Reader<'a> {
    path: &'a Path,
    offset: u64,
    input: BufReader<File>,
    sum: Xxh3,
}

impl Reader<'_> {
    fn damaged(&self, damage: Damage) -> IndexFileError {
        IndexFileError::Damaged {
            path: PathBuf::from(self.path),
            offset: self.offset,
            damage,
        }
    }

    fn failed(&self, error: &std::io::Error) -> IndexFileError {
        match error.kind() {
            ErrorKind::UnexpectedEof => self.damaged(Damage::Truncated),
            kind => IndexFileError::Io {
                path: PathBuf::from(self.path),
                kind,
            },
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), IndexFileError> {
        self.input
            .read_exact(bytes)
            .map_err(|error| self.failed(&error))?;
        self.sum.update(bytes);
        self.offset += bytes.len() as u64;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], IndexFileError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, IndexFileError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, IndexFileError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn parameters(&mut self) -> Result<NearDuplicates, IndexFileError> {
        if self.array()? != MAGIC {
            return Err(self.damaged(Damage::Magic));
        }
        let found = self.u32()?;
        if found != VERSION {
            return Err(self.damaged(Damage::Version { found }));
        }
        let threshold = f64::from_le_bytes(self.array()?);
        let recall = f64::from_le_bytes(self.array()?);
        let max_hashes = self.u64()?;
        let seed = self.u64()?;
        let (kind, size) = (self.u32()?, self.u32()? as usize);
        let shingle = match kind {
            0 => Shingle::Words(size),
            1 => Shingle::Chars(size),
            _ => return Err(self.damaged(Damage::Parameters)),
        };
        let max_hashes = usize::try_from(max_hashes)
            .ok()
            .filter(|&hashes| hashes <= NearDuplicates::MOST_HASHES)
            .ok_or_else(|| self.damaged(Damage::Parameters))?;
        NearDuplicates::with_parameters(threshold, recall, max_hashes, shingle)
            .map(|search| search.with_seed(seed))
            .map_err(|_| self.damaged(Damage::Parameters))
    }

    fn set(&mut self, document: usize, count: usize) -> Result<Vec<u64>, IndexFileError> {
        let mut set: Vec<u64> = Vec::with_capacity(count.min(PIECE));
        let mut bytes = vec![0; 8 * count.min(PIECE)];
        while set.len() < count {
            let piece = &mut bytes[..8 * (count - set.len()).min(PIECE)];
            self.fill(piece)?;
            for &shingle in piece.as_chunks::<8>().0 {
                let shingle = u64::from_le_bytes(shingle);
                if set.last().is_some_and(|&last| last >= shingle) {
                    return Err(self.damaged(Damage::Order { document }));
                }
                set.push(shingle);
            }
        }
        Ok(set)
    }

    fn end(&mut self) -> Result<(), IndexFileError> {
        let expected = self.sum.digest128();
        if u128::from_le_bytes(self.array()?) != expected {
            return Err(self.damaged(Damage::Checksum));
        }
        match self.input.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.damaged(Damage::Trailing)),
            Err(error) => Err(self.failed(&error)),
        }
    }
}
