//! Putting files into a container. Everything is resolved beneath its root, by descriptors: neither an entry nor a symbolic
//! link that the workload makes meanwhile leads elsewhere.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType as Kind, Mode, OFlags};
use rustix::io::Errno;

use super::entry::{apply, kind_of, set_time};
use super::path::{self, failed, shown, split};
use super::read::look;
use crate::error::{AgentError, Result};
use crate::proto::{FileEntry, FileItem, FileRun, FileType, WriteFilesOpen, file_item};

/// A file whose data is still coming.
#[derive(Debug)]
struct Incoming {
    file: OwnedFd,
    entry: FileEntry,
    runs: std::vec::IntoIter<FileRun>,
    at: u64,
    end: u64,
}

/// Puts entries into a directory.
#[derive(Debug)]
pub struct TreeWriter {
    root: OwnedFd,
    /// The directory that everything goes into.
    target: Vec<u8>,
    keep_owners: bool,
    incoming: Option<Incoming>,
    /// Times of directories that were described; set at the end, since what is made in them changes them.
    directories: HashMap<Vec<u8>, FileEntry>,
    bytes: u64,
}

impl TreeWriter {
    /// Writes where `open` says.
    pub fn new(root: &OwnedFd, open: &WriteFilesOpen) -> Result<Self> {
        let path: &[u8] = if open.directory.is_empty() { b"/" } else { &open.directory };
        let fail = |error| failed("copy to", path, error);
        path::open(root.as_fd(), path, path::DIRECTORY).map_err(fail)?;
        Ok(Self {
            root: root.try_clone().map_err(fail)?,
            target: path.to_vec(),
            keep_owners: open.keep_owners,
            incoming: None,
            directories: HashMap::new(),
            bytes: 0,
        })
    }

    /// Takes the next item.
    pub fn item(&mut self, item: FileItem) -> Result<()> {
        match item.item {
            Some(file_item::Item::Entry(entry)) => {
                self.complete()?;
                self.entry(entry)
            }
            Some(file_item::Item::Data(data)) => self.data(&data),
            None => Err(AgentError::invalid("write: an item says nothing")),
        }
    }

    /// Finishes the last file, and gives directories their times. Returns how many bytes of files were written.
    pub fn finish(mut self) -> Result<u64> {
        self.complete()?;
        for (path, entry) in &self.directories {
            // One that was moved away meanwhile is somebody else's.
            if let Ok(directory) = self.open_beneath(path, path::DIRECTORY) {
                set_time(directory, entry).map_err(|error| failed("copy to", path, error))?;
            }
        }
        Ok(self.bytes)
    }

    /// Opens what is in the target, following the container's own links within its root.
    fn open_beneath(&self, path: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
        path::open(self.root.as_fd(), &path::join(&self.target, path), flags)
    }

