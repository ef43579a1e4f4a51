//! The virtiofs share: what the host shows of its files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::mount::MountFlags;

use crate::error::{AgentError, Result};
use crate::sync::lock;

/// The share's tag.
const TAG: &str = "share";
const MOUNT_POINT: &str = "/run/a3s-box/share";

/// The share, mounted from its first use to the end of the machine.
#[derive(Debug, Default)]
pub struct Share {
    mounted: Mutex<bool>,
}

impl Share {
    /// Mounts it, if that was not done, and returns where.
    pub fn acquire(&self) -> Result<PathBuf> {
        let mut mounted = lock(&self.mounted);
        if !*mounted {
            let failed = |error| AgentError::system("mount the share", error);
            fs::create_dir_all(MOUNT_POINT).map_err(failed)?;
            rustix::mount::mount(TAG, MOUNT_POINT, "virtiofs", MountFlags::NODEV, c"")
                .map_err(|error| failed(error.into()))?;
            *mounted = true;
        }
        Ok(PathBuf::from(MOUNT_POINT))
    }

    /// Where it is mounted, for the end of the machine.
    pub fn target(&self) -> Option<PathBuf> {
        lock(&self.mounted).then(|| Path::new(MOUNT_POINT).to_owned())
    }
}
