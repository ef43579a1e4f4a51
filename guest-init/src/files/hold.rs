//! Holding a disk still, so that the host can copy it.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::error::{AgentError, Result};
use crate::sys::ioctl_number;

/// linux/fs.h.
const FIFREEZE: libc::Ioctl = 0xc004_5877_u32 as libc::Ioctl;
const FITHAW: libc::Ioctl = 0xc004_5878_u32 as libc::Ioctl;

/// A file system that nobody can write to, for as long as this lives.
#[derive(Debug)]
pub struct HeldDisk(OwnedFd);

impl HeldDisk {
    /// Writes the file system of `directory` back and holds it. Waits for writes that go on, so it is not for the event loop.
    pub fn hold(directory: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(directory, flags, Mode::empty())
            .map_err(|error| AgentError::system("open the scratch disk", error))?;
        ioctl_number(opened.as_fd(), FIFREEZE, 0).map_err(|error| match error.raw_os_error() {
            Some(libc::EBUSY) => AgentError::conflict("the scratch disk is held already"),
            _ => AgentError::system("hold the scratch disk", error),
        })?;
        Ok(Self(opened))
    }
}

impl Drop for HeldDisk {
    fn drop(&mut self) {
        if let Err(error) = ioctl_number(self.0.as_fd(), FITHAW, 0) {
            eprintln!("guest-init: let the scratch disk go on: {error}");
        }
    }
}
