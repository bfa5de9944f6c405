//! Somebody holds the storage, and does to the files what they like.

use std::fs;
use std::io::Read as _;

use modelops_security::sealed::{
    HeaderInfo, OpenOptions, OpenReader, SealOptions, SealedFile, open_file, seal_file, verify_file,
};
use modelops_security::{OpenError, SealError};

use crate::sealed::{Folder, folder, quick_passphrase};
use crate::{content, keyring, seeded};

fn sealed(len: usize, seed: u64) -> (Folder, Vec<u8>) {
    let f = folder(&content(len));
    seal_file(
        &f.plain,
        &f.sealed,
        &keyring(1),
        &SealOptions::default(),
        &mut seeded(seed),
    )
    .unwrap();
    let bytes = fs::read(&f.sealed).unwrap();
    (f, bytes)
}

/// What each of the ways in says of `bytes`.
fn refused_everywhere(f: &Folder, bytes: &[u8]) -> bool {
    fs::write(&f.sealed, bytes).unwrap();
    let back = f.dir.path().join("back");
    let mut streamed = Vec::new();
    let reader = OpenReader::new(bytes, &keyring(1), &OpenOptions::default());
    let stream = reader.is_ok_and(|mut reader| reader.read_to_end(&mut streamed).is_ok());
    let whole = open_file(&f.sealed, &back, &keyring(1), &OpenOptions::default()).is_ok();
    let verified = verify_file(&f.sealed, &keyring(1), &OpenOptions::default()).is_ok();
    assert_eq!((stream, stream), (whole, verified), "the ways in disagree");
    assert_eq!(back.exists(), whole, "a refused file leaves nothing behind");
    if back.exists() {
        fs::remove_file(back).unwrap();
    }
    !whole
}

#[test]
fn every_bit_of_the_payload_counts() {
    let (f, bytes) = sealed(16_400, 2);
    for at in (8192..bytes.len())
        .step_by(97)
        .chain(8192..8192 + 80)
        .chain(bytes.len() - 40..bytes.len())
    {
        let mut bad = bytes.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(refused_everywhere(&f, &bad), "bit of byte {at}");
    }
}

