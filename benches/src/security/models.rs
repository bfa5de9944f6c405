//! Folders of a model, hashed and signed.

use std::fs;

use modelops_benches::{Better, Comparison};
use modelops_security::sign::{HashOptions, ModelManifest, SigningKey, VerifyingKey};

use crate::{MIB, bytes, folder};

pub(crate) fn folders(run: &mut Comparison) {
    let name = "hash a model folder of two files of 256 MiB";
    if !run.wants(name) {
        return;
    }
    let dir = folder();
    for file in ["a", "b"] {
        fs::write(dir.path().join(file), bytes(256 * MIB)).unwrap();
    }
    let folder = dir.path().to_str().unwrap();
    run.case(name)
        .ours(|| {
            let manifest = ModelManifest::of_folder(dir.path(), &HashOptions::default()).unwrap();
            manifest
                .resources()
                .iter()
                .map(|r| u64::from(r.sha256[0]))
                .sum::<u64>()
        })
        .python("model-signing 1.1.1", "hash_folder.py", &[folder])
        .agree(|ours, theirs| ours == theirs)
        .per("byte", 512 * MIB)
        .run();
}

/// Bundles of ours for the other tool, and its bundles for us: each side has eight questions, half of them about a changed model.
pub(crate) fn bundles(run: &mut Comparison) {
    let name = "OpenSSF bundles of P-256 and P-384, whole files and pieces, both ways";
    if !run.wants(name) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (side, last) in [("good", 0), ("changed", 1)] {
        let model = dir.path().join(side).join("model");
        fs::create_dir_all(model.join("sub")).unwrap();
        fs::write(model.join("config.json"), "{}").unwrap();
        let mut weights = bytes(100_000);
        weights[99_999] ^= last;
        fs::write(model.join("sub").join("weights"), weights).unwrap();
    }
    let read = |name: String| fs::read_to_string(dir.path().join(name)).unwrap();
    let ask = || {
        let mut right = 0;
        // The peer makes the keys: without it there is nothing to ask.
        if !dir.path().join("p256.pem").exists() {
            return right;
        }
        for curve in ["p256", "p384"] {
            let signer = SigningKey::from_pem(&read(format!("{curve}.pem"))).unwrap();
            let public = VerifyingKey::from_pem(&read(format!("{curve}-pub.pem"))).unwrap();
            for method in ["files", "shards"] {
                let (good, changed) = (dir.path().join("good/model"), dir.path().join("changed/model"));
                let mut options = HashOptions::default();
                if method == "shards" {
                    options = options.with_shard_size(30_000);
                }
                let ours = ModelManifest::of_folder(&good, &options)
                    .unwrap()
                    .sign(&signer)
                    .unwrap();
                fs::write(dir.path().join(format!("ours-{curve}-{method}.sig")), ours).unwrap();
                let theirs = read(format!("theirs-{curve}-{method}.sig"));
                let theirs = ModelManifest::verify(theirs.as_bytes(), &public).unwrap();
                right += u32::from(theirs.check(&good, &HashOptions::default()).is_ok());
                right += u32::from(theirs.check(&changed, &HashOptions::default()).is_err());
            }
        }
        right
    };
    run.case(name)
        .ours(ask)
        .python(
            "model-signing 1.1.1",
            "bundles.py",
            &[dir.path().to_str().unwrap()],
        )
        .agree(|ours, theirs| (*ours, *theirs) == (8, 8))
        .without_times()
        .value("right answers", "of 8", Better::Higher, |n| f64::from(*n))
        .rounds(3)
        .run();
}
