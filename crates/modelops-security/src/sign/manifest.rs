//! The files of a model folder with their hashes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ring::digest;

use super::{HashCache, names};
use crate::error::{FileError, SignError, VerifyError};
use crate::kernel::parallel::for_each_batch;

/// Bytes read at once while hashing.
const BLOCK: usize = 256 * 1024;

/// How a folder is hashed.
///
/// ```
/// use modelops_security::sign::HashOptions;
/// let options = HashOptions::default().with_ignored("model.sig").with_shard_size(16 << 20);
/// assert_eq!(options.shard_size, Some(16_777_216));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct HashOptions {
    /// Hash pieces of this many bytes instead of whole files, so that a piece can be verified alone.
    pub shard_size: Option<u64>,
    /// Names below the folder, of files or whole folders, that are left out: the signature itself, `.git`.
    pub ignored: Vec<String>,
    /// Threads; all cores where `None`. The result is the same.
    pub threads: Option<NonZeroUsize>,
}

impl HashOptions {
    /// Leaves a file or a folder out.
    #[must_use]
    pub fn with_ignored(mut self, name: impl Into<String>) -> Self {
        self.ignored.push(name.into());
        self
    }

    /// Hashes in pieces; 0 means whole files.
    #[must_use]
    pub fn with_shard_size(mut self, bytes: u64) -> Self {
        self.shard_size = (bytes > 0).then_some(bytes);
        self
    }

    /// Limits the threads.
    #[must_use]
    pub fn with_threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }
}

/// One hashed file, or one piece of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resource {
    /// Name below the folder, with `/`.
    pub name: String,
    /// First byte of the piece and the byte behind it; the whole file where `None`.
    pub range: Option<(u64, u64)>,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
}

/// As a bundle names it: `name`, or `name:start:end` for a piece.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.range {
            None => f.write_str(&self.name),
            Some((start, end)) => write!(f, "{}:{start}:{end}", self.name),
        }
    }
}

/// The files of a model with their hashes, in the order of their names.
///
/// Only regular files count. Symbolic links, names that differ in case only and names that could leave the folder are refused,
/// when hashing and when verifying.
///
/// ```
/// use modelops_security::sign::{HashOptions, ModelManifest, SigningKey};
/// use modelops_security::{SystemRandom, VerifyError};
/// # let dir = tempfile::tempdir()?;
/// # let folder = dir.path();
/// std::fs::write(folder.join("config.json"), "{}")?;
/// std::fs::write(folder.join("weights"), [7; 1000])?;
/// let options = HashOptions::default();
/// let key = SigningKey::generate_ed25519(&mut SystemRandom::new())?;
/// let bundle = ModelManifest::of_folder(folder, &options)?.sign(&key)?;
///
/// let signed = ModelManifest::verify(bundle.as_bytes(), &key.verifying_key())?;
/// signed.check(folder, &options)?;
/// std::fs::write(folder.join("weights"), [8; 1000])?;
/// assert_eq!(signed.check(folder, &options), Err(VerifyError::Mismatch { path: "weights".into() }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("sigstore", "signature", "checksum"))]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelManifest {
    name: String,
    shard_size: Option<u64>,
    ignored: Vec<String>,
    resources: Vec<Resource>,
}

impl ModelManifest {
    /// Hashes a folder on all cores.
    ///
    /// # Errors
    ///
    /// [`SignError`]: a file cannot be read, changed meanwhile, or may not stand in a manifest; or there is none.
    ///
    /// # Complexity
    ///
    /// O(bytes) time, 256 KiB a thread.
    pub fn of_folder(folder: &Path, options: &HashOptions) -> Result<Self, SignError> {
        Self::of_folder_cached(folder, options, &mut HashCache::default())
    }

