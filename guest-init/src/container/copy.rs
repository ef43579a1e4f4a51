//! Copies what an image has in a volume's place into the volume: owners, modes, times, extended attributes, hard links.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, Timestamps, XattrFlags};
use rustix::io::Errno;

use super::beneath;
use super::volumes::Fill;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// What disks have (statfs(2)).
const EXT4: rustix::fs::FsWord = 0xef53;
/// Set-user-id and set-group-id: a share refuses them.
const SET_ID: u32 = 0o6000;

/// Fills a volume that is empty from the root file system. What the image does not have leaves the volume as it is.
pub fn fill(root: BorrowedFd<'_>, fill: &Fill) -> io::Result<()> {
    let from = match beneath::open(root, &fill.from, OFlags::RDONLY | OFlags::DIRECTORY, 0) {
        Ok(from) => from,
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => return Ok(()),
        Err(error) => return Err(error),
    };
    let to = rustix::fs::open(&fill.volume, DIRECTORY, Mode::empty())?;
    if !is_empty(to.as_fd())? {
        return Ok(());
    }
    let mut copy = Copy { to: to.as_fd(), links: HashMap::new() };
    copy.contents(from.as_fd(), to.as_fd(), "")?;
    copy.attributes(from.as_fd(), to.as_fd(), &rustix::fs::fstat(&from)?)?;
    // The host writes down that it is filled, and will not do it again. Of a share it has everything already.
    if rustix::fs::fstatfs(&to)?.f_type == EXT4 { Ok(rustix::fs::syncfs(&to)?) } else { Ok(()) }
}

fn is_empty(directory: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(names(directory)?.is_empty())
}

fn names(directory: BorrowedFd<'_>) -> io::Result<Vec<std::ffi::CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

struct Copy<'volume> {
    to: BorrowedFd<'volume>,
    /// Files with several names, by device and inode: the first of their names in the volume.
    links: HashMap<(u64, u64), String>,
}

