//! The interval outside which a value is an outlier.
//!
//! Sums are exact, so an interval is the same bits in whatever order, and in however many parts, the values come.

use crate::kernel::exact::ExactSum;
use crate::spec::OutlierMethod;

const EVERYTHING: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

/// The interval for the finite values of a column; everything where there are fewer than two or no spread to go by.
pub(crate) fn interval(method: OutlierMethod, values: &mut Vec<f64>) -> (f64, f64) {
    values.retain(|v| v.is_finite());
    let n = values.len() as u64;
    if n < 2 {
        return EVERYTHING;
    }
    match method {
        OutlierMethod::ZScore(k) => {
            let mean = exact_sum(values.iter().copied()) / n as f64;
            let squares = exact_sum(values.iter().map(|&v| square(v, mean)));
            around_mean(k, n, mean, squares)
        }
        OutlierMethod::Mad(k) => {
            let median = quantile(values, 0.5);
            let mut deviations: Vec<f64> = values.iter().map(|&v| deviation(v, median)).collect();
            around_median(k, median, quantile(&mut deviations, 0.5))
        }
        OutlierMethod::Iqr(k) => {
            let (q1, q3) = (quantile(values, 0.25), quantile(values, 0.75));
            around_quartiles(k, q1, q3)
        }
    }
}

fn exact_sum(values: impl Iterator<Item = f64>) -> f64 {
    let mut sum = ExactSum::default();
    // A square may be too large for a double; the sum is then as well.
    let mut infinite = false;
    for value in values {
        if value.is_finite() {
            sum.add(value);
        } else {
            infinite = true;
        }
    }
    if infinite { f64::INFINITY } else { sum.value() }
}

/// The square of the distance from the mean.
pub(crate) fn square(value: f64, mean: f64) -> f64 {
    (value - mean) * (value - mean)
}

/// The distance from the median.
pub(crate) fn deviation(value: f64, median: f64) -> f64 {
    (value - median).abs()
}

/// Mean ± k standard deviations, from the sum of the squares of `n` values' distances.
pub(crate) fn around_mean(k: f64, n: u64, mean: f64, squares: f64) -> (f64, f64) {
    if n < 2 {
        return EVERYTHING;
    }
    around(mean, k * (squares / (n as f64 - 1.0)).sqrt())
}

/// Median ± k scaled deviations.
pub(crate) fn around_median(k: f64, median: f64, mad: f64) -> (f64, f64) {
    around(median, k * mad / 0.6745)
}

/// The quartiles and k times their distance on either side.
pub(crate) fn around_quartiles(k: f64, q1: f64, q3: f64) -> (f64, f64) {
    let reach = k * (q3 - q1);
    if reach > 0.0 {
        (q1 - reach, q3 + reach)
    } else {
        EVERYTHING
    }
}

fn around(centre: f64, reach: f64) -> (f64, f64) {
    if reach > 0.0 {
        (centre - reach, centre + reach)
    } else {
        EVERYTHING
    }
}

/// The quantile by linear interpolation between order statistics (NumPy's default, R's type 7).
pub(crate) fn quantile(values: &mut [f64], q: f64) -> f64 {
    let (below, weight) = rank(values.len() as u64, q);
    let (_, &mut low, above) = values.select_nth_unstable_by(below as usize, f64::total_cmp);
    if weight == 0.0 {
        return low;
    }
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
    between(low, high, weight)
}

/// The order statistic, from 0, at or below the quantile of `n` values, and the weight of the next one.
pub(crate) fn rank(n: u64, q: f64) -> (u64, f64) {
    let at = q * (n - 1) as f64;
    (at.floor() as u64, at - at.floor())
}

pub(crate) fn between(low: f64, high: f64, weight: f64) -> f64 {
    low + weight * (high - low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_one_to_five() {
        let mut values = vec![5.0, 3.0, 1.0, 2.0, 4.0];
        assert_eq!(quantile(&mut values, 0.25), 2.0);
        assert_eq!(quantile(&mut values, 0.5), 3.0);
        assert_eq!(interval(OutlierMethod::Iqr(1.5), &mut values), (-1.0, 7.0));
        let mut equal = vec![2.0; 9];
        assert_eq!(
            interval(OutlierMethod::ZScore(3.0), &mut equal),
            (f64::NEG_INFINITY, f64::INFINITY)
        );
    }

    #[test]
    fn the_order_of_values_changes_no_bit() {
        let mut values: Vec<f64> = (0..1000).map(|i| (f64::from(i) * 0.1).sin()).collect();
        let forward = interval(OutlierMethod::ZScore(2.0), &mut values);
        values.reverse();
        assert_eq!(interval(OutlierMethod::ZScore(2.0), &mut values), forward);
    }
}
