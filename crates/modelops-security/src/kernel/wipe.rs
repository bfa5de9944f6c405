//! Wiping of values that do not wipe themselves: the expanded AES keys of ring.
#![expect(
    unsafe_code,
    reason = "docs/decisions/0304: overwriting an opaque value's bytes needs a raw pointer"
)]

use std::mem::{ManuallyDrop, size_of};
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{Ordering, compiler_fence};

/// Overwrites plain bytes in one sweep that the compiler may not leave out.
pub(crate) fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    std::hint::black_box(&bytes);
    compiler_fence(Ordering::SeqCst);
}

/// A heap cell whose bytes are overwritten with zeros when it is dropped.
///
/// Only for values without heap memory of their own: their destructor does not run.
pub(crate) struct Wiped<T: Flat>(Box<ManuallyDrop<T>>);

/// Marks types that own no heap memory and have no destructor worth running.
pub(crate) trait Flat {}

impl Flat for ring::aead::LessSafeKey {}
impl Flat for ring::signature::Ed25519KeyPair {}
impl Flat for ring::signature::EcdsaKeyPair {}

impl<T: Flat> Wiped<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Box::new(ManuallyDrop::new(value)))
    }
}

impl<T: Flat> Deref for Wiped<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Flat> Drop for Wiped<T> {
    fn drop(&mut self) {
        let bytes = ptr::from_mut::<ManuallyDrop<T>>(&mut self.0).cast::<u8>();
        for i in 0..size_of::<T>() {
            // SAFETY: `bytes` points at the `size_of::<T>()` bytes of the box, which is borrowed mutably and alive;
            // the value is a `ManuallyDrop` that nobody reads again, so its bytes may hold anything.
            unsafe { ptr::write_volatile(bytes.add(i), 0) };
        }
        compiler_fence(Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::{Flat, Wiped};

    struct Plain([u8; 48]);
    impl Flat for Plain {}

    #[test]
    fn a_wiped_value_reads_as_given_until_dropped() {
        let cell = Wiped::new(Plain([7; 48]));
        assert_eq!(
            {
                let plain: &Plain = &cell;
                plain.0.iter().map(|b| u32::from(*b)).sum::<u32>()
            },
            7 * 48
        );
    }
}
