//! How do weights lie safely on storage I do not trust, and who published them? Seals a model, reads one tensor of it,
//! rotates its key, and signs a release.
//!
//! `cargo run --example seal_model` prints the same bytes on every run: its randomness is seeded, which is for examples alone.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::fmt::Display;
use std::fs;

use modelops::security::InsecureSeededRandom;
use modelops::security::keys::Keyring;
use modelops::security::sealed::{
    ContentType, OpenOptions, SealOptions, SealedSafetensors, open_file, rewrap_file, seal_file,
};
use modelops::security::sign::{HashOptions, ModelManifest, SigningKey};
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
    assert_eq!(model.tensor("head")?, head.data());
    println!("read       head is intact");

    // Whoever holds the storage flips a bit, cuts a byte off, or hands out another model.
    let bytes = fs::read(&sealed)?;
    let mut flipped = bytes.clone();
    flipped[100_000] ^= 1;
    for (what, bad) in [
        ("one bit flipped", &flipped[..]),
        ("one byte missing", &bytes[..bytes.len() - 1]),
    ] {
        fs::write(path("bad.msc"), bad)?;
        refused(what, open_file(&path("bad.msc"), &path("out"), &keyring, &demand));
        assert!(!path("out").exists());
    }
    let other = OpenOptions::default().with_context(b"demo/v2");
    refused("wrong model", SealedSafetensors::open(&sealed, &keyring, &other));

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
    refused("a stranger", open_file(&sealed, &path("out"), &stranger, &demand));

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
    let answer = manifest.check(&path("release"), &HashOptions::default());
    refused("a changed file", answer);
    Ok(())
}

/// Says why something was refused.
fn refused<T, E: Display>(what: &str, answer: Result<T, E>) {
    match answer {
        Ok(_) => println!("ACCEPTED   {what}"),
        Err(reason) => println!("refused    {what}: {reason}"),
    }
}
