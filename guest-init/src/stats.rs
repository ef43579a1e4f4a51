//! The guest's figures, read from its kernel when asked.

use std::fs;
use std::io;

use crate::clock;
use crate::proto::StatsResponse;

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
    let text = fs::read_to_string("/proc/meminfo")?;
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
        cpu_busy_ns: cpu_busy(&fs::read_to_string("/proc/stat")?) * tick_ns(),
        containers: Vec::new(),
    })
}

fn tick_ns() -> u64 {
    1_000_000_000 / rustix::param::clock_ticks_per_second().max(1)
}

/// Ticks that all vCPUs spent neither idle nor waiting for a disk.
fn cpu_busy(stat: &str) -> u64 {
    const IDLE: usize = 3;
    const IO_WAIT: usize = 4;
    // Guest time (8 and 9) is already in user time.
    const LAST: usize = 7;
    let Some(line) = stat.lines().find_map(|line| line.strip_prefix("cpu ")) else { return 0 };
    let ticks =
        line.split_whitespace().enumerate().filter(|(index, _)| *index <= LAST && ![IDLE, IO_WAIT].contains(index));
    ticks.filter_map(|(_, ticks)| ticks.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_time_leaves_out_idle_and_waiting() {
        assert_eq!(cpu_busy("cpu  1 2 4 800 1600 8 16 32 64 128\ncpu0 1 2 3"), 63);
        assert_eq!(cpu_busy(""), 0);
    }

    #[test]
    fn memory_is_in_bytes() {
        assert_eq!(meminfo("MemTotal:       2048 kB\nMemFree: 1 kB\n", "MemTotal:"), 2_097_152);
        assert_eq!(meminfo("", "MemTotal:"), 0);
    }
}
