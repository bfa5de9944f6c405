//! Stage 5: can the files be trusted, and who may call?
//!
//! The generator is seeded, so that the run can be repeated byte for byte. **Never do that in production**: pass
//! `SystemRandom`, and keep passphrase and pepper where secrets are kept.

use std::error::Error;
use std::fmt::Display;
use std::fs;
use std::path::Path;

use modelops::security::InsecureSeededRandom;
use modelops::security::auth::{ApiKeyGrant, ApiKeyId, ApiKeys, Pepper, Scope, UnixSeconds};
use modelops::security::keys::{Keyring, Passphrase};
use modelops::security::sealed::{OpenOptions, SealOptions, open_file, seal_file};
use modelops::security::sign::{HashOptions, ModelManifest, SigningKey};
use serde_json::json;

use crate::SEED;
use crate::cycle::{Stage, write_json, write_whole};
use crate::prune::Pruned;
use crate::select::Data;

/// The moment at which the cycle runs, as far as keys are concerned.
pub(crate) const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

/// Bytes of a file that one digest of the manifest covers.
const SIGNED_PIECE: u64 = 1 << 16;

/// Those who may call the endpoint, and one who may not any more.
pub(crate) struct Callers {
    /// Who authenticates them.
    pub(crate) keys: ApiKeys,
    /// A name and a token each: two who may call, one revoked, one that expires soon, one that was never issued.
    pub(crate) tokens: Vec<(&'static str, String)>,
    /// What they are allowed to do.
    pub(crate) scope: Scope,
}

/// Seconds after [`NOW`] at which the guest's key expires, in the middle of the stream of requests.
const EXPIRES_AFTER: u64 = 40;

/// What was tried and what the answer was.
struct Attempts(Vec<(&'static str, bool, String)>);

impl Attempts {
    /// Notes an attempt that has to succeed, or has to be refused.
    fn note<T, E: Display>(&mut self, what: &'static str, refused: bool, result: Result<T, E>) {
        let answer = match &result {
            Ok(_) => "accepted".to_owned(),
            Err(error) => format!("refused: {error}"),
        };
        self.0.push((what, result.is_err() == refused, answer));
    }
}

/// Seals, signs and issues, and tries what an attacker would try.
pub(crate) fn run(stage: &mut Stage<'_>, data: &Data, pruned: &Pruned) -> Result<Callers, Box<dyn Error>> {
    let mut random = InsecureSeededRandom::new(SEED);
    let mut attempts = Attempts(Vec::new());
    let folder = publish(stage, data, pruned)?;
    seal(stage, &folder, &mut attempts, &mut random)?;
    sign(stage, &folder, &mut attempts, &mut random)?;
    let callers = issue(stage, &mut attempts, &mut random)?;

    let mut text = String::new();
    for (what, as_expected, answer) in &attempts.0 {
        let mark = if *as_expected { ' ' } else { '!' };
        text.push_str(&format!("{mark} {what:<44}{answer}\n"));
    }
    print!("{text}");
    stage.write("attempts.txt", text)?;
    let table: Vec<_> = attempts
        .0
        .iter()
        .map(|(what, good, answer)| json!([what, good, answer]))
        .collect();
    stage.fact("attempts", table);
    if let Some((what, ..)) = attempts.0.iter().find(|(_, as_expected, _)| !as_expected) {
        return Err(format!("{what}: not the answer that was expected").into());
    }
    let refused = attempts
        .0
        .iter()
        .filter(|(.., answer)| answer.starts_with("refused"))
        .count();
    stage.result(
        format!("{refused} attempts refused, 3 files sealed, manifest signed"),
        "attempts.txt",
    );
    Ok(callers)
}

/// The folder that goes out: the pruned weights and what is needed to use them.
fn publish(stage: &Stage<'_>, data: &Data, pruned: &Pruned) -> Result<std::path::PathBuf, Box<dyn Error>> {
    let folder = stage.path("model");
    fs::create_dir(&folder)?;
    write_whole(&folder.join("weights.safetensors"), &pruned.bytes)?;
    let card = json!({
        "target": data.target,
        "classes": data.classes,
        "features": data.features,
        "preparation": data.preparation,
    });
    write_json(&folder.join("config.json"), &card)?;
    Ok(folder)
}

/// Seals the weights and the training file, opens them again, and tries damaged copies.
fn seal(
    stage: &Stage<'_>,
    model: &Path,
    attempts: &mut Attempts,
    random: &mut InsecureSeededRandom,
) -> Result<(), Box<dyn Error>> {
    let keyring = Keyring::generate(random)?;
    let stranger = Keyring::generate(random)?;
    let passphrase = Passphrase::new("for this example only".to_owned())?;
    keyring.save(&stage.path("keyring.msc"), &passphrase, random)?;
    let keyring = Keyring::load(&stage.path("keyring.msc"), &passphrase)?;
    let wrong = Passphrase::new("a guess".to_owned())?;
    attempts.note(
        "open the keyring with another passphrase",
        true,
        Keyring::load(&stage.path("keyring.msc"), &wrong),
    );

    let training = stage.folder.with_file_name("2-select").join("train.csv");
    for (plain, name, what) in [
        (
            model.join("weights.safetensors"),
            "weights.msc",
            "seal and open the weights",
        ),
        (
            model.join("config.json"),
            "config.msc",
            "seal and open what describes them",
        ),
        (training, "train.msc", "seal and open the training file"),
    ] {
        let (sealed, opened) = (stage.path(name), stage.path("opened"));
        seal_file(&plain, &sealed, &keyring, &SealOptions::default(), random)?;
        open_file(&sealed, &opened, &keyring, &OpenOptions::default())?;
        let same = fs::read(&plain)? == fs::read(&opened)?;
        fs::remove_file(&opened)?;
        attempts.note(
            what,
            false,
            if same { Ok(()) } else { Err("the content differs") },
        );
    }

    let sealed = fs::read(stage.path("weights.msc"))?;
    let mut flipped = sealed.clone();
    let last = flipped.len() - 40;
    flipped[last] ^= 1;
    for (what, name, bytes) in [
        ("open with one bit flipped", "weights-flipped.msc", &flipped[..]),
        (
            "open with the last byte missing",
            "weights-cut.msc",
            &sealed[..sealed.len() - 1],
        ),
    ] {
        stage.write(name, bytes)?;
        let answer = open_file(
            &stage.path(name),
            &stage.path("opened"),
            &keyring,
            &OpenOptions::default(),
        );
        attempts.note(what, true, answer);
        if stage.path("opened").exists() {
            return Err("a refused file left something behind".into());
        }
    }
    let answer = open_file(
        &stage.path("weights.msc"),
        &stage.path("opened"),
        &stranger,
        &OpenOptions::default(),
    );
    attempts.note("open with somebody else's keyring", true, answer);
    Ok(())
}

/// Signs a manifest of the folder, verifies it, and tries a changed folder.
fn sign(
    stage: &Stage<'_>,
    model: &Path,
    attempts: &mut Attempts,
    random: &mut InsecureSeededRandom,
) -> Result<(), Box<dyn Error>> {
    // Signed in pieces, a sealed file can be held against its publisher without being written out.
    let options = HashOptions::default().with_shard_size(SIGNED_PIECE);
    let key = SigningKey::generate_ed25519(random)?;
    let bundle = ModelManifest::of_folder(model, &options)?.sign(&key)?;
    stage.write("model.sig", &bundle)?;
    stage.write("publisher.pem", key.verifying_key().to_pem())?;
    // For the example `republish` alone: a publisher keeps the private key where nobody else reads it.
    stage.write("publisher-key.pem", key.to_pem().expose())?;
    let signed = ModelManifest::verify(bundle.as_bytes(), &key.verifying_key())?;
    attempts.note(
        "verify the signed manifest of the model",
        false,
        signed.check(model, &options),
    );

    let forged = bundle.replacen('A', "B", 1);
    attempts.note(
        "verify a manifest that was changed",
        true,
        ModelManifest::verify(forged.as_bytes(), &key.verifying_key()),
    );
    let other = SigningKey::generate_ed25519(random)?;
    attempts.note(
        "verify with another publisher's key",
        true,
        ModelManifest::verify(bundle.as_bytes(), &other.verifying_key()),
    );
    let config = model.join("config.json");
    let honest = fs::read(&config)?;
    write_whole(&config, b"{}")?;
    attempts.note(
        "verify a folder with a changed file",
        true,
        signed.check(model, &options),
    );
    write_whole(&config, &honest)?;
    Ok(())
}

/// Issues API keys, and tries a wrong, a revoked and an expired one.
fn issue(
    stage: &Stage<'_>,
    attempts: &mut Attempts,
    random: &mut InsecureSeededRandom,
) -> Result<Callers, Box<dyn Error>> {
    let keys = ApiKeys::new("demo", &Pepper::generate(random)?)?;
    let scope = Scope::new("model:classifier:infer")?;
    let mut tokens = Vec::new();
    let mut ids: Vec<ApiKeyId> = Vec::new();
    for name in ["field-station", "aquarium", "museum", "guest"] {
        let mut grant = ApiKeyGrant::new(name).with_scope(scope.clone());
        if name == "guest" {
            grant = grant.with_expiry(NOW.plus(EXPIRES_AFTER));
        }
        let issued = keys.issue(&grant, NOW, random)?;
        tokens.push((name, issued.token.expose().clone()));
        ids.push(issued.id);
    }
    let token = |i: usize| tokens[i].1.as_str();
    attempts.note(
        "call with a key that was issued",
        false,
        keys.authenticate(token(0), NOW),
    );
    let stranger = ApiKeys::new("demo", &Pepper::generate(random)?)?;
    let foreign = stranger.issue(&ApiKeyGrant::new("nobody"), NOW, random)?;
    attempts.note(
        "call with a key that was never issued",
        true,
        keys.authenticate(foreign.token.expose(), NOW),
    );
    let typo = token(0).replacen("mo_demo_", "mo_demo_x", 1);
    attempts.note("call with a misspelt key", true, keys.authenticate(&typo, NOW));
    keys.revoke(ids[2])?;
    attempts.note("call with a revoked key", true, keys.authenticate(token(2), NOW));
    attempts.note(
        "call with an expired key",
        true,
        keys.authenticate(token(3), NOW.plus(EXPIRES_AFTER)),
    );
    stage.write(
        "api-keys.json",
        serde_json::to_string_pretty(&keys.records())? + "\n",
    )?;
    tokens.push(("nobody", foreign.token.expose().clone()));
    Ok(Callers { keys, tokens, scope })
}
