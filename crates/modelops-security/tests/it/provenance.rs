//! Signed manifests.

use std::fs;
use std::os::unix::fs::symlink;

use modelops_security::sealed::{OpenOptions, SealOptions, SealedFile, seal_file};
use modelops_security::sign::{HashCache, HashOptions, KeyKind, ModelManifest, SigningKey, VerifyingKey};
use modelops_security::{RangeError, SignError, VerifyError};

use crate::targets::{bundle_of, statement_of};
use crate::{content, keyring, seeded};

fn model() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    fs::write(dir.path().join("sub/part-1"), content(100_000)).unwrap();
    fs::write(dir.path().join("config.json"), "{}").unwrap();
    fs::write(dir.path().join("empty"), "").unwrap();
    dir
}

fn key() -> SigningKey {
    SigningKey::generate_ed25519(&mut seeded(1)).unwrap()
}

fn signed(dir: &tempfile::TempDir, options: &HashOptions) -> ModelManifest {
    let bundle = ModelManifest::of_folder(dir.path(), options)
        .unwrap()
        .sign(&key())
        .unwrap();
    ModelManifest::verify(bundle.as_bytes(), &key().verifying_key()).unwrap()
}

#[test]
fn each_kind_of_change_is_named() {
    for options in [
        HashOptions::default(),
        HashOptions::default().with_shard_size(30_000),
    ] {
        let dir = model();
        let manifest = signed(&dir, &options);
        assert_eq!(manifest.check(dir.path(), &options), Ok(()));
        let part = dir.path().join("sub/part-1");
        let mut bytes = content(100_000);
        bytes[70_000] ^= 1;
        fs::write(&part, &bytes).unwrap();
        let mismatch = Err(VerifyError::Mismatch {
            path: "sub/part-1".into(),
        });
        assert_eq!(manifest.check(dir.path(), &options), mismatch);
        fs::write(&part, content(90_000)).unwrap();
        assert_eq!(
            manifest.check(dir.path(), &options),
            mismatch,
            "cut at the end of a piece"
        );
        fs::write(&part, content(120_000)).unwrap();
        assert_eq!(manifest.check(dir.path(), &options), mismatch, "longer");
        fs::remove_file(&part).unwrap();
        let missing = Err(VerifyError::Missing {
            path: "sub/part-1".into(),
        });
        assert_eq!(manifest.check(dir.path(), &options), missing);
        fs::write(&part, content(100_000)).unwrap();
        fs::write(dir.path().join("extra.py"), "import os").unwrap();
        let extra = Err(VerifyError::Extra {
            path: "extra.py".into(),
        });
        assert_eq!(manifest.check(dir.path(), &options), extra);
        assert_eq!(
            manifest.check(dir.path(), &options.clone().with_ignored("extra.py")),
            Ok(())
        );
    }
}

#[test]
fn only_the_publisher_signs_and_only_what_was_signed_counts() {
    let dir = model();
    let manifest = ModelManifest::of_folder(dir.path(), &HashOptions::default()).unwrap();
    let bundle = manifest.sign(&key()).unwrap();
    let verify = |text: &str| ModelManifest::verify(text.as_bytes(), &key().verifying_key());
    assert_eq!(verify(&bundle).unwrap(), manifest);
    let other = SigningKey::generate_ed25519(&mut seeded(2)).unwrap();
    let refused = ModelManifest::verify(bundle.as_bytes(), &other.verifying_key());
    assert_eq!(refused, Err(VerifyError::Signature));
    let payload = bundle.find("\"payload\":\"").unwrap() + 11;
    for at in [payload, payload + 400, bundle.find("\"sig\":\"").unwrap() + 10] {
        let mut bad = bundle.clone().into_bytes();
        bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(
            verify(std::str::from_utf8(&bad).unwrap()),
            Err(VerifyError::Signature),
            "byte {at}"
        );
    }
    for bad in ["", "{}", "[]", "null", &bundle[..bundle.len() - 1]] {
        assert_eq!(verify(bad), Err(VerifyError::Signature));
    }
    assert_eq!(
        verify(&bundle.replace("vnd.in-toto+json", "vnd.other+json")),
        Err(VerifyError::Signature)
    );
}

