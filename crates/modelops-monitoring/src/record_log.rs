//! JSON lines by a background writer.

use std::borrow::Cow;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

use crate::error::LogError;
use crate::record_context::{LogContext, push_object, reopen};
use crate::record_files::Files;
use crate::redact::{Redactor, Secrets};
use crate::redact_lines::LineRedactor;

/// How long the writer gathers records before it writes them.
const GATHER: Duration = Duration::from_millis(50);
/// Pending bytes that make the writer write at once. Waking it costs the caller tens of microseconds on some machines,
/// so not too few; what is written should still be in the second cache level, so not too many.
const EAGER: usize = 256 * 1024;
/// Bytes that each of the two buffers keeps while there is nothing to write.
const IDLE: usize = 32 * 1024;

/// What a full queue does to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// The record is dropped and counted, and the log itself says how many were: the caller never waits.
    #[default]
    Drop,
    /// The caller waits for room: nothing is lost, and the same records give the same bytes.
    Wait,
}

/// Settings of a [`RecordLog`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordLogOptions {
    /// Start of the file names: `stem-000001.jsonl`. Default `records`.
    pub stem: String,
    /// A file is closed before the record that would make it longer than this. Default 128 MiB.
    pub max_file_bytes: u64,
    /// Bytes that may wait for the writer. Default 8 MiB.
    pub queue_bytes: usize,
    /// What happens when they are reached.
    pub when_full: WhenFull,
    /// The time that one file spans: [`RecordLog::tick`] begins a new file in each. Default none.
    pub max_file_age: Option<Duration>,
    /// Whether the writer takes out the secrets that [`Secrets`] finds. Default yes.
    pub redact: bool,
}

impl Default for RecordLogOptions {
    fn default() -> Self {
        Self {
            stem: "records".to_owned(),
            max_file_bytes: 128 << 20,
            queue_bytes: 8 << 20,
            when_full: WhenFull::Drop,
            max_file_age: None,
            redact: true,
        }
    }
}

impl RecordLogOptions {
    /// The same with another start of the file names.
    #[must_use]
    pub fn with_stem(mut self, stem: &str) -> Self {
        stem.clone_into(&mut self.stem);
        self
    }

    /// The same with another greatest length of a file.
    #[must_use]
    pub fn with_max_file_bytes(mut self, bytes: u64) -> Self {
        self.max_file_bytes = bytes;
        self
    }

    /// The same with another length of the queue.
    #[must_use]
    pub fn with_queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// The same with a new file for each span of time; zero means none.
    #[must_use]
    pub fn with_max_file_age(mut self, age: Duration) -> Self {
        self.max_file_age = (!age.is_zero()).then_some(age);
        self
    }

    /// The same with texts written as they are, secrets included.
    #[must_use]
    pub fn without_redaction(mut self) -> Self {
        self.redact = false;
        self
    }

    /// The same with another behaviour of a full queue.
    #[must_use]
    pub fn with_when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }
}

/// What a log wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LogReport {
    /// Records written.
    pub records: u64,
    /// Records dropped because the queue was full or the disk failed.
    pub dropped: u64,
    /// Files begun.
    pub files: u64,
    /// Bytes written.
    pub bytes: u64,
}

/// Structured records as JSON lines in rotated files, written by a thread of its own.
///
/// The caller serialises into a buffer of its thread and hands the line over; it never touches the disk. Timestamps
/// are fields of the record: the log reads no clock. Every record is written, or counted as dropped in
/// [`LogReport`] and by a line `{"dropped":n}` at the place where it is missing. Line breaks cannot be forged: JSON
/// escapes them. The writer takes the secrets out of every text, and the value out of every field whose name says that
/// it is one, before it writes: see [`Secrets`]. Until then, 50 ms or so, they are in the memory of the process.
///
/// Each log begins a new file after those that are there, so that a file torn by a crash is never appended to;
/// [`RecordReader`](crate::RecordReader) counts a torn last line. Dropping the log writes what is pending.
///
/// **Complexity**: `write` O(length of the record).
///
/// ```
/// use modelops_monitoring::{RecordLog, RecordLogOptions, RecordReader};
/// #[derive(serde::Serialize)]
/// struct Request { seconds: f64, error: Option<&'static str> }
///
/// let folder = tempfile::tempdir()?;
/// let log = RecordLog::create(folder.path(), RecordLogOptions::default())?;
/// log.write(&Request { seconds: 0.25, error: None })?;
/// log.write(&Request { seconds: 0.5, error: Some("timeout") })?;
/// assert_eq!(log.close()?.records, 2);
///
/// let report = RecordReader::open(folder.path())?.group_by("error").summarize("seconds")?;
/// assert_eq!(report.values.sum(), 0.75);
/// assert_eq!(report.groups["timeout"].count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("request_log", "access_log", "jsonl", "log_rotation"))]
#[derive(Debug)]
pub struct RecordLog {
    shared: Arc<Shared>,
    when_full: WhenFull,
    queue_bytes: usize,
    max_file_age: Option<Duration>,
    writer: Option<JoinHandle<()>>,
}

