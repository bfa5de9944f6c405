//! The key-committing wrap of a data key: 104 bytes of Cobblestone-256.

use ring::hkdf;

use super::DataKey;
use crate::chunked::{self, InputKey, Suite};
use crate::error::{KeyError, SealError};
use crate::kernel::chunk::expand;
use crate::random::SecureRandom;

/// Bytes of a wrapped data key: salt, commitment, key, tag.
pub(crate) const WRAPPED: usize = 24 + 32 + 32 + 16;

fn wrapping_key(secret: &[u8]) -> InputKey {
    let key = expand::<32>(hkdf::HKDF_SHA512, secret, &[b"modelops-security/msc1 slot\0"]);
    InputKey::new(Suite::Cobblestone256, key.as_slice()).expect("32 bytes are a key of this suite")
}

/// Wraps `data_key` under `secret`, bound to the file (`binding`) and to the slot's parameters.
pub(crate) fn wrap(
    secret: &[u8],
    binding: &[u8],
    parameters: &[u8],
    data_key: &DataKey,
    random: &mut dyn SecureRandom,
) -> Result<[u8; WRAPPED], KeyError> {
    let mut wrapped = [0; WRAPPED];
    let context = [binding, parameters].concat();
    chunked::seal_into(
        &wrapping_key(secret),
        &context,
        data_key.expose(),
        &mut wrapped,
        random,
    )
    .map_err(|error| match error {
        SealError::Key(error) => error,
        _ => KeyError::Refused,
    })?;
    Ok(wrapped)
}

/// The data key, or `None` for another secret, file or slot, or a damaged slot.
pub(crate) fn unwrap(
    secret: &[u8],
    binding: &[u8],
    parameters: &[u8],
    wrapped: &[u8; WRAPPED],
) -> Option<DataKey> {
    let mut data_key = DataKey([0; 32]);
    let context = [binding, parameters].concat();
    chunked::open_into(&wrapping_key(secret), &context, wrapped, &mut data_key.0).ok()?;
    Some(data_key)
}
