//! Which parameters matter.

use super::parzen::Parzen;
use super::study::{Direction, Study};
use super::trial::{Trial, TrialState};

/// Cells that a continuous range is looked at in.
const CELLS: u64 = 64;
/// The part of the trials that counts as good.
const GOOD: f64 = 0.1;

impl Study {
    /// How much each parameter has to do with a trial being among the best tenth: parts that add up to 1, in the order of declaration. Empty
    /// where fewer than ten trials are complete; parameters under a condition get no part.
    ///
    /// **Formula**: PED-ANOVA. For each parameter the Pearson divergence Σ p (q/p − 1)² of its density q over the best tenth from its density p
    /// over all complete trials, divided by the sum over the parameters. With several objectives the first counts.
    ///
    /// # Example
    ///
    /// ```
    /// use modelops_optimization::{RandomSampler, SearchSpace, random_search};
    ///
    /// let space = SearchSpace::new().float("matters", -1.0..=1.0)?.float("does_not", -1.0..=1.0)?;
    /// let study = random_search(space, 300, 1, |trial| trial.parameters().float("matters").unwrap().powi(2))?;
    /// let importance = study.importance();
    /// assert_eq!(importance[0].0, "matters");
    /// assert!(importance[0].1 > 0.9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// **References**: S. Watanabe, A. Bansal and F. Hutter, PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary
    /// subspaces, 2023, arXiv:2304.10255.
    #[must_use]
    pub fn importance(&self) -> Vec<(&str, f64)> {
        let mut ranked: Vec<&Trial> = self
            .trials()
            .iter()
            .filter(|t| t.state == TrialState::Complete)
            .collect();
        if ranked.len() < 10 {
            return Vec::new();
        }
        let sign = match self.directions()[0] {
            Direction::Minimize => 1.0,
            Direction::Maximize => -1.0,
        };
        let key = |t: &Trial| (!t.is_feasible(), sign * t.value().unwrap_or(f64::INFINITY));
        ranked.sort_by(|a, b| {
            let (a, b) = (key(a), key(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        let good = (GOOD * ranked.len() as f64).ceil() as usize;
        let free = self.space().parameters().iter().enumerate();
        let divergences: Vec<(&str, f64)> = free
            .filter(|(_, p)| p.condition.is_none())
            .map(|(place, p)| {
                let cells = p.domain.values().map_or(CELLS, |n| n.min(CELLS));
                let middles: Vec<f64> = (0..cells)
                    .map(|k| p.domain.at_quantile((k as f64 + 0.5) / cells as f64))
                    .collect();
                let density = |trials: &[&Trial]| -> Vec<f64> {
                    let mut parzen = Parzen::new([&p.domain]);
                    let mut numbers: Vec<(usize, f64)> = trials
                        .iter()
                        .map(|t| (t.number, t.parameters.numbers()[place]))
                        .collect();
                    numbers.sort_by_key(|(number, _)| *number);
                    parzen.refill(numbers.into_iter().map(|(number, x)| (number, vec![x])));
                    let raw: Vec<f64> = parzen.log_density(&middles).into_iter().map(f64::exp).collect();
                    let total: f64 = raw.iter().sum();
                    raw.into_iter().map(|d| d / total).collect()
                };
                let (q, p_all) = (density(&ranked[..good]), density(&ranked));
                let terms = q.iter().zip(&p_all).map(|(q, p)| p * (q / p - 1.0).powi(2));
                (p.name(), terms.sum())
            })
            .collect();
        let total: f64 = divergences.iter().map(|(_, d)| d).sum();
        let part = |d: f64| {
            if total > 0.0 {
                d / total
            } else {
                1.0 / divergences.len() as f64
            }
        };
        divergences.iter().map(|(name, d)| (*name, part(*d))).collect()
    }
}
