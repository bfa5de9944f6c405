//! Side-by-side runs of `modelops-security` against its peers.
//!
//! Files lie in memory (`/dev/shm` where it is there), so that the disk does not speak. Compare the processor times.
#![allow(clippy::unwrap_used, reason = "a failed set-up ends the run")]

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use modelops_benches::{Better, Comparison, workspace_root};
use modelops_security::audit::{AuditLog, leaf_hash, verify_inclusion};
use modelops_security::auth::{
    ApiKeyGrant, ApiKeys, Jwk, JwtIssuer, JwtVerifier, Pepper, Policy, ReplayCache, RequestSigner,
    RequestVerifier, Scope, SignedHeaders, UnixSeconds,
};
use modelops_security::chunked::{self, InputKey, Suite};
use modelops_security::keys::Keyring;
use modelops_security::quota::{Limit, QuotaLedger};
use modelops_security::sealed::{OpenOptions, SealOptions, SealedFile, open_file, seal_file, verify_file};
use modelops_security::sign::{HashOptions, ModelManifest, SigningKey, VerifyingKey};
use modelops_security::{InsecureSeededRandom, SystemRandom};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

const MIB: usize = 1 << 20;

fn main() {
    let mut run = Comparison::from_args("security");
    in_place(&mut run);
    in_memory(&mut run);
    files(&mut run);
    disk(&mut run);
    ranges(&mut run);
    callers(&mut run);
    requests(&mut run);
    proofs(&mut run);
    folders(&mut run);
    bundles(&mut run);
    run.finish();
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len as u64)
        .map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u8)
        .collect()
}

fn key() -> InputKey {
    InputKey::new(Suite::Cobblestone256, &[7; 32]).unwrap()
}

fn in_place(run: &mut Comparison) {
    let name = "seal 64 MiB in place";
    if !run.wants(name) {
        return;
    }
    let (mut ours, mut theirs) = (bytes(64 * MIB), bytes(64 * MIB));
    let raw = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    run.case(name)
        .ours(|| {
            chunked::seal_in_place(&key(), b"", &mut ours, &mut SystemRandom::new()).unwrap();
        })
        .peer("ring 0.17 alone, 16 KiB calls", || {
            for (i, chunk) in theirs.chunks_mut(16 << 10).enumerate() {
                let mut nonce = [0; 12];
                nonce[4..].copy_from_slice(&(i as u64).to_be_bytes());
                let nonce = Nonce::assume_unique_for_key(nonce);
                let tag = raw
                    .seal_in_place_separate_tag(nonce, Aad::empty(), chunk)
                    .unwrap();
                black_box(tag.as_ref()[0]);
            }
        })
        .per("byte", 64 * MIB)
        .rounds(15)
        .run();
}

fn in_memory(run: &mut Comparison) {
    let (seal, open) = (
        "seal 64 MiB from memory to memory",
        "open 64 MiB from memory to memory",
    );
    if !run.wants(seal) && !run.wants(open) {
        return;
    }
    let message = bytes(64 * MIB);
    let room = chunked::sealed_len(message.len() as u64).unwrap() as usize;
    let mut ours = vec![0; room];
    let (mut stone, mut aged) = (Vec::with_capacity(room + MIB), Vec::with_capacity(room + MIB));
    let stone_key = cobblestone::Key256::from_bytes(&[7; 32]);
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public();
    run.case(seal)
        .ours(|| chunked::seal_into(&key(), b"", &message, &mut ours, &mut SystemRandom::new()).unwrap())
        .peer("cobblestone 0.2", || {
            stone.clear();
            let mut writer = cobblestone::EncryptWriter::new(&stone_key, b"", &mut stone);
            message
                .chunks(MIB)
                .for_each(|part| writer.write_all(part).unwrap());
            writer.finish().unwrap();
        })
        .peer("age 0.12 (X25519, ChaCha20-Poly1305)", || {
            aged.clear();
            let recipients = std::iter::once(&recipient as &dyn age::Recipient);
            let mut writer = age::Encryptor::with_recipients(recipients)
                .unwrap()
                .wrap_output(&mut aged)
                .unwrap();
            message
                .chunks(MIB)
                .for_each(|part| writer.write_all(part).unwrap());
            writer.finish().unwrap();
        })
        .per("byte", message.len())
        .run();
    chunked::seal_into(&key(), b"", &message, &mut ours, &mut SystemRandom::new()).unwrap();
    let mut back = vec![0; message.len()];
    let (mut stone_back, mut age_back) = (vec![0; message.len()], vec![0; message.len()]);
    if stone.is_empty() || aged.is_empty() {
        return;
    }
    run.case(open)
        .ours(|| chunked::open_into(&key(), b"", &ours, &mut back).unwrap())
        .peer("cobblestone 0.2", || {
            let mut reader = cobblestone::DecryptReader::new(&stone_key, b"", stone.as_slice());
            reader.read_exact(&mut stone_back).unwrap();
        })
        .peer("age 0.12 (X25519, ChaCha20-Poly1305)", || {
            let decryptor = age::Decryptor::new(aged.as_slice()).unwrap();
            let mut reader = decryptor
                .decrypt(std::iter::once(&identity as &dyn age::Identity))
                .unwrap();
            reader.read_exact(&mut age_back).unwrap();
        })
        .per("byte", message.len())
        .run();
}

