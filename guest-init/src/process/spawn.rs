//! The one way to start a process: clone3 into the container's cgroup, with a pidfd, and a report from the child.

use std::io;
use std::mem::{ManuallyDrop, MaybeUninit, size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

use super::child::{self, Child};
use super::plan::ProcessPlan;
use super::raw;
use super::reaper::{ChildExit, Registry};
use super::report::{CANDIDATE_MASK, FILE_EXISTS, IS_DIRECTORY, REPORT_BYTES, Report, Stage};
use crate::container::late::LateSetup;
use crate::error::{AgentError, Result};
use crate::sys;

/// Which namespaces a process gets.
#[derive(Debug)]
pub enum Entry<'container> {
    /// The container's first process: those that were made for the container, and new ones of the kinds that only a
    /// process can have.
    First {
        /// Descriptors of the container's namespaces and their kinds (CLONE_NEW*).
        namespaces: &'container [(OwnedFd, i32)],
        /// With a PID namespace of its own.
        pid_namespace: bool,
        /// With a cgroup namespace of its own.
        cgroup_namespace: bool,
        /// Mounts that only this process can make.
        late: &'container Arc<LateSetup>,
    },
    /// All those of a running process.
    Join {
        /// The process.
        pidfd: BorrowedFd<'container>,
        /// Kinds that the container has of its own (CLONE_NEW*).
        kinds: i32,
        /// The guest's own PID namespace, to return to.
        own_pid_namespace: BorrowedFd<'container>,
    },
    /// The guest's own; for tests.
    Guest,
}

/// Where a process is started.
#[derive(Debug)]
pub struct Place<'container> {
    /// Its cgroup.
    pub cgroup: Option<BorrowedFd<'container>>,
    /// Its namespaces.
    pub entry: Entry<'container>,
    /// stdin, stdout and stderr.
    pub stdio: [BorrowedFd<'container>; 3],
}

/// A process that was started, and may still fail to execute.
#[derive(Debug)]
pub struct Spawned {
    /// In the guest's root PID namespace.
    pub pid: u32,
    /// Refers to the process and no other.
    pub pidfd: OwnedFd,
    /// Its end.
    pub exit: oneshot::Receiver<ChildExit>,
    plan: Arc<ProcessPlan>,
    late: Option<Arc<LateSetup>>,
    report: AsyncFd<OwnedFd>,
    memory: ChildMemory,
}

/// What the child uses of this process's memory. It is given back only once the child is known to have left it, else
/// never.
#[derive(Debug)]
struct ChildMemory {
    child: ManuallyDrop<Box<Child>>,
    stack: ManuallyDrop<Box<[MaybeUninit<Stack>]>>,
}

#[derive(Debug, Clone, Copy)]
#[repr(align(16))]
struct Stack {
    _bytes: [u8; 16],
}

impl ChildMemory {
    fn new(child: Child) -> Self {
        // Not cleared: most of it is never touched.
        let stack = Box::new_uninit_slice(STACK_BYTES / size_of::<Stack>());
        Self { child: ManuallyDrop::new(Box::new(child)), stack: ManuallyDrop::new(stack) }
    }

    /// Gives the memory back.
    ///
    /// # Safety
    /// The child has executed its program or ended, or there is none.
    unsafe fn free(mut self) {
        // SAFETY: nobody uses the memory any more, and `self` is gone after this.
        unsafe {
            ManuallyDrop::drop(&mut self.child);
            ManuallyDrop::drop(&mut self.stack);
        }
    }
}

const STACK_BYTES: usize = 64 << 10;

