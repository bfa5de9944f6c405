//! Detectors that see one value after another, in constant memory.
//!
//! Give each series a detector of its own. None of them reads a clock: a value has a place in the order, not a time.

mod adwin;
mod contextual;
mod control;
mod kswin;
mod page_hinkley;
mod spot;

pub use adwin::{Adwin, AdwinOptions};
pub use contextual::{ContextualAnomaly, ContextualAnomalyOptions};
pub use control::{Cusum, Ewma};
pub use kswin::{Kswin, KswinOptions};
pub use page_hinkley::{PageHinkley, PageHinkleyOptions};
pub use spot::{Spot, SpotOptions};
