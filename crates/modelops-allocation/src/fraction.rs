//! Exact shares.

use std::cmp::Ordering;
use std::fmt;

use num_bigint::BigUint;
use num_integer::Integer;

/// An exact fraction of 0 or more, in lowest terms.
///
/// Shares are ratios of sums of ratios; rounding would make equal tenants unequal and a full resource overfull. Print it
/// (`3/4`), compare it, round it down to whole tasks with [`Fraction::floor`], or plot it with [`Fraction::to_f64`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fraction {
    num: BigUint,
    den: BigUint,
}

impl Fraction {
    /// Nothing.
    pub(crate) fn zero() -> Self {
        Self::whole(0_u64)
    }

    /// A whole number.
    pub(crate) fn whole(number: impl Into<BigUint>) -> Self {
        Self {
            num: number.into(),
            den: BigUint::from(1_u64),
        }
    }

    /// num / den in lowest terms; `den` is not 0.
    pub(crate) fn new(num: BigUint, den: BigUint) -> Self {
        debug_assert!(den != BigUint::ZERO, "a fraction has a denominator");
        let common = num.gcd(&den);
        Self {
            num: num / &common,
            den: den / common,
        }
    }

    /// This times num / den. Cancels against the small factors only, which keeps a long fraction cheap.
    pub(crate) fn scaled(&self, num: u128, den: u128) -> Self {
        let common = num.gcd(&den).max(1);
        let (num, den) = (num / common, den / common);
        if num == 0 {
            return Self::zero();
        }
        let cross = |long: &BigUint, short: u128| {
            let rest = u128::try_from(long % short).expect("a remainder is below its divisor");
            rest.gcd(&short)
        };
        let (above, below) = (cross(&self.num, den), cross(&self.den, num));
        Self {
            num: (&self.num / above) * (num / below),
            den: (&self.den / below) * (den / above),
        }
    }

    /// The sum of two.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        let num = &self.num * &other.den + &other.num * &self.den;
        Self::new(num, &self.den * &other.den)
    }

    /// The difference, or nothing where `other` is more.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        let (more, less) = (&self.num * &other.den, &other.num * &self.den);
        if less >= more {
            return Self::zero();
        }
        Self::new(more - less, &self.den * &other.den)
    }

    pub(crate) fn numerator(&self) -> &BigUint {
        &self.num
    }

    pub(crate) fn denominator(&self) -> &BigUint {
        &self.den
    }

    /// The largest whole number that is not above it; `u64::MAX` where that is larger.
    #[must_use]
    pub fn floor(&self) -> u64 {
        u64::try_from(&self.num / &self.den).unwrap_or(u64::MAX)
    }

    /// The nearest floating-point number, to one unit in the last place.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        // Scale until the quotient has 65 to 67 bits: more than a double holds.
        let shift = 66 + self.den.bits() as i64 - self.num.bits() as i64;
        let quotient = if shift >= 0 {
            (&self.num << shift.unsigned_abs()) / &self.den
        } else {
            &self.num / (&self.den << shift.unsigned_abs())
        };
        let digits = quotient.iter_u64_digits().rev();
        let quotient = digits.fold(0.0, |high, low| high * 2_f64.powi(64) + low as f64);
        // Two steps, since 2^-shift alone may be out of range where the result is not.
        let half = (shift / 2) as i32;
        quotient * 2_f64.powi(-half) * 2_f64.powi(half - shift as i32)
    }
}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.num * &other.den).cmp(&(&other.num * &self.den))
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.den == BigUint::from(1_u64) {
            write!(f, "{}", self.num)
        } else {
            write!(f, "{}/{}", self.num, self.den)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_keeps_lowest_terms() {
        let third = Fraction::new(BigUint::from(4_u64), BigUint::from(12_u64));
        assert_eq!(third.to_string(), "1/3");
        for (num, den) in [(6, 4), (3, 1), (0, 5), (u128::MAX, 9), (1, u128::MAX)] {
            let direct = Fraction::new(&third.num * num, &third.den * den);
            assert_eq!(third.scaled(num, den), direct);
        }
    }

    #[test]
    fn floats_are_near_at_any_size() {
        let power = |n: u64| BigUint::from(1_u64) << n;
        for (num, den, expected) in [
            (BigUint::ZERO, power(0), 0.0),
            (power(0), power(0) + 2_u64, 1.0 / 3.0),
            (power(5000), power(4990), 1024.0),
            (power(4990), power(5000), 1.0 / 1024.0),
            (power(1000), power(0), 2_f64.powi(1000)),
            (power(0), power(1000), 2_f64.powi(-1000)),
        ] {
            assert!((Fraction::new(num, den).to_f64() - expected).abs() <= f64::EPSILON * expected);
        }
    }
}
