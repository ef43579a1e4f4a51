//! When something is due. There is no tick: without an entry the process sleeps.

use std::collections::BTreeSet;
use std::time::Instant;

/// What is due, by its place in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// No VMM came.
    Vmm,
    /// A TCP connection's retransmission or limit.
    Tcp(usize),
    /// A UDP socket may have been idle for long enough.
    Udp(usize),
    /// A client of a published UDP port may have been idle for long enough.
    Client(usize),
    /// A resolver has not answered.
    Dns(usize),
    /// A ping socket may have been idle for long enough.
    Ping(usize),
}

/// The entries, in order of time.
#[derive(Debug, Default)]
pub struct Timers {
    entries: BTreeSet<(Instant, Due)>,
}

impl Timers {
    /// Moves an entry; `None` stands for no entry.
    pub fn change(&mut self, due: Due, from: Option<Instant>, to: Option<Instant>) {
        if from == to {
            return;
        }
        if let Some(from) = from {
            self.entries.remove(&(from, due));
        }
        if let Some(to) = to {
            self.entries.insert((to, due));
        }
    }

    /// The next entry's time.
    pub fn next(&self) -> Option<Instant> {
        self.entries.first().map(|&(at, _)| at)
    }

    /// Takes out the first entry that is due.
    pub fn take(&mut self, now: Instant) -> Option<Due> {
        let &(at, due) = self.entries.first()?;
        if at > now {
            return None;
        }
        self.entries.pop_first();
        Some(due)
    }
}
