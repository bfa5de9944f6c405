//! Pruning by a paired test against the best trial.

use libm::erfc;

use super::{Pruner, PruningContext, complete, sign, value_at};

/// Gives up a trial that is worse than the best one by a Wilcoxon signed-rank test over the steps that both reported.
///
/// For objectives that are means over a set: report the value on each member (a fold, a request, an instance) at its number as the step.
/// Members differ from each other more than trials do, and pairs take that out.
///
/// **Formula**: the one-sided p-value of the rank sum of the differences; exact for up to 50 pairs without ties, by the normal
/// approximation with its correction for ties otherwise. Differences of 0 count half to either side.
///
/// **References**: F. Wilcoxon, Individual comparisons by ranking methods, 1945, Biometrics Bulletin 1, DOI 10.2307/3001968.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WilcoxonPruner {
    p_threshold: f64,
    startup: usize,
}

impl WilcoxonPruner {
    /// Gives up a trial whose p-value is below `p_threshold`, from the second common step on. Larger gives up more; 0.1 is usual.
    #[must_use]
    pub fn new(p_threshold: f64) -> Self {
        Self {
            p_threshold,
            startup: 2,
        }
    }

    /// Sets from how many common steps on it tests, at least 2.
    #[must_use]
    pub fn with_startup_steps(mut self, steps: usize) -> Self {
        self.startup = steps.max(2);
        self
    }
}

impl Pruner for WilcoxonPruner {
    fn should_prune(&self, context: &PruningContext<'_>) -> bool {
        let feasible = complete(context.trials).filter(|t| t.is_feasible());
        let best = feasible.reduce(|best, trial| match (trial.value(), best.value()) {
            (Some(a), Some(b)) if context.direction.is_better(a, b) => trial,
            _ => best,
        });
        let Some(best) = best else { return false };
        let sign = sign(context.direction);
        let differences: Vec<f64> = context
            .intermediate
            .iter()
            .filter_map(|(step, own)| Some(sign * (own - value_at(&best.intermediate, *step)?)))
            .filter(|d| d.is_finite())
            .collect();
        // A trial that is ahead on average is never given up, whatever the ranks say.
        differences.len() >= self.startup
            && differences.iter().sum::<f64>() > 0.0
            && p_value(&differences) < self.p_threshold
    }
}

/// Pairs up to which the distribution of the rank sum is counted out.
const EXACT: usize = 50;

/// The probability of a rank sum of positive differences as large as this one, were the differences symmetric around 0.
fn p_value(differences: &[f64]) -> f64 {
    let n = differences.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| differences[*a].abs().total_cmp(&differences[*b].abs()));
    let (mut positive, mut tied, mut zeros) = (0.0, 0.0, false);
    let mut start = 0;
    while start < n {
        let size = differences[order[start]].abs();
        let end = (start..n)
            .find(|k| differences[order[*k]].abs() > size)
            .unwrap_or(n);
        let rank = (start + 1 + end) as f64 / 2.0;
        for k in &order[start..end] {
            positive += match differences[*k] {
                d if d > 0.0 => rank,
                0.0 => rank / 2.0,
                _ => 0.0,
            };
        }
        let group = (end - start) as f64;
        tied += group * group * group - group;
        zeros |= size == 0.0;
        start = end;
    }
    if n <= EXACT && tied == 0.0 && !zeros {
        return exact_tail(n, positive as usize);
    }
    let count = n as f64;
    let mean = count * (count + 1.0) / 4.0;
    let variance = (2.0 * count * (count + 1.0) * (2.0 * count + 1.0) - tied) / 48.0;
    if variance <= 0.0 {
        return 1.0;
    }
    0.5 * erfc((positive - mean) / variance.sqrt() * std::f64::consts::FRAC_1_SQRT_2)
}

/// P(W ≥ `sum`) for the sum of a random subset of the ranks 1 to n.
fn exact_tail(n: usize, sum: usize) -> f64 {
    let largest = n * (n + 1) / 2;
    let mut ways = vec![0.0; largest + 1];
    ways[0] = 1.0;
    for rank in 1..=n {
        for total in (rank..=largest).rev() {
            ways[total] += ways[total - rank];
        }
    }
    ways[sum..].iter().sum::<f64>() / 2f64.powi(n as i32)
}

#[cfg(test)]
mod tests {
    use modelops_testkit::tolerance::{CLOSED_FORM, close};

    use super::*;

    #[test]
    fn p_values_are_those_of_scipy() {
        // scipy.stats.wilcoxon(d, alternative="greater", zero_method="zsplit"), with method="asymptotic" for ties; see tests/data/README.md.
        for (differences, expected) in [
            (&[1.0, 2.0, -3.0, 4.0, 5.5][..], P_PLAIN),
            (&[1.0, 1.0, -1.0, 2.0, 2.5, 3.0], P_TIES),
            (&[0.0, 0.0, 1.0, 2.0, -0.5, 4.0, 3.0], P_ZEROS),
        ] {
            assert!(
                close(p_value(differences), expected, CLOSED_FORM),
                "{differences:?}: {}",
                p_value(differences)
            );
        }
        let many: Vec<f64> = (1..=60)
            .map(|k| if k % 3 == 0 { -f64::from(k) } else { f64::from(k) })
            .collect();
        assert!(close(p_value(&many), P_MANY, CLOSED_FORM), "{}", p_value(&many));
    }

    const P_PLAIN: f64 = 0.15625;
    const P_TIES: f64 = 0.03577298629450316;
    const P_ZEROS: f64 = 0.053844448146367525;
    const P_MANY: f64 = 0.017950061607939057;
}
