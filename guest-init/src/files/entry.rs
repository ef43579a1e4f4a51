//! Files as entries, and back.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use bytes::Bytes;
use rustix::fs::{AtFlags, FileType as Kind, Gid, Mode, Statx, Timespec, Timestamps, Uid, XattrFlags};

use super::path;
use crate::proto::{FileAttribute, FileEntry, FileType};

/// What overlayfs keeps for itself.
const OVERLAY_PREFIX: &[u8] = b"trusted.overlay.";
/// Permission bits with setuid, setgid and sticky.
pub const MODE_BITS: u32 = 0o7777;

/// Describes an open file. Size and holes of its data are left to whoever reads it.
pub fn describe(fd: BorrowedFd<'_>, status: &Statx, path: Vec<u8>) -> io::Result<FileEntry> {
    let kind = kind_of(status);
    let link = match kind {
        Kind::Symlink => rustix::fs::readlinkat(fd, c"", Vec::new())?.into_bytes(),
        _ => Vec::new(),
    };
    let device = matches!(kind, Kind::CharacterDevice | Kind::BlockDevice);
    Ok(FileEntry {
        path: path.into(),
        r#type: type_of(kind).into(),
        mode: u32::from(status.stx_mode) & MODE_BITS,
        uid: status.stx_uid,
        gid: status.stx_gid,
        mtime_seconds: status.stx_mtime.tv_sec,
        mtime_nanoseconds: status.stx_mtime.tv_nsec,
        size: if kind == Kind::RegularFile { status.stx_size } else { 0 },
        link: link.into(),
        device_major: if device { status.stx_rdev_major } else { 0 },
        device_minor: if device { status.stx_rdev_minor } else { 0 },
        attributes: attributes(fd)?,
        ..FileEntry::default()
    })
}

/// What kind of file it is.
pub fn kind_of(status: &Statx) -> Kind {
    Kind::from_raw_mode(status.stx_mode.into())
}

fn type_of(kind: Kind) -> FileType {
    match kind {
        Kind::RegularFile => FileType::Regular,
        Kind::Directory => FileType::Directory,
        Kind::Symlink => FileType::SymbolicLink,
        Kind::CharacterDevice => FileType::CharacterDevice,
        Kind::BlockDevice => FileType::BlockDevice,
        Kind::Fifo => FileType::Fifo,
        Kind::Socket => FileType::Socket,
        Kind::Unknown => FileType::Unspecified,
    }
}

/// Extended attributes, those of overlayfs left out, sorted by name.
pub fn attributes(fd: BorrowedFd<'_>) -> io::Result<Vec<FileAttribute>> {
    let file = path::of_descriptor(fd);
    let mut list = Vec::with_capacity(1 << 10);
    match sized(&mut list, |buffer| rustix::fs::listxattr(file.as_str(), buffer)) {
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => return Ok(Vec::new()),
        result => result?,
    }
    let mut attributes = Vec::new();
    for name in list.split(|&byte| byte == 0) {
        if name.is_empty() || name.starts_with(OVERLAY_PREFIX) {
            continue;
        }
        if let Some(value) = attribute(fd, name)? {
            attributes.push(FileAttribute { name: Bytes::copy_from_slice(name), value: value.into() });
        }
    }
    attributes.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(attributes)
}

/// The value of one extended attribute, if it is there.
pub fn attribute(fd: BorrowedFd<'_>, name: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let file = path::of_descriptor(fd);
    let mut value = Vec::with_capacity(256);
    match sized(&mut value, |buffer| rustix::fs::getxattr(file.as_str(), name, buffer)) {
        Ok(()) => Ok(Some(value)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENODATA | libc::EOPNOTSUPP)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Calls what fills a buffer, with a greater one where it does not fit.
fn sized(
    buffer: &mut Vec<u8>,
    mut fill: impl FnMut(rustix::buffer::SpareCapacity<'_, u8>) -> rustix::io::Result<usize>,
) -> io::Result<()> {
    /// The kernel's own limit for a list and for a value.
    const MOST: usize = 64 << 10;
    loop {
        buffer.clear();
        match fill(rustix::buffer::spare_capacity(buffer)) {
            Err(rustix::io::Errno::RANGE) if buffer.capacity() < MOST => {
                *buffer = Vec::with_capacity((buffer.capacity() * 8).min(MOST));
            }
            result => return result.map(drop).map_err(io::Error::from),
        }
    }
}

/// Gives an open file the owner, mode, attributes and time of an entry, in the order in which none undoes another.
pub fn apply(fd: BorrowedFd<'_>, entry: &FileEntry, owner: (u32, u32)) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
    rustix::fs::chownat(fd, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
    let file = path::of_descriptor(fd);
    if entry.r#type() != FileType::SymbolicLink {
        rustix::fs::chmod(file.as_str(), Mode::from_raw_mode(entry.mode & MODE_BITS))?;
    }
    for attribute in &entry.attributes {
        if !attribute.name.starts_with(OVERLAY_PREFIX) {
            rustix::fs::setxattr(file.as_str(), &attribute.name[..], &attribute.value, XattrFlags::empty())?;
        }
    }
    set_time(fd, entry)
}

/// Sets the time of the last change.
pub fn set_time(fd: impl AsFd, entry: &FileEntry) -> io::Result<()> {
    let time = Timespec { tv_sec: entry.mtime_seconds, tv_nsec: i64::from(entry.mtime_nanoseconds) as _ };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(rustix::fs::utimensat(fd, c"", &times, AtFlags::EMPTY_PATH)?)
}
