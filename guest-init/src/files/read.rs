//! Reading files out of a container.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bytes::BytesMut;
use rustix::fs::{FileType as Kind, Mode, OFlags, SeekFrom, Statx};
use rustix::io::Errno;

use super::entry::{describe, kind_of};
use super::items::{ItemSender, MESSAGE_BYTES, Sending, Stop};
use super::path::{self, failed};
use crate::error::{AgentError, Result};
use crate::proto::{FileEntry, FileRun, FileType};

/// Directories within each other that are followed: each costs a descriptor.
const DEPTH: usize = 800;
/// A file of more pieces is sent with its holes as zeros.
const MOST_RUNS: usize = 8192;
/// File systems whose files are the container's own, and no view of the kernel's (statfs(2)).
const OF_FILES: [u64; 4] = [0x794c_7630, 0xef53, 0x6573_5546, 0xe0f5_e1e2];

/// What was sent already, by file system and number: the next name of it becomes a hard link.
type Sent = HashMap<(u32, u32, u64), Vec<u8>>;

/// Sends files and directories.
#[derive(Debug)]
pub struct TreeReader<'items> {
    items: &'items mut ItemSender,
    sent: Sent,
    /// The upper directory of the overlay that is read from its root, which knows which names are of one file: a file that
    /// was copied up may have several numbers in an overlay.
    upper: Option<OwnedFd>,
}

/// A directory on the way.
struct Level {
    directory: OwnedFd,
    path: Vec<u8>,
    /// Last first.
    names: Vec<Vec<u8>>,
    mount: u64,
}

impl<'items> TreeReader<'items> {
    /// Sends to `items`.
    pub fn new(items: &'items mut ItemSender) -> Self {
        Self { items, sent: Sent::new(), upper: None }
    }

    /// Reads the whole of an overlay with this upper directory.
    pub fn of_overlay(items: &'items mut ItemSender, upper: OwnedFd) -> Self {
        Self { items, sent: Sent::new(), upper: Some(upper) }
    }

    /// What tells a file from others, whatever it is called.
    fn number(&self, status: &Statx, path: &[u8]) -> (u32, u32, u64) {
        let flags = path::LOOK | OFlags::NOFOLLOW;
        let found = self.upper.as_ref().and_then(|upper| path::open(upper.as_fd(), path, flags).ok());
        let real = found.and_then(|file| path::status(file.as_fd()).ok()).unwrap_or(*status);
        (real.stx_dev_major, real.stx_dev_minor, real.stx_ino)
    }

    /// Sends what `file` is, called `name`, and everything in it. Mounts are entered where they hold files.
    pub fn tree(&mut self, file: &OwnedFd, name: &[u8]) -> Sending {
        let status = path::status(file.as_fd()).map_err(|error| failed("read", name, error))?;
        self.file(file.as_fd(), &status, name.to_vec())?;
        if kind_of(&status) != Kind::Directory {
            return Ok(());
        }
        let mut levels = vec![level(file, name.to_vec(), status.stx_mnt_id)?];
        while let Some(level) = levels.last_mut() {
            let Some(name) = level.names.pop() else {
                levels.pop();
                continue;
            };
            let mount = level.mount;
            let path = path::join(&level.path, &name);
            let Some((file, status)) = look(&level.directory, &name).map_err(|error| failed("read", &path, error))?
            else {
                continue;
            };
            let crossed = status.stx_mnt_id != mount;
            let directory = kind_of(&status) == Kind::Directory;
            let foreign = crossed && !holds_files(file.as_fd()).map_err(|error| failed("read", &path, error))?;
            if foreign && !directory {
                continue;
            }
            self.file(file.as_fd(), &status, path.clone())?;
            if directory && !foreign {
                if levels.len() == DEPTH {
                    return Err(too_deep(&path).into());
                }
                levels.push(self::level(&file, path, status.stx_mnt_id)?);
            }
        }
        Ok(())
    }

    /// Sends an entry that has no data.
    pub fn plain(&mut self, entry: FileEntry) -> Sending {
        self.items.entry(entry)
    }

