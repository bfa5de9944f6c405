//! Every parser is fed mutations of good input and noise: nothing may panic, and nothing that was changed may be accepted.
//!
//! The smoke run is part of every test run; the long one is `cargo test --release --test it -- --ignored fuzz::long`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use modelops_security::audit::{AuditLog, Checkpoint};
use modelops_security::auth::{
    ApiKeyGrant, ApiKeys, Jwk, Jwks, JwtIssuer, JwtVerifier, PasswordHash, Pepper, ReplayCache,
    RequestSigner, RequestVerifier, Scope, SignedHeaders, UnixSeconds,
};
use modelops_security::chunked::{self, InputKey, Suite};
use modelops_security::redact;
use modelops_security::sealed::{HeaderInfo, OpenOptions, OpenReader, SealOptions, SealWriter};
use modelops_security::sign::{HashCache, ModelManifest, SigningKey, VerifyingKey};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::{keyring, seeded};

const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

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

/// A parser under attack: a good input, and whether it takes some bytes.
type Target = (&'static str, Vec<u8>, Box<dyn FnMut(&[u8]) -> bool>);

fn text_target(name: &'static str, good: String, mut takes: impl FnMut(&str) -> bool + 'static) -> Target {
    (
        name,
        good.into_bytes(),
        Box::new(move |bytes| std::str::from_utf8(bytes).is_ok_and(&mut takes)),
    )
}

/// Targets whose input is authenticated: no mutation may be taken.
fn authenticated() -> Vec<Target> {
    let key = || SigningKey::generate_ed25519(&mut seeded(1)).unwrap();
    let input_key = InputKey::new(Suite::Cobblestone256, &[1; 32]).unwrap();
    let payload = chunked::seal(&input_key, b"", &[5; 300], &mut seeded(2)).unwrap();
    let keys = ApiKeys::new("live", &Pepper::from_bytes([1; 32])).unwrap();
    let token = keys
        .issue(&ApiKeyGrant::new("p"), NOW, &mut seeded(3))
        .unwrap()
        .token
        .expose()
        .clone();
    let issuer = JwtIssuer::new(key(), "k", "iss").unwrap();
    let jwt = issuer.issue("s", "aud", NOW, 60).unwrap();
    let jwks = Jwks::from_json(issuer.jwks().as_bytes()).unwrap();
    let verifier = JwtVerifier::new(jwks, "iss", "aud");
    let mut log = AuditLog::in_memory("o");
    log.append(b"entry").unwrap();
    let note = log.checkpoint().sign(&key()).unwrap();
    let signed = RequestSigner::hmac("k", &[1; 32])
        .unwrap()
        .sign("GET", "https://a/", b"", NOW, &mut seeded(4))
        .unwrap();
    let (digest, signature) = (signed.content_digest, signed.signature);
    vec![
        (
            "payload",
            payload,
            Box::new(move |bytes| chunked::open(&input_key, b"", bytes).is_ok()),
        ),
        text_target("API key", token, move |text| keys.authenticate(text, NOW).is_ok()),
        text_target("JWT", jwt, move |text| verifier.verify(text, NOW).is_ok()),
        text_target("checkpoint", note, move |text| {
            // Only what was signed counts; another signature line beside ours may differ.
            Checkpoint::verify(text, "o", &key().verifying_key()).is_ok_and(|c| c.size != 1)
        }),
        text_target("request", signed.signature_input, move |text| {
            let mut verifier = RequestVerifier::new(ReplayCache::new(2));
            verifier.trust_hmac("k", &[1; 32]).unwrap();
            let headers = SignedHeaders::new(&digest, text, &signature);
            verifier.verify("GET", "https://a/", b"", &headers, NOW).is_ok()
        }),
    ]
}

/// Targets that may take other input as well: they must only not panic.
fn tolerant() -> Vec<Target> {
    let key = SigningKey::generate_ed25519(&mut seeded(1)).unwrap();
    let public = key.verifying_key();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("w"), "weights").unwrap();
    let manifest =
        ModelManifest::of_folder(dir.path(), &modelops_security::sign::HashOptions::default()).unwrap();
    let bundle = manifest.sign(&key).unwrap();
    let payload = bundle
        .split("\"payload\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap()
        .to_owned();
    let statement = STANDARD.decode(payload).unwrap();
    let cache = serde_json::to_vec(&HashCache::default()).unwrap();
    let sealed = SealWriter::new(Vec::new(), &keyring(1), &SealOptions::default(), &mut seeded(2)).unwrap();
    let sealed = sealed.finish().unwrap();
    let front = sealed.clone();
    let jwk = br#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#
        .to_vec();
    let phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let ring = keyring(1);
    vec![
        (
            "header",
            front,
            Box::new(|bytes| HeaderInfo::parse(bytes).is_ok()),
        ),
        ("sealed file", sealed, {
            Box::new(move |bytes| OpenReader::new(bytes, &ring, &OpenOptions::default()).is_ok())
        }),
        (
            "bundle",
            bundle.into_bytes(),
            Box::new(move |bytes| ModelManifest::verify(bytes, &public).is_ok()),
        ),
        ("statement", statement, {
            // Signed by the publisher, yet hostile.
            Box::new(move |bytes| {
                let sig = STANDARD.encode(key.sign(&pae(bytes)).unwrap());
                let text = format!(
                    r#"{{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{{"publicKey":{{"hint":"{}"}}}},
                    "dsseEnvelope":{{"payload":"{}","payloadType":"application/vnd.in-toto+json","signatures":[{{"sig":"{sig}"}}]}}}}"#,
                    hint(&key.verifying_key()),
                    STANDARD.encode(bytes)
                );
                ModelManifest::verify(text.as_bytes(), &key.verifying_key()).is_ok()
            })
        }),
        (
            "cache",
            cache,
            Box::new(|bytes| serde_json::from_slice::<HashCache>(bytes).is_ok()),
        ),
        ("JWK", jwk, Box::new(|bytes| Jwk::from_json(bytes).is_ok())),
        (
            "JWKS",
            br#"{"keys":[{"kty":"EC","crv":"P-521"}]}"#.to_vec(),
            Box::new(|bytes| Jwks::from_json(bytes).is_ok()),
        ),
        text_target("public PEM", verifying().to_pem(), |text| {
            VerifyingKey::from_pem(text).is_ok()
        }),
        text_target("private PEM", private_pem(), |text| {
            SigningKey::from_pem(text).is_ok()
        }),
        text_target("PHC", phc.to_owned(), |text| text.parse::<PasswordHash>().is_ok()),
        text_target("scope", "model:*:infer".to_owned(), |text| {
            Scope::new(text).is_ok()
        }),
        text_target(
            "redact",
            format!("a mo_live_{} eyJ.a.b c", "x".repeat(62)),
            |text| redact(text).len() > 9,
        ),
    ]
}

/// How a bundle names its key: SHA-256 of the PEM.
fn hint(key: &VerifyingKey) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, key.to_pem().as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn verifying() -> VerifyingKey {
    SigningKey::generate_ed25519(&mut seeded(1))
        .unwrap()
        .verifying_key()
}

fn private_pem() -> String {
    SigningKey::generate_ed25519(&mut seeded(1))
        .unwrap()
        .to_pem()
        .expose()
        .clone()
}

fn pae(payload: &[u8]) -> Vec<u8> {
    let kind = "application/vnd.in-toto+json";
    [
        format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).as_bytes(),
        payload,
    ]
    .concat()
}

fn run(executions: u64, seed: u64) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    for (name, good, mut takes) in authenticated() {
        assert!(takes(&good) || name == "checkpoint", "{name}");
        for _ in 0..executions {
            let bad = mutate(&good, &mut random);
            assert!(bad == good || !takes(&bad), "{name} takes {bad:02x?}");
        }
    }
    for (name, good, mut takes) in tolerant() {
        assert!(takes(&good) || name == "redact" || name == "cache", "{name}");
        for _ in 0..executions {
            takes(&mutate(&good, &mut random));
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
