//! Where a family keeps its series: an array for enum labels, a bounded table for text.

use std::cell::RefCell;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread::LocalKey;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::counter::Counter;
use crate::error::RegisterError;
use crate::gauge::Gauge;
use crate::histogram::{Histogram, Shape};
use crate::kernel::slab::Reader;
use crate::labels::LabelSet;
use crate::sample::{self, Descriptor, Labels, Pairs, Sample};

/// The text that every label of the overflow series carries.
pub(crate) const OVERFLOW: &str = "__overflow__";

/// Series that a thread remembers for each kind of metric.
const REMEMBERED: usize = 512;
/// Neighbouring places that one series may be remembered at.
const PLACES: usize = 4;

/// What a [`Family`](crate::Family) can consist of: [`Counter`], [`Gauge`] or [`Histogram`]; closed to other types.
pub trait Metric: kind::Kind {}
impl Metric for Counter {}
impl Metric for Gauge {}
impl Metric for Histogram {}

pub(crate) mod kind {
    use super::{
        Arc, AtomicBool, Counter, Gauge, Histogram, LocalKey, Memory, Reader, RefCell, Relaxed, Sample,
        Shape, fmt,
    };

    /// The workings of a metric; the module is private, so no other crate can name it.
    pub trait Kind: Clone + Send + Sync + fmt::Debug + Sized + 'static {
        /// What all series of a family share.
        type Shared: Send + Sync;
        /// A new series; `None` where storage is exhausted.
        fn create(shared: &Self::Shared) -> Option<Self>;
        /// The series of all label sets of a dense family; those of counters have their cells side by side.
        fn create_all(shared: &Self::Shared, count: usize) -> Option<Vec<Self>> {
            (0..count).map(|_| Self::create(shared)).collect()
        }
        /// The one cell of a counter; `None` for any other kind.
        fn slot(&self) -> Option<u32> {
            None
        }
        /// Whether a series of the family ever had an exemplar that its line would have to name.
        fn exemplified(_: &Self::Shared) -> bool {
            false
        }
        /// The calling thread's recently used series.
        fn memory() -> &'static LocalKey<RefCell<Memory<Self>>>;
        /// A number that changes whenever something is recorded.
        fn trace(&self, reader: &Reader) -> u64;
        /// The present value; `None` where the series has nothing to say yet.
        fn sample(&self, reader: &Reader, dense: bool) -> Option<Sample<'_>>;
    }

    impl Kind for Counter {
        /// Whether any counter of the family ever had an exemplar.
        type Shared = Arc<AtomicBool>;

        fn create(exemplified: &Arc<AtomicBool>) -> Option<Self> {
            Self::create(exemplified)
        }

        fn create_all(exemplified: &Arc<AtomicBool>, count: usize) -> Option<Vec<Self>> {
            Self::create_all(exemplified, count)
        }

        fn slot(&self) -> Option<u32> {
            Some(self.slot())
        }

        fn exemplified(shared: &Arc<AtomicBool>) -> bool {
            shared.load(Relaxed)
        }

        fn memory() -> &'static LocalKey<RefCell<Memory<Self>>> {
            thread_local!(static MEMORY: RefCell<Memory<Counter>> = const { RefCell::new(Memory::new()) });
            &MEMORY
        }

        fn trace(&self, reader: &Reader) -> u64 {
            self.read(reader)
        }

        fn sample(&self, reader: &Reader, _: bool) -> Option<Sample<'_>> {
            Some(Sample::Counter(self.read(reader), self.exemplar()))
        }
    }

    impl Kind for Gauge {
        type Shared = ();

        fn create((): &()) -> Option<Self> {
            Some(Self::create())
        }

        fn memory() -> &'static LocalKey<RefCell<Memory<Self>>> {
            thread_local!(static MEMORY: RefCell<Memory<Gauge>> = const { RefCell::new(Memory::new()) });
            &MEMORY
        }

        fn trace(&self, _: &Reader) -> u64 {
            self.read().unwrap_or(0.0).to_bits()
        }

        fn sample(&self, _: &Reader, _: bool) -> Option<Sample<'_>> {
            self.read().map(Sample::Gauge)
        }
    }

    impl Kind for Histogram {
        type Shared = Arc<Shape>;

        fn create(shape: &Arc<Shape>) -> Option<Self> {
            Self::create(shape)
        }

        fn memory() -> &'static LocalKey<RefCell<Memory<Self>>> {
            thread_local!(static MEMORY: RefCell<Memory<Histogram>> = const { RefCell::new(Memory::new()) });
            &MEMORY
        }

        fn trace(&self, reader: &Reader) -> u64 {
            self.read(reader).count()
        }

        fn sample(&self, reader: &Reader, dense: bool) -> Option<Sample<'_>> {
            let reading = self.read(reader);
            (!dense || reading.count() > 0).then(|| Sample::Histogram(Box::new(reading)))
        }
    }
}

