//! Starting a container's processes, and following them to their end.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::beneath;
use super::build::Built;
use super::lifecycle::{Container, Slot};
use super::settings::Settings;
use crate::error::{AgentError, Result};
use crate::oci::parse::parse;
use crate::oci::{spec, user};
use crate::process::container_init;
use crate::process::plan::ProcessPlan;
use crate::process::reaper::ChildExit;
use crate::process::running::{Prepared, Process};
use crate::process::spawn::{Entry, Executed, Place, spawn};
use crate::process::terminal::Terminal;
use crate::proto::{ExitStatus, ProcessExited, event};
use crate::sync::lock;

/// More than any real /etc/passwd or /etc/group.
const USER_FILE_LIMIT: u64 = 4 << 20;

impl Container {
    /// Starts the container's own process.
    pub async fn start(self: Arc<Self>, stdin: bool) -> Result<u32> {
        let fingerprint = [u8::from(stdin); 32];
        self.start_once(String::new(), fingerprint, self.clone().start_first(stdin)).await
    }

    /// Starts one more process.
    pub async fn exec(
        self: Arc<Self>,
        process_id: String,
        fingerprint: [u8; 32],
        document: Vec<u8>,
        stdin: bool,
    ) -> Result<u32> {
        if process_id.is_empty() {
            return Err(AgentError::invalid("process_id is empty"));
        }
        let started = self.clone().start_another(process_id.clone(), document, stdin);
        self.start_once(process_id, fingerprint, started).await
    }

    async fn start_once(
        &self,
        id: String,
        fingerprint: [u8; 32],
        start: impl Future<Output = Result<Arc<Process>>>,
    ) -> Result<u32> {
        {
            let mut processes = lock(&self.processes);
            match processes.get(&id) {
                None => {}
                Some(Slot::Started { fingerprint: earlier, process }) if *earlier == fingerprint => {
                    return Ok(process.pid);
                }
                Some(Slot::Started { .. }) => {
                    return Err(AgentError::already_exists(format!("process {id:?} was started by another request")));
                }
                Some(Slot::Starting) => return Err(AgentError::conflict(format!("process {id:?} is being started"))),
                Some(Slot::Failed(error)) => return Err(error.clone()),
            }
            processes.insert(id.clone(), Slot::Starting);
        }
        let started = start.await;
        let mut processes = lock(&self.processes);
        match started {
            Ok(process) => {
                let pid = process.pid;
                processes.insert(id, Slot::Started { fingerprint, process });
                Ok(pid)
            }
            Err(error) => {
                // A container is made for one start; a process id that failed is free again.
                if id.is_empty() {
                    processes.insert(id, Slot::Failed(error.clone()));
                } else {
                    processes.remove(&id);
                }
                Err(error)
            }
        }
    }

    async fn start_first(self: Arc<Self>, stdin: bool) -> Result<Arc<Process>> {
        let (prepared, spawned) = {
            let mut built = lock(&self.built);
            let Some(built) = built.as_mut() else { return Err(self.gone()) };
            let (mut prepared, ends) = Prepared::new(&self.first, stdin, built.console.take())?;
            let entry = Entry::First {
                namespaces: &built.namespaces,
                pid_namespace: self.settings.namespaces.pid,
                cgroup_namespace: self.settings.namespaces.cgroup,
                late: &self.settings.late,
            };
            let place = Place { cgroup: Some(self.cgroup.directory()), entry, stdio: ends.stdio() };
            let spawned = spawn(&self.first, &place, &self.services.registry)?;
            prepared.hold_outputs(ends);
            (prepared, spawned)
        };
        let executed = spawned.executed().await?;
        Ok(self.watch(String::new(), prepared, executed))
    }

