//! What `operate` leaves behind, in small: a model of two classes and three features.

use std::path::Path;

use modelops_security::SystemRandom;
use modelops_security::keys::{Keyring, Passphrase};
use modelops_security::sealed::{SealOptions, seal_file};
use modelops_security::sign::{HashOptions, ModelManifest, SigningKey};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};
use serde_json::json;

const PASSPHRASE: &str = "for this example only";

/// Publishes the first model in `folder/5-protect`, the whole of it in `folder/4-prune`.
pub(crate) fn publish_first(folder: &Path) {
    let protect = folder.join("5-protect");
    let model = protect.join("model");
    std::fs::create_dir_all(&model).expect("a folder");
    std::fs::create_dir_all(folder.join("4-prune")).expect("a folder");
    let bytes = |numbers: &[f32]| numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let (weights, bias) = (bytes(&[2.0, -1.0, 0.1, -2.0, 1.0, 0.2]), bytes(&[0.25, -0.25]));
    let tensors = [
        (
            "classifier.weight",
            TensorView::new(Dtype::F32, vec![2, 3], &weights).expect("a matrix"),
        ),
        (
            "classifier.bias",
            TensorView::new(Dtype::F32, vec![2], &bias).expect("a vector"),
        ),
    ];
    let file = serialize(tensors, None).expect("a file");
    std::fs::write(folder.join("4-prune/model.safetensors"), &file).expect("written");
    std::fs::write(model.join("weights.safetensors"), &file).expect("written");
    let card = json!({
        "target": "Species", "classes": ["Adelie", "Gentoo"],
        "features": ["Island=Torgersen", "Flipper Length (mm)", "Body Mass (g)"],
        "preparation": [
            {"fill": 0.0, "centre": 0.5, "spread": 0.5}, {"fill": 200.0, "centre": 200.0, "spread": 10.0},
            {"fill": 4000.0, "centre": 4000.0, "spread": 800.0},
        ],
    });
    std::fs::write(model.join("config.json"), card.to_string()).expect("written");

    let mut random = SystemRandom::new();
    let keyring = Keyring::generate(&mut random).expect("a keyring");
    let passphrase = Passphrase::new(PASSPHRASE.to_owned()).expect("a passphrase");
    keyring
        .save(&protect.join("keyring.msc"), &passphrase, &mut random)
        .expect("saved");
    for (plain, sealed) in [
        ("weights.safetensors", "weights.msc"),
        ("config.json", "config.msc"),
    ] {
        let (plain, sealed) = (model.join(plain), protect.join(sealed));
        seal_file(&plain, &sealed, &keyring, &SealOptions::default(), &mut random).expect("sealed");
    }
    let key = SigningKey::generate_ed25519(&mut random).expect("a key");
    let pieces = HashOptions::default().with_shard_size(1 << 16);
    let manifest = ModelManifest::of_folder(&model, &pieces).expect("a manifest");
    std::fs::write(protect.join("model.sig"), manifest.sign(&key).expect("signed")).expect("written");
    std::fs::write(protect.join("publisher.pem"), key.verifying_key().to_pem()).expect("written");
    std::fs::write(protect.join("publisher-key.pem"), key.to_pem().expose()).expect("written");
}

/// A row that is clearly of one class.
pub(crate) fn row() -> serde_json::Value {
    json!({"Island": "Torgersen", "Flipper Length (mm)": 190, "Body Mass (g)": 3600.0})
}
