//! The root of a container that is not to run, mounted for its files.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::mount::UnmountFlags;

use super::lifecycle::Services;
use super::{build, copy, volumes};
use crate::error::{AgentError, Result};
use crate::files::Files;
use crate::oci::mounts;
use crate::oci::spec::Mount;
use crate::proto::{MountRootRequest, RootVolume, Volume};
use crate::slots::SlotUse;

const ROOTS: &str = "/run/a3s-box/roots";

/// A root, and what it was mounted by.
#[derive(Debug)]
pub struct RootAtRest {
    /// What was asked for.
    pub request: MountRootRequest,
    /// Its files.
    pub files: Arc<Files>,
    /// Where it is mounted; only with volumes, for mounts need a place to be mounted on.
    place: Option<PathBuf>,
}

impl RootAtRest {
    /// Mounts it. What fails leaves the slots mounted; the guest is of no use then, and ends.
    pub fn mount(request: MountRootRequest, services: &Services) -> Result<Self> {
        let slots = &services.slots;
        let image = slots.acquire(&request.image_slot, SlotUse::Image)?;
        let scratch = slots.acquire(&request.scratch_slot, SlotUse::Scratch)?.join(&request.scratch_directory);
        let overlay = build::overlay(&image, &scratch)?;
        let (live, plain, place) = if request.volumes.is_empty() {
            let plain = overlay.try_clone().map_err(|error| AgentError::system("keep the root", error))?;
            (overlay, plain, None)
        } else {
            let place = Path::new(ROOTS).join(&request.container_id);
            let (live, plain) = mount_volumes(&overlay, &place, &request.volumes, services)?;
            (live, plain, Some(place))
        };
        Ok(Self { request, files: Arc::new(Files { live, plain, image, scratch, at_rest: true }), place })
    }

    /// Lets go of it, and of the volumes in it.
    pub fn unmount(self) {
        if let Some(place) = self.place
            && let Err(error) = rustix::mount::unmount(&place, UnmountFlags::DETACH)
        {
            eprintln!("guest-init: unmount {}: {error}", place.display());
        }
    }
}

/// Returns the root with its volumes, and a view of it without them.
fn mount_volumes(
    overlay: &OwnedFd,
    place: &Path,
    wanted: &[RootVolume],
    services: &Services,
) -> Result<(OwnedFd, OwnedFd)> {
    let failed = |error: std::io::Error| AgentError::system("mount the root with its volumes", error);
    let open = || Ok(rustix::fs::open(place, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?);
    std::fs::create_dir_all(place).map_err(failed)?;
    open().and_then(|target: OwnedFd| build::attach(overlay, target.as_fd())).map_err(failed)?;
    let root = open().map_err(failed)?;
    let plain = build::plain_root(root.as_fd()).map_err(failed)?;
    let (slots, share) = (&services.slots, &services.share);
    let sources = wanted.iter().map(|one| one.volume.clone().unwrap_or_default()).collect::<Vec<Volume>>();
    for fill in volumes::prepare(&sources, share, |slot, usage| slots.acquire(slot, usage))? {
        copy::fill(root.as_fd(), &fill)
            .map_err(|error| AgentError::system(format_args!("fill the volume for {}", fill.from), error))?;
    }
    let binds = wanted.iter().zip(&sources).map(|(RootVolume { destination, read_only, .. }, source)| {
        let options = ["rbind", "rprivate", "nodev", if *read_only { "ro" } else { "rw" }];
        Ok(Mount {
            destination: destination.clone(),
            r#type: Some("bind".to_owned()),
            source: Some(volumes::place(source, share)?.to_string_lossy().into_owned()),
            options: options.map(str::to_owned).to_vec(),
        })
    });
    for mount in mounts::check("volumes", &binds.collect::<Result<Vec<_>>>()?)? {
        build::apply_mount(root.as_fd(), &mount)
            .map_err(|error| AgentError::system(format_args!("mount a volume on {}", mount.destination), error))?;
    }
    Ok((root, plain))
}
