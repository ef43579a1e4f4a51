//! What the host sends to a process's stdin, by absolute offset.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes};
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

use crate::error::{AgentError, Result};
use crate::proto::StdinWindow;
use crate::sync::lock;

/// Bytes that the host may send beyond what the process has taken.
pub const INPUT_WINDOW: u64 = 1 << 20;

#[derive(Debug, Default)]
struct Queue {
    data: VecDeque<Bytes>,
    /// Everything below was taken from the host.
    accepted: u64,
    /// Everything below was written to the process, or dropped because it reads no more.
    consumed: u64,
    end: Option<u64>,
    closed: bool,
    owner: u64,
}

/// stdin of one process.
#[derive(Debug)]
pub struct InputQueue {
    queue: Mutex<Queue>,
    grown: Notify,
    changed: Arc<Notify>,
}

/// The right of an attachment to write. The newest holder has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputClaim(u64);

/// What to do next for the process.
enum Step {
    Write(Bytes),
    End,
    Nothing,
}

impl InputQueue {
    /// An empty queue that tells `changed` of window changes.
    pub fn new(changed: Arc<Notify>) -> Self {
        Self { queue: Mutex::default(), grown: Notify::new(), changed }
    }

    /// Takes stdin over from whoever had it.
    pub fn claim(&self) -> InputClaim {
        let mut queue = lock(&self.queue);
        queue.owner += 1;
        InputClaim(queue.owner)
    }

    /// What the host may send.
    pub fn window(&self) -> StdinWindow {
        let queue = lock(&self.queue);
        StdinWindow { accepted: queue.accepted, limit: queue.consumed + INPUT_WINDOW }
    }

    /// Takes bytes at `offset`; those that were taken before are skipped.
    pub fn push(&self, claim: InputClaim, offset: u64, mut data: Bytes) -> Result<()> {
        let mut queue = lock(&self.queue);
        check_claim(&queue, claim)?;
        let Some(end) = offset.checked_add(data.len() as u64) else {
            return Err(AgentError::invalid("stdin offset overflows"));
        };
        if offset > queue.accepted {
            return Err(AgentError::invalid(format!("stdin at offset {offset} leaves a gap after {}", queue.accepted)));
        }
        if end > queue.consumed + INPUT_WINDOW {
            return Err(AgentError::invalid(format!("stdin up to offset {end} exceeds the window")));
        }
        if queue.end.is_some_and(|last| end > last) {
            return Err(AgentError::invalid(format!("stdin up to offset {end} is beyond its end")));
        }
        if end <= queue.accepted {
            return Ok(());
        }
        data.advance((queue.accepted - offset) as usize);
        queue.accepted = end;
        if queue.closed {
            queue.consumed = end;
            drop(queue);
            self.changed.notify_waiters();
        } else {
            queue.data.push_back(data);
            drop(queue);
            self.grown.notify_one();
        }
        Ok(())
    }

    /// stdin is closed once everything up to `offset` was written.
    pub fn finish(&self, claim: InputClaim, offset: u64) -> Result<()> {
        let mut queue = lock(&self.queue);
        check_claim(&queue, claim)?;
        if offset < queue.accepted || queue.end.is_some_and(|end| end != offset) {
            return Err(AgentError::invalid(format!("stdin cannot end at offset {offset}")));
        }
        queue.end = Some(offset);
        drop(queue);
        self.grown.notify_one();
        Ok(())
    }

    fn step(&self) -> Step {
        let mut queue = lock(&self.queue);
        match queue.data.pop_front() {
            Some(data) => Step::Write(data),
            None if queue.closed || queue.end == Some(queue.consumed) => Step::End,
            None => Step::Nothing,
        }
    }

    fn consume(&self, count: usize) {
        lock(&self.queue).consumed += count as u64;
        self.changed.notify_waiters();
    }

    /// The process reads no more: what is queued, and what comes, is dropped.
    pub fn close(&self) {
        let mut queue = lock(&self.queue);
        queue.closed = true;
        queue.data.clear();
        queue.consumed = queue.accepted;
        drop(queue);
        self.grown.notify_one();
        self.changed.notify_waiters();
    }
}

fn check_claim(queue: &Queue, claim: InputClaim) -> Result<()> {
    if queue.owner == claim.0 {
        Ok(())
    } else {
        Err(AgentError::conflict("stdin was taken over by a newer attachment"))
    }
}

/// Writes what the host sends to `target` until its end or until the process reads no more.
///
/// Calls `written` with every piece that was taken.
pub async fn pump(queue: Arc<InputQueue>, target: Arc<AsyncFd<OwnedFd>>, written: impl Fn(&[u8])) -> io::Result<()> {
    loop {
        match queue.step() {
            Step::End => return Ok(()),
            Step::Nothing => queue.grown.notified().await,
            Step::Write(mut data) => {
                while !data.is_empty() {
                    match write(&target, &data).await {
                        Ok(count) => {
                            let taken = data.split_to(count);
                            queue.consume(count);
                            written(&taken);
                        }
                        Err(rustix::io::Errno::PIPE | rustix::io::Errno::IO) => {
                            queue.close();
                            return Ok(());
                        }
                        Err(error) => {
                            queue.close();
                            return Err(error.into());
                        }
                    }
                }
            }
        }
    }
}

