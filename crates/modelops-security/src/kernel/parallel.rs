//! Batches over threads, with the error of the lowest batch.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Runs `work(batch, scratch)` for every batch below `batches` on up to `threads` threads.
///
/// The error is that of the lowest failing batch, whatever the number of threads: batches are handed out in order,
/// so every batch below a failing one has been started and is waited for.
pub(crate) fn for_each_batch<S, E: Send>(
    batches: u64,
    threads: Option<NonZeroUsize>,
    scratch: impl Fn() -> S + Sync,
    work: impl Fn(u64, &mut S) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let threads = threads
        .or_else(|| thread::available_parallelism().ok())
        .map_or(1, NonZeroUsize::get) as u64;
    let next = AtomicU64::new(0);
    let end = AtomicU64::new(batches);
    let failure: Mutex<Option<(u64, E)>> = Mutex::new(None);
    let run = || {
        let mut scratch = scratch();
        loop {
            let batch = next.fetch_add(1, Ordering::Relaxed);
            if batch >= end.load(Ordering::Relaxed) {
                return;
            }
            if let Err(error) = work(batch, &mut scratch) {
                end.fetch_min(batch, Ordering::Relaxed);
                let mut first = failure.lock().unwrap_or_else(PoisonError::into_inner);
                if first.as_ref().is_none_or(|(at, _)| batch < *at) {
                    *first = Some((batch, error));
                }
                return;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(batches) {
            scope.spawn(run);
        }
        run();
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}
