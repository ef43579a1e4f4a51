//! Containers: from a config.json to a running workload and back to nothing.

pub mod beneath;
mod build;
mod builder;
mod copy;
pub mod devices;
pub mod late;
mod lifecycle;
pub mod settings;
mod starting;
mod volumes;

pub use builder::Builder;
pub use lifecycle::{Container, Services, fingerprint};
