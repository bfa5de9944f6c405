//! Seals a model, reads one tensor of it, rotates its key, and lets only the right callers in.
//!
//! `cargo run --example seal_model` prints the same bytes on every run: its randomness is seeded, which is for examples alone.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::fs;

use modelops::security::auth::{ApiKeyGrant, ApiKeys, Pepper, Scope, UnixSeconds};
use modelops::security::keys::Keyring;
use modelops::security::sealed::{
    ContentType, OpenOptions, SealOptions, SealedSafetensors, open_file, rewrap_file, seal_file,
};
use modelops::security::sign::{HashOptions, ModelManifest, SigningKey};
use modelops::security::{InsecureSeededRandom, OpenError};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

fn main() -> Result<(), Box<dyn Error>> {
    // Production code writes `SystemRandom::new()` here.
    let mut random = InsecureSeededRandom::new(7);
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);

    // A model of two tensors.
    let (embed, head) = (vec![1; 400_000], vec![2; 40_000]);
    let embed = TensorView::new(Dtype::BF16, vec![1000, 200], &embed)?;
    let head = TensorView::new(Dtype::BF16, vec![100, 200], &head)?;
    safetensors::serialize_to_file(
        [("embed", &embed), ("head", &head)],
        None,
        &path("model.safetensors"),
    )?;

    // Seal it for the holders of a keyring, bound to its name.
    let mut keyring = Keyring::generate(&mut random)?;
    let options = SealOptions::default()
        .with_context(b"demo/v1")
        .with_content_type(ContentType::Safetensors);
    let sealed = path("model.msc");
    let report = seal_file(
        &path("model.safetensors"),
        &sealed,
        &keyring,
        &options,
        &mut random,
    )?;
    println!(
        "sealed     {} bytes into {}",
        report.content_len, report.sealed_len
    );

    // One tensor, without the rest.
    let demand = OpenOptions::default().with_context(b"demo/v1");
    let model = SealedSafetensors::open(&sealed, &keyring, &demand)?;
    for name in model.names() {
        let info = model.info(&name).ok_or("a listed tensor has an entry")?;
        println!(
            "tensor     {name} {} {:?}: {} bytes",
            info.dtype, info.shape, info.len
        );
    }
    println!(
        "read       head is {}",
        if model.tensor("head")? == head.data() {
            "intact"
        } else {
            "wrong"
        }
    );

    // Whoever holds the storage flips a bit, cuts a byte off, or hands out another model.
    let bytes = fs::read(&sealed)?;
    let mut flipped = bytes.clone();
    flipped[100_000] ^= 1;
    for (what, bad) in [
        ("one bit flipped", &flipped[..]),
        ("one byte missing", &bytes[..bytes.len() - 1]),
    ] {
        fs::write(path("bad.msc"), bad)?;
        let refusal = open_file(&path("bad.msc"), &path("out"), &keyring, &demand).err();
        println!(
            "refused    {what}: {}",
            refusal.map_or_else(String::new, |error| error.to_string())
        );
        assert!(!path("out").exists());
    }
    let other = OpenOptions::default().with_context(b"demo/v2");
    let refusal = SealedSafetensors::open(&sealed, &keyring, &other).err();
    println!(
        "refused    wrong model: {}",
        refusal.map_or_else(String::new, |error| error.to_string())
    );

    // A new key in place: the header alone is rewritten.
    keyring.rotate(&mut random)?;
    let header = rewrap_file(&sealed, &keyring, &keyring, &mut random)?;
    keyring.destroy(1)?;
    println!(
        "rotated    generation {}, {} bytes rewritten",
        header.generation, header.header_len
    );
    assert!(open_file(&sealed, &path("out"), &keyring, &demand).is_ok());
    let stranger = Keyring::generate(&mut random)?;
    assert_eq!(
        open_file(&sealed, &path("out"), &stranger, &demand),
        Err(OpenError::NoKey)
    );

    // Publish: whoever has the public key can tell whether a folder is what was released.
    fs::create_dir(path("release"))?;
    fs::copy(
        path("model.safetensors"),
        path("release").join("model.safetensors"),
    )?;
    fs::write(path("release").join("config.json"), "{}\n")?;
    let publisher = SigningKey::generate_ed25519(&mut random)?;
    let bundle = ModelManifest::of_folder(&path("release"), &HashOptions::default())?.sign(&publisher)?;
    let manifest = ModelManifest::verify(bundle.as_bytes(), &publisher.verifying_key())?;
    manifest.check(&path("release"), &HashOptions::default())?;
    println!("signed     {} files, verified", manifest.resources().len());
    fs::write(path("release").join("config.json"), "{ }\n")?;
    let refusal = manifest.check(&path("release"), &HashOptions::default()).err();
    println!(
        "refused    {}",
        refusal.map_or_else(String::new, |error| error.to_string())
    );

    // Callers.
    let keys = ApiKeys::new("demo", &Pepper::generate(&mut random)?)?;
    let now = UnixSeconds(1_800_000_000);
    let infer = Scope::new("model:demo:infer")?;
    let grant = ApiKeyGrant::new("team-vision")
        .with_scope(infer.clone())
        .with_expiry(now.plus(3600));
    let issued = keys.issue(&grant, now, &mut random)?;
    let caller = keys.authenticate(issued.token.expose(), now)?;
    println!(
        "caller     {} may infer: {}",
        caller.principal,
        caller.allows(&infer)
    );
    println!(
        "caller     may delete: {}",
        caller.allows(&Scope::new("model:demo:delete")?)
    );
    let mut wrong = issued.token.expose().clone();
    wrong.replace_range(30..31, if wrong.as_bytes()[30] == b'A' { "B" } else { "A" });
    println!("refused    {:?}", keys.authenticate(&wrong, now).err());
    println!(
        "refused    {:?}",
        keys.authenticate(issued.token.expose(), now.plus(3600)).err()
    );
    keys.revoke(issued.id)?;
    println!(
        "refused    {:?}",
        keys.authenticate(issued.token.expose(), now).err()
    );
    Ok(())
}
