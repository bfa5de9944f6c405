//! A running sum that forgets nothing that matters.

/// Compensated sum (Neumaier 1974): the rounding of every addition is carried in a second number, so that a long run
/// of additions and subtractions ends within a few units of 2⁻¹⁰⁶ of the exact value, whatever the order.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ExactSum {
    sum: f64,
    carry: f64,
}

impl ExactSum {
    /// Adds `value` (subtract by adding its negative).
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        let part = sum - self.sum;
        self.carry += (self.sum - (sum - part)) + (value - part);
        self.sum = sum;
    }

    /// The sum, rounded once.
    #[inline]
    pub(crate) fn value(self) -> f64 {
        self.sum + self.carry
    }
}

#[cfg(test)]
mod tests {
    use super::ExactSum;

    #[test]
    fn recovers_what_plain_sums_lose() {
        let mut sum = ExactSum::default();
        for value in [1e16, 1.0, 1.0, -1e16] {
            sum.add(value);
        }
        assert_eq!(sum.value().to_bits(), 2.0_f64.to_bits());
    }
}
