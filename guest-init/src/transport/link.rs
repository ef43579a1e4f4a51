//! Drives one link (a serial port or one vsock connection): reads always, finds openings, and feeds the session.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use super::edge::EdgeFd;
use super::opening::{Keys, Opening, OpeningMatcher, SessionKey, boot_key};
use super::session::{CurrentSession, Session, SessionHandle};
use crate::sync::lock;

const READ_BYTES: usize = 64 << 10;

/// The session keys in force.
#[derive(Debug, Clone)]
pub struct KeyStore {
    keys: Arc<Mutex<Keys>>,
}

impl Default for KeyStore {
    fn default() -> Self {
        Self { keys: Arc::new(Mutex::new(Keys { current: boot_key(), next: None })) }
    }
}

impl KeyStore {
    /// The keys in force.
    pub fn get(&self) -> Keys {
        *lock(&self.keys)
    }

    /// Gives the key for the next session. The one of this session stays in force until that has come.
    pub fn set_next(&self, key: SessionKey) {
        lock(&self.keys).next = Some(key);
    }

    /// The host has had the answer to the Hello that gave `key`: it makes further calls. From now on only this key opens.
    /// It matters most for the first session, whose own key everybody knows.
    pub fn settle(&self, key: SessionKey) {
        self.opened_with(key);
    }

    /// A session was opened with this key; from the next key's first session on it is the only one.
    fn opened_with(&self, key: SessionKey) {
        let mut keys = lock(&self.keys);
        if keys.next == Some(key) {
            *keys = Keys { current: key, next: None };
        }
    }
}

/// What all links share.
#[derive(Debug, Clone)]
pub struct Switchboard {
    /// The key in force.
    pub keys: KeyStore,
    /// The session under way.
    pub current: CurrentSession,
    /// Told when a serial port reports that its host has hung up, which may be late.
    pub hung_up: Arc<Notify>,
    /// Takes each new session.
    pub sessions: mpsc::UnboundedSender<Session>,
}

/// Whether a link goes on after the host has hung up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HangUp {
    /// A serial port: the next host comes on the same descriptor, and its opening ends the session.
    Waits,
    /// A connection: it is over.
    Ends,
}

/// Reads `link` for as long as it lasts. Each opening makes a session and ends the one before.
pub async fn drive(link: EdgeFd, hang_up: HangUp, board: Switchboard) -> io::Result<()> {
    let mut driver =
        Driver { matcher: OpeningMatcher::new(board.keys.get()), link: Arc::new(link), session: None, board };
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
                    Filled::HungUp if hang_up == HangUp::Ends => return Ok(()),
                    // The port's own account of its host comes by another queue than the data and may be late: the
                    // opening of the next host may have been read already. So this ends nothing.
                    Filled::HungUp => {
                        self.board.hung_up.notify_waiters();
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
        self.matcher.set_keys(self.board.keys.get());
        while let Some(opening) = self.matcher.scan(bytes) {
            bytes = &bytes[opening.end..];
            self.board.keys.opened_with(opening.key);
            self.matcher.set_keys(self.board.keys.get());
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
        let board =
            Switchboard { keys: keys.clone(), current: CurrentSession::default(), hung_up: Arc::default(), sessions };
        tokio::spawn(drive(EdgeFd::new(guest.into())?, HangUp::Ends, board));
        Ok((host, opened, keys))
    }

    async fn next(opened: &mut mpsc::UnboundedReceiver<Session>) -> io::Result<Session> {
        opened.recv().await.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    #[test]
    fn the_present_key_stays_in_force_until_the_next_one_has_opened_a_session() {
        let keys = KeyStore::default();
        keys.set_next([1; 32]);
        keys.opened_with(boot_key());
        assert_eq!(keys.get(), Keys { current: boot_key(), next: Some([1; 32]) });
        keys.set_next([2; 32]);
        keys.opened_with([2; 32]);
        assert_eq!(keys.get(), Keys { current: [2; 32], next: None });
        keys.set_next([3; 32]);
        keys.settle([9; 32]);
        assert_eq!(keys.get(), Keys { current: [2; 32], next: Some([3; 32]) });
        keys.settle([3; 32]);
        assert_eq!(keys.get(), Keys { current: [3; 32], next: None });
    }

    fn runtime() -> io::Result<tokio::runtime::Runtime> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()
    }

    #[tokio::test]
    async fn a_new_opening_ends_the_session_and_drops_what_it_had_queued() -> io::Result<()> {
        let (mut host, mut opened, keys) = start()?;
        host.write_all(&encode_opening(&keys.get().current, &[1; NONCE_BYTES]))?;
        host.write_all(b"first")?;
        let mut first = next(&mut opened).await?;
        let mut word = [0; 5];
        first.read_exact(&mut word).await?;
        first.write_all(b"never flushed").await?;
        host.write_all(&encode_opening(&keys.get().current, &[2; NONCE_BYTES]))?;
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
        host.write_all(&encode_opening(&keys.get().current, &[1; NONCE_BYTES]))?;
        let mut session = next(&mut opened).await?;
        drop(host);
        assert_eq!(session.read(&mut [0; 1]).await?, 0);
        Ok(())
    }

    #[tokio::test]
    async fn a_session_that_never_reads_is_ended_and_the_next_one_opens() -> io::Result<()> {
        let (mut host, mut opened, keys) = start()?;
        let flood = std::thread::spawn(move || -> io::Result<UnixStream> {
            host.write_all(&encode_opening(&keys.get().current, &[1; NONCE_BYTES]))?;
            host.write_all(&vec![0; INBOUND_OVERRUN])?;
            host.write_all(&encode_opening(&keys.get().current, &[2; NONCE_BYTES]))?;
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
                stream.extend_from_slice(&encode_opening(&keys.get().current, &[3; NONCE_BYTES]));
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
