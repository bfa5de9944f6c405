//! Every point of a grid.

use super::sampler::{Context, Sampler};
use super::space::{Domain, SearchSpace};

/// Every combination of a few values of each parameter, one after the other.
///
/// Choices and small ranges of whole or stepped numbers give all their values; wider and continuous ranges give `resolution` values
/// from end to end, evenly on their scale. A parameter whose condition does not hold does not multiply the points. After the last
/// point the grid begins again: run as many trials as [`GridSampler::points`] tells.
///
/// # Example
///
/// ```
/// use modelops_optimization::{Direction, GridSampler, SearchSpace, Study};
///
/// let space = SearchSpace::new().log_float("rate", 1e-3..=1e-1)?.categorical("kind", ["a", "b"])?;
/// let grid = GridSampler::new(3);
/// assert_eq!(grid.points(&space), 6);
/// let mut study = Study::new("grid", space, Direction::Minimize).with_sampler(grid);
/// study.optimize(6, |trial| (trial.parameters().float("rate").unwrap() - 0.01).abs())?;
/// assert!(study.best_trial().unwrap().value().unwrap() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GridSampler {
    resolution: usize,
}

impl GridSampler {
    /// At most `resolution` values (at least 1) of a parameter that is no choice.
    #[must_use]
    pub fn new(resolution: usize) -> Self {
        Self {
            resolution: resolution.max(1),
        }
    }

    /// How many different points the grid has in `space`; `u64::MAX` stands for more than that.
    #[must_use]
    pub fn points(&self, space: &SearchSpace) -> u64 {
        self.count(space, 0, &mut vec![f64::NAN; space.len()])
    }

    /// The number of ways to go on from `place`, given the numbers before it.
    fn count(&self, space: &SearchSpace, place: usize, numbers: &mut [f64]) -> u64 {
        let Some(parameter) = space.parameters().get(place) else {
            return 1;
        };
        if !space.is_active(place, numbers) {
            numbers[place] = f64::NAN;
            return self.count(space, place + 1, numbers);
        }
        let values = self.values(&parameter.domain);
        // Only the values of parameters that others depend on make a difference.
        if space
            .parameters()
            .iter()
            .all(|p| p.condition.is_none_or(|(parent, _)| parent != place))
        {
            return self
                .count(space, place + 1, numbers)
                .saturating_mul(values as u64);
        }
        (0..values).fold(0u64, |sum, k| {
            numbers[place] = self.value(&parameter.domain, k);
            sum.saturating_add(self.count(space, place + 1, numbers))
        })
    }

    /// How many values the grid has of a domain.
    fn values(&self, domain: &Domain) -> usize {
        match domain {
            Domain::Categorical { choices } => choices.len(),
            domain => domain
                .values()
                .map_or(self.resolution as u64, |n| n.min(self.resolution as u64))
                as usize,
        }
    }

    /// Value `k` of a domain.
    fn value(&self, domain: &Domain, k: usize) -> f64 {
        let count = self.values(domain);
        match domain {
            Domain::Categorical { .. } => k as f64,
            domain if domain.values() == Some(count as u64) => domain.nth_value(k as u64),
            domain if count == 1 => domain.at_quantile(0.5),
            domain => domain.between_ends(k as f64 / (count - 1) as f64),
        }
    }
}

impl Sampler for GridSampler {
    fn suggest(&self, context: &Context<'_>, number: usize) -> Box<[f64]> {
        let space = context.space;
        let mut numbers = vec![f64::NAN; space.len()];
        let mut left = number as u64 % self.points(space).max(1);
        for place in 0..space.len() {
            if !space.is_active(place, &numbers) {
                continue;
            }
            let domain = &space.parameters()[place].domain;
            for k in 0..self.values(domain) {
                numbers[place] = self.value(domain, k);
                let size = self.count(space, place + 1, &mut numbers.clone());
                if left < size {
                    break;
                }
                left -= size;
            }
        }
        numbers.into()
    }
}
