//! The loops that everything else waits for, each beside what it cannot beat.
//!
//! Sizes: 16 KiB is one chunk and stays in the first cache, 1 MiB is one batch and stays in the second, 64 MiB comes from memory.
#![allow(clippy::unwrap_used, reason = "a failed set-up ends the bench")]

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use modelops_security::InsecureSeededRandom;
use modelops_security::auth::{ApiKeyGrant, ApiKeys, Pepper, UnixSeconds};
use modelops_security::chunked::{self, InputKey, Suite};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

const SIZES: [(&str, usize); 3] = [("16 KiB", 16 << 10), ("1 MiB", 1 << 20), ("64 MiB", 64 << 20)];

fn sealing(c: &mut Criterion) {
    let mut group = c.benchmark_group("seal");
    group.sample_size(10);
    let key = InputKey::new(Suite::Cobblestone256, &[7; 32]).unwrap();
    let raw = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    for (name, len) in SIZES {
        group.throughput(Throughput::Bytes(len as u64));
        let mut data = vec![5; len];
        group.bench_function(BenchmarkId::new("in place", name), |b| {
            b.iter(|| {
                chunked::seal_in_place(&key, b"", &mut data, &mut InsecureSeededRandom::new(1)).unwrap()
            });
        });
        // The bound: the same chunks with ring alone, no framing, no key schedule.
        group.bench_function(BenchmarkId::new("ring alone", name), |b| {
            b.iter(|| {
                for (i, chunk) in data.chunks_mut(16 << 10).enumerate() {
                    let mut nonce = [0; 12];
                    nonce[4..].copy_from_slice(&(i as u64).to_be_bytes());
                    let nonce = Nonce::assume_unique_for_key(nonce);
                    let tag = raw
                        .seal_in_place_separate_tag(nonce, Aad::empty(), chunk)
                        .unwrap();
                    black_box(tag.as_ref()[0]);
                }
            });
        });
        let mut out = vec![0; chunked::sealed_len(len as u64).unwrap() as usize];
        group.bench_function(BenchmarkId::new("into another buffer", name), |b| {
            b.iter(|| {
                chunked::seal_into(&key, b"", &data, &mut out, &mut InsecureSeededRandom::new(1)).unwrap();
            });
        });
        let mut back = vec![0; len];
        group.bench_function(BenchmarkId::new("open into another buffer", name), |b| {
            b.iter(|| chunked::open_into(&key, b"", &out, &mut back).unwrap());
        });
    }
    group.finish();
}

fn callers(c: &mut Criterion) {
    let mut group = c.benchmark_group("api key");
    let now = UnixSeconds(1_700_000_000);
    // 100, 10,000 and 1,000,000 keys: the table fits the first cache, the second, and none.
    for count in [100_usize, 10_000, 1_000_000] {
        let mut random = InsecureSeededRandom::new(1);
        let keys = ApiKeys::new("live", &Pepper::generate(&mut random).unwrap()).unwrap();
        let grant = ApiKeyGrant::new("principal");
        let tokens: Vec<String> = (0..count)
            .map(|_| {
                keys.issue(&grant, now, &mut random)
                    .unwrap()
                    .token
                    .expose()
                    .clone()
            })
            .step_by((count / 1000).max(1))
            .collect();
        let mut next = tokens.iter().cycle();
        group.bench_function(BenchmarkId::new("authenticate", count), |b| {
            b.iter_batched(
                || next.next().unwrap(),
                |token| keys.authenticate(token, now).unwrap(),
                BatchSize::SmallInput,
            );
        });
        // The bound: one HMAC of a token.
        let pepper = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[1; 32]);
        group.bench_function(BenchmarkId::new("one hmac", count), |b| {
            b.iter(|| ring::hmac::sign(&pepper, tokens[0].as_bytes()));
        });
    }
    group.finish();
}

criterion_group!(benches, sealing, callers);
criterion_main!(benches);
