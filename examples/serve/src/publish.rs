//! A re-pruned model under rotated keys, published where a running service picks it up.

use std::fs;
use std::path::{Path, PathBuf};

use modelops_pruning::weights::{Format, Pattern, Recipe, Scope, Sparsity, prune_checkpoint};
use modelops_security::SystemRandom;
use modelops_security::keys::{Keyring, Passphrase};
use modelops_security::sealed::{SealOptions, rewrap_file, seal_file};
use modelops_security::sign::{HashOptions, ModelManifest, SigningKey};

use crate::Failure;
use crate::files::{read, write_private};
use crate::model::{CARD, KEYRING, PASSPHRASE, SIGNATURE, WEIGHTS};

/// Bytes of a file that one digest of the manifest covers.
const SIGNED_PIECE: u64 = 1 << 16;

/// What to publish.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PublishOptions {
    /// The folder of `operate`.
    pub operate: PathBuf,
    /// The share of the weights to remove; `None` keeps the published weights and rotates their keys alone.
    pub sparsity: Option<f64>,
}

impl PublishOptions {
    /// Keys rotated, weights as they are.
    pub fn new(operate: impl Into<PathBuf>) -> Self {
        Self {
            operate: operate.into(),
            sparsity: None,
        }
    }

    /// The same with the weights pruned anew.
    #[must_use]
    pub fn with_sparsity(mut self, sparsity: f64) -> Self {
        self.sparsity = Some(sparsity);
        self
    }
}

/// What was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The version of the key that wraps it.
    pub key_version: u32,
    /// How often its keys were rotated, from 1.
    pub generation: u64,
}

/// Rotates the keys of the published model, prunes it anew where that is asked for, and signs it last: a service that
/// looks in between finds something that does not fit together, refuses it, and goes on with what it has.
///
/// # Errors
/// A sentence for the terminal.
pub fn publish(options: &PublishOptions) -> Result<Published, Failure> {
    let folder = options.operate.join("5-protect");
    let mut random = SystemRandom::new();
    let passphrase = Passphrase::new(PASSPHRASE.to_owned())?;
    let mut keyring = Keyring::load(&folder.join(KEYRING), &passphrase)?;
    let key_version = keyring.rotate(&mut random)?;
    keyring.save(&folder.join(KEYRING), &passphrase, &mut random)?;

    let weights = folder.join(WEIGHTS);
    let plain = folder.join("model").join("weights.safetensors");
    let generation = if let Some(sparsity) = options.sparsity {
        prune(
            &options.operate.join("4-prune").join("model.safetensors"),
            &plain,
            sparsity,
        )?;
        seal_file(&plain, &weights, &keyring, &SealOptions::default(), &mut random)?
            .header
            .generation
    } else {
        rewrap_file(&weights, &keyring, &keyring, &mut random)?.generation
    };
    rewrap_file(&folder.join(CARD), &keyring, &keyring, &mut random)?;
    let key = SigningKey::from_pem(&String::from_utf8(read(&folder.join("publisher-key.pem"))?)?)?;
    let pieces = HashOptions::default().with_shard_size(SIGNED_PIECE);
    let bundle = ModelManifest::of_folder(&folder.join("model"), &pieces)?.sign(&key)?;
    write_private(&folder.join(SIGNATURE), bundle.as_bytes())?;
    Ok(Published {
        key_version,
        generation,
    })
}

/// The whole model, pruned into a file that replaces the published one.
fn prune(whole: &Path, published: &Path, sparsity: f64) -> Result<(), Failure> {
    let recipe = Recipe::new(Pattern::Unstructured {
        sparsity: Sparsity::try_new(sparsity)?,
        scope: Scope::Tensor,
    });
    let pruned = published.with_file_name("weights.new");
    prune_checkpoint(whole, &pruned, &recipe, Format::Dense)?;
    fs::rename(pruned, published)?;
    Ok(())
}
