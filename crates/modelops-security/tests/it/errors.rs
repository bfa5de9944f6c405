//! Bad input is answered with a typed error, and nothing is left half done.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::Path;

use modelops_security::chunked::{self, InputKey, Suite};
use modelops_security::sealed::{OpenOptions, SealOptions, SealWriter, SealedFile, open_file, seal_file};
use modelops_security::{FileError, OpenError, RandomError, SealError, SecureRandom};

use crate::sealed::folder;
use crate::{content, keyring, seeded};

struct Broken;

impl SecureRandom for Broken {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

#[test]
fn nothing_is_sealed_without_randomness() {
    let f = folder(b"weights");
    let failed = seal_file(
        &f.plain,
        &f.sealed,
        &keyring(1),
        &SealOptions::default(),
        &mut Broken,
    );
    assert_eq!(failed, Err(RandomError.into()));
    assert!(!f.sealed.exists());
}

#[test]
fn missing_and_unwritable_places_are_named() {
    let f = folder(b"weights");
    let missing = Path::new("/nowhere/at/all");
    let expected = FileError {
        path: missing.to_path_buf(),
        kind: ErrorKind::NotFound,
    };
    let options = SealOptions::default();
    let from = seal_file(missing, &f.sealed, &keyring(1), &options, &mut seeded(1));
    assert_eq!(from, Err(SealError::File(expected.clone())));
    let to = seal_file(&f.plain, missing, &keyring(1), &options, &mut seeded(1));
    assert_eq!(to, Err(SealError::File(expected.clone())));
    let open = SealedFile::open(missing, &keyring(1), &OpenOptions::default()).map(|_| ());
    assert_eq!(open, Err(OpenError::File(expected)));
}

#[test]
fn what_stood_under_the_name_stays_when_opening_fails() {
    let f = folder(b"not sealed at all");
    let target = f.dir.path().join("precious");
    std::fs::write(&target, "precious").unwrap();
    let failed = open_file(&f.plain, &target, &keyring(1), &OpenOptions::default());
    assert_eq!(failed, Err(OpenError::NotSealed));
    assert_eq!(std::fs::read(&target).unwrap(), b"precious");
}

#[test]
fn a_context_that_does_not_fit_is_refused() {
    let options = SealOptions::default().with_context(&[7; 2049]);
    let failed = SealWriter::new(Vec::new(), &keyring(1), &options, &mut seeded(1)).map(|_| ());
    assert_eq!(failed, Err(SealError::ContextTooLong { len: 2049, max: 2048 }));
    let options = SealOptions::default().with_context(&[7; 2048]);
    assert!(SealWriter::new(Vec::new(), &keyring(1), &options, &mut seeded(1)).is_ok());
}

/// Takes some bytes, then is full.
struct Full(usize);

impl io::Write for Full {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        let n = data.len().min(self.0);
        self.0 -= n;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_reported_and_stays_reported() {
    let header = SealWriter::new(Full(100), &keyring(1), &SealOptions::default(), &mut seeded(1)).map(|_| ());
    assert_eq!(header, Err(SealError::Write(ErrorKind::StorageFull)));
    let mut writer =
        SealWriter::new(Full(9000), &keyring(1), &SealOptions::default(), &mut seeded(1)).unwrap();
    let failed = writer.write_all(&content(3_000_000)).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::StorageFull);
    assert_eq!(writer.write(b"more").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(
        writer.finish().map(|_| ()),
        Err(SealError::Write(ErrorKind::StorageFull))
    );
}

#[test]
fn a_reader_that_failed_goes_on_failing() {
    let key = InputKey::new(Suite::Cobblestone256, &[1; 32]).unwrap();
    let mut sealed = chunked::seal(&key, b"", &content(40_000), &mut seeded(1)).unwrap();
    sealed[56 + 16_400 + 3] ^= 1;
    let mut reader = chunked::OpenReader::new(sealed.as_slice(), &key, b"").unwrap();
    let mut prefix = vec![0; 16_384];
    reader.read_exact(&mut prefix).unwrap();
    assert_eq!(prefix, content(16_384));
    for _ in 0..3 {
        let error = reader.read(&mut [0; 10]).unwrap_err();
        assert_eq!(
            error.get_ref().unwrap().downcast_ref(),
            Some(&OpenError::Unauthentic)
        );
    }
}

#[test]
fn keys_of_a_wrong_length_are_no_keys() {
    for len in [0, 15, 16, 31, 33, 64] {
        assert!(
            InputKey::new(Suite::Cobblestone256, &vec![1; len]).is_none(),
            "{len}"
        );
    }
    assert!(InputKey::new(Suite::Cobblestone128, &[1; 32]).is_none());
    assert!(InputKey::new(Suite::Cobblestone128, &[1; 16]).is_some());
}
