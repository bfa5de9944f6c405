//! Every parser is fed mutations of good input and noise: nothing may panic, and nothing that was changed may be accepted.
//!
//! The smoke run is part of every test run; the long one is `cargo test --release --test it -- --ignored fuzz::long`. Guided by
//! coverage, the same targets run under libFuzzer: see `fuzz/README.md`.

use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::targets;

/// One to four edits of a good input, or noise.
fn mutate(good: &[u8], random: &mut Xoshiro256PlusPlus) -> Vec<u8> {
    let mut bytes = good.to_vec();
    if random.random_range(0..20) == 0 {
        bytes = vec![0; random.random_range(0..200)];
        random.fill_bytes(&mut bytes);
        return bytes;
    }
    for _ in 0..random.random_range(1..5) {
        if bytes.is_empty() {
            bytes.push(random.random());
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..8) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes[at] = random.random(),
            2 => bytes[at] = [0, 0xff, 0x7f, b'"', b'.', b':', b'_', b'\n'][random.random_range(0..8)],
            3 => bytes.truncate(at),
            4 => bytes.insert(at, random.random()),
            5 => drop(bytes.remove(at)),
            6 => {
                let other = random.random_range(0..bytes.len());
                bytes.swap(at, other);
            }
            _ => {
                let part = bytes[at..(at + random.random_range(1..40)).min(bytes.len())].to_vec();
                let to = random.random_range(0..=bytes.len());
                bytes.splice(to..to, part);
            }
        }
    }
    bytes
}

fn run(executions: u64, seed: u64) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    for mut target in targets::all() {
        let good = target.good.clone();
        assert!((target.takes)(&good), "{}", target.name);
        for _ in 0..executions {
            target.attack(&mutate(&good, &mut random));
        }
    }
}

#[test]
fn smoke() {
    run(300, 1);
}

#[test]
#[ignore = "takes minutes: the long run"]
fn long() {
    for seed in 0..40 {
        run(10_000, 100 + seed);
    }
}
