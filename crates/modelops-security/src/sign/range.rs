//! A part of a sealed file, verified against its publisher without reading the rest.

use std::ops::Range;

use ring::digest;
use zeroize::Zeroizing;

use super::ModelManifest;
use crate::error::{OpenError, RangeError};
use crate::sealed::SealedFile;

/// Bytes that are read aside at a time: what a signed piece has before and behind the range that is asked for.
const ASIDE: u64 = 1 << 18;

impl ModelManifest {
    /// Fills `out` with the content of `file` from `offset`, having checked each signed piece it lies in.
    ///
    /// `name` is what the publisher called the plain file; the manifest must have been made in pieces
    /// ([`with_shard_size`](super::HashOptions::with_shard_size)). Sealing proves that the content is what somebody with the key
    /// sealed; this proves that it is what the publisher signed.
    ///
    /// # Errors
    ///
    /// [`RangeError::NotSigned`] where the manifest does not cover the whole range in pieces; [`RangeError::Mismatch`] where a piece
    /// differs from what was signed; [`RangeError::Open`] where the sealed file is refused. `out` is then wiped.
    ///
    /// # Complexity
    ///
    /// O(range + two pieces) time, 256 KiB of memory.
    ///
    /// ```
    /// use modelops_security::keys::Keyring;
    /// use modelops_security::sealed::{seal_file, OpenOptions, SealOptions, SealedFile};
    /// use modelops_security::sign::{HashOptions, ModelManifest, SigningKey};
    /// use modelops_security::SystemRandom;
    /// # let dir = tempfile::tempdir()?;
    /// # let (folder, sealed) = (dir.path().join("model"), dir.path().join("w.msc"));
    /// # std::fs::create_dir(&folder)?;
    /// std::fs::write(folder.join("w"), [7; 100_000])?;
    /// let mut random = SystemRandom::new();
    /// let key = SigningKey::generate_ed25519(&mut random)?;
    /// let pieces = HashOptions::default().with_shard_size(16_384);
    /// let bundle = ModelManifest::of_folder(&folder, &pieces)?.sign(&key)?;
    /// let keyring = Keyring::generate(&mut random)?;
    /// seal_file(&folder.join("w"), &sealed, &keyring, &SealOptions::default(), &mut random)?;
    ///
    /// let signed = ModelManifest::verify(bundle.as_bytes(), &key.verifying_key())?;
    /// let file = SealedFile::open(&sealed, &keyring, &OpenOptions::default())?;
    /// let mut part = [0; 10];
    /// signed.read_verified("w", &file, 50_000, &mut part)?;
    /// assert_eq!(part, [7; 10]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_verified(
        &self,
        name: &str,
        file: &SealedFile,
        offset: u64,
        out: &mut [u8],
    ) -> Result<(), RangeError> {
        let read = self.read_pieces(name, file, offset, out);
        if read.is_err() {
            out.fill(0);
        }
        read
    }

    fn read_pieces(
        &self,
        name: &str,
        file: &SealedFile,
        offset: u64,
        out: &mut [u8],
    ) -> Result<(), RangeError> {
        let (len, size) = (out.len() as u64, file.len());
        let end = offset.checked_add(len).filter(|end| *end <= size);
        let end = end.ok_or(OpenError::OutOfRange { offset, len, size })?;
        let mut covered = offset;
        for resource in self.resources().iter().filter(|resource| resource.name == name) {
            let Some((start, stop)) = resource.range else {
                return Err(RangeError::NotSigned);
            };
            if stop <= offset || start >= end {
                continue;
            }
            if stop > size {
                return Err(RangeError::Mismatch);
            }
            // Pieces follow each other without a gap: that was checked when the bundle was read.
            let (from, to) = (start.max(offset), stop.min(end));
            let target = &mut out[(from - offset) as usize..(to - offset) as usize];
            let mut hash = digest::Context::new(&digest::SHA256);
            read_aside(file, start..from, &mut hash)?;
            file.read_at_parallel(target, from, None)?;
            hash.update(target);
            read_aside(file, to..stop, &mut hash)?;
            if hash.finish().as_ref() != resource.sha256 {
                return Err(RangeError::Mismatch);
            }
            covered = to;
        }
        if covered == end {
            Ok(())
        } else {
            Err(RangeError::NotSigned)
        }
    }
}

/// Hashes what nobody asked for.
fn read_aside(file: &SealedFile, range: Range<u64>, hash: &mut digest::Context) -> Result<(), OpenError> {
    let mut room = Zeroizing::new(vec![0; ASIDE.min(range.end - range.start) as usize]);
    let mut at = range.start;
    while at < range.end {
        let part = &mut room[..ASIDE.min(range.end - at) as usize];
        file.read_at(part, at)?;
        hash.update(part);
        at += part.len() as u64;
    }
    Ok(())
}
