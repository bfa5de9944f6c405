//! Sealed files: weights and training data that lie on storage nobody has to trust.
//!
//! A sealed file is a header of two copies, which holds the wrapped data key, and a payload in
//! [C2SP chunked encryption](crate::chunked). docs/SEALED-FORMAT.md of the repository gives every byte.

#[cfg(unix)]
mod cursor;
#[cfg(unix)]
mod file;
mod header;
mod options;
#[cfg(unix)]
mod random_access;
#[cfg(unix)]
mod rewrap;
#[cfg(all(unix, feature = "safetensors"))]
mod safetensors;
#[cfg(unix)]
mod source;
mod stream;

#[cfg(unix)]
pub use cursor::SealedCursor;
#[cfg(unix)]
pub use file::{SealReport, open_file, seal_file, verify_file};
pub use header::{ContentType, HeaderInfo};
pub use options::{OpenOptions, SealOptions};
#[cfg(unix)]
pub use random_access::SealedFile;
#[cfg(unix)]
pub use rewrap::{reseal_file, rewrap_file};
#[cfg(all(unix, feature = "safetensors"))]
pub use safetensors::{SealedSafetensors, TensorInfo};
#[cfg(unix)]
pub use source::ReadAt;
pub use stream::{OpenReader, SealWriter};
