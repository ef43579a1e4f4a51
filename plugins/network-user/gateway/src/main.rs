//! `a3s-box-gateway`: reads what to serve from a line on standard input, confines itself, and says on standard output that it
//! is ready, in one line. `a3s-box-gateway --probe` says what works here and ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::ExitCode;

use gateway::config::{Config, Identity, Published};
use gateway::error::StartError;
use gateway::gateway::{End, Gateway};
use gateway::{confine, listen, ping};
use serde::Serialize;

const MAX_CONFIG: u64 = 1 << 20;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    Ready { ports: Vec<Published> },
    Probe { ping: bool },
    Error(StartError),
}

fn say(output: &mut File, line: &Line) -> bool {
    let Ok(mut text) = serde_json::to_vec(line) else { return false };
    text.push(b'\n');
    output.write_all(&text).is_ok()
}

fn main() -> ExitCode {
    let left = confine::leave_starter();
    let Ok(mut output) = take_output() else { return ExitCode::FAILURE };
    let started = left.and_then(|()| run(&mut output));
    match started {
        Err(error) => {
            say(&mut output, &Line::Error(error));
            ExitCode::FAILURE
        }
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(gateway)) => {
            drop(output);
            serve(gateway)
        }
    }
}

fn run(output: &mut File) -> Result<Option<Gateway>, StartError> {
    match std::env::args().nth(1).as_deref() {
        None => start(output),
        Some("--probe") => probe(output).map(|()| None),
        Some(other) => Err(StartError::new("INVALID_ARGUMENT", format!("unknown argument {other}"))),
    }
}

/// Standard output for the one line; afterwards it and standard error lead nowhere, whoever held their other ends.
fn take_output() -> io::Result<File> {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    for descriptor in [1, 2] {
        // SAFETY: the call takes no pointers.
        if unsafe { libc::dup2(null.as_raw_fd(), descriptor) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(output.into())
}

fn serve(mut gateway: Gateway) -> ExitCode {
    match gateway.run() {
        Ok(End::VmmGone | End::Abandoned) => ExitCode::SUCCESS,
        Ok(End::BadFrame) => ExitCode::from(2),
        Err(_) => ExitCode::FAILURE,
    }
}

/// Reads the configuration: a line, so that the pipe can stay open behind it.
fn read_config() -> Result<Config, StartError> {
    let mut text = Vec::new();
    for byte in io::stdin().lock().take(MAX_CONFIG).bytes() {
        match byte {
            Ok(b'\n') => return Config::parse(&text),
            Ok(byte) => text.push(byte),
            Err(error) => return Err(StartError::system("INTERNAL", "the configuration cannot be read", &error)),
        }
    }
    Err(StartError::new("INVALID_ARGUMENT", "the configuration is no line"))
}

fn start(output: &mut File) -> Result<Option<Gateway>, StartError> {
    let mut config = read_config()?;
    let failed = |what: &'static str| move |error: io::Error| StartError::system("NETWORK_FAILED", what, &error);
    let (listeners, ports) = listen::bind_all(&config.ports)?;
    config.ports.clone_from(&ports);
    let socket = UnixListener::bind(&config.socket).map_err(failed("the socket for the VMM cannot be made"))?;
    let undo_socket = Undo(config.socket.clone());
    let counters = UnixListener::bind(&config.counters).map_err(failed("the socket of the counters cannot be made"))?;
    let undo_counters = Undo(config.counters.clone());
    let seed = random().map_err(failed("there are no random numbers"))?;
    let identity = config.identity;
    let mut gateway = Gateway::new(config, seed).map_err(failed("the event queue cannot be made"))?;
    nonblocking(io::stdin().as_raw_fd())
        .and_then(|()| socket.set_nonblocking(true))
        .and_then(|()| counters.set_nonblocking(true))
        .and_then(|()| gateway.publish(listeners))
        .and_then(|()| gateway.listen(mio::net::UnixListener::from_std(socket), io::stdin().as_raw_fd()))
        .and_then(|()| gateway.tell(mio::net::UnixListener::from_std(counters)))
        .map_err(failed("the sockets cannot be served"))?;
    confine::confine(identity)?;
    if !say(output, &Line::Ready { ports }) {
        return Err(StartError::new("INTERNAL", "nobody reads that the gateway is ready"));
    }
    std::mem::forget((undo_socket, undo_counters));
    Ok(Some(gateway))
}

/// Removes a socket of a start that fails, while that is still possible.
struct Undo(PathBuf);

impl Drop for Undo {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    // SAFETY: the buffer is as long as is said.
    let count = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if count == bytes.len() as isize { Ok(u64::from_ne_bytes(bytes)) } else { Err(io::Error::last_os_error()) }
}

fn nonblocking(descriptor: i32) -> io::Result<()> {
    // SAFETY: the calls take no pointers.
    let result = unsafe {
        let flags = libc::fcntl(descriptor, libc::F_GETFL);
        libc::fcntl(descriptor, libc::F_SETFL, flags | libc::O_NONBLOCK)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Says whether the controls can be applied and what the host allows.
fn probe(output: &mut File) -> Result<(), StartError> {
    // SAFETY: the call takes no pointers.
    let root = unsafe { libc::geteuid() } == 0;
    // As boxes' gateways, which have groups of their own.
    let identity = root.then_some(Identity { uid: 0x7801_0000 + std::process::id() % 0x1_0000, gid: 0x7801_0000 });
    confine::confine(identity)?;
    let ping = ping::socket(true).is_ok();
    say(output, &Line::Probe { ping });
    Ok(())
}
