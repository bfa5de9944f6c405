//! Nearest neighbours for mutual information: exact, without noise, by sorting.

use super::log_tail::digamma;

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
    let mut points: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).collect();
    points.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let xs: Vec<f64> = points.iter().map(|p| p.0).collect();
    let mut ys: Vec<f64> = points.iter().map(|p| p.1).collect();
    ys.sort_unstable_by(f64::total_cmp);
    let k = neighbours.min(n - 1);
    let mut nearest = vec![0.0; k];
    let mut window = Window::default();
    let mut sum = 0.0;
    for i in 0..n {
        let (distance, reached) = kth_joint(&points, i, &mut nearest);
        let radius = distance.next_down().max(0.0);
        window.move_to(&xs, points[i].0, radius);
        let above = points[i].1;
        let low = ys.partition_point(|y| above - y > radius);
        let high = ys.partition_point(|y| y - above <= radius);
        sum += digamma(reached) - digamma(window.len()) - digamma(high - low);
    }
    digamma(n) + sum / n as f64
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

/// Maximum-norm distance to the k-th nearest other point (k = `nearest.len()`), and how many lie within it where it
/// is zero, else k. `points` are sorted by their first coordinate.
fn kth_joint(points: &[(f64, f64)], i: usize, nearest: &mut [f64]) -> (f64, usize) {
    nearest.fill(f64::INFINITY);
    let (x, y) = points[i];
    let last = nearest.len() - 1;
    let (mut below, mut above) = (i, i + 1);
    let mut same = 0;
    loop {
        let left = if below > 0 {
            x - points[below - 1].0
        } else {
            f64::INFINITY
        };
        let right = if above < points.len() {
            points[above].0 - x
        } else {
            f64::INFINITY
        };
        let across = left.min(right);
        if across.is_infinite() || across > nearest[last] || (across > 0.0 && nearest[last] == 0.0) {
            let reached = if nearest[last] == 0.0 { same } else { last + 1 };
            return (nearest[last], reached);
        }
        let other = if left <= right {
            below -= 1;
            points[below].1
        } else {
            above += 1;
            points[above - 1].1
        };
        let distance = across.max((other - y).abs());
        same += usize::from(distance == 0.0);
        if distance < nearest[last] {
            let at = nearest.partition_point(|d| *d <= distance);
            nearest[at..].rotate_right(1);
            nearest[at] = distance;
        }
    }
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
