//! JSON lines: one object a line, its members as columns.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead as _, BufReader};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::engine::source::Place;
use crate::engine::survey::{STRIDE, Survey};
use crate::engine::typed::stage::Stage;
use crate::error::RunError;
use crate::plan::Plan;
use crate::spec::{PipelineSpec, Read};

/// One line and where it was found.
pub(super) struct Line<'a> {
    pub(super) raw: &'a [u8],
    pub(super) row: u32,
    pub(super) line: u64,
    pub(super) offset: u64,
}

/// Hands every line to `take`.
pub(super) fn each_line(
    read: &Read,
    mut take: impl FnMut(&Line<'_>) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let file = File::open(&read.path).map_err(RunError::io(&read.path))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut raw = Vec::new();
    let (mut row, mut offset) = (0u64, 0u64);
    loop {
        raw.clear();
        // Line by line through a limited view, so that a file without line ends cannot fill the memory.
        let limit = read.longest_record as u64 + 1;
        let got = std::io::Read::take(&mut reader, limit)
            .read_until(b'\n', &mut raw)
            .map_err(RunError::io(&read.path))?;
        if got == 0 {
            return Ok(());
        }
        if got as u64 == limit && raw.last() != Some(&b'\n') {
            return Err(RunError::RecordTooLong {
                offset,
                limit: read.longest_record,
            });
        }
        take(&Line {
            raw: &raw,
            row: u32::try_from(row).map_err(|_| RunError::TooManyRecords)?,
            line: row + 1,
            offset,
        })?;
        row += 1;
        offset += got as u64;
    }
}

/// The members of an object in their order; an object that names a member twice is refused.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members: Vec<(String, Box<RawValue>)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom("a member is named twice"));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

fn members(raw: &[u8]) -> Option<Members> {
    serde_json::from_slice(raw).ok()
}

fn is_blank(raw: &[u8]) -> bool {
    raw.trim_ascii().is_empty()
}

/// The names of all members, in the order in which the file first shows them.
pub(in crate::engine) fn names(read: &Read) -> Result<Vec<String>, RunError> {
    let mut names = Vec::new();
    let mut known = HashMap::new();
    each_line(read, |line| {
        if !is_blank(line.raw)
            && let Some(members) = members(line.raw)
        {
            for (name, _) in members.0 {
                if !known.contains_key(&name) {
                    known.insert(name.clone(), ());
                    names.push(name);
                }
            }
        }
        Ok(())
    })?;
    if names.is_empty() {
        return Err(RunError::EmptyInput {
            path: read.path.clone(),
        });
    }
    Ok(names)
}

/// Surveys the lines and stages the sound ones.
pub(super) fn survey(spec: &PipelineSpec, plan: &Plan, stage: &mut Stage) -> Result<Survey, RunError> {
    let mut survey = Survey::new(plan.inputs);
    let mut cells: Vec<Option<String>> = Vec::new();
    let position: HashMap<&str, usize> = plan
        .columns
        .iter()
        .enumerate()
        .map(|(at, name)| (name.as_str(), at))
        .collect();
    each_line(&spec.read, |line| {
        survey.records += 1;
        if u64::from(line.row).is_multiple_of(STRIDE) {
            survey.places.push(Place {
                row: u64::from(line.row),
                line: line.line,
                offset: line.offset,
            });
        }
        if is_blank(line.raw) {
            survey.faults.push((line.row, plan.reading.blank));
            return Ok(());
        }
        let Some(members) = members(line.raw) else {
            survey.faults.push((line.row, plan.reading.not_object));
            return Ok(());
        };
        cells.clear();
        cells.resize(plan.inputs, None);
        for (name, value) in members.0 {
            let at = position[name.as_str()];
            let written = value.get();
            let (text, is_text) = if written.starts_with('"') {
                let text = serde_json::from_str::<String>(written).expect("a value that was parsed before");
                (text, true)
            } else if written == "null" {
                continue;
            } else {
                (written.to_owned(), false)
            };
            let judged = if plan.trim { text.trim() } else { &text };
            if plan.is_missing(at, judged.as_bytes()) {
                survey.touched[at] = true;
            } else {
                survey.touched[at] |= judged.len() != text.len();
                if is_text {
                    survey.candidates[at].see_text();
                } else {
                    survey.candidates[at].see(judged.as_bytes());
                }
            }
            cells[at] = Some(text);
        }
        for cell in &cells {
            stage.field(cell.as_deref().unwrap_or_default().as_bytes());
        }
        stage.end()
    })?;
    if plan.inputs == 1 {
        survey.touched[0] = true;
    }
    Ok(survey)
}
