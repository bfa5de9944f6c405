//! What is left of a key in the memory of the process once it is dropped.

use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use modelops_security::auth::{ApiKeyGrant, ApiKeys, Pepper, UnixSeconds};
use modelops_security::keys::{Keyring, Passphrase};
use modelops_security::sealed::{OpenOptions, SealOptions, SealedFile, open_file, rewrap_file, seal_file};
use modelops_security::sign::SigningKey;
use modelops_security::{RandomError, SecureRandom};

use crate::content;
use crate::sealed::folder;

/// Needles are kept under a mask, so that the search does not find itself.
const MASK: u8 = 0xA5;
const LEN: usize = 16;

/// Byte `at` of draw `draw`: the same on every run, and written nowhere but into the buffer that asked.
fn byte(draw: u64, at: usize) -> u8 {
    let mixed = (draw << 20 ^ at as u64 ^ 0x5EED).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) as u8
}

struct Draws(u64);

impl SecureRandom for Draws {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomError> {
        for (at, place) in out.iter_mut().enumerate() {
            *place = byte(self.0, at);
        }
        self.0 += 1;
        Ok(())
    }
}

struct Needle {
    what: &'static str,
    masked: [u8; LEN],
}

fn of_draw(what: &'static str, draw: u64) -> Needle {
    Needle {
        what,
        masked: std::array::from_fn(|at| black_box(byte(draw, at)) ^ MASK),
    }
}

/// The first bytes of a text that is still there.
fn of_text(what: &'static str, text: &str) -> Needle {
    Needle {
        what,
        masked: std::array::from_fn(|at| black_box(text.as_bytes()[at]) ^ MASK),
    }
}

/// Places of the process's writable memory that hold a needle, with the name of their mapping; those that hold `stack` are marked.
fn search(needles: &[Needle], stack: usize) -> Vec<(&'static str, bool, String)> {
    const PIECE: usize = 1 << 20;
    let memory = File::open("/proc/self/mem").unwrap();
    let word = |bytes: &[u8]| u64::from_ne_bytes(bytes[..8].try_into().unwrap());
    let starts: Vec<u64> = needles.iter().map(|needle| word(&needle.masked)).collect();
    let mut found = Vec::new();
    let mut buffer = vec![0; PIECE + LEN];
    for line in fs::read_to_string("/proc/self/maps").unwrap().lines() {
        let mut fields = line.split_whitespace();
        let (range, rights) = (fields.next().unwrap(), fields.next().unwrap());
        let (from, to) = range.split_once('-').unwrap();
        let (from, to) = (
            usize::from_str_radix(from, 16).unwrap(),
            usize::from_str_radix(to, 16).unwrap(),
        );
        if !rights.starts_with("rw") {
            continue;
        }
        for start in (from..to).step_by(PIECE) {
            let len = (to - start).min(buffer.len());
            // Other tests map and unmap meanwhile.
            if memory.read_exact_at(&mut buffer[..len], start as u64).is_err() {
                continue;
            }
            for (at, window) in buffer[..len].windows(LEN).enumerate() {
                let masked = word(window) ^ u64::from_ne_bytes([black_box(MASK); 8]);
                if let Some(which) = starts.iter().position(|s| *s == masked) {
                    let needle = &needles[which];
                    if window
                        .iter()
                        .zip(needle.masked)
                        .all(|(byte, masked)| byte ^ MASK == masked)
                    {
                        let place = format!("{:x} in {line}", start + at);
                        found.push((needle.what, (from..to).contains(&stack), place));
                    }
                }
            }
        }
    }
    found
}

/// Uses every kind of key and drops it; gives what to look for, and a place on the stack.
fn use_and_drop(keep: bool) -> (Vec<Needle>, usize, Option<Keyring>) {
    let here = 0_u8;
    let f = folder(&content(50_000));
    let back = f.plain.with_extension("back");
    let mut random = Draws(1);
    let keyring = Keyring::generate(&mut random).unwrap();
    let mut needles = vec![of_draw("key-encryption key", 2)];
    let data_key = random.0 + 1;
    seal_file(
        &f.plain,
        &f.sealed,
        &keyring,
        &SealOptions::default(),
        &mut random,
    )
    .unwrap();
    needles.push(of_draw("data key", data_key));
    let file = SealedFile::open(&f.sealed, &keyring, &OpenOptions::default()).unwrap();
    let (payload_key, _) = file.export_payload_key();
    needles.push(Needle {
        what: "payload key",
        masked: std::array::from_fn(|at| black_box(payload_key.expose()[at]) ^ MASK),
    });
    drop((payload_key, file));
    rewrap_file(&f.sealed, &keyring, &keyring, &mut random).unwrap();
    open_file(&f.sealed, &back, &keyring, &OpenOptions::default()).unwrap();

    let mut words = String::with_capacity(40);
    (0..40).for_each(|at| words.push(char::from(b'a' + byte(999, at) % 26)));
    needles.push(of_text("passphrase", &words));
    let passphrase = Passphrase::new(words).unwrap();
    save(
        &keyring,
        &f.plain.with_extension("ring"),
        &passphrase,
        &mut random,
    );
    drop(passphrase);

    let seed = random.0;
    let signing = SigningKey::generate_ed25519(&mut random).unwrap();
    signing.sign(b"message").unwrap();
    needles.push(of_draw("signing seed", seed));
    let pepper = random.0;
    let keys = ApiKeys::new("live", &Pepper::generate(&mut random).unwrap()).unwrap();
    needles.push(of_draw("pepper", pepper));
    let issued = keys
        .issue(&ApiKeyGrant::new("p"), UnixSeconds(1), &mut random)
        .unwrap();
    needles.push(of_text("API key", &issued.token.expose()[21..]));
    (needles, (&raw const here).addr(), keep.then_some(keyring))
}

fn save(keyring: &Keyring, path: &Path, passphrase: &Passphrase, random: &mut Draws) {
    keyring.save(path, passphrase, random).unwrap();
    Keyring::load(path, passphrase).unwrap();
}

/// One test, so that no other one draws the same bytes at the same time.
#[test]
fn a_dropped_key_is_nowhere_on_the_heap() {
    // A key that is alive is found: the search works.
    let (needles, stack, alive) = std::thread::spawn(|| use_and_drop(true)).join().unwrap();
    let found = search(&needles, stack);
    assert!(
        found
            .iter()
            .any(|(what, stack, _)| *what == "key-encryption key" && !stack),
        "{found:?}"
    );
    drop(alive);
    let found = search(&needles, stack);
    let heap: Vec<_> = found.iter().filter(|(_, stack, _)| !stack).collect();
    assert!(heap.is_empty(), "{heap:#?}");
    // What calls left on the stack of the thread is out of reach: see docs/THREATS.md.
    println!("{} left on the stack: {found:?}", found.len());
}
