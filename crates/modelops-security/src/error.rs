//! What can go wrong, one small enum a fallible step.
//!
//! A failed decryption or verification says as little as it can: which check refused is of use to an attacker only.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The source of randomness had nothing to give; nothing was produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the source of randomness failed")]
pub struct RandomError;

/// A file could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("cannot use {path:?}: {kind}")]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub kind: ErrorKind,
}

impl FileError {
    pub(crate) fn new(path: &Path, error: &io::Error) -> Self {
        Self {
            path: path.to_path_buf(),
            kind: error.kind(),
        }
    }
}

/// Why something could not be sealed. Nothing is left under the final name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The writer that takes the sealed bytes failed.
    #[error("cannot write the sealed bytes: {0}")]
    Write(ErrorKind),
    /// The source changed its length while it was read; seal it again when nobody writes to it.
    #[error("the source changed while it was sealed")]
    SourceChanged,
    /// The message has 2³⁸ chunks (4 PiB) or more; split it.
    #[error("the message is too long for one sealed file")]
    TooLong,
    /// The context does not fit its place in the header; give a digest of it instead.
    #[error("the context has {len} bytes, at most {max} fit")]
    ContextTooLong {
        /// Bytes given.
        len: usize,
        /// Bytes that fit.
        max: usize,
    },
    /// The key providers made no slot, or more than the header has room for; 1 to 32 slots fit.
    #[error("{count} key slots do not fit this header")]
    Slots {
        /// Slots that were to be written.
        count: usize,
    },
    /// A key could not be made, found or used.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl From<RandomError> for SealError {
    fn from(error: RandomError) -> Self {
        Self::Key(error.into())
    }
}

/// Why a sealed file, or a part of it, was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The reader or writer failed.
    #[error("cannot read or write: {0}")]
    Stream(ErrorKind),
    /// This is no sealed file: the magic bytes are not there.
    #[error("not a sealed file")]
    NotSealed,
    /// The file says that it was written by a later version, or with a suite or a flag this version does not know.
    #[error("the sealed file needs a newer version of this library")]
    Unsupported,
    /// None of the file's key slots opens with the keys given: another keyring, another password, or a damaged slot.
    #[error("no key slot opens with the keys given")]
    NoKey,
    /// The content was altered, cut, reordered, lengthened or put together from several files.
    #[error("the sealed content is not authentic")]
    Unauthentic,
    /// The file is authentic, but it was sealed for another context than the one expected.
    #[error("the file was sealed for another context")]
    WrongContext,
    /// The file is authentic, but it is older than the generation that was pinned.
    #[error("the header has generation {found}, at least {pinned} was expected")]
    RolledBack {
        /// Generation of the header found.
        found: u64,
        /// Lowest generation that was to be accepted.
        pinned: u64,
    },
    /// The range ends behind the content.
    #[error("the range {offset}+{len} ends behind the content of {size} bytes")]
    OutOfRange {
        /// First byte asked for.
        offset: u64,
        /// Bytes asked for.
        len: u64,
        /// Bytes of content.
        size: u64,
    },
    /// A key could not be used: a key service failed, a password could not be derived.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl From<OpenError> for io::Error {
    fn from(error: OpenError) -> Self {
        let kind = match &error {
            OpenError::File(file) => file.kind,
            OpenError::Stream(kind) => *kind,
            OpenError::OutOfRange { .. } => ErrorKind::UnexpectedEof,
            _ => ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// Why a tensor of a sealed file was not read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TensorError {
    /// The sealed file, or the part of it that was read, was refused.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The content is authentic, but no safetensors file.
    #[error("the content is no safetensors file")]
    Format,
    /// The file has no tensor of this name.
    #[error("there is no tensor {name:?}")]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// The buffer has not the length of the tensor.
    #[error("the tensor has {needed} bytes, the buffer {given}")]
    WrongLength {
        /// Bytes of the tensor.
        needed: u64,
        /// Bytes of the buffer.
        given: u64,
    },
}

/// Why a sealed file did not get new keys.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RewrapError {
    /// The file does not open with the old keys.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The new keys cannot be written.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Another process holds the lock of the file, probably to give it new keys too.
    #[error("the file is locked by another process")]
    Busy,
}

