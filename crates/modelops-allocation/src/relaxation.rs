//! Prices of relaxed capacities, moved along a subgradient with steps after Polyak.
//!
//! **Reference**: B. T. Polyak, Minimization of unsmooth functionals, USSR Computational Mathematics and Mathematical
//! Physics 9(3), 1969.

/// How steeply the relaxed value changes, squared: `over` is what each capacity is exceeded by. A price of zero on a
/// capacity that is not used up cannot fall.
pub(crate) fn slope(over: &[f64], prices: &[f64]) -> f64 {
    over.iter()
        .zip(prices)
        .map(|(over, price)| {
            if *over < 0.0 && *price == 0.0 {
                0.0
            } else {
                over * over
            }
        })
        .sum()
}

/// Moves the prices by `step` times the excess; none becomes negative.
pub(crate) fn advance(prices: &mut [f64], over: &[f64], step: f64) {
    for (price, over) in prices.iter_mut().zip(over) {
        *price = (*price + step * over).max(0.0);
    }
}
