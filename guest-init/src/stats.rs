//! The guest's figures, read from its kernel when asked.

use std::io;

use crate::proto::StatsResponse;
use crate::{cgroup, clock, sys};

/// Memory of the guest, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// MemTotal.
    pub total: u64,
    /// MemAvailable.
    pub available: u64,
}

/// Reads the guest's memory.
pub fn memory() -> io::Result<Memory> {
    let text = sys::read_attribute(rustix::fs::CWD, c"/proc/meminfo")?;
    Ok(Memory { total: meminfo(&text, "MemTotal:"), available: meminfo(&text, "MemAvailable:") })
}

fn meminfo(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// The figures of the guest as a whole; containers are added by the caller.
pub fn guest() -> io::Result<StatsResponse> {
    let memory = memory()?;
    Ok(StatsResponse {
        time_ns: clock::realtime(),
        memory_total_bytes: memory.total,
        memory_available_bytes: memory.available,
        cpu_busy_ns: cpu_busy(&sys::read_attribute(rustix::fs::CWD, cgroup::root().join("cpu.stat"))?) * 1000,
        containers: Vec::new(),
    })
}

/// Microseconds that all vCPUs spent neither idle nor waiting for a disk. The root group's figure is the machine's, and
/// costs much less to read than /proc/stat.
fn cpu_busy(stat: &str) -> u64 {
    let usage = stat.lines().find_map(|line| line.strip_prefix("usage_usec "));
    usage.and_then(|usage| usage.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_time_is_the_root_groups_usage() {
        assert_eq!(cpu_busy("usage_usec 123\nuser_usec 23\nsystem_usec 100\n"), 123);
        assert_eq!(cpu_busy(""), 0);
    }

    #[test]
    fn memory_is_in_bytes() {
        assert_eq!(meminfo("MemTotal:       2048 kB\nMemFree: 1 kB\n", "MemTotal:"), 2_097_152);
        assert_eq!(meminfo("", "MemTotal:"), 0);
    }
}
