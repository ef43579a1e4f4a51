//! How a container's root file system differs from its image: what overlayfs keeps in its upper directory says exactly
//! that. A file that was only opened for writing lies there too, so what looks the same is compared.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bytes::Bytes;
use rustix::fs::{FileType as Kind, Mode, OFlags, Statx};
use tokio::sync::mpsc;
use tonic::Status;

use super::entry::{attribute, attributes, describe, kind_of};
use super::items::{ItemSender, Sending, Stop};
use super::path::{self, failed, join};
use super::read::{TreeReader, look};
use super::root::Files;
use crate::error::{AgentError, Result};
use crate::proto::{FileChange, FileChanges, FileEntry, FileType, file_change};

const DEPTH: usize = 400;
const WHITEOUT_PREFIX: &[u8] = b".wh.";

/// What became of a path.
pub use file_change::Kind as ChangeKind;

/// A file with what it is.
type Found = (OwnedFd, Statx);

/// One difference.
#[derive(Debug)]
pub struct Change<'walk> {
    /// What became of it.
    pub kind: ChangeKind,
    /// Relative to the root.
    pub path: Vec<u8>,
    /// What is there now; nothing where it was deleted.
    pub file: Option<(BorrowedFd<'walk>, &'walk Statx)>,
    /// A directory of which nothing of the image's is left.
    pub opaque: bool,
}

/// Is told of each difference, directories before what is in them.
pub trait Observer {
    /// Whether an opaque directory stands for the deletion of all that it hides.
    const OPAQUE_SAYS_IT: bool;
    /// Takes one.
    fn change(&mut self, change: Change<'_>) -> Sending;
}

/// Walks the upper directory.
#[derive(Debug)]
pub struct Walk {
    except: HashSet<Vec<u8>>,
}

/// One directory of the walk.
struct Place {
    upper: OwnedFd,
    /// The image's directory of the same path, if it has one.
    lower: Option<OwnedFd>,
    path: Vec<u8>,
    /// Whether nothing of the lower one shows through.
    opaque: bool,
}

/// A name in the upper directory, and what it means.
struct Named {
    path: Vec<u8>,
    upper: Found,
    lower: Option<Found>,
    kind: Option<ChangeKind>,
    opaque: bool,
}

impl Walk {
    /// A walk that does not tell of `except`, absolute paths of what was put there for the container.
    pub fn new(except: &[Bytes]) -> Self {
        let relative = |path: &Bytes| path.strip_prefix(b"/").unwrap_or(path).to_vec();
        Self { except: except.iter().map(relative).collect() }
    }

    /// Tells `observer` of all differences.
    pub fn run(&self, files: &Files, observer: &mut impl Observer) -> Sending {
        let place = Place { upper: files.upper()?, lower: Some(files.lower()?), path: Vec::new(), opaque: false };
        self.directory(&place, 0, observer).map(drop)
    }

    /// Tells of what is in a directory, after the directory itself where that is due.
    fn directory<O: Observer>(&self, place: &Place, depth: usize, observer: &mut O) -> Sending {
        if depth == DEPTH {
            let path = path::shown(&place.path);
            return Err(
                AgentError::unsupported(format!("changes: {path} lies in more than {DEPTH} directories")).into()
            );
        }
        let fail = |error| failed("compare", &place.path, error);
        let names = path::names(&place.upper).map_err(fail)?;
        if place.opaque && !O::OPAQUE_SAYS_IT {
            self.hidden(place, &names, observer)?;
        }
        for name in names {
            let Some(named) = self.named(place, &name)? else { continue };
            self.tell(&named, observer)?;
            if kind_of(&named.upper.1) == Kind::Directory {
                let lower = named.lower.filter(|(_, status)| kind_of(status) == Kind::Directory).map(|(fd, _)| fd);
                let Named { path, upper: (upper, _), opaque, .. } = named;
                self.directory(&Place { upper, lower, path, opaque }, depth + 1, observer)?;
            }
        }
        Ok(())
    }

