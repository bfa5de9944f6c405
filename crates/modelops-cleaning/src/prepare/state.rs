//! Fitted state in a file: what it was fitted for, what it was fitted on, and whether it is still what was saved.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_128;

use super::{Fitted, FittedPreparation, Preparation};
use crate::dataset::{Split, Train};
use crate::engine::output::Pending;
use crate::error::{RunError, StateError};

const VERSION: u32 = 1;

/// The file. The hash of the steps is over their text, so nothing in it can change unseen.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    preparation: String,
    training: String,
    state: String,
    steps: Box<RawValue>,
}

fn hex(hash: u128) -> String {
    format!("{hash:032x}")
}

impl Preparation {
    pub(super) fn hash(&self) -> u128 {
        let text = serde_json::to_vec(self).expect("a preparation is a tree of plain values");
        xxh3_128(&text)
    }
}

impl FittedPreparation {
    /// The fingerprint of the training part, as the file has it.
    #[must_use]
    pub fn trained_on(&self) -> String {
        hex(self.training)
    }

    /// The state as JSON. Numbers come back to the bit.
    ///
    /// # Panics
    /// Never: what is learned is plain, finite values.
    #[must_use]
    pub fn to_json(&self) -> String {
        let steps = serde_json::value::to_raw_value(&self.steps).expect("a tree of plain values");
        let stored = Stored {
            version: VERSION,
            preparation: hex(self.preparation),
            training: hex(self.training),
            state: hex(xxh3_128(steps.get().as_bytes())),
            steps,
        };
        serde_json::to_string(&stored).expect("a tree of plain values")
    }

    /// Reads what [`FittedPreparation::to_json`] wrote, for the same `preparation`.
    ///
    /// The hashes find mistakes, not malice: a state file is as trustworthy as the folder it lies in.
    ///
    /// # Errors
    /// [`StateError::Damaged`] for a text that is no state or has been changed, [`StateError::Version`], and
    /// [`StateError::OtherPreparation`].
    pub fn from_json(text: &str, preparation: &Preparation) -> Result<Self, StateError> {
        let stored: Stored = serde_json::from_str(text).map_err(|_| StateError::Damaged)?;
        if stored.version != VERSION {
            return Err(StateError::Version {
                found: stored.version,
            });
        }
        if stored.state != hex(xxh3_128(stored.steps.get().as_bytes())) {
            return Err(StateError::Damaged);
        }
        if stored.preparation != hex(preparation.hash()) {
            return Err(StateError::OtherPreparation);
        }
        let steps: Vec<Fitted> = serde_json::from_str(stored.steps.get()).map_err(|_| StateError::Damaged)?;
        if steps.len() != preparation.steps.len() || !steps.iter().all(Fitted::is_sound) {
            return Err(StateError::Damaged);
        }
        Ok(Self {
            preparation: preparation.hash(),
            training: u128::from_str_radix(&stored.training, 16).map_err(|_| StateError::Damaged)?,
            steps,
        })
    }

    /// Saves the state; the file appears under its name only when it is complete.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), StateError> {
        let lift = |error: RunError| match error {
            RunError::Io { kind, .. } => StateError::Io { kind },
            _ => unreachable!("a file that is only written fails no other way"),
        };
        let mut file = Pending::create(path.as_ref()).map_err(lift)?;
        file.write(self.to_json().as_bytes()).map_err(lift)?;
        file.commit().map_err(lift)
    }

    /// Loads the state that was saved at `path` for the same `preparation`.
    ///
    /// # Errors
    /// As [`FittedPreparation::from_json`], and [`StateError::Io`].
    pub fn load(path: impl AsRef<Path>, preparation: &Preparation) -> Result<Self, StateError> {
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => StateError::Damaged,
            kind => StateError::Io { kind },
        })?;
        Self::from_json(&text, preparation)
    }

    /// Says whether this was fitted on `train`: the same values, labels and names in the same order, to the bit.
    ///
    /// # Errors
    /// [`StateError::OtherTraining`].
    pub fn check_training(&self, train: &Split<Train>) -> Result<(), StateError> {
        if self.training == train.fingerprint() {
            Ok(())
        } else {
            Err(StateError::OtherTraining)
        }
    }
}
