//! Cells that every thread writes in a copy of its own.
//!
//! A *slot* names one 64-bit cell. Each thread owns a slab: a lazily paged array of cells which that thread alone
//! writes, with a plain load and a plain store. A reader adds the slabs up under the store's mutex. A thread that ends
//! folds its slab into the base slab under the same mutex, so a sum never goes backwards and nothing is lost.
//!
//! Why this is exact:
//! - One writer a cell: `store(load + n)` loses no update. The cold writers (fold, free, carry) hold the mutex and
//!   touch a foreign slab only when its thread has ended, or when no handle to the slot is left anywhere.
//! - Reads of one cell by successive mutex holders are ordered, and atomics are coherent: the later read is no older.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Cells in a page: 4 KiB, so that a thread pays only for the neighbourhood it touches.
const PAGE: usize = 512;
/// Pages in a directory.
const DIRECTORY: usize = 128;
/// Directories in a slab: 16,777,216 slots in all.
const ROOT: usize = 256;
const SLOTS: u32 = (PAGE * DIRECTORY * ROOT) as u32;
/// Slots whose pages hang on the slab itself, one look-up nearer: those given out first.
const NEAR: usize = PAGE * DIRECTORY;

type Page = [AtomicU64; PAGE];
type Directory = [OnceLock<Box<Page>>; DIRECTORY];

struct Slab {
    near: Directory,
    root: [OnceLock<Box<Directory>>; ROOT],
}

impl Slab {
    const fn new() -> Self {
        Self {
            near: [const { OnceLock::new() }; DIRECTORY],
            root: [const { OnceLock::new() }; ROOT],
        }
    }

    #[inline]
    fn cell(&self, slot: u32) -> &AtomicU64 {
        let slot = slot as usize;
        let directory = if slot < NEAR {
            &self.near
        } else {
            self.far_directory(slot)
        };
        let page = match directory[(slot / PAGE) % DIRECTORY].get() {
            Some(page) => page,
            None => make_page(directory, slot),
        };
        &page[slot % PAGE]
    }

    fn far_directory(&self, slot: usize) -> &Directory {
        self.root[(slot / NEAR) % ROOT].get_or_init(|| Box::new([const { OnceLock::new() }; DIRECTORY]))
    }

    /// The page that holds `slot`, where a thread has touched it.
    fn page(&self, slot: usize) -> Option<&Page> {
        let directory = if slot < NEAR {
            &self.near
        } else {
            self.root[slot / NEAR].get()?
        };
        directory[(slot / PAGE) % DIRECTORY].get().map(|page| &**page)
    }

    /// Calls `each` with the first slot of every touched page.
    fn pages(&self, mut each: impl FnMut(u32, &Page)) {
        let far = self
            .root
            .iter()
            .map(|directory| directory.get().map(|far| &**far));
        let near = std::iter::once(Some(&self.near));
        // The first place of the root is never used: those slots are near.
        for (i, directory) in near.chain(far.skip(1)).enumerate() {
            for (j, page) in directory.into_iter().flatten().enumerate() {
                if let Some(page) = page.get() {
                    each(((i * DIRECTORY + j) * PAGE) as u32, page);
                }
            }
        }
    }
}

#[cold]
#[inline(never)]
fn make_page(directory: &Directory, slot: usize) -> &Page {
    directory[(slot / PAGE) % DIRECTORY].get_or_init(|| Box::new([const { AtomicU64::new(0) }; PAGE]))
}

/// Adds to a cell that the calling thread alone writes (or that the mutex guards).
#[inline]
fn bump(cell: &AtomicU64, n: u64) -> u64 {
    let sum = cell.load(Relaxed).wrapping_add(n);
    cell.store(sum, Relaxed);
    sum
}

struct Store {
    /// Slabs of the threads that live now.
    live: Vec<&'static Slab>,
    /// Slabs of threads that ended, all zero, for the threads to come: as many as ever lived at once.
    idle: Vec<&'static Slab>,
    /// Ranges given back, by length.
    free: BTreeMap<u32, Vec<u32>>,
    /// The first slot never given out.
    next: u32,
}

