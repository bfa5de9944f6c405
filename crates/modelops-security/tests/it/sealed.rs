//! Sealed files: keys, options, rotation.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use modelops_security::keys::{
    AnyOf, DataKey, ExternalKeys, KeyProvider, Keyring, KeyringService, KmsProvider, Passphrase, PasswordKdf,
    Pbkdf2Hash,
};
use modelops_security::sealed::{
    ContentType, HeaderInfo, OpenOptions, OpenReader, SealOptions, SealReport, SealedFile, open_file,
    reseal_file, rewrap_file, seal_file, verify_file,
};
use modelops_security::{KeyError, OpenError, SealError};

use crate::{content, keyring, seeded};

pub(crate) struct Folder {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) plain: PathBuf,
    pub(crate) sealed: PathBuf,
}

pub(crate) fn folder(message: &[u8]) -> Folder {
    let dir = tempfile::tempdir().unwrap();
    let (plain, sealed) = (dir.path().join("plain"), dir.path().join("sealed"));
    fs::write(&plain, message).unwrap();
    Folder { dir, plain, sealed }
}

impl Folder {
    /// Seals the plain file for `keys`, with nothing chosen.
    pub(crate) fn seal(&self, keys: &dyn KeyProvider) -> SealReport {
        let options = SealOptions::default();
        seal_file(&self.plain, &self.sealed, keys, &options, &mut seeded(2)).unwrap()
    }
}

pub(crate) fn quick_passphrase(text: &str) -> Passphrase {
    let kdf = if cfg!(feature = "argon2") {
        PasswordKdf::Argon2id {
            memory_kib: 19 * 1024,
            passes: 2,
            lanes: 1,
        }
    } else {
        PasswordKdf::Pbkdf2 {
            hash: Pbkdf2Hash::Sha512,
            iterations: 220_000,
        }
    };
    Passphrase::new(text.to_owned()).unwrap().with_kdf(kdf).unwrap()
}

