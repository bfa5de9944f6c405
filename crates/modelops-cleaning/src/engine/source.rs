//! Reads CSV record by record: the independent counter, the judge of soundness, and the place of every record.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use crate::error::RunError;
use crate::kernel::csv::{Found, Traits, find_record, unquote};
use crate::plan::{Plan, Reading};
use crate::spec::{Format, Read};

const CHUNK: usize = 1 << 20;

/// The header of a CSV file.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    /// Its bytes, a byte-order mark and the line end included.
    pub(crate) raw: Vec<u8>,
    pub(crate) names: Vec<String>,
    /// Whether another reader will see the same names: no mark, no blank lines before it, no quirks.
    pub(crate) plain: bool,
}

/// A CSV file, one record after the other.
#[derive(Debug)]
pub(crate) struct CsvSource {
    path: PathBuf,
    file: File,
    separator: u8,
    longest: usize,
    buffer: Vec<u8>,
    start: usize,
    have: usize,
    end_of_file: bool,
    /// Where `start` lies in the file.
    offset: u64,
    line: u64,
    rows: u64,
    ends: Vec<u32>,
    first: Place,
    pub(crate) header: Header,
}

/// A record and where it was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    /// All its bytes, the line end included.
    pub(crate) raw: &'a [u8],
    pub(crate) body: &'a [u8],
    ends: &'a [u32],
    pub(crate) traits: Traits,
    pub(crate) row: u32,
    pub(crate) line: u64,
    pub(crate) offset: u64,
}

/// Records of a block, at most: few enough to stay in the first cache, enough to look for all of them at once.
const BLOCK: usize = 256;

/// Some records that lie in the buffer together.
#[derive(Debug, Default)]
pub(crate) struct Block {
    entries: Vec<Entry>,
    ends: Vec<u32>,
}

#[derive(Debug)]
struct Entry {
    start: usize,
    found: Found,
    ends: std::ops::Range<usize>,
    row: u32,
    line: u64,
    offset: u64,
}

impl Block {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl<'a> Record<'a> {
    /// The bytes of field `index`, quotes included.
    #[inline]
    pub(crate) fn field(&self, index: usize) -> &'a [u8] {
        &self.body[self.start(index)..self.ends[index] as usize]
    }

    /// Where field `index` starts in the body.
    #[inline]
    pub(crate) fn start(&self, index: usize) -> usize {
        match index {
            0 => 0,
            _ => self.ends[index - 1] as usize + 1,
        }
    }

    #[inline]
    pub(crate) fn fields(&self) -> usize {
        self.ends.len()
    }

    /// The reason why the record cannot be read as `columns` fields of UTF-8 text, if there is one.
    #[inline]
    pub(crate) fn fault(&self, columns: usize, reading: Reading) -> Option<u16> {
        if self.body.is_empty() {
            Some(reading.blank)
        } else if self.traits.unclosed {
            Some(reading.unclosed)
        } else if self.traits.text_after_quote {
            Some(reading.after_quote)
        } else if std::str::from_utf8(self.body).is_err() {
            Some(reading.utf8)
        } else if self.fields() != columns {
            Some(reading.fields)
        } else {
            None
        }
    }

    /// The text of a cell as the plan understands it; `None` where it is missing.
    #[inline]
    pub(crate) fn cell<'s>(&'s self, plan: &Plan, index: usize, scratch: &'s mut Vec<u8>) -> Option<&'s str> {
        let (_, text) = self.texts(plan, index, scratch);
        (!plan.is_missing(index, text.as_bytes())).then_some(text)
    }

    /// The text of a cell as it stands, and without the white space that the plan takes off.
    #[inline]
    pub(crate) fn texts<'s>(
        &'s self,
        plan: &Plan,
        index: usize,
        scratch: &'s mut Vec<u8>,
    ) -> (&'s str, &'s str) {
        let text = unquote(self.field(index), scratch);
        let text = std::str::from_utf8(text).expect("a sound record is UTF-8");
        (text, if plan.trim { text.trim() } else { text })
    }
}

