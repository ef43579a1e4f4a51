//! Control groups (v2): one per container, its limits, its figures, and what it says about its processes.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::inotify;
use rustix::fs::{Mode, OFlags};
use tokio::io::Interest;

use crate::error::{AgentError, Result};
use crate::sys;
use crate::sys::write_attribute;

const ROOT: &str = "/sys/fs/cgroup";

/// Where the guest's cgroup hierarchy is mounted.
pub fn root() -> &'static Path {
    Path::new(ROOT)
}

/// Passes every controller of a cgroup on to its children.
pub fn enable_controllers(cgroup: &Path) -> io::Result<()> {
    let controllers = fs::read_to_string(cgroup.join("cgroup.controllers"))?;
    let enable: Vec<String> = controllers.split_whitespace().map(|name| format!("+{name}")).collect();
    if enable.is_empty() { Ok(()) } else { write_attribute(cgroup.join("cgroup.subtree_control"), &enable.join(" ")) }
}

/// One value to write to one file of a cgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Name of the file.
    pub file: String,
    /// What to write.
    pub value: String,
}

impl Setting {
    /// A setting of `file`.
    pub fn new(file: impl Into<String>, value: impl ToString) -> Self {
        Self { file: file.into(), value: value.to_string() }
    }
}

/// A container's cgroup. Removing it is explicit, since it can fail.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
    directory: OwnedFd,
}

