//! A container from Create to Delete.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::beneath;
use super::build::{self, Built, Materials};
use super::settings::Settings;
use crate::cgroup::Cgroup;
use crate::error::{AgentError, Result};
use crate::events::EventLog;
use crate::oci::parse::parse;
use crate::oci::spec::{self, Resources};
use crate::oci::{resources, user};
use crate::oom::OomWatcher;
use crate::process::plan::ProcessPlan;
use crate::process::reaper::{ChildExit, Registry};
use crate::process::running::{Prepared, Process};
use crate::process::spawn::{Entry, Executed, Place, spawn};
use crate::process::terminal::Terminal;
use crate::proto::{ContainerStats, CreateContainerRequest, ExitStatus, OutOfMemory, ProcessExited, event};
use crate::slots::{SlotUse, Slots};
use crate::sync::lock;

/// More than any real /etc/passwd or /etc/group.
const USER_FILE_LIMIT: u64 = 4 << 20;

/// What containers need of the guest.
#[derive(Debug)]
pub struct Services {
    /// Where processes are registered.
    pub registry: Registry,
    /// Out-of-memory kills.
    pub oom: OomWatcher,
    /// Disk slots.
    pub slots: Slots,
    /// Where events go.
    pub events: Arc<EventLog>,
    /// The guest's own PID namespace.
    pub own_pid_namespace: OwnedFd,
}

#[derive(Debug)]
enum Slot {
    Starting,
    Started { fingerprint: [u8; 32], process: Arc<Process> },
    Failed(AgentError),
}

/// A container that was created.
#[derive(Debug)]
pub struct Container {
    id: String,
    fingerprint: [u8; 32],
    settings: Settings,
    first: Arc<ProcessPlan>,
    cgroup: Cgroup,
    slots: [String; 2],
    services: Arc<Services>,
    built: Mutex<Option<Built>>,
    /// By process id; the container's own process has the empty one.
    processes: Mutex<HashMap<String, Slot>>,
    out_of_memory_kills: AtomicU64,
    /// Whether a process that was added has had capabilities to trace others.
    another_may_trace: AtomicBool,
}

/// The fingerprint of a request, to tell a repeated one from another.
pub fn fingerprint(request: &impl prost::Message) -> [u8; 32] {
    Sha256::digest(request.encode_to_vec()).into()
}

/// The disk slots that are in use by a container that is being made; given up unless it is kept.
struct SlotsInUse<'services> {
    services: &'services Services,
    slots: Vec<String>,
}

impl SlotsInUse<'_> {
    fn acquire(&mut self, slot: &str, usage: SlotUse) -> Result<PathBuf> {
        let path = self.services.slots.acquire(slot, usage)?;
        self.slots.push(slot.to_owned());
        Ok(path)
    }
}

impl Drop for SlotsInUse<'_> {
    fn drop(&mut self) {
        for slot in &self.slots {
            if let Err(error) = self.services.slots.release(slot) {
                eprintln!("guest-init: {error}");
            }
        }
    }
}

impl Container {
    /// Makes namespaces, mounts and cgroup. Leaves nothing behind if it fails.
    pub async fn create(request: CreateContainerRequest, services: Arc<Services>) -> Result<Arc<Self>> {
        let fingerprint = fingerprint(&request);
        let settings = Settings::parse(&request.container_id, &request.config)?;
        let Some(root) = request.root_filesystem else { return Err(AgentError::invalid("root_filesystem is missing")) };
        check_segment("scratch_directory", &root.scratch_directory)?;
        check_files(&request.files)?;
        let mut in_use = SlotsInUse { services: &services, slots: Vec::new() };
        let image = in_use.acquire(&root.image_slot, SlotUse::Image)?;
        let scratch = in_use.acquire(&root.scratch_slot, SlotUse::Scratch)?.join(&root.scratch_directory);
        let materials = Materials { settings, image, scratch, files: request.files };
        let (materials, built) = on_own_thread(materials).await?;
        let settings = materials.settings;
        let first = plan_first(&settings, &built)?;
        let cgroup = Cgroup::create(&settings.cgroup)?;
        let limited = limit(&cgroup, &settings, &services, &request.container_id);
        if let Err(error) = limited {
            cgroup.remove()?;
            return Err(error);
        }
        in_use.slots.clear();
        Ok(Arc::new(Self {
            id: request.container_id,
            fingerprint,
            first,
            settings,
            cgroup,
            slots: [root.image_slot, root.scratch_slot],
            services: services.clone(),
            built: Mutex::new(Some(built)),
            processes: Mutex::default(),
            out_of_memory_kills: AtomicU64::new(0),
            another_may_trace: AtomicBool::new(false),
        }))
    }