/// What callers touch comes first, in one line of the processor's cache with the lock: it wanders from core to core.
#[derive(Debug)]
#[repr(C, align(64))]
struct Shared {
    state: Mutex<State>,
    /// The writer sleeps here.
    work: Condvar,
    /// Callers sleep here, for room or for a flush.
    done: Condvar,
}

#[derive(Debug, Default)]
#[repr(C)]
struct State {
    pending: Vec<u8>,
    records: u64,
    /// Records dropped that the log does not tell of yet.
    untold: u64,
    /// Whether the writer holds a batch that is not written yet.
    writing: bool,
    asleep: bool,
    hurry: bool,
    closing: bool,
    /// Whether there is a `failure`.
    failed: bool,
    failure: Option<LogError>,
    report: LogReport,
    /// Where in `pending` a new file begins, by rising place.
    cuts: Vec<usize>,
    /// The span of time that the present file belongs to.
    span: Option<u128>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the writer write at once and waits until it has written something.
    fn urge<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.hurry = true;
        self.work.notify_one();
        self.done.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    /// The line being formatted. The writer keeps its own taken, so that a redactor cannot log.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl RecordLog {
    /// Begins a log in `folder`, which is made where it is missing.
    ///
    /// # Errors
    /// [`LogError::Io`] where the folder or the first file cannot be made.
    pub fn create(folder: impl AsRef<Path>, options: RecordLogOptions) -> Result<Self, LogError> {
        let redactor = options.redact.then(|| Box::new(Secrets) as Box<dyn Redactor>);
        Self::begin(folder.as_ref(), options, redactor)
    }

    /// As [`create`](Self::create), with a redactor of your own in the place of [`Secrets`].
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_with(
        folder: impl AsRef<Path>,
        options: RecordLogOptions,
        redactor: Box<dyn Redactor>,
    ) -> Result<Self, LogError> {
        Self::begin(folder.as_ref(), options, Some(redactor))
    }

