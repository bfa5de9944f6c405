//! Nearest neighbours for mutual information: exact, without noise, by sorting and by a tree.

use multiversion::multiversion;

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
    let table: Vec<f64> = (1..n.min(DIGAMMAS)).map(digamma).collect();
    let digamma = |count: usize| table.get(count - 1).copied().unwrap_or_else(|| digamma(count));
    let mut order = Vec::with_capacity(n);
    let mut centres = [0, 1].map(|_| Vec::with_capacity(n));
    let mut radii = Vec::with_capacity(n);
    let mut terms = vec![0.0; n];
    Plane::new(x, y).each_kth(neighbours.min(n - 1), |i, p, distance, reached| {
        order.push(i);
        (0..2).for_each(|d| centres[d].push(p[d]));
        // Strictly nearer than the k-th neighbour.
        radii.push(distance.next_down().max(0.0));
        terms[i] = digamma(reached);
    });
    let mut counts = vec![0; n];
    for (values, centres) in [x, y].into_iter().zip(&centres) {
        count_within(&Sorted::new(values), centres, &radii, &mut counts);
        for (i, count) in order.iter().zip(&counts) {
            terms[*i] -= digamma(*count as usize);
        }
    }
    digamma(n) + terms.iter().sum::<f64>() / n as f64
}

/// Counts up to this are looked up rather than computed.
const DIGAMMAS: usize = 4_096;

/// Values of a cell of [`Sorted`] that are compared at once.
const TOGETHER: usize = 8;

/// Values in ascending order, with a table that leads near to the place of any number.
struct Sorted {
    /// Followed by so many infinities that a cell can always be read whole.
    values: Vec<f64>,
    /// How many values lie in the cells before each of as many cells of equal width as there are values.
    starts: Vec<u32>,
    cells_per_unit: f64,
}

impl Sorted {
    /// Distributes the values over the cells, and sorts each.
    fn new(values: &[f64]) -> Self {
        let n = values.len();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let range = values.iter().copied().fold(f64::NEG_INFINITY, f64::max) - low;
        let mut sorted = Self {
            values: vec![low; 1],
            starts: vec![0; n + 1],
            cells_per_unit: if range > 0.0 { n as f64 / range } else { 0.0 },
        };
        let cells: Vec<u32> = values.iter().map(|v| sorted.cell(*v) as u32).collect();
        for cell in &cells {
            sorted.starts[*cell as usize + 1] += 1;
        }
        for cell in 0..n {
            sorted.starts[cell + 1] += sorted.starts[cell];
        }
        let mut ends = sorted.starts.clone();
        sorted.values.resize(n + TOGETHER, f64::INFINITY);
        for (cell, value) in cells.iter().zip(values) {
            let end = &mut ends[*cell as usize];
            sorted.values[*end as usize] = *value;
            *end += 1;
        }
        for cell in sorted.starts.windows(2) {
            sorted.values[cell[0] as usize..cell[1] as usize].sort_unstable_by(f64::total_cmp);
        }
        sorted
    }

    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Rises with the number, and is a cell for numbers outside the range too.
    #[inline(always)]
    fn cell(&self, number: f64) -> usize {
        let cell = ((number - self.values[0]) * self.cells_per_unit) as usize;
        cell.min(self.len() - 1)
    }

    /// The first value that is not `before`; about where `guess` would be, which is right but for rounding.
    #[inline(always)]
    fn place(&self, guess: f64, before: impl Fn(f64) -> bool) -> usize {
        let cell = self.cell(guess);
        let start = self.starts[cell] as usize;
        // Mostly a handful: as many as are before, without a jump for each.
        let first: &[f64; TOGETHER] = self.values[start..]
            .first_chunk()
            .expect("infinities follow the last");
        let passed = first.iter().map(|v| u32::from(before(*v))).sum::<u32>() as usize;
        if passed < TOGETHER && before(self.values[start.saturating_sub(1)]) | (start == 0) {
            return start + passed;
        }
        let values = &self.values[..self.len()];
        let end = self.starts[cell + 1] as usize;
        let at = start + values[start..end].partition_point(|v| before(*v));
        let too_far = at == start && start > 0 && !before(values[start - 1]);
        let too_near = at == end && end < values.len() && before(values[end]);
        if too_far || too_near {
            return values.partition_point(|v| before(*v));
        }
        at
    }
}

/// How many values lie within each radius of each centre: differences, not sums, so that rounding cannot let one back in.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn count_within(sorted: &Sorted, centres: &[f64], radii: &[f64], counts: &mut [u32]) {
    for ((centre, radius), count) in centres.iter().zip(radii).zip(counts) {
        let low = sorted.place(centre - radius, |v| centre - v > *radius);
        *count = low.abs_diff(sorted.place(centre + radius, |v| v - centre <= *radius)) as u32;
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
