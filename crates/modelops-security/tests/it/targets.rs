//! The parsers under attack, each with a good input to start from: for the mutations of `fuzz.rs`, and for libFuzzer in `fuzz/`.
#![allow(clippy::unwrap_used, reason = "a failed set-up ends the run")]

use std::io::Write as _;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use modelops_security::audit::{AuditLog, Checkpoint};
use modelops_security::auth::{
    ApiKeyGrant, ApiKeyRecord, ApiKeys, Jwk, Jwks, JwtIssuer, JwtVerifier, PasswordHash, Pepper, ReplayCache,
    RequestSigner, RequestVerifier, Scope, SignedHeaders, UnixSeconds,
};
use modelops_security::chunked::{self, InputKey, Suite};
use modelops_security::keys::Keyring;
use modelops_security::sealed::{
    HeaderInfo, OpenOptions, OpenReader, SealOptions, SealWriter, SealedSafetensors,
};
use modelops_security::sign::{HashCache, HashOptions, ModelManifest, SigningKey, VerifyingKey};
use modelops_security::{InsecureSeededRandom, redact};

const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

fn seeded(seed: u64) -> InsecureSeededRandom {
    InsecureSeededRandom::new(seed)
}

/// What says whether it takes some bytes.
type Takes = Box<dyn FnMut(&[u8]) -> bool>;

/// A parser under attack.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// An input that it takes.
    pub(crate) good: Vec<u8>,
    /// Whether any other input is a forgery. The others may take what they are given; they must only not panic.
    pub(crate) authenticated: bool,
    /// Whether it takes some bytes.
    pub(crate) takes: Takes,
}

impl Target {
    /// Gives it an input, and panics where it takes a forgery.
    pub(crate) fn attack(&mut self, bytes: &[u8]) {
        let taken = (self.takes)(bytes);
        let forged = taken && self.authenticated && bytes != self.good;
        assert!(!forged, "{} takes {bytes:02x?}", self.name);
    }
}

fn target(
    name: &'static str,
    good: impl Into<Vec<u8>>,
    takes: impl FnMut(&[u8]) -> bool + 'static,
) -> Target {
    Target {
        name,
        good: good.into(),
        authenticated: false,
        takes: Box::new(takes),
    }
}

fn text(
    name: &'static str,
    good: impl Into<String>,
    mut takes: impl FnMut(&str) -> bool + 'static,
) -> Target {
    let takes = move |bytes: &[u8]| std::str::from_utf8(bytes).is_ok_and(&mut takes);
    target(name, good.into(), takes)
}

