//! Everything that a process is started with, checked and laid out beforehand so that the child only makes system calls.

use std::ffi::{CString, c_char};
use std::fmt::Display;
use std::os::fd::OwnedFd;
use std::ptr::null;
use std::sync::Arc;

use caps::Capability;

use crate::error::Result;
use crate::oci::capabilities::CapabilitySets;
use crate::oci::parse::refuse;
use crate::oci::rlimits::ResourceLimit;
use crate::oci::seccomp::Program;
use crate::oci::spec::Process;
use crate::oci::user::Identity;
use crate::oci::{capabilities, rlimits};

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The part of a process's confinement that exec takes over from its container.
#[derive(Debug, Clone, Default)]
pub struct Confinement {
    /// Capability sets.
    pub capabilities: CapabilitySets,
    /// Resource limits.
    pub rlimits: Vec<ResourceLimit>,
    /// No new privileges by executing.
    pub no_new_privileges: bool,
    /// System call filter.
    pub seccomp: Option<Arc<Program>>,
    /// /proc/self/oom_score_adj.
    pub oom_score_adj: Option<i32>,
}

impl Confinement {
    /// The container's own, from its `process`.
    pub fn of_container(path: &str, process: &Process, seccomp: Option<Arc<Program>>) -> Result<Self> {
        let inherited = Self { seccomp, ..Self::default() };
        inherited.overlaid(path, process)
    }

    /// This, with what `process` says of its own.
    pub fn overlaid(&self, path: &str, process: &Process) -> Result<Self> {
        let mut confinement = self.clone();
        if let Some(given) = &process.capabilities {
            confinement.capabilities = capabilities::check(&format!("{path}.capabilities"), given)?;
        }
        if let Some(given) = &process.rlimits {
            confinement.rlimits = rlimits::check(&format!("{path}.rlimits"), given)?;
        }
        if let Some(given) = process.no_new_privileges {
            confinement.no_new_privileges = given;
        }
        if let Some(given) = process.oom_score_adj {
            if !(-1000..=1000).contains(&given) {
                return Err(refuse(format_args!("{path}.oomScoreAdj"), "is not between -1000 and 1000"));
            }
            confinement.oom_score_adj = Some(given);
        }
        Ok(confinement)
    }
}

/// C strings with the array of pointers that execve(2) takes.
#[derive(Debug)]
pub struct StringArray {
    pointers: Vec<*const c_char>,
    strings: Vec<CString>,
}

// SAFETY: the pointers point into `strings`, which is owned and never changed.
unsafe impl Send for StringArray {}
// SAFETY: as above; only reads are possible.
unsafe impl Sync for StringArray {}

impl StringArray {
    /// Takes the strings over.
    pub(super) fn new(strings: Vec<CString>) -> Self {
        let pointers = strings.iter().map(|string| string.as_ptr()).chain([null()]).collect();
        Self { pointers, strings: strings }
    }

    /// The strings.
    pub(super) fn strings(&self) -> &[CString] {
        &self.strings
    }

    /// The NULL-terminated array.
    pub fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

/// A process ready to be started.
#[derive(Debug)]
pub struct ProcessPlan {
    /// What the user called, for messages.
    pub command: String,
    /// Paths to try in turn.
    pub candidates: Vec<CString>,
    /// Arguments.
    pub arguments: StringArray,
    /// Environment.
    pub environment: StringArray,
    /// Working directory.
    pub directory: CString,
    /// User and groups.
    pub identity: Identity,
    /// File mode creation mask.
    pub umask: u32,
    /// Confinement.
    pub confinement: Confinement,
    /// The text for /proc/self/oom_score_adj.
    pub oom_score_text: Option<String>,
    /// Whether the container's own process may trace others.
    pub in_tracing_container: bool,
    /// Whether it runs on a terminal.
    pub terminal: bool,
    /// Rows and columns of the terminal.
    pub terminal_size: Option<(u16, u16)>,
    /// The program that it runs below, if it is to run below an init.
    pub init: Option<OwnedFd>,
}

impl ProcessPlan {
    /// Lays out `process`. `path` names the document's field in errors ("process").
    pub fn new(path: &str, process: &Process, identity: Identity, confinement: Confinement) -> Result<Self> {
        let Some(command) = process.args.first().filter(|command| !command.is_empty()) else {
            return Err(refuse(format_args!("{path}.args"), "names no command"));
        };
        if !process.cwd.starts_with('/') {
            return Err(refuse(format_args!("{path}.cwd"), format_args!("{:?} is not an absolute path", process.cwd)));
        }
        let umask = process.user.umask.unwrap_or(0o022);
        if umask > 0o777 {
            return Err(refuse(format_args!("{path}.user.umask"), "is not a file mode mask"));
        }
        if process.console_size.is_some() && !process.terminal {
            return Err(refuse(format_args!("{path}.consoleSize"), "needs a terminal"));
        }
        let environment = environment(&process.env, &identity);
        let candidates = candidates(command, search_path(&environment));
        Ok(Self {
            command: command.clone(),
            candidates: strings(format_args!("{path}.args"), &candidates)?,
            arguments: StringArray::new(strings(format_args!("{path}.args"), &process.args)?),
            environment: StringArray::new(strings(format_args!("{path}.env"), &environment)?),
            directory: string(format_args!("{path}.cwd"), &process.cwd)?,
            identity,
            umask,
            // Children start with PID 1's, which is 0.
            oom_score_text: confinement.oom_score_adj.filter(|score| *score != 0).map(|score| score.to_string()),
            in_tracing_container: false,
            confinement,
            terminal: process.terminal,
            terminal_size: process.console_size.as_ref().map(|size| (size.height, size.width)),
            init: None,
        })
    }
}

/// Capabilities by which a process may reach into others.
const TRACING: [Capability; 4] =
    [Capability::CAP_SYS_PTRACE, Capability::CAP_SYS_ADMIN, Capability::CAP_PERFMON, Capability::CAP_BPF];

impl ProcessPlan {
    /// Whether the process, or what it executes, may reach into other processes of its container.
    pub fn may_trace(&self) -> bool {
        let sets = &self.confinement.capabilities;
        let all = sets.bounding | sets.effective | sets.permitted | sets.inheritable | sets.ambient;
        TRACING.iter().any(|capability| all & capability.bitmask() != 0)
    }
}

fn string(path: impl Display, text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| refuse(path, "holds a NUL byte"))
}

