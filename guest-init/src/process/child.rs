//! What the child does between clone3 and execve. It may share its parent's memory, which goes on running meanwhile, so
//! nothing here allocates, locks, writes to anything but its own stack, or calls into the C library (whose errno is the
//! parent's): only raw system calls on what was prepared before.

use std::ffi::{CString, c_char, c_void};
use std::mem::zeroed;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr::null_mut;
use std::sync::Arc;

use super::container_init;
use super::plan::{ProcessPlan, StringArray};
use super::raw::call;
use super::report::{CANDIDATE_MASK, FILE_EXISTS, IS_DIRECTORY, Report, Stage};
use super::spawn::{Entry, Place};
use crate::container::late::{self, LateSetup};

/// A failure on the way; `report` adds the stage.
pub(crate) struct Failure {
    pub(super) errno: i32,
    pub(super) detail: u32,
}

impl Failure {
    pub(crate) fn of(errno: i32) -> Self {
        Self { errno, detail: 0 }
    }

    pub(crate) fn is_missing(&self) -> bool {
        matches!(self.errno, libc::ENOENT | libc::ENOTDIR)
    }

    pub(crate) fn at(mut self, index: usize) -> Self {
        self.detail = index as u32;
        self
    }
}

type Step = Result<(), Failure>;

pub(crate) fn check(result: isize) -> Result<isize, Failure> {
    if result < 0 { Err(Failure::of(-result as i32)) } else { Ok(result) }
}

/// Which namespaces the child enters; plain numbers, since descriptors are copied with the child's table.
#[derive(Debug)]
pub(super) enum Joined {
    First { namespaces: Vec<(RawFd, i32)>, cgroup_namespace: bool, late: Arc<LateSetup> },
    Join { pidfd: RawFd, kinds: i32 },
    Guest,
}

/// Prepared for the child by its parent, and kept until the child has left this memory.
#[derive(Debug)]
pub(super) struct Child {
    plan: Arc<ProcessPlan>,
    joined: Joined,
    stdio: [RawFd; 3],
    report: RawFd,
    /// The init that the program runs below, and its arguments.
    init: Option<(RawFd, StringArray)>,
    /// Descriptors to keep, ascending; all others are closed.
    keep: Vec<RawFd>,
}

impl Child {
    pub(super) fn new(plan: Arc<ProcessPlan>, place: &Place<'_>, report: RawFd) -> Self {
        let mut keep = vec![report];
        let joined = match &place.entry {
            Entry::First { namespaces, cgroup_namespace, late, .. } => {
                keep.extend(namespaces.iter().map(|(fd, _)| fd.as_raw_fd()));
                let namespaces = namespaces.iter().map(|(fd, kind)| (fd.as_raw_fd(), *kind)).collect();
                Joined::First { namespaces, cgroup_namespace: *cgroup_namespace, late: (*late).clone() }
            }
            Entry::Join { pidfd, kinds, .. } => {
                keep.push(pidfd.as_raw_fd());
                Joined::Join { pidfd: pidfd.as_raw_fd(), kinds: *kinds }
            }
            Entry::Guest => Joined::Guest,
        };
        let init = plan.init.as_ref().map(|init| (init.as_raw_fd(), container_init::arguments(&plan)));
        keep.extend(init.iter().map(|(init, _)| *init));
        keep.sort_unstable();
        Self { plan, joined, init, stdio: place.stdio.map(|fd| fd.as_raw_fd()), report, keep }
    }
}

/// Becomes the program, or reports and exits.
///
/// # Safety
/// Only as the entry of a child that was just cloned; `child` points to a `Child`.
pub(super) unsafe extern "C" fn run(child: *const c_void) -> ! {
    // SAFETY: as this function's own condition.
    unsafe {
        let child = &*child.cast::<Child>();
        let bytes = steps(child).encode();
        let _ = call!(libc::SYS_write, child.report, bytes.as_ptr(), bytes.len());
        loop {
            let _ = call!(libc::SYS_exit_group, 127);
        }
    }
}

