//! The duties of PID 1 around the agent: boot, the event loop, and the end of the machine.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use rustix::system::{RebootCommand, reboot};
use tokio::sync::mpsc;

use crate::boot::{self, BootError};
use crate::clock::PhaseRecorder;
use crate::events::EventLog;
use crate::guest::Guest;
use crate::oom::OomWatcher;
use crate::process::reaper::Reaper;
use crate::proto::{Ready, event};
use crate::service;
use crate::transport::edge::EdgeFd;
use crate::transport::link::{self, HangUp, KeyStore, Switchboard};
use crate::transport::port::{self, DeviceEvents};
use crate::transport::session::{CurrentSession, Session};
use crate::transport::vsock;

/// Runs the guest and never returns: when PID 1 cannot go on it says why on the console and powers the machine off.
pub fn run_as_pid1() -> ! {
    if std::process::id() != 1 {
        eprintln!(
            "guest-init {}: this is PID 1 of an A3S Box guest and does nothing elsewhere",
            env!("CARGO_PKG_VERSION")
        );
        std::process::exit(2);
    }
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("guest-init: fatal: {panic}");
        power_off();
    }));
    let Err(error) = run();
    eprintln!("guest-init: fatal: {error}");
    power_off()
}

/// Ends the machine. A reset, since the VMM is told to end on one (and a power-off would only halt).
pub fn power_off() -> ! {
    rustix::fs::sync();
    let error = reboot(RebootCommand::Restart).err();
    eprintln!("guest-init: reboot: {error:?}");
    std::process::abort()
}

/// Keeps memory that was freed for the next call: giving it back and faulting it in anew costs more than a small call.
fn keep_freed_memory() {
    // SAFETY: numbers only. What is not taken stays as it was.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
        libc::mallopt(libc::M_MMAP_THRESHOLD, KEPT_BYTES);
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

const KEPT_BYTES: libc::c_int = 1 << 20;

fn run() -> Result<Infallible, BootError> {
    keep_freed_memory();
    let mut phases = PhaseRecorder::start();
    let reaper = Reaper::new().map_err(BootError::at("take charge of child processes"))?;
    boot::boot()?;
    phases.end("mounts");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(BootError::at("start the event loop"))?;
    runtime.block_on(serve(reaper, phases))
}

async fn serve(reaper: Reaper, mut phases: PhaseRecorder) -> Result<Infallible, BootError> {
    let events = Arc::new(EventLog::default());
    let oom = OomWatcher::new().map_err(BootError::at("watch for out-of-memory kills"))?;
    let (sessions, opened) = mpsc::unbounded_channel();
    let board = Switchboard {
        keys: KeyStore::default(),
        current: CurrentSession::default(),
        hung_up: Arc::default(),
        sessions,
    };
    let transport = Transport::find().map_err(BootError::at("find the agent's transport"))?;
    phases.end("agent");
    let guest = Guest::new(events.clone(), reaper.registry(), oom, &board, phases.finish())
        .map_err(BootError::at("set up the agent"))?;
    events.push(event::Event::Ready(Ready {}));
    tokio::select! {
        result = transport.run(board) => result.map_err(BootError::at("agent transport")),
        result = reaper.run() => result.map_err(BootError::at("reap child processes")),
        result = guest.clone().watch_oom() => result.map_err(BootError::at("watch for out-of-memory kills")),
        result = serve_sessions(guest, opened) => result.map_err(BootError::at("serve the agent")),
    }
}

async fn serve_sessions(guest: Arc<Guest>, mut opened: mpsc::UnboundedReceiver<Session>) -> io::Result<Infallible> {
    while let Some(session) = opened.recv().await {
        tokio::spawn(service::serve(guest.clone(), session));
    }
    Err(io::ErrorKind::BrokenPipe.into())
}

/// Where the host is reached.
enum Transport {
    Port(EdgeFd),
    Waiting { devices: DeviceEvents, listener: Option<vsock::Listener> },
}

impl Transport {
    fn find() -> io::Result<Self> {
        let devices = DeviceEvents::subscribe()?;
        match port::open()? {
            Some(fd) => Ok(Self::Port(EdgeFd::new(fd)?)),
            None => {
                let listener = vsock::Listener::bind()?;
                listener.as_ref().map_or(Ok(()), vsock::Listener::announce)?;
                Ok(Self::Waiting { devices, listener })
            }
        }
    }

    async fn run(self, board: Switchboard) -> io::Result<Infallible> {
        let link = match self {
            Self::Port(link) => link,
            Self::Waiting { devices, listener } => {
                tokio::select! {
                    link = wait_for_port(&devices) => link?,
                    error = accept(listener, &board) => return Err(error),
                }
            }
        };
        link::drive(link, HangUp::Waits, board).await?;
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

async fn wait_for_port(devices: &DeviceEvents) -> io::Result<EdgeFd> {
    loop {
        if let Some(fd) = port::open()? {
            return EdgeFd::new(fd);
        }
        devices.changed().await?;
    }
}

async fn accept(listener: Option<vsock::Listener>, board: &Switchboard) -> io::Error {
    let Some(listener) = listener else { std::future::pending().await };
    loop {
        match listener.accept().await.and_then(EdgeFd::new) {
            Ok(link) => drop(tokio::spawn(link::drive(link, HangUp::Ends, board.clone()))),
            Err(error) => return error,
        }
    }
}
