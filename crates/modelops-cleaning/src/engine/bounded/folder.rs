//! The work folder: units of a run that are complete, and only those.

use std::fs::{self, File};
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use xxhash_rust::xxh3::xxh3_128;

use crate::error::RunError;
use crate::pipeline::RunOptions;
use crate::spec::PipelineSpec;

/// Changes whenever the files of this folder change their form: older folders are then started over.
const FORM: u32 = 1;
const OWNER: &str = "run";
const LOCK: &str = "lock";

/// A folder with one file for each complete unit.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Held while this run works here; the system lets go of it however the process ends.
    _lock: File,
}

impl Folder {
    /// Opens the folder of this very run, or starts over where it belongs to another specification, another budget or
    /// another input.
    pub(super) fn open(spec: &PipelineSpec, options: &RunOptions, memory: usize) -> Result<Self, RunError> {
        let path = options.folder.clone().unwrap_or_else(|| beside(spec));
        fs::create_dir_all(&path).map_err(RunError::io(&path))?;
        let lock = File::create(path.join(LOCK)).map_err(RunError::io(&path))?;
        if lock.try_lock().is_err() {
            return Err(RunError::Busy { path });
        }
        let folder = Self { path, _lock: lock };
        let meta = fs::metadata(&spec.read.path).map_err(RunError::io(&spec.read.path))?;
        let modified = meta
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .map_or(0, |time| time.as_nanos());
        let owner = format!("{FORM} {memory} {} {modified}\n{}\n", meta.len(), spec.to_json());
        let known = fs::read(folder.at(OWNER)).unwrap_or_default();
        if known != owner.as_bytes() {
            folder.clear()?;
            folder.put(OWNER, |file| file.write_all(owner.as_bytes()))?;
        }
        Ok(folder)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Creates a file that has its name only once it is whole and durable.
    pub(super) fn put(
        &self,
        name: &str,
        write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>,
    ) -> Result<(), RunError> {
        let (partial, path) = (self.at(".partial"), self.at(name));
        let put = || {
            let mut file = std::io::BufWriter::with_capacity(1 << 16, File::create(&partial)?);
            write(&mut file)?;
            file.into_inner().map_err(|e| e.into_error())?.sync_data()?;
            fs::rename(&partial, &path)
        };
        put().map_err(RunError::io(&path))
    }

    /// The unit `name`, if it is complete.
    pub(super) fn unit(&self, name: &str) -> Result<Option<Unit>, RunError> {
        let path = self.at(name);
        match File::open(&path) {
            Ok(file) => Ok(Some(Unit {
                file: BufReader::with_capacity(1 << 13, file),
                path,
            })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(RunError::io(&path)(error)),
        }
    }

    /// Removes the folder, or what a run puts there where others use it too.
    pub(super) fn remove(self) -> Result<(), RunError> {
        self.clear()?;
        let _ = fs::remove_file(self.at(LOCK));
        let _ = fs::remove_dir(&self.path);
        Ok(())
    }

    /// Removes every unit; the owner first, so that half a folder is nobody's.
    fn clear(&self) -> Result<(), RunError> {
        let _ = fs::remove_file(self.at(OWNER));
        for entry in fs::read_dir(&self.path).map_err(RunError::io(&self.path))? {
            let path = entry.map_err(RunError::io(&self.path))?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| name == ".partial" || name.ends_with(".unit")) {
                fs::remove_file(&path).map_err(RunError::io(&path))?;
            }
        }
        Ok(())
    }
}

/// A folder beside the first output, named after it; beside the input where there is none.
fn beside(spec: &PipelineSpec) -> PathBuf {
    let path: &Path = spec
        .write
        .as_ref()
        .map(|write| write.path.as_path())
        .or(spec.quarantine.as_deref())
        .unwrap_or(&spec.read.path);
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".work");
    path.with_file_name(name)
}

/// A complete unit being read.
#[derive(Debug)]
pub(super) struct Unit {
    file: BufReader<File>,
    path: PathBuf,
}

impl Unit {
    pub(super) fn exact(&mut self, bytes: &mut [u8]) -> Result<(), RunError> {
        self.file.read_exact(bytes).map_err(RunError::io(&self.path))
    }

    pub(super) fn u32(&mut self) -> Result<u32, RunError> {
        let mut bytes = [0; 4];
        self.exact(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    pub(super) fn u64(&mut self) -> Result<u64, RunError> {
        let mut bytes = [0; 8];
        self.exact(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    pub(super) fn seek(&mut self, to: u64) -> Result<(), RunError> {
        self.file
            .seek(SeekFrom::Start(to))
            .map(drop)
            .map_err(RunError::io(&self.path))
    }

    pub(super) fn len(&self) -> Result<u64, RunError> {
        let meta = self.file.get_ref().metadata();
        Ok(meta.map_err(RunError::io(&self.path))?.len())
    }
}

/// A fingerprint of bytes that come in pieces: each piece is hashed together with the hash so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Digest(u128);

impl Digest {
    pub(super) fn add(&mut self, piece: &[u8]) {
        self.0 = self.0.rotate_left(1) ^ xxh3_128(piece);
    }

    pub(super) fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    pub(super) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_le_bytes(bytes))
    }
}
