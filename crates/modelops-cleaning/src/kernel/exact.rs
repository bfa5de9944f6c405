//! Sums of doubles without rounding, in parts that any engine can add.

/// Digits of base 2³²; digit k is worth 2^(32k − 1074). Three more than the largest double needs, for carries.
const DIGITS: usize = 68;
const BASE_BITS: u32 = 32;
const MASK: i64 = (1 << BASE_BITS) - 1;
/// Additions before a digit of 64 bits could overflow.
const ROOM: u32 = 1 << 29;

/// The exact sum of finite doubles: whatever their order and however they are split, the value is the same bits.
#[derive(Debug, Clone)]
pub(crate) struct ExactSum {
    digits: [i64; DIGITS],
    additions: u32,
}

impl Default for ExactSum {
    fn default() -> Self {
        Self {
            digits: [0; DIGITS],
            additions: 0,
        }
    }
}

impl ExactSum {
    /// Adds a finite number.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        debug_assert!(value.is_finite());
        let bits = value.to_bits();
        let exponent = (bits >> 52) & 0x7ff;
        let fraction = bits & ((1 << 52) - 1);
        // A subnormal has the exponent of the smallest normal number and no hidden bit.
        let (mantissa, place) = if exponent == 0 {
            (fraction, 0)
        } else {
            (fraction | 1 << 52, exponent as usize - 1)
        };
        let wide = u128::from(mantissa) << (place % 32);
        let sign = if bits >> 63 == 0 { 1 } else { -1 };
        for (i, digit) in self.digits[place / 32..][..3].iter_mut().enumerate() {
            *digit += sign * ((wide >> (32 * i)) as i64 & MASK);
        }
        self.additions += 1;
        if self.additions == ROOM {
            self.carry();
        }
    }

    /// Adds `digit` at `place`, one of [`Self::parts`] or a sum of such.
    #[cfg(any(feature = "distributed", test))]
    pub(crate) fn add_part(&mut self, place: usize, digit: i64) {
        self.carry();
        // Split first, so that a digit near the limit of 64 bits cannot overflow the one it is added to.
        match self.digits.get_mut(place + 1) {
            Some(next) => {
                *next += digit >> BASE_BITS;
                self.digits[place] += digit & MASK;
            }
            // The last digit holds the sign alone.
            None => self.digits[place] += digit,
        }
        self.carry();
    }

    /// The digits that are not zero, with their places. Digit by digit, the parts of several sums may be added by
    /// anyone: up to 2³¹ of them stay within 64 bits.
    #[cfg(any(feature = "distributed", test))]
    pub(crate) fn parts(&mut self) -> impl Iterator<Item = (usize, i64)> + '_ {
        self.carry();
        self.digits
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, digit)| *digit != 0)
    }

    /// How many places there are.
    #[cfg(feature = "distributed")]
    pub(crate) const PLACES: usize = DIGITS;

    /// Brings all digits but the last into 0 … 2³² − 1; the last carries the sign.
    fn carry(&mut self) {
        for i in 0..DIGITS - 1 {
            let carry = self.digits[i] >> BASE_BITS;
            self.digits[i] &= MASK;
            self.digits[i + 1] += carry;
        }
        self.additions = 0;
    }

    /// The double nearest to the sum, ties to even; infinite where none is near.
    pub(crate) fn value(&mut self) -> f64 {
        self.carry();
        let negative = self.digits[DIGITS - 1] < 0;
        let mut magnitude = self.clone();
        if negative {
            magnitude.digits.iter_mut().for_each(|digit| *digit = -*digit);
            magnitude.carry();
        }
        let digits = &magnitude.digits;
        let Some(top) = digits.iter().rposition(|&digit| digit != 0) else {
            return 0.0;
        };
        let bit = |at: usize| digits[at / 32] >> (at % 32) & 1;
        let highest = 32 * top + 63 - digits[top].leading_zeros() as usize;
        // Below 2⁵³ units of the last place the bits of a double are the number itself.
        let take = |from: usize, to: usize| (from..=to).rev().fold(0u64, |n, at| n << 1 | bit(at) as u64);
        let bits = if highest < 53 {
            take(0, highest)
        } else {
            let low = highest - 52;
            let mantissa = take(low, highest);
            let half = bit(low - 1) == 1;
            let rest = (0..low - 1).any(|at| bit(at) == 1);
            let up = half && (rest || mantissa & 1 == 1);
            // The hidden bit raises the exponent by one, and so does a mantissa that rounds up to 2⁵³.
            let bits = ((low as u64) << 52) + mantissa + u64::from(up);
            bits.min(f64::INFINITY.to_bits())
        };
        let value = f64::from_bits(bits);
        if negative { -value } else { value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exact(values: &[f64]) -> f64 {
        let mut sum = ExactSum::default();
        values.iter().for_each(|&v| sum.add(v));
        sum.value()
    }

    #[test]
    fn sums_by_hand() {
        assert_eq!(exact(&[]), 0.0);
        assert_eq!(exact(&[1e308, 1.0, -1e308]), 1.0);
        assert_eq!(exact(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(exact(&[f64::MAX, f64::MAX, -f64::MAX]), f64::MAX);
        assert_eq!(exact(&[f64::from_bits(1), f64::from_bits(2)]), f64::from_bits(3));
        // 2⁵³ + 1 lies half-way and goes to the even neighbour; a little more goes up.
        assert_eq!(exact(&[9_007_199_254_740_992.0, 1.0]), 9_007_199_254_740_992.0);
        assert_eq!(
            exact(&[9_007_199_254_740_992.0, 1.0, 1e-300]),
            9_007_199_254_740_994.0
        );
        assert_eq!(exact(&[0.1; 10]), 1.0);
    }

    /// Any finite double.
    fn finite() -> impl Strategy<Value = f64> {
        any::<u64>()
            .prop_map(f64::from_bits)
            .prop_filter("finite", |v| v.is_finite())
    }

    proptest! {
        #[test]
        fn one_number_is_itself(value in finite()) {
            prop_assert_eq!(exact(&[value]), value);
        }

        /// Integers have an exact sum of their own.
        #[test]
        fn integers_add_up(values in proptest::collection::vec(-1i64 << 52..1i64 << 52, 0..40)) {
            let doubles: Vec<f64> = values.iter().map(|&v| v as f64).collect();
            let sum: i64 = values.iter().sum();
            prop_assert_eq!(exact(&doubles), sum as f64);
        }

        #[test]
        fn splits_and_order_do_not_matter(
            values in proptest::collection::vec(finite(), 0..30),
            cut in 0usize..30,
        ) {
            let cut = cut.min(values.len());
            let mut turned = values.clone();
            turned.rotate_left(cut);
            prop_assert_eq!(exact(&values).to_bits(), exact(&turned).to_bits());
            let mut whole = ExactSum::default();
            for half in [&values[..cut], &values[cut..]] {
                let mut part = ExactSum::default();
                half.iter().for_each(|&v| part.add(v));
                for (place, digit) in part.parts() {
                    whole.add_part(place, digit);
                }
            }
            prop_assert_eq!(whole.value().to_bits(), exact(&values).to_bits());
        }
    }
}
