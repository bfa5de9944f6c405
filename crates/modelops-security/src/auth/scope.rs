//! What a caller may do, as a path of segments.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ScopeError;

/// A permission such as `model:llama-3:infer`: up to 8 segments of letters, digits, `.`, `_`, `-`, parted by colons.
///
/// A granted segment `*` stands for any one segment; nothing else is inferred, so `model:*` does not grant
/// `model:llama-3:infer`.
///
/// ```
/// use modelops_security::auth::Scope;
/// let granted = Scope::new("model:*:infer")?;
/// assert!(granted.grants(&Scope::new("model:llama-3:infer")?));
/// assert!(!granted.grants(&Scope::new("model:llama-3:delete")?));
/// # Ok::<(), modelops_security::ScopeError>(())
/// ```
#[doc(alias = "permission")]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(String);

impl Scope {
    /// Checks the form.
    ///
    /// # Errors
    ///
    /// [`ScopeError`] for anything but 1 to 8 segments of at most 64 characters each.
    pub fn new(text: impl Into<String>) -> Result<Self, ScopeError> {
        let text = text.into();
        let segment = |part: &str| {
            part == "*"
                || (1..=64).contains(&part.len())
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        let sound = text.split(':').count() <= 8 && text.split(':').all(segment);
        if sound { Ok(Self(text)) } else { Err(ScopeError) }
    }

    /// The text of the scope.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether somebody who holds this scope may do `wanted`.
    #[must_use]
    pub fn grants(&self, wanted: &Self) -> bool {
        let mut granted = self.0.split(':');
        let mut asked = wanted.0.split(':');
        loop {
            match (granted.next(), asked.next()) {
                (None, None) => return true,
                (Some(have), Some(want)) if have == "*" || have == want => {}
                _ => return false,
            }
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        Self::new(text)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0
    }
}
