//! Output files that appear when they are whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::NamedTempFile;

use super::checkpoint::io_error;
use super::layout::FileLayout;
use crate::error::CheckpointError;

/// Bytes that are gathered before they are written.
const STAGE: usize = 4 << 20;
/// Direct writes start, and are in memory and in the file, at multiples of this.
const PAGE: usize = 4096;

/// An output file that has not its name yet; dropped, it disappears.
///
/// What is written in one stretch is gathered, and goes to the disk past the page cache where the system can: making pages for a
/// file that nobody reads yet costs several times what pruning it does.
pub(crate) struct Sink<'a> {
    file: NamedTempFile,
    path: &'a Path,
    /// The same file, written past the page cache.
    direct: Option<File>,
    /// One page more than a stage, so that a stage in it is aligned.
    stage: Vec<u8>,
    aligned: usize,
    /// Where the first byte of the stage goes.
    start: u64,
    /// Bytes in the stage; where `start` is within a page, they begin as far within the stage.
    filled: usize,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(path: &'a Path) -> Result<Self, CheckpointError> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let file = NamedTempFile::new_in(folder).map_err(|error| io_error(path, &error))?;
        let stage = vec![0; STAGE + PAGE];
        Ok(Self {
            direct: open_direct(file.path()),
            file,
            path,
            aligned: stage.as_ptr().align_offset(PAGE).min(PAGE),
            stage,
            start: 0,
            filled: 0,
        })
    }

    pub(crate) fn write_at(&mut self, mut bytes: &[u8], offset: u64) -> Result<(), CheckpointError> {
        if offset != self.start + self.filled as u64 {
            self.flush(false)?;
            self.start = offset;
        }
        while !bytes.is_empty() {
            let at = self.within_page() + self.filled;
            let (now, rest) = bytes.split_at(bytes.len().min(STAGE - at));
            self.stage[self.aligned + at..][..now.len()].copy_from_slice(now);
            self.filled += now.len();
            bytes = rest;
            if at + now.len() == STAGE {
                self.flush(true)?;
            }
        }
        Ok(())
    }

    fn within_page(&self) -> usize {
        (self.start % PAGE as u64) as usize
    }

    /// Writes what is in the stage, whole pages past the page cache where it is full.
    fn flush(&mut self, full: bool) -> Result<(), CheckpointError> {
        let first = self.within_page();
        let bytes = &self.stage[self.aligned + first..][..self.filled];
        let head = if first == 0 { 0 } else { PAGE - first };
        let past_cache = full && self.write_direct(&bytes[head..], self.start + head as u64);
        let bytes = if past_cache { &bytes[..head] } else { bytes };
        let file: &mut File = self.file.as_file_mut();
        let write = file
            .seek(SeekFrom::Start(self.start))
            .and_then(|_| file.write_all(bytes));
        write.map_err(|error| io_error(self.path, &error))?;
        self.direct = self.direct.take().filter(|_| past_cache || !full);
        self.start += self.filled as u64;
        self.filled = 0;
        Ok(())
    }

    /// Whether aligned bytes could be written past the page cache; whatever stands in the way does not in the way through it.
    fn write_direct(&self, bytes: &[u8], offset: u64) -> bool {
        #[cfg(target_os = "linux")]
        {
            use std::os::unix::fs::FileExt;
            let direct = self.direct.as_ref();
            direct.is_some_and(|file| file.write_all_at(bytes, offset).is_ok())
        }
        #[cfg(not(target_os = "linux"))]
        false
    }

    /// Forces the bytes to disk, so that the name cannot outlive them.
    pub(crate) fn finish(mut self) -> Result<NamedTempFile, CheckpointError> {
        self.flush(false)?;
        self.file
            .as_file()
            .sync_all()
            .map_err(|error| io_error(self.path, &error))?;
        Ok(self.file)
    }
}

#[cfg(target_os = "linux")]
fn open_direct(path: &Path) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flag = rustix::fs::OFlags::DIRECT.bits().cast_signed();
    File::options().write(true).custom_flags(flag).open(path).ok()
}

#[cfg(not(target_os = "linux"))]
fn open_direct(_: &Path) -> Option<File> {
    None
}

pub(crate) fn persist(file: NamedTempFile, path: &Path) -> Result<(), CheckpointError> {
    #[cfg(unix)]
    {
        // A temporary file is private; a checkpoint is as readable as its neighbours usually are.
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o644);
        file.as_file()
            .set_permissions(mode)
            .map_err(|error| io_error(path, &error))?;
    }
    file.persist(path)
        .map(|_| ())
        .map_err(|error| io_error(path, &error.error))
}

#[derive(Serialize)]
struct Index<'a> {
    metadata: IndexMetadata,
    weight_map: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct IndexMetadata {
    total_size: u64,
}

pub(crate) type Written<'a> = (NamedTempFile, &'a PathBuf, FileLayout);

pub(crate) fn write_index(written: &[Written<'_>], output: &Path) -> Result<NamedTempFile, CheckpointError> {
    let mut index = Index {
        metadata: IndexMetadata { total_size: 0 },
        weight_map: BTreeMap::new(),
    };
    for (_, path, layout) in written {
        let file = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        index.metadata.total_size += layout.length - layout.head.len() as u64;
        index
            .weight_map
            .extend(layout.names.iter().map(|name| (name.as_str(), file)));
    }
    let text = serde_json::to_vec_pretty(&index).expect("names and sizes are JSON");
    let mut sink = Sink::new(output)?;
    sink.write_at(&text, 0)?;
    sink.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stretches of odd lengths over several stages, from an offset within a page, and a jump back.
    #[test]
    fn bytes_go_where_they_belong() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for (direct, offset) in [(true, 0), (true, 10_000), (false, 10_000)] {
            let path = folder.path().join("out");
            let mut sink = Sink::new(&path).expect("a file can be made");
            if !direct {
                sink.direct = None;
            }
            let mut expected = vec![0_u8; offset];
            let mut place = offset as u64;
            for (i, length) in [1, 4095, 3_000_000, 0, 2_222_222, 5, 4 << 20, 7]
                .into_iter()
                .enumerate()
            {
                let bytes: Vec<u8> = (0..length).map(|j| (i * 31 + j % 251) as u8).collect();
                sink.write_at(&bytes, place).expect("a file can be written");
                expected.extend(&bytes);
                place += length as u64;
            }
            sink.write_at(&[9; 5000], 2000).expect("a file can be written");
            expected.resize(expected.len().max(7000), 0);
            expected[2000..7000].fill(9);
            persist(sink.finish().expect("a file can be synced"), &path).expect("a file can be named");
            assert!(std::fs::read(&path).expect("the file is there") == expected);
        }
    }
}
