//! What runs in a container, as its kernel tells it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};

use crate::clock;
use crate::proto::{ListProcessesResponse, ProcessInfo};

/// No more than so many are told; the rest is counted. A message to the host has a limit.
const MOST: usize = 2000;
/// As much is read of a command line, bytes. A workload chooses how long its own is.
const COMMAND_BYTES: u64 = 1024;
const NS_PER_S: u64 = 1_000_000_000;

/// Describes processes, by their ids in the guest; those that end meanwhile are left out.
pub fn describe(pids: &[i32]) -> ListProcessesResponse {
    let told = &pids[..pids.len().min(MOST)];
    let found: Vec<(u32, ProcessInfo)> = told.iter().filter_map(|pid| read(*pid).ok().flatten()).collect();
    // Ids are those that the container itself sees.
    let inner: HashMap<u32, u32> = found.iter().map(|(pid, process)| (*pid, process.pid)).collect();
    let mut processes: Vec<ProcessInfo> = found
        .into_iter()
        .map(|(_, process)| ProcessInfo { parent: inner.get(&process.parent).copied().unwrap_or(0), ..process })
        .collect();
    processes.sort_by_key(|process| process.pid);
    ListProcessesResponse { processes, left_out: (pids.len() - told.len()) as u32 }
}

fn read(pid: i32) -> io::Result<Option<(u32, ProcessInfo)>> {
    let stat = text(&format!("/proc/{pid}/stat"), 4096)?;
    let status = text(&format!("/proc/{pid}/status"), 16_384)?;
    let Some(stat) = Stat::parse(&stat) else { return Ok(None) };
    let command = text(&format!("/proc/{pid}/cmdline"), COMMAND_BYTES)?.replace('\0', " ").trim_end().to_owned();
    let tick = NS_PER_S / rustix::param::clock_ticks_per_second();
    let process = ProcessInfo {
        pid: field(&status, "NSpid:", usize::MAX).unwrap_or(pid as u32),
        parent: stat.parent,
        user: field(&status, "Uid:", 1).unwrap_or(0),
        start_time_ns: (clock::realtime() + stat.start * tick).saturating_sub(clock::boottime()),
        cpu_ns: stat.cpu * tick,
        terminal: terminal(stat.terminal),
        command: if command.is_empty() { format!("[{}]", stat.name) } else { command },
    };
    Ok(Some((pid as u32, process)))
}

/// The fields of /proc/PID/stat (proc(5)) that are of use here; times in ticks.
#[derive(Debug, PartialEq)]
struct Stat {
    name: String,
    parent: u32,
    terminal: u32,
    cpu: u64,
    start: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // A name may hold anything, also parentheses and blanks.
        let (before, after) = text.rsplit_once(')')?;
        let name = before.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = after.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self {
            name,
            parent: number(1)? as u32,
            terminal: number(4)? as u32,
            cpu: number(11)? + number(12)?,
            start: number(19)?,
        })
    }
}

/// Name of a terminal's device, as `ps` shows it.
fn terminal(device: u32) -> String {
    let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
    match major {
        0 => "?".to_owned(),
        136..=143 => format!("pts/{}", minor + ((major - 136) << 8)),
        _ => format!("{major}:{minor}"),
    }
}

/// A number of a line of /proc/PID/status; the last one for an index beyond it.
fn field(status: &str, key: &str, index: usize) -> Option<u32> {
    let values: Vec<&str> = status.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().collect();
    values.get(index).or(values.last())?.parse().ok()
}

fn text(path: &str, most: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_anything() {
        let text = "7 (a) (b S 1) S 3 7 7 34816 7 0 0 0 0 0 12 30 0 0 20 0 1 0 4711 1 2";
        let expected = Stat { name: "a) (b S 1".to_owned(), parent: 3, terminal: 34816, cpu: 42, start: 4711 };
        assert_eq!(Stat::parse(text), Some(expected));
        assert_eq!(Stat::parse("7 (a"), None);
        assert_eq!(Stat::parse("7 (a) S 1"), None);
    }

    #[test]
    fn terminals_have_their_names() {
        assert_eq!([terminal(0), terminal(34816), terminal(34819), terminal(1025)], ["?", "pts/0", "pts/3", "4:1"]);
    }

    #[test]
    fn this_process_is_described() {
        let pid = std::process::id() as i32;
        let ListProcessesResponse { processes, left_out } = describe(&[pid, i32::MAX]);
        assert_eq!((processes.len(), left_out), (1, 0));
        assert!(!processes[0].command.is_empty());
        assert!(processes[0].start_time_ns < clock::realtime());
    }
}
