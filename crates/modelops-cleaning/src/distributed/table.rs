//! Some columns of a shard, for what is learned of a table without a pipeline.

use crate::engine::source::CsvSource;
use crate::error::RunError;
use crate::plan::Plan;
use crate::spec::{Mode, PipelineSpec, Read};

/// Reads named columns of the records that can be read.
#[derive(Debug)]
pub(crate) struct Columns {
    source: CsvSource,
    plan: Plan,
    places: Vec<usize>,
    cells: Vec<Option<String>>,
    scratch: Vec<u8>,
}

/// The cells of one record, in the order in which the columns were named; none where one is missing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) ordinal: u32,
    pub(crate) cells: &'a [Option<String>],
}

impl Columns {
    pub(crate) fn open(read: &Read, names: &[&str]) -> Result<Self, RunError> {
        let source = CsvSource::open(read)?;
        let spec = PipelineSpec::new(read.clone()).mode(Mode::Textual);
        let plan = Plan::bind(&spec, source.header.names.clone())?;
        let place = |&name: &&str| {
            let place = plan.columns.iter().position(|column| column == name);
            place.ok_or_else(|| RunError::UnknownColumn {
                column: name.to_owned(),
            })
        };
        Ok(Self {
            places: names.iter().map(place).collect::<Result<_, _>>()?,
            source,
            plan,
            cells: Vec::new(),
            scratch: Vec::new(),
        })
    }

    pub(crate) fn next_record(&mut self) -> Result<Option<Row<'_>>, RunError> {
        while let Some(record) = self.source.next_record()? {
            if record.fault(self.plan.columns.len(), self.plan.reading).is_some() {
                continue;
            }
            self.cells.clear();
            for &place in &self.places {
                let cell = record.cell(&self.plan, place, &mut self.scratch);
                self.cells.push(cell.map(str::to_owned));
            }
            return Ok(Some(Row {
                ordinal: record.row,
                cells: &self.cells,
            }));
        }
        Ok(None)
    }
}