    fn entry(&mut self, entry: FileEntry) -> Result<()> {
        let path = entry.path.clone();
        path::check_relative(&path)?;
        let kind = entry.r#type();
        if path == "." {
            // The target is there, and stays as it is.
            return match kind {
                FileType::Directory => Ok(()),
                _ => Err(AgentError::invalid("write: only a directory can be \".\"")),
            };
        }
        let (directory, name) = split(&path);
        let fail = |error| failed("copy to", &path, error);
        let parent = self.parent(directory)?;
        let existing = look(&parent, name).map_err(fail)?;
        if let Some((file, status)) = existing {
            let there = kind_of(&status) == Kind::Directory;
            if there && kind == FileType::Directory {
                return self.directory(file, entry);
            }
            if there {
                return Err(AgentError::conflict(format!("cannot overwrite directory {} with a file", shown(&path))));
            }
            if kind == FileType::Directory {
                return Err(AgentError::conflict(format!("cannot overwrite file {} with a directory", shown(&path))));
            }
            match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(fail(error.into())),
            }
        }
        self.make(&parent, name, entry)
    }

    fn make(&mut self, parent: &OwnedFd, name: &[u8], entry: FileEntry) -> Result<()> {
        let fail = |error: io::Error| failed("copy to", &entry.path, error);
        match entry.r#type() {
            FileType::Directory => {
                rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o700)).map_err(|error| fail(error.into()))?;
                let made = look(parent, name).map_err(fail)?.ok_or_else(|| fail(Errno::NOENT.into()))?;
                self.directory(made.0, entry)
            }
            FileType::Regular => self.begin(parent, name, entry),
            FileType::HardLink => self.link(parent, name, &entry),
            FileType::SymbolicLink => {
                rustix::fs::symlinkat(&entry.link[..], parent, name).map_err(|error| fail(error.into()))?;
                self.describe(parent, name, &entry, Kind::Symlink)
            }
            FileType::Fifo => self.node(parent, name, &entry, Kind::Fifo),
            FileType::CharacterDevice => self.node(parent, name, &entry, Kind::CharacterDevice),
            FileType::BlockDevice => self.node(parent, name, &entry, Kind::BlockDevice),
            FileType::Unspecified | FileType::Whiteout | FileType::Socket => {
                Err(AgentError::invalid(format!("write: {} is of a type that cannot be written", shown(&entry.path))))
            }
        }
    }

    fn node(&self, parent: &OwnedFd, name: &[u8], entry: &FileEntry, kind: Kind) -> Result<()> {
        let device = rustix::fs::makedev(entry.device_major, entry.device_minor);
        rustix::fs::mknodat(parent, name, kind, Mode::from_raw_mode(0o600), device)
            .map_err(|error| failed("copy to", &entry.path, error.into()))?;
        self.describe(parent, name, entry, kind)
    }

    /// Gives what was just made its owner, mode and so on.
    fn describe(&self, parent: &OwnedFd, name: &[u8], entry: &FileEntry, kind: Kind) -> Result<()> {
        let fail = |error| failed("copy to", &entry.path, error);
        match look(parent, name).map_err(fail)? {
            Some((file, status)) if kind_of(&status) == kind => {
                apply(file.as_fd(), entry, self.owner(entry)).map_err(fail)
            }
            // The workload has put something else there, or nothing.
            _ => Ok(()),
        }
    }

    fn directory(&mut self, directory: OwnedFd, entry: FileEntry) -> Result<()> {
        apply(directory.as_fd(), &entry, self.owner(&entry)).map_err(|error| failed("copy to", &entry.path, error))?;
        self.directories.insert(entry.path.to_vec(), FileEntry { attributes: Vec::new(), ..entry });
        Ok(())
    }

    fn link(&self, parent: &OwnedFd, name: &[u8], entry: &FileEntry) -> Result<()> {
        path::check_relative(&entry.link)?;
        let fail = |error: io::Error| failed("copy to", &entry.link, error);
        let (directory, target) = split(&entry.link);
        let directory = self.open_beneath(directory, path::DIRECTORY).map_err(fail)?;
        rustix::fs::linkat(&directory, target, parent, name, AtFlags::empty()).map_err(|error| fail(error.into()))
    }

    /// The directory at a path, with what is missing of it (mode 0755, owner 0).
    fn parent(&self, path: &[u8]) -> Result<OwnedFd> {
        let fail = |error| failed("copy to", path, error);
        match self.open_beneath(path, path::DIRECTORY) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            result => return result.map_err(fail),
        }
        let (directory, name) = split(path);
        let parent = self.parent(directory)?;
        match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(fail(error.into())),
        }
        self.open_beneath(path, path::DIRECTORY).map_err(fail)
    }

    fn begin(&mut self, parent: &OwnedFd, name: &[u8], entry: FileEntry) -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fail = |error: Errno| failed("copy to", &entry.path, error.into());
        let file = rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o600)).map_err(fail)?;
        let runs = match (entry.sparse, entry.size) {
            (true, _) => entry.runs.clone(),
            (false, 0) => Vec::new(),
            (false, length) => vec![FileRun { offset: 0, length }],
        };
        rustix::fs::ftruncate(&file, entry.size).map_err(fail)?;
        self.incoming = Some(Incoming { file, entry, runs: runs.into_iter(), at: 0, end: 0 });
        Ok(())
    }

    fn data(&mut self, mut data: &[u8]) -> Result<()> {
        let Some(incoming) = &mut self.incoming else {
            return if data.is_empty() { Ok(()) } else { Err(AgentError::invalid("write: there is data of no file")) };
        };
        while !data.is_empty() {
            if incoming.at == incoming.end {
                let run = incoming.runs.next().filter(|run| run.length > 0);
                let within =
                    |run: &FileRun| run.offset.checked_add(run.length).is_some_and(|end| end <= incoming.entry.size);
                let Some(run) = run.filter(|run| run.offset >= incoming.end && within(run)) else {
                    let path = shown(&incoming.entry.path);
                    return Err(AgentError::invalid(format!("write: {path} has more data than it was said to have")));
                };
                (incoming.at, incoming.end) = (run.offset, run.offset + run.length);
            }
            let most = usize::try_from(incoming.end - incoming.at).unwrap_or(usize::MAX).min(data.len());
            let count = match rustix::io::pwrite(&incoming.file, &data[..most], incoming.at) {
                Err(Errno::INTR) => continue,
                result => result.map_err(|error| failed("copy to", &incoming.entry.path, error.into()))?,
            };
            incoming.at += count as u64;
            self.bytes += count as u64;
            data = &data[count..];
        }
        Ok(())
    }

    /// The file whose data was coming has all of it.
    fn complete(&mut self) -> Result<()> {
        let Some(mut incoming) = self.incoming.take() else { return Ok(()) };
        if incoming.at != incoming.end || incoming.runs.any(|run| run.length > 0) {
            let path = shown(&incoming.entry.path);
            return Err(AgentError::invalid(format!("write: {path} has less data than it was said to have")));
        }
        let owner = self.owner(&incoming.entry);
        apply(incoming.file.as_fd(), &incoming.entry, owner)
            .map_err(|error| failed("copy to", &incoming.entry.path, error))
    }

    fn owner(&self, entry: &FileEntry) -> (u32, u32) {
        if self.keep_owners { (entry.uid, entry.gid) } else { (0, 0) }
    }
}

#[cfg(test)]
mod tests;
