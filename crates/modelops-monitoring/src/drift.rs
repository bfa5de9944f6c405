//! How far two distributions lie apart.
//!
//! Each function compares a reference with what is seen now; none keeps anything. [`detect`](crate::detect) has what
//! watches one series as it comes.

/// The share below which an empty bin counts in [`population_stability`].
const LEAST_SHARE: f64 = 1e-4;

/// Samples of at most this product of lengths get an exact p-value.
const EXACT_PAIRS: usize = 4_000_000;

/// The population stability index of `current` against `reference`, over `bins` bins that hold equal shares of the
/// reference.
///
/// By custom below 0.1 is stable and above 0.25 has shifted. Bins that one side lacks count as a share of 1e-4.
///
/// **Formula**: `Σ (c − r)·ln(c/r)` over the shares of each bin. The bounds are the reference's quantiles, interpolated
/// linearly; equal bounds are one.
///
/// **Complexity**: O(n log n).
///
/// `None` where a side is empty or holds a NaN, or `bins` is below 2.
///
/// ```
/// use modelops_monitoring::drift::population_stability;
/// let reference: Vec<f64> = (0..100).map(f64::from).collect();
/// let shifted: Vec<f64> = (50..150).map(f64::from).collect();
/// assert_eq!(population_stability(&reference, &reference, 10), Some(0.0));
/// assert!(population_stability(&reference, &shifted, 10) > Some(0.25));
/// ```
#[doc(alias = "PSI")]
#[must_use]
pub fn population_stability(reference: &[f64], current: &[f64], bins: usize) -> Option<f64> {
    let (reference, current) = (sorted(reference)?, sorted(current)?);
    if bins < 2 {
        return None;
    }
    let last = reference.len() - 1;
    let mut bounds: Vec<f64> = (1..bins)
        .map(|bin| {
            let at = last as f64 * bin as f64 / bins as f64;
            let below = at as usize;
            let above = (below + 1).min(last);
            reference[below] + (reference[above] - reference[below]) * (at - below as f64)
        })
        .collect();
    bounds.dedup();
    let shares = |values: &[f64]| {
        let mut before = 0;
        let ends = bounds
            .iter()
            .map(|bound| values.partition_point(|value| value < bound));
        ends.chain([values.len()])
            .map(|end| {
                let share = (end - before) as f64 / values.len() as f64;
                before = end;
                share.max(LEAST_SHARE)
            })
            .collect::<Vec<_>>()
    };
    let pairs = shares(&current).into_iter().zip(shares(&reference));
    Some(pairs.map(|(c, r)| (c - r) * (c / r).ln()).sum())
}

/// What a test of Kolmogorov and Smirnov says.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct KsTest {
    /// The greatest distance of the two cumulative distributions, 0 to 1.
    pub statistic: f64,
    /// The chance of one at least that large where both sides have one distribution.
    pub p_value: f64,
}

/// Tests whether two samples come from one distribution, two-sided.
///
/// **Numerics**: the p-value is exact, by counting paths, where the lengths multiply to at most 4,000,000; beyond that it
/// is the limit of large samples.
///
/// **Complexity**: O(n log n) and, for the exact p-value, O(n·m) time and O(m) space.
///
/// `None` where a side is empty or holds a NaN.
///
/// ```
/// use modelops_monitoring::drift::ks_two_sample;
/// let test = ks_two_sample(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]).expect("no NaN");
/// assert_eq!(test.statistic, 1.0);
/// assert!((test.p_value - 0.1).abs() < 1e-12); // 2 of the 20 orders of three and three
/// ```
///
/// **References**: J. L. Hodges, "The Significance Probability of the Smirnov Two-Sample Test", Arkiv för Matematik 3,
/// 1958, doi:10.1007/BF02589501.
#[doc(alias = "Kolmogorov_Smirnov")]
#[must_use]
pub fn ks_two_sample(a: &[f64], b: &[f64]) -> Option<KsTest> {
    let (a, b) = (sorted(a)?, sorted(b)?);
    let (n, m) = (a.len(), b.len());
    // The distance as a whole number of 1/(n·m).
    let (mut i, mut j, mut greatest) = (0usize, 0usize, 0u128);
    while i < n && j < m {
        let value = a[i].min(b[j]);
        i += a[i..].iter().take_while(|x| **x <= value).count();
        j += b[j..].iter().take_while(|x| **x <= value).count();
        greatest = greatest.max((i as u128 * m as u128).abs_diff(j as u128 * n as u128));
    }
    let statistic = greatest as f64 / (n as f64 * m as f64);
    let p_value = if n * m <= EXACT_PAIRS {
        crossing(n, m, greatest as u64)
    } else {
        let scaled = statistic * (n as f64 * m as f64 / (n + m) as f64).sqrt();
        kolmogorov_tail(scaled)
    };
    Some(KsTest { statistic, p_value })
}