/// Starts a process. `Spawned::executed` says whether it got as far as its own program.
pub fn spawn(plan: &Arc<ProcessPlan>, place: &Place<'_>, registry: &Registry) -> Result<Spawned> {
    let failed = |error: io::Error| AgentError::system(format_args!("start {:?}", plan.command), error);
    let (report, report_writer) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| failed(error.into()))?;
    rustix::io::ioctl_fionbio(&report, true).map_err(|error| failed(error.into()))?;
    let report = sys::watch(report, Interest::READABLE).map_err(failed)?;
    let mut memory = ChildMemory::new(Child::new(plan.clone(), place, report_writer.as_raw_fd()));
    let started = registry.start(|| {
        let namespace = PidNamespace::enter(&place.entry)?;
        let (pid, pidfd) = clone(&mut memory, place, may_share_memory(plan))?;
        drop(namespace);
        Ok::<_, io::Error>((pid, (pid, pidfd)))
    });
    let late = match &place.entry {
        Entry::First { late, .. } => Some((*late).clone()),
        _ => None,
    };
    match started {
        Ok(((pid, pidfd), exit)) => Ok(Spawned { pid, pidfd, exit, plan: plan.clone(), late, report, memory }),
        Err(error) => {
            // SAFETY: there is no child.
            unsafe { memory.free() };
            Err(match error.raw_os_error() {
                // The PID namespace's first process has ended.
                Some(libc::ENOMEM | libc::ESRCH) if matches!(place.entry, Entry::Join { .. }) => {
                    AgentError::conflict("the container is not running")
                }
                _ => failed(error),
            })
        }
    }
}

/// A child that shares this process's memory until it executes needs no copy of it, which is most of the cost of a
/// start. A workload that may trace other processes could reach this process's memory through it, so there the child
/// gets a copy; so it does where it sets its oom_score_adj, which goes with the memory.
fn may_share_memory(plan: &ProcessPlan) -> bool {
    !plan.in_tracing_container && !plan.may_trace() && plan.oom_score_text.is_none()
}

/// Children go into the PID namespace that their parent has set; it sets its own again afterwards.
struct PidNamespace<'container> {
    own: Option<BorrowedFd<'container>>,
}

impl<'container> PidNamespace<'container> {
    fn enter(entry: &Entry<'container>) -> io::Result<Self> {
        let Entry::Join { pidfd, kinds, own_pid_namespace } = entry else { return Ok(Self { own: None }) };
        if kinds & libc::CLONE_NEWPID == 0 {
            return Ok(Self { own: None });
        }
        set_namespace(pidfd.as_raw_fd(), libc::CLONE_NEWPID)?;
        Ok(Self { own: Some(*own_pid_namespace) })
    }
}

impl Drop for PidNamespace<'_> {
    fn drop(&mut self) {
        if let Some(own) = self.own
            && let Err(error) = set_namespace(own.as_raw_fd(), libc::CLONE_NEWPID)
        {
            // Everything that is started from now on would be in the container.
            panic!("return to the guest's PID namespace: {error}");
        }
    }
}

fn set_namespace(fd: RawFd, kind: i32) -> io::Result<()> {
    // SAFETY: no pointers.
    if unsafe { libc::setns(fd, kind) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn clone(memory: &mut ChildMemory, place: &Place<'_>, share: bool) -> io::Result<(u32, OwnedFd)> {
    let mut pidfd: RawFd = -1;
    // SAFETY: all-zero is a valid clone_args.
    let mut arguments: libc::clone_args = unsafe { zeroed() };
    arguments.flags = libc::CLONE_PIDFD as u64 | CLONE_CLEAR_SIGHAND;
    arguments.pidfd = (&raw mut pidfd) as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    arguments.stack = memory.stack.as_mut_ptr() as u64;
    arguments.stack_size = STACK_BYTES as u64;
    if share {
        arguments.flags |= libc::CLONE_VM as u64;
    }
    if let Some(cgroup) = place.cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd() as u64;
    }
    if let Entry::First { pid_namespace: true, .. } = place.entry {
        arguments.flags |= libc::CLONE_NEWPID as u64;
    }
    let child: *const Child = &raw const **memory.child;
    // SAFETY: stack and `child` are kept until the child has left this memory (see `ChildMemory`), and `child::run` keeps
    // to system calls on what was prepared.
    let pid = unsafe { raw::clone_onto(&arguments, child::run, child.cast()) };
    if pid < 0 {
        return Err(io::Error::from_raw_os_error(-pid as i32));
    }
    // SAFETY: the kernel has stored a new descriptor of ours here.
    Ok((pid as u32, unsafe { OwnedFd::from_raw_fd(pidfd) }))
}

const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// A process that runs its own program.
#[derive(Debug)]
pub struct Executed {
    /// In the guest's root PID namespace.
    pub pid: u32,
    /// Refers to the process and no other.
    pub pidfd: OwnedFd,
    /// Its end.
    pub exit: oneshot::Receiver<ChildExit>,
}

impl Spawned {
    /// Waits until the child executes its program, or reports why it could not.
    pub async fn executed(self) -> Result<Executed> {
        let Self { pid, pidfd, exit, plan, late, report, memory } = self;
        let mut bytes = [0; REPORT_BYTES];
        let failed = |error| AgentError::system("read the child's report", error);
        let count = read_report(&report, &mut bytes).await.map_err(failed)?;
        if count > 0 {
            // Its end follows.
            read_report(&report, &mut [0]).await.map_err(failed)?;
        }
        // SAFETY: the end of the report is seen once the child has closed its descriptors, which it does on executing and on
        // ending, both after it has left this memory.
        unsafe { memory.free() };
        match count {
            0 => Ok(Executed { pid, pidfd, exit }),
            REPORT_BYTES => Err(explain(&Report::decode(bytes), &plan, late.as_deref())),
            _ => Err(AgentError::internal("the child's report is cut short")),
        }
    }
}

async fn read_report(report: &AsyncFd<OwnedFd>, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        let mut guard = report.readable().await?;
        // A report is written in one piece, and the pipe closes when the program is executed.
        if let Ok(read) = guard.try_io(|report| Ok(rustix::io::read(report.get_ref(), &mut *bytes)?)) {
            return read;
        }
    }
}