    /// As [`of_folder`](Self::of_folder), but reads only the files that changed since `cache` was filled, and fills it anew.
    ///
    /// # Errors
    ///
    /// As [`of_folder`](Self::of_folder); the cache is then as before.
    pub fn of_folder_cached(
        folder: &Path,
        options: &HashOptions,
        cache: &mut HashCache,
    ) -> Result<Self, SignError> {
        let files = walk(folder, &options.ignored)?;
        let pieces = pieces(&files, options.shard_size)?;
        if pieces.is_empty() {
            return Err(SignError::Empty);
        }
        cache.start(options.shard_size);
        let mut known: Vec<Option<[u8; 32]>> = Vec::with_capacity(pieces.len());
        let mut reused = 0;
        for of_file in pieces.chunk_by(|a, b| a.file == b.file) {
            let file = &files[of_file[0].file];
            let found = cache.find(&file.name, &file.metadata, of_file.len());
            reused += usize::from(found.is_some());
            known.extend((0..of_file.len()).map(|i| found.map(|hashes| hashes[i])));
        }
        let hashes = hash_pieces(folder, &files, &pieces, &known, options.threads)?;
        let mut at = 0;
        let by_file = pieces.chunk_by(|a, b| a.file == b.file).map(|of_file| {
            let file = &files[of_file[0].file];
            at += of_file.len();
            (
                file.name.as_str(),
                &file.metadata,
                hashes[at - of_file.len()..at].to_vec(),
            )
        });
        cache.replace(by_file, reused);
        let resources = pieces.iter().zip(&hashes).map(|(piece, sha256)| Resource {
            name: files[piece.file].name.clone(),
            range: piece.range,
            sha256: *sha256,
        });
        let resources = resources.collect();
        let name = folder
            .canonicalize()
            .ok()
            .and_then(|p| p.file_name()?.to_str().map(str::to_owned));
        let (shard_size, ignored) = (options.shard_size, options.ignored.clone());
        Ok(Self {
            name: name.unwrap_or_default(),
            shard_size,
            ignored,
            resources,
        })
    }

    /// Puts a verified statement together; `None` where names repeat or collide.
    pub(crate) fn from_parts(
        name: String,
        shard_size: Option<u64>,
        ignored: Vec<String>,
        resources: Vec<Resource>,
    ) -> Option<Self> {
        let mut folded = BTreeMap::new();
        let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
        for resource in &resources {
            let known = folded.insert(names::folded(&resource.name), resource.name.as_str());
            if known.is_some_and(|other| other != resource.name) {
                return None;
            }
            // Pieces of a file must follow each other without a gap, and a whole file comes once.
            let end = ends.insert(&resource.name, resource.range.map_or(0, |(_, end)| end));
            match resource.range {
                None if end.is_none() => {}
                Some((start, stop)) if start == end.unwrap_or(0) && (start < stop || end.is_none()) => {}
                _ => return None,
            }
        }
        Some(Self {
            name,
            shard_size,
            ignored,
            resources,
        })
    }

    /// The name of the model: that of its folder when it was signed. Only for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of a piece, where files were hashed in pieces.
    #[must_use]
    pub fn shard_size(&self) -> Option<u64> {
        self.shard_size
    }

    /// What the publisher left out. [`check`](Self::check) does not leave it out unless told to.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The files or pieces.
    #[must_use]
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// Whether the folder holds exactly the files of this manifest, on all cores.
    ///
    /// Only what `options` name is left out, whatever the publisher left out; the piece size is that of the manifest.
    ///
    /// # Errors
    ///
    /// [`VerifyError`] for the first file, in the order of names, that is missing, not signed or different.
    ///
    /// # Complexity
    ///
    /// O(bytes) time, 256 KiB a thread.
    pub fn check(&self, folder: &Path, options: &HashOptions) -> Result<(), VerifyError> {
        let files = walk(folder, &options.ignored)?;
        let signed: BTreeSet<&str> = self.resources.iter().map(|r| r.name.as_str()).collect();
        let found: BTreeSet<&str> = files.iter().map(|f| f.name.as_str()).collect();
        if let Some(name) = signed.difference(&found).next() {
            return Err(VerifyError::Missing { path: name.into() });
        }
        if let Some(name) = found.difference(&signed).next() {
            return Err(VerifyError::Extra { path: name.into() });
        }
        let pieces = pieces(&files, self.shard_size)?;
        let mut expected: BTreeMap<PieceKey<'_>, &[u8; 32]> = BTreeMap::new();
        for resource in &self.resources {
            expected.insert((resource.name.as_str(), resource.range), &resource.sha256);
        }
        let mismatch = |name: &str| VerifyError::Mismatch { path: name.into() };
        // A file of another length has other pieces: no need to read it.
        for piece in &pieces {
            let name = files[piece.file].name.as_str();
            if !expected.contains_key(&(name, piece.range)) {
                return Err(mismatch(name));
            }
        }
        let found: BTreeSet<_> = pieces
            .iter()
            .map(|p| (files[p.file].name.as_str(), p.range))
            .collect();
        if let Some(&(name, _)) = expected.keys().find(|key| !found.contains(*key)) {
            return Err(mismatch(name));
        }
        for_each_batch(pieces.len() as u64, options.threads, buffer, |i, buffer| {
            let piece = &pieces[i as usize];
            let file = &files[piece.file];
            let sha256 = hash_piece(folder, file, piece.range, buffer)?;
            let same = expected.get(&(file.name.as_str(), piece.range)) == Some(&&sha256);
            if same { Ok(()) } else { Err(mismatch(&file.name)) }
        })
    }
}

/// A regular file below the folder.
struct Found {
    name: String,
    metadata: Metadata,
}

