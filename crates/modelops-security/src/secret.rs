//! Values that are wiped when dropped and never printed.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

/// A value that `Debug` hides, that is wiped on drop, and that is read only where the code says [`expose`](Secret::expose).
///
/// It has no `Display`, no `Clone` and no serde, so that it cannot slip into a log or a copy.
///
/// ```
/// use modelops_security::Secret;
/// let token = Secret::new(String::from("hunter2"));
/// assert_eq!(format!("{token:?}"), "Secret([REDACTED])");
/// assert_eq!(token.expose(), "hunter2");
/// ```
#[doc(alias = "zeroize")]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes the value over; earlier copies of it are the caller's to wipe.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself.
    #[must_use]
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([REDACTED])")
    }
}