/// A folder in memory where there is one.
fn folder() -> tempfile::TempDir {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() {
        tempfile::tempdir_in(shm).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// Removes every file but those named, so that each round writes a new file in the same free memory, whoever wrote there before: how the
/// pages of memory happen to lie makes a fifth of the time of a copy. What the system does with the old files is nobody's time.
fn keep_only(folder: &Path, names: &[&str]) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if !names.iter().any(|name| entry.file_name() == *name) {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

fn copy(from: &Path, to: &Path, mut each: impl FnMut(&[u8], &mut dyn Write)) -> File {
    let (mut input, mut output) = (File::open(from).unwrap(), File::create(to).unwrap());
    let mut buffer = vec![0; MIB];
    loop {
        let n = input.read(&mut buffer).unwrap();
        if n == 0 {
            return output;
        }
        each(&buffer[..n], &mut output);
    }
}

fn files(run: &mut Comparison) {
    let len = 256 * MIB;
    let (seal, open, two, written, check) = (
        "seal a file of 256 MiB",
        "open a file of 256 MiB",
        "seal a file of 256 MiB with two threads",
        "only write 256 MiB into one file with two threads",
        "verify a file of 256 MiB with two threads",
    );
    if ![seal, open, two, written, check]
        .iter()
        .any(|name| run.wants(name))
    {
        return;
    }
    let dir = folder();
    let path = |name: &str| -> PathBuf { dir.path().join(name) };
    let (plain, sealed, stone, aged) = (path("plain"), path("ours"), path("stone"), path("age"));
    fs::write(&plain, bytes(len)).unwrap();
    let keyring = Keyring::generate(&mut InsecureSeededRandom::new(1)).unwrap();
    let one = SealOptions::default().with_threads(NonZeroUsize::MIN);
    let stone_key = cobblestone::Key256::from_bytes(&[7; 32]);
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public();
    let seal_ours = || drop(seal_file(&plain, &sealed, &keyring, &one, &mut SystemRandom::new()).unwrap());
    let seal_stone = || {
        let output = File::create(&stone).unwrap();
        let mut writer = cobblestone::EncryptWriter::new(&stone_key, b"", output);
        let mut input = File::open(&plain).unwrap();
        let mut buffer = vec![0; MIB];
        while let n @ 1.. = input.read(&mut buffer).unwrap() {
            writer.write_all(&buffer[..n]).unwrap();
        }
        writer.finish().unwrap();
    };
    let seal_age = || {
        let output = File::create(&aged).unwrap();
        let recipients = std::iter::once(&recipient as &dyn age::Recipient);
        let mut writer = age::Encryptor::with_recipients(recipients)
            .unwrap()
            .wrap_output(output)
            .unwrap();
        let mut input = File::open(&plain).unwrap();
        let mut buffer = vec![0; MIB];
        while let n @ 1.. = input.read(&mut buffer).unwrap() {
            writer.write_all(&buffer[..n]).unwrap();
        }
        writer.finish().unwrap();
    };
    let clear = || keep_only(dir.path(), &["plain"]);
    run.case(seal)
        .ours_with(clear, |()| seal_ours())
        .peer_with("copy, 1 MiB reads and writes", clear, |()| {
            drop(copy(&plain, &path("copy"), |part, out| {
                out.write_all(part).unwrap();
            }));
        })
        .peer_with("cobblestone 0.2", clear, |()| seal_stone())
        .peer_with("age 0.12", clear, |()| seal_age())
        .per("byte", len)
        .run();
    clear();
    seal_ours();
    seal_stone();
    seal_age();
    let clear_copies = || keep_only(dir.path(), &["plain", "ours", "stone", "age"]);
    let demand = OpenOptions::default().with_threads(NonZeroUsize::MIN);
    run.case(open)
        .ours_with(clear_copies, |()| {
            drop(open_file(&sealed, &path("back"), &keyring, &demand).unwrap());
        })
        .peer_with("copy, 1 MiB reads and writes", clear_copies, |()| {
            drop(copy(&plain, &path("copy"), |part, out| {
                out.write_all(part).unwrap();
            }));
        })
        .peer_with("cobblestone 0.2", clear_copies, |()| {
            let input = File::open(&stone).unwrap();
            let mut reader = cobblestone::DecryptReader::new(&stone_key, b"", input);
            let mut output = File::create(path("back-stone")).unwrap();
            let mut buffer = vec![0; MIB];
            while let n @ 1.. = reader.read(&mut buffer).unwrap() {
                output.write_all(&buffer[..n]).unwrap();
            }
        })
        .peer_with("age 0.12", clear_copies, |()| {
            let decryptor = age::Decryptor::new(File::open(&aged).unwrap()).unwrap();
            let mut reader = decryptor
                .decrypt(std::iter::once(&identity as &dyn age::Identity))
                .unwrap();
            let mut output = File::create(path("back-age")).unwrap();
            let mut buffer = vec![0; MIB];
            while let n @ 1.. = reader.read(&mut buffer).unwrap() {
                output.write_all(&buffer[..n]).unwrap();
            }
        })
        .per("byte", len)
        .run();
    let both = SealOptions::default().with_threads(NonZeroUsize::new(2).unwrap());
    run.case(two)
        .ours_with(clear, |()| {
            drop(seal_file(&plain, &sealed, &keyring, &both, &mut SystemRandom::new()).unwrap());
        })
        .peer_with("ours with one thread", clear, |()| seal_ours())
        .per("byte", len)
        .run();
    // Without sealing: what the system makes of two threads that write into one file.
    let block = bytes(MIB / 4);
    let write = |threads: usize| {
        let output = File::create(path("written")).unwrap();
        let next = AtomicU64::new(0);
        let work = || {
            while let at @ 0..1024 = next.fetch_add(1, Ordering::Relaxed) {
                output.write_all_at(&block, at * block.len() as u64).unwrap();
            }
        };
        std::thread::scope(|scope| {
            (1..threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
    };
    run.case(written)
        .ours_with(clear, |()| write(2))
        .peer_with("with one thread", clear, |()| write(1))
        .per("byte", len)
        .run();
    // Without writes: what the threads do by themselves.
    seal_ours();
    let demand_two = OpenOptions::default().with_threads(NonZeroUsize::new(2).unwrap());
    let verify = |demand| verify_file(&sealed, &keyring, demand).unwrap().content_len;
    run.case(check)
        .ours(|| verify(&demand_two))
        .peer("ours with one thread", || verify(&demand))
        .agree(|ours, theirs| ours == theirs)
        .per("byte", len)
        .run();
}

/// On the disk that this workspace lies on, to the end: what is measured is on the disk, not in memory on its way there.
fn disk(run: &mut Comparison) {
    let name = "seal a file of 256 MiB onto a disk, past the page cache";
    if !run.wants(name) {
        return;
    }
    let len = 256 * MIB;
    let target = workspace_root().join("target");
    fs::create_dir_all(&target).unwrap();
    let dir = tempfile::tempdir_in(target).unwrap();
    let (plain, sealed, copied) = (
        dir.path().join("plain"),
        dir.path().join("ours"),
        dir.path().join("copy"),
    );
    fs::write(&plain, bytes(len)).unwrap();
    let keyring = Keyring::generate(&mut InsecureSeededRandom::new(1)).unwrap();
    let seal = |direct, threads| {
        let options = SealOptions::default()
            .with_direct_writes(direct)
            .with_threads(NonZeroUsize::new(threads).unwrap());
        drop(seal_file(&plain, &sealed, &keyring, &options, &mut SystemRandom::new()).unwrap());
    };
    let clear = || {
        keep_only(dir.path(), &["plain"]);
        File::open(dir.path()).unwrap().sync_all().unwrap();
    };
    run.case(name)
        .ours_with(clear, |()| seal(true, 1))
        .peer_with("ours with two threads", clear, |()| seal(true, 2))
        .peer_with("ours through the page cache", clear, |()| seal(false, 1))
        .peer_with("copy, 1 MiB reads and writes, then synced", clear, |()| {
            let output = copy(&plain, &copied, |part, out| out.write_all(part).unwrap());
            output.sync_all().unwrap();
        })
        .per("byte", len)
        .run();
}

fn ranges(run: &mut Comparison) {
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

fn callers(run: &mut Comparison) {
    let name = "authenticate an API key among a million";
    if !run.wants(name) {
        return;
    }
    let mut random = InsecureSeededRandom::new(1);
    let now = UnixSeconds(1_700_000_000);
    let keys = ApiKeys::new("live", &Pepper::generate(&mut random).unwrap()).unwrap();
    let grant = ApiKeyGrant::new("principal");
    let issue = |_| {
        keys.issue(&grant, now, &mut random)
            .unwrap()
            .token
            .expose()
            .clone()
    };
    let issued: Vec<String> = (0..1_000_000).map(issue).collect();
    // The keys are asked for in another order than they were issued in, so the store is cold; a request was just read, so it is not.
    let tokens: Vec<String> = (0..issued.len())
        .map(|i| issued[i * 7_919 % issued.len()].clone())
        .collect();
    drop(issued);
    let pepper = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[1; 32]);
    run.case(name)
        .ours(|| {
            let known = |token: &&String| keys.authenticate(token, now).is_ok();
            tokens.iter().filter(known).count()
        })
        .peer("HMAC-SHA-256 of the token alone, ring 0.17", || {
            let hashed = |token: &&String| {
                black_box(ring::hmac::sign(&pepper, token.as_bytes()))
                    .as_ref()
                    .len()
                    == 32
            };
            tokens.iter().filter(hashed).count()
        })
        .per("key", tokens.len())
        .value("keys accepted", "keys", Better::Higher, |n| *n as f64)
        .run();
}

/// A token, a signed request, a quota, a decision and an entry of the audit log: what a request costs besides its key.
fn requests(run: &mut Comparison) {
    let now = UnixSeconds(1_700_000_000);
    let signing = SigningKey::generate_ed25519(&mut InsecureSeededRandom::new(1)).unwrap();
    let public = signing.verifying_key();
    let issuer = JwtIssuer::new(signing, "k", "iss").unwrap();
    // Far enough away for a peer that reads the clock.
    let token = issuer.issue("user", "aud", now, 10_000_000_000).unwrap();
    let verifier = JwtVerifier::new(Jwk::from_verifying_key("k", &public), "iss", "aud");
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let raw = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref());
    let signed = token.rsplit_once('.').unwrap().0;
    let signature = pair.sign(signed.as_bytes());
    run.case("verify an EdDSA token")
        .ours(|| (0..1000).filter(|_| verifier.verify(&token, now).is_ok()).count())
        .peer("the Ed25519 signature alone, ring 0.17", || {
            (0..1000)
                .filter(|_| raw.verify(signed.as_bytes(), signature.as_ref()).is_ok())
                .count()
        })
        .python("PyJWT 2.15.1", "verify_jwt.py", &[&token, &public.to_pem()])
        .agree(|ours, theirs| ours == theirs)
        .per("token", 1000)
        .run();

    let name = "verify a signed request with a nonce, HMAC-SHA-256";
    if run.wants(name) {
        let signer = RequestSigner::hmac("gateway", &[7; 32]).unwrap();
        let mut random = InsecureSeededRandom::new(2);
        let url = "https://api.example/v1/infer";
        let body = br#"{"prompt":"hello"}"#;
        let mut sign = |_| signer.sign("POST", url, body, now, &mut random).unwrap();
        let requests: Vec<_> = (0..100_000).map(&mut sign).collect();
        let pepper = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[7; 32]);
        let base = [b'x'; 300];
        run.case(name)
            .ours_with(
                || {
                    let mut verifier = RequestVerifier::new(ReplayCache::new(200_000));
                    verifier.trust_hmac("gateway", &[7; 32]).unwrap();
                    verifier
                },
                |mut verifier| {
                    let fine =
                        |headers: &&SignedHeaders| verifier.verify("POST", url, body, headers, now).is_ok();
                    requests.iter().filter(fine).count()
                },
            )
            .peer("HMAC-SHA-256 of 300 bytes alone, ring 0.17", || {
                (0..100_000)
                    .filter(|_| {
                        black_box(ring::hmac::sign(&pepper, black_box(&base)))
                            .as_ref()
                            .len()
                            == 32
                    })
                    .count()
            })
            .agree(|ours, theirs| ours == theirs)
            .per("request", 100_000)
            .run();
    }

    let ledger = QuotaLedger::new();
    ledger.set_limit("team", Limit::new(u64::MAX / 4, 3600).unwrap());
    let plain = std::sync::Mutex::new(0_u64);
    run.case("reserve and settle a quota")
        .ours(|| {
            (0..1_000_000_u64)
                .map(|_| {
                    ledger.reserve("team", 100, now).unwrap().settle(60, now);
                    60
                })
                .sum::<u64>()
        })
        .peer("a number behind one lock, taken twice", || {
            (0..1_000_000_u64)
                .map(|_| {
                    *black_box(&plain).lock().unwrap() += 100;
                    *black_box(&plain).lock().unwrap() -= 40;
                    60
                })
                .sum()
        })
        .agree(|ours, theirs| ours == theirs)
        .per("reservation", 1_000_000)
        .run();

    let mut policy = Policy::default();
    for role in 0..3 {
        policy.grant(
            format!("role-{role}"),
            Scope::new(format!("model:m{role}:infer")).unwrap(),
        );
        policy.assign("team", format!("role-{role}"));
    }
    let wanted = Scope::new("model:m2:infer").unwrap();
    run.case("decide by the last of three roles")
        .ours(|| {
            (0..100_000)
                .filter(|_| policy.decide("team", &[], black_box(&wanted)).is_allowed())
                .count()
        })
        .per("decision", 100_000)
        .run();

    let entry = [5; 200];
    let dir = folder();
    let path = dir.path().join("audit");
    let (leaf, half) = ([0; 201], [1; 65]);
    for (name, on_file) in [
        ("append 200 bytes to an audit log in memory", false),
        ("append 200 bytes to an audit log in a file", true),
    ] {
        run.case(name)
            .ours_with(
                || {
                    let _ = fs::remove_file(&path);
                    if on_file {
                        AuditLog::open(&path, "o").unwrap()
                    } else {
                        AuditLog::in_memory("o")
                    }
                },
                |mut log| {
                    (0..100_000).for_each(|_| assert!(log.append(&entry).is_ok()));
                    log.len()
                },
            )
            .peer("the two hashes of an entry alone, ring 0.17", || {
                (0..100_000_u64)
                    .filter(|_| {
                        let leaf = ring::digest::digest(&ring::digest::SHA256, black_box(&leaf));
                        let node = ring::digest::digest(&ring::digest::SHA256, black_box(&half));
                        leaf.as_ref().len() + node.as_ref().len() == 64
                    })
                    .count() as u64
            })
            .agree(|ours, theirs| ours == theirs)
            .per("entry", 100_000)
            .run();
    }
}

/// One entry of a long log, for somebody who has nothing but a signed checkpoint.
fn proofs(run: &mut Comparison) {
    let name = "verify an inclusion proof among a million entries";
    if !run.wants(name) {
        return;
    }
    let mut log = AuditLog::in_memory("o");
    (0..1_000_000_u64).for_each(|i| assert!(log.append(&i.to_be_bytes()).is_ok()));
    let (place, size) = (654_321, log.len());
    let (proof, root) = (log.inclusion_proof(place, size).unwrap(), log.checkpoint().root);
    let leaf = leaf_hash(&place.to_be_bytes());
    run.case(name)
        .ours(|| {
            (0..10_000)
                .filter(|_| verify_inclusion(black_box(&leaf), place, size, &proof, &root))
                .count()
        })
        .peer("the hashes of its nodes alone, ring 0.17", || {
            let node = [1; 65];
            let hash = |_: &i32| {
                proof.iter().all(|_| {
                    ring::digest::digest(&ring::digest::SHA256, black_box(&node))
                        .as_ref()
                        .len()
                        == 32
                })
            };
            (0..10_000).filter(hash).count()
        })
        .agree(|ours, theirs| ours == theirs)
        .per("proof", 10_000)
        .run();
}

fn folders(run: &mut Comparison) {
    let name = "hash a model folder of two files of 256 MiB";
    if !run.wants(name) {
        return;
    }
    let dir = folder();
    for file in ["a", "b"] {
        fs::write(dir.path().join(file), bytes(256 * MIB)).unwrap();
    }
    let folder = dir.path().to_str().unwrap();
    run.case(name)
        .ours(|| {
            let manifest = ModelManifest::of_folder(dir.path(), &HashOptions::default()).unwrap();
            manifest
                .resources()
                .iter()
                .map(|r| u64::from(r.sha256[0]))
                .sum::<u64>()
        })
        .python("model-signing 1.1.1", "hash_folder.py", &[folder])
        .agree(|ours, theirs| ours == theirs)
        .per("byte", 512 * MIB)
        .run();
}

/// Bundles of ours for the other tool, and its bundles for us: each side has eight questions, half of them about a changed model.
fn bundles(run: &mut Comparison) {
    let name = "OpenSSF bundles of P-256 and P-384, whole files and pieces, both ways";
    if !run.wants(name) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (side, last) in [("good", 0), ("changed", 1)] {
        let model = dir.path().join(side).join("model");
        fs::create_dir_all(model.join("sub")).unwrap();
        fs::write(model.join("config.json"), "{}").unwrap();
        let mut weights = bytes(100_000);
        weights[99_999] ^= last;
        fs::write(model.join("sub").join("weights"), weights).unwrap();
    }
    let read = |name: String| fs::read_to_string(dir.path().join(name)).unwrap();
    let ask = || {
        let mut right = 0;
        // The peer makes the keys: without it there is nothing to ask.
        if !dir.path().join("p256.pem").exists() {
            return right;
        }
        for curve in ["p256", "p384"] {
            let signer = SigningKey::from_pem(&read(format!("{curve}.pem"))).unwrap();
            let public = VerifyingKey::from_pem(&read(format!("{curve}-pub.pem"))).unwrap();
            for method in ["files", "shards"] {
                let (good, changed) = (dir.path().join("good/model"), dir.path().join("changed/model"));
                let mut options = HashOptions::default();
                if method == "shards" {
                    options = options.with_shard_size(30_000);
                }
                let ours = ModelManifest::of_folder(&good, &options)
                    .unwrap()
                    .sign(&signer)
                    .unwrap();
                fs::write(dir.path().join(format!("ours-{curve}-{method}.sig")), ours).unwrap();
                let theirs = read(format!("theirs-{curve}-{method}.sig"));
                let theirs = ModelManifest::verify(theirs.as_bytes(), &public).unwrap();
                right += u32::from(theirs.check(&good, &HashOptions::default()).is_ok());
                right += u32::from(theirs.check(&changed, &HashOptions::default()).is_err());
            }
        }
        right
    };
    run.case(name)
        .ours(ask)
        .python(
            "model-signing 1.1.1",
            "bundles.py",
            &[dir.path().to_str().unwrap()],
        )
        .agree(|ours, theirs| (*ours, *theirs) == (8, 8))
        .without_times()
        .value("right answers", "of 8", Better::Higher, |n| f64::from(*n))
        .rounds(3)
        .run();
}
