//! Out-of-memory kills: which containers had one (memory.events) and which processes they hit (the kernel's log).

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Mutex;

use rustix::fs::{Mode, OFlags, SeekFrom, inotify};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::sync::lock;
use crate::sys;

const VICTIMS_KEPT: usize = 256;

/// Watches memory.events of all containers and the kernel's log.
#[derive(Debug)]
pub struct OomWatcher {
    changes: AsyncFd<OwnedFd>,
    watched: Mutex<HashMap<i32, String>>,
    victims: Mutex<Victims>,
}

impl OomWatcher {
    /// Starts with what happens from now on. Must be called within the runtime.
    pub fn new() -> io::Result<Self> {
        let changes = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        let log = rustix::fs::open("/dev/kmsg", OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
        rustix::fs::seek(&log, SeekFrom::End(0))?;
        Ok(Self {
            changes: sys::watch(changes, Interest::READABLE)?,
            watched: Mutex::default(),
            victims: Mutex::new(Victims { log, pids: VecDeque::new() }),
        })
    }

    /// Watches a container's memory.events. The kernel drops the watch with the cgroup.
    pub fn watch(&self, container_id: &str, memory_events: &Path) -> io::Result<()> {
        let watch = inotify::add_watch(self.changes.get_ref(), memory_events, inotify::WatchFlags::MODIFY)?;
        lock(&self.watched).insert(watch, container_id.to_owned());
        Ok(())
    }

    /// The next containers whose figures changed. Cancel-safe.
    pub async fn changed(&self) -> io::Result<Vec<String>> {
        loop {
            let mut guard = self.changes.readable().await?;
            let mut buffer = [const { std::mem::MaybeUninit::uninit() }; 4096];
            let mut reader = inotify::Reader::new(self.changes.get_ref(), &mut buffer);
            let mut containers = Vec::new();
            loop {
                match reader.next() {
                    Ok(event) => self.note(event.wd(), event.events(), &mut containers),
                    Err(rustix::io::Errno::AGAIN) => break guard.clear_ready(),
                    Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if !containers.is_empty() {
                return Ok(containers);
            }
        }
    }

    fn note(&self, watch: i32, events: inotify::ReadFlags, containers: &mut Vec<String>) {
        let mut watched = lock(&self.watched);
        if events.contains(inotify::ReadFlags::IGNORED) {
            watched.remove(&watch);
        } else if events.contains(inotify::ReadFlags::QUEUE_OVERFLOW) {
            containers.extend(watched.values().cloned());
        } else if let Some(container) = watched.get(&watch)
            && !containers.contains(container)
        {
            containers.push(container.clone());
        }
    }

    /// Whether the kernel's log names this process as a victim. Asked once, when the process has ended.
    pub fn was_victim(&self, pid: u32) -> io::Result<bool> {
        lock(&self.victims).take(pid)
    }
}

#[derive(Debug)]
struct Victims {
    log: OwnedFd,
    pids: VecDeque<u32>,
}

impl Victims {
    fn take(&mut self, pid: u32) -> io::Result<bool> {
        self.read_log()?;
        let index = self.pids.iter().position(|victim| *victim == pid);
        Ok(index.and_then(|index| self.pids.remove(index)).is_some())
    }

    fn read_log(&mut self) -> io::Result<()> {
        let mut record = [0; 8192];
        loop {
            match rustix::io::read(&self.log, &mut record) {
                Ok(count) => {
                    if let Some(pid) = victim(&record[..count]) {
                        self.pids.push_back(pid);
                        if self.pids.len() > VICTIMS_KEPT {
                            self.pids.pop_front();
                        }
                    }
                }
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                // Records were overwritten before they were read; the next read goes on behind them.
                Err(rustix::io::Errno::PIPE | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The victim that a log record names. Only the kernel's own records count (facility 0).
fn victim(record: &[u8]) -> Option<u32> {
    let (prefix, message) = std::str::from_utf8(record).ok()?.split_once(';')?;
    let priority: u32 = prefix.split(',').next()?.parse().ok()?;
    if priority >> 3 != 0 {
        return None;
    }
    let (cause, victim) = message.split_once("Killed process ")?;
    let by_oom_killer =
        cause.eq_ignore_ascii_case("out of memory: ") || cause.eq_ignore_ascii_case("memory cgroup out of memory: ");
    if !by_oom_killer {
        return None;
    }
    victim.split_once(' ')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn victims_are_read_from_the_kernels_records_alone() {
        let record = b"3,512,9000,-;Memory cgroup out of memory: Killed process 77 (sh) total-vm:1kB\n";
        assert_eq!(victim(record), Some(77));
        assert_eq!(victim(b"3,5,9,-;Out of memory: Killed process 8 (a b) x\n"), Some(8));
        assert_eq!(victim(b"12,512,9000,-;Memory cgroup out of memory: Killed process 77 (sh)\n"), None);
        assert_eq!(victim(b"3,5,9,-;note: Out of memory: Killed process 8 (a) x\n"), None);
        assert_eq!(victim(b"no record"), None);
    }
}
