//! Writes clean rows: CSV and JSON lines.

use crate::engine::output::{Pending, csv_header};
use crate::engine::source::Record;
use crate::engine::values::row::{Form, Row};
use crate::error::RunError;
use crate::spec::{ColumnType, Format, Write};

/// How clean rows are written.
pub(super) struct Writer {
    kinds: Vec<ColumnType>,
    /// Between the fields of the input.
    read: u8,
    form: Lines,
    line: Vec<u8>,
    scratch: Vec<u8>,
}

enum Lines {
    Csv {
        separator: u8,
    },
    /// What stands before the value of each column.
    Json {
        members: Vec<Vec<u8>>,
    },
}

impl Writer {
    /// A writer of rows, and the header of their file.
    pub(super) fn new(
        to: &Write,
        names: &[String],
        kinds: &[ColumnType],
        read: u8,
        file: &mut Pending,
    ) -> Result<Self, RunError> {
        let form = match to.format {
            Format::Csv { separator } => {
                file.write(&csv_header(names, separator as u8))?;
                Lines::Csv {
                    separator: separator as u8,
                }
            }
            Format::JsonLines => Lines::Json {
                members: names.iter().enumerate().map(member).collect(),
            },
            Format::Parquet => unreachable!("another engine writes it"),
        };
        Ok(Self {
            kinds: kinds.to_vec(),
            read,
            form,
            line: Vec::new(),
            scratch: Vec::new(),
        })
    }

    /// Appends a clean row.
    #[inline]
    pub(super) fn write(
        &mut self,
        record: &Record<'_>,
        row: &Row,
        file: &mut Pending,
    ) -> Result<(), RunError> {
        self.line.clear();
        match &self.form {
            &Lines::Csv { separator } => {
                if row.is_as_read() && separator == self.read {
                    if record.raw.len() == record.body.len() + 1 && record.raw.ends_with(b"\n") {
                        return file.write(record.raw);
                    }
                    file.write(record.body)?;
                    return file.write(b"\n");
                }
                let form = Form {
                    kinds: &self.kinds,
                    read: self.read,
                    write: separator,
                    one_zero: false,
                };
                row.write_csv(record, self.kinds.len(), form, &mut self.line);
                self.line.push(b'\n');
            }
            Lines::Json { members } => {
                for (column, (member, &kind)) in members.iter().zip(&self.kinds).enumerate() {
                    self.line.extend_from_slice(member);
                    match row.text(record, column, &mut self.scratch) {
                        // JSON cannot say them.
                        None => self.line.extend_from_slice(b"null"),
                        Some("NaN" | "inf" | "-inf") if kind == ColumnType::Float => {
                            self.line.extend_from_slice(b"null");
                        }
                        Some(text) if kind == ColumnType::Text => json(&mut self.line, text),
                        Some(text) => self.line.extend_from_slice(text.as_bytes()),
                    }
                }
                self.line.extend_from_slice(b"}\n");
            }
        }
        file.write(&self.line)
    }
}

fn member((column, name): (usize, &String)) -> Vec<u8> {
    let mut text = vec![if column == 0 { b'{' } else { b',' }];
    json(&mut text, name);
    text.push(b':');
    text
}

fn json(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a text into memory");
}
