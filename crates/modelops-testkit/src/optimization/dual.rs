//! Forward-mode derivatives in one direction: exact to rounding, for oracles.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number and its derivative along the direction being differentiated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dual {
    /// The number.
    pub value: f64,
    /// Its derivative.
    pub slope: f64,
}

impl Dual {
    /// A number that does not move.
    #[must_use]
    pub fn constant(value: f64) -> Self {
        Self { value, slope: 0.0 }
    }

    /// Applies a function of the given value and derivative.
    fn chain(self, value: f64, derivative: f64) -> Self {
        // 0 · ∞ at the edge of a function's domain is no derivative that anybody moves along.
        Self {
            value,
            slope: if self.slope == 0.0 {
                0.0
            } else {
                derivative * self.slope
            },
        }
    }

    /// e to this power.
    #[must_use]
    pub fn exp(self) -> Self {
        self.chain(self.value.exp(), self.value.exp())
    }

    /// The square root.
    #[must_use]
    pub fn sqrt(self) -> Self {
        self.chain(self.value.sqrt(), 0.5 / self.value.sqrt())
    }

    /// The sine.
    #[must_use]
    pub fn sin(self) -> Self {
        self.chain(self.value.sin(), self.value.cos())
    }

    /// The cosine.
    #[must_use]
    pub fn cos(self) -> Self {
        self.chain(self.value.cos(), -self.value.sin())
    }

    /// The arc tangent.
    #[must_use]
    pub fn atan(self) -> Self {
        self.chain(self.value.atan(), 1.0 / (1.0 + self.value * self.value))
    }

    /// The absolute value.
    #[must_use]
    pub fn abs(self) -> Self {
        self.chain(self.value.abs(), self.value.signum())
    }

    /// The natural logarithm.
    #[must_use]
    pub fn ln(self) -> Self {
        self.chain(self.value.ln(), 1.0 / self.value)
    }

    /// A whole power.
    #[must_use]
    pub fn powi(self, n: i32) -> Self {
        self.chain(self.value.powi(n), f64::from(n) * self.value.powi(n - 1))
    }

    /// A power that moves too; the base is above 0.
    #[must_use]
    pub fn pow(self, exponent: Self) -> Self {
        (self.ln() * exponent).exp()
    }
}

impl From<f64> for Dual {
    fn from(value: f64) -> Self {
        Self::constant(value)
    }
}

impl Neg for Dual {
    type Output = Self;

    fn neg(self) -> Self {
        Self {
            value: -self.value,
            slope: -self.slope,
        }
    }
}

impl<T: Into<Dual>> Add<T> for Dual {
    type Output = Self;

    fn add(self, other: T) -> Self {
        let other = other.into();
        Self {
            value: self.value + other.value,
            slope: self.slope + other.slope,
        }
    }
}

impl<T: Into<Dual>> Sub<T> for Dual {
    type Output = Self;

    fn sub(self, other: T) -> Self {
        let other = other.into();
        Self {
            value: self.value - other.value,
            slope: self.slope - other.slope,
        }
    }
}

impl<T: Into<Dual>> Mul<T> for Dual {
    type Output = Self;

    fn mul(self, other: T) -> Self {
        let other = other.into();
        Self {
            value: self.value * other.value,
            slope: self.slope * other.value + self.value * other.slope,
        }
    }
}

impl<T: Into<Dual>> Div<T> for Dual {
    type Output = Self;

    fn div(self, other: T) -> Self {
        let other = other.into();
        let value = self.value / other.value;
        Self {
            value,
            slope: (self.slope - value * other.slope) / other.value,
        }
    }
}

impl std::iter::Sum for Dual {
    fn sum<I: Iterator<Item = Self>>(terms: I) -> Self {
        terms.fold(Self::constant(0.0), |a, b| a + b)
    }
}

/// Residuals `f(x)` and their Jacobian, residual by residual, by one pass of `f` for each variable.
pub fn jacobian(f: impl Fn(&[Dual]) -> Vec<Dual>, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut point: Vec<Dual> = x.iter().copied().map(Dual::constant).collect();
    let residuals: Vec<f64> = f(&point).iter().map(|r| r.value).collect();
    let mut entries = vec![0.0; residuals.len() * x.len()];
    for j in 0..x.len() {
        point[j].slope = 1.0;
        for (i, r) in f(&point).iter().enumerate() {
            entries[i * x.len() + j] = r.slope;
        }
        point[j].slope = 0.0;
    }
    (residuals, entries)
}
