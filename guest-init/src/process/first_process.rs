//! Signals that the kernel keeps from the first process of a PID namespace.
//!
//! Without a handler a signal does nothing to a container's first process (pid_namespaces(7)); a plain `sleep` there
//! could not be interrupted. To its user it is a command like any other, so such a signal ends it here too.

use std::fs;

/// Whether a signal would have ended this process if it were not the first of its PID namespace.
pub fn is_kept_from(pid: u32, signal: i32) -> bool {
    // A process that is gone needs no ending.
    ends_by_default(signal)
        && fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| leaves_to_default(&status, signal))
}

/// signal(7), "Standard signals"; SIGKILL and SIGSTOP from outside reach a first process anyway.
fn ends_by_default(signal: i32) -> bool {
    let others = [
        libc::SIGKILL,
        libc::SIGSTOP,
        libc::SIGCHLD,
        libc::SIGCONT,
        libc::SIGTSTP,
        libc::SIGTTIN,
        libc::SIGTTOU,
        libc::SIGURG,
        libc::SIGWINCH,
    ];
    !others.contains(&signal)
}

fn leaves_to_default(status: &str, signal: i32) -> bool {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let is_first = field("NSpid:").split_whitespace().skip(1).last() == Some("1");
    let in_set =
        |name: &str| u64::from_str_radix(field(name).trim(), 16).map_or(true, |set| set >> (signal - 1) & 1 == 1);
    is_first && !in_set("SigCgt:") && !in_set("SigIgn:") && !in_set("SigBlk:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(pids: &str, caught: u64, ignored: u64, blocked: u64) -> String {
        format!(
            "Name:\tsleep\nNSpid:\t{pids}\nSigBlk:\t{blocked:016x}\nSigIgn:\t{ignored:016x}\nSigCgt:\t{caught:016x}\n"
        )
    }

    #[test]
    fn a_first_process_without_a_handler_is_kept_from_it() {
        assert!(leaves_to_default(&status("57\t1", 0, 0, 0), libc::SIGINT));
        assert!(leaves_to_default(&status("57\t3\t1", 1 << (libc::SIGTERM - 1), 0, 0), libc::SIGINT));
    }

    #[test]
    fn one_that_catches_ignores_or_blocks_it_is_left_alone() {
        let bit = 1 << (libc::SIGINT - 1);
        assert!(!leaves_to_default(&status("57\t1", bit, 0, 0), libc::SIGINT));
        assert!(!leaves_to_default(&status("57\t1", 0, bit, 0), libc::SIGINT));
        assert!(!leaves_to_default(&status("57\t1", 0, 0, bit), libc::SIGINT));
    }

    #[test]
    fn another_process_gets_its_signals_from_the_kernel() {
        assert!(!leaves_to_default(&status("57\t2", 0, 0, 0), libc::SIGINT));
        // PID 1 of the guest, in no namespace below.
        assert!(!leaves_to_default(&status("1", 0, 0, 0), libc::SIGINT));
        assert!(!leaves_to_default("", libc::SIGINT));
    }

    #[test]
    fn signals_that_do_not_end_a_process_are_not_stood_in_for() {
        assert!(ends_by_default(libc::SIGINT) && ends_by_default(libc::SIGTERM) && ends_by_default(40));
        assert!(!ends_by_default(libc::SIGWINCH) && !ends_by_default(libc::SIGCHLD) && !ends_by_default(libc::SIGTSTP));
    }
}
