//! A container from Create to Delete.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use super::build::{Built, Materials};
use super::builder::Builder;
use super::settings::Settings;
use super::starting::plan_first;
use super::volumes;
use crate::cgroup::Cgroup;
use crate::error::{AgentError, Result};
use crate::events::EventLog;
use crate::files::Files;
use crate::oci::devices::DeviceFilters;
use crate::oci::parse::parse;
use crate::oci::resources;
use crate::oci::spec::Resources;
use crate::oom::OomWatcher;
use crate::process::plan::ProcessPlan;
use crate::process::reaper::Registry;
use crate::process::running::Process;
use crate::processes;
use crate::proto::{ContainerStats, CreateContainerRequest, ListProcessesResponse, OutOfMemory, event};
use crate::share::Share;
use crate::slots::{SlotUse, Slots};
use crate::sync::lock;

/// What containers need of the guest.
#[derive(Debug)]
pub struct Services {
    /// Where processes are registered.
    pub registry: Registry,
    /// Out-of-memory kills.
    pub oom: OomWatcher,
    /// Disk slots.
    pub slots: Slots,
    /// The virtiofs share.
    pub share: Share,
    /// Device filters.
    pub device_filters: DeviceFilters,
    /// Makes containers.
    pub builder: Builder,
    /// Where events go.
    pub events: Arc<EventLog>,
    /// The guest's own PID namespace.
    pub own_pid_namespace: OwnedFd,
}

#[derive(Debug)]
pub(super) enum Slot {
    Starting,
    Started { fingerprint: [u8; 32], process: Arc<Process> },
    Failed(AgentError),
}

/// A container that was created.
#[derive(Debug)]
pub struct Container {
    pub(super) id: String,
    fingerprint: [u8; 32],
    pub(super) settings: Settings,
    pub(super) first: Arc<ProcessPlan>,
    pub(super) cgroup: Cgroup,
    slots: Vec<String>,
    pub(super) services: Arc<Services>,
    pub(super) built: Mutex<Option<Built>>,
    files: Mutex<Option<Arc<Files>>>,
    /// By process id; the container's own process has the empty one.
    pub(super) processes: Mutex<HashMap<String, Slot>>,
    out_of_memory_kills: AtomicU64,
    /// Whether a process that was added has had capabilities to trace others.
    pub(super) another_may_trace: AtomicBool,
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
        let fills = volumes::prepare(&request.volumes, &services.share, |slot, usage| in_use.acquire(slot, usage))?;
        let materials = Materials { settings, image, scratch, fills, files: request.files };
        let (materials, built) = services.builder.build(materials).await?;
        let files = files_of(&materials, &built)?;
        let settings = materials.settings;
        let first = plan_first(&settings, &built)?;
        let cgroup = Cgroup::create(&settings.cgroup)?;
        let limited = limit(&cgroup, &settings, &services, &request.container_id);
        if let Err(error) = limited {
            cgroup.remove()?;
            return Err(error);
        }
        let slots = std::mem::take(&mut in_use.slots);
        Ok(Arc::new(Self {
            id: request.container_id,
            fingerprint,
            first,
            settings,
            cgroup,
            slots,
            services: services.clone(),
            built: Mutex::new(Some(built)),
            files: Mutex::new(Some(Arc::new(files))),
            processes: Mutex::default(),
            out_of_memory_kills: AtomicU64::new(0),
            another_may_trace: AtomicBool::new(false),
        }))
    }

    /// Whether it was created by an equal request.
    pub fn is_from(&self, fingerprint: &[u8; 32]) -> bool {
        self.fingerprint == *fingerprint
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

    /// Lets what was frozen go on, and does not wait until it does.
    pub fn thaw(&self) -> Result<()> {
        self.cgroup.thaw()
    }

    /// Where its files are.
    pub fn files(&self) -> Result<Arc<Files>> {
        lock(&self.files).clone().ok_or_else(|| self.gone())
    }

    /// What runs in it.
    pub fn processes(&self) -> Result<ListProcessesResponse> {
        Ok(processes::describe(&self.cgroup.processes()?))
    }

    /// What it uses.
    pub fn stats(&self) -> ContainerStats {
        let [read, written] = self.cgroup.io_figures(["rbytes", "wbytes"]);
        ContainerStats {
            container_id: self.id.clone(),
            memory_bytes: self.cgroup.figure("memory.current").unwrap_or(0),
            memory_limit_bytes: self.cgroup.figure("memory.max").unwrap_or(0),
            cpu_usage_ns: self.cgroup.keyed_figure("cpu.stat", "usage_usec").unwrap_or(0) * 1000,
            processes: self.cgroup.figure("pids.current").unwrap_or(0),
            block_read_bytes: read,
            block_write_bytes: written,
            memory_reclaimable_bytes: self.cgroup.keyed_figure("memory.stat", "inactive_file").unwrap_or(0),
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
        drop((built, lock(&self.files).take()));
        self.cgroup.remove()?;
        self.slots.iter().try_for_each(|slot| self.services.slots.release(slot))
    }

    pub(super) fn gone(&self) -> AgentError {
        AgentError::conflict(format!("container {:?} is being deleted", self.id))
    }
}

fn files_of(materials: &Materials, built: &Built) -> Result<Files> {
    let view = |root: &OwnedFd| root.try_clone().map_err(|error| AgentError::system("keep the root", error));
    Ok(Files {
        live: view(&built.root)?,
        plain: view(&built.plain)?,
        image: materials.image.clone(),
        scratch: materials.scratch.clone(),
        at_rest: false,
    })
}

fn limit(cgroup: &Cgroup, settings: &Settings, services: &Services, id: &str) -> Result<()> {
    cgroup.apply(&settings.limits)?;
    services.device_filters.attach(&settings.device_filter, cgroup.directory())?;
    services
        .oom
        .watch(id, &cgroup.file("memory.events"))
        .map_err(|error| AgentError::system("watch memory.events", error))
}

pub(crate) fn check_segment(name: &str, segment: &str) -> Result<()> {
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
