//! Signed requests, passwords, throttles, roles.

use modelops_security::auth::{
    Decision, LoginThrottle, PasswordHash, Policy, ReplayCache, RequestSigner, RequestVerifier, Scope,
    SignedHeaders, UnixSeconds, hash_password,
};
use modelops_security::keys::{PasswordKdf, Pbkdf2Hash};
use modelops_security::sign::SigningKey;
use modelops_security::{KeyError, RequestError};
use proptest::prelude::*;

use crate::seeded;

const NOW: UnixSeconds = UnixSeconds(1_700_000_000);
const URL: &str = "https://api.example/v1/infer?model=m";

fn verifier() -> RequestVerifier {
    let mut verifier = RequestVerifier::new(ReplayCache::new(100)).with_leeway(0);
    verifier.trust_hmac("shared", &[7; 32]).unwrap();
    verifier
        .trust_ed25519(
            "ed",
            SigningKey::generate_ed25519(&mut seeded(1))
                .unwrap()
                .verifying_key(),
        )
        .unwrap();
    verifier
}

fn signers() -> [(RequestSigner, &'static str); 2] {
    let ed = SigningKey::generate_ed25519(&mut seeded(1)).unwrap();
    [
        (RequestSigner::hmac("shared", &[7; 32]).unwrap(), "shared"),
        (RequestSigner::ed25519("ed", ed).unwrap(), "ed"),
    ]
}

#[test]
fn a_request_passes_once_and_only_as_it_was_signed() {
    for (signer, name) in signers() {
        let headers = signer.sign("POST", URL, b"body", NOW, &mut seeded(3)).unwrap();
        let refused = |method: &str, url: &str, body: &[u8], headers: &SignedHeaders| {
            verifier().verify(method, url, body, headers, NOW).unwrap_err()
        };
        assert_eq!(refused("GET", URL, b"body", &headers), RequestError::Signature);
        assert_eq!(
            refused("POST", "https://api.example/v1/admin", b"body", &headers),
            RequestError::Signature
        );
        assert_eq!(refused("POST", URL, b"bodY", &headers), RequestError::Signature);
        let mut other = headers.clone();
        other.content_digest = "sha-256=:AAAA:".to_owned();
        assert_eq!(refused("POST", URL, b"body", &other), RequestError::Signature);
        let mut verifier = verifier();
        assert_eq!(
            verifier.verify("POST", URL, b"body", &headers, NOW).unwrap(),
            name
        );
        assert_eq!(
            verifier.verify("POST", URL, b"body", &headers, NOW),
            Err(RequestError::Replayed)
        );
        let again = signer.sign("POST", URL, b"body", NOW, &mut seeded(4)).unwrap();
        assert!(verifier.verify("POST", URL, b"body", &again, NOW).is_ok());
        assert_eq!(
            refused_at(&headers, UnixSeconds(NOW.0 + 60)),
            RequestError::Expired
        );
        assert_eq!(refused_at(&headers, UnixSeconds(NOW.0 - 1)), RequestError::NotYet);
    }
}

fn refused_at(headers: &SignedHeaders, now: UnixSeconds) -> RequestError {
    verifier().verify("POST", URL, b"body", headers, now).unwrap_err()
}

#[test]
fn every_changed_parameter_is_refused() {
    let (signer, _) = &signers()[0];
    let headers = signer.sign("POST", URL, b"body", NOW, &mut seeded(3)).unwrap();
    let input = &headers.signature_input;
    for (from, to) in [
        ("\"@method\" ", ""),
        (" \"content-digest\"", ""),
        (";created=1", ";created=01"),
        (";created=17", ";created=18"),
        (";expires=17", ";expires=99"),
        (";nonce=\"", ";nonce=\"x"),
        ("keyid=\"shared\"", "keyid=\"ed\""),
        ("alg=\"hmac-sha256\"", "alg=\"ed25519\""),
        ("alg=\"hmac-sha256\"", "alg=\"none\""),
        ("tag=\"modelops\"", "tag=\"other\""),
        (";tag=\"modelops\"", ""),
        ("modelops=", "sig1="),
    ] {
        assert!(input.contains(from), "{from}");
        let bad = SignedHeaders::new(
            &headers.content_digest,
            input.replace(from, to),
            &headers.signature,
        );
        assert!(
            verifier().verify("POST", URL, b"body", &bad, NOW).is_err(),
            "{from} to {to}"
        );
    }
    for bad in [
        "",
        "modelops=::",
        "modelops=:AAAA:",
        "sig1=:AAAA:",
        "modelops=:!:",
    ] {
        let bad = SignedHeaders::new(&headers.content_digest, input, bad);
        assert!(verifier().verify("POST", URL, b"body", &bad, NOW).is_err());
    }
    assert!(
        signer
            .sign("POST", "https://a\nb", b"", NOW, &mut seeded(1))
            .is_err()
    );
    assert!(RequestSigner::hmac("short", &[7; 31]).is_err());
    assert!(RequestSigner::hmac("bad\"name", &[7; 32]).is_err());
}

#[test]
fn a_full_cache_refuses_rather_than_forgets() {
    let (signer, _) = &signers()[0];
    let mut verifier = RequestVerifier::new(ReplayCache::new(2)).with_leeway(0);
    verifier.trust_hmac("shared", &[7; 32]).unwrap();
    let mut random = seeded(5);
    let mut send = |at: UnixSeconds| {
        let headers = signer.sign("GET", URL, b"", at, &mut random).unwrap();
        verifier.verify("GET", URL, b"", &headers, at)
    };
    assert!(send(NOW).is_ok());
    assert!(send(NOW).is_ok());
    assert_eq!(send(NOW), Err(RequestError::Busy));
    assert!(send(NOW.plus(60)).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_nonce_is_refused_exactly_while_it_is_remembered(
        steps in prop::collection::vec((0_usize..3, 0_usize..4, 0_u64..20, 0_u64..4), 1..60),
    ) {
        const CAPACITY: usize = 5;
        let mut cache = ReplayCache::new(CAPACITY);
        let mut by_hand: Vec<(&str, &str, u64)> = Vec::new();
        let mut now = 0;
        for (key, nonce, life, passed) in steps {
            now += passed;
            // Key and nonce joined are the same text in several ways.
            let (key, nonce) = (["a", "aa", "b"][key], ["", "a", "aa", "ab"][nonce]);
            by_hand.retain(|(.., until)| *until > now);
            let expected = if by_hand.iter().any(|(k, n, _)| (*k, *n) == (key, nonce)) {
                Err(RequestError::Replayed)
            } else if by_hand.len() == CAPACITY {
                Err(RequestError::Busy)
            } else {
                by_hand.push((key, nonce, now + life));
                Ok(())
            };
            prop_assert_eq!(cache.remember(key, nonce, UnixSeconds(now + life), UnixSeconds(now)), expected);
        }
    }
}

#[test]
fn guessing_gets_slower_for_the_source_alone() {
    let mut throttle = LoginThrottle::new(3, 4);
    let waits: Vec<u64> = (0..20)
        .map(|_| {
            throttle.failed("a", UnixSeconds(0));
            throttle
                .check("a", UnixSeconds(0))
                .map_or_else(|wait| wait.retry_after, |()| 0)
        })
        .collect();
    assert_eq!(waits[..6], [0, 0, 0, 1, 2, 4]);
    assert_eq!(waits[19], 3600);
    assert!(
        throttle.check("b", UnixSeconds(0)).is_ok(),
        "another source is not held back"
    );
    // Many sources cannot push out the one that waits longest.
    for i in 0..100 {
        throttle.failed(&format!("source {i}"), UnixSeconds(0));
    }
    assert!(throttle.check("a", UnixSeconds(0)).is_err());
    throttle.succeeded("a");
    assert!(throttle.check("a", UnixSeconds(0)).is_ok());
    for _ in 0..200 {
        throttle.failed("long", UnixSeconds(u64::MAX - 1));
    }
}

#[test]
fn passwords_survive_their_phc_string_and_hostile_ones_are_not_computed() {
    let kdf = PasswordKdf::Pbkdf2 {
        hash: Pbkdf2Hash::Sha512,
        iterations: 220_000,
    };
    let hash = hash_password("hunter2", kdf, &mut seeded(1)).unwrap();
    let text = hash.to_string();
    assert!(text.starts_with("$pbkdf2-sha512$i=220000$"));
    let back: PasswordHash = text.parse().unwrap();
    assert_eq!(back, hash);
    assert!(back.verify("hunter2").unwrap());
    assert!(!back.verify("hunter3").unwrap());
    assert!(back.needs_rehash(PasswordKdf::Pbkdf2 {
        hash: Pbkdf2Hash::Sha256,
        iterations: 600_000
    }));
    let salt_and_hash = "c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for (bad, error) in [
        ("", KeyError::Refused),
        ("$argon2i$v=19$m=65536,t=3,p=1$", KeyError::Refused),
        ("$argon2id$v=16$m=65536,t=3,p=1$", KeyError::Refused),
        ("$argon2id$v=19$m=65536,t=3$", KeyError::Refused),
        ("$argon2id$v=19$m=065536,t=3,p=1$", KeyError::Refused),
        ("$argon2id$v=19$m=4294967295,t=3,p=1$", KeyError::KdfOutOfRange),
        (
            "$argon2id$v=19$m=65536,t=4000000000,p=1$",
            KeyError::KdfOutOfRange,
        ),
        ("$argon2id$v=19$m=65536,t=3,p=0$", KeyError::KdfOutOfRange),
        ("$pbkdf2-sha256$i=4294967295$", KeyError::KdfOutOfRange),
        ("$pbkdf2-sha256$i=0$", KeyError::KdfOutOfRange),
        ("$pbkdf2-md5$i=600000$", KeyError::Refused),
    ] {
        assert_eq!(
            format!("{bad}{salt_and_hash}")
                .parse::<PasswordHash>()
                .unwrap_err(),
            error,
            "{bad}"
        );
    }
    assert_eq!(
        hash_password("", kdf, &mut seeded(1)).unwrap_err(),
        KeyError::EmptyPassphrase
    );
}

#[cfg(feature = "argon2")]
#[test]
fn a_hash_of_the_reference_argon2_verifies() {
    // echo -n password | argon2 somesalt -t 2 -m 16 -p 4 -l 24 has another length; this is the 32-byte line of the Argon2 test suite:
    // hashtest(version 0x13, t = 2, m = 2^16, p = 1, "password", "somesalt").
    let text = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let hash: PasswordHash = text.parse().unwrap();
    assert!(hash.verify("password").unwrap());
    assert!(!hash.verify("differentpassword").unwrap());
    assert_eq!(hash.to_string(), text);
}

#[test]
fn what_nothing_grants_is_denied_and_every_decision_has_its_reason() {
    let scope = |text: &str| Scope::new(text).unwrap();
    let mut policy = Policy::default();
    policy.grant("reader", scope("model:*:infer"));
    policy.assign("team", "reader");
    policy.assign("team", "role without scopes");
    let infer = scope("model:m:infer");
    assert_eq!(
        policy.decide("team", &[], &infer),
        Decision::AllowedByRole {
            role: "reader".to_owned(),
            scope: scope("model:*:infer")
        }
    );
    assert_eq!(
        policy.decide("team", std::slice::from_ref(&infer), &infer),
        Decision::AllowedByScope(infer.clone())
    );
    assert_eq!(
        policy.decide("team", &[], &scope("model:m:delete")),
        Decision::Denied
    );
    assert_eq!(policy.decide("stranger", &[], &infer), Decision::Denied);
    assert!(!Policy::default().decide("", &[], &infer).is_allowed());
}

/// The digest of the body that all examples of RFC 9421 (section B.2) are about, as SHA-256 of RFC 9530 has it.
#[test]
fn the_digest_of_the_body_is_that_of_the_rfc() {
    let signer = RequestSigner::hmac("gateway", &[7; 32]).unwrap();
    let body = br#"{"hello": "world"}"#;
    let headers = signer
        .sign(
            "POST",
            "https://example.com/foo?param=Value&Pet=dog",
            body,
            NOW,
            &mut seeded(1),
        )
        .unwrap();
    assert_eq!(
        headers.content_digest,
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
    );
}