/// A file or a piece, as a key to compare by.
type PieceKey<'a> = (&'a str, Option<(u64, u64)>);

struct Piece {
    file: usize,
    range: Option<(u64, u64)>,
}

/// All files, in the order of their names, part by part.
fn walk(folder: &Path, ignored: &[String]) -> Result<Vec<Found>, SignError> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(relative) = open.pop() {
        let here = folder.join(&relative);
        let failed = |error: io::Error| FileError::new(&here, &error);
        for entry in fs::read_dir(&here).map_err(failed)? {
            let path = relative.join(entry.map_err(failed)?.file_name());
            let name = names::name_of(&path).ok_or_else(|| SignError::Name { path: path.clone() })?;
            if ignored.contains(&name) {
                continue;
            }
            let metadata = fs::symlink_metadata(folder.join(&path)).map_err(failed)?;
            if metadata.is_dir() {
                open.push(path);
            } else if metadata.is_file() {
                found.push(Found { name, metadata });
            } else {
                return Err(SignError::NotRegular { path });
            }
        }
    }
    found.sort_by(|a, b| a.name.split('/').cmp(b.name.split('/')));
    let mut folded = BTreeSet::new();
    for file in &found {
        if !folded.insert(names::folded(&file.name)) {
            return Err(SignError::CaseCollision {
                path: file.name.as_str().into(),
            });
        }
    }
    Ok(found)
}

fn pieces(files: &[Found], shard_size: Option<u64>) -> Result<Vec<Piece>, SignError> {
    let mut pieces = Vec::with_capacity(files.len());
    for (file, found) in files.iter().enumerate() {
        let Some(size) = shard_size else {
            pieces.push(Piece { file, range: None });
            continue;
        };
        if found.name.contains(':') {
            return Err(SignError::Name {
                path: found.name.as_str().into(),
            });
        }
        let len = found.metadata.len();
        let mut start = 0_u64;
        loop {
            let end = start.saturating_add(size).min(len);
            pieces.push(Piece {
                file,
                range: Some((start, end)),
            });
            if end == len {
                break;
            }
            start = end;
        }
    }
    Ok(pieces)
}

fn hash_pieces(
    folder: &Path,
    files: &[Found],
    pieces: &[Piece],
    known: &[Option<[u8; 32]>],
    threads: Option<NonZeroUsize>,
) -> Result<Vec<[u8; 32]>, SignError> {
    let hashes: Vec<OnceLock<[u8; 32]>> = known
        .iter()
        .map(|known| known.map_or_else(OnceLock::new, OnceLock::from))
        .collect();
    for_each_batch(pieces.len() as u64, threads, buffer, |i, buffer| {
        if known[i as usize].is_some() {
            return Ok(());
        }
        let piece = &pieces[i as usize];
        let sha256 = hash_piece(folder, &files[piece.file], piece.range, buffer)?;
        hashes[i as usize].get_or_init(|| sha256);
        Ok::<(), SignError>(())
    })?;
    Ok(hashes
        .into_iter()
        .map(|cell| cell.into_inner().expect("every piece was hashed"))
        .collect())
}

fn buffer() -> Vec<u8> {
    vec![0; BLOCK]
}

fn hash_piece(
    folder: &Path,
    file: &Found,
    range: Option<(u64, u64)>,
    buffer: &mut [u8],
) -> Result<[u8; 32], SignError> {
    let path = folder.join(&file.name);
    let failed = |error: io::Error| FileError::new(&path, &error);
    let changed = || SignError::Changed {
        path: file.name.as_str().into(),
    };
    let mut input = File::open(&path).map_err(failed)?;
    // The file that was listed, and not another one, or a link to it, that took its place since.
    if !same_file(&input.metadata().map_err(failed)?, &file.metadata) {
        return Err(changed());
    }
    let (start, end) = range.unwrap_or((0, file.metadata.len()));
    if start > 0 {
        input.seek(SeekFrom::Start(start)).map_err(failed)?;
    }
    let mut left = end - start;
    let mut context = digest::Context::new(&digest::SHA256);
    while left > 0 {
        let want = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        match input.read(&mut buffer[..want]) {
            Ok(0) => return Err(changed()),
            Ok(n) => {
                context.update(&buffer[..n]);
                left -= n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error).into()),
        }
    }
    if !same_file(&input.metadata().map_err(failed)?, &file.metadata) {
        return Err(changed());
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(context.finish().as_ref());
    Ok(sha256)
}

#[cfg(unix)]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let of = |m: &Metadata| (m.dev(), m.ino(), m.len(), m.mtime(), m.mtime_nsec());
    of(a) == of(b)
}

#[cfg(not(unix))]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    a.len() == b.len() && a.modified().ok() == b.modified().ok()
}
