//! Our own tokens in the text of others.

use modelops_security::auth::{ApiKeyGrant, ApiKeys, JwtIssuer, Pepper, UnixSeconds};
use modelops_security::redact;
use modelops_security::sign::SigningKey;
use proptest::prelude::*;

use crate::seeded;

const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

fn api_key() -> (String, String) {
    let keys = ApiKeys::new("live", &Pepper::generate(&mut seeded(1)).unwrap()).unwrap();
    let issued = keys.issue(&ApiKeyGrant::new("p"), NOW, &mut seeded(2)).unwrap();
    (issued.token.expose().clone(), issued.id.to_string())
}

fn web_token() -> String {
    let signing = SigningKey::generate_ed25519(&mut seeded(3)).unwrap();
    let issuer = JwtIssuer::new(signing, "k", "iss").unwrap();
    issuer.issue("user", "aud", NOW, 60).unwrap()
}

#[test]
fn our_tokens_go_and_everything_around_them_stays() {
    let ((key, id), web) = (api_key(), web_token());
    let hidden = format!("mo_live_{id}_[REDACTED]");
    for (before, after) in [
        ("", ""),
        ("Bearer ", "\n"),
        ("?key=", "&x=1"),
        ("é", "é"),
        ("mo_", ""),
    ] {
        assert_eq!(
            redact(&format!("{before}{key}{after}")),
            format!("{before}{hidden}{after}")
        );
        assert_eq!(
            redact(&format!("{before}{web}{after}")),
            format!("{before}[REDACTED]{after}")
        );
    }
    assert_eq!(
        redact(&format!("{web} {key} {web}")),
        format!("[REDACTED] {hidden} [REDACTED]")
    );
    let mut wrong = key.clone().into_bytes();
    wrong[30] ^= 1;
    for kept in [
        &key[..key.len() - 1],
        std::str::from_utf8(&wrong).unwrap(),
        "eyJ",
        "eyJ..",
        "eyJh.eyJi",
    ] {
        assert!(
            matches!(redact(kept), std::borrow::Cow::Borrowed(text) if text == kept),
            "{kept}"
        );
    }
}

#[test]
fn a_megabyte_of_beginnings_costs_one_pass() {
    for part in ["eyJ", "eyJ.", "mo_", "mo_live_", "eyJa.b"] {
        let text = part.repeat((1 << 20) / part.len());
        assert!(redact(&text).len() <= text.len() + 10);
    }
}

/// Bytes that are hidden, by looking at every place afresh.
fn web_tokens_by_hand(text: &str) -> String {
    let is_word = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
    let chars: Vec<char> = text.chars().collect();
    let (mut out, mut at) = (String::new(), 0);
    while at < chars.len() {
        let end = |from: usize| from + chars[from..].iter().take_while(|c| is_word(c)).count();
        let header = end(at);
        let dot = |at: usize| chars.get(at) == Some(&'.');
        if chars[at..].starts_with(&['e', 'y', 'J']) && dot(header) {
            let payload = end(header + 1);
            if payload > header + 1 && dot(payload) {
                out.push_str("[REDACTED]");
                at = end(payload + 1);
                continue;
            }
        }
        out.push(chars[at]);
        at += 1;
    }
    out
}

proptest! {
    #[test]
    fn a_token_is_found_wherever_it_begins(
        parts in prop::collection::vec(prop::sample::select(vec!["eyJ", "a", ".", "..", "é", " ", "-", "mo_"]), 0..24),
    ) {
        let text = parts.concat();
        prop_assert_eq!(redact(&text), web_tokens_by_hand(&text));
    }
}
