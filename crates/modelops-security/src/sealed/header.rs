//! The header of a sealed file: two copies, each authenticated under the data key.

use std::io::Read;

use ring::{hkdf, hmac};

use super::{OpenOptions, SealOptions};
use crate::chunked::{InputKey, Suite};
use crate::error::{OpenError, SealError};
use crate::kernel::chunk::expand;
use crate::keys::{DataKey, KeyProvider, KeySlot, within_budget};
use crate::random::{SecureRandom, random_bytes};

/// Begins with a byte that is no text and holds both line ends, so that a text-mode copy is noticed.
const MAGIC: [u8; 8] = *b"\x89MSC\r\n\x1a\n";
const VERSION: u8 = 1;
/// Header copies are a multiple of this, so that each lies in sectors of its own.
pub(crate) const PAGE: usize = 4096;
const MAX_PAGES: usize = 16;
/// Longest possible header: both copies.
pub(crate) const MAX_HEADER: usize = 2 * MAX_PAGES * PAGE;
/// Bytes before the context.
const FIXED: usize = 52;
const MAX_CONTEXT: usize = 2048;
const MAX_SLOTS: usize = 32;
const MAC: usize = 64;

/// What the content is; a hint for tools, bound like everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ContentType {
    /// Any bytes.
    #[default]
    Opaque,
    /// A safetensors file.
    Safetensors,
    /// A GGUF file.
    Gguf,
    /// Training or test data.
    Dataset,
    /// A tar archive.
    Tar,
}

impl ContentType {
    fn from_byte(byte: u8) -> Option<Self> {
        [
            Self::Opaque,
            Self::Safetensors,
            Self::Gguf,
            Self::Dataset,
            Self::Tar,
        ]
        .get(usize::from(byte))
        .copied()
    }
}

/// What a header says, without a key: **not authenticated**, good for choosing the key and for error messages.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeaderInfo {
    /// The encryption.
    pub suite: Suite,
    /// What the content is said to be.
    pub content_type: ContentType,
    /// The context it is said to be bound to.
    pub context: Vec<u8>,
    /// Random name of the file, the same through all rotations.
    pub file_id: [u8; 32],
    /// Counts the rotations, from 1.
    pub generation: u64,
    /// The ways to the data key.
    pub slots: Vec<KeySlot>,
    /// Bytes before the payload: both copies.
    pub header_len: usize,
}

impl HeaderInfo {
    /// Reads the better copy of a header, given the first bytes of a file (128 KiB hold any header).
    ///
    /// # Errors
    ///
    /// [`OpenError::NotSealed`], [`OpenError::Unsupported`], or [`OpenError::Unauthentic`] where both copies are malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, OpenError> {
        let found = Candidates::find(bytes)?;
        let best = found.copies.first().ok_or(OpenError::Unauthentic)?;
        Ok(best.fields.clone())
    }
}

/// One well-formed copy, not yet authenticated.
struct Candidate<'a> {
    fields: HeaderInfo,
    immutable: &'a [u8],
    bytes: &'a [u8],
    /// 0 for the first copy, 1 for the second.
    place: usize,
}

struct Candidates<'a> {
    /// Newest first.
    copies: Vec<Candidate<'a>>,
}

impl<'a> Candidates<'a> {
    fn find(bytes: &'a [u8]) -> Result<Self, OpenError> {
        let len = copy_len(bytes)?;
        let mut copies = Vec::with_capacity(2);
        let mut worst = OpenError::Unauthentic;
        for place in 0..2 {
            match bytes
                .get(place * len..(place + 1) * len)
                .map(|copy| parse_copy(copy, place))
            {
                Some(Ok(candidate)) => copies.push(candidate),
                Some(Err(OpenError::Unsupported)) => worst = OpenError::Unsupported,
                Some(Err(_)) | None => {}
            }
        }
        if copies.is_empty() {
            return Err(worst);
        }
        copies.sort_by_key(|copy| std::cmp::Reverse(copy.fields.generation));
        Ok(Self { copies })
    }
}

/// Reads a header off the front of a stream, and nothing behind it.
pub(crate) fn read_header(reader: &mut impl Read) -> Result<Vec<u8>, OpenError> {
    let mut bytes = Vec::new();
    let mut wanted = PAGE;
    loop {
        let missing = (wanted - bytes.len()) as u64;
        let got = reader.by_ref().take(missing).read_to_end(&mut bytes);
        let got = got.map_err(|error| OpenError::Stream(error.kind()))? as u64;
        wanted = match copy_len(&bytes) {
            Ok(len) if bytes.len() >= 2 * len => return Ok(bytes),
            Ok(len) => 2 * len,
            Err(_) => bytes.len() + PAGE,
        };
        if got < missing || wanted > MAX_HEADER {
            return Ok(bytes);
        }
    }
}

