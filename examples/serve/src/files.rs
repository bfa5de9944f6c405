//! Files that appear whole, or not at all.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use crate::Failure;

/// Writes beside the final name and moves the whole file there, readable by its owner alone.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        // A temporary file is readable by its owner alone.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(content)?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Reads a file and names it where that fails.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()).into())
}