unsafe fn steps(child: &Child) -> Report {
    let plan = &*child.plan;
    let filter_early = !plan.confinement.no_new_privileges;
    // SAFETY: each step keeps to this module's rule.
    unsafe {
        let sequence: [(Stage, &dyn Fn() -> Step); 16] = [
            (Stage::Signals, &|| reset_signals()),
            (Stage::Session, &|| call!(libc::SYS_setsid).map(drop)),
            (Stage::Descriptors, &|| arrange_descriptors(child)),
            (Stage::OomScore, &|| set_oom_score(plan)),
            (Stage::Namespaces, &|| enter_namespaces(&child.joined)),
            (Stage::LateMount, &|| late_setup(child, LateSetup::mount)),
            (Stage::Mask, &|| late_setup(child, LateSetup::mask)),
            (Stage::ReadOnly, &|| late_setup(child, LateSetup::make_read_only)),
            (Stage::Terminal, &|| take_terminal(plan)),
            (Stage::Rlimit, &|| set_rlimits(plan)),
            (Stage::Directory, &|| change_directory(plan)),
            // Without no_new_privs a filter needs a capability that is about to go.
            (Stage::Seccomp, &|| if filter_early { install_filter(plan) } else { Ok(()) }),
            (Stage::User, &|| become_user(plan)),
            (Stage::Capabilities, &|| set_capabilities(plan)),
            (Stage::NoNewPrivileges, &|| set_no_new_privileges(plan)),
            (Stage::Seccomp, &|| if filter_early { Ok(()) } else { install_filter(plan) }),
        ];
        for (stage, step) in sequence {
            if let Err(Failure { errno, detail }) = step() {
                return Report { stage, errno, detail };
            }
        }
        let Failure { errno, detail } = match &child.init {
            Some((init, arguments)) => execute_init(child, *init, arguments),
            None => execute(&Program::of(plan)),
        };
        Report { stage: Stage::Execute, errno, detail }
    }
}

unsafe fn reset_signals() -> Step {
    /// The kernel's, which is not the C library's.
    #[repr(C)]
    struct Action {
        handler: usize,
        flags: usize,
        restorer: usize,
        mask: u64,
    }
    let default = Action { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
    let none = 0u64;
    // SAFETY: action and set outlive the calls and have the kernel's layout and size.
    unsafe {
        // What is handled was reset by clone3; this is what a Rust program ignores.
        call!(libc::SYS_rt_sigaction, libc::SIGPIPE, &raw const default, null_mut::<Action>(), size_of::<u64>())?;
        call!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const none, null_mut::<u64>(), size_of::<u64>())
            .map(drop)
    }
}

unsafe fn arrange_descriptors(child: &Child) -> Step {
    // SAFETY: no pointers.
    unsafe {
        for (target, source) in child.stdio.iter().enumerate() {
            call!(libc::SYS_dup3, *source, target, 0)?;
        }
        let mut first = 3;
        for keep in &child.keep {
            if *keep > first {
                call!(libc::SYS_close_range, first, *keep - 1, 0)?;
            }
            first = first.max(*keep + 1);
        }
        call!(libc::SYS_close_range, first, u32::MAX, 0).map(drop)
    }
}

unsafe fn set_oom_score(plan: &ProcessPlan) -> Step {
    let Some(text) = &plan.oom_score_text else { return Ok(()) };
    // SAFETY: the path is NUL-terminated and the text outlives the call.
    unsafe {
        let fd = call!(
            libc::SYS_openat,
            libc::AT_FDCWD,
            c"/proc/self/oom_score_adj".as_ptr(),
            libc::O_WRONLY | libc::O_CLOEXEC
        )?;
        call!(libc::SYS_write, fd, text.as_ptr(), text.len())?;
        call!(libc::SYS_close, fd).map(drop)
    }
}

unsafe fn enter_namespaces(joined: &Joined) -> Step {
    // SAFETY: no pointers.
    unsafe {
        match joined {
            Joined::First { namespaces, cgroup_namespace, .. } => {
                for (fd, kind) in namespaces {
                    call!(libc::SYS_setns, *fd, *kind)?;
                }
                if *cgroup_namespace {
                    call!(libc::SYS_unshare, libc::CLONE_NEWCGROUP)?;
                }
            }
            Joined::Join { pidfd, kinds } => {
                call!(libc::SYS_setns, *pidfd, *kinds & !libc::CLONE_NEWPID)?;
            }
            Joined::Guest => {}
        }
    }
    Ok(())
}