/// The share of all orders of `n` and `m` values whose distance is at least `distance/(n·m)` somewhere.
fn crossing(n: usize, m: usize, distance: u64) -> f64 {
    if distance == 0 {
        return 1.0;
    }
    let far = |i: usize, j: usize| (i as u64 * m as u64).abs_diff(j as u64 * n as u64) >= distance;
    // Cell j: the share of the paths to (i, j) that were far away at some step.
    let mut row = vec![0.0; m + 1];
    for i in 0..=n {
        for j in 0..=m {
            let from_left = if j > 0 { row[j - 1] * j as f64 } else { 0.0 };
            let from_above = if i > 0 { row[j] * i as f64 } else { 0.0 };
            row[j] = if far(i, j) {
                1.0
            } else if i + j == 0 {
                0.0
            } else {
                (from_left + from_above) / (i + j) as f64
            };
        }
    }
    row[m]
}

/// `P(K > x)` of the distribution of Kolmogorov.
fn kolmogorov_tail(x: f64) -> f64 {
    if x < 0.2 {
        return 1.0;
    }
    let mut sum = 0.0;
    for k in 1..=100 {
        let term = (-2.0 * f64::from(k * k) * x * x).exp();
        sum += if k % 2 == 1 { term } else { -term };
        if term < 1e-18 {
            break;
        }
    }
    (2.0 * sum).clamp(0.0, 1.0)
}

/// The least work to turn one sample into the other, in the unit of the values (the earth mover's distance).
///
/// **Formula**: `∫ |F_a − F_b|`.
///
/// **Complexity**: O(n log n).
///
/// `None` where a side is empty or holds a NaN or an infinity.
///
/// ```
/// use modelops_monitoring::drift::wasserstein_1;
/// assert_eq!(wasserstein_1(&[0.0, 1.0, 3.0], &[5.0, 6.0, 8.0]), Some(5.0));
/// ```
#[doc(alias("earth_movers_distance", "EMD"))]
#[must_use]
pub fn wasserstein_1(a: &[f64], b: &[f64]) -> Option<f64> {
    let (a, b) = (sorted(a)?, sorted(b)?);
    if a.iter().chain(&b).any(|x| x.is_infinite()) {
        return None;
    }
    let (mut i, mut j, mut work) = (0, 0, 0.0);
    let mut before: Option<f64> = None;
    while i < a.len() || j < b.len() {
        let next = |values: &[f64], at: usize| values.get(at).copied().unwrap_or(f64::INFINITY);
        let value = next(&a, i).min(next(&b, j));
        if let Some(before) = before {
            let between = i as f64 / a.len() as f64 - j as f64 / b.len() as f64;
            work += between.abs() * (value - before);
        }
        before = Some(value);
        if next(&a, i) <= next(&b, j) {
            i += 1;
        } else {
            j += 1;
        }
    }
    Some(work)
}

/// The distance of Jensen and Shannon between two lists of weights, 0 to `√ln 2`.
///
/// **Formula**: the root of the mean of `KL(p‖m)` and `KL(q‖m)` with `m = (p + q)/2`, natural logarithms; both lists are
/// scaled to 1.
///
/// `None` where the lengths differ, a weight is negative or not finite, or a list sums to 0.
///
/// ```
/// use modelops_monitoring::drift::jensen_shannon;
/// assert_eq!(jensen_shannon(&[1.0, 1.0], &[2.0, 2.0]), Some(0.0));
/// assert_eq!(jensen_shannon(&[1.0, 0.0], &[0.0, 1.0]), Some(2f64.ln().sqrt()));
/// ```
#[doc(alias = "JSD")]
#[must_use]
pub fn jensen_shannon(p: &[f64], q: &[f64]) -> Option<f64> {
    let weights = |list: &[f64]| list.iter().all(|w| w.is_finite() && *w >= 0.0);
    let (total_p, total_q): (f64, f64) = (p.iter().sum(), q.iter().sum());
    if p.len() != q.len() || !weights(p) || !weights(q) || total_p <= 0.0 || total_q <= 0.0 {
        return None;
    }
    let part = |x: f64, mean: f64| if x > 0.0 { x * (x / mean).ln() } else { 0.0 };
    let pairs = p.iter().zip(q).map(|(p, q)| (p / total_p, q / total_q));
    let sum: f64 = pairs
        .map(|(p, q)| {
            let mean = 0.5 * (p + q);
            part(p, mean) + part(q, mean)
        })
        .sum();
    Some((0.5 * sum).max(0.0).sqrt())
}

/// The values by rising size; `None` where there are none, or one is NaN.
fn sorted(values: &[f64]) -> Option<Vec<f64>> {
    if values.is_empty() || values.iter().any(|value| value.is_nan()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Some(sorted)
}
