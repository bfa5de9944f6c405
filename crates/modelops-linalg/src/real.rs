//! The number types of this crate.

use std::fmt::Debug;

use ndarray::{LinalgScalar, ScalarOperand};

use crate::backend::Kernels;

/// A real number type that the backends know: `f32` or `f64`. Sealed.
pub trait Real: Kernels + LinalgScalar + ScalarOperand + Debug + PartialOrd + Send + Sync + 'static {
    #[doc(hidden)]
    fn is_finite(self) -> bool;
    #[doc(hidden)]
    fn to_f64(self) -> f64;
}

impl Real for f32 {
    fn is_finite(self) -> bool {
        self.is_finite()
    }

    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn is_finite(self) -> bool {
        self.is_finite()
    }

    fn to_f64(self) -> f64 {
        self
    }
}
