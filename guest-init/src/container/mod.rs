//! Containers: from a config.json to a running workload and back to nothing.

pub mod beneath;
mod build;
pub mod devices;
pub mod late;
mod lifecycle;
pub mod settings;
mod starting;

pub use lifecycle::{Container, Services, fingerprint};
