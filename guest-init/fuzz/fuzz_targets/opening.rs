//! The search for openings finds what its definition finds, however the bytes are cut.
#![no_main]

use guest_init::transport::opening::{
    KEY_BYTES, Keys, NONCE_BYTES, OPENING_BYTES, OpeningMatcher, boot_key, encode_opening,
};
use libfuzzer_sys::fuzz_target;

/// The input is a list of pieces: a tag, a length, and that many bytes. Tag 0 is noise, 1 an opening, 2 a part of one, 3
/// one with a wrong checksum. Each piece is also a cut.
fn build(input: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let key = boot_key();
    let mut stream = Vec::new();
    let mut cuts = Vec::new();
    let mut rest = input;
    while let [tag, length, tail @ ..] = rest {
        let (bytes, tail) = tail.split_at(tail.len().min(usize::from(*length)));
        rest = tail;
        let mut nonce = [0; NONCE_BYTES];
        for (to, from) in nonce.iter_mut().zip(bytes) {
            *to = *from;
        }
        let mut opening = encode_opening(&key, &nonce);
        match tag % 4 {
            0 => stream.extend_from_slice(bytes),
            1 => stream.extend_from_slice(&opening),
            2 => stream.extend_from_slice(&opening[..usize::from(*length) % OPENING_BYTES]),
            _ => {
                opening[OPENING_BYTES - 1 - usize::from(*length) % 8] ^= 1 + tag / 4;
                stream.extend_from_slice(&opening);
            }
        }
        cuts.push(stream.len().saturating_sub(usize::from(tag / 4)));
    }
    (stream, cuts)
}

fn oracle(stream: &[u8]) -> Vec<([u8; NONCE_BYTES], usize)> {
    let key = boot_key();
    let mut found = Vec::new();
    let mut from = 0;
    for end in OPENING_BYTES..=stream.len() {
        if end - from < OPENING_BYTES {
            continue;
        }
        let window = &stream[end - OPENING_BYTES..end];
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&window[KEY_BYTES..KEY_BYTES + NONCE_BYTES]);
        if window == encode_opening(&key, &nonce) {
            found.push((nonce, end));
            from = end;
        }
    }
    found
}

fuzz_target!(|input: &[u8]| {
    let (stream, mut cuts) = build(input);
    cuts.extend([0, stream.len()]);
    cuts.sort_unstable();
    let mut matcher = OpeningMatcher::new(Keys { current: boot_key(), next: None });
    let mut found = Vec::new();
    for pair in cuts.windows(2) {
        let mut at = pair[0];
        while let Some(opening) = matcher.scan(&stream[at..pair[1]]) {
            at += opening.end;
            found.push((opening.nonce, at));
        }
    }
    assert_eq!(found, oracle(&stream));
});
