//! Named integer amounts, and the share of one device.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ResourceError;

/// Amounts of named resources, in integer base units: `cpu_milli`, `memory_mib`, `vram_mib`, `nvidia.com/mig-1g.5gb`.
///
/// Use it for what a node or a device has and for what a request needs. A name that is not there has amount 0.
/// There is no negative amount and no fraction: choose the unit small enough.
///
/// # Example
/// ```
/// use modelops_allocation::Resources;
/// let r = Resources::new().with("cpu_milli", 4_000).with("memory_mib", 8_192);
/// assert_eq!(r.amount("cpu_milli"), 4_000);
/// assert_eq!(r.amount("gpu"), 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resources(BTreeMap<String, u64>);

impl Resources {
    /// No resources at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with `amount` of `name`, replacing what was there.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, amount: u64) -> Self {
        self.0.insert(name.into(), amount);
        self
    }

    /// How much of `name` there is; 0 where it is not named.
    #[must_use]
    pub fn amount(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Every name with its amount, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, amount)| (name.as_str(), *amount))
    }

    /// Whether nothing is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The part of one device that a request takes, in thousandths: 1 to 1000, where 1000 is the whole device.
///
/// # Errors
/// [`Milli::try_new`] refuses 0 and anything above 1000.
///
/// # Example
/// ```
/// use modelops_allocation::Milli;
/// assert_eq!(Milli::try_new(460)?.to_u32(), 460);
/// assert!(Milli::try_new(0).is_err());
/// # Ok::<(), modelops_allocation::ResourceError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Milli(pub(crate) u32);

impl Milli {
    /// A whole device.
    pub const WHOLE: Self = Self(1000);

    /// A share of `milli` thousandths.
    ///
    /// # Errors
    /// [`ResourceError::Share`] unless 1 ≤ `milli` ≤ 1000.
    pub fn try_new(milli: u32) -> Result<Self, ResourceError> {
        if (1..=1000).contains(&milli) {
            Ok(Self(milli))
        } else {
            Err(ResourceError::Share { milli })
        }
    }

    /// The share in thousandths.
    #[must_use]
    pub fn to_u32(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Milli {
    type Error = ResourceError;
    fn try_from(milli: u32) -> Result<Self, ResourceError> {
        Self::try_new(milli)
    }
}

impl From<Milli> for u32 {
    fn from(share: Milli) -> u32 {
        share.0
    }
}

impl fmt::Display for Milli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}m", self.0)
    }
}
