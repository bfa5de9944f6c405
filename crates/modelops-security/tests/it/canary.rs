//! Secrets are looked for wherever text comes out: raw, in hexadecimal, in both kinds of base64.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use modelops_security::auth::{ApiKeyGrant, ApiKeys, Jwk, Pepper, RequestSigner, UnixSeconds, hash_password};
use modelops_security::chunked::InputKey;
use modelops_security::keys::{DataKey, Keyring, Passphrase, PasswordKdf, Pbkdf2Hash};
use modelops_security::sealed::{OpenOptions, SealOptions, SealedFile, rewrap_file, seal_file};
use modelops_security::sign::SigningKey;
use modelops_security::{RandomError, SecureRandom, redact};

use crate::sealed::folder;
use crate::seeded;

/// Gives one recognisable byte string after the other, and remembers them all.
struct Canary(Vec<Vec<u8>>);

impl SecureRandom for Canary {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomError> {
        let mut bytes = vec![0; out.len()];
        seeded(0xCA9A_0000 + self.0.len() as u64).fill(&mut bytes)?;
        out.copy_from_slice(&bytes);
        self.0.push(bytes);
        Ok(())
    }
}

fn shows(text: &str, secret: &[u8]) -> bool {
    let hex = secret.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    let decimal = format!("{:?}", &secret[..4]);
    // Any eight bytes in a row give the secret away; base64 is looked for at each of its three alignments.
    secret
        .windows(8)
        .any(|part| text.as_bytes().windows(8).any(|window| window == part))
        || hex.as_bytes().windows(16).step_by(2).any(|part| {
            let part = std::str::from_utf8(part).unwrap();
            text.contains(part) || text.contains(&part.to_uppercase())
        })
        || (0..3).any(|skip| {
            let (std, url) = (
                STANDARD.encode(&secret[skip..]),
                URL_SAFE_NO_PAD.encode(&secret[skip..]),
            );
            text.contains(&std[..10]) || text.contains(&url[..10])
        })
        || text.contains(decimal.trim_matches(['[', ']']))
}

#[test]
fn the_search_finds_what_is_there() {
    let secret = b"0123456789abcdefghij";
    for leak in [
        "x0123456789abcdefghijx".to_owned(),
        format!("{:?}", secret),
        format!("k={}", STANDARD.encode(secret)),
        format!("k={}", URL_SAFE_NO_PAD.encode(&secret[1..])),
        "3031323334353637".to_owned(),
    ] {
        assert!(shows(&leak, secret), "{leak}");
    }
    assert!(!shows("harmless", secret));
}

#[test]
fn no_secret_shows_in_debug_display_serde_errors_or_panics() {
    let mut random = Canary(Vec::new());
    let mut out = String::new();
    let f = folder(b"weights");
    let say = |out: &mut String, text: &dyn std::fmt::Debug| writeln!(out, "{text:?} {text:#?}").unwrap();

    let mut keyring = Keyring::generate(&mut random).unwrap();
    let kek = random.0[1].clone();
    keyring.rotate(&mut random).unwrap();
    let second_kek = random.0[2].clone();
    let before = random.0.len();
    let report = seal_file(
        &f.plain,
        &f.sealed,
        &keyring,
        &SealOptions::default(),
        &mut random,
    )
    .unwrap();
    let data_key = random.0[before + 1].clone();
    let file = SealedFile::open(&f.sealed, &keyring, &OpenOptions::default()).unwrap();
    let (payload_key, _) = file.export_payload_key();
    let payload_secret = payload_key.expose().to_vec();
    say(&mut out, &(&keyring, &report, &file, &payload_key));
    let header = rewrap_file(&f.sealed, &keyring, &keyring, &mut random).unwrap();
    say(&mut out, &header);
    let other = Keyring::generate(&mut random).unwrap();
    let error = SealedFile::open(&f.sealed, &other, &OpenOptions::default()).unwrap_err();
    writeln!(out, "{error} {error:?}").unwrap();
    say(
        &mut out,
        &DataKey::from_bytes(data_key.clone().try_into().unwrap()),
    );
    say(
        &mut out,
        &InputKey::new(modelops_security::chunked::Suite::Cobblestone256, &data_key),
    );

    let password = "canary in a coal mine";
    let passphrase = Passphrase::new(password.to_owned()).unwrap();
    let kdf = PasswordKdf::Pbkdf2 {
        hash: Pbkdf2Hash::Sha512,
        iterations: 220_000,
    };
    let hash = hash_password(password, kdf, &mut random).unwrap();
    say(&mut out, &(&passphrase, &hash));
    writeln!(out, "{hash}").unwrap();

    let pepper = Pepper::generate(&mut random).unwrap();
    let pepper_secret = pepper.expose().to_vec();
    let keys = ApiKeys::new("live", &pepper).unwrap();
    let issued = keys
        .issue(&ApiKeyGrant::new("p"), UnixSeconds(1), &mut random)
        .unwrap();
    let token = issued.token.expose().clone();
    let token_secret = token.as_bytes()[token.len() - 49..].to_vec();
    say(&mut out, &(&pepper, &keys, &issued, keys.records()));
    out.push_str(&serde_json::to_string(&keys.records()).unwrap());
    let error = keys
        .authenticate(&token[..token.len() - 1], UnixSeconds(1))
        .unwrap_err();
    writeln!(out, "{error} {error:?}").unwrap();
    out.push_str(&redact(&format!("GET /v1/infer token={token};")));

    let before = random.0.len();
    let signing = SigningKey::generate_ed25519(&mut random).unwrap();
    let seed = random.0[before].clone();
    say(&mut out, &(&signing, signing.to_pem(), signing.verifying_key()));
    let shared = [0xC7; 32]
        .iter()
        .enumerate()
        .map(|(i, b)| b ^ i as u8)
        .collect::<Vec<u8>>();
    say(&mut out, &RequestSigner::hmac("gateway", &shared).unwrap());
    let jwk = format!(
        r#"{{"kty":"oct","alg":"HS256","k":"{}"}}"#,
        URL_SAFE_NO_PAD.encode(&shared)
    );
    say(&mut out, &Jwk::from_json(jwk.as_bytes()).unwrap());
    let broken = jwk.replace("HS256", "HS999");
    writeln!(out, "{:?}", Jwk::from_json(broken.as_bytes())).unwrap();

    let panic = std::panic::catch_unwind(|| panic!("{keyring:?} {signing:?}")).unwrap_err();
    out.push_str(panic.downcast_ref::<String>().unwrap());

    for (what, secret) in [
        ("key-encryption key", &kek),
        ("second key-encryption key", &second_kek),
        ("data key", &data_key),
        ("payload key", &payload_secret),
        ("passphrase", &password.as_bytes().to_vec()),
        ("pepper", &pepper_secret),
        ("API key", &token_secret),
        ("signing seed", &seed),
        ("shared key", &shared),
    ] {
        assert!(!shows(&out, secret), "{what} shows");
    }
    // Nor does a plain byte of any key reach the sealed file.
    let sealed = std::fs::read(&f.sealed).unwrap();
    for secret in [&kek, &second_kek, &data_key, &payload_secret] {
        assert!(
            !sealed
                .windows(8)
                .any(|window| secret.windows(8).any(|part| part == window))
        );
    }
}
