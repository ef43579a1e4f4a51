//! What a gateway gives up before it reads its first frame. A control that cannot be applied stops the start.

use std::io;

use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus, Scope};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use crate::config::Identity;
use crate::error::StartError;

/// Descriptors that a full table needs, and a few more.
const OPEN_FILES: u64 = 4096;
/// Bytes of writable memory: twice what full tables take.
const DATA_BYTES: u64 = 256 << 20;
const LAST_POSSIBLE_CAPABILITY: i32 = 63;

fn failed(step: &str, error: &io::Error) -> StartError {
    StartError::system(
        "CONFINEMENT_FAILED",
        format_args!("the gateway could not be confined: step {step} failed"),
        error,
    )
}

fn last(step: &str) -> StartError {
    failed(step, &io::Error::last_os_error())
}

fn checked(step: &str, result: libc::c_int) -> Result<(), StartError> {
    if result < 0 { Err(last(step)) } else { Ok(()) }
}

/// Leaves the starter's session and closes what was inherited beside the standard streams. To be called before anything
/// is opened.
pub fn leave_starter() -> Result<(), StartError> {
    // SAFETY: these calls take no pointers but that to a local set of signals.
    unsafe {
        libc::umask(0o177);
        if libc::setsid() < 0 && libc::getsid(0) != libc::getpid() {
            return Err(last("session"));
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        checked("signals", libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()))?;
        checked("descriptors", libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) as libc::c_int)?;
        // Memory of connections that ended goes back to the system.
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 10);
    }
    limit("open-files", libc::RLIMIT_NOFILE, OPEN_FILES)?;
    limit("core", libc::RLIMIT_CORE, 0)?;
    limit("file-bytes", libc::RLIMIT_FSIZE, 0)?;
    limit("memory", libc::RLIMIT_DATA, DATA_BYTES)
}

fn limit(step: &str, resource: libc::__rlimit_resource_t, value: u64) -> Result<(), StartError> {
    let both = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: the structure lives for the call.
    checked(step, unsafe { libc::setrlimit(resource, &raw const both) })
}

/// Gives up everything but the sockets: identity, capabilities, files, and all system calls that are not needed.
pub fn confine(identity: Option<Identity>) -> Result<(), StartError> {
    // SAFETY: the call takes no pointers.
    checked("no-new-privileges", unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    switch_identity(identity)?;
    restrict_files()?;
    drop_capabilities()?;
    filter_calls()
}

fn switch_identity(identity: Option<Identity>) -> Result<(), StartError> {
    // SAFETY: these calls take no pointers but an empty list.
    unsafe {
        let root = libc::geteuid() == 0 || libc::getuid() == 0;
        let Some(Identity { uid, gid }) = identity else {
            if root {
                return Err(failed("identity", &io::Error::from_raw_os_error(libc::EPERM)));
            }
            return limit("processes", libc::RLIMIT_NPROC, 0);
        };
        for capability in 0..=LAST_POSSIBLE_CAPABILITY {
            if libc::prctl(libc::PR_CAPBSET_READ, capability, 0, 0, 0) == 1 {
                checked("capabilities", libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0))?;
            }
        }
        checked("identity", libc::setgroups(0, std::ptr::null()))?;
        checked("identity", libc::setresgid(gid, gid, gid))?;
        checked("identity", libc::setresuid(uid, uid, uid))?;
    }
    require_exclusive_user()?;
    limit("processes", libc::RLIMIT_NPROC, 0)
}

/// Fails when another process has this user id. With room for two, a fork succeeds only where this process is alone: the
/// kernel counts a user's processes, so no register of ids can go stale.
fn require_exclusive_user() -> Result<(), StartError> {
    let mut room = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structures live for the calls; the child does nothing but end.
    unsafe {
        checked("identity", libc::getrlimit(libc::RLIMIT_NPROC, &raw mut room))?;
        let pair = libc::rlimit { rlim_cur: 2, rlim_max: room.rlim_max };
        checked("identity", libc::setrlimit(libc::RLIMIT_NPROC, &raw const pair))?;
        let child = libc::fork();
        if child == 0 {
            libc::_exit(0);
        }
        if child < 0 {
            let error = io::Error::last_os_error();
            let taken = error.raw_os_error() == Some(libc::EAGAIN);
            return Err(if taken {
                StartError::system("CONFLICT", "the user id is in use", &error)
            } else {
                failed("identity", &error)
            });
        }
        while libc::waitpid(child, std::ptr::null_mut(), 0) < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(failed("identity", &error));
            }
        }
        Ok(())
    }
}

