//! Files of containers: what the host copies in and out, and what of a root file system is not the image's.

pub mod changes;
pub mod entry;
pub mod hold;
pub mod items;
pub mod path;
pub mod read;
pub mod root;
pub mod write;

pub use root::Files;
