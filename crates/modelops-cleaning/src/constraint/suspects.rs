//! Cells to blame for broken dependencies.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::{Bound, Comparison, Constraints, Side};

/// A cell that disagrees with the rows that should agree with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Suspect {
    /// The row, from 0.
    pub row: usize,
    /// The column, from 0.
    pub column: usize,
    /// What the other rows say.
    pub suggestion: String,
    /// How many rows say so, over all constraints that blame the cell.
    pub support: usize,
}

/// Some columns that determine another one.
struct Dependency {
    from: Vec<usize>,
    to: usize,
}

/// Repairing a cell can bring its row into another group, which may show another fault; few chains are longer.
const ROUNDS: usize = 8;

impl Constraints {
    /// The cells to blame, by row and column.
    ///
    /// Looks at the constraints that say that some columns determine another one: equal in the former, different in the
    /// latter. Rows that agree on the former form a group; its most frequent value in the latter is taken for right (the
    /// first in text order among equally frequent ones), and a value that
    /// at most half as many rows have is suspect. Suspects take the suggested value and the constraints are looked at again, until
    /// nothing changes, so that a row with a fault in a determining column is judged by its repaired self. Missing cells
    /// are neither suspect nor a witness.
    ///
    /// # Panics
    /// Where a row has fewer cells than the table has columns.
    ///
    /// # Complexity
    /// Time O(constraints × rows) a round, at most 8 rounds; space O(cells).
    #[must_use]
    pub fn suspects<R: AsRef<[String]>>(&self, rows: &[R]) -> Vec<Suspect> {
        let dependencies: Vec<Dependency> = self.bound.iter().filter_map(|c| dependency(c)).collect();
        // Texts as numbers in text order, so that ties can be broken by number.
        let mut texts: Vec<&str> = rows
            .iter()
            .flat_map(|row| row.as_ref())
            .map(String::as_str)
            .collect();
        texts.sort_unstable();
        texts.dedup();
        let number = |text: &str| texts.partition_point(|known| *known < text);
        let before: Vec<Vec<usize>> = rows
            .iter()
            .map(|row| row.as_ref().iter().map(|text| number(text)).collect())
            .collect();
        let missing = texts.first().is_some_and(|text| text.is_empty()).then_some(0);
        let mut now = before.clone();
        let mut support: HashMap<(usize, usize), usize> = HashMap::new();
        for _ in 0..ROUNDS {
            let mut votes: BTreeMap<(usize, usize), BTreeMap<usize, usize>> = BTreeMap::new();
            for dependency in &dependencies {
                vote(dependency, &now, missing, &mut votes);
            }
            if votes.is_empty() {
                break;
            }
            for (cell, values) in votes {
                let best = values
                    .into_iter()
                    .min_by_key(|&(value, rows)| (Reverse(rows), value));
                let (value, rows) = best.expect("a suspect has a suggestion");
                now[cell.0][cell.1] = value;
                support.insert(cell, rows);
            }
        }
        let mut suspects = Vec::new();
        for (row, (before, now)) in before.iter().zip(&now).enumerate() {
            for (column, (before, now)) in before.iter().zip(now).enumerate() {
                if before != now {
                    suspects.push(Suspect {
                        row,
                        column,
                        suggestion: texts[*now].to_owned(),
                        support: support[&(row, column)],
                    });
                }
            }
        }
        suspects
    }
}

/// Adds a vote for every cell that disagrees with its group.
fn vote(
    dependency: &Dependency,
    rows: &[Vec<usize>],
    missing: Option<usize>,
    votes: &mut BTreeMap<(usize, usize), BTreeMap<usize, usize>>,
) {
    let mut groups: HashMap<Vec<usize>, BTreeMap<usize, usize>> = HashMap::new();
    let key = |row: &[usize]| {
        let key: Vec<usize> = dependency.from.iter().map(|&at| row[at]).collect();
        let known = |value: &usize| Some(*value) != missing;
        (key.iter().all(known) && known(&row[dependency.to])).then_some(key)
    };
    for row in rows {
        if let Some(key) = key(row) {
            *groups
                .entry(key)
                .or_default()
                .entry(row[dependency.to])
                .or_default() += 1;
        }
    }
    let right: HashMap<&Vec<usize>, (usize, usize)> = groups
        .iter()
        .map(|(key, values)| {
            let best = values
                .iter()
                .min_by_key(|&(value, rows)| (Reverse(*rows), *value));
            let (&value, &rows) = best.expect("a group has a row");
            (key, (value, rows))
        })
        .collect();
    for (at, row) in rows.iter().enumerate() {
        let Some(key) = key(row) else { continue };
        let (value, agree) = right[&key];
        let mine = row[dependency.to];
        if mine != value && groups[&key][&mine] * 2 <= agree {
            let cell = votes.entry((at, dependency.to)).or_default();
            *cell.entry(value).or_default() += agree;
        }
    }
}

/// The dependency that a constraint states, if it states one.
fn dependency(conditions: &[Bound]) -> Option<Dependency> {
    let mut from = Vec::new();
    let mut to = None;
    for condition in conditions {
        let column = match (&condition.left, &condition.right) {
            (Side::First(a), Side::Second(b)) | (Side::Second(a), Side::First(b)) if a == b => *a,
            _ => return None,
        };
        match condition.comparison {
            Comparison::Equal => from.push(column),
            Comparison::Different if to.is_none() => to = Some(column),
            _ => return None,
        }
    }
    (!from.is_empty()).then_some(Dependency { from, to: to? })
}
