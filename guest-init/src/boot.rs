//! From the initramfs to a user land: mounts, console, cgroups, loopback.

use std::ffi::CStr;
use std::fmt;
use std::io;
use std::os::fd::AsRawFd;

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, UnmountFlags};

use crate::cgroup;
use crate::network;
use crate::sys;

/// A step of the boot that failed.
#[derive(Debug)]
pub struct BootError {
    step: String,
    error: io::Error,
}

impl BootError {
    /// Names the step that failed.
    pub fn at(step: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let step = step.into();
        move |error| Self { step, error }
    }
}

impl fmt::Display for BootError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.step, self.error)
    }
}

impl std::error::Error for BootError {}

struct Mount {
    kind: &'static CStr,
    target: &'static CStr,
    flags: MountFlags,
    options: &'static CStr,
}

const MOUNTS: &[Mount] = &[
    Mount { kind: c"proc", target: c"/proc", flags: RESTRICTED, options: c"" },
    Mount { kind: c"sysfs", target: c"/sys", flags: RESTRICTED, options: c"" },
    Mount { kind: c"devtmpfs", target: c"/dev", flags: NO_EXECUTABLES, options: c"mode=0755" },
    Mount { kind: c"devpts", target: c"/dev/pts", flags: NO_EXECUTABLES, options: c"gid=5,mode=0620,ptmxmode=0666" },
    Mount { kind: c"tmpfs", target: c"/run", flags: NO_DEVICES, options: c"mode=0755" },
    Mount { kind: c"tmpfs", target: c"/tmp", flags: NO_DEVICES, options: c"mode=1777" },
    Mount {
        kind: c"cgroup2",
        target: c"/sys/fs/cgroup",
        flags: RESTRICTED,
        options: c"nsdelegate,memory_recursiveprot",
    },
];
const RESTRICTED: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);
const NO_EXECUTABLES: MountFlags = MountFlags::NOSUID.union(MountFlags::NOEXEC);
const NO_DEVICES: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// Sets the guest up as far as it can be without the host. Called once, by PID 1, with one thread.
pub fn boot() -> Result<(), BootError> {
    sys::set_not_dumpable().map_err(BootError::at("set PID 1 not dumpable"))?;
    rustix::process::umask(Mode::empty());
    leave_initramfs().map_err(BootError::at("leave the initramfs"))?;
    for mount in MOUNTS {
        mount_one(mount).map_err(BootError::at(format!("mount {}", mount.target.to_string_lossy())))?;
    }
    rustix::process::umask(Mode::from_raw_mode(0o022));
    open_console().map_err(BootError::at("open the console"))?;
    cgroup::enable_controllers(cgroup::root()).map_err(BootError::at("enable cgroup controllers"))?;
    network::loopback_up().map_err(BootError::at("bring up the loopback interface"))
}

/// pivot_root does not work on the initramfs, so the guest moves to a tmpfs on top of it.
fn leave_initramfs() -> io::Result<()> {
    const STAGE: &CStr = c"/sysroot";
    match rustix::fs::mkdir(STAGE, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    rustix::mount::mount(c"tmpfs", STAGE, c"tmpfs", MountFlags::NODEV, c"mode=0755")?;
    rustix::process::chdir(STAGE)?;
    for directory in [c"proc", c"sys", c"dev", c"run", c"tmp", c"etc"] {
        rustix::fs::mkdir(directory, Mode::from_raw_mode(0o755))?;
    }
    rustix::mount::mount_move(c".", c"/")?;
    rustix::process::chroot(c".")?;
    Ok(rustix::process::chdir(c"/")?)
}

fn mount_one(mount: &Mount) -> io::Result<()> {
    match rustix::fs::mkdir(mount.target, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(rustix::mount::mount(mount.kind, mount.target, mount.kind, mount.flags, mount.options)?)
}

/// Standard input is empty; what PID 1 has to say goes to the console. Without a console it is lost.
fn open_console() -> io::Result<()> {
    let null = rustix::fs::open(c"/dev/null", OFlags::RDWR, Mode::empty())?;
    let console = match rustix::fs::open(c"/dev/console", OFlags::WRONLY | OFlags::NOCTTY, Mode::empty()) {
        Ok(console) => console,
        Err(_) => rustix::io::dup(&null)?,
    };
    let keep = console.as_raw_fd().max(null.as_raw_fd()) <= 2;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&console)?;
    rustix::stdio::dup2_stderr(&console)?;
    if keep || console.as_raw_fd() <= 2 || null.as_raw_fd() <= 2 {
        // They are the standard descriptors themselves (none was open before): dropping would close those.
        std::mem::forget((null, console));
    }
    Ok(())
}

/// Writes back and unmounts what can be; a mount that is still busy is made read-only.
pub fn unmount_all(targets: impl IntoIterator<Item = std::path::PathBuf>) {
    for target in targets {
        if rustix::mount::unmount(&target, UnmountFlags::empty()).is_err() {
            let read_only = rustix::mount::mount_remount(&target, MountFlags::RDONLY, c"");
            if let Err(error) = read_only {
                eprintln!("guest-init: unmount {}: {error}", target.display());
            }
        }
    }
    rustix::fs::sync();
}
