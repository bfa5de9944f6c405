//! Parts of a sealed file, and of a file of a signed model.

use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt;

use modelops_benches::Comparison;
use modelops_security::keys::Keyring;
use modelops_security::sealed::{OpenOptions, SealOptions, SealedFile, seal_file};
use modelops_security::sign::{HashOptions, ModelManifest, SigningKey};
use modelops_security::{InsecureSeededRandom, SystemRandom};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::{MIB, bytes, folder};

pub(crate) fn ranges(run: &mut Comparison) {
    let (small, large, open, held) = (
        "read 4 KiB at random from a sealed file",
        "read 1 MiB at random from a sealed file",
        "open a sealed file of 256 MiB for reading",
        "read 16 MiB of a sealed file held against its publisher",
    );
    if ![small, large, open, held].iter().any(|name| run.wants(name)) {
        return;
    }
    let len = 256 * MIB;
    let dir = folder();
    let (plain, sealed) = (dir.path().join("plain"), dir.path().join("sealed"));
    fs::write(&plain, bytes(len)).unwrap();
    let keyring = Keyring::generate(&mut InsecureSeededRandom::new(1)).unwrap();
    seal_file(
        &plain,
        &sealed,
        &keyring,
        &SealOptions::default(),
        &mut SystemRandom::new(),
    )
    .unwrap();
    let file = SealedFile::open(&sealed, &keyring, &OpenOptions::default()).unwrap();
    let raw = File::open(&plain).unwrap();
    let alone = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    for (name, size, reads) in [(small, 4096, 20_000), (large, MIB, 500)] {
        // One permutation of the places, the same for both.
        let place = |i: usize| ((i * 7_919) % (len / size) * size) as u64;
        run.case(name)
            .ours(|| {
                let mut out = vec![0; size];
                let sum = |i| {
                    file.read_at(&mut out, place(i)).unwrap();
                    u64::from(out[size / 2])
                };
                (0..reads).map(sum).sum::<u64>()
            })
            .peer("pread of a plain file", || {
                let mut out = vec![0; size];
                let sum = |i| {
                    raw.read_exact_at(&mut out, place(i)).unwrap();
                    u64::from(out[size / 2])
                };
                (0..reads).map(sum).sum::<u64>()
            })
            .peer("pread of a plain file, and ring alone on what was read", || {
                let mut out = vec![0; size];
                let sum = |i| {
                    raw.read_exact_at(&mut out, place(i)).unwrap();
                    let read = u64::from(out[size / 2]);
                    for chunk in out.chunks_mut(16 << 10) {
                        let nonce = Nonce::assume_unique_for_key([0; 12]);
                        let tag = alone.seal_in_place_separate_tag(nonce, Aad::empty(), chunk);
                        black_box(tag.unwrap().as_ref()[0]);
                    }
                    read
                };
                (0..reads).map(sum).sum::<u64>()
            })
            .agree(|ours, theirs| ours == theirs)
            .per("read", reads)
            .run();
    }
    let demand = OpenOptions::default();
    run.case(open)
        .ours(|| {
            (0..1000)
                .filter(|_| SealedFile::open(&sealed, &keyring, &demand).is_ok())
                .count()
        })
        .per("file", 1000)
        .run();
    let signing = SigningKey::generate_ed25519(&mut InsecureSeededRandom::new(2)).unwrap();
    fs::create_dir(dir.path().join("model")).unwrap();
    fs::rename(&plain, dir.path().join("model/plain")).unwrap();
    let pieces = HashOptions::default().with_shard_size(16 * MIB as u64);
    let manifest = ModelManifest::of_folder(&dir.path().join("model"), &pieces).unwrap();
    let bundle = manifest.sign(&signing).unwrap();
    let manifest = ModelManifest::verify(bundle.as_bytes(), &signing.verifying_key()).unwrap();
    let place = 32 * MIB as u64;
    run.case(held)
        .ours(|| {
            let mut out = vec![0; 16 * MIB];
            manifest.read_verified("plain", &file, place, &mut out).unwrap();
            out[MIB]
        })
        .peer("the same read, and SHA-256 of ring alone", || {
            let mut out = vec![0; 16 * MIB];
            file.read_at(&mut out, place).unwrap();
            black_box(ring::digest::digest(&ring::digest::SHA256, &out));
            out[MIB]
        })
        .agree(|ours, theirs| ours == theirs)
        .per("byte", 16 * MIB)
        .run();
}