/// Why a key could not be made, stored, found or used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The source of randomness failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The keyring has no such version.
    #[error("the keyring has no version {0}")]
    UnknownVersion(u32),
    /// The version was destroyed: what it wrapped is lost.
    #[error("version {0} was destroyed")]
    Destroyed(u32),
    /// The newest version cannot be disabled or destroyed; rotate first.
    #[error("version {0} is the primary one")]
    Primary(u32),
    /// An empty passphrase protects nothing.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// The parameters are below the floor for new passwords, or above what a file may ask a reader to spend.
    #[error("the key derivation parameters are out of range")]
    KdfOutOfRange,
    /// This build has no Argon2 (feature `argon2`).
    #[error("this build has no argon2")]
    NoArgon2,
    /// The keyring can be read or written by others than its owner; `chmod 600` it after looking into why.
    #[error("the keyring {path:?} is open to other users")]
    Permissions {
        /// The keyring file.
        path: PathBuf,
    },
    /// The file is no keyring, or not one for this passphrase.
    #[error("the keyring cannot be opened")]
    Refused,
    /// The external key service refused or could not be reached.
    #[error("the key service failed: {0}")]
    Service(ErrorKind),
    /// The name or the wrapped key of an external service does not fit its slot.
    #[error("the external key reference is too long")]
    ReferenceTooLong,
}

/// Why a folder could not be hashed or a manifest not be signed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The name of a file cannot stand in a manifest: not UTF-8, absolute, with `..`, `\` or a control character.
    #[error("the name {path:?} cannot stand in a manifest")]
    Name {
        /// The path below the model folder.
        path: PathBuf,
    },
    /// A symbolic link or a special file lies in the folder; manifests cover regular files only.
    #[error("{path:?} is not a regular file")]
    NotRegular {
        /// The path below the model folder.
        path: PathBuf,
    },
    /// Two names differ in case only, and would be one file on some systems.
    #[error("{path:?} differs from another name in case only")]
    CaseCollision {
        /// The second of the two.
        path: PathBuf,
    },
    /// A file changed while it was hashed.
    #[error("{path:?} changed while it was hashed")]
    Changed {
        /// The path below the model folder.
        path: PathBuf,
    },
    /// The folder holds nothing to sign.
    #[error("there is no file to sign")]
    Empty,
    /// The key is of a kind or an encoding that is not supported; PKCS#8 of Ed25519, P-256 or P-384 is.
    #[error("the key cannot be used for signing")]
    Key,
    /// The source of randomness failed.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// Why a signed manifest, or the folder it speaks of, was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The folder could not be hashed, or holds what no manifest may hold.
    #[error(transparent)]
    Folder(#[from] SignError),
    /// The key is of a kind or an encoding that is not supported, or is a weak Ed25519 key.
    #[error("the key cannot be used for verification")]
    Key,
    /// The bundle is malformed, was not signed by this key, or was altered.
    #[error("the signature is not valid for this key")]
    Signature,
    /// The signature is right, but the statement under it is none that this version understands.
    #[error("the signed statement is not a model manifest")]
    Statement,
    /// A signed file is not there.
    #[error("{path:?} is signed but missing")]
    Missing {
        /// The path below the model folder.
        path: PathBuf,
    },
    /// A file is there that nobody signed.
    #[error("{path:?} is not signed")]
    Extra {
        /// The path below the model folder.
        path: PathBuf,
    },
    /// The content of a file is not what was signed.
    #[error("{path:?} differs from what was signed")]
    Mismatch {
        /// The path below the model folder.
        path: PathBuf,
    },
}

/// Why a part of a sealed file was not given out as its publisher's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RangeError {
    /// The sealed file, or the part of it that was read, was refused.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The manifest does not cover the range, or was not made in pieces.
    #[error("the range is not covered by signed pieces")]
    NotSigned,
    /// A piece differs from what was signed.
    #[error("the content differs from what was signed")]
    Mismatch,
}

/// A scope is not 1 to 8 segments of letters, digits, `.`, `_`, `-`, parted by colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a scope is 1 to 8 segments of letters, digits, '.', '_' or '-', parted by colons")]
pub struct ScopeError;

/// Why an API key could not be issued or changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The source of randomness failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The environment is not 1 to 8 lower-case letters or digits.
    #[error("the environment must have 1 to 8 lower-case letters or digits")]
    Environment,
    /// A store holds at most 256 peppers.
    #[error("a store holds at most 256 peppers")]
    TooManyPeppers,
    /// The key expires at or before the time of issue.
    #[error("the key would be expired at once")]
    AlreadyExpired,
    /// No key of this name was issued.
    #[error("no such key")]
    Unknown,
    /// The key was revoked and cannot be rotated.
    #[error("the key was revoked")]
    Revoked,
}

