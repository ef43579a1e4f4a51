//! One host session: the byte stream that HTTP/2 runs on between an opening and the session's end.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::edge::EdgeFd;
use super::opening::{ECHO_BYTES, NONCE_BYTES, encode_echo};
use crate::sync::lock;

/// A session that lets this much pile up unread does not keep to its HTTP/2 windows and is ended.
const INBOUND_LIMIT: usize = 16 << 20;
/// The most that the kernel's virtio-serial driver takes in one write.
const OUTBOUND_BYTES: usize = 32 << 10;

#[derive(Debug, Default)]
struct Inbound {
    queue: VecDeque<Bytes>,
    queued: usize,
    ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// The side of a session that the link's driver holds.
#[derive(Debug, Clone, Default)]
pub struct SessionHandle {
    inbound: Arc<Mutex<Inbound>>,
}

impl SessionHandle {
    /// Ends the session: both directions fail from now on and what was queued is dropped. Idempotent.
    pub fn end(&self) {
        let mut inbound = lock(&self.inbound);
        inbound.ended = true;
        inbound.queue.clear();
        inbound.queued = 0;
        let wakers = [inbound.reader.take(), inbound.writer.take()];
        drop(inbound);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Passes on bytes from the host. A session that does not take them in time is ended.
    pub fn deliver(&self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let mut inbound = lock(&self.inbound);
        if inbound.ended {
            return;
        }
        inbound.queued += bytes.len();
        inbound.queue.push_back(bytes);
        let overrun = inbound.queued > INBOUND_LIMIT;
        let reader = inbound.reader.take();
        drop(inbound);
        if overrun {
            self.end();
        }
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Tells a waiting writer that the link takes bytes again.
    pub fn wake_writer(&self) {
        let writer = lock(&self.inbound).writer.take();
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inbound, &other.inbound)
    }
}

/// The one session that is under way, over all links.
#[derive(Debug, Clone, Default)]
pub struct CurrentSession {
    handle: Arc<Mutex<Option<SessionHandle>>>,
}

impl CurrentSession {
    /// Puts a new session in the place of the one under way, which ends.
    pub fn replace(&self, handle: SessionHandle) {
        let previous = lock(&self.handle).replace(handle);
        if let Some(previous) = previous {
            previous.end();
        }
    }

    /// Ends `handle`'s session if it is still under way.
    pub fn end(&self, handle: &SessionHandle) {
        let mut current = lock(&self.handle);
        if current.as_ref().is_some_and(|current| current.is_same(handle)) {
            *current = None;
        }
        drop(current);
        handle.end();
    }
}

/// The stream that HTTP/2 reads and writes. Dropping it ends the session.
#[derive(Debug)]
pub struct Session {
    handle: SessionHandle,
    link: Arc<EdgeFd>,
    outbound: Vec<u8>,
    written: usize,
}

impl Session {
    /// A session on `link` that begins by answering the opening with this nonce.
    pub fn new(link: Arc<EdgeFd>, nonce: &[u8; NONCE_BYTES]) -> (Self, SessionHandle) {
        let handle = SessionHandle::default();
        let mut outbound = Vec::with_capacity(OUTBOUND_BYTES);
        outbound.extend_from_slice(&encode_echo(nonce));
        debug_assert_eq!(outbound.len(), ECHO_BYTES);
        (Self { handle: handle.clone(), link, outbound, written: 0 }, handle)
    }

    /// A handle to end this session with.
    pub fn handle(&self) -> SessionHandle {
        self.handle.clone()
    }

    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.outbound.len() {
            match self.poll_link_write(context, None) {
                Poll::Ready(Ok(count)) => self.written += count,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.outbound.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    /// Writes `bytes`, or what is queued, while the session lasts.
    fn poll_link_write(&self, context: &mut Context<'_>, bytes: Option<&[u8]>) -> Poll<io::Result<usize>> {
        let bytes = bytes.unwrap_or(&self.outbound[self.written..]);
        // The lock is held over the write so that nothing is written once `end` has returned.
        let mut inbound = lock(&self.handle.inbound);
        if inbound.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        match self.link.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                inbound.writer = Some(context.waker().clone());
                self.link.await_room()?;
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }
}

impl AsyncRead for Session {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut inbound = lock(&self.handle.inbound);
        if inbound.ended {
            return Poll::Ready(Ok(()));
        }
        if inbound.queue.is_empty() {
            inbound.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        while buffer.remaining() > 0
            && let Some(front) = inbound.queue.front_mut()
        {
            let count = front.len().min(buffer.remaining());
            buffer.put_slice(&front[..count]);
            front.advance(count);
            if front.is_empty() {
                inbound.queue.pop_front();
            }
            inbound.queued -= count;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Session {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.outbound.len() + bytes.len() > OUTBOUND_BYTES {
            match this.poll_drain(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if bytes.len() >= OUTBOUND_BYTES {
            return this.poll_link_write(context, Some(bytes));
        }
        this.outbound.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_drain(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.handle.end();
    }
}