#[test]
fn one_copy_of_the_header_may_be_damaged_but_not_both() {
    let (f, bytes) = sealed(100, 2);
    for at in (0..4096).step_by(13) {
        let mut bad = bytes.clone();
        bad[at] ^= 0x80;
        assert!(
            !refused_everywhere(&f, &bad),
            "the second copy stands in for byte {at}"
        );
        bad[at + 4096] ^= 0x80;
        assert!(refused_everywhere(&f, &bad), "byte {at} of both copies");
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let (f, bytes) = sealed(33_000, 2);
    for len in (0..bytes.len())
        .step_by(331)
        .chain([4096, 8191, 8192, 8248, 8264, bytes.len() - 1])
    {
        assert!(refused_everywhere(&f, &bytes[..len]), "cut to {len}");
    }
}

#[test]
fn chunks_cannot_be_moved_doubled_dropped_added_or_brought_along() {
    let (f, bytes) = sealed(4 * 16_384 + 5, 2);
    let (_, other) = sealed(4 * 16_384 + 5, 3);
    let chunk = |i: usize| 8192 + 56 + i * 16_400..8192 + 56 + (i + 1) * 16_400;
    let mut swapped = bytes.clone();
    swapped[chunk(0)].copy_from_slice(&bytes[chunk(1)]);
    swapped[chunk(1)].copy_from_slice(&bytes[chunk(0)]);
    assert!(refused_everywhere(&f, &swapped));
    let mut doubled = bytes.clone();
    doubled[chunk(1)].copy_from_slice(&bytes[chunk(0)]);
    assert!(refused_everywhere(&f, &doubled));
    let mut dropped = bytes.clone();
    dropped.drain(chunk(2));
    assert!(refused_everywhere(&f, &dropped));
    let mut added = bytes.clone();
    added.extend_from_slice(&bytes[chunk(3)]);
    assert!(refused_everywhere(&f, &added));
    let mut spliced = bytes.clone();
    spliced[chunk(2)].copy_from_slice(&other[chunk(2)]);
    assert!(refused_everywhere(&f, &spliced));
    // The header, or the whole payload, of another file under the same keyring.
    assert!(refused_everywhere(&f, &[&other[..8192], &bytes[8192..]].concat()));
    assert!(!refused_everywhere(&f, &bytes));
}

#[test]
fn a_slot_of_another_file_does_not_open_this_one() {
    let (f, bytes) = sealed(10, 2);
    let (_, other) = sealed(10, 3);
    let mut bad = bytes;
    for copy in [0, 4096] {
        let slots = copy + 52 + 8 + 2..copy + 52 + 8 + 2 + 128;
        bad[slots.clone()].copy_from_slice(&other[slots]);
    }
    assert!(refused_everywhere(&f, &bad));
}

#[test]
fn a_damaged_chunk_is_noticed_by_the_read_that_touches_it() {
    let (f, mut bytes) = sealed(4 * 16_384, 2);
    bytes[8192 + 56 + 2 * 16_400 + 7] ^= 1;
    fs::write(&f.sealed, &bytes).unwrap();
    let file = SealedFile::open(&f.sealed, &keyring(1), &OpenOptions::default()).unwrap();
    let mut out = vec![0; 16_384];
    assert!(file.read_at(&mut out, 0).is_ok());
    out.fill(9);
    assert_eq!(
        file.read_at(&mut out, 2 * 16_384 - 1),
        Err(OpenError::Unauthentic)
    );
    assert!(
        out.iter().all(|b| *b == 0),
        "nothing unauthenticated is left to read"
    );
}

#[test]
fn hostile_headers_cost_nothing() {
    let f = folder(b"weights");
    f.seal(&quick_passphrase("p"));
    let bytes = fs::read(&f.sealed).unwrap();
    let patched = |at: usize, with: &[u8]| {
        let mut bad = bytes.clone();
        for copy in [0, 4096] {
            bad[copy + at..copy + at + with.len()].copy_from_slice(with);
        }
        bad
    };
    let slot = 52 + 8 + 2;
    let cases = [
        ("version", patched(8, &[2]), OpenError::Unsupported),
        ("suite", patched(9, &[9]), OpenError::Unsupported),
        ("flags", patched(10, &[0, 1]), OpenError::Unsupported),
        ("content type", patched(48, &[5]), OpenError::Unsupported),
        ("no length", patched(12, &[0; 4]), OpenError::Unauthentic),
        ("4 GiB of header", patched(12, &[0xff; 4]), OpenError::Unauthentic),
        (
            "odd length",
            patched(12, &4097_u32.to_be_bytes()),
            OpenError::Unauthentic,
        ),
        ("long context", patched(50, &[0xff; 2]), OpenError::Unauthentic),
        ("no slot", patched(slot - 2, &[0; 2]), OpenError::Unauthentic),
        (
            "65,535 slots",
            patched(slot - 2, &[0xff; 2]),
            OpenError::Unauthentic,
        ),
        ("long slot", patched(slot + 2, &[0xff; 2]), OpenError::Unauthentic),
        (
            "terabytes of argon2",
            patched(slot + 4 + 32, &[0xff; 4]),
            OpenError::Unauthentic,
        ),
        (
            "years of argon2",
            patched(slot + 4 + 36, &[0xff; 4]),
            OpenError::Unauthentic,
        ),
    ];
    for (what, bad, expected) in cases {
        if what.ends_with("argon2") && cfg!(not(feature = "argon2")) {
            continue;
        }
        assert_eq!(HeaderInfo::parse(&bad), Err(expected.clone()), "{what}");
        let opened = OpenReader::new(bad.as_slice(), &quick_passphrase("p"), &OpenOptions::default());
        assert_eq!(opened.map(|_| ()), Err(expected), "{what}");
    }
    for other in [&b""[..], b"PK\x03\x04", &[0; 70_000], b"\x89MSC\r\n\x1a\n"] {
        assert!(HeaderInfo::parse(other).is_err());
    }
}

#[test]
fn text_mode_damage_is_noticed_at_once() {
    let (f, bytes) = sealed(10, 2);
    let unix: Vec<u8> = bytes.windows(2).filter(|w| *w != b"\r\n").map(|w| w[0]).collect();
    fs::write(&f.sealed, unix).unwrap();
    assert_eq!(
        verify_file(&f.sealed, &keyring(1), &OpenOptions::default()),
        Err(OpenError::NotSealed)
    );
}

#[test]
fn a_source_that_is_no_file_is_refused() {
    let f = folder(b"");
    let keys = keyring(1);
    let error = seal_file(
        f.dir.path(),
        &f.sealed,
        &keys,
        &SealOptions::default(),
        &mut seeded(1),
    );
    assert!(matches!(error, Err(SealError::File(_))));
    assert!(!f.sealed.exists());
}
