//! Pseudo-terminals.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::termios::{LocalModes, SpecialCodeIndex, Winsize, tcgetattr, tcgetpgrp, tcsetwinsize};

use crate::error::{AgentError, Result};

const GUEST_TERMINALS: &str = "/dev/pts/ptmx";
const TTY_GROUP: u32 = 5;

/// A new pseudo-terminal: the leader is ours, the follower is the process's.
#[derive(Debug)]
pub struct Terminal {
    leader: OwnedFd,
    follower: OwnedFd,
}

impl Terminal {
    /// Opens one of the container's terminals (`ptmx`, opened as a path only), or of the guest's.
    pub fn open(ptmx: Option<BorrowedFd<'_>>) -> Result<Self> {
        let failed = |error: io::Error| AgentError::system("open a terminal", error);
        let path =
            ptmx.map_or_else(|| GUEST_TERMINALS.to_owned(), |ptmx| format!("/proc/self/fd/{}", ptmx.as_raw_fd()));
        let opened = (|| {
            let leader = rustix::fs::open(path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
            unlockpt(&leader)?;
            let follower = ioctl_tiocgptpeer(&leader, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
            rustix::io::ioctl_fionbio(&leader, true)?;
            Ok::<_, io::Error>(Self { leader, follower })
        })();
        opened.map_err(failed)
    }

    /// The process's side.
    pub fn follower(&self) -> BorrowedFd<'_> {
        self.follower.as_fd()
    }

    /// Gives the terminal to a user.
    pub fn set_owner(&self, uid: u32) -> io::Result<()> {
        let group = rustix::fs::Gid::from_raw(TTY_GROUP);
        rustix::fs::fchown(&self.follower, Some(rustix::fs::Uid::from_raw(uid)), Some(group))?;
        Ok(rustix::fs::fchmod(&self.follower, Mode::from_raw_mode(0o620))?)
    }

    /// Sets its size.
    pub fn resize(&self, rows: u16, columns: u16) -> io::Result<()> {
        resize(self.leader.as_fd(), rows, columns)
    }

    /// Keeps the leader only.
    pub fn into_leader(self) -> OwnedFd {
        self.leader
    }
}

/// Sets a terminal's size through its leader.
pub fn resize(leader: BorrowedFd<'_>, rows: u16, columns: u16) -> io::Result<()> {
    Ok(tcsetwinsize(leader, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?)
}

/// The signals that the terminal makes of characters among `typed`.
pub fn typed_signals(leader: BorrowedFd<'_>, typed: &[u8]) -> Vec<i32> {
    let Ok(modes) = tcgetattr(leader) else { return Vec::new() };
    if !modes.local_modes.contains(LocalModes::ISIG) {
        return Vec::new();
    }
    [(SpecialCodeIndex::VINTR, libc::SIGINT), (SpecialCodeIndex::VQUIT, libc::SIGQUIT)]
        .into_iter()
        .filter(|&(code, _)| modes.special_codes[code] != 0 && typed.contains(&modes.special_codes[code]))
        .map(|(_, signal)| signal)
        .collect()
}

/// The process group that the terminal sends its signals to, by its leader's process id.
pub fn foreground(leader: BorrowedFd<'_>) -> Option<u32> {
    tcgetpgrp(leader).ok().map(|group| group.as_raw_nonzero().get() as u32)
}

/// The character that ends input, while the terminal reads by lines.
pub fn end_of_input(leader: BorrowedFd<'_>) -> Option<u8> {
    let modes = tcgetattr(leader).ok()?;
    modes.local_modes.contains(LocalModes::ICANON).then(|| modes.special_codes[SpecialCodeIndex::VEOF])
}
