//! Text: augmentation.

mod augment;

pub use augment::{Augmented, SynonymTable, TextAugmenter, TextOp};
