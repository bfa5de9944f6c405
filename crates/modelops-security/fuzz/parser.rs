//! One parser under libFuzzer; the name of the binary says which.
#![no_main]

#[path = "../tests/it/targets.rs"]
mod targets;

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use targets::Target;

thread_local! {
    static TARGET: RefCell<Target> = RefCell::new(
        targets::all()
            .into_iter()
            .find(|target| target.name == env!("CARGO_BIN_NAME"))
            .expect("every binary has the name of a target"),
    );
}

fuzz_target!(|bytes: &[u8]| TARGET.with_borrow_mut(|target| target.attack(bytes)));
