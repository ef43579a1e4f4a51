//! PID 1 and agent of an A3S Box guest: it boots the user land, runs OCI runtime-spec containers with a spawn path of its
//! own, and serves the agent protocol (`proto/README.md`) to the host.
//!
//! The modules can be used and tested without being PID 1; only [`run_as_pid1`] takes over the machine.
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod boot;
pub mod cgroup;
pub mod clock;
pub mod container;
pub mod error;
pub mod events;
pub mod files;
pub mod guest;
pub mod network;
pub mod oci;
pub mod oom;
pub mod pid1;
pub mod process;
pub mod processes;
pub mod proto;
pub mod service;
pub mod share;
pub mod slots;
pub mod stats;
pub mod sync;
pub mod sys;
pub mod transport;

pub use pid1::run_as_pid1;

use std::ffi::{CStr, c_char, c_int};

/// Does what this process was started for: the init of a container where its name says so, else PID 1 of the guest.
///
/// # Safety
/// `arguments` are `count` C strings that stay for good.
pub unsafe fn run(count: c_int, arguments: *const *const c_char) -> ! {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: as this function's own condition.
    let arguments = (0..count).map(|index| unsafe { CStr::from_ptr(*arguments.add(index)) }).collect::<Vec<_>>();
    match arguments.split_first() {
        Some((name, rest)) if *name == process::container_init::NAME => process::container_init::run(rest),
        _ => run_as_pid1(),
    }
}
