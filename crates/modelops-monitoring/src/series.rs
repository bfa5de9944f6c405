//! Where a family keeps its series: an array for enum labels, a bounded table for text.

use std::cell::RefCell;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread::LocalKey;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::counter::Counter;
use crate::error::RegisterError;
use crate::gauge::Gauge;
use crate::histogram::{Histogram, Shape};
use crate::kernel::slab::Reader;
use crate::labels::LabelSet;
use crate::sample::{Descriptor, Sample};

/// The text that every label of the overflow series carries.
pub(crate) const OVERFLOW: &str = "__overflow__";

/// Series that a thread remembers for each kind of metric.
const REMEMBERED: usize = 256;

/// What a [`Family`](crate::Family) can consist of: [`Counter`], [`Gauge`] or [`Histogram`]; closed to other types.
pub trait Metric: kind::Kind {}
impl Metric for Counter {}
impl Metric for Gauge {}
impl Metric for Histogram {}

pub(crate) mod kind {
    use super::{Arc, Counter, Gauge, Histogram, LocalKey, Memory, Reader, RefCell, Sample, Shape, fmt};

    /// The workings of a metric; the module is private, so no other crate can name it.
    pub trait Kind: Clone + Send + Sync + fmt::Debug + Sized + 'static {
        /// What all series of a family share.
        type Shared: Send + Sync;
        /// A new series; `None` where storage is exhausted.
        fn create(shared: &Self::Shared) -> Option<Self>;
        /// The calling thread's recently used series.
        fn memory() -> &'static LocalKey<RefCell<Memory<Self>>>;
        /// The present value; `None` where the series has nothing to say yet.
        fn sample(&self, reader: &Reader, dense: bool) -> Option<Sample<'_>>;
    }

    impl Kind for Counter {
        type Shared = ();

        fn create((): &()) -> Option<Self> {
            Self::create()
        }

        fn memory() -> &'static LocalKey<RefCell<Memory<Self>>> {
            thread_local!(static MEMORY: RefCell<Memory<Counter>> = const { RefCell::new(Memory::new()) });
            &MEMORY
        }

        fn sample(&self, reader: &Reader, _: bool) -> Option<Sample<'_>> {
            Some(Sample::Counter(self.read(reader)))
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
    texts: Box<[Box<str>]>,
    body: Box<str>,
    pinned: AtomicBool,
}

impl<M> Entry<M> {
    fn new(metric: M, names: &[&str], texts: Vec<Box<str>>) -> Self {
        Self {
            metric,
            body: label_body(names, texts.iter().map(|text| &**text)),
            texts: texts.into(),
            pinned: AtomicBool::new(false),
        }
    }

    /// Keeps the series from being dropped for idleness.
    pub(crate) fn pin(&self) {
        self.pinned.store(true, Relaxed);
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
    sorted: Option<Arc<[Arc<Entry<M>>]>>,
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

/// A family without the type of its labels.
pub(crate) struct Core<M: Metric> {
    pub(crate) descriptor: Descriptor,
    pub(crate) dense: Box<[M]>,
    dense_bodies: Box<[Box<str>]>,
    shared: M::Shared,
    limit: usize,
    /// Tells families apart in the threads' memories.
    id: u64,
    /// Raised whenever a series is taken away, so that no thread goes on using it.
    generation: AtomicU64,
    table: RwLock<Table<M>>,
    /// Takes what does not fit into the table; there from the start, so that it never fails.
    overflow: Option<Arc<Entry<M>>>,
    overflowed: AtomicBool,
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
        let mut dense = Vec::with_capacity(count);
        let mut bodies = Vec::with_capacity(count);
        for index in 0..count {
            dense.push(M::create(&shared).ok_or(RegisterError::Storage)?);
            let mut texts = Vec::new();
            L::texts_at(index, &mut |text| texts.push(text));
            bodies.push(label_body(L::NAMES, texts.into_iter()));
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
            dense_bodies: bodies.into(),
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
        let place = (hash ^ self.id.wrapping_mul(0x9e37_79b9)) as usize % REMEMBERED;
        let found = M::memory().try_with(|memory| {
            let memory = memory.borrow();
            match memory.remembered.get(place) {
                Some(Some(kept))
                    if kept.hash == hash
                        && kept.family == self.id
                        && kept.generation == generation
                        && kept.entry.0.has(labels) =>
                {
                    Some(Rc::clone(&kept.entry))
                }
                _ => None,
            }
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
            memory.remembered[place].replace(kept)
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

    fn sorted(&self) -> Arc<[Arc<Entry<M>>]> {
        if let Some(sorted) = &self.read().sorted {
            return Arc::clone(sorted);
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<_> = table.index.iter().cloned().collect();
        sorted.sort_unstable_by(|a, b| a.texts.cmp(&b.texts));
        let sorted: Arc<[_]> = sorted.into();
        table.sorted = Some(Arc::clone(&sorted));
        sorted
    }

    pub(crate) fn cardinality(&self) -> Cardinality {
        let sorted = self.sorted();
        let mut labels: Vec<_> = self
            .descriptor
            .labels
            .iter()
            .enumerate()
            .map(|(i, name)| {
                let mut texts: Vec<_> = sorted.iter().map(|entry| &entry.texts[i]).collect();
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

/// A family of any kind, as the registry sees it.
pub(crate) trait Collect: Send + Sync {
    fn descriptor(&self) -> &Descriptor;

    /// The series at this moment, to be read later: reading takes no lock but storage's.
    fn prepare(&self) -> Box<dyn Prepared + '_>;
}

/// The series of a family at one moment.
pub(crate) trait Prepared {
    fn descriptor(&self) -> &Descriptor;

    /// Calls `each` with the label body and the value of every series, in a fixed order.
    fn visit(&self, reader: &Reader, each: &mut dyn FnMut(&str, Sample<'_>));
}

struct Listed<'a, M: Metric> {
    core: &'a Core<M>,
    sorted: Arc<[Arc<Entry<M>>]>,
}

impl<M: Metric> Collect for Core<M> {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn prepare(&self) -> Box<dyn Prepared + '_> {
        Box::new(Listed {
            core: self,
            sorted: self.sorted(),
        })
    }
}

impl<M: Metric> Prepared for Listed<'_, M> {
    fn descriptor(&self) -> &Descriptor {
        &self.core.descriptor
    }

    fn visit(&self, reader: &Reader, each: &mut dyn FnMut(&str, Sample<'_>)) {
        let labelled = !self.core.descriptor.labels.is_empty();
        for (metric, body) in self.core.dense.iter().zip(&self.core.dense_bodies) {
            if let Some(sample) = metric.sample(reader, labelled) {
                each(body, sample);
            }
        }
        let overflow = self
            .core
            .overflow
            .as_ref()
            .filter(|_| self.core.overflowed.load(Relaxed));
        for entry in self.sorted.iter().chain(overflow) {
            if let Some(sample) = entry.metric.sample(reader, false) {
                each(&entry.body, sample);
            }
        }
    }
}
