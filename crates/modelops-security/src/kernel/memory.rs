//! Two hints for tables that are far larger than the caches. They change when things are done, never what.
#![expect(
    unsafe_code,
    reason = "docs/decisions/0306: neither a prefetch nor advice on memory has a safe form"
)]

use std::mem::MaybeUninit;

/// The size of a large page.
#[cfg(target_os = "linux")]
const LARGE_PAGE: usize = 2 << 20;

/// Starts to bring the line where `value` begins into the cache, and waits for nothing. Where the processor has no such hint for us, it
/// does nothing.
pub(crate) fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the address comes from a reference, so it is valid; and a prefetch neither reads nor writes in the sense of the
        // memory model, nor faults, whatever the address. SSE, which it needs, is part of x86_64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

/// Asks for large pages behind `room`, so that a read at random seldom waits for the page tables too. Call it before the memory is first
/// written. A system that has none to give goes on with small ones.
pub(crate) fn ask_for_large_pages<T>(room: &mut [MaybeUninit<T>]) {
    #[cfg(target_os = "linux")]
    {
        use rustix::mm::{Advice, madvise};
        let (start, len) = (room.as_mut_ptr(), size_of_val(room));
        let skip = (start as usize).next_multiple_of(LARGE_PAGE) - start as usize;
        let whole = len.saturating_sub(skip) / LARGE_PAGE * LARGE_PAGE;
        if whole > 0 {
            // SAFETY: `skip + whole ≤ len`, so the range lies within the borrowed memory, which is ours alone; this advice changes neither
            // its content nor its protection. A refusal is no loss.
            let _ = unsafe { madvise(start.cast::<u8>().add(skip).cast(), whole, Advice::LinuxHugepage) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = room;
}

#[cfg(test)]
mod tests {
    use super::{ask_for_large_pages, prefetch};

    #[test]
    fn the_values_are_as_before() {
        for len in [0, 100, 1 << 20] {
            let mut lines: Vec<[u64; 8]> = Vec::with_capacity(len);
            ask_for_large_pages(lines.spare_capacity_mut());
            lines.resize(len, [7; 8]);
            lines.iter().step_by(97).for_each(prefetch);
            assert!(lines.iter().all(|line| *line == [7; 8]));
        }
    }
}