    /// Whether it was created by an equal request.
    pub fn is_from(&self, fingerprint: &[u8; 32]) -> bool {
        self.fingerprint == *fingerprint
    }

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
            let (prepared, ends) = Prepared::new(&self.first, stdin, built.console.take())?;
            let entry = Entry::First {
                namespaces: &built.namespaces,
                pid_namespace: self.settings.namespaces.pid,
                cgroup_namespace: self.settings.namespaces.cgroup,
                late: &self.settings.late,
            };
            let place = Place { cgroup: Some(self.cgroup.directory()), entry, stdio: ends.stdio() };
            (prepared, spawn(&self.first, &place, &self.services.registry)?)
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
            let (prepared, ends) = Prepared::new(&plan, stdin, terminal)?;
            let entry = Entry::Join {
                pidfd: first.pidfd(),
                kinds: self.settings.namespaces.kinds(),
                own_pid_namespace: self.services.own_pid_namespace.as_fd(),
            };
            let place = Place { cgroup: Some(self.cgroup.directory()), entry, stdio: ends.stdio() };
            (prepared, spawn(&plan, &place, &self.services.registry)?)
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
            let status = watched.attribute(self.status(pid, exit));
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

    fn status(&self, pid: u32, exit: ChildExit) -> ExitStatus {
        let killed = exit.signal == libc::SIGKILL as u32;
        let out_of_memory = killed
            && self.services.oom.was_victim(pid).unwrap_or_else(|error| {
                eprintln!("guest-init: read the kernel's log: {error}");
                false
            });
        ExitStatus { code: exit.code, signal: exit.signal, out_of_memory, time_ns: exit.time }
    }

    /// Tells of out-of-memory kills that were not told of yet.
    pub fn check_out_of_memory(&self) {
        let Ok(kills) = self.cgroup.out_of_memory_kills() else { return };
        if self.out_of_memory_kills.swap(kills, Ordering::Relaxed) < kills {
            let event = OutOfMemory { container_id: self.id.clone(), kills };
            self.services.events.push(event::Event::OutOfMemory(event));
        }
    }

    /// A started process; the empty id is the container's own.
    pub fn process(&self, id: &str) -> Result<Arc<Process>> {
        match lock(&self.processes).get(id) {
            Some(Slot::Started { process, .. }) => Ok(process.clone()),
            Some(Slot::Starting) => Err(AgentError::conflict(format!("process {id:?} is being started"))),
            _ if id.is_empty() => Err(AgentError::conflict(format!("container {:?} was not started", self.id))),
            _ => Err(AgentError::not_found(format!("container {:?} has no process {id:?}", self.id))),
        }
    }

    /// Forgets a process that has ended.
    pub fn release(&self, id: &str) -> Result<()> {
        let mut processes = lock(&self.processes);
        match processes.get(id) {
            Some(Slot::Started { process, .. }) if process.exit_status().is_none() => {
                Err(AgentError::conflict(format!("process {id:?} has not ended")))
            }
            Some(Slot::Starting) => Err(AgentError::conflict(format!("process {id:?} is being started"))),
            // Start may not be repeated, so the container's own process stays until Delete; its output may go.
            Some(Slot::Started { process, .. }) if id.is_empty() => {
                process.stdout.acknowledge(u64::MAX);
                if let Some(stderr) = &process.stderr {
                    stderr.acknowledge(u64::MAX);
                }
                Ok(())
            }
            _ => {
                processes.remove(id);
                Ok(())
            }
        }
    }

    /// Sends a signal to a process, or to all.
    pub fn signal(&self, id: &str, signal: i32, all: bool) -> Result<()> {
        if all { self.cgroup.signal(signal) } else { self.process(id)?.signal(signal) }
    }

    /// Changes limits.
    pub fn update(&self, document: &[u8]) -> Result<()> {
        let resources: Resources = parse("resources", document)?;
        if resources.devices.is_some() {
            return Err(AgentError::invalid("resources.devices: cannot be changed while the container exists"));
        }
        self.cgroup.apply(&resources::settings("resources", &resources)?)
    }

    /// Freezes or thaws.
    pub async fn freeze(&self, frozen: bool) -> Result<()> {
        self.cgroup.freeze(frozen).await
    }

    /// What it uses.
    pub fn stats(&self) -> ContainerStats {
        ContainerStats {
            container_id: self.id.clone(),
            memory_bytes: self.cgroup.figure("memory.current").unwrap_or(0),
            memory_limit_bytes: self.cgroup.figure("memory.max").unwrap_or(0),
            cpu_usage_ns: self.cgroup.keyed_figure("cpu.stat", "usage_usec").unwrap_or(0) * 1000,
            processes: self.cgroup.figure("pids.current").unwrap_or(0),
            block_read_bytes: self.cgroup.io_figure("rbytes"),
            block_write_bytes: self.cgroup.io_figure("wbytes"),
        }
    }