fn strings(path: impl Display, texts: &[String]) -> Result<Vec<CString>> {
    let element = |(index, text): (usize, &String)| string(format_args!("{path}[{index}]"), text);
    texts.iter().enumerate().map(element).collect()
}

/// The last of several values of a name is the one in force; HOME is set when the environment has none.
fn environment(given: &[String], identity: &Identity) -> Vec<String> {
    let name = |entry: &str| entry.split('=').next().unwrap_or_default().to_owned();
    let mut environment: Vec<String> = Vec::with_capacity(given.len() + 1);
    for entry in given {
        match environment.iter_mut().find(|earlier| name(earlier) == name(entry)) {
            Some(earlier) => earlier.clone_from(entry),
            None => environment.push(entry.clone()),
        }
    }
    if !environment.iter().any(|entry| entry.starts_with("HOME=")) {
        let home = identity.home.as_deref().filter(|home| !home.is_empty()).unwrap_or("/");
        environment.push(format!("HOME={home}"));
    }
    environment
}

/// The directories that a plain name is looked for in.
pub(super) fn search_path(environment: &[String]) -> &str {
    environment.iter().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH)
}

/// Where a command may be.
pub(super) fn candidates(command: &str, path: &str) -> Vec<String> {
    if command.contains('/') {
        return vec![command.to_owned()];
    }
    let directory =
        |directory: &str| if directory.is_empty() { format!("./{command}") } else { format!("{directory}/{command}") };
    path.split(':').map(directory).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(args: &[&str]) -> Process {
        Process { args: args.iter().map(|arg| (*arg).to_owned()).collect(), cwd: "/".into(), ..Process::default() }
    }

    #[test]
    fn a_plain_name_is_searched_in_the_path_of_the_process() {
        assert_eq!(candidates("ls", "/a::/b"), ["/a/ls", "./ls", "/b/ls"]);
        assert_eq!(candidates("./ls", "/a"), ["./ls"]);
        assert_eq!(search_path(&["X=1".into(), "PATH=/q".into()]), "/q");
        assert_eq!(search_path(&[]), DEFAULT_PATH);
    }

    #[test]
    fn home_comes_from_passwd_unless_given() {
        let identity = Identity { home: Some("/home/u".into()), ..Identity::default() };
        assert_eq!(environment(&["A=1".into()], &identity), ["A=1", "HOME=/home/u"]);
        assert_eq!(environment(&["HOME=/x".into(), "HOME=/y".into()], &identity), ["HOME=/y"]);
        assert_eq!(environment(&[], &Identity::default()), ["HOME=/"]);
    }

    #[test]
    fn what_cannot_be_executed_is_refused_by_its_path() {
        let plan =
            |process: &Process| ProcessPlan::new("process", process, Identity::default(), Confinement::default());
        assert!(plan(&process(&["sh"])).is_ok());
        for (wrong, path) in [
            (process(&[]), "process.args"),
            (process(&[""]), "process.args"),
            (process(&["sh", "a\0b"]), "process.args[1]"),
            (Process { cwd: "tmp".into(), ..process(&["sh"]) }, "process.cwd"),
            (Process { env: vec!["A=\0".into()], ..process(&["sh"]) }, "process.env[0]"),
        ] {
            assert!(plan(&wrong).unwrap_err().message().starts_with(path), "{path}");
        }
    }

    #[test]
    fn exec_takes_over_what_it_does_not_say() {
        let container = Confinement { no_new_privileges: true, oom_score_adj: Some(5), ..Confinement::default() };
        let overlaid =
            container.overlaid("process", &Process { oom_score_adj: Some(7), ..Process::default() }).unwrap();
        assert!(overlaid.no_new_privileges);
        assert_eq!(overlaid.oom_score_adj, Some(7));
    }
}
