//! A process that was started, from its start until it is released.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};

use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, watch};

use super::first_process;
use super::input::{self, InputQueue};
use super::output::{self, OutputLog};
use super::plan::ProcessPlan;
use super::terminal::{self, Terminal};
use crate::error::{AgentError, Result};
use crate::proto::ExitStatus;
use crate::sync::lock;
use crate::sys;

/// Room in the kernel for output, so that a process need not wait for PID 1 at every 64 KiB.
const PIPE_BYTES: usize = 256 << 10;

/// The guest's ends of a process's streams.
#[derive(Debug)]
struct Streams {
    stdin: Option<Arc<AsyncFd<OwnedFd>>>,
    stdout: Arc<AsyncFd<OwnedFd>>,
    stderr: Option<Arc<AsyncFd<OwnedFd>>>,
}

/// The process's ends, closed when dropped.
#[derive(Debug)]
pub struct ProcessEnds {
    stdin: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

impl ProcessEnds {
    /// stdin, stdout and stderr.
    pub fn stdio(&self) -> [std::os::fd::BorrowedFd<'_>; 3] {
        [self.stdin.as_fd(), self.stdout.as_fd(), self.stderr.as_fd()]
    }
}

/// Streams that were made for a process which is not there yet.
#[derive(Debug)]
pub struct Prepared {
    streams: Streams,
    terminal: bool,
    stdin: bool,
    held: Vec<OwnedFd>,
}

impl Prepared {
    /// Pipes, or the terminal, for a process that runs as `plan` says.
    pub fn new(plan: &ProcessPlan, stdin: bool, terminal: Option<Terminal>) -> Result<(Self, ProcessEnds)> {
        let made = match terminal {
            Some(terminal) => Self::with_terminal(plan, stdin, terminal),
            None => Self::with_pipes(plan, stdin),
        };
        made.map_err(|error| AgentError::system("make the process's streams", error))
    }

    /// The process has been started and has ends of its own. Those of its output pipes are kept until it has ended: else
    /// each that closes as it ends would wake this process, which would then answer piece by piece, in the middle of it.
    pub fn hold_outputs(&mut self, ends: ProcessEnds) {
        if !self.terminal {
            self.held = vec![ends.stdout, ends.stderr];
        }
    }

    fn with_terminal(plan: &ProcessPlan, stdin: bool, terminal: Terminal) -> io::Result<(Self, ProcessEnds)> {
        terminal.set_owner(plan.identity.uid)?;
        if let Some((rows, columns)) = plan.terminal_size {
            terminal.resize(rows, columns)?;
        }
        let follower = || terminal.follower().try_clone_to_owned();
        let ends = ProcessEnds { stdin: follower()?, stdout: follower()?, stderr: follower()? };
        let leader = Arc::new(sys::watch(terminal.into_leader(), sys::READ_WRITE)?);
        let streams = Streams { stdin: Some(leader.clone()), stdout: leader, stderr: None };
        Ok((Self { streams, terminal: true, stdin, held: Vec::new() }, ends))
    }

