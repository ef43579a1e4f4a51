//! What a process writes, kept by absolute offset until the host has it for good.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, watch};

use crate::clock;
use crate::sync::lock;

/// Bytes of output kept per stream; the guest reads no more until some are acknowledged.
pub const OUTPUT_WINDOW: u64 = 1 << 20;
/// Pieces kept per stream: a bound on the book-keeping of a process that writes byte by byte.
const PIECES_LIMIT: usize = 16 << 10;
const READ_BYTES: usize = 64 << 10;

/// Output that was read in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Absolute offset of its first byte.
    pub offset: u64,
    /// When it was read, nanoseconds since the Unix epoch.
    pub time: u64,
    /// The bytes.
    pub data: Bytes,
}

impl Piece {
    fn end(&self) -> u64 {
        self.offset + self.data.len() as u64
    }

    fn from(&self, offset: u64) -> Self {
        let skip = offset.saturating_sub(self.offset).min(self.data.len() as u64);
        Self { offset: self.offset + skip, time: self.time, data: self.data.slice(skip as usize..) }
    }
}

#[derive(Debug, Default)]
struct Kept {
    pieces: VecDeque<Piece>,
    start: u64,
    end: u64,
    ended: bool,
}

/// One output stream of one process.
#[derive(Debug)]
pub struct OutputLog {
    kept: Mutex<Kept>,
    space: Notify,
    changed: Arc<Notify>,
}

/// What a reader finds at its offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// More output.
    Piece(Piece),
    /// The stream ended at this offset.
    End(u64),
    /// Nothing yet.
    Nothing,
}

impl OutputLog {
    /// An empty stream that tells `changed` of all that happens.
    pub fn new(changed: Arc<Notify>) -> Self {
        Self { kept: Mutex::default(), space: Notify::new(), changed }
    }

    /// Appends what was just read.
    pub fn push(&self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        let mut kept = lock(&self.kept);
        let piece = Piece { offset: kept.end, time: clock::realtime(), data };
        kept.end = piece.end();
        kept.pieces.push_back(piece);
        drop(kept);
        self.changed.notify_waiters();
    }

    /// No more comes.
    pub fn end(&self) {
        lock(&self.kept).ended = true;
        self.changed.notify_waiters();
    }

    /// Where a reader that asks for `offset` starts: at the oldest kept byte at least, and not beyond the newest.
    pub fn clamp(&self, offset: u64) -> u64 {
        let kept = lock(&self.kept);
        offset.clamp(kept.start, kept.end)
    }

    /// What is at `offset`; it may start later if that was freed.
    pub fn next(&self, offset: u64) -> Next {
        let kept = lock(&self.kept);
        let index = kept.pieces.partition_point(|piece| piece.end() <= offset);
        match kept.pieces.get(index) {
            Some(piece) => Next::Piece(piece.from(offset)),
            None if kept.ended => Next::End(kept.end),
            None => Next::Nothing,
        }
    }

    /// Frees everything below `offset`.
    pub fn acknowledge(&self, offset: u64) {
        let mut kept = lock(&self.kept);
        let offset = offset.clamp(kept.start, kept.end);
        kept.start = offset;
        while kept.pieces.front().is_some_and(|piece| piece.end() <= offset) {
            kept.pieces.pop_front();
        }
        if let Some(front) = kept.pieces.front_mut() {
            *front = front.from(offset);
        }
        drop(kept);
        self.space.notify_one();
    }

    /// How many bytes may be read from the process now.
    fn room(&self) -> usize {
        let kept = lock(&self.kept);
        if kept.pieces.len() >= PIECES_LIMIT {
            return 0;
        }
        OUTPUT_WINDOW.saturating_sub(kept.end - kept.start) as usize
    }

    async fn wait_for_room(&self) -> usize {
        loop {
            match self.room() {
                0 => self.space.notified().await,
                room => return room,
            }
        }
    }
}

/// Reads `source` into `log` until its end.
///
/// A pipe or terminal may be held open by a process that outlives the one it belongs to, and a pipe is held open here as
/// long as that one runs. Once `exited` says that the owner has ended, what is in it is taken (a read of a terminal waits
/// for what is on its way inside the kernel) and the stream ends; later output of others is read and dropped, so that they
/// do not die of a broken pipe.
pub async fn pump(
    source: Arc<AsyncFd<OwnedFd>>,
    log: Arc<OutputLog>,
    mut exited: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    let result = loop {
        let room = log.wait_for_room().await.min(READ_BYTES);
        let owner_ended = *exited.borrow_and_update();
        let mut read = read(source.get_ref(), &mut buffer, room);
        if would_block(&read) {
            if owner_ended {
                break Ok(true);
            }
            tokio::select! {
                again = read_when_ready(&source, &mut buffer, room) => read = again,
                _ = exited.changed(), if !owner_ended => continue,
            }
        }
        match read {
            Ok(0) => break Ok(false),
            Ok(_) => log.push(buffer.split().freeze()),
            Err(error) => break Err(error),
        }
    };
    log.end();
    if result? {
        discard(&source).await?;
    }
    Ok(())
}

