//! JSON Web Tokens, from outside and from ourselves.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use modelops_security::auth::{Jwk, Jwks, JwtIssuer, JwtVerifier, UnixSeconds, verify_jws};
use modelops_security::sign::SigningKey;
use modelops_security::{JwkError, JwtError};
use serde_json::json;

use crate::seeded;

const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

fn issuer() -> JwtIssuer {
    JwtIssuer::new(SigningKey::generate_ed25519(&mut seeded(1)).unwrap(), "k1", "iss").unwrap()
}

fn verifier() -> JwtVerifier {
    JwtVerifier::new(Jwks::from_json(issuer().jwks().as_bytes()).unwrap(), "iss", "aud")
}

fn with(claims: &serde_json::Value) -> Result<(), JwtError> {
    verifier()
        .verify(&issuer().issue_claims(claims).unwrap(), NOW)
        .map(|_| ())
}

#[test]
fn rfc_8037_appendix_a_4_verifies() {
    let key = br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let keys = Jwks::from(Jwk::from_json(key).unwrap());
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
                 hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(verify_jws(token, &keys).unwrap(), b"Example of Ed25519 signing");
    assert_eq!(
        verify_jws(&token.replace("RXhh", "RXhi"), &keys),
        Err(JwtError::Signature)
    );
}

