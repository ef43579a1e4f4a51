//! Finds session openings in the bytes that arrive (`proto/README.md`, "Session handshake").
//!
//! An opening may lie anywhere and be cut anywhere. No byte is held back: the matcher looks at copies of the last
//! bytes, so what it scans may be passed on at once.

use memchr::memmem::Finder;
use sha2::{Digest, Sha256};

/// Bytes of a session key.
pub const KEY_BYTES: usize = 32;
/// Bytes of the nonce that the host draws for every attempt.
pub const NONCE_BYTES: usize = 16;
/// Bytes of the checksum over key and nonce.
pub const CHECKSUM_BYTES: usize = 8;
/// Bytes of a whole opening.
pub const OPENING_BYTES: usize = KEY_BYTES + NONCE_BYTES + CHECKSUM_BYTES;
/// What the guest's answer begins with.
pub const ECHO_PREFIX: &[u8; 8] = b"A3SBOX1\n";
/// Bytes of the guest's answer.
pub const ECHO_BYTES: usize = ECHO_PREFIX.len() + NONCE_BYTES;

const TAIL_BYTES: usize = OPENING_BYTES - 1;
const BOOT_KEY_TEXT: &[u8] = b"a3s-box agent session v1";

/// The secret that opens sessions.
pub type SessionKey = [u8; KEY_BYTES];

/// The key of a freshly booted guest.
pub fn boot_key() -> SessionKey {
    Sha256::digest(BOOT_KEY_TEXT).into()
}

/// The opening that a host sends; here for tests and fuzzing.
pub fn encode_opening(key: &SessionKey, nonce: &[u8; NONCE_BYTES]) -> [u8; OPENING_BYTES] {
    let mut opening = [0; OPENING_BYTES];
    opening[..KEY_BYTES].copy_from_slice(key);
    opening[KEY_BYTES..KEY_BYTES + NONCE_BYTES].copy_from_slice(nonce);
    opening[KEY_BYTES + NONCE_BYTES..].copy_from_slice(&checksum(key, nonce));
    opening
}

/// The answer to an opening.
pub fn encode_echo(nonce: &[u8; NONCE_BYTES]) -> [u8; ECHO_BYTES] {
    let mut echo = [0; ECHO_BYTES];
    echo[..ECHO_PREFIX.len()].copy_from_slice(ECHO_PREFIX);
    echo[ECHO_PREFIX.len()..].copy_from_slice(nonce);
    echo
}

fn checksum(key: &[u8], nonce: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::new().chain_update(key).chain_update(nonce).finalize();
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(&digest[..CHECKSUM_BYTES]);
    checksum
}

/// The keys that open a session now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// Opened the session under way, or is to open the first.
    pub current: SessionKey,
    /// What the host was last given or gave to open the next one with. It may not know so, and use `current` again.
    pub next: Option<SessionKey>,
}

/// An opening that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The key that it was made with.
    pub key: SessionKey,
    /// The host's nonce, to be echoed.
    pub nonce: [u8; NONCE_BYTES],
    /// Offset in the scanned chunk of the first byte of the new session.
    pub end: usize,
}

fn finders(keys: &Keys) -> Vec<Finder<'static>> {
    std::iter::once(&keys.current).chain(&keys.next).map(|key| Finder::new(key).into_owned()).collect()
}

/// The first opening with one key, see `OpeningMatcher::find`.
fn find_with(finder: &Finder<'_>, bytes: &[u8], earlier: usize) -> Option<Opening> {
    let mut start = 0;
    while let Some(found) = finder.find(bytes.get(start..)?) {
        let begin = start + found;
        let opening = bytes.get(begin..begin + OPENING_BYTES)?;
        let (key, rest) = opening.split_at(KEY_BYTES);
        let (nonce, sum) = rest.split_at(NONCE_BYTES);
        if begin + OPENING_BYTES > earlier && checksum(key, nonce) == sum {
            let mut found =
                Opening { key: [0; KEY_BYTES], nonce: [0; NONCE_BYTES], end: begin + OPENING_BYTES - earlier };
            found.key.copy_from_slice(key);
            found.nonce.copy_from_slice(nonce);
            return Some(found);
        }
        start = begin + 1;
    }
    None
}

