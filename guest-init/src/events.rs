//! What happened in the guest, kept until the host has acknowledged it.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::sync::Notify;

use crate::clock;
use crate::proto::{self, event};
use crate::sync::lock;

#[derive(Debug, Default)]
struct Log {
    events: VecDeque<proto::Event>,
    last_sequence: u64,
}

/// The events of the guest's life, numbered from 1 without a gap.
#[derive(Debug, Default)]
pub struct EventLog {
    log: Mutex<Log>,
    grown: Notify,
}

impl EventLog {
    /// Appends an event and wakes all readers.
    pub fn push(&self, event: event::Event) {
        let mut log = lock(&self.log);
        log.last_sequence += 1;
        let sequence = log.last_sequence;
        log.events.push_back(proto::Event { sequence, time_ns: clock::realtime(), event: Some(event) });
        drop(log);
        self.grown.notify_waiters();
    }

    /// Forgets events with a sequence of at most `sequence`.
    pub fn acknowledge(&self, sequence: u64) {
        let mut log = lock(&self.log);
        while log.events.front().is_some_and(|event| event.sequence <= sequence) {
            log.events.pop_front();
        }
    }

    /// The oldest kept event after `sequence`; waits for one. Cancel-safe.
    pub async fn after(&self, sequence: u64) -> proto::Event {
        loop {
            let grown = self.grown.notified();
            tokio::pin!(grown);
            grown.as_mut().enable();
            if let Some(event) = self.next(sequence) {
                return event;
            }
            grown.await;
        }
    }

    fn next(&self, sequence: u64) -> Option<proto::Event> {
        let log = lock(&self.log);
        let index = log.events.partition_point(|event| event.sequence <= sequence);
        log.events.get(index).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_stay_until_acknowledged_and_keep_their_sequence() {
        let log = EventLog::default();
        for _ in 0..3 {
            log.push(event::Event::Ready(proto::Ready {}));
        }
        assert_eq!(log.after(0).await.sequence, 1);
        assert_eq!(log.after(0).await.sequence, 1);
        log.acknowledge(2);
        assert_eq!(log.after(0).await.sequence, 3);
        log.acknowledge(3);
        log.push(event::Event::Ready(proto::Ready {}));
        assert_eq!(log.after(3).await.sequence, 4);
    }

    #[tokio::test]
    async fn a_waiting_reader_gets_the_event_that_is_pushed_later() {
        let log = std::sync::Arc::new(EventLog::default());
        let reader = tokio::spawn({
            let log = log.clone();
            async move { log.after(0).await.sequence }
        });
        tokio::task::yield_now().await;
        log.push(event::Event::Ready(proto::Ready {}));
        assert_eq!(reader.await.ok(), Some(1));
    }
}
