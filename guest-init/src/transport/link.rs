//! Drives one link (a serial port or one vsock connection): reads always, finds openings, and feeds the session.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::edge::EdgeFd;
use super::opening::{Opening, OpeningMatcher, SessionKey, boot_key};
use super::session::{CurrentSession, Session, SessionHandle};
use crate::sync::lock;

const READ_BYTES: usize = 64 << 10;

/// The session key in force.
#[derive(Debug, Clone)]
pub struct KeyStore {
    key: Arc<Mutex<SessionKey>>,
}

impl Default for KeyStore {
    fn default() -> Self {
        Self { key: Arc::new(Mutex::new(boot_key())) }
    }
}

impl KeyStore {
    /// The key in force.
    pub fn get(&self) -> SessionKey {
        *lock(&self.key)
    }

    /// Puts another key in force from the next opening on.
    pub fn set(&self, key: SessionKey) {
        *lock(&self.key) = key;
    }
}

/// What all links share.
#[derive(Debug, Clone)]
pub struct Switchboard {
    /// The key in force.
    pub keys: KeyStore,
    /// The session under way.
    pub current: CurrentSession,
    /// Takes each new session.
    pub sessions: mpsc::UnboundedSender<Session>,
}

/// Whether a link goes on after the host has hung up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HangUp {
    /// A serial port: the next host comes on the same descriptor.
    Waits,
    /// A connection: it is over.
    Ends,
}

/// Reads `link` for as long as it lasts. Each opening makes a session and ends the one before.
pub async fn drive(link: EdgeFd, hang_up: HangUp, board: Switchboard) -> io::Result<()> {
    let mut driver = Driver {
        matcher: OpeningMatcher::new(&board.keys.get()),
        link: Arc::new(link),
        session: None,
        board,
    };
    let result = driver.run(hang_up).await;
    driver.end_session();
    result
}

struct Driver {
    link: Arc<EdgeFd>,
    matcher: OpeningMatcher,
    session: Option<SessionHandle>,
    board: Switchboard,
}

enum Filled {
    /// Nothing more is there now.
    Empty,
    /// The buffer is full.
    Full,
    /// The host has hung up.
    HungUp,
}

