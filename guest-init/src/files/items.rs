//! Entries and data on their way to the host, in messages of a good size.

use bytes::Bytes;
use tokio::sync::mpsc;
use tonic::Status;

use crate::error::AgentError;
use crate::proto::{FileEntry, FileItem, FileItems, file_item};

/// Bytes of a message: enough that its own costs do not matter, and few enough that others wait not long behind it.
pub const MESSAGE_BYTES: usize = 128 << 10;
/// Bytes that an entry is thought to take beside its names.
const ENTRY_BYTES: usize = 64;
/// Messages on their way.
pub const AHEAD: usize = 4;

/// Why sending ends early.
#[derive(Debug)]
pub enum Stop {
    /// Nobody listens any more.
    Gone,
    /// What is to be sent cannot be had.
    Failed(AgentError),
}

impl From<AgentError> for Stop {
    fn from(error: AgentError) -> Self {
        Self::Failed(error)
    }
}

/// Result of everything that sends.
pub type Sending = std::result::Result<(), Stop>;

/// Gathers items to messages. For a thread of its own: it waits for room.
#[derive(Debug)]
pub struct ItemSender {
    sender: mpsc::Sender<std::result::Result<FileItems, Status>>,
    items: Vec<FileItem>,
    bytes: usize,
}

impl ItemSender {
    /// Sends to `sender`.
    pub fn new(sender: mpsc::Sender<std::result::Result<FileItems, Status>>) -> Self {
        Self { sender, items: Vec::new(), bytes: 0 }
    }

    /// Sends what an entry is.
    pub fn entry(&mut self, entry: FileEntry) -> Sending {
        self.bytes += ENTRY_BYTES + entry.path.len() + entry.link.len() + entry.runs.len() * 16;
        self.bytes +=
            entry.attributes.iter().map(|attribute| attribute.name.len() + attribute.value.len()).sum::<usize>();
        self.push(file_item::Item::Entry(entry))
    }

    /// Sends bytes of the entry before.
    pub fn data(&mut self, data: Bytes) -> Sending {
        self.bytes += data.len();
        self.push(file_item::Item::Data(data))
    }

    fn push(&mut self, item: file_item::Item) -> Sending {
        self.items.push(FileItem { item: Some(item) });
        if self.bytes < MESSAGE_BYTES { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Sending {
        if self.items.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        let message = FileItems { items: std::mem::take(&mut self.items) };
        self.sender.blocking_send(Ok(message)).map_err(|_| Stop::Gone)
    }

    /// Sends what is left, or why there is no more.
    pub fn finish(mut self, outcome: Sending) {
        let outcome = outcome.and_then(|()| self.flush());
        if let Err(Stop::Failed(error)) = outcome {
            // The host may be gone already.
            let _ = self.sender.blocking_send(Err(error.into()));
        }
    }
}
