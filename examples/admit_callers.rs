//! Who may call my model, and how much? Issues an API key and a token made from it, refuses what is not right, and holds
//! callers to a quota.
//!
//! `cargo run --example admit_callers` prints the same bytes on every run: its randomness is seeded, which is for examples
//! alone.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;

use modelops::security::InsecureSeededRandom;
use modelops::security::auth::{
    ApiKeyGrant, ApiKeys, Jwk, JwtIssuer, JwtVerifier, Pepper, Scope, UnixSeconds,
};
use modelops::security::quota::{Limit, QuotaLedger};
use modelops::security::redact;
use modelops::security::sign::SigningKey;

fn main() -> Result<(), Box<dyn Error>> {
    // Production code writes `SystemRandom::new()` here, and asks a clock.
    let mut random = InsecureSeededRandom::new(7);
    let now = UnixSeconds(1_800_000_000);

    // A key: shown once, stored as a peppered hash, good for an hour and for one thing.
    let keys = ApiKeys::new("demo", &Pepper::generate(&mut random)?)?;
    let infer = Scope::new("model:demo:infer")?;
    let grant = ApiKeyGrant::new("team-vision")
        .with_scope(infer.clone())
        .with_expiry(now.plus(3600));
    let issued = keys.issue(&grant, now, &mut random)?;
    let key = issued.token.expose();
    let caller = keys.authenticate(key, now)?;
    println!(
        "caller     {} may infer: {}",
        caller.principal,
        caller.allows(&infer)
    );
    println!(
        "caller     may delete: {}",
        caller.allows(&Scope::new("model:demo:delete")?)
    );
    println!("in a log   {}", redact(&format!("401 for {key}")));
    let mut wrong = key.clone();
    wrong.replace_range(30..31, if wrong.as_bytes()[30] == b'A' { "B" } else { "A" });
    println!("refused    {:?}", keys.authenticate(&wrong, now).err());
    println!("refused    {:?}", keys.authenticate(key, now.plus(3600)).err());

    // A new key for the same caller; the old one works for another minute.
    let newer = keys.rotate(issued.id, 60, now, &mut random)?;
    println!(
        "rotated    old key in 59 s: {}",
        keys.authenticate(key, now.plus(59)).is_ok()
    );
    println!(
        "rotated    old key in 60 s: {:?}",
        keys.authenticate(key, now.plus(60)).err()
    );
    keys.revoke(newer.id)?;
    println!(
        "revoked    {:?}",
        keys.authenticate(newer.token.expose(), now).err()
    );

    // A short-lived token, which any service with the public key can check.
    let signer = SigningKey::generate_ed25519(&mut random)?;
    let public = Jwk::from_verifying_key("2027-01", &signer.verifying_key());
    let issuer = JwtIssuer::new(signer, "2027-01", "https://id.example")?;
    let token = issuer.issue("team-vision", "https://api.example", now, 600)?;
    let verifier = JwtVerifier::new(public, "https://id.example", "https://api.example");
    println!(
        "token      {:?}",
        verifier.verify(&token, now)?.subject.as_deref()
    );
    println!("refused    {:?}", verifier.verify(&token, now.plus(600)).err());
    println!(
        "refused    {:?}",
        verifier.verify(&token[..token.len() - 1], now).err()
    );

    // 1,000 tokens a minute: held before the work, settled after it.
    let quotas = QuotaLedger::new();
    quotas.set_limit("team-vision", Limit::new(1_000, 60)?);
    let held = quotas.reserve("team-vision", 800, now)?;
    println!(
        "quota      800 held; 300 more: {:?}",
        quotas.reserve("team-vision", 300, now).err()
    );
    held.settle(150, now);
    println!(
        "quota      150 used; 300 more: {}",
        quotas.reserve("team-vision", 300, now).is_ok()
    );
    println!(
        "quota      left: {:?}",
        quotas.usage("team-vision", now).map(|usage| usage.left)
    );
    Ok(())
}
