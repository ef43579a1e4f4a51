//! A session takes any bytes for HTTP/2, and the next opening works whatever they were. The services are not there: on the
//! machine that fuzzes, they would do what they are told.
#![no_main]

use std::convert::Infallible;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use guest_init::transport::edge::EdgeFd;
use guest_init::transport::link::{HangUp, KeyStore, Switchboard, drive};
use guest_init::transport::opening::{ECHO_BYTES, NONCE_BYTES, encode_echo, encode_opening};
use guest_init::transport::session::{CurrentSession, Session};
use http_body_util::Empty;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

async fn serve(session: Session) {
    let answer = service_fn(|_| async { Ok::<_, Infallible>(http::Response::new(Empty::<bytes::Bytes>::new())) });
    let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(session), answer).await;
}

async fn run(input: &[u8]) {
    let (guest, host) = UnixStream::pair().expect("socket pair");
    let (sessions, mut opened) = mpsc::unbounded_channel();
    let keys = KeyStore::default();
    let board = Switchboard { keys: keys.clone(), current: CurrentSession::default(), hung_up: Default::default(), sessions };
    tokio::spawn(drive(EdgeFd::new(guest.into()).expect("edge"), HangUp::Ends, board));
    tokio::spawn(async move {
        while let Some(session) = opened.recv().await {
            tokio::spawn(serve(session));
        }
    });
    let mut host = tokio_stream(host);
    let key = keys.get().current;
    // Openings in the input would be answered too.
    let last = [0xa5; NONCE_BYTES];
    let mut bytes = encode_opening(&key, &[1; NONCE_BYTES]).to_vec();
    bytes.extend_from_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    bytes.extend_from_slice(input);
    bytes.extend_from_slice(&encode_opening(&key, &last));
    let expected = encode_echo(&last);
    let (mut reader, mut writer) = host.split();
    let write = async { writer.write_all(&bytes).await };
    let read = async {
        let mut all = Vec::new();
        let mut buffer = [0; 4096];
        while !all.windows(ECHO_BYTES).any(|window| window == expected) {
            match reader.read(&mut buffer).await {
                Ok(count) if count > 0 => all.extend_from_slice(&buffer[..count]),
                other => panic!("the link ended: {other:?}"),
            }
        }
    };
    let both = async { tokio::join!(write, read) };
    assert!(tokio::time::timeout(Duration::from_secs(20), both).await.is_ok(), "no echo");
}

fn tokio_stream(stream: UnixStream) -> tokio::net::UnixStream {
    (&stream).flush().expect("flush");
    stream.set_nonblocking(true).expect("non-blocking");
    tokio::net::UnixStream::from_std(stream).expect("stream")
}

fuzz_target!(|input: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(run(input));
});
