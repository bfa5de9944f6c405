//! What may be chosen when sealing, and what may be demanded when opening.

use std::num::NonZeroUsize;

use super::ContentType;
use crate::chunked::Suite;

/// Choices when sealing. The defaults suit weights on a server: Cobblestone-256, no context, all cores.
///
/// ```
/// use modelops_security::sealed::{ContentType, SealOptions};
/// let options = SealOptions::default().with_context(b"llama-3/v7").with_content_type(ContentType::Safetensors);
/// assert_eq!(options.context, b"llama-3/v7");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SealOptions {
    /// The encryption; choose it here, it is never guessed when opening.
    pub suite: Suite,
    /// Public bytes that the content is bound to, at most 2048: the name and version of the model, a tenant, a policy.
    pub context: Vec<u8>,
    /// What the content is.
    pub content_type: ContentType,
    /// Threads; all cores where `None`. The result is the same.
    pub threads: Option<NonZeroUsize>,
    /// Whether [`seal_file`](super::seal_file) writes past the page cache.
    pub direct_writes: bool,
}

impl SealOptions {
    /// Binds the content to `context`.
    #[must_use]
    pub fn with_context(mut self, context: &[u8]) -> Self {
        self.context = context.to_vec();
        self
    }

    /// Says what the content is.
    #[must_use]
    pub fn with_content_type(mut self, content_type: ContentType) -> Self {
        self.content_type = content_type;
        self
    }

    /// Chooses the encryption.
    #[must_use]
    pub fn with_suite(mut self, suite: Suite) -> Self {
        self.suite = suite;
        self
    }

    /// Limits the threads.
    #[must_use]
    pub fn with_threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Writes the new file straight to the disk (direct I/O), where the system can do that, and otherwise as usual. The result is the
    /// same.
    ///
    /// On a disk it takes two fifths less processor time and leaves the page cache to others: for files that outgrow it. Nothing of the
    /// new file is then in memory for its next reader.
    #[must_use]
    pub fn with_direct_writes(mut self, direct_writes: bool) -> Self {
        self.direct_writes = direct_writes;
        self
    }
}

/// Demands when opening. The default takes any authentic file that the keys open.
///
/// A keyring opens all its files, so whoever stores them can hand out one for another, or an older header of the same
/// one: name the context, and pin the generation, where that matters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct OpenOptions {
    /// The context the file must have been sealed with; any where `None`.
    pub context: Option<Vec<u8>>,
    /// The lowest generation of the header to accept.
    pub min_generation: u64,
    /// Threads; all cores where `None`. The result is the same.
    pub threads: Option<NonZeroUsize>,
    /// Whether [`open_file`](super::open_file) writes past the page cache.
    pub direct_writes: bool,
}

impl OpenOptions {
    /// Demands this context.
    #[must_use]
    pub fn with_context(mut self, context: &[u8]) -> Self {
        self.context = Some(context.to_vec());
        self
    }

    /// Demands at least this generation.
    #[must_use]
    pub fn with_min_generation(mut self, generation: u64) -> Self {
        self.min_generation = generation;
        self
    }

    /// Limits the threads.
    #[must_use]
    pub fn with_threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Writes the new file straight to the disk (direct I/O), where the system can do that, and otherwise as usual. The result is the
    /// same.
    ///
    /// On a disk it takes two fifths less processor time and leaves the page cache to others: for files that outgrow it. Nothing of the
    /// new file is then in memory for its next reader.
    #[must_use]
    pub fn with_direct_writes(mut self, direct_writes: bool) -> Self {
        self.direct_writes = direct_writes;
        self
    }
}
