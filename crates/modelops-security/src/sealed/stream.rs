//! Sealed files as streams, for pipes and sockets; files go faster through `seal_file`.

use std::io::{self, Read, Write};

use super::header::{Header, HeaderInfo, read_header};
use super::{OpenOptions, SealOptions};
use crate::chunked;
use crate::error::{OpenError, SealError};
use crate::keys::KeyProvider;
use crate::random::SecureRandom;

/// Seals what is written to it, header and all, in constant memory (256 KiB).
///
/// Call [`finish`](Self::finish): a stream that was dropped without it is refused as truncated.
///
/// ```
/// use std::io::{Read, Write};
/// use modelops_security::keys::Keyring;
/// use modelops_security::sealed::{OpenOptions, OpenReader, SealOptions, SealWriter};
/// use modelops_security::SystemRandom;
/// let mut random = SystemRandom::new();
/// let keyring = Keyring::generate(&mut random)?;
/// let mut writer = SealWriter::new(Vec::new(), &keyring, &SealOptions::default(), &mut random)?;
/// writer.write_all(b"species,mass\n")?;
/// let sealed = writer.finish()?;
/// assert_eq!(sealed.len(), 8192 + 56 + 13 + 16);
/// let mut text = String::new();
/// OpenReader::new(sealed.as_slice(), &keyring, &OpenOptions::default())?.read_to_string(&mut text)?;
/// assert_eq!(text, "species,mass\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SealWriter<W: Write> {
    inner: chunked::SealWriter<W>,
    header: HeaderInfo,
}

impl<W: Write> SealWriter<W> {
    /// Writes the header.
    ///
    /// # Errors
    ///
    /// [`SealError`]: the writer fails, the context is too long, the keys give no usable slots, or randomness failed.
    pub fn new(
        mut inner: W,
        keys: &dyn KeyProvider,
        options: &SealOptions,
        random: &mut dyn SecureRandom,
    ) -> Result<Self, SealError> {
        let header = Header::create(options, keys, random)?;
        let copy = header.encode();
        let written = inner.write_all(&copy).and_then(|()| inner.write_all(&copy));
        written.map_err(|error| SealError::Write(error.kind()))?;
        let inner = chunked::SealWriter::new(inner, &header.payload_key(), &header.immutable, random)?;
        Ok(Self {
            inner,
            header: header.fields,
        })
    }

    /// What the header says.
    #[must_use]
    pub fn header(&self) -> &HeaderInfo {
        &self.header
    }

    /// Seals the end of the content, flushes, and gives the writer back.
    ///
    /// # Errors
    ///
    /// [`SealError::Write`] where the writer fails, now or before.
    pub fn finish(self) -> Result<W, SealError> {
        self.inner.finish()
    }
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.inner.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Opens a sealed stream in constant memory (256 KiB).
///
/// Every byte it gives is authentic and in its place, but only the end proves that nothing was cut off: act on the
/// content once `read` has returned 0. After the first error every later read fails.
#[derive(Debug)]
pub struct OpenReader<R: Read> {
    inner: chunked::OpenReader<R>,
    header: HeaderInfo,
}

impl<R: Read> OpenReader<R> {
    /// Reads and authenticates the header.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: no sealed stream, none of the keys opens it, it is not authentic, or not what `options` demand.
    pub fn new(mut inner: R, keys: &dyn KeyProvider, options: &OpenOptions) -> Result<Self, OpenError> {
        let bytes = read_header(&mut inner)?;
        let header = Header::open(&bytes, keys, options)?;
        let inner = chunked::OpenReader::new(inner, &header.payload_key(), &header.immutable)?;
        Ok(Self {
            inner,
            header: header.fields,
        })
    }

    /// What the header says; authenticated.
    #[must_use]
    pub fn header(&self) -> &HeaderInfo {
        &self.header
    }
}

impl<R: Read> Read for OpenReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.inner.read(out)
    }
}