/// One series of a sparse family.
#[derive(Debug)]
pub(crate) struct Entry<M> {
    pub(crate) metric: M,
    pub(crate) texts: Box<[Box<str>]>,
    body: Box<str>,
    pinned: AtomicBool,
    /// What the last look for idle series saw, and since when it has been so.
    rest: Mutex<Option<(u64, Duration)>>,
}

impl<M> Entry<M> {
    fn new(metric: M, names: &[&str], texts: Vec<Box<str>>) -> Self {
        Self {
            metric,
            body: label_body(names, texts.iter().map(|text| &**text)),
            texts: texts.into(),
            pinned: AtomicBool::new(false),
            rest: Mutex::new(None),
        }
    }

    /// Keeps the series from being dropped for idleness.
    pub(crate) fn pin(&self) {
        self.pinned.store(true, Relaxed);
    }

    /// Whether `trace` is what it was `idle` before `now`.
    fn rests(&self, trace: u64, now: Duration, idle: Duration) -> bool {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        match *rest {
            Some((before, since)) if before == trace => {
                !self.pinned.load(Relaxed) && now.saturating_sub(since) >= idle
            }
            _ => {
                *rest = Some((trace, now));
                false
            }
        }
    }

    pub(crate) fn labels<'a>(&'a self, names: &'a [&'static str]) -> Labels<'a> {
        Labels {
            body: &self.body,
            pairs: Pairs::Owned(names, &self.texts),
        }
    }

    fn has<L: LabelSet>(&self, labels: &L) -> bool {
        let mut own = self.texts.iter();
        let mut same = true;
        labels.texts(|text| same &= own.next().is_some_and(|own| **own == *text));
        same
    }
}

/// A series as one thread holds it: that thread counts its uses without atomics.
#[derive(Debug)]
pub(crate) struct Kept<M>(pub(crate) Arc<Entry<M>>);

/// `a="b",c="d"`, escaped as the text formats want it.
pub(crate) fn label_body<'a>(names: &[&str], texts: impl Iterator<Item = &'a str>) -> Box<str> {
    let mut body = String::new();
    for (name, text) in names.iter().zip(texts) {
        if !body.is_empty() {
            body.push(',');
        }
        body.push_str(name);
        body.push_str("=\"");
        for c in text.chars() {
            match c {
                '\\' => body.push_str("\\\\"),
                '"' => body.push_str("\\\""),
                '\n' => body.push_str("\\n"),
                c => body.push(c),
            }
        }
        body.push('"');
    }
    body.into()
}

/// The series that a thread used lately, by the hash of their labels.
pub struct Memory<M> {
    remembered: Vec<Option<Remembered<M>>>,
}

struct Remembered<M> {
    hash: u64,
    family: u64,
    generation: u64,
    entry: Rc<Kept<M>>,
}

impl<M> Memory<M> {
    const fn new() -> Self {
        Self {
            remembered: Vec::new(),
        }
    }
}

struct Table<M> {
    index: HashTable<Arc<Entry<M>>>,
    /// All entries by rising label texts, made when asked for.
    sorted: Option<Arc<Sorted<M>>>,
}

/// The series by rising label texts, ready to be written out.
pub(crate) struct Sorted<M> {
    pub(crate) entries: Box<[Arc<Entry<M>>]>,
    /// Of counters: where their lines begin, `name_total{labels} `, one after the other, and where each ends.
    pub(crate) starts: Vec<u8>,
    pub(crate) ends: Vec<usize>,
    /// Of counters: their cells, kept here so that reading them touches no entry.
    pub(crate) slots: Vec<u32>,
}

/// How the labels of a family spread.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cardinality {
    /// Whether the limit was met, so that the overflow series is in use.
    pub overflowed: bool,
    /// Each label's name and how many different texts it has among the series, most first: the first one exploded.
    pub labels: Vec<(&'static str, usize)>,
}

