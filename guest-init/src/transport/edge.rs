//! A file descriptor that is waited on by its edges.
//!
//! A virtio-serial port without a host polls ready and hung-up for ever, and tokio keeps a hang-up for good. So the
//! descriptor sits, edge-triggered, in an epoll instance of its own, and tokio waits on that.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use crate::sys;
use rustix::event::epoll;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

const READING: epoll::EventFlags = epoll::EventFlags::IN.union(epoll::EventFlags::RDHUP).union(epoll::EventFlags::ET);

/// What became true since the last wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// A read will not block (it may return end of file).
    pub readable: bool,
    /// Somebody waited for room, and a write will not block (it may fail).
    pub writable: bool,
}

/// Owns a non-blocking descriptor and its edges.
#[derive(Debug)]
pub struct EdgeFd {
    events: AsyncFd<OwnedFd>,
    fd: OwnedFd,
}

impl EdgeFd {
    /// Takes over `fd` and makes it non-blocking. Must be called within the runtime.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        let events = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&events, &fd, epoll::EventData::new_u64(0), READING)?;
        Ok(Self { events: sys::watch(events, Interest::READABLE)?, fd })
    }

    /// Waits for the next edge. That a write will not block is reported after [`EdgeFd::await_room`] alone: each message
    /// that the other side takes would be an edge. Cancel-safe.
    pub async fn edge(&self) -> io::Result<Edge> {
        loop {
            // Cleared before the look, so that an edge after it is not lost.
            self.events.readable().await?.clear_ready();
            if let Some(edge) = self.take_edge()? {
                return Ok(edge);
            }
        }
    }

    /// Asks for one edge when a write will not block, which may be at once.
    pub fn await_room(&self) -> io::Result<()> {
        self.listen_for(READING | epoll::EventFlags::OUT)
    }

    fn listen_for(&self, events: epoll::EventFlags) -> io::Result<()> {
        Ok(epoll::modify(self.events.get_ref(), &self.fd, epoll::EventData::new_u64(0), events)?)
    }

    fn take_edge(&self) -> io::Result<Option<Edge>> {
        let mut event = [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }];
        let poll = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        match epoll::wait(self.events.get_ref(), &mut event, Some(&poll)) {
            Ok(0) => Ok(None),
            Ok(_) => {
                let flags = { event[0].flags };
                if flags.contains(epoll::EventFlags::OUT) {
                    self.listen_for(READING)?;
                }
                let ended =
                    flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR | epoll::EventFlags::RDHUP);
                Ok(Some(Edge {
                    readable: ended || flags.contains(epoll::EventFlags::IN),
                    // Not by a hang-up: a writer that tries again asks for room again, and is told of the hang-up again.
                    writable: flags.contains(epoll::EventFlags::OUT),
                }))
            }
            Err(rustix::io::Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads what is there. `WouldBlock` when nothing is; then wait for an edge.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::io::read(&self.fd, &mut *buffer) {
                Err(rustix::io::Errno::INTR) => {}
                result => return Ok(result?),
            }
        }
    }

    /// Writes what fits. `WouldBlock` when nothing does; then wait for an edge.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(&self.fd, bytes) {
                Err(rustix::io::Errno::INTR) => {}
                result => return Ok(result?),
            }
        }
    }
}

impl AsFd for EdgeFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for EdgeFd {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.fd.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hung_up_descriptor_is_reported_once() -> io::Result<()> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let edge = EdgeFd::new(ours.into())?;
        drop(theirs);
        assert!(edge.edge().await?.readable);
        assert_eq!(edge.read(&mut [0; 8])?, 0);
        let second = tokio::time::timeout(std::time::Duration::from_millis(50), edge.edge()).await;
        assert!(second.is_err(), "a hang-up must not be reported for ever");
        Ok(())
    }

    #[tokio::test]
    async fn data_after_an_empty_read_is_seen() -> io::Result<()> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let edge = EdgeFd::new(ours.into())?;
        rustix::io::write(&theirs, b"x")?;
        assert!(edge.edge().await?.readable);
        assert_eq!(edge.read(&mut [0; 8])?, 1);
        let error = edge.read(&mut [0; 8]).err().map(|error| error.kind());
        assert_eq!(error, Some(io::ErrorKind::WouldBlock));
        rustix::io::write(&theirs, b"x")?;
        assert!(edge.edge().await?.readable);
        assert_eq!(edge.read(&mut [0; 8])?, 1);
        Ok(())
    }

    #[tokio::test]
    async fn room_is_reported_once_to_who_asked_for_it() -> io::Result<()> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let edge = EdgeFd::new(ours.into())?;
        let mut written = 0;
        while let Ok(count) = edge.write(&[7; 4096]) {
            written += count;
        }
        edge.await_room()?;
        let none = tokio::time::timeout(std::time::Duration::from_millis(50), edge.edge()).await;
        assert!(none.is_err(), "nothing was taken");
        std::io::Read::read_exact(&mut &theirs, &mut vec![0; written])?;
        assert!(edge.edge().await?.writable);
        assert!(edge.write(&[7; 4096]).is_ok());
        let again = tokio::time::timeout(std::time::Duration::from_millis(50), edge.edge()).await;
        assert!(again.is_err(), "nobody asked again");
        Ok(())
    }
}