pub(crate) fn separator(format: Format) -> u8 {
    match format {
        Format::Csv { separator } => separator as u8,
        _ => b',',
    }
}

/// Refuses names that occur twice: typed columns are known by name.
pub(crate) fn unique_names(names: &[String]) -> Result<(), RunError> {
    let mut seen = std::collections::HashSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        None => Ok(()),
        Some(name) => Err(RunError::DuplicateColumn { column: name.clone() }),
    }
}

impl CsvSource {
    /// Opens the file and reads its header.
    pub(crate) fn open(read: &Read) -> Result<Self, RunError> {
        let file = File::open(&read.path).map_err(RunError::io(&read.path))?;
        let mut source = Self {
            path: read.path.clone(),
            file,
            separator: separator(read.format),
            longest: read.longest_record,
            buffer: vec![0; CHUNK],
            start: 0,
            have: 0,
            end_of_file: false,
            offset: 0,
            line: 1,
            rows: 0,
            ends: Vec::new(),
            first: Place {
                row: 0,
                line: 1,
                offset: 0,
            },
            header: Header {
                raw: Vec::new(),
                names: Vec::new(),
                plain: true,
            },
        };
        source.read_header()?;
        Ok(source)
    }

    fn read_header(&mut self) -> Result<(), RunError> {
        self.fill()?;
        let head = &self.buffer[..self.have];
        if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
            return Err(RunError::Utf16 {
                path: self.path.clone(),
            });
        }
        let mut raw = Vec::new();
        let mut plain = true;
        if head.starts_with(&[0xef, 0xbb, 0xbf]) {
            raw.extend_from_slice(&[0xef, 0xbb, 0xbf]);
            self.start = 3;
            self.offset = 3;
            plain = false;
        }
        loop {
            let Some(record) = self.next_record()? else {
                return Err(RunError::EmptyInput {
                    path: self.path.clone(),
                });
            };
            raw.extend_from_slice(record.raw);
            if record.body.is_empty() {
                plain = false;
                continue;
            }
            let traits = record.traits;
            plain &= !(traits.quoted
                || traits.stray_quote
                || traits.text_after_quote
                || traits.unclosed
                || traits.bare_cr);
            let mut scratch = Vec::new();
            let mut names = Vec::with_capacity(record.fields());
            for index in 0..record.fields() {
                let name = unquote(record.field(index), &mut scratch);
                match std::str::from_utf8(name) {
                    Ok(name) => names.push(name.to_owned()),
                    Err(_) => {
                        let path = self.path.clone();
                        return Err(RunError::HeaderNotUtf8 { path });
                    }
                }
            }
            if names.iter().any(|name| name.contains('\0')) {
                let path = self.path.clone();
                return Err(RunError::Utf16 { path });
            }
            plain &= names.iter().all(|name| !name.is_empty());
            self.header = Header { raw, names, plain };
            self.rows = 0;
            self.first = self.place();
            return Ok(());
        }
    }

    /// Reads more bytes behind those not yet used.
    fn fill(&mut self) -> Result<(), RunError> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.have, 0);
            self.have -= self.start;
            self.start = 0;
        }
        if self.have == self.buffer.len() {
            if self.have >= self.longest {
                return Err(RunError::RecordTooLong {
                    offset: self.offset,
                    limit: self.longest,
                });
            }
            let size = self.buffer.len() * 2;
            self.buffer.resize(size, 0);
        }
        let read = self
            .file
            .read(&mut self.buffer[self.have..])
            .map_err(RunError::io(&self.path))?;
        self.end_of_file = read == 0;
        self.have += read;
        Ok(())
    }

    /// Fills `block` with the next records, sound or not; an empty block is the end of the file.
    pub(crate) fn next_block(&mut self, block: &mut Block) -> Result<(), RunError> {
        block.entries.clear();
        block.ends.clear();
        while block.entries.len() < BLOCK {
            let rest = &self.buffer[self.start..self.have];
            let first_end = block.ends.len();
            match find_record(rest, self.separator, self.end_of_file, &mut block.ends) {
                Some(found) => {
                    let row = u32::try_from(self.rows).map_err(|_| RunError::TooManyRecords)?;
                    block.entries.push(Entry {
                        start: self.start,
                        found,
                        ends: first_end..block.ends.len(),
                        row,
                        line: self.line,
                        offset: self.offset,
                    });
                    self.pass(found);
                }
                // More bytes would move those that the block points to.
                None if !block.entries.is_empty() || self.end_of_file => return Ok(()),
                None => self.fill()?,
            }
        }
        Ok(())
    }

    /// Record `at` of the block filled last.
    #[inline]
    pub(crate) fn record<'a>(&'a self, block: &'a Block, at: usize) -> Record<'a> {
        let entry = &block.entries[at];
        let raw = &self.buffer[entry.start..entry.start + entry.found.len];
        Record {
            raw,
            body: &raw[..entry.found.body],
            ends: &block.ends[entry.ends.clone()],
            traits: entry.found.traits,
            row: entry.row,
            line: entry.line,
            offset: entry.offset,
        }
    }

    #[inline]
    fn pass(&mut self, found: Found) {
        let raw = &self.buffer[self.start..self.start + found.len];
        self.line += if found.traits.quoted { line_ends(raw) } else { 1 };
        self.start += found.len;
        self.offset += found.len as u64;
        self.rows += 1;
    }

    /// The next record, sound or not; `None` at the end of the file.
    #[inline]
    pub(crate) fn next_record(&mut self) -> Result<Option<Record<'_>>, RunError> {
        let found = loop {
            let rest = &self.buffer[self.start..self.have];
            self.ends.clear();
            if let Some(found) = find_record(rest, self.separator, self.end_of_file, &mut self.ends) {
                break found;
            }
            if self.end_of_file {
                return Ok(None);
            }
            self.fill()?;
        };
        let row = u32::try_from(self.rows).map_err(|_| RunError::TooManyRecords)?;
        let (start, line, offset) = (self.start, self.line, self.offset);
        self.pass(found);
        let raw = &self.buffer[start..start + found.len];
        Ok(Some(Record {
            raw,
            body: &raw[..found.body],
            ends: &self.ends,
            traits: found.traits,
            row,
            line,
            offset,
        }))
    }

    /// How many records have been read, the header not counted.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// About how many records the whole file has, if they go on as those read so far.
    pub(crate) fn expected_rows(&self) -> Result<u64, RunError> {
        let bytes = self.file.metadata().map_err(RunError::io(&self.path))?.len();
        let read = (self.offset - self.first.offset).max(1);
        Ok((bytes as f64 / read as f64 * self.rows as f64) as u64)
    }

    /// The place of the next record.
    pub(crate) fn place(&self) -> Place {
        Place {
            row: self.rows,
            line: self.line,
            offset: self.offset,
        }
    }

    /// The place of the first record after the header.
    pub(crate) fn first(&self) -> Place {
        self.first
    }

    /// Goes to a place found earlier.
    pub(crate) fn seek(&mut self, place: Place) -> Result<(), RunError> {
        use std::io::Seek as _;
        self.file
            .seek(std::io::SeekFrom::Start(place.offset))
            .map_err(RunError::io(&self.path))?;
        self.start = 0;
        self.have = 0;
        self.end_of_file = false;
        self.offset = place.offset;
        self.line = place.line;
        self.rows = place.row;
        Ok(())
    }
}

/// Where a record starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) row: u64,
    pub(crate) line: u64,
    pub(crate) offset: u64,
}

/// Line ends inside a record: CRLF counts once.
fn line_ends(raw: &[u8]) -> u64 {
    let mut count = 0;
    for (i, &byte) in raw.iter().enumerate() {
        if byte == b'\n' || (byte == b'\r' && raw.get(i + 1) != Some(&b'\n')) {
            count += 1;
        }
    }
    count
}
