//! System calls that the libraries in use have no safe form of.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Makes `path` beneath `directory` (or the directory itself, for an empty path) have and lack mount attributes.
pub fn mount_setattr(mount: BorrowedFd<'_>, recursive: bool, set: u64, clear: u64, propagation: u64) -> io::Result<()> {
    let attributes = libc::mount_attr { attr_set: set, attr_clr: clear, propagation, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a NUL-terminated constant, `attributes` outlives the call and its true size is given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Hides this process's memory and descriptors from other users' debuggers, and so those of a child until it executes.
pub fn set_not_dumpable() -> io::Result<()> {
    // SAFETY: no pointers.
    let result = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// An ioctl whose argument is a plain number.
pub fn ioctl_number(fd: BorrowedFd<'_>, request: libc::Ioctl, argument: libc::c_ulong) -> io::Result<()> {
    // SAFETY: the callers' requests take no pointer.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), request, argument) };
    if result >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Writes a kernel attribute (sysfs, procfs, cgroupfs) in one piece.
pub fn write_attribute(path: impl AsRef<std::path::Path>, value: &str) -> io::Result<()> {
    use std::io::Write as _;
    std::fs::OpenOptions::new().write(true).open(path)?.write_all(value.as_bytes())
}

/// Reads a kernel attribute to its end. Such files say nothing of their size, so that the standard library feels its way.
pub fn read_attribute(directory: impl AsFd, path: impl rustix::path::Arg) -> io::Result<String> {
    const ENOUGH: usize = 8 << 10;
    let file = rustix::fs::openat(directory, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut text = Vec::with_capacity(ENOUGH);
    while rustix::io::read(&file, rustix::buffer::spare_capacity(&mut text))? > 0 {
        text.reserve(ENOUGH / 2);
    }
    String::from_utf8(text).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Waits on `fd` with tokio. Must be called within the runtime.
pub fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd stays open, and is the same descriptor, for as long as it lives.
    unsafe { AsyncFd::register_with_interest(fd, interest) }.map_err(io::Error::from)
}

/// Both directions, for `watch`.
pub const READ_WRITE: Interest = Interest::READABLE.add(Interest::WRITABLE);
