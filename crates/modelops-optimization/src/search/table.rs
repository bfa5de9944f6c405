//! A study as a table for a terminal.

use std::fmt;

use super::study::{Direction, Study};
use super::trial::{Trial, TrialState};
use super::value::significant;

/// Rows shown unless all are asked for with `{:#}`.
const ROWS: usize = 10;

/// The counts, then the trials from best to worst: ten of them, or all with `{:#}`.
impl fmt::Display for Study {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.headline(f)?;
        let mut ranked: Vec<&Trial> = self.trials().iter().collect();
        ranked.sort_by(|a, b| rank(self.directions()[0], a, b));
        let shown = if f.alternate() {
            ranked.len()
        } else {
            ranked.len().min(ROWS)
        };
        let rows: Vec<Vec<String>> = ranked[..shown].iter().map(|trial| self.row(trial)).collect();
        if !rows.is_empty() {
            write_aligned(f, &self.header(), &rows)?;
        }
        if shown < ranked.len() {
            writeln!(f, "… and {} more", ranked.len() - shown)?;
        }
        Ok(())
    }
}

impl Study {
    fn headline(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |state| self.trials().iter().filter(|t| t.state == state).count();
        let way = match self.directions()[0] {
            Direction::Minimize => "minimize",
            Direction::Maximize => "maximize",
        };
        write!(
            f,
            "study {:?} ({way}): {} trials",
            self.name(),
            self.trials().len()
        )?;
        for (state, name) in [
            (TrialState::Complete, "complete"),
            (TrialState::Pruned, "pruned"),
            (TrialState::Failed, "failed"),
            (TrialState::Running, "running"),
            (TrialState::Waiting, "waiting"),
        ] {
            let trials = count(state);
            if trials > 0 {
                write!(f, ", {trials} {name}")?;
            }
        }
        writeln!(f)
    }

    fn header(&self) -> Vec<String> {
        let fixed = ["trial", "state"].map(str::to_owned).into_iter();
        let values = match self.directions().len() {
            1 => vec!["value".to_owned()],
            many => (0..many).map(|k| format!("value {k}")).collect(),
        };
        fixed
            .chain(values)
            .chain(self.space().parameters().iter().map(|p| p.name().to_owned()))
            .collect()
    }

    fn row(&self, trial: &Trial) -> Vec<String> {
        let state = match trial.state {
            TrialState::Complete => "complete",
            TrialState::Pruned => "pruned",
            TrialState::Failed => "failed",
            TrialState::Running => "running",
            TrialState::Waiting => "waiting",
        };
        let mut cells = vec![trial.number.to_string(), state.to_owned()];
        let value = |k: usize| {
            trial
                .values
                .get(k)
                .map_or_else(|| "-".to_owned(), |v| significant(*v))
        };
        cells.extend((0..self.directions().len()).map(value));
        let parameter = |name| {
            trial
                .parameters
                .value(name)
                .map_or_else(|_| "-".to_owned(), |v| v.to_string())
        };
        cells.extend(self.space().parameters().iter().map(|p| parameter(p.name())));
        cells
    }
}

/// Feasible trials first, better values first, trials without one last, equals by number.
fn rank(direction: Direction, a: &Trial, b: &Trial) -> std::cmp::Ordering {
    if a.is_feasible() != b.is_feasible() {
        return b.is_feasible().cmp(&a.is_feasible());
    }
    let by_value = match (a.value(), b.value()) {
        (Some(x), Some(y)) if direction == Direction::Minimize => x.total_cmp(&y),
        (Some(x), Some(y)) => y.total_cmp(&x),
        (x, y) => y.is_some().cmp(&x.is_some()),
    };
    by_value.then(a.number.cmp(&b.number))
}

fn write_aligned(f: &mut fmt::Formatter<'_>, header: &[String], rows: &[Vec<String>]) -> fmt::Result {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut line = |cells: &[String]| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(c, w)| format!("{c:>w$}"))
            .collect();
        writeln!(f, "  {}", padded.join("  ").trim_end())
    };
    line(header)?;
    rows.iter().try_for_each(|row| line(row))
}