#[test]
fn a_file_comes_back_whole_private_and_with_its_header() {
    let f = folder(&content(3_000_000));
    let options = SealOptions::default()
        .with_context(b"m/1")
        .with_content_type(ContentType::Gguf);
    let report = seal_file(&f.plain, &f.sealed, &keyring(1), &options, &mut seeded(2)).unwrap();
    assert_eq!(report.content_len, 3_000_000);
    assert_eq!(report.sealed_len, fs::metadata(&f.sealed).unwrap().len());
    assert_eq!(
        fs::metadata(&f.sealed).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let back = f.dir.path().join("back");
    let opened = open_file(&f.sealed, &back, &keyring(1), &OpenOptions::default()).unwrap();
    assert_eq!(opened, report);
    assert_eq!(fs::read(&back).unwrap(), content(3_000_000));
    assert_eq!(fs::metadata(&back).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        verify_file(&f.sealed, &keyring(1), &OpenOptions::default()).unwrap(),
        report
    );
    let info = HeaderInfo::parse(&fs::read(&f.sealed).unwrap()).unwrap();
    assert_eq!(info, report.header);
    assert_eq!(
        (info.content_type, info.context.as_slice(), info.generation),
        (ContentType::Gguf, &b"m/1"[..], 1)
    );
    assert_eq!(
        fs::read_dir(f.dir.path()).unwrap().count(),
        3,
        "no temporary file is left"
    );
}

#[test]
fn another_keyring_context_or_generation_is_refused() {
    let f = folder(b"weights");
    let options = SealOptions::default().with_context(b"m/1");
    seal_file(&f.plain, &f.sealed, &keyring(1), &options, &mut seeded(2)).unwrap();
    let open = |seed, options: &OpenOptions| SealedFile::open(&f.sealed, &keyring(seed), options).map(|_| ());
    assert_eq!(open(9, &OpenOptions::default()), Err(OpenError::NoKey));
    assert_eq!(
        open(1, &OpenOptions::default().with_context(b"m/2")),
        Err(OpenError::WrongContext)
    );
    assert_eq!(open(1, &OpenOptions::default().with_context(b"m/1")), Ok(()));
    assert_eq!(
        open(1, &OpenOptions::default().with_min_generation(2)),
        Err(OpenError::RolledBack { found: 1, pinned: 2 })
    );
}

#[test]
fn a_passphrase_opens_with_either_derivation() {
    let pbkdf2 = PasswordKdf::Pbkdf2 {
        hash: Pbkdf2Hash::Sha256,
        iterations: 600_000,
    };
    let first = Passphrase::new("open sesame".to_owned())
        .unwrap()
        .with_kdf(pbkdf2)
        .unwrap();
    let f = folder(b"weights");
    f.seal(&first);
    let open = |text: &str| {
        SealedFile::open(&f.sealed, &quick_passphrase(text), &OpenOptions::default()).map(|_| ())
    };
    assert_eq!(open("open sesame"), Ok(()), "the slot says how it is derived");
    assert_eq!(open("open barley"), Err(OpenError::NoKey));
    seal_file(
        &f.plain,
        &f.sealed,
        &quick_passphrase("open sesame"),
        &SealOptions::default(),
        &mut seeded(3),
    )
    .unwrap();
    assert_eq!(open("open sesame"), Ok(()));
}

#[test]
fn weak_and_ruinous_derivations_are_refused() {
    for kdf in [
        PasswordKdf::Pbkdf2 {
            hash: Pbkdf2Hash::Sha256,
            iterations: 599_999,
        },
        PasswordKdf::Pbkdf2 {
            hash: Pbkdf2Hash::Sha512,
            iterations: u32::MAX,
        },
        PasswordKdf::Argon2id {
            memory_kib: 8,
            passes: 1,
            lanes: 1,
        },
        PasswordKdf::Argon2id {
            memory_kib: 512 * 1024,
            passes: 2,
            lanes: 1,
        },
        PasswordKdf::Argon2id {
            memory_kib: 65_536,
            passes: 3,
            lanes: 0,
        },
    ] {
        let passphrase = Passphrase::new("x".to_owned()).unwrap();
        assert_eq!(
            passphrase.with_kdf(kdf).unwrap_err(),
            KeyError::KdfOutOfRange,
            "{kdf:?}"
        );
    }
    assert_eq!(
        Passphrase::new(String::new()).unwrap_err(),
        KeyError::EmptyPassphrase
    );
}

#[test]
fn any_of_several_holders_opens_and_many_slots_grow_the_header() {
    let rings: Vec<Keyring> = (0..32).map(keyring).collect();
    let all = AnyOf(rings.iter().map(|ring| ring as _).collect());
    let f = folder(&content(50_000));
    let report = f.seal(&all);
    assert_eq!(report.header.slots.len(), 32);
    assert_eq!(report.header.header_len, 2 * 8192);
    for ring in &rings {
        let file = fs::File::open(&f.sealed).unwrap();
        let mut back = Vec::new();
        OpenReader::new(file, ring, &OpenOptions::default())
            .unwrap()
            .read_to_end(&mut back)
            .unwrap();
        assert_eq!(back, content(50_000));
    }
    let too_many: Vec<Keyring> = (0..33).map(keyring).collect();
    let all = AnyOf(too_many.iter().map(|ring| ring as _).collect());
    assert!(seal_file(&f.plain, &f.sealed, &all, &SealOptions::default(), &mut seeded(2)).is_err());
}

/// A key service that keeps its key in memory: XOR stands for its wrap, which commits to nothing.
struct Vault(u8);

impl KmsProvider for Vault {
    fn name(&self) -> &str {
        "test-vault"
    }

    fn wrap(&self, key_ref: &str, data_key: &DataKey, _: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(data_key
            .expose()
            .iter()
            .map(|b| b ^ self.0 ^ key_ref.len() as u8)
            .collect())
    }

    fn unwrap(&self, key_ref: &str, wrapped: &[u8], _: &[u8]) -> Result<Option<DataKey>, KeyError> {
        let bytes: Vec<u8> = wrapped.iter().map(|b| b ^ self.0 ^ key_ref.len() as u8).collect();
        Ok(bytes.try_into().ok().map(DataKey::from_bytes))
    }
}

#[test]
fn an_external_service_holds_the_key_and_the_header_commits_to_it() {
    let f = folder(b"weights");
    let vault = ExternalKeys::new(Vault(0x55), "projects/p/keys/k");
    f.seal(&vault);
    assert!(verify_file(&f.sealed, &vault, &OpenOptions::default()).is_ok());
    let other = ExternalKeys::new(Vault(0x56), "projects/p/keys/k");
    assert_eq!(
        verify_file(&f.sealed, &other, &OpenOptions::default()),
        Err(OpenError::Unauthentic)
    );
}

#[test]
fn a_keyring_can_stand_behind_the_trait_of_key_services() {
    let f = folder(b"weights");
    let mut ring = keyring(1);
    ring.rotate(&mut seeded(8)).unwrap();
    let reference = ring.id().to_string();
    let service = |ring: Keyring| ExternalKeys::new(KeyringService::new(ring, seeded(3)), reference.clone());
    let seal = |keys: &dyn KeyProvider| {
        seal_file(&f.plain, &f.sealed, keys, &SealOptions::default(), &mut seeded(2))
    };
    let keys = service(ring);
    seal(&keys).unwrap();
    assert!(verify_file(&f.sealed, &keys, &OpenOptions::default()).is_ok());
    // Another keyring, also under this name; the same keyring without the version; the file's own keyring, which is no service.
    let refused = |keys: &dyn KeyProvider| {
        verify_file(&f.sealed, keys, &OpenOptions::default()) == Err(OpenError::NoKey)
    };
    assert!(refused(&service(keyring(2))) && refused(&service(keyring(1))) && refused(&keyring(1)));
    let elsewhere = ExternalKeys::new(KeyringService::new(keyring(1), seeded(3)), "another-name");
    assert_eq!(seal(&elsewhere), Err(SealError::Key(KeyError::Refused)));
    let own = KeyringService::new(keyring(1), seeded(3));
    let data_key = DataKey::from_bytes([9; 32]);
    let wrapped = own.wrap(&reference, &data_key, b"file").unwrap();
    for bad in 0..wrapped.len() {
        let mut bytes = wrapped.clone();
        bytes[bad] ^= 1;
        assert!(
            own.unwrap(&reference, &bytes, b"file").unwrap().is_none(),
            "{bad}"
        );
        assert!(
            own.unwrap(&reference, &wrapped[..bad], b"file")
                .unwrap()
                .is_none()
        );
    }
    assert!(own.unwrap(&reference, &wrapped, b"other file").unwrap().is_none());
    let back = own.unwrap(&reference, &wrapped, b"file").unwrap().unwrap();
    assert_eq!(back.expose(), data_key.expose());
}

/// Rows of training data from the middle, while a chunk elsewhere is damaged: what is not touched is not read.
#[test]
fn a_cursor_reads_a_part_as_a_plain_file_would() {
    let rows: Vec<u8> = (0..20_000)
        .flat_map(|i| format!("{i},{}\n", i * i).into_bytes())
        .collect();
    let f = folder(&rows);
    f.seal(&keyring(1));
    let mut bytes = fs::read(&f.sealed).unwrap();
    bytes[8192 + 56 + 100] ^= 1;
    fs::write(&f.sealed, bytes).unwrap();
    let file = SealedFile::open(&f.sealed, &keyring(1), &OpenOptions::default()).unwrap();
    let mut plain = std::io::Cursor::new(&rows);
    let mut sealed = file.cursor();
    for to in [
        SeekFrom::Start(40_000),
        SeekFrom::Current(-9_000),
        SeekFrom::End(-20_000),
        SeekFrom::End(0),
        SeekFrom::Start(1 << 40),
        SeekFrom::Current(i64::MIN),
        SeekFrom::End(-20_000),
    ] {
        let (place, same) = (plain.seek(to), sealed.seek(to));
        assert_eq!(place.as_ref().ok(), same.as_ref().ok(), "{to:?}");
        for len in [0, 1, 7, 17_000] {
            let (mut a, mut b) = (vec![0; len], vec![0; len]);
            let (read, same) = (plain.read(&mut a).unwrap(), sealed.read(&mut b).unwrap());
            assert_eq!((read, a), (same, b), "{to:?} {len}");
        }
    }
    sealed.seek(SeekFrom::Start(3)).unwrap();
    assert_eq!(
        sealed.read(&mut [0; 10]).unwrap_err().kind(),
        std::io::ErrorKind::InvalidData
    );
}

#[test]
fn rewrapping_changes_the_header_alone_and_the_old_key_stops() {
    let f = folder(&content(500_000));
    let mut ring = keyring(1);
    f.seal(&ring);
    let before = fs::read(&f.sealed).unwrap();
    ring.rotate(&mut seeded(3)).unwrap();
    let header = rewrap_file(&f.sealed, &ring, &ring, &mut seeded(4)).unwrap();
    assert_eq!(header.generation, 2);
    let after = fs::read(&f.sealed).unwrap();
    assert_eq!(before[8192..], after[8192..]);
    assert_ne!(before[..8192], after[..8192]);
    ring.destroy(1).unwrap();
    assert!(verify_file(&f.sealed, &ring, &OpenOptions::default().with_min_generation(2)).is_ok());
    assert_eq!(
        verify_file(&f.sealed, &keyring(1), &OpenOptions::default()),
        Err(OpenError::NoKey)
    );
}

#[test]
fn a_rewrap_that_stops_anywhere_leaves_a_file_that_opens() {
    let f = folder(b"weights");
    let mut ring = keyring(1);
    let old = keyring(1);
    f.seal(&ring);
    let before = fs::read(&f.sealed).unwrap();
    ring.rotate(&mut seeded(3)).unwrap();
    rewrap_file(&f.sealed, &ring, &ring, &mut seeded(4)).unwrap();
    let after = fs::read(&f.sealed).unwrap();
    ring.disable(1).unwrap();
    let opens = |bytes: &[u8], ring: &Keyring| {
        let mut back = Vec::new();
        OpenReader::new(bytes, ring, &OpenOptions::default())
            .is_ok_and(|mut r| r.read_to_end(&mut back).is_ok())
    };
    // The second copy is written first, then the first one; a write may stop at any byte.
    let mut torn = before;
    assert!(opens(&torn, &old) && !opens(&torn, &ring));
    for at in (4096..8192).chain(0..4096) {
        torn[at] = after[at];
        assert!(
            opens(&torn, &old) || opens(&torn, &ring),
            "stopped behind byte {at}"
        );
        if at == 8191 {
            assert!(
                opens(&torn, &old) && opens(&torn, &ring),
                "between the writes both open"
            );
        }
    }
    assert!(!opens(&torn, &old) && opens(&torn, &ring));
}

#[test]
fn an_interrupted_rewrap_is_finished_by_the_next() {
    let f = folder(b"weights");
    let mut ring = keyring(1);
    f.seal(&ring);
    let before = fs::read(&f.sealed).unwrap();
    ring.rotate(&mut seeded(3)).unwrap();
    rewrap_file(&f.sealed, &ring, &ring, &mut seeded(4)).unwrap();
    // As if the machine had stopped between the two writes.
    let mut half = fs::read(&f.sealed).unwrap();
    half[..4096].copy_from_slice(&before[..4096]);
    fs::write(&f.sealed, &half).unwrap();
    ring.rotate(&mut seeded(5)).unwrap();
    let header = rewrap_file(&f.sealed, &ring, &ring, &mut seeded(6)).unwrap();
    assert_eq!(header.generation, 3);
    let bytes = fs::read(&f.sealed).unwrap();
    assert_eq!(bytes[..4096], bytes[4096..8192]);
    assert_eq!(
        verify_file(&f.sealed, &keyring(1), &OpenOptions::default()),
        Err(OpenError::NoKey)
    );
}

#[test]
fn resealing_takes_a_new_data_key() {
    let f = folder(&content(2_500_000));
    f.seal(&keyring(1));
    let target = f.dir.path().join("resealed");
    let options = SealOptions::default().with_context(b"new");
    let report = reseal_file(
        (&f.sealed, &keyring(1), &OpenOptions::default()),
        (&target, &keyring(5), &options),
        &mut seeded(6),
    )
    .unwrap();
    assert_eq!(report.content_len, 2_500_000);
    let back = f.dir.path().join("back");
    open_file(
        &target,
        &back,
        &keyring(5),
        &OpenOptions::default().with_context(b"new"),
    )
    .unwrap();
    assert_eq!(fs::read(back).unwrap(), content(2_500_000));
    let (old, new) = (fs::read(&f.sealed).unwrap(), fs::read(&target).unwrap());
    assert_ne!(old[8192 + 56..8192 + 100], new[8192 + 56..8192 + 100]);
}

#[test]
fn a_keyring_survives_its_file_and_nobody_else_may_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keyring");
    let f = folder(b"weights");
    let mut ring = keyring(1);
    f.seal(&ring);
    ring.rotate(&mut seeded(3)).unwrap();
    ring.rotate(&mut seeded(4)).unwrap();
    ring.destroy(2).unwrap();
    ring.save(&path, &quick_passphrase("p"), &mut seeded(5)).unwrap();
    let loaded = Keyring::load(&path, &quick_passphrase("p")).unwrap();
    assert_eq!(format!("{loaded:?}"), format!("{ring:?}"));
    assert!(verify_file(&f.sealed, &loaded, &OpenOptions::default()).is_ok());
    assert_eq!(
        Keyring::load(&path, &quick_passphrase("q")).unwrap_err(),
        KeyError::Refused
    );
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert_eq!(
        Keyring::load(&path, &quick_passphrase("p")).unwrap_err(),
        KeyError::Refused
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let refused = Keyring::load(&path, &quick_passphrase("p")).unwrap_err();
    assert_eq!(refused, KeyError::Permissions { path });
}

#[test]
fn versions_are_enabled_disabled_and_destroyed() {
    let mut ring = keyring(1);
    assert_eq!(ring.disable(1), Err(KeyError::Primary(1)));
    assert_eq!(ring.rotate(&mut seeded(2)).unwrap(), 2);
    ring.disable(1).unwrap();
    ring.enable(1).unwrap();
    ring.destroy(1).unwrap();
    assert_eq!(ring.enable(1), Err(KeyError::Destroyed(1)));
    assert_eq!(ring.destroy(3), Err(KeyError::UnknownVersion(3)));
}
