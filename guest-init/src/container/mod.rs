//! Containers: from a config.json to a running workload and back to nothing.

pub mod at_rest;
pub mod beneath;
pub(crate) mod build;
mod builder;
mod copy;
pub mod devices;
pub mod late;
mod lifecycle;
pub mod settings;
mod starting;
mod volumes;

pub use builder::Builder;
pub(crate) use lifecycle::check_segment;
pub use lifecycle::{Container, Services, fingerprint};