/// What threads that ended have counted.
static BASE: Slab = Slab::new();
static STORE: Mutex<Store> = Mutex::new(Store {
    live: Vec::new(),
    idle: Vec::new(),
    free: BTreeMap::new(),
    next: 0,
});

/// Every critical section leaves the store whole at each step, so a poisoned mutex still guards a sound store.
fn lock() -> MutexGuard<'static, Store> {
    STORE.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// No destructor, so that reading it costs one load.
    static LOCAL: Cell<Option<&'static Slab>> = const { Cell::new(None) };
    /// The pages of near slots that this thread has touched, so that a slot is one load away from its page.
    static PAGES: [Cell<Option<&'static Page>>; DIRECTORY] = const { [const { Cell::new(None) }; DIRECTORY] };
    /// Folds the slab when the thread ends.
    static AT_EXIT: Fold = const { Fold };
}

struct Fold;

impl Drop for Fold {
    fn drop(&mut self) {
        let Some(slab) = LOCAL.take() else { return };
        PAGES.with(|pages| pages.iter().for_each(|page| page.set(None)));
        let mut store = lock();
        slab.pages(|first, page| {
            for (i, cell) in page.iter().enumerate() {
                let n = cell.load(Relaxed);
                if n != 0 {
                    bump(BASE.cell(first + i as u32), n);
                    cell.store(0, Relaxed);
                }
            }
        });
        store.live.retain(|live| !std::ptr::eq(*live, slab));
        store.idle.push(slab);
    }
}

/// Gives the calling thread a slab; `None` where the thread is already past its destructors.
#[cold]
#[inline(never)]
fn join() -> Option<&'static Slab> {
    AT_EXIT.try_with(|_| ()).ok()?;
    let mut store = lock();
    let slab = store
        .idle
        .pop()
        .unwrap_or_else(|| Box::leak(Box::new(Slab::new())));
    store.live.push(slab);
    LOCAL.set(Some(slab));
    Some(slab)
}

/// The calling thread's cells, looked up once for several writes.
#[derive(Clone, Copy)]
pub(crate) struct Writer {
    slab: &'static Slab,
}

impl Writer {
    /// Adds `n` to `slot` and gives the sum.
    #[inline]
    pub(crate) fn add(self, slot: u32, n: u64) -> u64 {
        bump(self.slab.cell(slot), n)
    }
}

/// The page of a near slot that the calling thread has touched.
#[inline]
fn touched(slot: u32) -> Option<&'static Page> {
    PAGES.with(|pages| pages.get(slot as usize / PAGE).and_then(Cell::get))
}

/// The calling thread's writer; `None` in the thread's last destructors, when [`add_to_base`] serves.
#[inline]
pub(crate) fn writer() -> Option<Writer> {
    match LOCAL.get() {
        Some(slab) => Some(Writer { slab }),
        None => join().map(|slab| Writer { slab }),
    }
}

/// Adds `n` to `slot` for the calling thread.
#[inline]
pub(crate) fn add(slot: u32, n: u64) {
    match touched(slot) {
        Some(page) => {
            bump(&page[slot as usize % PAGE], n);
        }
        None => add_to_new_page(slot, n),
    }
}

/// As [`add`], for a slot that is far, or on a page that this thread has not touched.
#[inline(never)]
fn add_to_new_page(slot: u32, n: u64) {
    let Some(writer) = writer() else {
        return add_to_base(slot, n);
    };
    writer.add(slot, n);
    let page = writer.slab.page(slot as usize);
    PAGES.with(|pages| {
        if let Some(place) = pages.get(slot as usize / PAGE) {
            place.set(page);
        }
    });
}

/// Adds `n` to `slot` for a thread that has no slab any more.
#[cold]
#[inline(never)]
pub(crate) fn add_to_base(slot: u32, n: u64) {
    let _store = lock();
    bump(BASE.cell(slot), n);
}

/// Moves all but the last `bits` bits of the calling thread's `low` cell into its `high` cell, unseen by any reader.
#[cold]
#[inline(never)]
pub(crate) fn carry(writer: Writer, high: u32, low: u32, bits: u32) {
    let _store = lock();
    let cell = writer.slab.cell(low);
    let value = cell.load(Relaxed);
    cell.store(value & ((1 << bits) - 1), Relaxed);
    bump(writer.slab.cell(high), value >> bits);
}

