//! Sealed content in another place than a file.

use std::fs;
use std::io::{self, ErrorKind};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use modelops_security::OpenError;
use modelops_security::sealed::{OpenOptions, ReadAt, SealedFile};

use crate::sealed::folder;
use crate::{content, keyring};

/// An object that counts what is asked of it, and that breaks after some requests.
struct Store {
    object: Vec<u8>,
    requests: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    breaks_after: u64,
}

impl ReadAt for Store {
    fn size(&self) -> io::Result<u64> {
        self.object.size()
    }

    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        self.bytes.fetch_add(out.len() as u64, Ordering::Relaxed);
        if self.requests.fetch_add(1, Ordering::Relaxed) >= self.breaks_after {
            return Err(ErrorKind::ConnectionReset.into());
        }
        self.object.read_exact_at(out, offset)
    }
}

fn sealed(message: &[u8]) -> Vec<u8> {
    let f = folder(message);
    f.seal(&keyring(1));
    fs::read(&f.sealed).unwrap()
}

fn open(object: Vec<u8>) -> Result<SealedFile, OpenError> {
    SealedFile::open_at(object, &keyring(1), &OpenOptions::default())
}

#[test]
fn any_range_of_an_object_is_that_range_of_its_content() {
    for len in [0, 1, 16_383, 16_384, 16_385, 3_000_000] {
        let message = content(len);
        let file = open(sealed(&message)).unwrap();
        assert_eq!(file.len(), len as u64);
        for (from, to) in [(0, len), (len / 3, len / 2), (len, len), (len.min(16_384), len)] {
            let mut out = vec![0; to - from];
            file.read_at(&mut out, from as u64).unwrap();
            assert!(out == message[from..to]);
            out.fill(1);
            file.read_at_parallel(&mut out, from as u64, NonZeroUsize::new(3))
                .unwrap();
            assert!(out == message[from..to]);
        }
        let beyond = file.read_at(&mut [0; 2], len as u64);
        assert!(matches!(beyond, Err(OpenError::OutOfRange { .. })));
    }
}

#[test]
fn a_range_costs_a_range() {
    let (requests, bytes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let store = Store {
        object: sealed(&content(8 << 20)),
        requests: requests.clone(),
        bytes: bytes.clone(),
        breaks_after: u64::MAX,
    };
    let file = SealedFile::open_at(store, &keyring(1), &OpenOptions::default()).unwrap();
    let opening = (requests.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed));
    assert!(opening.0 == 3 && opening.1 < 33 << 10, "{opening:?}");
    let before = (requests.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed));
    let mut out = vec![0; 2 << 20];
    file.read_at(&mut out, 16_384 * 7).unwrap();
    assert!(requests.load(Ordering::Relaxed) - before.0 <= 3);
    assert!(bytes.load(Ordering::Relaxed) - before.1 < (2 << 20) + (4 << 10));
}

#[test]
fn an_object_that_was_changed_or_cut_is_refused() {
    let message = content(40_000);
    let object = sealed(&message);
    for len in 0..object.len() {
        // Every length around the header and the ends of chunks, and some of those between.
        if len > 3000 && len + 3000 < object.len() && len % 97 > 0 {
            continue;
        }
        assert!(open(object[..len].to_vec()).is_err(), "{len} bytes");
    }
    assert!(open([&object[..], b"x"].concat()).is_err());
    for at in (0..object.len()).step_by(61) {
        let mut changed = object.clone();
        changed[at] ^= 1;
        let mut out = vec![9; message.len()];
        match open(changed).map(|file| file.read_at(&mut out, 0)) {
            // One of the two copies of the header is enough.
            Ok(Ok(())) => assert!(out == message, "byte {at}"),
            Ok(Err(error)) => assert!(
                matches!(error, OpenError::Unauthentic) && out.iter().all(|byte| *byte == 0),
                "byte {at}: {error}"
            ),
            Err(_) => {}
        }
    }
}

#[test]
fn a_store_that_does_not_answer_is_said_to() {
    let object = sealed(&content(40_000));
    for breaks_after in 0.. {
        let store = Store {
            object: object.clone(),
            requests: Arc::default(),
            bytes: Arc::default(),
            breaks_after,
        };
        let mut out = [1; 20_000];
        let opened = SealedFile::open_at(store, &keyring(1), &OpenOptions::default());
        match opened.and_then(|file| file.read_at(&mut out, 100)) {
            Ok(()) => {
                assert!(breaks_after > 3, "every request failed once");
                break;
            }
            Err(error) => assert_eq!(error, OpenError::Stream(ErrorKind::ConnectionReset)),
        }
    }
}
