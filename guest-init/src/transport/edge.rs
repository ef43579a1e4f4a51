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

/// What became true since the last wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// A read will not block (it may return end of file).
    pub readable: bool,
    /// A write will not block (it may fail).
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
        let interest =
            epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
        epoll::add(&events, &fd, epoll::EventData::new_u64(0), interest)?;
        Ok(Self { events: sys::watch(events, Interest::READABLE)?, fd })
    }

    /// Waits for the next edge. Cancel-safe.
    pub async fn edge(&self) -> io::Result<Edge> {
        loop {
            let mut guard = self.events.readable().await?;
            if let Some(edge) = self.take_edge()? {
                return Ok(edge);
            }
            guard.clear_ready();
            // An edge between the look and the clearing is seen here.
            if let Some(edge) = self.take_edge()? {
                return Ok(edge);
            }
        }
    }

    fn take_edge(&self) -> io::Result<Option<Edge>> {
        let mut event = [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }];
        let poll = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        match epoll::wait(self.events.get_ref(), &mut event, Some(&poll)) {
            Ok(0) => Ok(None),
            Ok(_) => {
                let flags = { event[0].flags };
                let ended =
                    flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR | epoll::EventFlags::RDHUP);
                Ok(Some(Edge {
                    readable: ended || flags.contains(epoll::EventFlags::IN),
                    writable: ended || flags.contains(epoll::EventFlags::OUT),
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
        assert!(edge.edge().await?.writable);
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
        edge.edge().await?;
        let error = edge.read(&mut [0; 8]).err().map(|error| error.kind());
        assert_eq!(error, Some(io::ErrorKind::WouldBlock));
        rustix::io::write(&theirs, b"x")?;
        assert!(edge.edge().await?.readable);
        assert_eq!(edge.read(&mut [0; 8])?, 1);
        Ok(())
    }
}
