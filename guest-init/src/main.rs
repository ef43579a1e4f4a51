//! PID 1 of an A3S Box guest.
//!
//! Without Rust's own start-up code: that aborts when no console is open yet.
#![no_main]

use std::ffi::{c_char, c_int};

/// Entered from the C library's start-up code.
// SAFETY: `main` is the one symbol of this name, with the signature that the C library calls.
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    // SAFETY: the C library passes the process's own arguments, which stay.
    unsafe { guest_init::run(count, arguments) }
}