/// The body and the texts of a dense series' labels.
type DenseLabels = (Box<str>, Box<[&'static str]>);

/// A family without the type of its labels.
pub(crate) struct Core<M: Metric> {
    pub(crate) descriptor: Descriptor,
    pub(crate) dense: Box<[M]>,
    dense_labels: Box<[DenseLabels]>,
    pub(crate) shared: M::Shared,
    limit: usize,
    /// Tells families apart in the threads' memories.
    id: u64,
    /// Raised whenever a series is taken away, so that no thread goes on using it.
    pub(crate) generation: AtomicU64,
    table: RwLock<Table<M>>,
    /// Takes what does not fit into the table; there from the start, so that it never fails.
    pub(crate) overflow: Option<Arc<Entry<M>>>,
    pub(crate) overflowed: AtomicBool,
    /// One writer at a time makes a series, outside the table's lock.
    making: Mutex<()>,
    hasher: FixedState,
}

fn hash_text(hasher: &mut impl Hasher, text: &str) {
    hasher.write(text.as_bytes());
    hasher.write_u8(0xff);
}

static NEXT_FAMILY: AtomicU64 = AtomicU64::new(0);

impl<M: Metric> Core<M> {
    pub(crate) fn new<L: LabelSet>(
        descriptor: Descriptor,
        shared: M::Shared,
        limit: usize,
    ) -> Result<Self, RegisterError> {
        let count = L::COMBINATIONS.filter(|n| *n <= limit.max(1)).unwrap_or(0);
        let dense = M::create_all(&shared, count).ok_or(RegisterError::Storage)?;
        let mut bodies = Vec::with_capacity(count);
        for index in 0..count {
            let mut texts = Vec::new();
            L::texts_at(index, &mut |text| texts.push(text));
            bodies.push((label_body(L::NAMES, texts.iter().copied()), texts.into()));
        }
        let overflow = if count == 0 {
            let metric = M::create(&shared).ok_or(RegisterError::Storage)?;
            let texts = L::NAMES.iter().map(|_| OVERFLOW.into()).collect();
            Some(Arc::new(Entry::new(metric, L::NAMES, texts)))
        } else {
            None
        };
        Ok(Self {
            overflow,
            overflowed: AtomicBool::new(false),
            descriptor,
            dense: dense.into(),
            dense_labels: bodies.into(),
            shared,
            limit,
            id: NEXT_FAMILY.fetch_add(1, Relaxed),
            generation: AtomicU64::new(0),
            table: RwLock::new(Table {
                index: HashTable::new(),
                sorted: None,
            }),
            making: Mutex::new(()),
            hasher: FixedState::with_seed(0x6d6f_6465_6c6f_7073),
        })
    }

    fn read(&self) -> RwLockReadGuard<'_, Table<M>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.dense.len() + self.read().index.len()
    }

    fn hash<L: LabelSet>(&self, labels: &L) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        labels.texts(|text| hash_text(&mut hasher, text));
        hasher.finish()
    }

    fn hash_texts<'a>(&self, texts: impl Iterator<Item = &'a str>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        texts.for_each(|text| hash_text(&mut hasher, text));
        hasher.finish()
    }

    /// The series of `labels`, from the thread's memory where it is there.
    #[inline]
    pub(crate) fn cached<L: LabelSet>(&self, labels: &L) -> Rc<Kept<M>> {
        let hash = self.hash(labels);
        // Before the look-up: a series taken away in between is then looked up again next time.
        let generation = self.generation.load(Relaxed);
        let place = (hash ^ self.id.wrapping_mul(0x9e37_79b9)) as usize % (REMEMBERED / PLACES) * PLACES;
        let found = M::memory().try_with(|memory| {
            let memory = memory.borrow();
            let places = memory.remembered.get(place..place + PLACES)?;
            let found = places.iter().flatten().find(|kept| {
                kept.hash == hash
                    && kept.family == self.id
                    && kept.generation == generation
                    && kept.entry.0.has(labels)
            });
            found.map(|kept| Rc::clone(&kept.entry))
        });
        match found {
            Ok(Some(entry)) => entry,
            _ => self.look_up(labels, hash, generation, place),
        }
    }

    #[cold]
    #[inline(never)]
    fn look_up<L: LabelSet>(&self, labels: &L, hash: u64, generation: u64, place: usize) -> Rc<Kept<M>> {
        let (known, full) = {
            let table = self.read();
            let known = table.index.find(hash, |entry| entry.has(labels)).cloned();
            (known, table.index.len() >= self.limit)
        };
        let entry = match known {
            Some(entry) => Some(entry),
            None if full => None,
            None => self.make(labels, hash),
        };
        let Some(entry) = entry else {
            self.overflowed.store(true, Relaxed);
            let overflow = self
                .overflow
                .as_ref()
                .expect("a family without an array has an overflow series");
            return Rc::new(Kept(Arc::clone(overflow)));
        };
        let entry = Rc::new(Kept(entry));
        let kept = Remembered {
            hash,
            family: self.id,
            generation,
            entry: Rc::clone(&entry),
        };
        // What is replaced is dropped after the borrow ends: dropping it may give back storage.
        let _replaced = M::memory().try_with(|memory| {
            let mut memory = memory.borrow_mut();
            if memory.remembered.is_empty() {
                memory.remembered.resize_with(REMEMBERED, || None);
            }
            let stale = |known: &Option<Remembered<M>>| {
                known
                    .as_ref()
                    .is_none_or(|known| known.family == self.id && known.generation != generation)
            };
            let places = &mut memory.remembered[place..place + PLACES];
            // Where all are in use the hash picks one: no order to keep up on a hit.
            let at = places
                .iter()
                .position(stale)
                .unwrap_or((hash >> 32) as usize % PLACES);
            places[at].replace(kept)
        });
        entry
    }

    /// Makes the series of `labels`; `None` where the limit is met or storage is exhausted.
    ///
    /// Storage has a lock of its own, which is never asked for while the table's is held.
    fn make<L: LabelSet>(&self, labels: &L, hash: u64) -> Option<Arc<Entry<M>>> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let table = self.read();
            if let Some(entry) = table.index.find(hash, |entry| entry.has(labels)) {
                return Some(Arc::clone(entry));
            }
            if table.index.len() >= self.limit {
                return None;
            }
        }
        let metric = M::create(&self.shared)?;
        let mut texts = Vec::with_capacity(L::NAMES.len());
        labels.texts(|text| texts.push(text.into()));
        let entry = Arc::new(Entry::new(metric, L::NAMES, texts));
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.sorted = None;
        let rehash = |entry: &Arc<Entry<M>>| self.hash_texts(entry.texts.iter().map(|text| &**text));
        table.index.insert_unique(hash, Arc::clone(&entry), rehash);
        Some(entry)
    }

    /// The labels of the dense series at `index`.
    pub(crate) fn dense_labels(&self, index: usize) -> Labels<'_> {
        let (body, texts) = &self.dense_labels[index];
        Labels {
            body,
            pairs: Pairs::Fixed(self.descriptor.labels, texts),
        }
    }

    pub(crate) fn sorted(&self) -> Arc<Sorted<M>> {
        if let Some(sorted) = &self.read().sorted {
            return Arc::clone(sorted);
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let mut entries: Vec<_> = table.index.iter().cloned().collect();
        entries.sort_unstable_by(|a, b| a.texts.cmp(&b.texts));
        let (mut starts, mut ends, mut slots) = (Vec::new(), Vec::new(), Vec::new());
        if self.descriptor.kind == sample::Kind::Counter {
            for entry in &entries {
                for part in [&*self.descriptor.name, "_total{", &*entry.body, "} "] {
                    starts.extend_from_slice(part.as_bytes());
                }
                ends.push(starts.len());
                slots.extend(entry.metric.slot());
            }
        }
        let sorted = Arc::new(Sorted {
            entries: entries.into(),
            starts,
            ends,
            slots,
        });
        table.sorted = Some(Arc::clone(&sorted));
        sorted
    }

    pub(crate) fn evict(&self, now: Duration, idle: Duration) -> usize {
        // Nobody makes a series meanwhile; what is dropped is dropped after the locks.
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let sorted = self.sorted();
        let idle: Vec<_> = {
            let reader = Reader::new();
            let idle = |entry: &&Arc<Entry<M>>| entry.rests(entry.metric.trace(&reader), now, idle);
            sorted.entries.iter().filter(idle).collect()
        };
        if idle.is_empty() {
            return 0;
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table
            .index
            .retain(|entry| !idle.iter().any(|gone| Arc::ptr_eq(gone, entry)));
        table.sorted = None;
        self.generation.fetch_add(1, Relaxed);
        drop(table);
        idle.len()
    }

    pub(crate) fn cardinality(&self) -> Cardinality {
        let sorted = self.sorted();
        let mut labels: Vec<_> = self
            .descriptor
            .labels
            .iter()
            .enumerate()
            .map(|(i, name)| {
                let mut texts: Vec<_> = sorted.entries.iter().map(|entry| &entry.texts[i]).collect();
                texts.sort_unstable();
                texts.dedup();
                (*name, texts.len())
            })
            .collect();
        labels.sort_by_key(|(_, distinct)| std::cmp::Reverse(*distinct));
        Cardinality {
            overflowed: self.overflowed.load(Relaxed),
            labels,
        }
    }
}
