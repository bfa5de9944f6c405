//! An external key service as a provider.

use super::{DataKey, KeyProvider, KeySlot};
use crate::error::KeyError;
use crate::random::SecureRandom;

/// A key service that wraps data keys without showing its own: a cloud KMS, an HSM, a vault.
///
/// `binding` names the file; pass it to the service as its encryption context or additional data. A service whose wrap
/// does not commit to its key is fine: the header is authenticated under the data key it gives back.
#[doc(alias("KMS", "vault"))]
pub trait KmsProvider: Send + Sync {
    /// The name that files remember the service by, at most 255 bytes, for instance `aws-kms`.
    fn name(&self) -> &str;

    /// Wraps a data key under the key called `key_ref`.
    ///
    /// # Errors
    ///
    /// [`KeyError::Service`] where the service refuses or cannot be reached.
    fn wrap(&self, key_ref: &str, data_key: &DataKey, binding: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// Unwraps what [`wrap`](Self::wrap) made; `None` where it is not authentic under that key and binding.
    ///
    /// # Errors
    ///
    /// [`KeyError::Service`] where the service refuses or cannot be reached.
    fn unwrap(&self, key_ref: &str, wrapped: &[u8], binding: &[u8]) -> Result<Option<DataKey>, KeyError>;
}

/// Seals and opens with one key of a [`KmsProvider`]; the example is at [`KeyringService`](super::KeyringService).
#[derive(Debug)]
pub struct ExternalKeys<P> {
    service: P,
    key_ref: String,
}

impl<P: KmsProvider> ExternalKeys<P> {
    /// New files are wrapped under `key_ref`; files under another key of the same service open too.
    pub fn new(service: P, key_ref: impl Into<String>) -> Self {
        Self {
            service,
            key_ref: key_ref.into(),
        }
    }
}

impl<P: KmsProvider> KeyProvider for ExternalKeys<P> {
    fn wrap(
        &self,
        data_key: &DataKey,
        binding: &[u8],
        _: &mut dyn SecureRandom,
    ) -> Result<Vec<KeySlot>, KeyError> {
        let wrapped = self.service.wrap(&self.key_ref, data_key, binding)?;
        Ok(vec![KeySlot::external(
            self.service.name(),
            &self.key_ref,
            wrapped,
        )?])
    }

    fn unwrap(&self, slot: &KeySlot, binding: &[u8]) -> Result<Option<DataKey>, KeyError> {
        match slot {
            KeySlot::External {
                provider,
                key_ref,
                wrapped,
            } if provider == self.service.name() => self.service.unwrap(key_ref, wrapped, binding),
            _ => Ok(None),
        }
    }
}