/// Why a presented API key was refused.
///
/// Tell the caller only that it was refused; the variant is for the operator's log. [`Expired`](Self::Expired) and
/// [`Revoked`](Self::Revoked) are reported for the right secret only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ApiKeyError {
    /// The text has not the form of a key, or its checksum is wrong: a typing or copying error.
    #[error("the key is malformed")]
    Malformed,
    /// The key was never issued or its secret is wrong; both take the same time.
    #[error("the key is not valid")]
    Invalid,
    /// The key was valid until it expired.
    #[error("the key has expired")]
    Expired,
    /// The key was withdrawn.
    #[error("the key was revoked")]
    Revoked,
}

/// Why a JSON Web Key was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JwkError {
    /// A type, curve, algorithm or use that this version does not verify with.
    #[error("the key is of a kind that is not supported")]
    Unsupported,
    /// The JSON is wrong, a value is missing, too weak or not canonical, or a name is there twice.
    #[error("the key is malformed or too weak")]
    Malformed,
}

/// Why a token was refused. Tell the caller only that it was; the variant is for the operator's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JwtError {
    /// Not a token, of another type, or with a claim that is not what it must be.
    #[error("the token is malformed")]
    Malformed,
    /// No key is known for it: unsigned, another algorithm than its key's, or a name nobody published.
    #[error("no key fits the token")]
    UnknownKey,
    /// The signature is wrong.
    #[error("the signature of the token is wrong")]
    Signature,
    /// Another issuer or another audience.
    #[error("the token is not for this service")]
    NotForUs,
    /// It has expired, or was issued too long ago.
    #[error("the token has expired")]
    Expired,
    /// It is not valid yet.
    #[error("the token is not valid yet")]
    NotYet,
}

/// Why tokens were not reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum QuotaError {
    /// A limit needs a window of at least a second.
    #[error("a limit needs a window of at least a second")]
    NoWindow,
    /// The principal has no limit, and so no tokens.
    #[error("the principal has no quota")]
    Unknown,
    /// The request may cost more than a whole window holds; it can never be let through.
    #[error("the cost exceeds the limit of {limit}")]
    TooLarge {
        /// Tokens in a window.
        limit: u64,
    },
    /// The tokens of this window are used or reserved.
    #[error("the quota is exhausted, retry after {retry_after} s")]
    Exhausted {
        /// Seconds until the next window.
        retry_after: u64,
    },
}

/// Why an audit log was not written, or is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// An entry has more than 1 MiB; log a digest of it.
    #[error("an entry has at most 1 MiB")]
    TooLong,
    /// An entry before the last is not what was written.
    #[error("entry {entry} is damaged")]
    Damaged {
        /// Index of the entry.
        entry: u64,
    },
    /// The checkpoint is malformed, of another log, or not signed with this key.
    #[error("the checkpoint is not valid for this log and key")]
    Checkpoint,
    /// Entries that a checkpoint has fixed are gone.
    #[error("the log has {found} entries, a checkpoint has fixed {expected}")]
    Truncated {
        /// Entries at the checkpoint.
        expected: u64,
        /// Entries now.
        found: u64,
    },
    /// Entries that a checkpoint has fixed were changed, or it is another log.
    #[error("the log is not the one of the checkpoint")]
    Rewritten,
    /// No such entry or size.
    #[error("the log has no such entry or size")]
    OutOfRange,
}

/// Why a signed request was refused. Tell the caller only that it was; the variant is for the operator's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The headers are not those of the profile.
    #[error("the signature headers are malformed")]
    Malformed,
    /// Unknown key, wrong signature, or another method, target or body than was signed.
    #[error("the signature of the request is wrong")]
    Signature,
    /// The signature has expired.
    #[error("the signature of the request has expired")]
    Expired,
    /// The signature was made in the future.
    #[error("the signature of the request is not valid yet")]
    NotYet,
    /// The request was seen before.
    #[error("the request was sent before")]
    Replayed,
    /// There is no room to remember the request, so it is not let through.
    #[error("too many requests to remember")]
    Busy,
}

/// The source of a request must wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("too many failures, retry after {retry_after} s")]
pub struct Throttled {
    /// Seconds to wait.
    pub retry_after: u64,
}