    /// What an opaque directory hides and does not have again.
    fn hidden(&self, place: &Place, names: &[Vec<u8>], observer: &mut impl Observer) -> Sending {
        let Some(lower) = &place.lower else { return Ok(()) };
        for name in path::names(lower).map_err(|error| failed("compare", &place.path, error))? {
            let path = join(&place.path, &name);
            if names.binary_search(&name).is_err() && !self.except.contains(&path) {
                observer.change(Change { kind: ChangeKind::Deleted, path, file: None, opaque: false })?;
            }
        }
        Ok(())
    }

    fn tell(&self, named: &Named, observer: &mut impl Observer) -> Sending {
        let Some(kind) = named.kind else { return Ok(()) };
        let deleted = kind == ChangeKind::Deleted;
        let file = (!deleted).then(|| (named.upper.0.as_fd(), &named.upper.1));
        observer.change(Change { kind, path: named.path.clone(), file, opaque: named.opaque })
    }

    /// What a name in the upper directory stands for; nothing where it is gone.
    fn named(&self, place: &Place, name: &[u8]) -> Result<Option<Named>> {
        let Some(mut named) = self.alone(&place.upper, place.lower.as_ref(), join(&place.path, name), name)? else {
            return Ok(None);
        };
        let unchanged = named.kind.is_none() && !self.except.contains(&named.path);
        if unchanged && kind_of(&named.upper.1) == Kind::Directory && self.holds_changes(&named)? {
            named.kind = Some(ChangeKind::Modified);
        }
        Ok(Some(named))
    }

    /// The same without a look at what is in a directory.
    fn alone(&self, upper: &OwnedFd, lower: Option<&OwnedFd>, path: Vec<u8>, name: &[u8]) -> Result<Option<Named>> {
        let fail = |error| failed("compare", &path, error);
        let Some(upper) = look(upper, name).map_err(fail)? else { return Ok(None) };
        let lower = match lower {
            Some(directory) => look(directory, name).map_err(fail)?,
            None => None,
        };
        let directory = kind_of(&upper.1) == Kind::Directory;
        let opaque = directory && is_opaque(upper.0.as_fd()).map_err(fail)?;
        let kind = match &lower {
            _ if self.except.contains(&path) => None,
            _ if is_whiteout(&upper.1) => lower.is_some().then_some(ChangeKind::Deleted),
            None => Some(ChangeKind::Added),
            Some(lower) => {
                let same = match directory {
                    true => !opaque && same_description(&upper, lower).map_err(fail)?,
                    false => same_file(&upper, lower).map_err(fail)?,
                };
                (!same).then_some(ChangeKind::Modified)
            }
        };
        Ok(Some(Named { path, upper, lower, kind, opaque }))
    }

