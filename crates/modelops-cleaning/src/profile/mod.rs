//! The clean columns at a glance, gathered in one pass.

mod histogram;
mod html;

use std::collections::HashMap;

pub use histogram::Histogram;

use crate::ledger::Ledger;
use crate::spec::ColumnType;

/// How many different texts a column may show before only their number is no longer told.
const DISTINCT_LIMIT: usize = 10_000;

/// What one column looks like.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ColumnProfile {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ColumnType,
    /// Missing values.
    pub missing: u64,
    /// For numbers: how they are spread.
    pub numbers: Option<Numbers>,
    texts: HashMap<String, u64>,
    overflow: bool,
}

/// How the numbers of a column are spread. Sums run in row order, so they are the same bits on every run.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Numbers {
    /// How many there are, NaN and infinities left out.
    pub count: u64,
    /// NaN and infinities.
    pub not_finite: u64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// Their shape.
    pub histogram: Histogram,
    mean: f64,
    squares: f64,
}

impl Numbers {
    fn see(&mut self, value: f64) {
        if !value.is_finite() {
            self.not_finite += 1;
            return;
        }
        if self.count == 0 {
            (self.min, self.max) = (value, value);
        }
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        // Welford's update.
        let delta = value - self.mean;
        self.mean += delta / self.count as f64;
        self.squares += delta * (value - self.mean);
        self.histogram.see(value);
    }

    /// The mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The sample standard deviation (n − 1); zero for fewer than two values.
    #[must_use]
    pub fn standard_deviation(&self) -> f64 {
        if self.count < 2 {
            0.0
        } else {
            (self.squares / (self.count - 1) as f64).sqrt()
        }
    }
}

impl ColumnProfile {
    /// How many different texts there are; `None` above ten thousand.
    #[must_use]
    pub fn distinct(&self) -> Option<usize> {
        (!self.overflow).then_some(self.texts.len())
    }

    /// The most frequent texts with their counts, equal counts in alphabetical order.
    #[must_use]
    pub fn top(&self, limit: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<(&str, u64)> = self.texts.iter().map(|(t, &n)| (t.as_str(), n)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        all.truncate(limit);
        all
    }
}

/// The clean columns at a glance.
#[doc(alias("describe", "statistics"))]
#[derive(Debug, Clone)]
pub struct Profile {
    rows: u64,
    columns: Vec<ColumnProfile>,
}

impl Profile {
    pub(crate) fn new(names: &[String], kinds: &[ColumnType]) -> Self {
        let columns = names
            .iter()
            .zip(kinds)
            .map(|(name, &kind)| ColumnProfile {
                name: name.clone(),
                kind,
                missing: 0,
                numbers: matches!(kind, ColumnType::Int | ColumnType::Float).then(Numbers::default),
                texts: HashMap::new(),
                overflow: false,
            })
            .collect();
        Self { rows: 0, columns }
    }

    pub(crate) fn rows(&mut self, rows: u64) {
        self.rows += rows;
    }

    pub(crate) fn number(&mut self, column: usize, value: Option<f64>) {
        let column = &mut self.columns[column];
        match (value, &mut column.numbers) {
            (Some(value), Some(numbers)) => numbers.see(value),
            _ => column.missing += 1,
        }
    }

    pub(crate) fn text(&mut self, column: usize, value: Option<&str>) {
        let column = &mut self.columns[column];
        let Some(value) = value else {
            column.missing += 1;
            return;
        };
        if let Some(count) = column.texts.get_mut(value) {
            *count += 1;
        } else if column.texts.len() < DISTINCT_LIMIT {
            column.texts.insert(value.to_owned(), 1);
        } else {
            column.overflow = true;
        }
    }

    /// How many clean rows there are.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        self.rows
    }

    /// The columns, in their order.
    #[must_use]
    pub fn columns(&self) -> &[ColumnProfile] {
        &self.columns
    }

    /// The profile and the ledger as one HTML page that needs no network.
    #[must_use]
    pub fn to_html(&self, title: &str, ledger: &Ledger) -> String {
        html::page(title, self, ledger)
    }
}
