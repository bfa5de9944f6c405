//! Who changed what: an audit log in a file, whose signed checkpoint a second look can be held against.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use modelops_security::SystemRandom;
use modelops_security::audit::{AuditLog, Checkpoint};
use modelops_security::sign::SigningKey;
use serde_json::{Value, json};

use crate::Failure;
use crate::clock::Clock;
use crate::files::{read, write_private};

const ORIGIN: &str = "serve.modelops.example/audit";

#[derive(Debug)]
pub(crate) struct Audit {
    log: Mutex<AuditLog>,
    key: SigningKey,
    folder: PathBuf,
    clock: Arc<Clock>,
}

impl Audit {
    /// Opens the log and refuses one that does not begin with what its last checkpoint fixed.
    pub(crate) fn open(folder: &Path, clock: Arc<Clock>) -> Result<Self, Failure> {
        let key_file = folder.join("audit-key.pem");
        let key = if key_file.exists() {
            SigningKey::from_pem(&String::from_utf8(read(&key_file)?)?)?
        } else {
            let key = SigningKey::generate_ed25519(&mut SystemRandom::new())?;
            write_private(&key_file, key.to_pem().expose().as_bytes())?;
            key
        };
        let path = folder.join("audit.log");
        let log = AuditLog::open(&path, ORIGIN)?;
        let checkpoint = folder.join("audit-checkpoint.txt");
        if checkpoint.exists() {
            let note = String::from_utf8(read(&checkpoint)?)?;
            let fixed = Checkpoint::verify(&note, ORIGIN, &key.verifying_key())?;
            log.check(&fixed)
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(Self {
            log: Mutex::new(log),
            key,
            folder: folder.to_owned(),
            clock,
        })
    }

    /// Notes an event durably.
    pub(crate) fn note(&self, event: &str, who: &str, what: Value) -> Result<(), Failure> {
        let at = self.clock.now().0;
        let entry = json!({"at": at, "event": event, "who": who, "what": what}).to_string();
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.append(entry.as_bytes())?;
        log.sync()?;
        Ok(())
    }

    /// The signed size and root of now.
    pub(crate) fn checkpoint(&self) -> Result<String, Failure> {
        let checkpoint = self
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .checkpoint();
        Ok(checkpoint.sign(&self.key)?)
    }

    /// The size and the root.
    pub(crate) fn head(&self) -> (u64, String) {
        let checkpoint = self
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .checkpoint();
        (
            checkpoint.size,
            checkpoint.root.iter().map(|byte| format!("{byte:02x}")).collect(),
        )
    }

    /// Keeps the checkpoint for the next start.
    pub(crate) fn close(&self) -> Result<(), Failure> {
        write_private(
            &self.folder.join("audit-checkpoint.txt"),
            self.checkpoint()?.as_bytes(),
        )
    }
}
