//! Where the files of a container are.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use crate::error::{AgentError, Result};

/// The file system of a container, from all sides that are needed.
#[derive(Debug)]
pub struct Files {
    /// Its root with everything that is mounted in it.
    pub live: OwnedFd,
    /// Its root alone, read-only.
    pub plain: OwnedFd,
    /// Where the image is mounted.
    pub image: PathBuf,
    /// Its folder on the scratch disk, with `upper` in it.
    pub scratch: PathBuf,
    /// Whether no workload uses it: the machine is there for the files alone, and may be gone at any moment.
    pub at_rest: bool,
}

impl Files {
    /// What the container has changed of its image.
    pub fn upper(&self) -> Result<OwnedFd> {
        directory(&self.scratch.join("upper"))
    }

    /// The image's own root.
    pub fn lower(&self) -> Result<OwnedFd> {
        directory(&self.image)
    }
}

fn directory(path: &std::path::Path) -> Result<OwnedFd> {
    rustix::fs::open(path, super::path::DIRECTORY, rustix::fs::Mode::empty())
        .map_err(|error| AgentError::system(format_args!("open {}", path.display()), error))
}