#[test]
fn the_same_folder_and_key_give_the_same_bundle() {
    let dir = model();
    let one = HashOptions::default().with_threads(std::num::NonZeroUsize::MIN);
    let bundle = |options: &HashOptions| {
        ModelManifest::of_folder(dir.path(), options)
            .unwrap()
            .sign(&key())
            .unwrap()
    };
    assert_eq!(bundle(&one), bundle(&HashOptions::default()));
}

#[test]
fn links_special_files_and_colliding_names_are_refused() {
    let dir = model();
    symlink("/etc/passwd", dir.path().join("weights.bin")).unwrap();
    let refused = ModelManifest::of_folder(dir.path(), &HashOptions::default());
    assert_eq!(
        refused,
        Err(SignError::NotRegular {
            path: "weights.bin".into()
        })
    );
    fs::remove_file(dir.path().join("weights.bin")).unwrap();
    symlink("sub", dir.path().join("other")).unwrap();
    let refused = ModelManifest::of_folder(dir.path(), &HashOptions::default());
    assert_eq!(refused, Err(SignError::NotRegular { path: "other".into() }));
    fs::remove_file(dir.path().join("other")).unwrap();
    fs::write(dir.path().join("CONFIG.json"), "").unwrap();
    let refused = ModelManifest::of_folder(dir.path(), &HashOptions::default());
    assert!(matches!(refused, Err(SignError::CaseCollision { .. })));
    fs::remove_file(dir.path().join("CONFIG.json")).unwrap();
    fs::write(dir.path().join("a\\b"), "").unwrap();
    let refused = ModelManifest::of_folder(dir.path(), &HashOptions::default());
    assert_eq!(refused, Err(SignError::Name { path: "a\\b".into() }));
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(
        ModelManifest::of_folder(empty.path(), &HashOptions::default()),
        Err(SignError::Empty)
    );
}

#[test]
fn keys_survive_pem() {
    let pem = key().to_pem();
    let back = SigningKey::from_pem(pem.expose()).unwrap();
    assert_eq!(back.verifying_key(), key().verifying_key());
    let public = key().verifying_key();
    assert_eq!(VerifyingKey::from_pem(&public.to_pem()).unwrap(), public);
    assert!(SigningKey::from_pem(&public.to_pem()).is_err());
    assert!(VerifyingKey::from_pem(pem.expose()).is_err());
    assert!(SigningKey::from_pem("-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----").is_err());
}

#[test]
fn ed25519_keys_that_anybody_can_sign_for_are_refused() {
    let mut refused = 0;
    let small = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        // Not canonical: p, p + 1, and 2^255 - 1.
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for hex in small {
        let mut bytes: Vec<u8> = (0..32)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        for sign in [0, 0x80] {
            bytes[31] = bytes[31] & 0x7f | sign;
            assert_eq!(
                VerifyingKey::from_public(KeyKind::Ed25519, &bytes),
                Err(VerifyError::Key),
                "{hex}"
            );
            refused += 1;
        }
    }
    assert_eq!(refused, 16);
    let good = key().verifying_key();
    assert!(VerifyingKey::from_public(KeyKind::Ed25519, good.public()).is_ok());
}

#[test]
fn a_cache_spares_unchanged_files_and_notices_changed_ones() {
    let dir = model();
    for options in [
        HashOptions::default(),
        HashOptions::default().with_shard_size(30_000),
    ] {
        let mut cache = HashCache::default();
        let first = ModelManifest::of_folder_cached(dir.path(), &options, &mut cache).unwrap();
        assert_eq!(cache.reused(), 0);
        let stored: HashCache = serde_json::from_str(&serde_json::to_string(&cache).unwrap()).unwrap();
        let mut cache = stored;
        assert_eq!(
            ModelManifest::of_folder_cached(dir.path(), &options, &mut cache).unwrap(),
            first
        );
        assert_eq!(cache.reused(), 3);
        fs::write(dir.path().join("config.json"), format!("{options:?}")).unwrap();
        let changed = ModelManifest::of_folder_cached(dir.path(), &options, &mut cache).unwrap();
        assert_eq!(cache.reused(), 2);
        assert_eq!(changed, ModelManifest::of_folder(dir.path(), &options).unwrap());
        fs::remove_file(dir.path().join("config.json")).unwrap();
        let fewer = ModelManifest::of_folder_cached(dir.path(), &options, &mut cache).unwrap();
        assert_eq!(fewer, ModelManifest::of_folder(dir.path(), &options).unwrap());
        fs::write(dir.path().join("config.json"), "{}").unwrap();
    }
}

