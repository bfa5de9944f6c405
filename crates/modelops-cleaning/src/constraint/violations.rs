//! Pairs of rows that break a constraint.

use std::collections::HashMap;

use super::{Bound, Comparison, Constraints, Side};

impl Constraints {
    /// The first `limit` violations, in order: constraint, first row, second row (the same row twice where a constraint
    /// names one row only). A pair that breaks a constraint either way round is given once, lower row first.
    ///
    /// # Panics
    /// Where a row has fewer cells than the table has columns.
    ///
    /// # Complexity
    /// For each constraint, rows plus pairs that agree on every column the constraint equates: all pairs where it
    /// equates none.
    #[must_use]
    pub fn violations<R: AsRef<[String]>>(&self, rows: &[R], limit: usize) -> Vec<(usize, usize, usize)> {
        let mut found = Vec::new();
        for (constraint, conditions) in self.bound.iter().enumerate() {
            if found.len() >= limit {
                break;
            }
            find(conditions, rows, limit - found.len(), |first, second| {
                found.push((constraint, first, second));
            });
        }
        found
    }
}

impl Constraints {
    /// Whether each row breaks some constraint, alone or with another row.
    ///
    /// Rows with the same cells are judged once, so a group that agrees costs nothing, however large it is.
    pub(crate) fn broken(&self, rows: &[Vec<String>]) -> Vec<bool> {
        let mut places: HashMap<&[String], usize> = HashMap::new();
        let mut different: Vec<&[String]> = Vec::new();
        let kinds: Vec<usize> = rows
            .iter()
            .map(|row| {
                *places.entry(row.as_slice()).or_insert_with(|| {
                    different.push(row);
                    different.len() - 1
                })
            })
            .collect();
        let mut often = vec![0usize; different.len()];
        kinds.iter().for_each(|&kind| often[kind] += 1);
        let mut broken = vec![false; different.len()];
        for conditions in &self.bound {
            find(conditions, &different, usize::MAX, |first, second| {
                broken[first] = true;
                broken[second] = true;
            });
            // Two rows with the same cells, and a row of which there is one, can only break it alone.
            for (kind, cells) in different.iter().enumerate() {
                let alone = !conditions.iter().any(Bound::is_over_pairs);
                let holds = || conditions.iter().all(|c| c.holds(cells, cells));
                broken[kind] |= (alone || often[kind] > 1) && holds();
            }
        }
        kinds.into_iter().map(|kind| broken[kind]).collect()
    }
}

fn find<R: AsRef<[String]>>(
    conditions: &[Bound],
    rows: &[R],
    limit: usize,
    mut each: impl FnMut(usize, usize),
) {
    let mut left = limit;
    let cells = |row: usize| rows[row].as_ref();
    if !conditions.iter().any(Bound::is_over_pairs) {
        for row in 0..rows.len() {
            if left > 0 && conditions.iter().all(|c| c.holds(cells(row), cells(row))) {
                each(row, row);
                left -= 1;
            }
        }
        return;
    }
    // Rows by the cells that a second row must have: texts are equal here only where they are the same number too, so
    // numbers are brought to one form.
    let joins: Vec<(usize, usize)> = conditions.iter().filter_map(Bound::join).collect();
    let mut groups: HashMap<Vec<String>, Vec<usize>> = HashMap::new();
    for row in 0..rows.len() {
        let key = joins
            .iter()
            .map(|&(_, second)| form(&cells(row)[second]))
            .collect();
        groups.entry(key).or_default().push(row);
    }
    for first in 0..rows.len() {
        let key: Vec<String> = joins.iter().map(|&(at, _)| form(&cells(first)[at])).collect();
        for &second in groups.get(&key).into_iter().flatten() {
            if left == 0 {
                return;
            }
            let breaks = |a: usize, b: usize| conditions.iter().all(|c| c.holds(cells(a), cells(b)));
            if first != second && breaks(first, second) && (first < second || !breaks(second, first)) {
                each(first, second);
                left -= 1;
            }
        }
    }
}

/// One text for every way to write a number.
fn form(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(0.0) => "0".to_owned(),
        Ok(number) => number.to_string(),
        Err(_) => text.to_owned(),
    }
}

impl Bound {
    fn is_over_pairs(&self) -> bool {
        [&self.left, &self.right]
            .into_iter()
            .any(|side| matches!(side, Side::Second(_)))
    }

    /// Columns of the first and the second row that this condition equates.
    fn join(&self) -> Option<(usize, usize)> {
        match (self.comparison, &self.left, &self.right) {
            (Comparison::Equal, Side::First(first), Side::Second(second))
            | (Comparison::Equal, Side::Second(second), Side::First(first)) => Some((*first, *second)),
            _ => None,
        }
    }

    fn holds(&self, first: &[String], second: &[String]) -> bool {
        let cell = |side: &'_ Side| -> String {
            match side {
                Side::First(at) => first[*at].clone(),
                Side::Second(at) => second[*at].clone(),
                Side::Constant(text) => text.clone(),
            }
        };
        let (left, right) = (cell(&self.left), cell(&self.right));
        if left.is_empty() || right.is_empty() {
            return false;
        }
        self.comparison.holds(&left, &right)
    }
}