unsafe fn late_setup(child: &Child, part: unsafe fn(&LateSetup) -> late::Outcome) -> Step {
    match &child.joined {
        // SAFETY: the part keeps to this module's rule.
        Joined::First { late, .. } => unsafe { part(late) },
        _ => Ok(()),
    }
}

unsafe fn take_terminal(plan: &ProcessPlan) -> Step {
    if !plan.terminal {
        return Ok(());
    }
    // SAFETY: the request takes a number.
    unsafe { call!(libc::SYS_ioctl, 0, libc::TIOCSCTTY, 0).map(drop) }
}

unsafe fn set_rlimits(plan: &ProcessPlan) -> Step {
    for (index, limit) in plan.confinement.rlimits.iter().enumerate() {
        let value = libc::rlimit64 { rlim_cur: limit.soft, rlim_max: limit.hard };
        // SAFETY: `value` outlives the call.
        unsafe { call!(libc::SYS_prlimit64, 0, limit.resource, &raw const value, null_mut::<libc::rlimit64>()) }
            .map_err(|failure| failure.at(index))?;
    }
    Ok(())
}

unsafe fn change_directory(plan: &ProcessPlan) -> Step {
    // SAFETY: the path is NUL-terminated.
    unsafe {
        call!(libc::SYS_umask, plan.umask)?;
        call!(libc::SYS_chdir, plan.directory.as_ptr()).map(drop)
    }
}

unsafe fn install_filter(plan: &ProcessPlan) -> Step {
    let Some(program) = &plan.confinement.seccomp else { return Ok(()) };
    let filter =
        libc::sock_fprog { len: program.instructions.len() as u16, filter: program.instructions.as_ptr().cast_mut() };
    // SAFETY: the kernel reads `len` instructions, which outlive the call, and writes none.
    unsafe { call!(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, program.flags, &raw const filter).map(drop) }
}

unsafe fn become_user(plan: &ProcessPlan) -> Step {
    let identity = &plan.identity;
    // SAFETY: the groups outlive the call. The raw calls change this thread, which is the only one.
    unsafe {
        drop_bounding(plan.confinement.capabilities.bounding)?;
        call!(libc::SYS_prctl, libc::PR_SET_KEEPCAPS, 1, 0, 0, 0)?;
        call!(libc::SYS_setgroups, identity.groups.len(), identity.groups.as_ptr())?;
        call!(libc::SYS_setresgid, identity.gid, identity.gid, identity.gid)?;
        call!(libc::SYS_setresuid, identity.uid, identity.uid, identity.uid)?;
        call!(libc::SYS_prctl, libc::PR_SET_KEEPCAPS, 0, 0, 0, 0).map(drop)
    }
}

