//! Builds containers, each on a thread of its own that ends in the container's namespaces.

use std::io;
use std::sync::Mutex;

use tokio::sync::oneshot;

use super::build::{self, Built, Materials};
use crate::error::{AgentError, Result};
use crate::sync::lock;

#[derive(Debug)]
struct Job {
    materials: Materials,
    built: oneshot::Sender<Result<(Materials, Built)>>,
}

/// Builds containers. The thread for the first one waits from the guest's boot on, so that a clone need not start one.
#[derive(Debug)]
pub struct Builder {
    waiting: Mutex<Option<oneshot::Sender<Job>>>,
}

impl Builder {
    /// Starts the first thread.
    pub fn new() -> io::Result<Self> {
        Ok(Self { waiting: Mutex::new(Some(start_thread()?)) })
    }

    /// Builds one container.
    pub async fn build(&self, materials: Materials) -> Result<(Materials, Built)> {
        let waiting = lock(&self.waiting).take();
        let thread = match waiting {
            Some(thread) => thread,
            None => start_thread().map_err(|error| AgentError::system("start a thread", error))?,
        };
        let ended = || AgentError::internal("the container's thread has ended");
        let (built, result) = oneshot::channel();
        thread.send(Job { materials, built }).map_err(|_| ended())?;
        result.await.map_err(|_| ended())?
    }
}

fn start_thread() -> io::Result<oneshot::Sender<Job>> {
    let (jobs, job) = oneshot::channel::<Job>();
    std::thread::Builder::new().name("container".to_owned()).spawn(move || {
        let Ok(Job { materials, built }) = job.blocking_recv() else { return };
        let result = build::build(&materials).map(|built| (materials, built));
        // Whoever waits is part of this task.
        let _ = built.send(result);
    })?;
    Ok(jobs)
}
