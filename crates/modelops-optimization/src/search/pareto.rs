//! Trials of which none is better in every objective.

use super::study::{Direction, Study};
use super::trial::{Trial, TrialState};

impl Study {
    /// The complete and feasible trials that no other one dominates, in the order of their numbers.
    ///
    /// One trial dominates another that is nowhere better and somewhere worse.
    ///
    /// **Complexity**: O(n² m) at worst, n trials of m objectives.
    ///
    /// # Example
    ///
    /// ```
    /// use modelops_optimization::{Direction, SearchSpace, Study};
    ///
    /// let space = SearchSpace::new().float("x", 0.0..=2.0)?;
    /// let directions = [Direction::Minimize, Direction::Maximize];
    /// let mut study = Study::multi_objective("cost and quality", space, directions)?;
    /// study.optimize(50, |trial| {
    ///     let x = trial.parameters().float("x").unwrap();
    ///     vec![x, x.min(1.0)] // beyond 1 more cost brings nothing
    /// })?;
    /// let front = study.pareto_front();
    /// assert!(front.len() > 10);
    /// assert!(front.iter().filter(|t| t.values()[0] > 1.0).count() <= 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn pareto_front(&self) -> Vec<&Trial> {
        let good = |t: &&Trial| t.state == TrialState::Complete && t.is_feasible();
        let mut front: Vec<&Trial> = Vec::new();
        for trial in self.trials().iter().filter(good) {
            if front
                .iter()
                .any(|t| dominates(&t.values, &trial.values, self.directions()))
            {
                continue;
            }
            front.retain(|t| !dominates(&trial.values, &t.values, self.directions()));
            front.push(trial);
        }
        front
    }
}

/// Whether `a` is nowhere worse than `b` and somewhere better.
pub(crate) fn dominates(a: &[f64], b: &[f64], directions: &[Direction]) -> bool {
    let mut better = false;
    for ((a, b), direction) in a.iter().zip(b).zip(directions) {
        if direction.is_better(*b, *a) {
            return false;
        }
        better |= direction.is_better(*a, *b);
    }
    better
}