/// Streaming search for openings.
#[derive(Debug)]
pub struct OpeningMatcher {
    keys: Keys,
    finders: Vec<Finder<'static>>,
    tail: [u8; TAIL_BYTES],
    tail_len: usize,
}

impl OpeningMatcher {
    /// Starts with no bytes seen.
    pub fn new(keys: Keys) -> Self {
        Self { keys, finders: finders(&keys), tail: [0; TAIL_BYTES], tail_len: 0 }
    }

    /// Takes other keys, in force from the next opening on.
    pub fn set_keys(&mut self, keys: Keys) {
        if self.keys != keys {
            self.keys = keys;
            self.finders = finders(&keys);
        }
    }

    /// Scans the next bytes of the stream and returns the first opening that ends in them. Then the caller goes on with
    /// `chunk[opening.end..]`; without one, the whole chunk is scanned.
    pub fn scan(&mut self, chunk: &[u8]) -> Option<Opening> {
        let opening = self.scan_seam(chunk).or_else(|| self.find(chunk, 0));
        match opening {
            Some(_) => self.tail_len = 0,
            None => self.remember(chunk),
        }
        opening
    }

    /// Openings that began in earlier chunks. They end in the first bytes of this one, so before any that lies wholly in it.
    fn scan_seam(&self, chunk: &[u8]) -> Option<Opening> {
        if self.tail_len == 0 {
            return None;
        }
        let fresh = chunk.len().min(TAIL_BYTES);
        let mut seam = [0; 2 * TAIL_BYTES];
        seam[..self.tail_len].copy_from_slice(&self.tail[..self.tail_len]);
        seam[self.tail_len..self.tail_len + fresh].copy_from_slice(&chunk[..fresh]);
        self.find(&seam[..self.tail_len + fresh], self.tail_len)
    }

    /// Finds the first opening in `bytes`, of which the first `earlier` belong to earlier chunks and were scanned before.
    fn find(&self, bytes: &[u8], earlier: usize) -> Option<Opening> {
        self.finders.iter().filter_map(|finder| find_with(finder, bytes, earlier)).min_by_key(|opening| opening.end)
    }

