//! Paths of a container, resolved beneath its root whatever symbolic links its image holds.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

const RESOLVE: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);

/// Opens `path` beneath `root`.
pub fn open(root: BorrowedFd<'_>, path: &str, flags: OFlags, mode: u32) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::from_raw_mode(mode), RESOLVE)?)
}

/// Opens a directory, making what is missing of it (mode 0755).
pub fn make_directory(root: BorrowedFd<'_>, path: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    match open(root, path, flags, 0) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        result => return result,
    }
    let mut directory = open(root, "/", flags, 0)?;
    let mut prefix = String::new();
    for segment in path.split('/').filter(|segment| !matches!(*segment, "" | ".")) {
        prefix.push('/');
        prefix.push_str(segment);
        directory = match open(root, &prefix, flags, 0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match rustix::fs::mkdirat(&directory, segment, Mode::from_raw_mode(0o755)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
                open(root, &prefix, flags, 0)?
            }
            result => result?,
        };
    }
    Ok(directory)
}

/// The directory that holds `path`, made if missing, and the name in it.
pub fn parent<'path>(root: BorrowedFd<'_>, path: &'path str) -> io::Result<(OwnedFd, &'path str)> {
    let trimmed = path.trim_end_matches('/');
    let (directory, name) = trimmed.rsplit_once('/').ok_or(io::ErrorKind::InvalidInput)?;
    if matches!(name, "" | "." | "..") {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok((make_directory(root, if directory.is_empty() { "/" } else { directory })?, name))
}

/// Opens what is at `path`, making an empty file if nothing is.
pub fn make_file(root: BorrowedFd<'_>, path: &str) -> io::Result<OwnedFd> {
    match open(root, path, OFlags::PATH, 0) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        result => return result,
    }
    let (directory, name) = parent(root, path)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(&directory, name, flags, Mode::from_raw_mode(0o644))?;
    open(directory.as_fd(), name, OFlags::PATH, 0)
}

/// Puts a file with this content at `path`, in the place of what is there (but not of a directory).
pub fn write_file(root: BorrowedFd<'_>, path: &str, content: &[u8], mode: u32) -> io::Result<()> {
    let (directory, name) = parent(root, path)?;
    match rustix::fs::unlinkat(&directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&directory, name, flags, Mode::from_raw_mode(0o600))?;
    let mut rest = content;
    while !rest.is_empty() {
        let count = rustix::io::write(&file, rest)?;
        rest = &rest[count..];
    }
    // The umask does not matter to what the host asks for.
    Ok(rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?)
}

/// Reads a text file of at most `limit` bytes; empty where there is none.
pub fn read_text(root: BorrowedFd<'_>, path: &str, limit: u64) -> io::Result<String> {
    use std::io::Read as _;
    let file = match open(root, path, OFlags::RDONLY | OFlags::NONBLOCK, 0) {
        Ok(file) => file,
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) != FileType::RegularFile {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    std::fs::File::from(file).take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    struct Root {
        outer: PathBuf,
        fd: OwnedFd,
    }

    impl Root {
        fn new(name: &str) -> io::Result<Self> {
            let outer = std::env::temp_dir().join(format!("a3s-beneath-{name}-{}", std::process::id()));
            fs::create_dir_all(outer.join("root/etc"))?;
            fs::write(outer.join("secret"), "secret")?;
            let fd = rustix::fs::open(outer.join("root"), OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
            Ok(Self { outer, fd })
        }
        fn path(&self, path: &str) -> PathBuf {
            self.outer.join("root").join(path)
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.outer));
        }
    }

    #[test]
    fn links_and_dots_stay_beneath_the_root() -> io::Result<()> {
        let root = Root::new("links")?;
        symlink("../../../../../secret", root.path("up"))?;
        symlink("/etc", root.path("absolute"))?;
        symlink("/proc/self/root", root.path("magic"))?;
        assert_eq!(read_text(root.fd.as_fd(), "/up", 100)?, "");
        assert_eq!(read_text(root.fd.as_fd(), "/../secret", 100)?, "");
        write_file(root.fd.as_fd(), "/absolute/hosts", b"x", 0o644)?;
        assert_eq!(fs::read_to_string(root.path("etc/hosts"))?, "x");
        assert!(make_directory(root.fd.as_fd(), "/magic/x").is_err());
        assert!(open(root.fd.as_fd(), "/magic/etc", OFlags::PATH, 0).is_err());
        Ok(())
    }

    #[test]
    fn a_file_replaces_a_link_rather_than_follow_it() -> io::Result<()> {
        let root = Root::new("replace")?;
        symlink(root.outer.join("secret"), root.path("etc/hosts"))?;
        write_file(root.fd.as_fd(), "/etc/hosts", b"new", 0o640)?;
        assert_eq!(fs::read_to_string(root.outer.join("secret"))?, "secret");
        assert_eq!(fs::read_to_string(root.path("etc/hosts"))?, "new");
        assert_eq!(fs::metadata(root.path("etc/hosts"))?.permissions().mode() & 0o7777, 0o640);
        Ok(())
    }

    #[test]
    fn missing_directories_are_made_and_nothing_else_is_changed() -> io::Result<()> {
        let root = Root::new("make")?;
        make_directory(root.fd.as_fd(), "/a//b/./c/")?;
        assert!(root.path("a/b/c").is_dir());
        make_file(root.fd.as_fd(), "/a/file")?;
        make_file(root.fd.as_fd(), "/a/file")?;
        assert!(make_directory(root.fd.as_fd(), "/a/file").is_err());
        assert!(parent(root.fd.as_fd(), "/").is_err());
        assert!(parent(root.fd.as_fd(), "/a/..").is_err());
        Ok(())
    }

    #[test]
    fn texts_have_a_limit() -> io::Result<()> {
        let root = Root::new("limit")?;
        fs::write(root.path("etc/passwd"), "12345")?;
        assert_eq!(read_text(root.fd.as_fd(), "/etc/passwd", 5)?, "12345");
        assert!(read_text(root.fd.as_fd(), "/etc/passwd", 4).is_err());
        assert_eq!(read_text(root.fd.as_fd(), "/etc", 4)?, "");
        Ok(())
    }
}