    fn with_pipes(plan: &ProcessPlan, stdin: bool) -> io::Result<(Self, ProcessEnds)> {
        let (stdout, stdout_end) = output_pipe(plan)?;
        let (stderr, stderr_end) = output_pipe(plan)?;
        let (stdin_pipe, stdin_end) = if stdin {
            let (end, writer) = pipe_with(PipeFlags::CLOEXEC)?;
            give(&end, plan)?;
            rustix::io::ioctl_fionbio(&writer, true)?;
            (Some(Arc::new(sys::watch(writer, Interest::WRITABLE)?)), end)
        } else {
            (None, std::fs::File::open("/dev/null")?.into())
        };
        let streams = Streams { stdin: stdin_pipe, stdout, stderr: Some(stderr) };
        Ok((
            Self { streams, terminal: false, stdin, held: Vec::new() },
            ProcessEnds { stdin: stdin_end, stdout: stdout_end, stderr: stderr_end },
        ))
    }
}

/// A process may open its streams anew (/dev/stdout), so they are its user's.
fn give(pipe: &OwnedFd, plan: &ProcessPlan) -> io::Result<()> {
    if plan.identity.uid == 0 {
        return Ok(());
    }
    Ok(rustix::fs::fchown(pipe, Some(rustix::fs::Uid::from_raw(plan.identity.uid)), None)?)
}

fn output_pipe(plan: &ProcessPlan) -> io::Result<(Arc<AsyncFd<OwnedFd>>, OwnedFd)> {
    let (reader, end) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::pipe::fcntl_setpipe_size(&end, PIPE_BYTES)?;
    give(&end, plan)?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    Ok((Arc::new(sys::watch(reader, Interest::READABLE)?), end))
}

/// A started process.
#[derive(Debug)]
pub struct Process {
    /// In the guest's root PID namespace.
    pub pid: u32,
    /// Whether it runs on a terminal.
    pub terminal: bool,
    /// What it wrote to stdout, or to its terminal.
    pub stdout: Arc<OutputLog>,
    /// What it wrote to stderr; nothing with a terminal.
    pub stderr: Option<Arc<OutputLog>>,
    /// What it is sent, if its stdin is open.
    pub stdin: Option<Arc<InputQueue>>,
    /// Told of all that happens to the process and its streams.
    pub changed: Arc<Notify>,
    pidfd: OwnedFd,
    leader: Option<Arc<AsyncFd<OwnedFd>>>,
    /// Keeps the output pipes from their end as long as the process runs.
    held: Mutex<Vec<OwnedFd>>,
    exit: watch::Sender<Option<ExitStatus>>,
    ended: watch::Sender<bool>,
    /// The signal that SIGKILL stands in for, or 0.
    stood_in_for: AtomicI32,
}

impl Process {
    /// Starts the traffic on a process's streams. Must be called within the runtime.
    pub fn new(pid: u32, pidfd: OwnedFd, prepared: Prepared) -> Arc<Self> {
        let changed = Arc::new(Notify::new());
        let Prepared { streams, terminal, stdin, held } = prepared;
        let process = Arc::new(Self {
            pid,
            terminal,
            stdout: Arc::new(OutputLog::new(changed.clone())),
            stderr: streams.stderr.is_some().then(|| Arc::new(OutputLog::new(changed.clone()))),
            stdin: stdin.then(|| Arc::new(InputQueue::new(changed.clone()))),
            changed,
            pidfd,
            leader: terminal.then(|| streams.stdout.clone()),
            held: Mutex::new(held),
            exit: watch::Sender::new(None),
            ended: watch::Sender::new(false),
            stood_in_for: AtomicI32::new(0),
        });
        process.start_pumps(streams);
        process
    }

    fn start_pumps(self: &Arc<Self>, streams: Streams) {
        let pump = |source, log| {
            let pump = output::pump(source, log, self.ended.subscribe());
            tokio::spawn(report(self.pid, pump));
        };
        pump(streams.stdout, self.stdout.clone());
        if let (Some(source), Some(log)) = (streams.stderr, &self.stderr) {
            pump(source, log.clone());
        }
        if let (Some(target), Some(queue)) = (streams.stdin, &self.stdin) {
            tokio::spawn(report(self.pid, feed(queue.clone(), target, self.clone())));
        }
    }

    /// The process is gone: what is left in its streams is taken and they end.
    pub fn end(&self, status: ExitStatus) {
        lock(&self.held).clear();
        self.ended.send_replace(true);
        if let Some(stdin) = &self.stdin {
            stdin.close();
        }
        self.exit.send_replace(Some(status));
        self.changed.notify_waiters();
    }