    fn begin(
        folder: &Path,
        options: RecordLogOptions,
        redactor: Option<Box<dyn Redactor>>,
    ) -> Result<Self, LogError> {
        let files = Files::create(folder, options.stem, options.max_file_bytes)?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                report: LogReport {
                    files: files.begun,
                    ..LogReport::default()
                },
                ..State::default()
            }),
            work: Condvar::new(),
            done: Condvar::new(),
        });
        let writer = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("record-log".to_owned())
                .spawn(move || Writer::new(files, redactor).run(&shared))
                .map_err(|error| LogError::Io {
                    path: folder.to_owned(),
                    kind: error.kind(),
                })?
        };
        Ok(Self {
            shared,
            when_full: options.when_full,
            queue_bytes: options.queue_bytes,
            max_file_age: options.max_file_age,
            writer: Some(writer),
        })
    }

    /// Hands one record over. A record that finds the queue full is dropped and counted, or waits: see [`WhenFull`].
    ///
    /// # Errors
    /// [`LogError::Record`] where the record is no JSON object; [`LogError::Stopped`] after the disk failed;
    /// [`LogError::Reentrant`] for a record written while this thread serialises another one.
    pub fn write<R: Serialize + ?Sized>(&self, record: &R) -> Result<(), LogError> {
        self.write_with(&[], record)
    }

    /// As [`write`](Self::write), with the fields of `contexts` after those of the record, in their order.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_with<R: Serialize + ?Sized>(
        &self,
        contexts: &[&LogContext],
        record: &R,
    ) -> Result<(), LogError> {
        LINE.with(|line| {
            // Taken already where the record's own serialisation writes to a log.
            let mut line = line.try_borrow_mut().map_err(|_| LogError::Reentrant)?;
            line.clear();
            push_object(&mut line, record)?;
            if !contexts.is_empty() {
                reopen(&mut line);
                contexts.iter().for_each(|context| context.push(&mut line));
                line.push(b'}');
            }
            line.push(b'\n');
            self.enqueue(&line)
        })
    }

    /// Says what time it is, on any clock that only rises; where [`max_file_age`](RecordLogOptions::max_file_age) is
    /// set, the first call in each span of that length makes the records after it go into a new file.
    ///
    /// Call it now and then: with each scrape, say. A file that would be empty is not begun.
    ///
    /// ```
    /// use std::time::Duration;
    /// use modelops_monitoring::{RecordLog, RecordLogOptions};
    /// # #[derive(serde::Serialize)] struct Line { n: u8 }
    /// let folder = tempfile::tempdir()?;
    /// let hour = Duration::from_secs(3600);
    /// let log = RecordLog::create(folder.path(), RecordLogOptions::default().with_max_file_age(hour))?;
    /// for minutes in [0, 30, 60] {
    ///     log.tick(Duration::from_secs(60 * minutes));
    ///     log.write(&Line { n: 1 })?;
    /// }
    /// assert_eq!(log.close()?.files, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tick(&self, now: Duration) {
        let Some(age) = self.max_file_age else { return };
        let span = now.as_nanos() / age.as_nanos();
        let mut state = self.shared.lock();
        let before = state.span.replace(span);
        if before.is_some_and(|before| before < span) {
            if state.untold > 0 {
                tell(&mut state);
            }
            let place = state.pending.len();
            state.cuts.push(place);
        }
    }

    fn enqueue(&self, line: &[u8]) -> Result<(), LogError> {
        let mut state = self.shared.lock();
        loop {
            if state.failed {
                state.report.dropped += 1;
                return Err(LogError::Stopped);
            }
            // A line longer than the queue passes when the queue is empty.
            if state.pending.is_empty() || state.pending.len() + line.len() <= self.queue_bytes {
                break;
            }
            match self.when_full {
                WhenFull::Drop => {
                    state.untold += 1;
                    state.report.dropped += 1;
                    return Ok(());
                }
                WhenFull::Wait => {
                    state = self.shared.urge(state);
                }
            }
        }
        if state.untold > 0 {
            tell(&mut state);
        }
        state.pending.extend_from_slice(line);
        state.records += 1;
        let eager = state.pending.len() >= EAGER && !state.hurry;
        if eager || state.asleep {
            state.hurry |= eager;
            state.asleep = false;
            drop(state);
            self.shared.work.notify_one();
        }
        Ok(())
    }

    /// Waits until all records handed over so far are with the operating system.
    ///
    /// # Errors
    /// The failure that stopped the writer: [`LogError::Io`] or [`LogError::Redactor`].
    pub fn flush(&self) -> Result<(), LogError> {
        let mut state = self.shared.lock();
        while !state.failed && (state.writing || !state.pending.is_empty() || state.untold > 0) {
            state = self.shared.urge(state);
        }
        state.failure.clone().map_or(Ok(()), Err)
    }

    /// What was written and dropped so far; after a [`flush`](Self::flush), of all records handed over before it.
    #[must_use]
    pub fn report(&self) -> LogReport {
        self.shared.lock().report
    }

    /// Records dropped so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.lock().report.dropped
    }

    /// Writes what is pending, ends the writer and says what was written.
    ///
    /// # Errors
    /// The failure that stopped the writer: [`LogError::Io`] or [`LogError::Redactor`].
    pub fn close(mut self) -> Result<LogReport, LogError> {
        self.end();
        let state = self.shared.lock();
        state.failure.clone().map_or(Ok(state.report), Err)
    }

    fn end(&mut self) {
        {
            let mut state = self.shared.lock();
            state.closing = true;
            self.shared.work.notify_one();
        }
        if let Some(writer) = self.writer.take() {
            // A panic in the writer would be a bug there; the report then lacks what it did not write.
            let _ended = writer.join();
        }
    }
}

