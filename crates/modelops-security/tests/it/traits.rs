//! What may cross threads, and what never shows.

use modelops_security::auth::{ApiKeyGrant, ApiKeys, Caller, Pepper, Remembered, UnixSeconds};
use modelops_security::chunked::InputKey;
use modelops_security::keys::{DataKey, Keyring, Passphrase};
use modelops_security::sealed::{OpenReader, SealWriter, SealedFile};
use modelops_security::sign::{ModelManifest, SigningKey, VerifyingKey};
use modelops_security::{
    ApiKeyError, IssueError, KeyError, OpenError, RandomError, RewrapError, ScopeError, SealError, Secret,
    SignError, SystemRandom, VerifyError,
};

use crate::{keyring, seeded};

fn shared<T: Send + Sync + 'static>() {}
fn error<T: std::error::Error + Clone + PartialEq + Send + Sync + 'static>() {}

#[test]
fn everything_may_be_shared_between_threads() {
    shared::<(Keyring, Passphrase, DataKey, InputKey)>();
    shared::<(SealedFile, OpenReader<std::fs::File>, SealWriter<std::fs::File>)>();
    shared::<(SigningKey, VerifyingKey, ModelManifest)>();
    shared::<(ApiKeys, Pepper, Caller, Secret<String>, SystemRandom)>();
    shared::<(Remembered<Caller>, modelops_security::quota::QuotaAccount)>();
    error::<SealError>();
    error::<OpenError>();
    error::<RewrapError>();
    error::<KeyError>();
    error::<SignError>();
    error::<VerifyError>();
    error::<IssueError>();
    error::<ApiKeyError>();
    error::<ScopeError>();
    error::<RandomError>();
}

#[test]
fn secrets_do_not_show_in_debug() {
    let keys = ApiKeys::new("live", &Pepper::from_bytes([0xAB; 32])).unwrap();
    let issued = keys
        .issue(&ApiKeyGrant::new("p"), UnixSeconds(1), &mut seeded(1))
        .unwrap();
    let shown = [
        format!("{:?}", DataKey::from_bytes([0xAB; 32])),
        format!("{:?}", Pepper::from_bytes([0xAB; 32])),
        format!("{:?}", Passphrase::new("\u{ab}\u{ab}".to_owned()).unwrap()),
        format!("{:?}", SigningKey::generate_ed25519(&mut seeded(1)).unwrap()),
        format!("{:?}", keyring(1)),
        format!("{keys:?}"),
        format!("{issued:?}"),
        format!(
            "{:?}",
            Remembered::new(issued.token.expose().as_bytes(), None, 0, ())
        ),
    ];
    for text in shown {
        assert!(text.contains("REDACTED"), "{text}");
        assert!(
            !text.contains("171, 171") && !text.to_lowercase().contains("abab"),
            "{text}"
        );
        assert!(!text.contains(&issued.token.expose()[20..30]), "{text}");
    }
}
