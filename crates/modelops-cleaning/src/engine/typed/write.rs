//! Writes clean rows: CSV, JSON lines, Parquet. The bytes do not depend on how the rows were batched.

use std::io::Write as _;
use std::sync::{Arc, Mutex};

use polars::io::parquet::write::BatchedWriter;
use polars::prelude::*;

use crate::engine::output::{Pending, csv_header};
use crate::engine::typed::consume::View;
use crate::engine::typed::{engine, query};
use crate::error::RunError;
use crate::spec::{ColumnType, Format, Write};

/// Rows of a Parquet row group, whatever the batches were.
const ROW_GROUP: usize = 1 << 17;

/// A clean file being written.
pub(super) struct CleanWriter {
    names: Vec<String>,
    format: Form,
}

enum Form {
    Csv { file: Pending, separator: u8 },
    JsonLines { file: Pending },
    Parquet(Box<Groups>),
}

struct Groups {
    file: Shared,
    writer: BatchedWriter<Shared>,
    waiting: DataFrame,
}

/// The pending file, which both the Parquet writer and the commit need.
#[derive(Clone)]
struct Shared(Arc<Mutex<Option<Pending>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.with(|file| file.writer().write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.with(|file| file.writer().flush())
    }
}

impl Shared {
    fn with<T>(&self, act: impl FnOnce(&mut Pending) -> T) -> T {
        let mut guard = self.0.lock().expect("no holder of the file panics");
        act(guard.as_mut().expect("the file is taken only at the end"))
    }
}

impl CleanWriter {
    pub(super) fn create(to: &Write, names: &[String], kinds: &[ColumnType]) -> Result<Self, RunError> {
        let mut file = Pending::create(&to.path)?;
        let format = match to.format {
            Format::Csv { separator } => {
                let separator = separator as u8;
                file.write(&csv_header(names, separator))?;
                Form::Csv { file, separator }
            }
            Format::JsonLines => Form::JsonLines { file },
            Format::Parquet => {
                let schema: Schema = names
                    .iter()
                    .zip(kinds)
                    .map(|(name, &kind)| Field::new(name.as_str().into(), query::data_type(kind)))
                    .collect();
                let file = Shared(Arc::new(Mutex::new(Some(file))));
                let writer = ParquetWriter::new(file.clone())
                    .with_row_group_size(Some(ROW_GROUP))
                    .batched(&schema)
                    .map_err(|e| engine(&e))?;
                Form::Parquet(Box::new(Groups {
                    file,
                    writer,
                    waiting: DataFrame::empty_with_schema(&schema),
                }))
            }
        };
        Ok(Self {
            names: names.to_vec(),
            format,
        })
    }

    /// Appends clean rows.
    pub(super) fn write(&mut self, mut rows: DataFrame) -> Result<(), RunError> {
        match &mut self.format {
            Form::Csv { file, separator } => {
                let mut bytes = Vec::new();
                CsvWriter::new(&mut bytes)
                    .include_header(false)
                    .with_separator(*separator)
                    .finish(&mut rows)
                    .map_err(|e| engine(&e))?;
                file.write(&bytes)
            }
            Form::JsonLines { file } => {
                let views: Vec<View<'_>> = rows.columns().iter().map(View::new).collect();
                let mut lines = Vec::new();
                for row in 0..rows.height() {
                    json_row(&mut lines, &self.names, &views, row);
                    lines.push(b'\n');
                }
                file.write(&lines)
            }
            Form::Parquet(groups) => {
                rows.set_column_names(&self.names).map_err(|e| engine(&e))?;
                groups.waiting.vstack_mut(&rows).map_err(|e| engine(&e))?;
                while groups.waiting.height() >= ROW_GROUP {
                    groups.write(ROW_GROUP)?;
                }
                Ok(())
            }
        }
    }

    /// Completes the file; it still has its temporary name.
    pub(super) fn finish(self) -> Result<Pending, RunError> {
        let mut file = match self.format {
            Form::Csv { file, .. } | Form::JsonLines { file } => file,
            Form::Parquet(mut groups) => {
                if groups.waiting.height() > 0 {
                    groups.write(groups.waiting.height())?;
                }
                groups.writer.finish().map_err(|e| engine(&e))?;
                let mut held = groups.file.0.lock().expect("no holder of the file panics");
                held.take().expect("it is taken once, here")
            }
        };
        file.finish()?;
        Ok(file)
    }
}

impl Groups {
    fn write(&mut self, rows: usize) -> Result<(), RunError> {
        let mut group = self.waiting.slice(0, rows);
        self.waiting = self.waiting.slice(rows as i64, usize::MAX);
        group.rechunk_mut();
        self.writer.write_batch(&group).map_err(|e| engine(&e))
    }
}

/// One row as a JSON object; a missing value is null, and so are NaN and infinities, which JSON cannot say.
pub(super) fn json_row(out: &mut Vec<u8>, names: &[String], views: &[View<'_>], row: usize) {
    out.push(b'{');
    for (at, (name, view)) in names.iter().zip(views).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        put(out, name);
        out.push(b':');
        match view {
            View::Text(array) => put(out, &array.get(row)),
            View::Int(array) => put(out, &array.get(row)),
            View::Float(array) => put(out, &array.get(row)),
            View::Bool(array) => put(out, &array.get(row)),
        }
    }
    out.push(b'}');
}

fn put(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    serde_json::to_writer(&mut *out, value).expect("a plain value into memory");
    out.flush().expect("memory");
}