impl Driver {
    async fn run(&mut self, hang_up: HangUp) -> io::Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let edge = self.link.edge().await?;
            if edge.writable
                && let Some(session) = &self.session
            {
                session.wake_writer();
            }
            if !edge.readable {
                continue;
            }
            loop {
                let (count, filled) = self.fill(&mut buffer)?;
                self.route(&buffer[..count]);
                match filled {
                    Filled::Full => tokio::task::yield_now().await,
                    Filled::Empty => break,
                    Filled::HungUp => {
                        self.end_session();
                        if hang_up == HangUp::Ends {
                            return Ok(());
                        }
                        break;
                    }
                }
            }
        }
    }

    fn fill(&self, buffer: &mut [u8]) -> io::Result<(usize, Filled)> {
        let mut count = 0;
        loop {
            if count == buffer.len() {
                return Ok((count, Filled::Full));
            }
            match self.link.read(&mut buffer[count..]) {
                Ok(0) => return Ok((count, Filled::HungUp)),
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok((count, Filled::Empty)),
                Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => return Ok((count, Filled::HungUp)),
                Err(error) => return Err(error),
            }
        }
    }

    fn route(&mut self, mut bytes: &[u8]) {
        self.matcher.set_key(&self.board.keys.get());
        while let Some(opening) = self.matcher.scan(bytes) {
            bytes = &bytes[opening.end..];
            self.open_session(&opening);
        }
        if let Some(session) = &self.session {
            session.deliver(Bytes::copy_from_slice(bytes));
        }
    }

    fn open_session(&mut self, opening: &Opening) {
        let (session, handle) = Session::new(self.link.clone(), &opening.nonce);
        self.board.current.replace(handle.clone());
        self.session = Some(handle);
        // The receiver lives as long as the guest.
        let _ = self.board.sessions.send(session);
    }

    fn end_session(&mut self) {
        if let Some(session) = self.session.take() {
            self.board.current.end(&session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::opening::{ECHO_BYTES, NONCE_BYTES, encode_echo, encode_opening};
    use super::*;
    use proptest::prelude::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn start() -> io::Result<(UnixStream, mpsc::UnboundedReceiver<Session>, KeyStore)> {
        let (guest, host) = UnixStream::pair()?;
        let (sessions, opened) = mpsc::unbounded_channel();
        let keys = KeyStore::default();
        let board = Switchboard { keys: keys.clone(), current: CurrentSession::default(), sessions };
        tokio::spawn(drive(EdgeFd::new(guest.into())?, HangUp::Ends, board));
        Ok((host, opened, keys))
    }

    async fn next(opened: &mut mpsc::UnboundedReceiver<Session>) -> io::Result<Session> {
        opened.recv().await.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn runtime() -> io::Result<tokio::runtime::Runtime> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()
    }

    #[tokio::test]
    async fn a_new_opening_ends_the_session_and_drops_what_it_had_queued() -> io::Result<()> {
        let (mut host, mut opened, keys) = start()?;
        host.write_all(&encode_opening(&keys.get(), &[1; NONCE_BYTES]))?;
        host.write_all(b"first")?;
        let mut first = next(&mut opened).await?;
        let mut word = [0; 5];
        first.read_exact(&mut word).await?;
        first.write_all(b"never flushed").await?;
        host.write_all(&encode_opening(&keys.get(), &[2; NONCE_BYTES]))?;
        host.write_all(b"second")?;
        let mut second = next(&mut opened).await?;
        assert_eq!(first.flush().await.err().map(|e| e.kind()), Some(io::ErrorKind::BrokenPipe));
        second.write_all(b"hello").await?;
        second.flush().await?;
        let mut reply = vec![0; ECHO_BYTES + 5];
        host.read_exact(&mut reply)?;
        assert_eq!(reply, [&encode_echo(&[2; NONCE_BYTES])[..], b"hello"].concat());
        let mut word = [0; 6];
        second.read_exact(&mut word).await?;
        assert_eq!(&word, b"second");
        Ok(())
    }

    #[tokio::test]
    async fn a_hang_up_ends_the_session() -> io::Result<()> {
        let (mut host, mut opened, keys) = start()?;
        host.write_all(&encode_opening(&keys.get(), &[1; NONCE_BYTES]))?;
        let mut session = next(&mut opened).await?;
        drop(host);
        assert_eq!(session.read(&mut [0; 1]).await?, 0);
        Ok(())
    }

    #[tokio::test]
    async fn a_session_that_never_reads_is_ended_and_the_next_one_opens() -> io::Result<()> {
        let (mut host, mut opened, keys) = start()?;
        let flood = std::thread::spawn(move || -> io::Result<UnixStream> {
            host.write_all(&encode_opening(&keys.get(), &[1; NONCE_BYTES]))?;
            host.write_all(&vec![0; INBOUND_OVERRUN])?;
            host.write_all(&encode_opening(&keys.get(), &[2; NONCE_BYTES]))?;
            Ok(host)
        });
        let mut first = next(&mut opened).await?;
        let _second = next(&mut opened).await?;
        assert_eq!(first.read(&mut [0; 1]).await?, 0);
        drop(flood.join());
        Ok(())
    }
    const INBOUND_OVERRUN: usize = 17 << 20;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_session_gets_exactly_the_bytes_after_its_opening(
            noise in proptest::collection::vec(any::<u8>(), 0..200),
            data in proptest::collection::vec(any::<u8>(), 1..5000),
            cut in 1usize..400,
        ) {
            let result: io::Result<Vec<u8>> = runtime()?.block_on(async {
                let (mut host, mut opened, keys) = start()?;
                let mut stream = noise;
                stream.extend_from_slice(&encode_opening(&keys.get(), &[3; NONCE_BYTES]));
                stream.extend_from_slice(&data);
                for piece in stream.chunks(cut) {
                    host.write_all(piece)?;
                    tokio::task::yield_now().await;
                }
                let mut session = next(&mut opened).await?;
                let mut received = vec![0; data.len()];
                session.read_exact(&mut received).await?;
                Ok(received)
            });
            prop_assert_eq!(result?, data);
        }
    }
}
