//! What only the container's first process can do to its mounts: proc and cgroup show the namespaces of who mounts them,
//! and what is masked lies beneath them. Prepared beforehand; carried out in the child, with nothing but system calls.

use std::ffi::{CStr, CString};
use std::mem::{size_of, zeroed};
use std::os::fd::RawFd;
use std::ptr::null;

use crate::error::Result;
use crate::oci::mounts::{CheckedMount, MountKind};
use crate::oci::parse::refuse;
use crate::process::child::Failure;
use crate::process::raw::call;
use crate::process::report::Stage;

/// Result of a part of the set-up.
pub(crate) type Outcome = std::result::Result<(), Failure>;

#[derive(Debug)]
struct LateMount {
    kind: &'static CStr,
    target: CString,
    options: Vec<(CString, Option<CString>)>,
    set: u64,
}

/// Mounts, masked paths and read-only paths.
#[derive(Debug, Default)]
pub struct LateSetup {
    mounts: Vec<LateMount>,
    masked: Vec<CString>,
    read_only: Vec<CString>,
}

impl LateSetup {
    /// Takes from `mounts` those that the container's first process has to make.
    pub fn new(mounts: &[CheckedMount], masked: &[String], read_only: &[String]) -> Result<Self> {
        let mut setup = Self {
            mounts: Vec::new(),
            masked: paths("linux.maskedPaths", masked)?,
            read_only: paths("linux.readonlyPaths", read_only)?,
        };
        for mount in mounts {
            if let MountKind::Own(kind) = mount.kind {
                setup.mounts.push(LateMount::new(kind, mount)?);
            }
        }
        Ok(setup)
    }

    /// Names an item, for messages.
    pub(crate) fn describe(&self, stage: Stage, index: usize) -> String {
        let target = |path: Option<&CString>| path.map_or_else(String::new, |path| path.to_string_lossy().into_owned());
        match stage {
            Stage::LateMount => {
                let mount = self.mounts.get(index);
                let kind = mount.map_or("", |mount| mount.kind.to_str().unwrap_or_default());
                format!("mount {kind} on {}", target(mount.map(|mount| &mount.target)))
            }
            Stage::Mask => format!("mask {}", target(self.masked.get(index))),
            _ => format!("make {} read-only", target(self.read_only.get(index))),
        }
    }

    /// Mounts proc and cgroup.
    ///
    /// # Safety
    /// Only in a child that has entered the container's namespaces and whose working directory is the root.
    pub(crate) unsafe fn mount(&self) -> Outcome {
        for (index, mount) in self.mounts.iter().enumerate() {
            // SAFETY: as this function's own condition.
            unsafe { mount.apply() }.map_err(|failure| failure.at(index))?;
        }
        Ok(())
    }

    /// Hides the masked paths; those that are not there need no hiding.
    ///
    /// # Safety
    /// As for `mount`.
    pub(crate) unsafe fn mask(&self) -> Outcome {
        for (index, path) in self.masked.iter().enumerate() {
            // SAFETY: as this function's own condition.
            unsafe { mask(path) }.map_err(|failure| failure.at(index))?;
        }
        Ok(())
    }

    /// Makes the read-only paths read-only; those that are not there need not be.
    ///
    /// # Safety
    /// As for `mount`.
    pub(crate) unsafe fn make_read_only(&self) -> Outcome {
        for (index, path) in self.read_only.iter().enumerate() {
            // SAFETY: as this function's own condition.
            unsafe { make_read_only(path) }.map_err(|failure| failure.at(index))?;
        }
        Ok(())
    }
}

fn paths(field: &str, paths: &[String]) -> Result<Vec<CString>> {
    let check = |(index, path): (usize, &String)| {
        let plain = path.starts_with('/') && !path.trim_matches('/').is_empty();
        let path = CString::new(path.as_str()).ok().filter(|_| plain);
        path.ok_or_else(|| refuse(format_args!("{field}[{index}]"), "is not an absolute path below the root"))
    };
    paths.iter().enumerate().map(check).collect()
}

impl LateMount {
    fn new(kind: &'static str, mount: &CheckedMount) -> Result<Self> {
        let text =
            |text: &str| CString::new(text).map_err(|_| refuse("mounts", format_args!("{text:?} holds a NUL byte")));
        if mount.recursive_attributes != crate::oci::mounts::Attributes::default() || !mount.propagation.is_empty() {
            return Err(refuse("mounts", format_args!("{kind} takes neither recursive nor propagation options")));
        }
        let kind = if kind == "proc" { c"proc" } else { c"cgroup2" };
        let mut options = Vec::new();
        for (key, value) in &mount.options {
            options.push((text(key)?, value.as_deref().map(text).transpose()?));
        }
        Ok(Self { kind, target: text(&mount.destination)?, options, set: mount.attributes.set })
    }

    unsafe fn apply(&self) -> Outcome {
        // SAFETY: all strings are NUL-terminated and outlive the calls.
        unsafe {
            let context = fs_open(self.kind)?;
            call!(libc::SYS_fsconfig, context, FSCONFIG_SET_STRING, c"source".as_ptr(), self.kind.as_ptr(), 0)?;
            for (key, value) in &self.options {
                let (command, value) =
                    value.as_ref().map_or((FSCONFIG_SET_FLAG, null()), |value| (FSCONFIG_SET_STRING, value.as_ptr()));
                call!(libc::SYS_fsconfig, context, command, key.as_ptr(), value, 0)?;
            }
            let mount = fs_mount(context, self.set)?;
            let target = open_in_root(&self.target)?;
            move_mount(mount, target)
        }
    }
}