impl Copy<'_> {
    fn contents(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, path: &str) -> io::Result<()> {
        for name in names(from)? {
            let path = format!("{path}{}", name.to_string_lossy());
            self.entry(from, to, &name, &path).map_err(|error| match error.get_ref() {
                // It names a file already.
                Some(_) => error,
                None => io::Error::new(error.kind(), format!("{path}: {error}")),
            })?;
        }
        Ok(())
    }

    fn entry(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &std::ffi::CStr, path: &str) -> io::Result<()> {
        let status = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(status.st_mode);
        if kind != FileType::Directory && status.st_nlink > 1 {
            let identity = (status.st_dev, status.st_ino);
            if let Some(first) = self.links.get(&identity) {
                return Ok(rustix::fs::linkat(self.to, first.as_str(), to, name, AtFlags::empty())?);
            }
            self.links.insert(identity, path.to_owned());
        }
        match kind {
            FileType::Directory => {
                rustix::fs::mkdirat(to, name, Mode::RWXU)?;
                let from = rustix::fs::openat(from, name, DIRECTORY, Mode::empty())?;
                let to = rustix::fs::openat(to, name, DIRECTORY, Mode::empty())?;
                self.contents(from.as_fd(), to.as_fd(), &format!("{path}/"))?;
                self.attributes(from.as_fd(), to.as_fd(), &status)
            }
            FileType::RegularFile => {
                let reading = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let from = rustix::fs::openat(from, name, reading, Mode::empty())?;
                let writing = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let to = rustix::fs::openat(to, name, writing, Mode::RUSR | Mode::WUSR)?;
                let to = copy_data(from.try_clone()?, to)?;
                self.attributes(from.as_fd(), to.as_fd(), &status)
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(from, name, Vec::new())?;
                rustix::fs::symlinkat(&target, to, name)?;
                finish_special(to, name, &status, false)
            }
            FileType::Fifo | FileType::Socket | FileType::CharacterDevice | FileType::BlockDevice => {
                rustix::fs::mknodat(to, name, kind, Mode::from_raw_mode(status.st_mode & 0o777), status.st_rdev)?;
                finish_special(to, name, &status, true)
            }
            FileType::Unknown => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Owner before mode, for a change of the owner takes set-id bits away; times last.
    fn attributes(&self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, status: &Stat) -> io::Result<()> {
        let (user, group) = owner(status);
        rustix::fs::fchown(to, user, group)?;
        set_mode(status.st_mode, |mode| rustix::fs::fchmod(to, mode))?;
        copy_xattrs(from, to)?;
        Ok(rustix::fs::futimens(to, &times(status))?)
    }
}

fn copy_data(from: OwnedFd, to: OwnedFd) -> io::Result<OwnedFd> {
    let (mut from, mut to) = (File::from(from), File::from(to));
    io::copy(&mut from, &mut to)?;
    Ok(to.into())
}

fn finish_special(to: BorrowedFd<'_>, name: &std::ffi::CStr, status: &Stat, has_mode: bool) -> io::Result<()> {
    let (user, group) = owner(status);
    rustix::fs::chownat(to, name, user, group, AtFlags::SYMLINK_NOFOLLOW)?;
    if has_mode {
        set_mode(status.st_mode, |mode| rustix::fs::chmodat(to, name, mode, AtFlags::empty()))?;
    }
    Ok(rustix::fs::utimensat(to, name, &times(status), AtFlags::SYMLINK_NOFOLLOW)?)
}

fn owner(status: &Stat) -> (Option<rustix::fs::Uid>, Option<rustix::fs::Gid>) {
    (Some(rustix::fs::Uid::from_raw(status.st_uid)), Some(rustix::fs::Gid::from_raw(status.st_gid)))
}

/// Sets permission bits; without set-id bits where those are refused.
fn set_mode(mode: u32, set: impl Fn(Mode) -> rustix::io::Result<()>) -> io::Result<()> {
    let bits = mode & 0o7777;
    match set(Mode::from_raw_mode(bits)) {
        Err(Errno::PERM) if bits & SET_ID != 0 => Ok(set(Mode::from_raw_mode(bits & !SET_ID))?),
        result => Ok(result?),
    }
}

/// Those that the volume takes: the host keeps file capabilities out of a share.
fn copy_xattrs(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    let mut list = vec![0_u8; 64 << 10];
    let size = match rustix::fs::flistxattr(from, &mut list[..]) {
        Ok(size) => size,
        Err(Errno::NOTSUP) => 0,
        Err(error) => return Err(error.into()),
    };
    let mut value = vec![0_u8; 64 << 10];
    for name in list[..size].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let length = rustix::fs::fgetxattr(from, name, &mut value[..])?;
        match rustix::fs::fsetxattr(to, name, &value[..length], XattrFlags::empty()) {
            Ok(()) | Err(Errno::NOTSUP | Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn times(status: &Stat) -> Timestamps {
    let time = |seconds, nanoseconds: u64| rustix::fs::Timespec { tv_sec: seconds, tv_nsec: nanoseconds as _ };
    Timestamps {
        last_access: time(status.st_atime, status.st_atime_nsec),
        last_modification: time(status.st_mtime, status.st_mtime_nsec),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    use std::path::PathBuf;

    fn place(name: &str) -> io::Result<(PathBuf, OwnedFd)> {
        let base = std::env::temp_dir().join(format!("a3s-copy-{name}-{}", std::process::id()));
        fs::create_dir_all(base.join("root/srv/deep"))?;
        fs::create_dir_all(base.join("volume"))?;
        let root = rustix::fs::open(base.join("root"), OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        Ok((base, root))
    }

    #[test]
    fn an_empty_volume_takes_all_that_the_image_has() -> io::Result<()> {
        let (base, root) = place("all")?;
        let from = base.join("root/srv");
        fs::write(from.join("deep/file"), "text")?;
        fs::set_permissions(from.join("deep/file"), fs::Permissions::from_mode(0o4751))?;
        fs::hard_link(from.join("deep/file"), from.join("other"))?;
        symlink("deep/file", from.join("link"))?;
        fs::set_permissions(&from, fs::Permissions::from_mode(0o1770))?;
        let volume = base.join("volume");
        fill(root.as_fd(), &Fill { from: "/srv".into(), volume: volume.clone() })?;
        let file = fs::metadata(volume.join("deep/file"))?;
        assert_eq!(fs::read_to_string(volume.join("other"))?, "text");
        assert_eq!(file.permissions().mode() & 0o7777, 0o4751);
        assert_eq!((file.nlink(), file.ino()), (2, fs::metadata(volume.join("other"))?.ino()));
        assert_eq!(file.mtime_nsec(), fs::metadata(from.join("deep/file"))?.mtime_nsec());
        assert_eq!(fs::read_link(volume.join("link"))?, PathBuf::from("deep/file"));
        assert_eq!(fs::metadata(&volume)?.permissions().mode() & 0o7777, 0o1770);
        fs::remove_dir_all(base)
    }

    #[test]
    fn a_volume_that_holds_something_stays_as_it_is() -> io::Result<()> {
        let (base, root) = place("kept")?;
        fs::write(base.join("volume/mine"), "")?;
        fill(root.as_fd(), &Fill { from: "/srv".into(), volume: base.join("volume") })?;
        fill(root.as_fd(), &Fill { from: "/not/there".into(), volume: base.join("volume") })?;
        assert!(!base.join("volume/deep").exists());
        fs::remove_dir_all(base)
    }

    #[test]
    fn links_of_the_image_do_not_lead_out_of_it() -> io::Result<()> {
        let (base, root) = place("out")?;
        fs::create_dir(base.join("secret"))?;
        fs::write(base.join("secret/file"), "")?;
        symlink("../../secret", base.join("root/srv/out"))?;
        symlink("../secret", base.join("root/away"))?;
        fill(root.as_fd(), &Fill { from: "/away".into(), volume: base.join("volume") })?;
        fill(root.as_fd(), &Fill { from: "/srv".into(), volume: base.join("volume") })?;
        assert_eq!(fs::read_link(base.join("volume/out"))?, PathBuf::from("../../secret"));
        assert!(!base.join("volume/file").exists());
        fs::remove_dir_all(base)
    }
}