#[test]
fn a_range_of_a_sealed_file_is_held_against_the_publisher() {
    let dir = model();
    let manifest = signed(&dir, &HashOptions::default().with_shard_size(30_000));
    let (plain, sealed) = (dir.path().join("sub/part-1"), dir.path().join("sealed"));
    seal_file(
        &plain,
        &sealed,
        &keyring(1),
        &SealOptions::default(),
        &mut seeded(2),
    )
    .unwrap();
    let file = SealedFile::open(&sealed, &keyring(1), &OpenOptions::default()).unwrap();
    for (from, len) in [
        (0, 10),
        (29_990, 20),
        (0, 100_000),
        (59_999, 30_002),
        (99_999, 1),
        (100_000, 0),
    ] {
        let mut out = vec![0; len];
        manifest
            .read_verified("sub/part-1", &file, from, &mut out)
            .unwrap();
        assert_eq!(out, &content(100_000)[from as usize..from as usize + len]);
    }
    let read = |name: &str, from| manifest.read_verified(name, &file, from, &mut [0; 10]);
    assert_eq!(read("other", 0), Err(RangeError::NotSigned));
    assert_eq!(read("config.json", 50_000), Err(RangeError::NotSigned));
    assert!(matches!(read("sub/part-1", 99_995), Err(RangeError::Open(_))));
    // Somebody with the key sealed something else: authentic, but not the publisher's.
    let mut forged = content(100_000);
    forged[70_000] ^= 1;
    fs::write(&plain, &forged).unwrap();
    seal_file(
        &plain,
        &sealed,
        &keyring(1),
        &SealOptions::default(),
        &mut seeded(3),
    )
    .unwrap();
    let file = SealedFile::open(&sealed, &keyring(1), &OpenOptions::default()).unwrap();
    let mut out = [9; 10];
    assert_eq!(
        manifest.read_verified("sub/part-1", &file, 75_000, &mut out),
        Err(RangeError::Mismatch)
    );
    assert_eq!(out, [0; 10]);
    assert_eq!(manifest.read_verified("sub/part-1", &file, 10, &mut out), Ok(()));
    let whole = signed(&dir, &HashOptions::default());
    assert_eq!(
        whole.read_verified("sub/part-1", &file, 0, &mut out),
        Err(RangeError::NotSigned)
    );
}

/// As the reference implementation writes them: the size of the pieces in their algorithm, and as a number with a fraction.
#[test]
fn pieces_are_read_as_the_reference_implementation_writes_them() {
    let dir = model();
    let bundle = ModelManifest::of_folder(dir.path(), &HashOptions::default().with_shard_size(30_000))
        .unwrap()
        .sign(&key())
        .unwrap();
    let ours = String::from_utf8(statement_of(&bundle)).unwrap();
    assert!(ours.contains(r#""algorithm":"sha256-sharded-30000""#), "{ours}");
    let take = |statement: &str| {
        ModelManifest::verify(
            bundle_of(statement.as_bytes(), &key()).as_bytes(),
            &key().verifying_key(),
        )
    };
    let size = r#""shard_size":30000"#;
    assert!(ours.contains(size));
    for good in [
        ours.clone(),
        ours.replace(size, r#""shard_size":30000.0"#),
        ours.replace("sha256-sharded-30000", "sha256"),
    ] {
        assert_eq!(take(&good).unwrap().shard_size(), Some(30_000));
    }
    for bad in [
        ours.replace(size, r#""shard_size":30000.5"#),
        ours.replace(size, r#""shard_size":0.0"#),
        ours.replace(size, r#""shard_size":1e300"#),
        ours.replace(size, r#""shard_size":-30000"#),
        ours.replace(size, r#""shard_size":"30000""#),
        ours.replace("sha256-sharded-30000", "sha256-sharded-40000"),
        ours.replace("sha256-sharded-30000", "blake3"),
    ] {
        assert_eq!(take(&bad), Err(VerifyError::Statement), "{bad}");
    }
}