impl Cgroup {
    /// Makes the cgroup, and those above it, with all controllers. `path` is absolute in the hierarchy.
    pub fn create(path: &Path) -> Result<Self> {
        let failed = |error| AgentError::system(format_args!("make cgroup {}", path.display()), error);
        let mut absolute = root().to_owned();
        let mut made = Ok(());
        for component in path.components() {
            match component {
                Component::RootDir => {}
                Component::Normal(name) => {
                    enable_controllers(&absolute).map_err(failed)?;
                    absolute.push(name);
                    made = fs::create_dir(&absolute);
                    if let Err(error) = &made
                        && error.kind() != io::ErrorKind::AlreadyExists
                    {
                        return made.map(|()| unreachable!()).map_err(failed);
                    }
                }
                _ => return Err(AgentError::invalid(format!("cgroup path {} is not plain", path.display()))),
            }
        }
        if absolute == root() || made.is_err() {
            return Err(AgentError::already_exists(format!("cgroup {} exists already", path.display())));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(&absolute, flags, Mode::empty()).map_err(|error| failed(error.into()))?;
        Ok(Self { path: absolute, directory })
    }

    /// The directory, to start processes in.
    pub fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Path of one of the cgroup's files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes settings in order; the first that fails ends it.
    pub fn apply(&self, settings: &[Setting]) -> Result<()> {
        for Setting { file, value } in settings {
            write_attribute(self.file(file), value).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    AgentError::unsupported(format!("cgroup setting {file}: this kernel does not have it"))
                }
                io::ErrorKind::InvalidInput => {
                    AgentError::invalid(format!("cgroup setting {file}: the kernel refuses {value:?}"))
                }
                _ => AgentError::system(format_args!("set {file} to {value:?}"), error),
            })?;
        }
        Ok(())
    }

    /// Kills every process of the cgroup and below, also frozen ones.
    pub fn kill(&self) -> Result<()> {
        write_attribute(self.file("cgroup.kill"), "1")
            .map_err(|error| AgentError::system("kill the container's processes", error))
    }

    /// Whether no process is left in the cgroup or below it.
    pub fn is_empty(&self) -> bool {
        read_key(&self.file("cgroup.events"), "populated").is_ok_and(|populated| populated.as_deref() == Some("0"))
    }

    /// Sends a signal to every process of the cgroup and below it.
    pub fn signal(&self, signal: i32) -> Result<()> {
        let failed = |error| AgentError::system("signal the container's processes", error);
        for pid in processes(&self.path).map_err(failed)? {
            // SAFETY: no pointers. The process may have ended meanwhile; then there is nothing to signal.
            let sent = unsafe { libc::kill(pid, signal) };
            if sent != 0 {
                let error = io::Error::last_os_error();
                if error.raw_os_error() != Some(libc::ESRCH) {
                    return Err(failed(error));
                }
            }
        }
        Ok(())
    }

    /// Every process of the cgroup and below it, by its id in the guest.
    pub fn processes(&self) -> Result<Vec<i32>> {
        processes(&self.path).map_err(|error| AgentError::system("list the container's processes", error))
    }

    /// Freezes or thaws all processes and waits until the kernel says that they are.
    pub async fn freeze(&self, frozen: bool) -> Result<()> {
        let failed =
            |error| AgentError::system(if frozen { "freeze the container" } else { "thaw the container" }, error);
        let value = if frozen { "1" } else { "0" };
        write_attribute(self.file("cgroup.freeze"), value).map_err(failed)?;
        self.wait_for("frozen", value).await.map_err(failed)
    }

    /// Lets go on what was frozen, without waiting for it.
    pub fn thaw(&self) -> Result<()> {
        write_attribute(self.file("cgroup.freeze"), "0")
            .map_err(|error| AgentError::system("thaw the container", error))
    }

    /// Waits until no process is left.
    pub async fn wait_empty(&self) -> Result<()> {
        self.wait_for("populated", "0")
            .await
            .map_err(|error| AgentError::system("wait for the container's processes", error))
    }

    async fn wait_for(&self, key: &str, value: &str) -> io::Result<()> {
        let path = self.file("cgroup.events");
        let changes = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        inotify::add_watch(&changes, &path, inotify::WatchFlags::MODIFY)?;
        let changes = sys::watch(changes, Interest::READABLE)?;
        while read_key(&path, key)?.as_deref() != Some(value) {
            let mut guard = changes.readable().await?;
            match rustix::io::read(changes.get_ref(), &mut [0u8; 1024]) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => guard.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// How many processes the kernel has killed here for lack of memory.
    pub fn out_of_memory_kills(&self) -> io::Result<u64> {
        Ok(read_key(&self.file("memory.events"), "oom_kill")?.and_then(|kills| kills.parse().ok()).unwrap_or(0))
    }

    /// A figure that is the whole of a file; `None` for "max" or a file that is not there.
    pub fn figure(&self, file: &str) -> Option<u64> {
        self.read(file).ok()?.trim().parse().ok()
    }

    /// A figure of a flat-keyed file.
    pub fn keyed_figure(&self, file: &str, key: &str) -> Option<u64> {
        find_key(&self.read(file).ok()?, key)?.parse().ok()
    }

    /// Sums figures of `io.stat` over all devices.
    pub fn io_figures<const COUNT: usize>(&self, keys: [&str; COUNT]) -> [u64; COUNT] {
        let stat = self.read("io.stat").unwrap_or_default();
        let figures = stat.split_whitespace().filter_map(|pair| pair.split_once('='));
        keys.map(|key| {
            figures.clone().filter(|(name, _)| *name == key).filter_map(|(_, value)| value.parse::<u64>().ok()).sum()
        })
    }

    fn read(&self, file: &str) -> io::Result<String> {
        sys::read_attribute(&self.directory, file)
    }

    /// Removes the cgroup and what the workload made below it. No process may be left.
    pub fn remove(&self) -> Result<()> {
        remove_tree(&self.path)
            .map_err(|error| AgentError::system(format_args!("remove cgroup {}", self.path.display()), error))
    }
}

fn children(cgroup: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(cgroup)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn processes(cgroup: &Path) -> io::Result<Vec<i32>> {
    let mut pids: Vec<i32> =
        fs::read_to_string(cgroup.join("cgroup.procs"))?.lines().filter_map(|line| line.parse().ok()).collect();
    for child in children(cgroup)? {
        pids.extend(processes(&child)?);
    }
    Ok(pids)
}

fn remove_tree(cgroup: &Path) -> io::Result<()> {
    let below = match children(cgroup) {
        Ok(below) => below,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for child in below {
        remove_tree(&child)?;
    }
    fs::remove_dir(cgroup)
}

fn read_key(path: &Path, key: &str) -> io::Result<Option<String>> {
    Ok(find_key(&fs::read_to_string(path)?, key).map(str::to_owned))
}

fn find_key<'text>(text: &'text str, key: &str) -> Option<&'text str> {
    let found = text.lines().filter_map(|line| line.split_once(' ')).find(|(name, _)| *name == key);
    found.map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_keyed_files_are_read_by_key() -> io::Result<()> {
        let path = std::env::temp_dir().join(format!("a3s-cgroup-{}", std::process::id()));
        fs::write(&path, "populated 1\nfrozen 0\n")?;
        assert_eq!(read_key(&path, "frozen")?.as_deref(), Some("0"));
        assert_eq!(read_key(&path, "oom")?, None);
        fs::remove_file(&path)
    }
}