impl Drop for RecordLog {
    fn drop(&mut self) {
        self.end();
    }
}

/// Puts the count of the records that are missing here into the log.
fn tell(state: &mut State) {
    let untold = std::mem::take(&mut state.untold);
    state.pending.extend_from_slice(b"{\"dropped\":");
    state
        .pending
        .extend_from_slice(itoa::Buffer::new().format(untold).as_bytes());
    state.pending.extend_from_slice(b"}\n");
}

/// The thread that writes.
struct Writer {
    files: Files,
    redactor: Option<LineRedactor>,
    batch: Vec<u8>,
    cuts: Vec<usize>,
}

impl Writer {
    fn new(files: Files, redactor: Option<Box<dyn Redactor>>) -> Self {
        Self {
            files,
            redactor: redactor.map(LineRedactor::new),
            batch: Vec::new(),
            cuts: Vec::new(),
        }
    }

    /// Writes until the log is closed or the disk fails.
    fn run(mut self, shared: &Shared) {
        let mut state = shared.lock();
        loop {
            state = self.gather(shared, state);
            if state.pending.is_empty() && state.closing {
                return;
            }
            std::mem::swap(&mut state.pending, &mut self.batch);
            std::mem::swap(&mut state.cuts, &mut self.cuts);
            let records = std::mem::take(&mut state.records);
            state.writing = true;
            state.hurry = false;
            drop(state);
            let outcome = LINE.with_borrow_mut(|_| self.write_batch());
            state = shared.lock();
            state.writing = false;
            match outcome {
                Ok(()) => state.report.records += records,
                Err(failure) => {
                    state.report.dropped += records + state.records;
                    state.failed = true;
                    state.failure = Some(failure);
                }
            }
            state.report.bytes = self.files.bytes;
            state.report.files = self.files.begun;
            shared.done.notify_all();
            if state.failed {
                return;
            }
        }
    }

    /// Waits for records, and a while longer for more of them.
    fn gather<'a>(&mut self, shared: &'a Shared, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        while state.pending.is_empty() && state.untold == 0 && !state.closing {
            // What a burst took is given back when it is over.
            state.pending.shrink_to(IDLE);
            self.batch.shrink_to(IDLE);
            self.redactor.iter_mut().for_each(LineRedactor::shrink);
            state.asleep = true;
            state.hurry = false;
            state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.asleep = false;
        if !state.hurry && !state.closing {
            let (next, _) = shared
                .work
                .wait_timeout_while(state, GATHER, |state| !state.hurry && !state.closing)
                .unwrap_or_else(PoisonError::into_inner);
            state = next;
        }
        if state.untold > 0 {
            tell(&mut state);
        }
        state
    }

    /// Redacts and writes the batch, a new file begun at each cut.
    fn write_batch(&mut self) -> Result<(), LogError> {
        let Self {
            files,
            redactor,
            batch,
            cuts,
        } = self;
        let mut from = 0;
        for cut in cuts.drain(..) {
            write_lines(files, redactor.as_mut(), &batch[from..cut])?;
            files.cut();
            from = cut;
        }
        write_lines(files, redactor.as_mut(), &batch[from..])?;
        batch.clear();
        Ok(())
    }
}

fn write_lines(files: &mut Files, redactor: Option<&mut LineRedactor>, lines: &[u8]) -> Result<(), LogError> {
    let Some(redactor) = redactor else {
        return files.write(lines);
    };
    // JSON is UTF-8; were it not, what cannot be judged is not written.
    let lines = std::str::from_utf8(lines).map_or_else(|_| String::from_utf8_lossy(lines), Cow::Borrowed);
    // A redactor that panics ends the log as a full disk does: nobody waits for a writer that is gone.
    let write = AssertUnwindSafe(|| files.write(redactor.redact(&lines).as_bytes()));
    catch_unwind(write).unwrap_or(Err(LogError::Redactor))
}
