//! One record as values: each cell the canonical text of its value, or missing.

use crate::engine::source::Record;
use crate::kernel::csv::{unquote, write_field};
use crate::spec::ColumnType;

/// The values of a record. Most records hold them as they were read: then nothing is stored here.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// Whether `cells` is left out, since every field stands in the record as it would be written.
    as_read: bool,
    cells: Vec<Cell>,
    /// The texts of cells that are written in another way than they were read.
    own: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Cell {
    Missing,
    /// These bytes of the record, quotes included where it has them.
    Read(u32, u32),
    /// These bytes of the row, without quotes.
    Own(u32, u32),
}

/// How rows are written as CSV.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form<'a> {
    pub(super) kinds: &'a [ColumnType],
    /// Between the fields of the input.
    pub(super) read: u8,
    /// Between the fields to be written.
    pub(super) write: u8,
    /// Whether minus zero is written as zero, to compare rather than to keep.
    pub(super) one_zero: bool,
}

impl Row {
    /// Forgets the record before.
    #[inline]
    pub(super) fn start(&mut self) {
        self.as_read = true;
        self.cells.clear();
        self.own.clear();
    }

    /// From here on every cell is pushed.
    pub(super) fn rewrite(&mut self) {
        self.start();
        self.as_read = false;
    }

    /// Whether the record is the row, as it would be written with the separator it was read with.
    #[inline]
    pub(super) fn is_as_read(&self) -> bool {
        self.as_read
    }

    pub(super) fn push_missing(&mut self) {
        self.cells.push(Cell::Missing);
    }

    /// Pushes a cell that is `length` bytes of its field.
    #[inline]
    pub(super) fn push_read(&mut self, record: &Record<'_>, column: usize, length: usize) {
        let start = record.start(column);
        self.cells.push(Cell::Read(start as u32, (start + length) as u32));
    }

    /// Pushes a cell whose text `write` appends; a missing one where it gives nothing.
    pub(super) fn push_own(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Option<()> {
        let start = self.own.len() as u32;
        let written = write(&mut self.own);
        self.cells.push(match written {
            Some(()) => Cell::Own(start, self.own.len() as u32),
            None => Cell::Missing,
        });
        written
    }

    /// Changes a cell, or adds the next one.
    pub(super) fn set(&mut self, record: &Record<'_>, column: usize, text: &[u8]) {
        if self.as_read {
            self.as_read = false;
            for at in 0..record.fields() {
                match record.field(at).len() {
                    0 => self.push_missing(),
                    length => self.push_read(record, at, length),
                }
            }
        }
        let start = self.own.len() as u32;
        self.own.extend_from_slice(text);
        let cell = Cell::Own(start, self.own.len() as u32);
        match self.cells.get_mut(column) {
            Some(held) => *held = cell,
            None => self.cells.push(cell),
        }
    }

    #[inline]
    pub(super) fn is_missing(&self, record: &Record<'_>, column: usize) -> bool {
        if self.as_read {
            record.field(column).is_empty()
        } else {
            matches!(self.cells[column], Cell::Missing)
        }
    }

    /// The text of a cell; `None` where it is missing.
    #[inline]
    pub(super) fn text<'a>(
        &'a self,
        record: &Record<'a>,
        column: usize,
        scratch: &'a mut Vec<u8>,
    ) -> Option<&'a str> {
        let field = if self.as_read {
            match record.field(column) {
                [] => return None,
                field => unquote(field, scratch),
            }
        } else {
            match self.cells[column] {
                Cell::Missing => return None,
                Cell::Read(start, end) => unquote(&record.body[start as usize..end as usize], scratch),
                Cell::Own(start, end) => &self.own[start as usize..end as usize],
            }
        };
        Some(std::str::from_utf8(field).expect("a sound record is UTF-8, and so are values"))
    }

    /// Appends the first `columns` cells as one line without its end.
    pub(super) fn write_csv(&self, record: &Record<'_>, columns: usize, form: Form<'_>, out: &mut Vec<u8>) {
        let mut scratch = Vec::new();
        for (column, &kind) in form.kinds.iter().enumerate().take(columns) {
            if column > 0 {
                out.push(form.write);
            }
            let cell = if self.as_read {
                let start = record.start(column);
                Cell::Read(start as u32, (start + record.field(column).len()) as u32)
            } else {
                self.cells[column]
            };
            match cell {
                Cell::Missing => {}
                Cell::Read(start, end) => {
                    let text = &record.body[start as usize..end as usize];
                    if kind == ColumnType::Text && form.read != form.write && !text.is_empty() {
                        write_text(unquote(text, &mut scratch), form.write, out);
                    } else {
                        out.extend_from_slice(text);
                    }
                }
                Cell::Own(start, end) => match &self.own[start as usize..end as usize] {
                    b"-0.0" if kind == ColumnType::Float && form.one_zero => out.extend_from_slice(b"0.0"),
                    text if kind == ColumnType::Text => write_text(text, form.write, out),
                    text => out.extend_from_slice(text),
                },
            }
        }
    }
}

/// Writes a text that is there: an empty one in quotes, since an empty field is a missing value.
fn write_text(text: &[u8], separator: u8, out: &mut Vec<u8>) {
    if text.is_empty() {
        out.extend_from_slice(b"\"\"");
    } else {
        write_field(out, text, separator);
    }
}