const FSCONFIG_SET_FLAG: u32 = 0;
const FSCONFIG_SET_STRING: u32 = 1;
const FSCONFIG_CMD_CREATE: u32 = 6;
const OPEN_TREE_CLONE: u32 = 1;
const MOVE_MOUNT_F_EMPTY_PATH: u32 = 4;
const MOVE_MOUNT_T_EMPTY_PATH: u32 = 0x40;
const RESOLVE_NO_MAGICLINKS: u64 = 2;
const RESOLVE_IN_ROOT: u64 = 0x10;

// Descriptors below are left to the close on exec: the child has few, and ends or executes soon.

unsafe fn fs_open(kind: &CStr) -> std::result::Result<RawFd, Failure> {
    const FSOPEN_CLOEXEC: u32 = 1;
    // SAFETY: the string outlives the call.
    unsafe { call!(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC).map(|fd| fd as RawFd) }
}

unsafe fn fs_mount(context: RawFd, attributes: u64) -> std::result::Result<RawFd, Failure> {
    const FSMOUNT_CLOEXEC: u32 = 1;
    // SAFETY: the null pointers are what these commands take.
    unsafe {
        call!(libc::SYS_fsconfig, context, FSCONFIG_CMD_CREATE, null::<u8>(), null::<u8>(), 0)?;
        call!(libc::SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes as u32).map(|fd| fd as RawFd)
    }
}

unsafe fn move_mount(mount: RawFd, target: RawFd) -> Outcome {
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: the strings are constants.
    unsafe { call!(libc::SYS_move_mount, mount, c"".as_ptr(), target, c"".as_ptr(), flags).map(drop) }
}

/// Opens a path that cannot lead out of the working directory, which is the container's root.
unsafe fn open_in_root(path: &CStr) -> std::result::Result<RawFd, Failure> {
    // SAFETY: all-zero is a valid open_how.
    let mut how: libc::open_how = unsafe { zeroed() };
    how.flags = (libc::O_PATH | libc::O_CLOEXEC) as u64;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    // SAFETY: path and `how` outlive the call and the true size is given.
    unsafe {
        call!(libc::SYS_openat2, libc::AT_FDCWD, path.as_ptr(), &raw const how, size_of::<libc::open_how>())
            .map(|fd| fd as RawFd)
    }
}

unsafe fn open_if_there(path: &CStr) -> std::result::Result<Option<RawFd>, Failure> {
    // SAFETY: as this function's own condition.
    match unsafe { open_in_root(path) } {
        Ok(fd) => Ok(Some(fd)),
        Err(failure) if failure.is_missing() => Ok(None),
        Err(failure) => Err(failure),
    }
}

unsafe fn status(fd: RawFd) -> std::result::Result<libc::stat, Failure> {
    // SAFETY: all-zero is a valid stat buffer, which outlives the call.
    unsafe {
        let mut status: libc::stat = zeroed();
        call!(libc::SYS_newfstatat, fd, c"".as_ptr(), &raw mut status, libc::AT_EMPTY_PATH)?;
        Ok(status)
    }
}

unsafe fn clone_tree(fd: RawFd, recursive: bool) -> std::result::Result<RawFd, Failure> {
    let flags =
        OPEN_TREE_CLONE as i32 | libc::O_CLOEXEC | libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the string is a constant.
    unsafe { call!(libc::SYS_open_tree, fd, c"".as_ptr(), flags).map(|fd| fd as RawFd) }
}

unsafe fn mask(path: &CStr) -> Outcome {
    // SAFETY: as this function's own condition.
    unsafe {
        let Some(target) = open_if_there(path)? else { return Ok(()) };
        if status(target)?.st_mode & libc::S_IFMT == libc::S_IFDIR {
            let empty = fs_mount(fs_open(c"tmpfs")?, libc::MOUNT_ATTR_RDONLY)?;
            return move_mount(empty, target);
        }
        let device = open_in_root(c"/dev/null")?;
        let is_null = status(device)?;
        if is_null.st_mode & libc::S_IFMT != libc::S_IFCHR || is_null.st_rdev != libc::makedev(1, 3) {
            return Err(Failure::of(libc::ENODEV));
        }
        move_mount(clone_tree(device, false)?, target)
    }
}

unsafe fn make_read_only(path: &CStr) -> Outcome {
    // SAFETY: as this function's own condition; the attributes outlive the call and their true size is given.
    unsafe {
        let Some(target) = open_if_there(path)? else { return Ok(()) };
        let tree = clone_tree(target, true)?;
        let attributes =
            libc::mount_attr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
        let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
        call!(
            libc::SYS_mount_setattr,
            tree,
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>()
        )?;
        move_mount(tree, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_paths_below_the_root_are_taken() {
        for wrong in ["", "proc", "/", "//", "/a\0b"] {
            assert!(paths("linux.maskedPaths", &[wrong.to_owned()]).is_err(), "{wrong:?}");
        }
        assert!(paths("linux.maskedPaths", &["/proc/kcore".to_owned()]).is_ok());
    }
}
