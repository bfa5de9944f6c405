//! New keys for an existing file: a new wrap of its data key in place, or a new data key in a new file.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::file::{SealReport, seal_into};
use super::header::{Header, HeaderInfo, read_header};
use super::random_access::SealedFile;
use super::{OpenOptions, SealOptions};
use crate::error::{FileError, OpenError, RewrapError, SealError};
use crate::keys::KeyProvider;
use crate::random::SecureRandom;

/// Lets the holders of `new` open the file, and nobody else from now on; the payload is not touched.
///
/// The two copies of the header are rewritten one after the other, each synced before the next, so at every instant the file
/// opens with the old or with the new keys, whenever the machine stops. It takes no longer for 100 GB than for one byte.
/// Whoever has the data key already keeps it: against them use [`reseal_file`].
///
/// # Errors
///
/// [`RewrapError`]; the file then opens as before, or, where the system failed half-way, with the new keys as well.
///
/// # Complexity
///
/// O(1): reads and writes one header, 8 KiB by default.
///
/// ```
/// use modelops_security::keys::Keyring;
/// use modelops_security::sealed::{rewrap_file, seal_file, OpenOptions, SealOptions, SealedFile};
/// use modelops_security::SystemRandom;
/// # let dir = tempfile::tempdir()?;
/// # let (plain, sealed) = (dir.path().join("w"), dir.path().join("w.msc"));
/// # std::fs::write(&plain, "weights")?;
/// let mut random = SystemRandom::new();
/// let mut keyring = Keyring::generate(&mut random)?;
/// seal_file(&plain, &sealed, &keyring, &SealOptions::default(), &mut random)?;
/// let new = keyring.rotate(&mut random)?;
/// let header = rewrap_file(&sealed, &keyring, &keyring, &mut random)?; // opens with version 1, wraps with 2
/// assert_eq!(header.generation, 2);
/// keyring.destroy(1)?;
/// assert_eq!(SealedFile::open(&sealed, &keyring, &OpenOptions::default())?.len(), 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "rotate_key")]
pub fn rewrap_file(
    path: &Path,
    old: &dyn KeyProvider,
    new: &dyn KeyProvider,
    random: &mut dyn SecureRandom,
) -> Result<HeaderInfo, RewrapError> {
    let failed = |error: &io::Error| OpenError::from(FileError::new(path, error));
    let mut file = File::options()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|e| failed(&e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(RewrapError::Busy),
        Err(TryLockError::Error(error)) => return Err(failed(&error).into()),
    }
    let front = read_header(&mut file)?;
    let current = Header::open(&front, old, &OpenOptions::default())?;
    let (current_place, len) = (current.place, current.fields.header_len as u64 / 2);
    let next = current.next_generation(new, random)?;
    let copy = next.encode();
    // The copy that is in force goes last: until then it is what the file opens with.
    for place in [1 - current_place, current_place] {
        file.write_all_at(&copy, place as u64 * len)
            .map_err(|e| failed(&e))?;
        file.sync_all().map_err(|e| failed(&e))?;
    }
    Ok(next.fields)
}

/// Seals the content of one sealed file under a new data key into another, without a plain byte on the disk.
///
/// Use it where somebody may have kept the old data key. The destination appears whole, authenticated, or not at all.
///
/// # Errors
///
/// [`RewrapError`]; nothing is then left under the name `destination`, nor changed there.
#[doc(alias = "reencrypt")]
pub fn reseal_file(
    source: (&Path, &dyn KeyProvider, &OpenOptions),
    destination: (&Path, &dyn KeyProvider, &SealOptions),
    random: &mut dyn SecureRandom,
) -> Result<SealReport, RewrapError> {
    let (source, old_keys, open_options) = source;
    let (destination, new_keys, seal_options) = destination;
    let sealed = SealedFile::open(source, old_keys, open_options)?;
    let (output, report) = seal_into(
        destination,
        sealed.cut(),
        new_keys,
        seal_options,
        random,
        |slots, first, count, last_len| {
            sealed
                .read_batch(slots, first, count, last_len)
                .map_err(RewrapError::from)
        },
    )?;
    output
        .commit()
        .map_err(|error| SealError::from(FileError::new(destination, &error)))?;
    Ok(report)
}
