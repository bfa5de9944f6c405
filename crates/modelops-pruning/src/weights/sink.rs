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

/// An output file that has not its name yet; dropped, it disappears.
pub(crate) struct Sink<'a> {
    file: NamedTempFile,
    path: &'a Path,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(path: &'a Path) -> Result<Self, CheckpointError> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let file = NamedTempFile::new_in(folder).map_err(|error| io_error(path, &error))?;
        Ok(Self { file, path })
    }

    pub(crate) fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<(), CheckpointError> {
        let file: &mut File = self.file.as_file_mut();
        let write = file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| file.write_all(bytes));
        write.map_err(|error| io_error(self.path, &error))
    }

    /// Forces the bytes to disk, so that the name cannot outlive them.
    pub(crate) fn finish(self) -> Result<NamedTempFile, CheckpointError> {
        self.file
            .as_file()
            .sync_all()
            .map_err(|error| io_error(self.path, &error))?;
        Ok(self.file)
    }
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
