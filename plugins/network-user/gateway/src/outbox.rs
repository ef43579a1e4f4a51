//! Frames on their way to the guest, each behind its length (4 bytes, big-endian).

use std::io::{self, ErrorKind, Write};

use crate::config::Mac;

/// Bytes that may wait before what can wait does.
const SOFT_LIMIT: usize = 1 << 20;
/// Bytes that may wait before nothing more is read from the guest.
const HARD_LIMIT: usize = 2 << 20;
/// What is kept allocated while nothing waits.
const KEPT: usize = 512 << 10;
const PREFIX: usize = 4;
/// Bytes of an Ethernet header.
pub const ETHERNET_HEADER: usize = 14;

/// The queue of frames.
#[derive(Debug)]
pub struct Outbox {
    buffer: Vec<u8>,
    sent: usize,
    added: u64,
    to: Mac,
    from: Mac,
}

impl Outbox {
    /// An empty queue of frames between two addresses.
    pub fn new(to: Mac, from: Mac) -> Self {
        Self { buffer: Vec::new(), sent: 0, added: 0, to, from }
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.buffer.len() - self.sent
    }

    /// Bytes of all frames that were ever added, without their lengths.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether data may be added that could also come later or be lost.
    pub fn has_room(&self) -> bool {
        self.len() < SOFT_LIMIT
    }

    /// Whether the guest takes nothing, so that nothing more must be read from it.
    pub fn is_choked(&self) -> bool {
        self.len() >= HARD_LIMIT
    }

    /// Adds a frame whose payload of `length` bytes `fill` writes.
    pub fn frame<R>(&mut self, ether_type: u16, length: usize, fill: impl FnOnce(&mut [u8]) -> R) -> R {
        if self.sent > HARD_LIMIT {
            self.buffer.drain(..self.sent);
            self.sent = 0;
        }
        let frame = ETHERNET_HEADER + length;
        self.added += frame as u64;
        self.buffer.extend_from_slice(&(frame as u32).to_be_bytes());
        self.buffer.extend_from_slice(&self.to);
        self.buffer.extend_from_slice(&self.from);
        self.buffer.extend_from_slice(&ether_type.to_be_bytes());
        let start = self.buffer.len();
        self.buffer.resize(start + length, 0);
        fill(&mut self.buffer[start..])
    }

    /// Adds an IP packet of `length` bytes that `fill` writes.
    pub fn packet<R>(&mut self, length: usize, fill: impl FnOnce(&mut [u8]) -> R) -> R {
        let at = self.buffer.len() - if self.sent > HARD_LIMIT { self.sent } else { 0 };
        let result = self.frame(crate::packet::ETHER_IPV4, length, fill);
        if self.buffer[at + PREFIX + ETHERNET_HEADER] >> 4 == 6 {
            let ether_type = at + PREFIX + ETHERNET_HEADER - 2;
            self.buffer[ether_type..ether_type + 2].copy_from_slice(&crate::packet::ETHER_IPV6.to_be_bytes());
        }
        result
    }

    /// Writes what the stream takes. Returns whether nothing waits any more.
    pub fn flush(&mut self, stream: &mut impl Write) -> io::Result<bool> {
        while self.sent < self.buffer.len() {
            match stream.write(&self.buffer[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.clear();
        Ok(true)
    }

    /// Forgets what waits.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT);
        self.sent = 0;
    }

    /// The frames that wait, for tests.
    #[cfg(any(test, fuzzing))]
    pub fn frames(&self) -> Vec<Vec<u8>> {
        let mut rest = &self.buffer[self.sent..];
        let mut frames = Vec::new();
        while let Some((prefix, after)) = rest.split_first_chunk::<PREFIX>() {
            let length = u32::from_be_bytes(*prefix) as usize;
            frames.push(after[..length].to_vec());
            rest = &after[length..];
        }
        frames
    }
}
