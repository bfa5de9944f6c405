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
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let (xs, ys) = (sorted(x), sorted(y));
    // Strictly nearer than the k-th neighbour; differences, not sums, so that rounding cannot let it back in.
    let within = |sorted: &[f64], centre: f64, radius: f64| {
        let low = sorted.partition_point(|v| centre - v > radius);
        low.abs_diff(sorted.partition_point(|v| v - centre <= radius))
    };
    let mut terms = vec![0.0; n];
    Plane::new(x, y).each_kth(neighbours.min(n - 1), |i, distance, reached| {
        let radius = distance.next_down().max(0.0);
        terms[i] = digamma(reached) - digamma(within(&xs, x[i], radius)) - digamma(within(&ys, y[i], radius));
    });
    digamma(n) + terms.iter().sum::<f64>() / n as f64
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
