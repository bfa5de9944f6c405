//! A hint to the cache. It changes when numbers arrive, never which.
#![expect(unsafe_code, reason = "docs/decisions/0408: a prefetch has no safe form")]

/// How many numbers share a line of the cache.
pub(crate) const LINE: usize = 8;

/// Starts to bring the line of `values[at]` into the nearest cache, and waits for nothing; `at` may lie beyond the end. Where the processor
/// has no such hint for us, it does nothing.
#[inline(always)]
pub(crate) fn prefetch(values: &[f64], at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let line = values.as_ptr().wrapping_add(at);
        // SAFETY: a prefetch neither reads nor writes in the sense of the memory model, nor faults, whatever the address. SSE, which it
        // needs, is part of x86_64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (values, at);
}

#[cfg(test)]
mod tests {
    use super::prefetch;

    #[test]
    fn the_values_are_as_before_and_no_address_faults() {
        for len in [0, 1, 1_000] {
            let values = vec![7.0; len];
            for at in [0, 1, len, len + 100_000, usize::MAX / 8, usize::MAX] {
                prefetch(&values, at);
            }
            assert!(values.iter().all(|v| *v == 7.0));
        }
    }
}