    fn remember(&mut self, chunk: &[u8]) {
        if chunk.len() >= TAIL_BYTES {
            self.tail.copy_from_slice(&chunk[chunk.len() - TAIL_BYTES..]);
            self.tail_len = TAIL_BYTES;
            return;
        }
        let keep = self.tail_len.min(TAIL_BYTES - chunk.len());
        self.tail.copy_within(self.tail_len - keep..self.tail_len, 0);
        self.tail[keep..keep + chunk.len()].copy_from_slice(chunk);
        self.tail_len = keep + chunk.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `stream` in pieces and returns (nonce, absolute end) of every opening that was found.
    fn feed(key: &SessionKey, stream: &[u8], cuts: &[usize]) -> Vec<([u8; NONCE_BYTES], usize)> {
        let mut matcher = OpeningMatcher::new(Keys { current: *key, next: None });
        let mut found = Vec::new();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        for pair in cuts.windows(2) {
            let mut at = pair[0];
            while let Some(opening) = matcher.scan(&stream[at..pair[1]]) {
                at += opening.end;
                found.push((opening.nonce, at));
            }
        }
        found
    }

    /// The definition, byte by byte: an opening is found where the last 56 bytes since the last one are one.
    fn oracle(key: &SessionKey, stream: &[u8]) -> Vec<([u8; NONCE_BYTES], usize)> {
        let mut found = Vec::new();
        let mut from = 0;
        for end in 1..=stream.len() {
            if end - from >= OPENING_BYTES {
                let window = &stream[end - OPENING_BYTES..end];
                let mut nonce = [0; NONCE_BYTES];
                nonce.copy_from_slice(&window[KEY_BYTES..KEY_BYTES + NONCE_BYTES]);
                if window == encode_opening(key, &nonce) {
                    found.push((nonce, end));
                    from = end;
                }
            }
        }
        found
    }

    #[derive(Debug, Clone)]
    enum Piece {
        Noise(Vec<u8>),
        Opening([u8; NONCE_BYTES]),
        KeyPrefix(usize),
        WrongSum([u8; NONCE_BYTES]),
        Truncated([u8; NONCE_BYTES], usize),
    }

    fn piece() -> impl Strategy<Value = Piece> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200).prop_map(Piece::Noise),
            any::<[u8; NONCE_BYTES]>().prop_map(Piece::Opening),
            (0..=KEY_BYTES).prop_map(Piece::KeyPrefix),
            any::<[u8; NONCE_BYTES]>().prop_map(Piece::WrongSum),
            (any::<[u8; NONCE_BYTES]>(), 0..OPENING_BYTES).prop_map(|(nonce, len)| Piece::Truncated(nonce, len)),
        ]
    }

    fn build(key: &SessionKey, pieces: &[Piece]) -> Vec<u8> {
        let mut stream = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Noise(bytes) => stream.extend_from_slice(bytes),
                Piece::Opening(nonce) => stream.extend_from_slice(&encode_opening(key, nonce)),
                Piece::KeyPrefix(len) => stream.extend_from_slice(&key[..*len]),
                Piece::WrongSum(nonce) => {
                    let mut opening = encode_opening(key, nonce);
                    opening[OPENING_BYTES - 1] ^= 1;
                    stream.extend_from_slice(&opening);
                }
                Piece::Truncated(nonce, len) => stream.extend_from_slice(&encode_opening(key, nonce)[..*len]),
            }
        }
        stream
    }

    proptest! {
        #[test]
        fn finds_what_the_definition_finds_however_the_bytes_are_cut(
            pieces in proptest::collection::vec(piece(), 0..8),
            cuts in proptest::collection::vec(any::<usize>(), 0..40),
            repetitive in any::<bool>(),
        ) {
            let key = if repetitive { [b'a'; KEY_BYTES] } else { boot_key() };
            let stream = build(&key, &pieces);
            prop_assert_eq!(feed(&key, &stream, &cuts), oracle(&key, &stream));
        }

        #[test]
        fn finds_an_opening_one_byte_at_a_time(nonce in any::<[u8; NONCE_BYTES]>(), noise in proptest::collection::vec(any::<u8>(), 0..300)) {
            let key = boot_key();
            let mut stream = noise;
            stream.extend_from_slice(&encode_opening(&key, &nonce));
            let cuts: Vec<usize> = (0..stream.len()).collect();
            prop_assert_eq!(feed(&key, &stream, &cuts), vec![(nonce, stream.len())]);
        }
    }

    #[test]
    fn an_opening_inside_the_nonce_of_a_false_one_is_found() {
        let key = boot_key();
        let mut stream = key.to_vec();
        stream.extend_from_slice(&encode_opening(&key, &[7; NONCE_BYTES]));
        assert_eq!(feed(&key, &stream, &[40]), vec![([7; NONCE_BYTES], stream.len())]);
    }

    #[test]
    fn another_key_opens_nothing() {
        let stream = encode_opening(&[1; KEY_BYTES], &[2; NONCE_BYTES]);
        assert_eq!(feed(&boot_key(), &stream, &[]), vec![]);
    }

    #[test]
    fn a_new_key_is_in_force_from_the_next_opening_on() {
        let mut matcher = OpeningMatcher::new(Keys { current: boot_key(), next: None });
        assert_eq!(matcher.scan(b"noise"), None);
        matcher.set_keys(Keys { current: [9; KEY_BYTES], next: None });
        assert_eq!(matcher.scan(&encode_opening(&boot_key(), &[1; NONCE_BYTES])), None);
        let end = OPENING_BYTES;
        assert_eq!(
            matcher.scan(&encode_opening(&[9; KEY_BYTES], &[1; NONCE_BYTES])),
            Some(Opening { key: [9; KEY_BYTES], nonce: [1; NONCE_BYTES], end })
        );
    }

    #[test]
    fn either_key_opens_and_the_first_opening_counts() {
        let (old, new) = ([3; KEY_BYTES], [4; KEY_BYTES]);
        let mut stream = encode_opening(&new, &[1; NONCE_BYTES]).to_vec();
        stream.extend_from_slice(&encode_opening(&old, &[2; NONCE_BYTES]));
        let mut matcher = OpeningMatcher::new(Keys { current: old, next: Some(new) });
        let first = matcher.scan(&stream);
        assert_eq!(first, Some(Opening { key: new, nonce: [1; NONCE_BYTES], end: OPENING_BYTES }));
        let second = matcher.scan(&stream[OPENING_BYTES..]);
        assert_eq!(second, Some(Opening { key: old, nonce: [2; NONCE_BYTES], end: OPENING_BYTES }));
    }
}