    /// How it ended, if it has.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Waits for its end.
    pub async fn wait(&self) -> ExitStatus {
        let mut exit = self.exit.subscribe();
        loop {
            if let Some(status) = *exit.borrow_and_update() {
                return status;
            }
            if exit.changed().await.is_err() {
                // The sender is part of `self`.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Sends a signal; fails when it has ended. One that a container's first process leaves to its default ends it.
    pub fn signal(&self, signal: i32) -> Result<()> {
        self.send(signal)?;
        self.stand_in_for(signal)
    }

    /// What a status of this process says after a signal that SIGKILL stood in for.
    pub fn attribute(&self, status: ExitStatus) -> ExitStatus {
        match self.stood_in_for.load(Ordering::Relaxed) {
            0 => status,
            signal if status.signal == libc::SIGKILL as u32 => {
                ExitStatus { code: 128 + signal as u32, signal: signal as u32, out_of_memory: false, ..status }
            }
            _ => status,
        }
    }

    fn stand_in_for(&self, signal: i32) -> Result<()> {
        if !first_process::is_kept_from(self.pid, signal) {
            return Ok(());
        }
        self.stood_in_for.store(signal, Ordering::Relaxed);
        self.send(libc::SIGKILL)
    }

    /// Characters that were typed reached the terminal, which makes signals of some.
    fn typed(&self, typed: &[u8]) -> Result<()> {
        let Some(leader) = &self.leader else { return Ok(()) };
        let leader = leader.get_ref().as_fd();
        for signal in terminal::typed_signals(leader, typed) {
            if terminal::foreground(leader) == Some(self.pid) {
                self.stand_in_for(signal)?;
            }
        }
        Ok(())
    }

    fn send(&self, signal: i32) -> Result<()> {
        if self.exit_status().is_some() {
            return Err(AgentError::conflict("the process has ended"));
        }
        // SAFETY: the null siginfo asks for an ordinary signal.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                std::os::fd::AsRawFd::as_raw_fd(&self.pidfd),
                signal,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        if sent == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            // It is a zombie or gone; its status is on the way.
            Some(libc::ESRCH) => Ok(()),
            Some(libc::EINVAL) => Err(AgentError::invalid(format!("{signal} is not a signal"))),
            _ => Err(AgentError::system("signal the process", error)),
        }
    }

    /// Sets its terminal's size.
    pub fn resize(&self, rows: u16, columns: u16) -> Result<()> {
        let Some(leader) = &self.leader else { return Err(AgentError::conflict("the process has no terminal")) };
        terminal::resize(leader.get_ref().as_fd(), rows, columns)
            .map_err(|error| AgentError::system("resize the terminal", error))
    }

    /// For entering its namespaces.
    pub fn pidfd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

async fn feed(queue: Arc<InputQueue>, target: Arc<AsyncFd<OwnedFd>>, process: Arc<Process>) -> io::Result<()> {
    let typed = |piece: &[u8]| {
        if let Err(error) = process.typed(piece) {
            eprintln!("guest-init: process {}: {error}", process.pid);
        }
    };
    input::pump(queue, target.clone(), typed).await?;
    // A pipe ends when this drops it; a terminal's reader is told by a character.
    if process.terminal
        && let Some(character) = terminal::end_of_input(target.get_ref().as_fd())
    {
        match rustix::io::write(target.get_ref(), &[character]) {
            Ok(_) | Err(rustix::io::Errno::IO | rustix::io::Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn report(pid: u32, pump: impl Future<Output = io::Result<()>>) {
    if let Err(error) = pump.await {
        eprintln!("guest-init: stream of process {pid}: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::spec;
    use crate::oci::user::Identity;
    use crate::process::output::Next;
    use crate::process::plan::Confinement;

    fn plan() -> Result<ProcessPlan> {
        let process = spec::Process { args: vec!["true".into()], cwd: "/".into(), ..spec::Process::default() };
        ProcessPlan::new("process", &process, Identity::default(), Confinement::default())
    }

    fn failed(error: io::Error) -> AgentError {
        AgentError::system("prepare the test", error)
    }

    fn started() -> Result<(Arc<Process>, OwnedFd)> {
        let (mut prepared, ends) = Prepared::new(&plan()?, false, None)?;
        let theirs = ends.stdout.try_clone().map_err(failed)?;
        prepared.hold_outputs(ends);
        let pidfd = std::fs::File::open("/dev/null").map_err(failed)?;
        Ok((Process::new(1, pidfd.into(), prepared), theirs))
    }

    async fn turns() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn an_output_that_is_closed_early_ends_with_the_process() -> Result<()> {
        let (process, theirs) = started()?;
        rustix::io::write(&theirs, b"x").map_err(|error| failed(error.into()))?;
        drop(theirs);
        turns().await;
        assert!(matches!(process.stdout.next(0), Next::Piece(piece) if piece.data == b"x"[..]));
        assert_eq!(process.stdout.next(1), Next::Nothing);
        process.end(ExitStatus::default());
        turns().await;
        assert_eq!(process.stdout.next(1), Next::End(1));
        assert_eq!(process.stderr.as_ref().map(|log| log.next(0)), Some(Next::End(0)));
        Ok(())
    }

    #[tokio::test]
    async fn an_output_that_a_child_of_the_process_has_too_ends_with_the_process() -> Result<()> {
        let (process, theirs) = started()?;
        process.end(ExitStatus::default());
        turns().await;
        assert_eq!(process.stdout.next(0), Next::End(0));
        drop(theirs);
        Ok(())
    }
}