fn explain(report: &Report, plan: &ProcessPlan, late: Option<&LateSetup>) -> AgentError {
    let error = io::Error::from_raw_os_error(report.errno);
    let command = &plan.command;
    let index = report.detail as usize;
    let what = match report.stage {
        Stage::Execute => return explain_execute(report, plan),
        Stage::Directory => {
            return AgentError::invalid(format!("change to working directory {:?}: {error}", plan.directory))
                .hint("name a directory that exists in the container");
        }
        Stage::LateMount | Stage::Mask | Stage::ReadOnly => {
            late.map_or_else(String::new, |late| late.describe(report.stage, index))
        }
        Stage::Rlimit => format!("set resource limit {index}"),
        Stage::Seccomp => "install the seccomp filter".to_owned(),
        stage => format!("{stage:?}"),
    };
    AgentError::system(format_args!("start {command:?}: {what}"), error)
}

fn explain_execute(report: &Report, plan: &ProcessPlan) -> AgentError {
    let command = &plan.command;
    let candidate = plan.candidates.get((report.detail & CANDIDATE_MASK) as usize);
    let path = candidate.map_or_else(|| command.clone(), |path| path.to_string_lossy().into_owned());
    match report.errno {
        libc::ENOENT if report.detail & FILE_EXISTS != 0 => AgentError::command_not_found(format!(
            "exec {path}: the file is there, but the program that should load it is not"
        ))
        .hint("check the interpreter in the script's first line, or the program's dynamic loader"),
        libc::ENOENT | libc::ENOTDIR if !command.contains('/') => {
            AgentError::command_not_found(format!("exec {command:?}: executable file not found in $PATH"))
        }
        libc::ENOENT | libc::ENOTDIR => {
            AgentError::command_not_found(format!("exec {command:?}: no such file or directory"))
        }
        libc::EACCES if report.detail & IS_DIRECTORY != 0 => {
            AgentError::command_not_executable(format!("exec {path:?}: is a directory"))
        }
        libc::E2BIG => AgentError::invalid(format!("exec {path:?}: arguments and environment are too long")),
        errno @ (libc::EACCES
        | libc::EPERM
        | libc::ENOEXEC
        | libc::ELOOP
        | libc::EISDIR
        | libc::ETXTBSY
        | libc::EINVAL
        | libc::ENAMETOOLONG
        | libc::ELIBBAD) => {
            AgentError::command_not_executable(format!("exec {path:?}: {}", io::Error::from_raw_os_error(errno)))
        }
        errno => AgentError::system(format_args!("exec {path:?}"), io::Error::from_raw_os_error(errno)),
    }
}
