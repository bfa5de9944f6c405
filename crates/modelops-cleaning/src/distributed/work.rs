//! The work folder: files of whole numbers that appear complete or not at all, and marks that a job has done its work.
//!
//! ```text
//! plan.json                      what this folder is for
//! input/STAGE-TABLE/part-N.csv   what shard jobs ask the engine about
//! mark/STAGE/part-N.json         job N of the stage is done, and what it counted
//! attempt-K/                     answers being written by the engine; no two runs share one
//! answer/STAGE/                  answers that are complete
//! learned/STAGE.json             statistics that later jobs need
//! ledger/part-N.jsonl            the outcome of every record
//! refused                        an answer was not whole: the next run asks everything anew
//! ```

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;

use super::error::DistributedError;
use crate::error::RunError;

type Result<T> = std::result::Result<T, DistributedError>;

/// The work folder of a run.
#[derive(Debug, Clone)]
pub(crate) struct Work(PathBuf);

impl Work {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_path_buf())
    }

    pub(crate) fn plan(&self) -> PathBuf {
        self.0.join("plan.json")
    }

    /// The folder of the files of `table` that the jobs of `stage` write.
    pub(crate) fn input(&self, stage: &str, table: &str) -> PathBuf {
        self.0.join("input").join(format!("{stage}-{table}"))
    }

    pub(crate) fn mark(&self, stage: &str, shard: u32) -> PathBuf {
        self.0.join("mark").join(stage).join(part(shard, "json"))
    }

    pub(crate) fn answer(&self, stage: &str) -> PathBuf {
        self.0.join("answer").join(stage)
    }

    pub(crate) fn learned(&self, stage: &str) -> PathBuf {
        self.0.join("learned").join(format!("{stage}.json"))
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.0.join("ledger")
    }

    pub(crate) fn report(&self) -> PathBuf {
        self.0.join("report.json")
    }

    /// Remembers that an answer was not whole. Best effort: without it the next run finds the same fault again.
    pub(crate) fn refuse(&self) {
        let _ = File::create(self.0.join("refused"));
    }

    /// Sets aside all that may rest on a refused answer. An engine that lost a record may have answered wrongly for
    /// others as well, so nothing that was learned stays.
    pub(crate) fn forget_refused(&self) -> Result<()> {
        let refused = self.0.join("refused");
        if !refused.exists() {
            return Ok(());
        }
        let aside = self.attempt()?;
        for name in ["mark", "answer", "learned"] {
            let from = self.0.join(name);
            if from.exists() {
                fs::rename(&from, aside.join(name)).map_err(DistributedError::io(&from))?;
            }
        }
        fs::remove_file(&refused).map_err(DistributedError::io(&refused))
    }

    /// A folder that nobody else has: the engine may still be writing to the one of a run that was given up.
    pub(crate) fn attempt(&self) -> Result<PathBuf> {
        for number in 0u64.. {
            let path = self.0.join(format!("attempt-{number}"));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(DistributedError::io(&path)(error)),
            }
        }
        unreachable!("the numbers do not run out")
    }
}

/// The name of the file of a shard.
pub(crate) fn part(shard: u32, extension: &str) -> String {
    format!("part-{shard:07}.{extension}")
}

pub(crate) fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(DistributedError::io(path))
}

/// The folder beside `output` where its parts are gathered until all are there.
pub(crate) fn staging(output: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(output.file_name().unwrap_or_default());
    name.push(".partial");
    output.with_file_name(name)
}

/// A file that gets its name when it is complete. Each has a temporary name of its own: two workers that were given the
/// same job do not write into one file, and whichever is later replaces the name with the same bytes.
#[derive(Debug)]
pub(crate) struct Partial {
    path: PathBuf,
    writer: BufWriter<NamedTempFile>,
}

