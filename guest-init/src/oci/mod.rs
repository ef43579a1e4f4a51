//! The OCI runtime-spec documents that the guest takes, and what becomes of them.
//!
//! The types declare exactly what is implemented. Whatever else a document holds is refused by its JSON path, so nothing
//! can be accepted and then ignored; that is why the types are not those of a general crate, which accept all of the
//! specification.

pub mod capabilities;
pub mod devices;
pub mod mounts;
pub mod parse;
pub mod resources;
pub mod rlimits;
pub mod seccomp;
pub mod spec;
pub mod syscall_names;
pub mod user;