/// Length of one copy: from the first copy, or, where that is damaged, from where the second one begins.
fn copy_len(bytes: &[u8]) -> Result<usize, OpenError> {
    if let Some(len) = declared_len(bytes) {
        return Ok(len);
    }
    let second = (1..=MAX_PAGES).map(|pages| pages * PAGE);
    let found = second
        .filter(|at| bytes.get(*at..).and_then(declared_len) == Some(*at))
        .min();
    found.ok_or(if bytes.starts_with(&MAGIC) {
        OpenError::Unauthentic
    } else {
        OpenError::NotSealed
    })
}

fn declared_len(copy: &[u8]) -> Option<usize> {
    let len = u32::from_be_bytes(copy.get(12..16)?.try_into().ok()?) as usize;
    let sane = len.is_multiple_of(PAGE) && (PAGE..=MAX_PAGES * PAGE).contains(&len);
    (copy.starts_with(&MAGIC) && sane).then_some(len)
}

fn parse_copy(bytes: &[u8], place: usize) -> Result<Candidate<'_>, OpenError> {
    if !bytes.starts_with(&MAGIC) {
        return Err(OpenError::Unauthentic);
    }
    let suite = match bytes[8..12] {
        [VERSION, 1, 0, 0] => Suite::Cobblestone256,
        [VERSION, 2, 0, 0] => Suite::Cobblestone128,
        _ => return Err(OpenError::Unsupported),
    };
    let content_type = ContentType::from_byte(bytes[48]).ok_or(OpenError::Unsupported)?;
    if bytes[49] != 0 {
        return Err(OpenError::Unsupported);
    }
    let (body, _) = bytes.split_last_chunk::<MAC>().ok_or(OpenError::Unauthentic)?;
    let (fields, immutable) =
        parse_body(bytes, body, suite, content_type, 2 * bytes.len()).ok_or(OpenError::Unauthentic)?;
    Ok(Candidate {
        fields,
        immutable,
        bytes,
        place,
    })
}

fn parse_body<'a>(
    bytes: &'a [u8],
    body: &'a [u8],
    suite: Suite,
    content_type: ContentType,
    header_len: usize,
) -> Option<(HeaderInfo, &'a [u8])> {
    if declared_len(bytes) != Some(bytes.len()) {
        return None;
    }
    let file_id = body.get(16..48)?.try_into().ok()?;
    let context_len = usize::from(u16::from_be_bytes(body.get(50..52)?.try_into().ok()?));
    if context_len > MAX_CONTEXT {
        return None;
    }
    let (immutable, rest) = body.split_at_checked(FIXED + context_len)?;
    let (generation, rest) = rest.split_first_chunk::<8>()?;
    let (count, mut rest) = rest.split_first_chunk::<2>()?;
    let count = usize::from(u16::from_be_bytes(*count));
    if !(1..=MAX_SLOTS).contains(&count) {
        return None;
    }
    let mut slots = Vec::with_capacity(count);
    for _ in 0..count {
        slots.push(KeySlot::decode(&mut rest)?);
    }
    if rest.iter().any(|byte| *byte != 0) || !within_budget(&slots) {
        return None;
    }
    let context = immutable[FIXED..].to_vec();
    let generation = u64::from_be_bytes(*generation);
    Some((
        HeaderInfo {
            suite,
            content_type,
            context,
            file_id,
            generation,
            slots,
            header_len,
        },
        immutable,
    ))
}

/// An authenticated header with its data key.
pub(crate) struct Header {
    pub(crate) fields: HeaderInfo,
    /// Suite, length, name, type and context: what every derived key is bound to.
    pub(crate) immutable: Vec<u8>,
    data_key: DataKey,
    /// Which copy it was read from.
    pub(crate) place: usize,
}

impl Header {
    /// A header for a new file.
    pub(crate) fn create(
        options: &SealOptions,
        keys: &dyn KeyProvider,
        random: &mut dyn SecureRandom,
    ) -> Result<Self, SealError> {
        let context = &options.context;
        let too_long = SealError::ContextTooLong {
            len: context.len(),
            max: MAX_CONTEXT,
        };
        let context_len = u16::try_from(context.len())
            .ok()
            .filter(|len| usize::from(*len) <= MAX_CONTEXT);
        let context_len = context_len.ok_or(too_long)?;
        let file_id: [u8; 32] = random_bytes(random)?;
        let mut data_key = DataKey::generate(random)?;
        let suite = match options.suite {
            Suite::Cobblestone256 => 1,
            Suite::Cobblestone128 => 2,
        };
        // The length is bound into the slots, and the slots decide the length: try one page, then as many as it takes.
        let mut pages = 1;
        loop {
            let mut immutable = Vec::with_capacity(FIXED + context.len());
            immutable.extend(MAGIC);
            immutable.extend([VERSION, suite, 0, 0]);
            immutable.extend(((pages * PAGE) as u32).to_be_bytes());
            immutable.extend(file_id);
            immutable.extend([options.content_type as u8, 0]);
            immutable.extend(context_len.to_be_bytes());
            immutable.extend(context);
            let slots = keys.wrap(&data_key, &immutable, random)?;
            let fields = HeaderInfo {
                suite: options.suite,
                content_type: options.content_type,
                context: context.clone(),
                file_id,
                generation: 1,
                slots,
                header_len: 2 * pages * PAGE,
            };
            let header = Self {
                fields,
                immutable,
                data_key,
                place: 0,
            };
            let needed = header.pages()?;
            if needed <= pages {
                return Ok(header);
            }
            if needed > MAX_PAGES {
                return Err(SealError::Slots {
                    count: header.fields.slots.len(),
                });
            }
            (pages, data_key) = (needed, header.data_key);
        }
    }

