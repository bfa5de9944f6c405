//! The envelope of a signed statement: DSSE inside a Sigstore bundle.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{SigningKey, VerifyingKey};
use crate::error::{SignError, VerifyError};

const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// A bundle longer than this is not read: room for a million files.
const LONGEST: usize = 256 << 20;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Envelope,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    public_key: PublicKeyHint,
    #[serde(default)]
    tlog_entries: Vec<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct PublicKeyHint {
    hint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Serialize, Deserialize)]
struct Signature {
    sig: String,
    #[serde(default)]
    keyid: String,
}

/// The pre-authentication encoding: what is signed.
fn encode(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// Signs an in-toto statement and gives the bundle as JSON text.
pub(crate) fn sign(payload: &[u8], key: &SigningKey) -> Result<String, SignError> {
    let sig = STANDARD.encode(key.sign(&encode(payload))?);
    let bundle = Bundle {
        media_type: BUNDLE_TYPE.to_owned(),
        verification_material: Material {
            public_key: PublicKeyHint {
                hint: key.verifying_key().hint(),
            },
            tlog_entries: Vec::new(),
        },
        dsse_envelope: Envelope {
            payload: STANDARD.encode(payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: vec![Signature {
                sig,
                keyid: String::new(),
            }],
        },
    };
    Ok(serde_json::to_string(&bundle).expect("a bundle of strings is JSON"))
}

/// The signed bytes, exactly as they were signed; nothing in the bundle is believed before the signature is right.
pub(crate) fn verify(bundle: &[u8], key: &VerifyingKey) -> Result<Vec<u8>, VerifyError> {
    if bundle.len() > LONGEST {
        return Err(VerifyError::Signature);
    }
    let bundle: Bundle = serde_json::from_slice(bundle).map_err(|_| VerifyError::Signature)?;
    let envelope = bundle.dsse_envelope;
    let [signature] = envelope.signatures.as_slice() else {
        return Err(VerifyError::Signature);
    };
    let known = bundle.media_type == BUNDLE_TYPE && envelope.payload_type == PAYLOAD_TYPE;
    if !known || bundle.verification_material.public_key.hint != key.hint() {
        return Err(VerifyError::Signature);
    }
    let payload = STANDARD
        .decode(&envelope.payload)
        .map_err(|_| VerifyError::Signature)?;
    let signature = STANDARD
        .decode(&signature.sig)
        .map_err(|_| VerifyError::Signature)?;
    key.verify(&encode(&payload), &signature)?;
    Ok(payload)
}