    /// Sends one file with its data.
    pub fn file(&mut self, file: BorrowedFd<'_>, status: &Statx, path: Vec<u8>) -> Sending {
        let kind = kind_of(status);
        if kind == Kind::Socket {
            return Ok(());
        }
        let failed = |error| self::failed("read", &path, error);
        if kind != Kind::Directory && status.stx_nlink > 1 {
            let number = self.number(status, &path);
            if let Some(first) = self.sent.get(&number) {
                return self.items.entry(FileEntry {
                    link: first.clone().into(),
                    r#type: FileType::HardLink.into(),
                    path: path.into(),
                    ..FileEntry::default()
                });
            }
            self.sent.insert(number, path.clone());
        }
        let mut entry = describe(file, status, path.clone()).map_err(failed)?;
        if kind != Kind::RegularFile || entry.size == 0 {
            return self.items.entry(entry);
        }
        let readable = rustix::fs::open(
            path::of_descriptor(file),
            OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(|error| failed(error.into()))?;
        let runs = runs_of(&readable, status).map_err(failed)?;
        match runs {
            None => {
                let size = entry.size;
                self.items.entry(entry)?;
                self.data(&readable, &path, 0, size)
            }
            Some(runs) => {
                entry.sparse = true;
                entry.runs.clone_from(&runs);
                self.items.entry(entry)?;
                runs.iter().try_for_each(|run| self.data(&readable, &path, run.offset, run.length))
            }
        }
    }

    /// Sends bytes of a file; a file that has become shorter goes on with zeros, since its size was told.
    fn data(&mut self, file: &OwnedFd, path: &[u8], from: u64, length: u64) -> Sending {
        let mut at = from;
        let end = from + length;
        while at < end {
            let wanted = usize::try_from(end - at).unwrap_or(usize::MAX).min(MESSAGE_BYTES);
            let mut buffer = BytesMut::zeroed(wanted);
            let count = match rustix::io::pread(file, &mut buffer[..], at) {
                Ok(0) => wanted,
                Ok(count) => count,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(failed("read", path, error.into()).into()),
            };
            buffer.truncate(count);
            self.items.data(buffer.freeze())?;
            at += count as u64;
        }
        Ok(())
    }
}

/// Opens a name in a directory, to look at; nothing where it is gone.
pub fn look(directory: &OwnedFd, name: &[u8]) -> io::Result<Option<(OwnedFd, Statx)>> {
    match rustix::fs::openat(directory, name, path::LOOK | OFlags::NOFOLLOW, Mode::empty()) {
        Ok(file) => {
            let status = path::status(file.as_fd())?;
            Ok(Some((file, status)))
        }
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Opens what a request names: a path that ends in a slash or a dot is followed to its end.
pub fn open(root: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd> {
    let flags = if path::asks_for_directory(path) { path::LOOK } else { path::LOOK | OFlags::NOFOLLOW };
    let wanted: &[u8] = if path.is_empty() { b"/" } else { path };
    path::open(root, wanted, flags).map_err(|error| failed("find", path, error))
}

fn level(directory: &OwnedFd, path: Vec<u8>, mount: u64) -> std::result::Result<Level, Stop> {
    let opened = directory.try_clone().and_then(|directory| {
        let mut names = path::names(&directory)?;
        names.reverse();
        Ok(Level { directory, path: path.clone(), names, mount })
    });
    Ok(opened.map_err(|error| failed("read", &path, error))?)
}

fn too_deep(path: &[u8]) -> AgentError {
    AgentError::unsupported(format!("read: {} lies in more than {DEPTH} directories", path::shown(path)))
}

fn holds_files(file: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(OF_FILES.contains(&(rustix::fs::fstatfs(file)?.f_type as u64)))
}

/// Where the data of a file is, if that is not everywhere.
fn runs_of(file: &OwnedFd, status: &Statx) -> io::Result<Option<Vec<FileRun>>> {
    if status.stx_blocks * 512 >= status.stx_size {
        return Ok(None);
    }
    let mut runs = Vec::new();
    let mut at = 0;
    while at < status.stx_size {
        let data = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(data) => data,
            // There is none from here on.
            Err(Errno::NXIO) => break,
            // This file system does not tell.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let hole = rustix::fs::seek(file, SeekFrom::Hole(data))?.min(status.stx_size);
        if hole <= data {
            break;
        }
        runs.push(FileRun { offset: data, length: hole - data });
        if runs.len() > MOST_RUNS {
            return Ok(None);
        }
        at = hole;
    }
    let whole = runs.len() == 1 && runs[0].offset == 0 && runs[0].length == status.stx_size;
    Ok((!whole).then_some(runs))
}
