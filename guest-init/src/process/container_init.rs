//! The init of a container that asked for one: this same executable, as the first process of the container's PID namespace.
//! It starts the container's command, passes signals on to it, reaps what becomes an orphan, and ends with its status.
//!
//! It is executed by descriptor, so nothing of it is in the container's files and nothing of an image is ever in its place.

use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::mem::zeroed;
use std::os::fd::{OwnedFd, RawFd};
use std::ptr::null_mut;

use rustix::fs::{Mode, OFlags};

use super::child::{self, Failure, Program};
use super::plan::{ProcessPlan, StringArray, candidates, search_path};
use super::report::{Report, Stage};

/// The first argument: what tells an init from PID 1 of the guest, and what `ps` shows.
pub const NAME: &CStr = c"a3s-box-init";
const SEPARATOR: &CStr = c"--";
/// The descriptor to say on that the command cannot be executed.
pub(super) const REPORT: RawFd = 3;
/// Ends like a shell whose command could not be started.
const CANNOT_START: c_int = 127;
const BY_SIGNAL: c_int = 128;

/// The executable to run as an init.
pub fn program() -> io::Result<OwnedFd> {
    Ok(rustix::fs::open("/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

/// Its arguments: the command.
pub(super) fn arguments(plan: &ProcessPlan) -> StringArray {
    StringArray::new(
        [NAME, SEPARATOR].into_iter().map(CStr::to_owned).chain(plan.arguments.strings().iter().cloned()).collect(),
    )
}

/// Runs as the init. `arguments` are those after its name.
pub fn run(arguments: &[&CStr]) -> ! {
    let Some(command) = arguments.get(1..).filter(|command| !command.is_empty()) else { exit(CANNOT_START) };
    // SAFETY: this process has one thread and nothing that a fork could upset.
    unsafe {
        libc::fcntl(REPORT, libc::F_SETFD, libc::FD_CLOEXEC);
        libc::prctl(libc::PR_SET_NAME, NAME.as_ptr());
        let mut all: libc::sigset_t = zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, null_mut());
        // Not by sigwaitinfo(2), which shows the signals as not blocked, as if they would do nothing to this process.
        let signals = libc::signalfd(-1, &raw const all, libc::SFD_CLOEXEC);
        if signals < 0 {
            say(&Failure::of(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EMFILE)));
            exit(CANNOT_START)
        }
        match libc::fork() {
            0 => become_command(command),
            -1 => {
                say(&Failure::of(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EAGAIN)));
                exit(CANNOT_START)
            }
            command => {
                libc::close(REPORT);
                attend(command, signals)
            }
        }
    }
}

/// In the child: a process group of its own, in the foreground of the terminal, and no signal blocked.
unsafe fn become_command(command: &[&CStr]) -> ! {
    let words: Vec<CString> = command.iter().map(|word| (*word).to_owned()).collect();
    let name = words[0].to_string_lossy().into_owned();
    let path = std::env::var_os("PATH").map(|path| format!("PATH={}", path.to_string_lossy()));
    let paths = candidates(&name, search_path(path.as_slice()));
    let paths: Vec<CString> = paths.into_iter().filter_map(|path| CString::new(path).ok()).collect();
    let arguments = StringArray::new(words);
    // SAFETY: the arrays are those of execve(2); `environ` is the C library's own.
    unsafe {
        libc::setpgid(0, 0);
        if libc::isatty(0) == 1 {
            libc::tcsetpgrp(0, libc::getpid());
        }
        let mut none: libc::sigset_t = zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, null_mut());
        let program = Program { candidates: &paths, arguments: arguments.as_ptr(), environment: environ, look: false };
        say(&child::execute(&program));
    }
    exit(CANNOT_START)
}

unsafe extern "C" {
    static environ: *const *const c_char;
}

fn say(failure: &Failure) {
    let bytes = Report { stage: Stage::Execute, errno: failure.errno, detail: failure.detail }.encode();
    // SAFETY: the buffer outlives the call. When nobody reads there is nobody to tell.
    unsafe { libc::write(REPORT, bytes.as_ptr().cast(), bytes.len()) };
}

/// Passes signals on and reaps, until the command has ended.
unsafe fn attend(command: libc::pid_t, signals: RawFd) -> ! {
    loop {
        // SAFETY: all-zero is a valid siginfo, which outlives the call and has the size that is given.
        unsafe {
            let mut info: libc::signalfd_siginfo = zeroed();
            if libc::read(signals, (&raw mut info).cast(), size_of_val(&info)) != size_of_val(&info) as isize {
                continue;
            }
            match info.ssi_signo as c_int {
                libc::SIGCHLD => reap(command),
                // It may have ended just now, which SIGCHLD tells.
                signal => {
                    libc::kill(command, signal);
                }
            }
        }
    }
}

/// One signal may stand for many children.
unsafe fn reap(command: libc::pid_t) {
    loop {
        let mut status: c_int = 0;
        // SAFETY: `status` outlives the call.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        if pid == command {
            exit(if libc::WIFSIGNALED(status) {
                BY_SIGNAL + libc::WTERMSIG(status)
            } else {
                libc::WEXITSTATUS(status)
            });
        }
        if pid <= 0 {
            return;
        }
    }
}

fn exit(code: c_int) -> ! {
    // SAFETY: no pointers. Nothing is left to flush.
    unsafe { libc::_exit(code) }
}
