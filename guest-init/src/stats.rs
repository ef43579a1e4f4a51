//! The guest's figures, read from its kernel when asked.

use std::io;

use crate::proto::StatsResponse;
use crate::{cgroup, clock, sys};

/// Memory that the guest's kernel manages (MemTotal), bytes.
pub fn memory_total() -> u64 {
    let info = rustix::system::sysinfo();
    info.totalram as u64 * u64::from(info.mem_unit)
}

/// How many CPUs the guest has.
pub fn cpus() -> io::Result<u32> {
    Ok(rustix::thread::sched_getaffinity(None)?.count())
}

/// Memory that a workload could have without swapping (MemAvailable), bytes.
fn memory_available() -> io::Result<u64> {
    Ok(meminfo(&sys::read_attribute(rustix::fs::CWD, c"/proc/meminfo")?, "MemAvailable:"))
}

fn meminfo(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// The figures of the guest as a whole; containers are added by the caller.
pub fn guest() -> io::Result<StatsResponse> {
    let [received, sent] = network(&sys::read_attribute(rustix::fs::CWD, c"/proc/net/dev")?);
    Ok(StatsResponse {
        time_ns: clock::realtime(),
        memory_total_bytes: memory_total(),
        memory_available_bytes: memory_available()?,
        cpu_busy_ns: cpu_busy(&sys::read_attribute(rustix::fs::CWD, cgroup::root().join("cpu.stat"))?) * 1000,
        containers: Vec::new(),
        network_received_bytes: received,
        network_sent_bytes: sent,
    })
}

/// Bytes that all cards but the loopback received and sent. A line is the name, a colon, and eight figures for either way,
/// of which the first are the bytes.
fn network(dev: &str) -> [u64; 2] {
    let cards = dev.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| name.trim() != "lo");
    cards.fold([0, 0], |[received, sent], (_, figures)| {
        let figure =
            |index| figures.split_whitespace().nth(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        [received + figure(0), sent + figure(8)]
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
    fn the_loopback_is_no_network() {
        let dev = concat!(
            "Inter-|   Receive                            |  Transmit\n",
            " face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed\n",
            "    lo:    500       5    0    0    0     0          0         0      500       5    0    0    0     0       0          0\n",
            "  eth0:1234       12    0    0    0     0          0         0       77       1    0    0    0     0       0          0\n",
        );
        assert_eq!(network(dev), [1234, 77]);
        assert_eq!(network(""), [0, 0]);
    }

    #[test]
    fn memory_is_in_bytes() {
        assert_eq!(meminfo("MemTotal:       2048 kB\nMemFree: 1 kB\n", "MemTotal:"), 2_097_152);
        assert_eq!(meminfo("", "MemTotal:"), 0);
    }
}
