//! The one place that waits for child processes. PID 1 also inherits orphans; their statuses are nobody's, while the
//! status of a process that was started here goes to whoever started it, and is never lost to anyone else.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::mem::zeroed;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr::null_mut;
use std::sync::{Arc, Mutex};

use tokio::io::Interest;
use tokio::sync::oneshot;

use crate::clock;
use crate::sync::lock;
use crate::sys;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChildExit {
    /// Exit code if it returned.
    pub code: u32,
    /// Signal that ended it, else 0.
    pub signal: u32,
    /// Nanoseconds since the Unix epoch.
    pub time: u64,
}

type Waiting = HashMap<u32, oneshot::Sender<ChildExit>>;

/// Where processes are registered as they are started.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    waiting: Arc<Mutex<Waiting>>,
}

impl Registry {
    /// Starts a process by `start` so that its end cannot be seen before it is registered.
    pub fn start<T, E>(
        &self,
        start: impl FnOnce() -> Result<(u32, T), E>,
    ) -> Result<(T, oneshot::Receiver<ChildExit>), E> {
        let mut waiting = lock(&self.waiting);
        let (pid, started) = start()?;
        let (sender, receiver) = oneshot::channel();
        waiting.insert(pid, sender);
        Ok((started, receiver))
    }

    /// Reaps everything that has ended.
    fn reap(&self) -> io::Result<()> {
        loop {
            let mut waiting = lock(&self.waiting);
            let Some((pid, exit)) = wait_any()? else { return Ok(()) };
            if let Some(waiter) = waiting.remove(&pid) {
                // Whoever started it may have given up.
                let _ = waiter.send(exit);
            }
        }
    }
}

/// Takes the status of any child that has ended.
fn wait_any() -> io::Result<Option<(u32, ChildExit)>> {
    // SAFETY: all-zero is a valid siginfo_t; it outlives the call; the kernel fills in what si_pid and si_status read, or
    // leaves si_pid 0.
    let (result, pid, code, status) = unsafe {
        let mut info: libc::siginfo_t = zeroed();
        let result = libc::waitid(libc::P_ALL, 0, &raw mut info, libc::WEXITED | libc::WNOHANG);
        (result, info.si_pid(), info.si_code, info.si_status())
    };
    if result != 0 {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::ECHILD) => Ok(None),
            _ => Err(error),
        };
    }
    let status = status as u32;
    let (code, signal) = if code == libc::CLD_EXITED { (status & 0xff, 0) } else { (128 + status, status) };
    let exit = ChildExit { code, signal, time: clock::realtime() };
    Ok((pid > 0).then_some((pid as u32, exit)))
}

/// Receives SIGCHLD and reaps.
#[derive(Debug)]
pub struct Reaper {
    signals: OwnedFd,
    registry: Registry,
}

impl Reaper {
    /// Blocks SIGCHLD for this thread and those that it starts from now on. Called before any other thread is there.
    pub fn new() -> io::Result<Self> {
        // SAFETY: an all-zero signal set may be passed to sigemptyset; the set outlives the calls; the descriptor is
        // checked before it is owned.
        unsafe {
            let mut set: libc::sigset_t = zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGCHLD);
            if libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, null_mut()) != 0 {
                return Err(io::Error::last_os_error());
            }
            let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(Self { signals: OwnedFd::from_raw_fd(fd), registry: Registry::default() })
        }
    }

    /// Where to register processes.
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// Reaps for ever.
    pub async fn run(self) -> io::Result<Infallible> {
        let signals = sys::watch(self.signals, Interest::READABLE)?;
        loop {
            self.registry.reap()?;
            let mut guard = signals.readable().await?;
            let mut info = [0u8; size_of::<libc::signalfd_siginfo>()];
            match rustix::io::read(signals.get_ref(), &mut info) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => guard.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
