//! Paths beneath a container's root. They are bytes, as Linux has them.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Statx, StatxFlags};
use rustix::io::Errno;

use crate::error::{AgentError, Result};

/// An open file that can be looked at and named, but not read.
pub const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
/// A directory in a path.
pub const DIRECTORY: OFlags = LOOK.union(OFlags::DIRECTORY);

/// How often a path is resolved anew when somebody moves what is on its way.
const ATTEMPTS: usize = 32;

/// Opens `path` beneath `root`, whatever symbolic links there are.
pub fn open(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut attempt = 1;
    loop {
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN) if attempt < ATTEMPTS => attempt += 1,
            result => return Ok(result?),
        }
    }
}

/// What an open file is, with the mount that it is seen through.
pub fn status(fd: BorrowedFd<'_>) -> io::Result<Statx> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    Ok(rustix::fs::statx(fd, c"", AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT, wanted)?)
}

/// A path by which the kernel finds an open file again: for calls that take no descriptor of a file that is only looked at.
pub fn of_descriptor(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// The names in a directory, sorted by their bytes.
pub fn names(directory: impl AsFd) -> io::Result<Vec<Vec<u8>>> {
    let readable = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(directory, c".", readable, Mode::empty())?;
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::new(opened)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if !matches!(name.as_slice(), b"." | b"..") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a path is followed to its end, rather than to its last name.
pub fn asks_for_directory(path: &[u8]) -> bool {
    path.ends_with(b"/") || path.ends_with(b"/.") || matches!(path, b"" | b".")
}

/// Checks the path of an entry: relative, and nowhere upwards.
pub fn check_relative(path: &[u8]) -> Result<()> {
    let plain = path == b"."
        || !path.contains(&0)
            && path.split(|&byte| byte == b'/').all(|part| !matches!(part, b"" | b"." | b"..") && part.len() <= 255);
    if plain { Ok(()) } else { Err(AgentError::invalid(format!("{} is not the path of an entry", shown(path)))) }
}

/// Directory and last name of a relative path.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

/// `name` in `directory`; `.` is the beginning of everything.
pub fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if matches!(directory, b"" | b".") {
        return name.to_vec();
    }
    let mut path = Vec::with_capacity(directory.len() + 1 + name.len());
    path.extend_from_slice(directory);
    if !directory.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// A path for a message.
pub fn shown(path: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(path))
}

/// The error for a path that the container has, or lacks.
pub fn failed(what: &str, path: &[u8], error: io::Error) -> AgentError {
    let path = shown(path);
    match error.raw_os_error() {
        Some(libc::ENOENT) => AgentError::not_found(format!("{what}: there is no {path}")),
        Some(libc::ENOTDIR) => AgentError::invalid(format!("{what}: {path} leads through what is no directory")),
        Some(libc::ELOOP) => AgentError::invalid(format!("{what}: {path} has too many symbolic links")),
        Some(libc::ENAMETOOLONG) => AgentError::invalid(format!("{what}: {path} is too long")),
        Some(libc::EROFS) => AgentError::conflict(format!("{what}: {path} is on a read-only file system"))
            .hint("copy to a volume or tmpfs that can be written, or start the box without --read-only"),
        _ => AgentError::system(format_args!("{what} {path}"), error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_entries_lead_nowhere_upwards() {
        for good in [&b"."[..], b"a", b"a/b", b"...", b"a b/\xff"] {
            assert!(check_relative(good).is_ok(), "{good:?}");
        }
        for wrong in [&b""[..], b"/a", b"a/", b"a//b", b"..", b"a/../b", b"./a", b"a/.", b"a\0", &[b'x'; 256]] {
            assert!(check_relative(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn names_are_joined_and_split() {
        assert_eq!(join(b".", b"a"), b"a");
        assert_eq!(join(b"/", b"a"), b"/a");
        assert_eq!(join(b"/a", b"b"), b"/a/b");
        assert_eq!(split(b"a/b/c"), (&b"a/b"[..], &b"c"[..]));
        assert_eq!(split(b"a"), (&b""[..], &b"a"[..]));
    }
}
