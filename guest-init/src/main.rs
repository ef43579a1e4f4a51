//! PID 1 of an A3S Box guest.
//!
//! Without Rust's own start-up code: that aborts when no console is open yet.
#![no_main]

use std::ffi::{c_char, c_int};

/// Entered from the C library's start-up code.
// SAFETY: `main` is the one symbol of this name, with the signature that the C library calls.
#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
    guest_init::run_as_pid1()
}
