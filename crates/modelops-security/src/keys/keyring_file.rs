//! The file of a keyring: its JSON in a sealed file that a passphrase opens.

use std::io::{Read as _, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::{Keyring, Passphrase};
use crate::error::{FileError, KeyError, OpenError, SealError};
use crate::kernel::files::{open_to_others, write_atomically};
use crate::random::SecureRandom;
use crate::sealed::{OpenOptions, OpenReader, SealOptions, SealWriter};

const CONTEXT: &[u8] = b"modelops-keyring/1";

impl Keyring {
    /// Writes the keyring to `path`, sealed with `passphrase`, whole or not at all, readable by its owner alone.
    ///
    /// # Errors
    ///
    /// [`KeyError`]; an existing file is then as before.
    ///
    /// ```
    /// use modelops_security::keys::{Keyring, Passphrase};
    /// use modelops_security::SystemRandom;
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("keyring.msc");
    /// let mut random = SystemRandom::new();
    /// let passphrase = Passphrase::new(String::from("correct horse battery staple"))?;
    /// let keyring = Keyring::generate(&mut random)?;
    /// keyring.save(&path, &passphrase, &mut random)?;
    /// assert_eq!(Keyring::load(&path, &passphrase)?.id(), keyring.id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save(
        &self,
        path: &Path,
        passphrase: &Passphrase,
        random: &mut dyn SecureRandom,
    ) -> Result<(), KeyError> {
        let options = SealOptions::default().with_context(CONTEXT);
        let mut writer = SealWriter::new(Vec::new(), passphrase, &options, random).map_err(key_error)?;
        writer.write_all(&self.to_json()).map_err(|_| KeyError::Refused)?;
        let sealed = writer.finish().map_err(key_error)?;
        write_atomically(path, &sealed).map_err(|error| FileError::new(path, &error).into())
    }

    /// Reads a keyring that [`save`](Self::save) wrote.
    ///
    /// # Errors
    ///
    /// [`KeyError::Refused`] for another passphrase, a damaged file or no keyring at all; [`KeyError::Permissions`] where others
    /// than the owner may touch the file.
    pub fn load(path: &Path, passphrase: &Passphrase) -> Result<Self, KeyError> {
        let failed = |error: std::io::Error| FileError::new(path, &error);
        if open_to_others(path).map_err(failed)? {
            return Err(KeyError::Permissions {
                path: path.to_path_buf(),
            });
        }
        let file = std::fs::File::open(path).map_err(failed)?;
        let options = OpenOptions::default().with_context(CONTEXT);
        let reader = OpenReader::new(file, passphrase, &options).map_err(|error| match error {
            OpenError::Key(error) => error,
            _ => KeyError::Refused,
        })?;
        // One allocation, so that growing leaves no unwiped copy; a keyring of 1 MiB holds thousands of versions.
        let mut json = Zeroizing::new(vec![0; LONGEST]);
        let mut len = 0;
        let mut reader = reader;
        loop {
            match reader.read(&mut json[len..]) {
                Ok(0) if len == LONGEST => return Err(KeyError::Refused),
                Ok(0) => break,
                Ok(n) => len += n,
                Err(_) => return Err(KeyError::Refused),
            }
        }
        Self::from_json(&json[..len]).ok_or(KeyError::Refused)
    }
}

const LONGEST: usize = 1 << 20;

fn key_error(error: SealError) -> KeyError {
    match error {
        SealError::Key(error) => error,
        _ => KeyError::Refused,
    }
}
