//! Records as rows of text.

use crate::{Better, Record, Spread};

/// How ours compares with one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every round of ours beat every round of the peer.
    Ahead,
    /// The rounds overlap.
    Level,
    /// Every round of the peer beat every round of ours.
    Behind,
}

impl Verdict {
    /// Ours against theirs.
    #[must_use]
    pub fn of(ours: &Spread, theirs: &Spread, better: Better) -> Self {
        let (ours, theirs) = match better {
            Better::Lower => (ours, theirs),
            Better::Higher => (theirs, ours),
        };
        if ours.max < theirs.min {
            Self::Ahead
        } else if theirs.max < ours.min {
            Self::Behind
        } else {
            Self::Level
        }
    }
}

/// One row per peer: case, metric, ours, peer, theirs, ours ÷ theirs, verdict.
pub(crate) fn rows(records: &[Record]) -> Vec<[String; 7]> {
    let mut rows = Vec::new();
    for record in records {
        let start = |peer: &str| {
            let metric = if record.unit.is_empty() {
                record.metric.clone()
            } else {
                format!("{}, {}", record.metric, record.unit)
            };
            [record.case.clone(), metric, spread(&record.ours), peer.to_owned()]
        };
        for (peer, theirs) in &record.peers {
            let [case, metric, ours, peer] = start(peer);
            let verdict = match Verdict::of(&record.ours, theirs, record.better) {
                _ if !record.correct => "outputs differ",
                Verdict::Ahead => "ahead",
                Verdict::Level => "level",
                Verdict::Behind => "**behind**",
            };
            let ratio = number(record.ours.median / theirs.median);
            rows.push([
                case,
                metric,
                ours,
                peer,
                spread(theirs),
                ratio,
                verdict.to_owned(),
            ]);
        }
        for peer in record.missing.keys() {
            let [case, metric, ours, peer] = start(peer);
            rows.push([
                case,
                metric,
                ours,
                peer,
                "not installed".to_owned(),
                String::new(),
                String::new(),
            ]);
        }
        if record.peers.is_empty() && record.missing.is_empty() {
            let [case, metric, ours, peer] = start("no peer");
            let verdict = if record.correct { "" } else { "wrong" };
            rows.push([
                case,
                metric,
                ours,
                peer,
                String::new(),
                String::new(),
                verdict.to_owned(),
            ]);
        }
    }
    rows
}

/// The heads of [`rows`].
pub(crate) const HEADS: [&str; 7] = [
    "case",
    "metric",
    "ours",
    "peer",
    "theirs",
    "ours ÷ theirs",
    "verdict",
];

/// The records as an aligned table.
#[must_use]
pub fn table(records: &[Record]) -> String {
    let heads = HEADS.map(str::to_owned);
    let rows: Vec<[String; 7]> = std::iter::once(heads).chain(rows(records)).collect();
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// `median (min–max)`, or the median alone where all rounds agree.
pub(crate) fn spread(spread: &Spread) -> String {
    let median = number(spread.median);
    if spread.min == spread.max {
        return median;
    }
    format!("{median} ({}–{})", number(spread.min), number(spread.max))
}

/// Three significant digits, thousands and above whole.
pub(crate) fn number(x: f64) -> String {
    let magnitude = x.abs();
    if magnitude == 0.0 || !magnitude.is_finite() {
        return x.to_string();
    }
    if !(1e-4..1e9).contains(&magnitude) {
        return format!("{x:.2e}");
    }
    let decimals = (2 - magnitude.log10().floor() as i32).max(0) as usize;
    format!("{x:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let texts = [0.001_234_5, 0.5, 1.0, 12.345, 123_456.7, 0.0, 1e-9].map(number);
        assert_eq!(
            texts,
            ["0.00123", "0.500", "1.00", "12.3", "123457", "0", "1.00e-9"]
        );
    }

    #[test]
    fn overlapping_rounds_are_level() {
        let spread = |min: f64, max: f64| Spread {
            median: f64::midpoint(min, max),
            min,
            max,
        };
        let verdict = |a, b, better| Verdict::of(&a, &b, better);
        assert_eq!(
            verdict(spread(1.0, 2.0), spread(3.0, 4.0), Better::Lower),
            Verdict::Ahead
        );
        assert_eq!(
            verdict(spread(1.0, 2.0), spread(3.0, 4.0), Better::Higher),
            Verdict::Behind
        );
        assert_eq!(
            verdict(spread(1.0, 3.0), spread(3.0, 4.0), Better::Lower),
            Verdict::Level
        );
    }
}