    /// Finds the newest authentic copy in the first bytes of a file.
    pub(crate) fn open(
        bytes: &[u8],
        keys: &dyn KeyProvider,
        options: &OpenOptions,
    ) -> Result<Self, OpenError> {
        let found = Candidates::find(bytes)?;
        let mut refusal = OpenError::NoKey;
        let mut tried: Option<&[u8]> = None;
        for candidate in found.copies {
            // Undamaged copies are equal: no need to stretch a wrong passphrase twice.
            if tried == Some(candidate.bytes) {
                continue;
            }
            tried = Some(candidate.bytes);
            for slot in &candidate.fields.slots {
                let data_key = match keys.unwrap(slot, candidate.immutable) {
                    Ok(Some(data_key)) => data_key,
                    Ok(None) => continue,
                    // Another slot may still open: a failing key service must not lock the passphrase out.
                    Err(error) => {
                        refusal = error.into();
                        continue;
                    }
                };
                let (message, mac) = candidate
                    .bytes
                    .split_last_chunk::<MAC>()
                    .ok_or(OpenError::Unauthentic)?;
                if hmac::verify(&mac_key(&data_key, candidate.immutable), message, mac).is_err() {
                    refusal = OpenError::Unauthentic;
                    continue;
                }
                let immutable = candidate.immutable.to_vec();
                let header = Self {
                    fields: candidate.fields,
                    immutable,
                    data_key,
                    place: candidate.place,
                };
                return header.meets(options);
            }
        }
        Err(refusal)
    }

    fn meets(self, options: &OpenOptions) -> Result<Self, OpenError> {
        if options
            .context
            .as_ref()
            .is_some_and(|context| *context != self.fields.context)
        {
            return Err(OpenError::WrongContext);
        }
        if self.fields.generation < options.min_generation {
            let (found, pinned) = (self.fields.generation, options.min_generation);
            return Err(OpenError::RolledBack { found, pinned });
        }
        Ok(self)
    }

    /// The next generation, with the slots of `keys` alone.
    pub(crate) fn next_generation(
        mut self,
        keys: &dyn KeyProvider,
        random: &mut dyn SecureRandom,
    ) -> Result<Self, SealError> {
        self.fields.slots = keys.wrap(&self.data_key, &self.immutable, random)?;
        self.fields.generation = self.fields.generation.saturating_add(1);
        let fits = 2 * PAGE * self.pages()? <= self.fields.header_len;
        if fits {
            Ok(self)
        } else {
            Err(SealError::Slots {
                count: self.fields.slots.len(),
            })
        }
    }

    /// The key of the payload; its context is [`immutable`](Self::immutable).
    pub(crate) fn payload_key(&self) -> InputKey {
        let label = b"modelops-security/msc1 payload\0";
        let key = expand::<32>(
            hkdf::HKDF_SHA512,
            self.data_key.expose(),
            &[label, &self.immutable],
        );
        let suite = self.fields.suite;
        InputKey::new(suite, &key[..suite.key_len()]).expect("the key was cut to the suite's length")
    }

    /// One copy, as bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let len = self.fields.header_len / 2;
        let mut out = self.unpadded();
        out.resize(len - MAC, 0);
        let mac = hmac::sign(&mac_key(&self.data_key, &self.immutable), &out);
        out.extend(mac.as_ref());
        out
    }

    fn unpadded(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.fields.header_len / 2);
        out.extend(&self.immutable);
        out.extend(self.fields.generation.to_be_bytes());
        out.extend((self.fields.slots.len() as u16).to_be_bytes());
        for slot in &self.fields.slots {
            slot.encode(&mut out);
        }
        out
    }

    /// Pages that a copy takes.
    fn pages(&self) -> Result<usize, SealError> {
        let count = self.fields.slots.len();
        if !(1..=MAX_SLOTS).contains(&count) || !within_budget(&self.fields.slots) {
            return Err(SealError::Slots { count });
        }
        Ok((self.unpadded().len() + MAC).div_ceil(PAGE))
    }
}

fn mac_key(data_key: &DataKey, immutable: &[u8]) -> hmac::Key {
    let label = b"modelops-security/msc1 header\0";
    let key = expand::<64>(hkdf::HKDF_SHA512, data_key.expose(), &[label, immutable]);
    hmac::Key::new(hmac::HMAC_SHA512, key.as_slice())
}