/// No file can be opened by name from here on, and no TCP port bound where the kernel can tell.
fn restrict_files() -> Result<(), StartError> {
    let ruleset = || -> Result<_, landlock::RulesetError> {
        Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(ABI::V1))?
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(ABI::V5))?
            .handle_access(AccessNet::BindTcp)?
            .scope(Scope::from_all(ABI::V6))?
            .create()?
            .restrict_self()
    };
    match ruleset() {
        Ok(status) if status.ruleset != RulesetStatus::NotEnforced => Ok(()),
        Ok(_) => {
            Err(StartError::new("CONFINEMENT_FAILED", "the gateway could not be confined: Landlock is not in force"))
        }
        Err(error) => Err(StartError::new(
            "CONFINEMENT_FAILED",
            format!("the gateway could not be confined: step landlock failed: {error}"),
        )),
    }
}

fn drop_capabilities() -> Result<(), StartError> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    let header = Header { version: VERSION_3, pid: 0 };
    let sets = [0_u32; 6];
    // SAFETY: both structures have the layout of version 3 and live for the calls.
    unsafe {
        checked("capabilities", libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))?;
        checked("capabilities", libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()) as libc::c_int)
    }
}

/// Everything else kills the process.
fn filter_calls() -> Result<(), StartError> {
    let program = filter().map_err(|error| {
        StartError::new(
            "CONFINEMENT_FAILED",
            format!("the gateway could not be confined: step syscall-filter failed: {error}"),
        )
    })?;
    seccompiler::apply_filter(&program).map_err(|error| {
        StartError::new(
            "CONFINEMENT_FAILED",
            format!("the gateway could not be confined: step syscall-filter failed: {error}"),
        )
    })
}

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let plain = [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_readv,
        libc::SYS_writev,
        libc::SYS_recvfrom,
        libc::SYS_sendto,
        libc::SYS_recvmsg,
        libc::SYS_connect,
        libc::SYS_accept4,
        libc::SYS_shutdown,
        libc::SYS_close,
        libc::SYS_getsockopt,
        libc::SYS_setsockopt,
        libc::SYS_getsockname,
        libc::SYS_getpeername,
        libc::SYS_epoll_ctl,
        libc::SYS_epoll_pwait,
        libc::SYS_munmap,
        libc::SYS_brk,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_clock_gettime,
        libc::SYS_getrandom,
        libc::SYS_exit_group,
        libc::SYS_exit,
        libc::SYS_rt_sigreturn,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_tgkill,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_epoll_wait,
    ];
    let mut rules: Vec<(i64, Vec<SeccompRule>)> = plain.into_iter().map(|call| (call, Vec::new())).collect();
    let family = |family: i32| rule(&[(0, SeccompCmpOp::Eq, family as u64)]);
    rules.push((libc::SYS_socket, vec![family(libc::AF_INET)?, family(libc::AF_INET6)?]));
    // Memory is never executable.
    let data = || rule(&[(2, SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64), 0)]);
    rules.push((libc::SYS_mmap, vec![data()?]));
    rules.push((libc::SYS_mprotect, vec![data()?]));
    rules.push((libc::SYS_mremap, Vec::new()));
    let control = |command: i32| rule(&[(1, SeccompCmpOp::Eq, command as u64)]);
    let commands = [libc::F_GETFL, libc::F_SETFL, libc::F_GETFD, libc::F_SETFD].map(control);
    rules.push((libc::SYS_fcntl, commands.into_iter().collect::<Result<_, _>>()?));
    rules.push((libc::SYS_ioctl, vec![rule(&[(1, SeccompCmpOp::Eq, libc::FIONBIO)])?]));
    let architecture = std::env::consts::ARCH.try_into()?;
    let rules = rules.into_iter().collect();
    SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, architecture)?.try_into()
}

fn rule(conditions: &[(u8, SeccompCmpOp, u64)]) -> Result<SeccompRule, seccompiler::BackendError> {
    let conditions = conditions.iter().map(|(argument, operator, value)| {
        SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, operator.clone(), *value)
    });
    SeccompRule::new(conditions.collect::<Result<_, _>>()?)
}