/// Reads and drops until the end.
async fn discard(source: &AsyncFd<OwnedFd>) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    while read_when_ready(source, &mut buffer, READ_BYTES).await? > 0 {
        buffer.clear();
    }
    Ok(())
}

fn would_block(read: &io::Result<usize>) -> bool {
    read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// Cancel-safe: what was read is in the buffer only when this returns.
async fn read_when_ready(source: &AsyncFd<OwnedFd>, buffer: &mut BytesMut, room: usize) -> io::Result<usize> {
    loop {
        let mut guard = source.readable().await?;
        if let Ok(read) = guard.try_io(|source| read(source.get_ref(), buffer, room)) {
            return read;
        }
    }
}

/// Appends what is there; 0 is the end.
fn read(source: &OwnedFd, buffer: &mut BytesMut, room: usize) -> io::Result<usize> {
    const WORTHWHILE: usize = 4 << 10;
    if buffer.capacity() - buffer.len() < WORTHWHILE {
        buffer.reserve(READ_BYTES);
    }
    let spare = buffer.spare_capacity_mut();
    let room = room.min(spare.len());
    loop {
        match rustix::io::read(source, &mut spare[..room]) {
            Ok((filled, _)) => {
                let count = filled.len();
                // SAFETY: the kernel has just written `count` bytes behind the buffer's length, within its capacity.
                unsafe { buffer.set_len(buffer.len() + count) };
                return Ok(count);
            }
            Err(rustix::io::Errno::INTR) => {}
            // A terminal whose other side is closed.
            Err(rustix::io::Errno::IO) => return Ok(0),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys;
    use proptest::prelude::*;
    use std::io::Write;

    fn log() -> OutputLog {
        OutputLog::new(Arc::new(Notify::new()))
    }

    fn read_from(log: &OutputLog, mut offset: u64) -> (u64, Vec<u8>) {
        let first = log.clamp(offset);
        offset = first;
        let mut data = Vec::new();
        while let Next::Piece(piece) = log.next(offset) {
            assert_eq!(piece.offset, offset);
            offset = piece.end();
            data.extend_from_slice(&piece.data);
        }
        (first, data)
    }

    proptest! {
        #[test]
        fn any_reader_gets_the_kept_bytes_at_their_offsets(
            writes in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..20),
            acknowledged in 0u64..600,
            from in 0u64..600,
        ) {
            let log = log();
            let all = writes.concat();
            for data in writes {
                log.push(data.into());
            }
            log.acknowledge(acknowledged);
            let start = acknowledged.min(all.len() as u64);
            let expected = from.clamp(start, all.len() as u64);
            let (first, data) = read_from(&log, from);
            prop_assert_eq!(first, expected);
            prop_assert_eq!(data, &all[expected as usize..]);
            log.end();
            prop_assert_eq!(log.next(all.len() as u64), Next::End(all.len() as u64));
        }
    }

    #[test]
    fn acknowledging_never_goes_back_or_beyond_what_was_written() {
        let log = log();
        log.push(Bytes::from_static(b"abcdef"));
        log.acknowledge(4);
        log.acknowledge(2);
        assert_eq!(log.clamp(0), 4);
        log.acknowledge(100);
        assert_eq!(log.clamp(0), 6);
        assert_eq!(log.next(6), Next::Nothing);
    }

    #[tokio::test]
    async fn reading_stops_at_the_window_and_goes_on_when_acknowledged() -> io::Result<()> {
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&reader, true)?;
        let total = 3 * OUTPUT_WINDOW as usize;
        let thread = std::thread::spawn(move || std::fs::File::from(writer).write_all(&vec![7; total]));
        let changed = Arc::new(Notify::new());
        let log = Arc::new(OutputLog::new(changed.clone()));
        let (_exit, exited) = watch::channel(false);
        let pump = tokio::spawn(pump(Arc::new(sys::watch(reader, sys::READ_WRITE)?), log.clone(), exited));
        let mut offset = 0;
        loop {
            let waiting = changed.notified();
            assert!(log.room() <= OUTPUT_WINDOW as usize);
            match log.next(offset) {
                Next::Piece(piece) => {
                    offset = piece.end();
                    log.acknowledge(offset);
                }
                Next::End(end) => break assert_eq!(end as usize, total),
                Next::Nothing => waiting.await,
            }
        }
        assert!(thread.join().is_ok_and(|written| written.is_ok()));
        pump.await?
    }

    #[tokio::test]
    async fn a_pipe_that_others_hold_open_ends_with_its_owner_after_what_is_in_it() -> io::Result<()> {
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&reader, true)?;
        let log = Arc::new(log());
        let (exit, exited) = watch::channel(false);
        let pump = tokio::spawn(pump(Arc::new(sys::watch(reader, sys::READ_WRITE)?), log.clone(), exited));
        rustix::io::write(&writer, b"last words")?;
        exit.send_replace(true);
        while log.next(10) != Next::End(10) {
            tokio::task::yield_now().await;
        }
        rustix::io::write(&writer, b"dropped")?;
        tokio::task::yield_now().await;
        drop(writer);
        pump.await??;
        assert_eq!(log.next(10), Next::End(10));
        Ok(())
    }
}
