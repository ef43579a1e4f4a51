//! The guest's clocks and its random generator.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};

use crate::sys;

const NANOSECONDS: u64 = 1_000_000_000;
const RNDADDENTROPY: libc::Ioctl = 0x4008_5203;
const RNDRESEEDCRNG: libc::Ioctl = 0x5207;
/// The most that one Hello may credit.
const ENTROPY_LIMIT: usize = 4096;

fn nanoseconds(time: Timespec) -> u64 {
    u64::try_from(time.tv_sec).unwrap_or(0) * NANOSECONDS + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Nanoseconds since the Unix epoch.
pub fn realtime() -> u64 {
    nanoseconds(clock_gettime(ClockId::Realtime))
}

/// Nanoseconds since the guest's kernel started.
pub fn boottime() -> u64 {
    nanoseconds(clock_gettime(ClockId::Boottime))
}

/// Steps the clock to nanoseconds since the Unix epoch.
pub fn set_realtime(now: u64) -> io::Result<()> {
    let time = Timespec {
        tv_sec: i64::try_from(now / NANOSECONDS).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
        tv_nsec: (now % NANOSECONDS) as _,
    };
    Ok(clock_settime(ClockId::Realtime, time)?)
}

/// Name of the kernel's clock source.
pub const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
/// What the kernel calls its counter until it has seen for a second that it may be relied on.
const PRELIMINARY: &str = "tsc-early";
const SETTLING_STEP: Duration = Duration::from_millis(20);
const SETTLING_LIMIT: Duration = Duration::from_secs(5);

/// Waits until the kernel has chosen its clock source for good, for a few seconds at most. For a guest that is to be a
/// template: each of its clones would have to go through it. The kernel tells nobody, so it has to be asked.
pub async fn settled() -> io::Result<()> {
    let end = tokio::time::Instant::now() + SETTLING_LIMIT;
    while std::fs::read_to_string(SOURCE)?.trim() == PRELIMINARY && tokio::time::Instant::now() < end {
        tokio::time::sleep(SETTLING_STEP).await;
    }
    Ok(())
}

/// Credits `seed` to the kernel's generator and makes it draw from it at once (a clone shares its template's state).
pub fn add_entropy(seed: &[u8]) -> io::Result<()> {
    #[repr(C)]
    struct PoolInfo {
        bits: i32,
        bytes: i32,
        seed: [u8; ENTROPY_LIMIT],
    }
    let seed = &seed[..seed.len().min(ENTROPY_LIMIT)];
    let length = i32::try_from(seed.len()).map_err(io::Error::other)?;
    let mut info = PoolInfo { bits: length * 8, bytes: length, seed: [0; ENTROPY_LIMIT] };
    info.seed[..seed.len()].copy_from_slice(seed);
    let random = std::fs::File::options().write(true).open("/dev/urandom")?;
    // SAFETY: the kernel reads `bytes` bytes of the seed, which the struct holds, and nothing after the call.
    let added = unsafe { libc::ioctl(std::os::fd::AsRawFd::as_raw_fd(&random), RNDADDENTROPY, &raw const info) };
    if added != 0 {
        return Err(io::Error::last_os_error());
    }
    sys::ioctl_number(random.as_fd(), RNDRESEEDCRNG, 0)
}

/// A measured phase of the guest's start, on the boot-time clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// What was done.
    pub name: &'static str,
    /// Nanoseconds since the kernel started.
    pub start: u64,
    /// Nanoseconds since the kernel started.
    pub end: u64,
}

/// Measures phases that follow one another.
#[derive(Debug)]
pub struct PhaseRecorder {
    phases: Vec<Phase>,
    last: u64,
}

impl PhaseRecorder {
    /// The first phase, from the kernel's start until now, is the kernel's own.
    pub fn start() -> Self {
        let now = boottime();
        Self { phases: vec![Phase { name: "kernel", start: 0, end: now }], last: now }
    }

    /// Ends the phase that began where the last one ended.
    pub fn end(&mut self, name: &'static str) {
        let now = boottime();
        self.phases.push(Phase { name, start: self.last, end: now });
        self.last = now;
    }

    /// All phases so far.
    pub fn finish(self) -> Vec<Phase> {
        self.phases
    }
}