#[test]
fn rfc_7515_appendix_a_1_needs_its_algorithm_declared() {
    let k = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                 eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                 dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let key = |alg: &str| Jwk::from_json(format!(r#"{{"kty":"oct","k":"{k}"{alg}}}"#).as_bytes());
    assert!(verify_jws(token, &key(r#","alg":"HS256""#).unwrap().into()).is_ok());
    assert_eq!(
        verify_jws(token, &key(r#","alg":"HS512""#).unwrap().into()),
        Err(JwtError::UnknownKey)
    );
    assert_eq!(key("").unwrap_err(), JwkError::Malformed);
}

#[test]
fn claims_are_what_they_must_be_or_the_token_is_refused() {
    let good = json!({"iss": "iss", "aud": "aud", "exp": NOW.0 + 1, "iat": NOW.0, "nbf": NOW.0});
    assert_eq!(with(&good), Ok(()));
    let but = |name: &str, value: serde_json::Value| {
        let mut claims = good.clone();
        claims[name] = value;
        with(&claims)
    };
    assert_eq!(but("exp", json!(NOW.0)), Err(JwtError::Expired));
    assert_eq!(but("exp", json!(NOW.0 as f64 + 1.5)), Ok(()));
    for bad in [
        json!("1900000000"),
        json!(null),
        json!(-1),
        json!(1e300),
        json!([1]),
        json!(true),
    ] {
        assert_eq!(but("exp", bad.clone()), Err(JwtError::Malformed), "exp {bad}");
        assert_eq!(but("nbf", bad.clone()), Err(JwtError::Malformed), "nbf {bad}");
        assert_eq!(but("iat", bad.clone()), Err(JwtError::Malformed), "iat {bad}");
    }
    assert_eq!(but("nbf", json!(NOW.0 + 1)), Err(JwtError::NotYet));
    assert_eq!(but("iat", json!(NOW.0 + 1)), Err(JwtError::NotYet));
    assert_eq!(but("aud", json!(["other", "aud"])), Ok(()));
    assert_eq!(but("aud", json!(["other"])), Err(JwtError::NotForUs));
    assert_eq!(but("aud", json!("AUD")), Err(JwtError::NotForUs));
    assert_eq!(but("aud", json!({"aud": "aud"})), Err(JwtError::Malformed));
    assert_eq!(but("iss", json!("iss/")), Err(JwtError::NotForUs));
    assert_eq!(
        with(&json!({"iss": "iss", "aud": "aud"})),
        Err(JwtError::Malformed),
        "no end"
    );
    assert_eq!(
        with(&json!({"aud": "aud", "exp": NOW.0 + 1})),
        Err(JwtError::NotForUs),
        "no issuer"
    );
    assert!(issuer().issue_claims(&json!("text")).is_err());
}

#[test]
fn leeway_and_age_are_bounded() {
    let token = issuer().issue("s", "aud", NOW, 60).unwrap();
    let lenient = verifier().with_leeway(1_000_000);
    assert!(lenient.verify(&token, NOW.plus(60 + 299)).is_ok());
    assert_eq!(lenient.verify(&token, NOW.plus(60 + 300)), Err(JwtError::Expired));
    let young = verifier().with_max_age(10);
    assert!(young.verify(&token, NOW.plus(10)).is_ok());
    assert_eq!(young.verify(&token, NOW.plus(11)), Err(JwtError::Expired));
    assert_eq!(
        verifier().with_type("at+jwt").verify(&token, NOW),
        Err(JwtError::Malformed)
    );
}

fn signed(header: &str) -> String {
    let claims = json!({"iss": "iss", "aud": "aud", "exp": NOW.0 + 1}).to_string();
    let message = format!("{}.{}", B64.encode(header), B64.encode(claims));
    let key = SigningKey::generate_ed25519(&mut seeded(1)).unwrap();
    let signature = B64.encode(key.sign(message.as_bytes()).unwrap());
    format!("{message}.{signature}")
}

#[test]
fn the_header_of_a_token_decides_nothing() {
    assert!(
        verifier()
            .verify(&signed(r#"{"alg":"EdDSA","kid":"k1"}"#), NOW)
            .is_ok()
    );
    assert!(
        verifier()
            .verify(&signed(r#"{"alg":"EdDSA","jku":"https://evil","jwk":{}}"#), NOW)
            .is_ok()
    );
    for bad in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"NONE"}"#,
        r#"{"alg":"eddsa"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"EdDSA","kid":"k2"}"#,
        r#"{"alg":"EdDSA","crit":[]}"#,
        r#"{"alg":"EdDSA","crit":null}"#,
        r#"{"alg":"EdDSA","alg":"EdDSA"}"#,
        r#"{"alg":["EdDSA"]}"#,
        r#"{"alg":"EdDSA","typ":"secevent+jwt"}"#,
        r#"{}"#,
        "[]",
        "",
    ] {
        assert!(verifier().verify(&signed(bad), NOW).is_err(), "{bad}");
    }
}

#[test]
fn a_token_has_three_parts_in_canonical_base64() {
    let token = issuer().issue("s", "aud", NOW, 60).unwrap();
    assert!(verifier().verify(&token, NOW).is_ok());
    let parts: Vec<&str> = token.split('.').collect();
    let (head, body, signature) = (parts[0], parts[1], parts[2]);
    // The last digit of 64 bytes carries four bits that must be zero.
    let last = signature.as_bytes()[85];
    let loose = char::from(if last == b'A' || last == b'Q' || last == b'g' || last == b'w' {
        last + 1
    } else {
        b'B'
    });
    for bad in [
        String::new(),
        format!("{head}.{body}"),
        format!("{head}.{body}."),
        format!("{token}."),
        format!("{token}.{signature}"),
        format!(" {token}"),
        format!("{token}="),
        format!("{token}\n"),
        format!("{head}.{body}.{}{loose}", &signature[..85]),
        format!("{head}.{}.{signature}", B64.encode("{}")),
        "a".repeat(17_000),
    ] {
        assert!(verifier().verify(&bad, NOW).is_err(), "{bad}");
    }
}

#[test]
fn weak_and_odd_keys_are_refused() {
    let n = "A".repeat(170);
    for bad in [
        format!(r#"{{"kty":"RSA","n":"{n}","e":"AQAB"}}"#),
        r#"{"kty":"OKP","crv":"Ed25519","x":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#.to_owned(),
        r#"{"kty":"oct","alg":"HS256","k":"c2hvcnQ"}"#.to_owned(),
        r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#.to_owned(),
        r#"{"kty":"oct","alg":"none","k":"c2hvcnQ"}"#.to_owned(),
        r#"{"kty":"OKP","kty":"OKP"}"#.to_owned(),
        "{}".to_owned(),
    ] {
        assert!(Jwk::from_json(bad.as_bytes()).is_err(), "{bad}");
    }
    assert_eq!(
        Jwk::from_json(br#"{"kty":"EC","crv":"P-521"}"#).unwrap_err(),
        JwkError::Unsupported
    );
    let key = r#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let twice = format!(r#"{{"keys":[{key},{key}]}}"#);
    assert_eq!(
        Jwks::from_json(twice.as_bytes()).unwrap_err(),
        JwkError::Malformed
    );
    let other = format!(r#"{{"keys":[{key},{{"kty":"EC","crv":"P-521"}},{{"kty":"new"}}]}}"#);
    assert_eq!(Jwks::from_json(other.as_bytes()).unwrap().len(), 1);
}
