//! Sealing and opening in memory: what the format costs above the cipher.

use std::hint::black_box;
use std::io::{Read, Write};

use modelops_benches::Comparison;
use modelops_security::SystemRandom;
use modelops_security::chunked::{self, InputKey, Suite};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::{MIB, bytes};

fn key() -> InputKey {
    InputKey::new(Suite::Cobblestone256, &[7; 32]).unwrap()
}

pub(crate) fn in_place(run: &mut Comparison) {
    let name = "seal 64 MiB in place";
    if !run.wants(name) {
        return;
    }
    let (mut ours, mut theirs) = (bytes(64 * MIB), bytes(64 * MIB));
    let raw = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    run.case(name)
        .ours(|| {
            chunked::seal_in_place(&key(), b"", &mut ours, &mut SystemRandom::new()).unwrap();
        })
        .peer("ring 0.17 alone, 16 KiB calls", || {
            for (i, chunk) in theirs.chunks_mut(16 << 10).enumerate() {
                let mut nonce = [0; 12];
                nonce[4..].copy_from_slice(&(i as u64).to_be_bytes());
                let nonce = Nonce::assume_unique_for_key(nonce);
                let tag = raw
                    .seal_in_place_separate_tag(nonce, Aad::empty(), chunk)
                    .unwrap();
                black_box(tag.as_ref()[0]);
            }
        })
        .per("byte", 64 * MIB)
        .rounds(15)
        .run();
}

pub(crate) fn in_memory(run: &mut Comparison) {
    let (seal, open) = (
        "seal 64 MiB from memory to memory",
        "open 64 MiB from memory to memory",
    );
    if !run.wants(seal) && !run.wants(open) {
        return;
    }
    let message = bytes(64 * MIB);
    let room = chunked::sealed_len(message.len() as u64).unwrap() as usize;
    let mut ours = vec![0; room];
    let (mut stone, mut aged) = (Vec::with_capacity(room + MIB), Vec::with_capacity(room + MIB));
    let stone_key = cobblestone::Key256::from_bytes(&[7; 32]);
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public();
    run.case(seal)
        .ours(|| chunked::seal_into(&key(), b"", &message, &mut ours, &mut SystemRandom::new()).unwrap())
        .peer("cobblestone 0.2", || {
            stone.clear();
            let mut writer = cobblestone::EncryptWriter::new(&stone_key, b"", &mut stone);
            message
                .chunks(MIB)
                .for_each(|part| writer.write_all(part).unwrap());
            writer.finish().unwrap();
        })
        .peer("age 0.12 (X25519, ChaCha20-Poly1305)", || {
            aged.clear();
            let recipients = std::iter::once(&recipient as &dyn age::Recipient);
            let mut writer = age::Encryptor::with_recipients(recipients)
                .unwrap()
                .wrap_output(&mut aged)
                .unwrap();
            message
                .chunks(MIB)
                .for_each(|part| writer.write_all(part).unwrap());
            writer.finish().unwrap();
        })
        .per("byte", message.len())
        .run();
    chunked::seal_into(&key(), b"", &message, &mut ours, &mut SystemRandom::new()).unwrap();
    let mut back = vec![0; message.len()];
    let (mut stone_back, mut age_back) = (vec![0; message.len()], vec![0; message.len()]);
    if stone.is_empty() || aged.is_empty() {
        return;
    }
    run.case(open)
        .ours(|| chunked::open_into(&key(), b"", &ours, &mut back).unwrap())
        .peer("cobblestone 0.2", || {
            let mut reader = cobblestone::DecryptReader::new(&stone_key, b"", stone.as_slice());
            reader.read_exact(&mut stone_back).unwrap();
        })
        .peer("age 0.12 (X25519, ChaCha20-Poly1305)", || {
            let decryptor = age::Decryptor::new(aged.as_slice()).unwrap();
            let mut reader = decryptor
                .decrypt(std::iter::once(&identity as &dyn age::Identity))
                .unwrap();
            reader.read_exact(&mut age_back).unwrap();
        })
        .per("byte", message.len())
        .run();
}
