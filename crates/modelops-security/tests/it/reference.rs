//! Values from specifications, and the other implementation of the payload format. Provenance: tests/data/README.md.

use std::io::{Read as _, Write as _};

use modelops_security::chunked::{self, InputKey, Suite};
use modelops_security::keys::Keyring;
use modelops_security::sealed::{OpenOptions, SealOptions, SealedFile, seal_file};
use modelops_security::sign::{KeyKind, VerifyingKey};
use modelops_security::{InsecureSeededRandom, SecureRandom as _};

use crate::sealed::folder;
use crate::{content, keyring, seeded};

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}

#[test]
fn the_cobblestone_crate_reads_ours_and_we_read_its() {
    for len in [0, 1, 16_383, 16_384, 16_385, 70_000] {
        let message = content(len);
        let key = InputKey::new(Suite::Cobblestone256, &[7; 32]).unwrap();
        let theirs = cobblestone::Key256::from_bytes(&[7; 32]);
        let ours = chunked::seal(&key, b"context", &message, &mut seeded(1)).unwrap();
        let mut back = Vec::new();
        cobblestone::DecryptReader::new(&theirs, b"context", ours.as_slice())
            .read_to_end(&mut back)
            .unwrap();
        assert_eq!(back, message);
        let mut writer = cobblestone::EncryptWriter::new(&theirs, b"context", Vec::new());
        writer.write_all(&message).unwrap();
        let sealed = writer.finish().unwrap();
        assert_eq!(chunked::open(&key, b"context", &sealed).unwrap(), message);
    }
}

#[test]
fn the_payload_of_a_sealed_file_is_a_standard_message() {
    let f = folder(&content(50_000));
    let options = SealOptions::default().with_context(b"m/1");
    seal_file(&f.plain, &f.sealed, &keyring(1), &options, &mut seeded(2)).unwrap();
    let file = SealedFile::open(&f.sealed, &keyring(1), &OpenOptions::default()).unwrap();
    let (key, context) = file.export_payload_key();
    let payload = &std::fs::read(&f.sealed).unwrap()[file.header().header_len..];
    let theirs = cobblestone::Key256::from_bytes(key.expose().try_into().unwrap());
    let mut back = Vec::new();
    cobblestone::DecryptReader::new(&theirs, &context, payload)
        .read_to_end(&mut back)
        .unwrap();
    assert_eq!(back, content(50_000));
}

#[test]
fn the_first_ed25519_vector_of_rfc_8032_verifies() {
    let public = unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let signature = unhex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    );
    let key = VerifyingKey::from_public(KeyKind::Ed25519, &public).unwrap();
    assert!(key.verify(b"", &signature).is_ok());
    assert!(key.verify(b"x", &signature).is_err());
}

#[test]
fn the_seeded_stream_is_sha_256_of_seed_and_counter() {
    let mut out = [0; 33];
    InsecureSeededRandom::new(0).fill(&mut out).unwrap();
    // printf '\0%.0s' {1..16} | sha256sum, and the same with a last byte of 1.
    assert_eq!(
        out[..32],
        unhex("374708fff7719dd5979ec875d56cd2286f6d3cf7ec317a3b25632aab28ec37bb")
    );
    assert_eq!(
        out[32],
        unhex("7c3ccd10bb7ec37b46d37926ae6274267f007a34aeaf15c882a715a7f3300529")[0]
    );
}

#[test]
fn a_keyring_and_a_file_of_a_seed_stay_the_same_bytes() {
    let f = folder(b"golden");
    let ring = Keyring::generate(&mut seeded(1)).unwrap();
    seal_file(
        &f.plain,
        &f.sealed,
        &ring,
        &SealOptions::default().with_context(b"golden"),
        &mut seeded(2),
    )
    .unwrap();
    let bytes = std::fs::read(&f.sealed).unwrap();
    let golden = include_bytes!("../data/golden.msc");
    assert_eq!(bytes, golden, "the format of version 1 must not change");
}