async fn write(target: &AsyncFd<OwnedFd>, data: &[u8]) -> rustix::io::Result<usize> {
    loop {
        match rustix::io::write(target.get_ref(), data) {
            Err(rustix::io::Errno::AGAIN) => {}
            Err(rustix::io::Errno::INTR) => continue,
            result => return result,
        }
        // Only the write above decides whether it would block; readiness may be stale.
        let Ok(mut guard) = target.writable().await else { return Err(rustix::io::Errno::IO) };
        match guard.try_io(|target| Ok(rustix::io::write(target.get_ref(), data)?)) {
            Ok(Ok(count)) => return Ok(count),
            Ok(Err(error)) => return Err(rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO)),
            Err(_would_block) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys;
    use proptest::prelude::*;

    fn queue() -> Arc<InputQueue> {
        Arc::new(InputQueue::new(Arc::new(Notify::new())))
    }

    fn drain(queue: &InputQueue) -> Vec<u8> {
        let mut all = Vec::new();
        while let Step::Write(data) = queue.step() {
            queue.consume(data.len());
            all.extend_from_slice(&data);
        }
        all
    }

    proptest! {
        #[test]
        fn resent_bytes_arrive_once(data in proptest::collection::vec(any::<u8>(), 1..300), resends in proptest::collection::vec((any::<usize>(), any::<usize>()), 0..20)) {
            let queue = queue();
            let claim = queue.claim();
            for (start, length) in resends {
                let accepted = queue.window().accepted as usize;
                let start = start % (accepted + 1);
                let end = (start + length % 40).min(data.len());
                queue.push(claim, start as u64, Bytes::copy_from_slice(&data[start..end])).unwrap();
            }
            let accepted = queue.window().accepted as usize;
            queue.push(claim, accepted as u64, Bytes::copy_from_slice(&data[accepted..])).unwrap();
            queue.finish(claim, data.len() as u64).unwrap();
            prop_assert_eq!(drain(&queue), data);
            prop_assert!(matches!(queue.step(), Step::End));
        }
    }

    #[test]
    fn gaps_overruns_and_bytes_beyond_the_end_are_refused() {
        let queue = queue();
        let claim = queue.claim();
        assert!(queue.push(claim, 1, Bytes::from_static(b"x")).is_err());
        assert!(queue.push(claim, u64::MAX, Bytes::from_static(b"x")).is_err());
        assert!(queue.push(claim, 0, vec![0; INPUT_WINDOW as usize + 1].into()).is_err());
        queue.push(claim, 0, Bytes::from_static(b"abc")).unwrap();
        assert!(queue.finish(claim, 2).is_err());
        queue.finish(claim, 3).unwrap();
        queue.finish(claim, 3).unwrap();
        assert!(queue.push(claim, 3, Bytes::from_static(b"d")).is_err());
    }

    #[test]
    fn the_newest_claim_writes() {
        let queue = queue();
        let old = queue.claim();
        let new = queue.claim();
        assert_eq!(queue.push(old, 0, Bytes::from_static(b"x")).map_err(|error| error.code()), Err("CONFLICT"));
        assert!(queue.push(new, 0, Bytes::from_static(b"x")).is_ok());
    }

    #[test]
    fn what_a_process_no_longer_reads_is_taken_and_dropped() {
        let queue = queue();
        let claim = queue.claim();
        queue.push(claim, 0, Bytes::from_static(b"abc")).unwrap();
        queue.close();
        queue.push(claim, 3, Bytes::from_static(b"def")).unwrap();
        assert_eq!(queue.window(), StdinWindow { accepted: 6, limit: 6 + INPUT_WINDOW });
    }

    #[tokio::test]
    async fn everything_is_written_through_a_full_pipe() -> io::Result<()> {
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&writer, true)?;
        let queue = queue();
        let claim = queue.claim();
        let data: Vec<u8> = (0..INPUT_WINDOW).map(|at| at as u8).collect();
        queue.push(claim, 0, data.clone().into()).unwrap();
        queue.finish(claim, INPUT_WINDOW).unwrap();
        let thread = std::thread::spawn(move || {
            let mut all = Vec::new();
            std::io::Read::read_to_end(&mut std::fs::File::from(reader), &mut all).map(|_| all)
        });
        pump(queue, Arc::new(sys::watch(writer, sys::READ_WRITE)?), |_| {}).await?;
        assert!(thread.join().is_ok_and(|all| all.is_ok_and(|all| all == data)));
        Ok(())
    }
}