/// All of them; the names are those of the binaries in `fuzz/`.
pub(crate) fn all() -> Vec<Target> {
    let mut all = authenticated();
    all.iter_mut().for_each(|target| target.authenticated = true);
    all.extend(tolerant());
    all
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
    let signed = RequestSigner::hmac("k", &[1; 32])
        .unwrap()
        .sign("GET", "https://a/", b"", NOW, &mut seeded(4))
        .unwrap();
    let (digest, signature) = (signed.content_digest, signed.signature);
    vec![
        target("payload", payload, move |bytes| {
            chunked::open(&input_key, b"", bytes).is_ok()
        }),
        text("api_key", token, move |text| keys.authenticate(text, NOW).is_ok()),
        text("jwt", jwt, move |text| verifier.verify(text, NOW).is_ok()),
        text("request", signed.signature_input, move |text| {
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
    let manifest = ModelManifest::of_folder(dir.path(), &HashOptions::default()).unwrap();
    let bundle = manifest.sign(&key).unwrap();
    let statement = statement_of(&bundle);
    let keyring = || Keyring::generate(&mut seeded(1)).unwrap();
    let cache = serde_json::to_vec(&HashCache::default()).unwrap();
    let sealed = SealWriter::new(Vec::new(), &keyring(), &SealOptions::default(), &mut seeded(2)).unwrap();
    let sealed = sealed.finish().unwrap();
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let (ring, other) = (keyring(), keyring());
    // In memory where there is a folder in memory: some targets write a file each time.
    let scratch = Rc::new(
        tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .unwrap(),
    );
    let path = |name: &str| (scratch.clone(), scratch.path().join(name));
    let ((sealed_folder, sealed_path), (log_folder, log_path)) = (path("sealed"), path("log"));
    let table = r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#;
    let tensors = [
        &(table.len() as u64).to_le_bytes()[..],
        table.as_bytes(),
        &[1, 2, 3, 4],
    ]
    .concat();
    let mut log = AuditLog::open(&log_path, "o").unwrap();
    log.append(b"entry").unwrap();
    let note = log.checkpoint().sign(&key).unwrap();
    let log_bytes = std::fs::read(&log_path).unwrap();
    let keys = ApiKeys::new("live", &Pepper::from_bytes([1; 32])).unwrap();
    let grant = ApiKeyGrant::new("p").with_scope(Scope::new("model:m:infer").unwrap());
    let token = keys
        .issue(&grant, NOW, &mut seeded(5))
        .unwrap()
        .token
        .expose()
        .clone();
    let records = serde_json::to_vec(&keys.records()).unwrap();
    vec![
        target("header", sealed.clone(), |bytes| HeaderInfo::parse(bytes).is_ok()),
        target("sealed_file", sealed, move |bytes| {
            OpenReader::new(bytes, &ring, &OpenOptions::default()).is_ok()
        }),
        target("tensors", tensors, move |bytes| {
            // Sealed by somebody with the key, yet hostile.
            let _ = &sealed_folder;
            let mut writer =
                SealWriter::new(Vec::new(), &other, &SealOptions::default(), &mut seeded(2)).unwrap();
            writer.write_all(bytes).unwrap();
            std::fs::write(&sealed_path, writer.finish().unwrap()).unwrap();
            SealedSafetensors::open(&sealed_path, &other, &OpenOptions::default()).is_ok()
        }),
        target("bundle", bundle, move |bytes| {
            ModelManifest::verify(bytes, &public).is_ok()
        }),
        target("statement", statement, move |bytes| {
            // Signed by the publisher, yet hostile.
            let text = bundle_of(bytes, &key);
            ModelManifest::verify(text.as_bytes(), &key.verifying_key()).is_ok()
        }),
        target("cache", cache, |bytes| {
            serde_json::from_slice::<HashCache>(bytes).is_ok()
        }),
        target("records", records, |bytes| {
            let records = serde_json::from_slice::<Vec<ApiKeyRecord>>(bytes);
            let keys = ApiKeys::new("live", &Pepper::from_bytes([1; 32])).unwrap();
            records.is_ok_and(|records| {
                records.into_iter().for_each(|record| keys.insert(record));
                true
            })
        }),
        target("audit_log", log_bytes, move |bytes| {
            let _ = &log_folder;
            std::fs::write(&log_path, bytes).unwrap();
            AuditLog::open(&log_path, "o").is_ok_and(|mut log| log.append(b"later").is_ok())
        }),
        text("checkpoint", note, move |text| {
            // Only what was signed counts; another signature line beside ours may differ.
            Checkpoint::verify(text, "o", &verifying()).is_ok_and(|c| {
                assert_eq!(c.size, 1, "a forged checkpoint: {text}");
                true
            })
        }),
        target("jwk", jwk, |bytes| Jwk::from_json(bytes).is_ok()),
        target(
            "jwks",
            format!(r#"{{"keys":[{jwk},{{"kty":"EC","crv":"P-521"}}]}}"#),
            |bytes| Jwks::from_json(bytes).is_ok(),
        ),
        text("public_pem", verifying().to_pem(), |text| {
            VerifyingKey::from_pem(text).is_ok()
        }),
        text("private_pem", private_pem(), |text| {
            SigningKey::from_pem(text).is_ok()
        }),
        text("phc", phc.to_owned(), |text| text.parse::<PasswordHash>().is_ok()),
        text("scope", "model:*:infer".to_owned(), |text| {
            Scope::new(text).is_ok()
        }),
        text("redact", format!("a {token} eyJ.a.b c"), move |text| {
            let once = redact(text);
            assert!(!once.contains(&token), "a token is left in {once}");
            assert_eq!(redact(&once), once, "what is shown needs no second look");
            true
        }),
    ]
}

/// A bundle of the format around any statement.
pub(crate) fn bundle_of(statement: &[u8], key: &SigningKey) -> String {
    let sig = STANDARD.encode(key.sign(&pae(statement)).unwrap());
    format!(
        r#"{{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{{"publicKey":{{"hint":"{}"}}}},
        "dsseEnvelope":{{"payload":"{}","payloadType":"application/vnd.in-toto+json","signatures":[{{"sig":"{sig}"}}]}}}}"#,
        hint(&key.verifying_key()),
        STANDARD.encode(statement)
    )
}

/// The statement inside a bundle.
pub(crate) fn statement_of(bundle: &str) -> Vec<u8> {
    let payload = bundle
        .split("\"payload\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    STANDARD.decode(payload.unwrap()).unwrap()
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
