//! The keys of files that steps refer to, read before the first record.

use std::collections::HashSet;

use crate::engine::passes::Learned;
use crate::engine::source::CsvSource;
use crate::error::RunError;
use crate::kernel::csv::unquote;
use crate::kernel::fingerprint::Cells;
use crate::plan::{Plan, Predicate, RelOp};
use crate::spec::{ColumnType, Read};

/// Lays a cell of a key, as a value where its type is known, as text otherwise.
pub(crate) fn lay(cells: &mut Cells, kind: Option<ColumnType>, text: &str) {
    match kind {
        Some(kind) => cells.value(kind, text),
        None => cells.text(text.as_bytes()),
    }
}

/// What each node of the plan that refers to a file learns from it; `kinds` are the types of the input's columns, where cells are
/// compared as values.
pub(crate) fn read(plan: &Plan, kinds: Option<&[ColumnType]>) -> Result<Vec<Option<Learned>>, RunError> {
    let learn = |op: &RelOp| match op {
        RelOp::Select {
            predicate: Predicate::Referenced { columns, path, keys },
            ..
        } => {
            let kinds: Vec<Option<ColumnType>> =
                columns.iter().map(|&at| kinds.map(|kinds| kinds[at])).collect();
            file(&Read::csv(path), keys, &kinds).map(Some)
        }
        _ => Ok(None),
    };
    plan.nodes.iter().map(|node| learn(&node.op)).collect()
}

fn file(read: &Read, keys: &[String], kinds: &[Option<ColumnType>]) -> Result<Learned, RunError> {
    let mut source = CsvSource::open(read)?;
    let names = source.header.names.clone();
    let places = keys
        .iter()
        .map(|key| {
            let mut found = (0..names.len()).filter(|&at| names[at] == *key);
            match (found.next(), found.next()) {
                (Some(at), None) => Ok(at),
                (None, _) => Err(RunError::UnknownColumn { column: key.clone() }),
                _ => Err(RunError::DuplicateColumn { column: key.clone() }),
            }
        })
        .collect::<Result<Vec<usize>, _>>()?;
    let mut known = HashSet::new();
    let (mut cells, mut scratch) = (Cells::default(), Vec::new());
    while let Some(record) = source.next_record()? {
        if record.body.is_empty() {
            continue;
        }
        let unsound = || RunError::Unsound {
            path: read.path.clone(),
            record: u64::from(record.row),
        };
        let traits = record.traits;
        if traits.unclosed || traits.text_after_quote || record.fields() != names.len() {
            return Err(unsound());
        }
        cells.clear();
        for (&at, &kind) in places.iter().zip(kinds) {
            let text = std::str::from_utf8(unquote(record.field(at), &mut scratch)).map_err(|_| unsound())?;
            lay(&mut cells, kind, text);
        }
        known.insert(cells.fingerprint());
    }
    Ok(Learned::Keys(known))
}
