//! The in-toto statement of OpenSSF Model Signing v1.0, to and from a manifest.

use ring::digest;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use super::manifest::{ModelManifest, Resource};
use super::{SigningKey, VerifyingKey, dsse, names};
use crate::error::{SignError, VerifyError};
use crate::kernel::hex;

const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";

#[derive(Serialize, Deserialize)]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Serialize, Deserialize)]
struct Subject {
    name: String,
    digest: SubjectDigest,
}

#[derive(Serialize, Deserialize)]
struct SubjectDigest {
    sha256: String,
}

#[derive(Serialize, Deserialize)]
struct Predicate {
    serialization: Serialization,
    resources: Vec<StatedResource>,
}

#[derive(Serialize, Deserialize)]
struct Serialization {
    method: String,
    hash_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    shard_size: Option<u64>,
    #[serde(default)]
    allow_symlinks: bool,
    #[serde(default)]
    ignore_paths: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct StatedResource {
    name: String,
    algorithm: String,
    digest: String,
}

impl ModelManifest {
    /// Signs the manifest and gives the bundle: JSON text, usually kept beside the model as `model.sig`.
    ///
    /// # Errors
    ///
    /// [`SignError::Random`] where ECDSA got no nonce.
    #[expect(clippy::missing_panics_doc, reason = "strings are always JSON")]
    pub fn sign(&self, key: &SigningKey) -> Result<String, SignError> {
        let stated = self.resources().iter().map(|resource| StatedResource {
            name: resource.to_string(),
            algorithm: algorithm(self.shard_size()),
            digest: hex::encode(&resource.sha256),
        });
        let statement = Statement {
            kind: STATEMENT_TYPE.to_owned(),
            subject: vec![Subject {
                name: self.name().to_owned(),
                digest: SubjectDigest {
                    sha256: root_digest(self.resources()),
                },
            }],
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: Predicate {
                serialization: Serialization {
                    method: if self.shard_size().is_some() {
                        "shards"
                    } else {
                        "files"
                    }
                    .to_owned(),
                    hash_type: "sha256".to_owned(),
                    shard_size: self.shard_size(),
                    allow_symlinks: false,
                    ignore_paths: self.ignored().to_vec(),
                },
                resources: stated.collect(),
            },
        };
        let payload = serde_json::to_vec(&statement).expect("a statement of strings is JSON");
        dsse::sign(&payload, key)
    }

    /// Reads a bundle and checks its signature; what it says about files is then [`check`](Self::check)ed.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Signature`] unless `key` signed it; [`VerifyError::Statement`] where the statement is no manifest of this
    /// version, contradicts itself, or holds a name that would leave the folder.
    pub fn verify(bundle: &[u8], key: &VerifyingKey) -> Result<Self, VerifyError> {
        let payload = dsse::verify(bundle, key)?;
        let statement: Statement = serde_json::from_slice(&payload).map_err(|_| VerifyError::Statement)?;
        from_statement(statement).ok_or(VerifyError::Statement)
    }
}

/// What the format calls the hash of a file, or of a piece.
fn algorithm(shard_size: Option<u64>) -> String {
    match shard_size {
        None => "sha256".to_owned(),
        Some(size) => format!("sha256-sharded-{size}"),
    }
}

/// The reference implementation writes its whole numbers as `30000.0`.
fn whole<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u64>, D::Error> {
    /// Beyond this a number with a fraction is no longer exact.
    const MOST: f64 = 9_007_199_254_740_992.0;
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Whole(u64),
        Fraction(f64),
    }
    match Option::<Number>::deserialize(value)? {
        None => Ok(None),
        Some(Number::Whole(size)) => Ok(Some(size)),
        Some(Number::Fraction(size)) if size.fract() == 0.0 && (1.0..MOST).contains(&size) => {
            Ok(Some(size as u64))
        }
        Some(Number::Fraction(_)) => Err(D::Error::custom("a number of bytes is whole")),
    }
}

fn from_statement(statement: Statement) -> Option<ModelManifest> {
    let [subject] = statement.subject.as_slice() else {
        return None;
    };
    let how = statement.predicate.serialization;
    let shard_size = match (how.method.as_str(), how.shard_size) {
        ("files", _) => None,
        ("shards", Some(size)) if size > 0 => Some(size),
        _ => return None,
    };
    let known = statement.kind == STATEMENT_TYPE && statement.predicate_type == PREDICATE_TYPE;
    if !known || how.hash_type != "sha256" {
        return None;
    }
    let mut resources = Vec::with_capacity(statement.predicate.resources.len());
    for stated in statement.predicate.resources {
        // A plain `sha256` of pieces says the same, and earlier bundles of this crate have it.
        if stated.algorithm != "sha256" && stated.algorithm != algorithm(shard_size) {
            return None;
        }
        let sha256 = hex::decode(&stated.digest)?;
        let (name, range) = match shard_size {
            None => (stated.name, None),
            Some(_) => {
                let mut parts = stated.name.rsplitn(3, ':');
                let (end, start) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
                (parts.next()?.to_owned(), Some((start, end)))
            }
        };
        if !names::is_sound(&name) {
            return None;
        }
        resources.push(Resource { name, range, sha256 });
    }
    if root_digest(&resources) != subject.digest.sha256 {
        return None;
    }
    ModelManifest::from_parts(subject.name.clone(), shard_size, how.ignore_paths, resources)
}

fn root_digest(resources: &[Resource]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for resource in resources {
        context.update(&resource.sha256);
    }
    hex::encode(context.finish().as_ref())
}
