//! Nearest neighbours for mutual information: exact, without noise, by sorting and by a tree.

use super::log_tail::digamma;
use super::plane::Plane;

/// Ross' estimate for a continuous variable and groups, in nats, not clamped. `pairs` are (value, group) and come back
/// sorted; groups of one are left out. Ties at distance zero are counted as they are, never broken by noise.
pub(crate) fn ross(pairs: &mut Vec<(f64, u32)>, groups: usize, neighbours: usize) -> f64 {
    let mut sizes = vec![0_usize; groups];
    for (_, group) in pairs.iter() {
        sizes[*group as usize] += 1;
    }
    pairs.retain(|(_, group)| sizes[*group as usize] > 1);
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let all: Vec<f64> = pairs.iter().map(|pair| pair.0).collect();
    if all.is_empty() {
        return 0.0;
    }
    let mut members: Vec<Vec<f64>> = sizes.iter().map(|size| Vec::with_capacity(*size)).collect();
    for (value, group) in pairs.iter() {
        members[*group as usize].push(*value);
    }
    let mut sum = 0.0;
    for own in members.iter().filter(|own| own.len() > 1) {
        let k = neighbours.min(own.len() - 1);
        let mut window = Window::default();
        let mut group_sum = 0.0;
        for (i, value) in own.iter().enumerate() {
            let distance = kth_distance(own, i, k);
            let reached = if distance == 0.0 { ties(own, i) } else { k };
            // Strictly nearer than the k-th neighbour; differences, not sums, so that rounding cannot let it back in.
            window.move_to(&all, *value, distance.next_down().max(0.0));
            group_sum += digamma(reached) - digamma(window.len());
        }
        sum += group_sum - own.len() as f64 * digamma(own.len());
    }
    digamma(all.len()) + sum / all.len() as f64
}

/// The first estimate of Kraskov, Stögbauer and Grassberger for two continuous variables, in nats, not clamped.
pub(crate) fn ksg(x: &[f64], y: &[f64], neighbours: usize) -> f64 {
    let n = x.len();
    if n < 2 {
        return 0.0;
    }
    let (xs, ys) = (Sorted::new(x), Sorted::new(y));
    let mut terms = vec![0.0; n];
    Plane::new(x, y).each_kth(neighbours.min(n - 1), |i, distance, reached| {
        let radius = distance.next_down().max(0.0);
        terms[i] = digamma(reached) - digamma(xs.within(x[i], radius)) - digamma(ys.within(y[i], radius));
    });
    digamma(n) + terms.iter().sum::<f64>() / n as f64
}

/// Values in ascending order, with a table that leads near to the place of any number.
struct Sorted {
    values: Vec<f64>,
    /// How many values lie in the cells before each of as many cells of equal width as there are values.
    starts: Vec<u32>,
    cells_per_unit: f64,
}

impl Sorted {
    fn new(values: &[f64]) -> Self {
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        let n = values.len();
        let range = values[n - 1] - values[0];
        let mut sorted = Self {
            values,
            starts: vec![0; n + 1],
            cells_per_unit: if range > 0.0 { n as f64 / range } else { 0.0 },
        };
        for at in 0..n {
            let cell = sorted.cell(sorted.values[at]);
            sorted.starts[cell + 1] += 1;
        }
        for cell in 0..n {
            sorted.starts[cell + 1] += sorted.starts[cell];
        }
        sorted
    }

    /// Rises with the number, and is a cell for numbers outside the range too.
    fn cell(&self, number: f64) -> usize {
        let cell = ((number - self.values[0]) * self.cells_per_unit) as usize;
        cell.min(self.values.len() - 1)
    }

    /// How many values lie within `radius` of `centre`: differences, not sums, so that rounding cannot let one back in.
    fn within(&self, centre: f64, radius: f64) -> usize {
        let low = self.place(centre - radius, |v| centre - v > radius);
        low.abs_diff(self.place(centre + radius, |v| v - centre <= radius))
    }

    /// The first value that is not `before`; about where `guess` would be, which is right but for rounding.
    fn place(&self, guess: f64, before: impl Fn(f64) -> bool) -> usize {
        let cell = self.cell(guess);
        let (start, end) = (self.starts[cell] as usize, self.starts[cell + 1] as usize);
        let at = start + self.values[start..end].partition_point(|v| before(*v));
        let too_far = at == start && start > 0 && !before(self.values[start - 1]);
        let too_near = at == end && end < self.values.len() && before(self.values[end]);
        if too_far || too_near {
            return self.values.partition_point(|v| before(*v));
        }
        at
    }
}

/// Distance from `sorted[i]` to its k-th nearest other: k + 1 neighbours in a row hold it.
fn kth_distance(sorted: &[f64], i: usize, k: usize) -> f64 {
    let first = i.saturating_sub(k);
    let last = i.min(sorted.len() - 1 - k);
    (first..=last)
        .map(|start| (sorted[i] - sorted[start]).max(sorted[start + k] - sorted[i]))
        .fold(f64::INFINITY, f64::min)
}

/// Others equal to `sorted[i]`.
fn ties(sorted: &[f64], i: usize) -> usize {
    let value = sorted[i];
    sorted.partition_point(|x| *x <= value) - sorted.partition_point(|x| *x < value) - 1
}

/// The stretch of a sorted slice within a radius of a moving centre.
#[derive(Default)]
struct Window {
    low: usize,
    high: usize,
}

impl Window {
    fn move_to(&mut self, sorted: &[f64], centre: f64, radius: f64) {
        while self.low > 0 && centre - sorted[self.low - 1] <= radius {
            self.low -= 1;
        }
        while self.low < sorted.len() && centre - sorted[self.low] > radius {
            self.low += 1;
        }
        while self.high > 0 && sorted[self.high - 1] - centre > radius {
            self.high -= 1;
        }
        while self.high < sorted.len() && sorted[self.high] - centre <= radius {
            self.high += 1;
        }
    }

    fn len(&self) -> usize {
        self.high - self.low
    }
}