    async fn start_another(self: Arc<Self>, id: String, document: Vec<u8>, stdin: bool) -> Result<Arc<Process>> {
        let document: spec::Process = parse("process", &document)?;
        let first = self.process("")?;
        if first.exit_status().is_some() {
            return Err(AgentError::conflict(format!("container {:?} is not running", self.id)));
        }
        let (prepared, spawned) = {
            let built = lock(&self.built);
            let Some(built) = built.as_ref() else { return Err(self.gone()) };
            let confinement = self.settings.confinement.overlaid("process", &document)?;
            let identity = identify(&document, built)?;
            let mut plan = ProcessPlan::new("process", &document, identity, confinement)?;
            plan.in_tracing_container = !self.settings.namespaces.pid
                || self.first.may_trace()
                || self.another_may_trace.load(Ordering::Relaxed);
            if plan.may_trace() {
                self.another_may_trace.store(true, Ordering::Relaxed);
            }
            let plan = Arc::new(plan);
            let terminal =
                plan.terminal.then(|| Terminal::open(built.terminals.as_ref().map(AsFd::as_fd))).transpose()?;
            let (mut prepared, ends) = Prepared::new(&plan, stdin, terminal)?;
            let entry = Entry::Join {
                pidfd: first.pidfd(),
                kinds: self.settings.namespaces.kinds(),
                own_pid_namespace: self.services.own_pid_namespace.as_fd(),
            };
            let place = Place { cgroup: Some(self.cgroup.directory()), entry, stdio: ends.stdio() };
            let spawned = spawn(&plan, &place, &self.services.registry)?;
            prepared.hold_outputs(ends);
            (prepared, spawned)
        };
        let executed = spawned.executed().await?;
        Ok(self.watch(id, prepared, executed))
    }

    /// Follows a process to its end.
    fn watch(self: Arc<Self>, id: String, prepared: Prepared, executed: Executed) -> Arc<Process> {
        let Executed { pid, pidfd, exit } = executed;
        let process = Process::new(pid, pidfd, prepared);
        let watched = process.clone();
        tokio::spawn(async move {
            let Ok(exit) = exit.await else { return };
            if id.is_empty() {
                self.end_all().await;
            }
            let status = watched.attribute(self.status(&id, pid, exit));
            watched.end(status);
            let exited = ProcessExited { container_id: self.id.clone(), process_id: id, status: Some(status) };
            self.services.events.push(event::Event::Exited(exited));
        });
        process
    }

    /// With its own process, all of the container ends. The kernel has seen to that where it was the first process of a
    /// PID namespace.
    async fn end_all(&self) {
        if self.cgroup.is_empty() {
            return;
        }
        let ended = match self.cgroup.kill() {
            Ok(()) => self.cgroup.wait_empty().await,
            failed => failed,
        };
        if let Err(error) = ended {
            eprintln!("guest-init: container {:?}: {error}", self.id);
        }
    }

    fn status(&self, id: &str, pid: u32, exit: ChildExit) -> ExitStatus {
        let killed = exit.signal == libc::SIGKILL as u32;
        let victim = |pid: u32| {
            self.services.oom.was_victim(pid).unwrap_or_else(|error| {
                eprintln!("guest-init: read the kernel's log: {error}");
                false
            })
        };
        // Below an init it is that one's child that was killed, which it says by its own status.
        let below_init = self.settings.init && id.is_empty() && exit.code == 128 + libc::SIGKILL as u32;
        let out_of_memory =
            (killed && victim(pid)) || (below_init && self.cgroup.out_of_memory_kills().is_ok_and(|kills| kills > 0));
        ExitStatus { code: exit.code, signal: exit.signal, out_of_memory, time_ns: exit.time }
    }
}

/// Lays out the container's own process, so that what is wrong with it is said by Create.
pub(super) fn plan_first(settings: &Settings, built: &Built) -> Result<Arc<ProcessPlan>> {
    let identity = identify(&settings.process, built)?;
    let mut plan = ProcessPlan::new("process", &settings.process, identity, settings.confinement.clone())?;
    if settings.init {
        plan.init = Some(container_init::program().map_err(|error| AgentError::system("open the init", error))?);
    }
    Ok(Arc::new(plan))
}

fn identify(process: &spec::Process, built: &Built) -> Result<user::Identity> {
    let read = |path: &str| {
        beneath::read_text(built.root.as_fd(), path, USER_FILE_LIMIT)
            .map_err(|error| AgentError::system(format_args!("read {path} of the container"), error))
    };
    let has_home = process.env.iter().any(|entry| entry.starts_with("HOME="));
    let named = process.user.username.as_deref().is_some_and(|name| !name.is_empty());
    let passwd = if named || !has_home { read("/etc/passwd")? } else { String::new() };
    let grouped = named || !process.user.additional_groups.is_empty();
    let group = if grouped { read("/etc/group")? } else { String::new() };
    user::resolve("process.user", &process.user, &passwd, &group)
}
