//! What a request costs: its key or token, its signature, its quota, a decision, and an entry of the audit log.

use std::fs;
use std::hint::black_box;

use modelops_benches::{Better, Comparison};
use modelops_security::InsecureSeededRandom;
use modelops_security::audit::{AuditLog, leaf_hash, verify_inclusion};
use modelops_security::auth::{
    ApiKeyGrant, ApiKeys, Jwk, JwtIssuer, JwtVerifier, Pepper, Policy, ReplayCache, RequestSigner,
    RequestVerifier, Scope, SignedHeaders, UnixSeconds,
};
use modelops_security::quota::{Limit, QuotaLedger};
use modelops_security::sign::SigningKey;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::folder;

pub(crate) fn keys(run: &mut Comparison) {
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
pub(crate) fn requests(run: &mut Comparison) {
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
pub(crate) fn proofs(run: &mut Comparison) {
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