impl Partial {
    pub(crate) fn create(path: PathBuf) -> std::result::Result<Self, RunError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let create = || {
            fs::create_dir_all(folder)?;
            let mut builder = tempfile::Builder::new();
            builder.prefix(".").suffix(".partial");
            // Readable by the engine, as far as the user's mask allows; temporary files are private by default.
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
            builder.tempfile_in(folder)
        };
        let file = create().map_err(RunError::io(&path))?;
        Ok(Self {
            path,
            writer: BufWriter::with_capacity(1 << 20, file),
        })
    }

    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> std::result::Result<(), RunError> {
        self.writer.write_all(bytes).map_err(RunError::io(&self.path))
    }

    /// Makes the content durable and gives the file its name.
    pub(crate) fn commit(self) -> std::result::Result<(), RunError> {
        let Self { path, writer } = self;
        let commit = || {
            let file = writer.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            file.as_file().sync_data()?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        commit().map_err(RunError::io(&path))
    }
}

/// Writes a value as JSON, whole or not at all.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> std::result::Result<(), RunError> {
    let mut file = Partial::create(path.to_path_buf())?;
    file.write(&serde_json::to_vec_pretty(value).expect("a tree of plain values"))?;
    file.commit()
}

/// Reads what [`write_json`] wrote; `None` where there is no such file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|_| DistributedError::damaged(path)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DistributedError::io(path)(error)),
    }
}

/// A file of rows of whole numbers.
#[derive(Debug)]
pub(crate) struct Rows {
    file: Partial,
    line: Vec<u8>,
    count: u64,
}

impl Rows {
    pub(crate) fn create(folder: &Path, shard: u32) -> std::result::Result<Self, RunError> {
        Ok(Self {
            file: Partial::create(folder.join(part(shard, "csv")))?,
            line: Vec::new(),
            count: 0,
        })
    }

    pub(crate) fn push<const N: usize>(&mut self, row: [i64; N]) -> std::result::Result<(), RunError> {
        self.count += 1;
        self.line.clear();
        for (i, number) in row.iter().enumerate() {
            if i > 0 {
                self.line.push(b',');
            }
            let _ = write!(self.line, "{number}");
        }
        self.line.push(b'\n');
        self.file.write(&self.line)
    }

    /// Gives the file its name and says how many rows it has.
    pub(crate) fn commit(self) -> std::result::Result<u64, RunError> {
        self.file.commit()?;
        Ok(self.count)
    }
}

/// Hands every row of the files in `folder` to `take`, in the order of the files' names; an engine that had no row to
/// write may not have made the folder.
pub(crate) fn read_rows<const N: usize>(
    folder: &Path,
    mut take: impl FnMut([i64; N]) -> Result<()>,
) -> Result<()> {
    files(folder)?
        .iter()
        .try_for_each(|path| read_rows_of_file(path, &mut take))
}

/// Hands every row of one file to `take`.
pub(crate) fn read_rows_of_file<const N: usize>(
    path: &Path,
    mut take: impl FnMut([i64; N]) -> Result<()>,
) -> Result<()> {
    let file = File::open(path).map_err(DistributedError::io(path))?;
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut line = Vec::new();
    while reader
        .read_until(b'\n', &mut line)
        .map_err(DistributedError::io(path))?
        > 0
    {
        take(parse(&line).ok_or_else(|| DistributedError::damaged(path))?)?;
        line.clear();
    }
    Ok(())
}

fn parse<const N: usize>(line: &[u8]) -> Option<[i64; N]> {
    // A line without end was cut.
    let text = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let mut row = [0; N];
    let mut cells = text.trim_end_matches('\r').split(',');
    for cell in &mut row {
        *cell = cells.next()?.parse().ok()?;
    }
    cells.next().is_none().then_some(row)
}

/// The files of a folder that hold data, by name: engines and our own writers begin the others with a dot or an
/// underscore.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(DistributedError::io(folder)(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(DistributedError::io(folder))?.path();
        let hidden = path
            .file_name()
            .is_none_or(|name| matches!(name.as_encoded_bytes().first(), Some(b'.' | b'_')));
        if !hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
