//! The interval outside which a value is an outlier.

use crate::spec::OutlierMethod;

/// The interval for the finite values of a column; everything where there are fewer than two or no spread to go by.
pub(crate) fn interval(method: OutlierMethod, values: &mut Vec<f64>) -> (f64, f64) {
    values.retain(|v| v.is_finite());
    let everything = (f64::NEG_INFINITY, f64::INFINITY);
    if values.len() < 2 {
        return everything;
    }
    let (centre, low, high) = match method {
        OutlierMethod::ZScore(k) => {
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
            let reach = k * (squares / (n - 1.0)).sqrt();
            (mean, reach, reach)
        }
        OutlierMethod::Mad(k) => {
            let median = quantile(values, 0.5);
            let mut deviations: Vec<f64> = values.iter().map(|v| (v - median).abs()).collect();
            let reach = k * quantile(&mut deviations, 0.5) / 0.6745;
            (median, reach, reach)
        }
        OutlierMethod::Iqr(k) => {
            let (q1, q3) = (quantile(values, 0.25), quantile(values, 0.75));
            let reach = k * (q3 - q1);
            return if reach > 0.0 {
                (q1 - reach, q3 + reach)
            } else {
                everything
            };
        }
    };
    if low > 0.0 {
        (centre - low, centre + high)
    } else {
        everything
    }
}

/// The quantile by linear interpolation between order statistics (NumPy's default, R's type 7).
pub(crate) fn quantile(values: &mut [f64], q: f64) -> f64 {
    let at = q * (values.len() - 1) as f64;
    let below = at.floor() as usize;
    let (_, &mut low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let weight = at - at.floor();
    if weight == 0.0 {
        return low;
    }
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
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
}