    /// Whether something in a directory has changed: then it has, too.
    fn holds_changes(&self, directory: &Named) -> Result<bool> {
        let fail = |error| failed("compare", &directory.path, error);
        let lower = directory.lower.as_ref().map(|(lower, _)| lower);
        for name in path::names(&directory.upper.0).map_err(fail)? {
            let path = join(&directory.path, &name);
            if self.alone(&directory.upper.0, lower, path, &name)?.is_some_and(|named| named.kind.is_some()) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn is_whiteout(status: &Statx) -> bool {
    kind_of(status) == Kind::CharacterDevice && status.stx_rdev_major == 0 && status.stx_rdev_minor == 0
}

fn is_opaque(directory: BorrowedFd<'_>) -> io::Result<bool> {
    for foreign in [&b"trusted.overlay.redirect"[..], b"trusted.overlay.metacopy"] {
        if attribute(directory, foreign)?.is_some() {
            // The mount's options forbid both.
            return Err(io::Error::other("a directory was renamed in a way that this guest does not do"));
        }
    }
    Ok(attribute(directory, b"trusted.overlay.opaque")?.is_some_and(|value| value == b"y"))
}

/// Kind, mode, owner and attributes.
fn same_description((one, first): &Found, (other, second): &Found) -> io::Result<bool> {
    Ok(first.stx_mode == second.stx_mode
        && first.stx_uid == second.stx_uid
        && first.stx_gid == second.stx_gid
        && attributes(one.as_fd())? == attributes(other.as_fd())?)
}

/// Whether a file is as the image has it, whatever was done to it meanwhile.
fn same_file(one: &Found, other: &Found) -> io::Result<bool> {
    let (first, second) = (&one.1, &other.1);
    let times = |status: &Statx| (status.stx_mtime.tv_sec, status.stx_mtime.tv_nsec);
    if first.stx_nlink != second.stx_nlink
        || first.stx_size != second.stx_size
        || times(first) != times(second)
        || !same_description(one, other)?
    {
        return Ok(false);
    }
    match kind_of(first) {
        Kind::RegularFile => same_content(&one.0, &other.0),
        Kind::Symlink => {
            Ok(rustix::fs::readlinkat(&one.0, c"", Vec::new())? == rustix::fs::readlinkat(&other.0, c"", Vec::new())?)
        }
        _ => Ok((first.stx_rdev_major, first.stx_rdev_minor) == (second.stx_rdev_major, second.stx_rdev_minor)),
    }
}

fn same_content(one: &OwnedFd, other: &OwnedFd) -> io::Result<bool> {
    const PIECE: usize = 64 << 10;
    let open = |fd: &OwnedFd| {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::open(path::of_descriptor(fd.as_fd()), flags, Mode::empty()).map(std::fs::File::from)
    };
    let (one, other) = (open(one)?, open(other)?);
    let (mut first, mut second) = (vec![0; PIECE], vec![0; PIECE]);
    let mut at = 0;
    loop {
        let count = fill(&one, &mut first, at)?;
        if fill(&other, &mut second, at)? != count || first[..count] != second[..count] {
            return Ok(false);
        }
        if count < PIECE {
            return Ok(true);
        }
        at += count as u64;
    }
}

fn fill(file: &std::fs::File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    use std::os::unix::fs::FileExt as _;
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Sends differences as a list.
#[derive(Debug)]
pub struct ChangeSender {
    sender: mpsc::Sender<std::result::Result<FileChanges, Status>>,
    changes: Vec<FileChange>,
}

impl ChangeSender {
    /// Sends to `sender`.
    pub fn new(sender: mpsc::Sender<std::result::Result<FileChanges, Status>>) -> Self {
        Self { sender, changes: Vec::new() }
    }

    fn flush(&mut self) -> Sending {
        let changes = std::mem::take(&mut self.changes);
        self.sender.blocking_send(Ok(FileChanges { changes })).map_err(|_| Stop::Gone)
    }

    /// Sends what is left, or why there is no more.
    pub fn finish(mut self, outcome: Sending) {
        if let Err(Stop::Failed(error)) = outcome.and_then(|()| self.flush()) {
            // The host may be gone already.
            let _ = self.sender.blocking_send(Err(error.into()));
        }
    }
}

impl Observer for ChangeSender {
    const OPAQUE_SAYS_IT: bool = false;

    fn change(&mut self, change: Change<'_>) -> Sending {
        const BATCH: usize = 1000;
        let path = [b"/", &change.path[..]].concat().into();
        self.changes.push(FileChange { kind: change.kind.into(), path });
        if self.changes.len() < BATCH { Ok(()) } else { self.flush() }
    }
}

/// Sends differences as a layer.
#[derive(Debug)]
pub struct LayerSender<'items> {
    items: TreeReader<'items>,
}

impl<'items> LayerSender<'items> {
    /// Sends to `items`.
    pub fn new(items: &'items mut ItemSender) -> Self {
        Self { items: TreeReader::new(items) }
    }
}

impl Observer for LayerSender<'_> {
    const OPAQUE_SAYS_IT: bool = true;

    fn change(&mut self, Change { path, file, opaque, .. }: Change<'_>) -> Sending {
        if path::split(&path).1.starts_with(WHITEOUT_PREFIX) {
            let shown = path::shown(&path);
            return Err(AgentError::unsupported(format!("a layer cannot hold {shown}: such names mean deleted files"))
                .hint("rename the file")
                .into());
        }
        let Some((file, status)) = file else {
            let r#type = FileType::Whiteout.into();
            return self.items.plain(FileEntry { path: path.into(), r#type, ..FileEntry::default() });
        };
        if kind_of(status) != Kind::Directory {
            return self.items.file(file, status, path);
        }
        let entry = describe(file, status, path.clone()).map_err(|error| failed("read", &path, error))?;
        self.items.plain(FileEntry { opaque, ..entry })
    }
}