/// A range of slots; given back, zeroed, when the last handle to it is gone.
#[derive(Debug)]
pub(crate) struct Slots {
    first: u32,
    len: u32,
}

impl Slots {
    /// Reserves `len` slots that read zero; `None` where all 16,777,216 are taken.
    pub(crate) fn reserve(len: u32) -> Option<Self> {
        let mut store = lock();
        if let Some(first) = store.free.get_mut(&len).and_then(Vec::pop) {
            return Some(Self { first, len });
        }
        let first = store.next;
        store.next = first.checked_add(len).filter(|end| *end <= SLOTS)?;
        Some(Self { first, len })
    }

    #[inline]
    pub(crate) fn first(&self) -> u32 {
        self.first
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        let mut store = lock();
        for slab in store.live.iter().copied().chain([&BASE]) {
            let mut slot = self.first as usize;
            let end = slot + self.len as usize;
            while slot < end {
                let stop = ((slot / PAGE + 1) * PAGE).min(end);
                if let Some(page) = slab.page(slot) {
                    for cell in &page[slot % PAGE..][..stop - slot] {
                        cell.store(0, Relaxed);
                    }
                }
                slot = stop;
            }
        }
        store.free.entry(self.len).or_default().push(self.first);
    }
}

/// A consistent view of all slabs: while it lives no thread joins, ends or carries.
pub struct Reader {
    store: MutexGuard<'static, Store>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self { store: lock() }
    }

    /// The sum of one cell over all threads, those that ended included.
    pub(crate) fn sum(&self, slot: u32) -> u64 {
        let mut sums = [0];
        self.sum_range(slot, &mut sums);
        sums[0]
    }

    /// The sums of the cells from `first` on, added to `sums`.
    pub(crate) fn sum_range(&self, first: u32, sums: &mut [u64]) {
        let first = first as usize;
        for slab in self.store.live.iter().copied().chain([&BASE]) {
            let mut done = 0;
            while done < sums.len() {
                let slot = first + done;
                let len = (PAGE - slot % PAGE).min(sums.len() - done);
                if let Some(page) = slab.page(slot) {
                    let cells = &page[slot % PAGE..][..len];
                    for (sum, cell) in sums[done..][..len].iter_mut().zip(cells) {
                        *sum = sum.wrapping_add(cell.load(Relaxed));
                    }
                }
                done += len;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_is_bounded_and_a_refusal_takes_nothing() {
        let before = Slots::reserve(7).unwrap();
        assert!(Slots::reserve(SLOTS).is_none());
        assert!(Slots::reserve(u32::MAX).is_none());
        let first = before.first();
        drop(before);
        assert_eq!(Slots::reserve(7).unwrap().first(), first);
    }

    #[test]
    fn a_range_across_pages_and_directories_adds_up() {
        let slots = Slots::reserve((PAGE * DIRECTORY + 2 * PAGE) as u32).unwrap();
        let sparse = [0, 1, PAGE as u32, (PAGE * DIRECTORY) as u32 + 5];
        for round in 1..=3 {
            std::thread::scope(|scope| {
                scope.spawn(|| sparse.iter().for_each(|i| add(slots.first() + i, 2)));
            });
            sparse.iter().for_each(|i| add(slots.first() + i, 1));
            let mut sums = vec![0; (PAGE * DIRECTORY) + 2 * PAGE];
            Reader::new().sum_range(slots.first(), &mut sums);
            assert_eq!(sums.iter().sum::<u64>(), 12 * round);
            assert!(sparse.iter().all(|i| sums[*i as usize] == 3 * round));
        }
    }

    #[test]
    fn a_carry_moves_the_high_half_and_keeps_the_value() {
        let slots = Slots::reserve(2).unwrap();
        let writer = writer().unwrap();
        writer.add(slots.first() + 1, (5 << 32) + 9);
        carry(writer, slots.first(), slots.first() + 1, 32);
        let reader = Reader::new();
        assert_eq!((reader.sum(slots.first()), reader.sum(slots.first() + 1)), (5, 9));
    }
}