unsafe fn drop_bounding(keep: u64) -> Step {
    for capability in 0..u64::BITS {
        if keep & (1 << capability) == 0 {
            // SAFETY: no pointers.
            match unsafe { call!(libc::SYS_prctl, libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } {
                Ok(_) => {}
                // The kernel knows no more.
                Err(Failure { errno: libc::EINVAL, .. }) => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
    }
    Ok(())
}

unsafe fn set_capabilities(plan: &ProcessPlan) -> Step {
    const VERSION_3: u32 = 0x2008_0522;
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    let sets = &plan.confinement.capabilities;
    let header = Header { version: VERSION_3, pid: 0 };
    let half = |shift: u32| Data {
        effective: (sets.effective >> shift) as u32,
        permitted: (sets.permitted >> shift) as u32,
        inheritable: (sets.inheritable >> shift) as u32,
    };
    let data = [half(0), half(32)];
    // SAFETY: header and data outlive the call and are of the layout that this version has.
    unsafe {
        call!(libc::SYS_capset, &raw const header, data.as_ptr())?;
        call!(libc::SYS_prctl, libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)?;
        for capability in 0..u64::BITS {
            if sets.ambient & (1 << capability) != 0 {
                call!(libc::SYS_prctl, libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, capability, 0, 0)?;
            }
        }
    }
    Ok(())
}

unsafe fn set_no_new_privileges(plan: &ProcessPlan) -> Step {
    if !plan.confinement.no_new_privileges {
        return Ok(());
    }
    // SAFETY: no pointers.
    unsafe { call!(libc::SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0).map(drop) }
}

/// A program to become.
pub(super) struct Program<'plan> {
    pub(super) candidates: &'plan [CString],
    pub(super) arguments: *const *const c_char,
    pub(super) environment: *const *const c_char,
    /// Whether a look at a candidate is allowed, and worth it.
    pub(super) look: bool,
}

impl<'plan> Program<'plan> {
    fn of(plan: &'plan ProcessPlan) -> Self {
        Self {
            candidates: &plan.candidates,
            arguments: plan.arguments.as_ptr(),
            environment: plan.environment.as_ptr(),
            // A look costs less than an execve that fails. A filter might end the process for it.
            look: plan.candidates.len() > 1 && plan.confinement.seccomp.is_none(),
        }
    }
}

/// Becomes the init, which has the report's descriptor to say what became of the program.
unsafe fn execute_init(child: &Child, init: RawFd, arguments: &StringArray) -> Failure {
    let environment = child.plan.environment.as_ptr();
    // SAFETY: the path is a constant, and the arrays are NUL-terminated and outlive the call.
    let executed = unsafe {
        keep_report(child.report, init).and_then(|init| {
            call!(libc::SYS_execveat, init, c"".as_ptr(), arguments.as_ptr(), environment, libc::AT_EMPTY_PATH)
        })
    };
    // A success does not return.
    executed.err().unwrap_or_else(|| Failure::of(libc::ENOEXEC))
}

/// Puts the report where the init looks for it. Returns the init's own descriptor, which may have been there.
unsafe fn keep_report(report: RawFd, init: RawFd) -> Result<RawFd, Failure> {
    // SAFETY: no pointers.
    unsafe {
        let moved = if init == container_init::REPORT {
            call!(libc::SYS_fcntl, init, libc::F_DUPFD_CLOEXEC, container_init::REPORT + 1)? as RawFd
        } else {
            init
        };
        if report == container_init::REPORT {
            call!(libc::SYS_fcntl, report, libc::F_SETFD, 0)?;
        } else {
            call!(libc::SYS_dup3, report, container_init::REPORT, 0)?;
        }
        Ok(moved)
    }
}

/// Tries the candidates in turn, as execvp(3) does. Returns only when none could be executed.
///
/// # Safety
/// The arrays are those of execve(2).
pub(super) unsafe fn execute(program: &Program<'_>) -> Failure {
    let mut denied: Option<Failure> = None;
    let mut missing: Option<Failure> = None;
    for (index, candidate) in program.candidates.iter().enumerate() {
        let path = candidate.as_ptr();
        if program.look {
            // SAFETY: `path` is NUL-terminated.
            match unsafe { call!(libc::SYS_faccessat, libc::AT_FDCWD, path, libc::F_OK) } {
                Err(failure) if failure.is_missing() => {
                    missing = Some(failure.at(index));
                    continue;
                }
                _ => {}
            }
        }
        // SAFETY: path and arrays are NUL-terminated and outlive the call.
        let executed = unsafe { call!(libc::SYS_execve, path, program.arguments, program.environment) };
        // A success does not return.
        let Err(mut failure) = executed else { continue };
        let errno = failure.errno;
        // SAFETY: `path` is NUL-terminated.
        failure.detail = (index as u32 & CANDIDATE_MASK) | unsafe { inspect(path) };
        match errno {
            libc::ENOENT | libc::ENOTDIR if failure.detail & FILE_EXISTS != 0 => return failure,
            libc::ENOENT | libc::ENOTDIR => missing = Some(failure),
            libc::EACCES => denied = denied.or(Some(failure)),
            _ => return failure,
        }
    }
    denied.or(missing).unwrap_or(Failure { errno: libc::ENOENT, detail: 0 })
}

unsafe fn inspect(path: *const libc::c_char) -> u32 {
    // SAFETY: all-zero is a valid stat buffer, which outlives the call; `path` is NUL-terminated.
    unsafe {
        let mut status: libc::stat = zeroed();
        if call!(libc::SYS_newfstatat, libc::AT_FDCWD, path, &raw mut status, 0).is_err() {
            return 0;
        }
        let directory = status.st_mode & libc::S_IFMT == libc::S_IFDIR;
        FILE_EXISTS | if directory { IS_DIRECTORY } else { 0 }
    }
}