    /// Asks everything to end, by SIGTERM to the container's own process.
    pub fn terminate(&self) {
        let first = match lock(&self.processes).get("") {
            Some(Slot::Started { process, .. }) => process.clone(),
            _ => return,
        };
        if first.exit_status().is_none()
            && let Err(error) = first.signal(libc::SIGTERM)
        {
            eprintln!("guest-init: container {:?}: {error}", self.id);
        }
    }

    /// Waits for the end of all processes.
    pub async fn wait_empty(&self) -> Result<()> {
        self.cgroup.wait_empty().await?;
        let processes: Vec<Arc<Process>> = lock(&self.processes)
            .values()
            .filter_map(|slot| match slot {
                Slot::Started { process, .. } => Some(process.clone()),
                _ => None,
            })
            .collect();
        for process in processes {
            process.wait().await;
        }
        Ok(())
    }

    /// Ends what runs and undoes Create. What was written to the scratch disk stays there.
    pub async fn delete(&self) -> Result<()> {
        self.cgroup.kill()?;
        self.wait_empty().await?;
        let Some(built) = lock(&self.built).take() else { return Ok(()) };
        drop(built);
        self.cgroup.remove()?;
        self.slots.iter().try_for_each(|slot| self.services.slots.release(slot))
    }

    fn gone(&self) -> AgentError {
        AgentError::conflict(format!("container {:?} is being deleted", self.id))
    }
}

async fn on_own_thread(materials: Materials) -> Result<(Materials, Built)> {
    let (sender, receiver) = oneshot::channel();
    let build = move || {
        let built = build::build(&materials);
        // Whoever waits is part of this task.
        let _ = sender.send(built.map(|built| (materials, built)));
    };
    let thread = std::thread::Builder::new().name("container".to_owned()).spawn(build);
    thread.map_err(|error| AgentError::system("start a thread", error))?;
    receiver.await.map_err(|_| AgentError::internal("the container's thread has ended"))?
}

fn limit(cgroup: &Cgroup, settings: &Settings, services: &Services, id: &str) -> Result<()> {
    cgroup.apply(&settings.limits)?;
    settings.device_filter.attach(cgroup.directory())?;
    services
        .oom
        .watch(id, &cgroup.file("memory.events"))
        .map_err(|error| AgentError::system("watch memory.events", error))
}

fn plan_first(settings: &Settings, built: &Built) -> Result<Arc<ProcessPlan>> {
    let identity = identify(&settings.process, built)?;
    ProcessPlan::new("process", &settings.process, identity, settings.confinement.clone()).map(Arc::new)
}

fn identify(process: &spec::Process, built: &Built) -> Result<user::Identity> {
    let read = |path: &str| {
        beneath::read_text(built.root.as_fd(), path, USER_FILE_LIMIT)
            .map_err(|error| AgentError::system(format_args!("read {path} of the container"), error))
    };
    let has_home = process.env.iter().any(|entry| entry.starts_with("HOME="));
    let named = process.user.username.as_deref().is_some_and(|name| !name.is_empty());
    let passwd = if named || !has_home { read("/etc/passwd")? } else { String::new() };
    let group = if named { read("/etc/group")? } else { String::new() };
    user::resolve("process.user", &process.user, &passwd, &group)
}

fn check_segment(name: &str, segment: &str) -> Result<()> {
    let plain =
        !segment.is_empty() && segment.len() <= 255 && !matches!(segment, "." | "..") && !segment.contains(['/', '\0']);
    if plain { Ok(()) } else { Err(AgentError::invalid(format!("{name} {segment:?} is not one path segment"))) }
}

fn check_files(files: &[crate::proto::InjectedFile]) -> Result<()> {
    for file in files {
        let plain = file.path.starts_with('/')
            && !file.path.ends_with('/')
            && !file.path.split('/').any(|segment| segment == "..");
        if !plain || file.path.contains('\0') {
            return Err(AgentError::invalid(format!("file path {:?} is not a plain absolute path", file.path)));
        }
        if file.mode & !0o7777 != 0 {
            return Err(AgentError::invalid(format!(
                "file {}: mode {:o} holds more than permission bits",
                file.path, file.mode
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::InjectedFile;

    #[test]
    fn a_scratch_directory_is_one_segment() {
        assert!(check_segment("s", "box-1").is_ok());
        for wrong in ["", ".", "..", "a/b", "a\0"] {
            assert!(check_segment("s", wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn injected_files_have_plain_paths_and_permission_bits() {
        let file = |path: &str, mode: u32| [InjectedFile { path: path.into(), mode, ..InjectedFile::default() }];
        assert!(check_files(&file("/etc/hosts", 0o644)).is_ok());
        for (path, mode) in [("etc/hosts", 0), ("/a/../b", 0), ("/a/", 0), ("/a", 0o100_644)] {
            assert!(check_files(&file(path, mode)).is_err(), "{path}");
        }
    }
}
