//! The guest as the services see it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags};
use tokio::sync::Notify;

use crate::clock::Phase;
use crate::container::at_rest::RootAtRest;
use crate::container::{Builder, Container, Services, check_segment};
use crate::error::{AgentError, Result};
use crate::events::EventLog;
use crate::files::Files;
use crate::network::Cards;
use crate::oci::devices::DeviceFilters;
use crate::oom::OomWatcher;
use crate::process::reaper::Registry;
use crate::proto::{ConfigureRequest, MountRootRequest};
use crate::share::Share;
use crate::slots::Slots;
use crate::sync::lock;
use crate::transport::link::{KeyStore, Switchboard};

#[derive(Debug)]
enum Slot {
    Creating,
    Ready(Arc<Container>),
}

/// Everything that the services share.
#[derive(Debug)]
pub struct Guest {
    /// Events for the host.
    pub events: Arc<EventLog>,
    /// The session key in force.
    pub keys: KeyStore,
    /// Told when a serial port reports that its host has hung up.
    pub hung_up: Arc<Notify>,
    /// How the guest started.
    pub phases: Vec<Phase>,
    /// The network cards.
    pub cards: Cards,
    /// What containers need.
    pub services: Arc<Services>,
    /// What Configure applied.
    pub configured: tokio::sync::Mutex<Option<ConfigureRequest>>,
    containers: Mutex<HashMap<String, Slot>>,
    /// Roots that were mounted for their files alone.
    roots: Mutex<HashMap<String, RootAtRest>>,
    shutting_down: Mutex<bool>,
}

impl Guest {
    /// A guest without containers.
    pub fn new(
        events: Arc<EventLog>,
        registry: Registry,
        oom: OomWatcher,
        board: &Switchboard,
        phases: Vec<Phase>,
    ) -> io::Result<Arc<Self>> {
        let own_pid_namespace = rustix::fs::open("/proc/self/ns/pid", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let services = Services {
            registry,
            oom,
            slots: Slots::find()?,
            share: Share::default(),
            device_filters: DeviceFilters::load(),
            builder: Builder::new()?,
            events: events.clone(),
            own_pid_namespace,
        };
        Ok(Arc::new(Self {
            events,
            keys: board.keys.clone(),
            hung_up: board.hung_up.clone(),
            phases,
            cards: Cards::find()?,
            services: Arc::new(services),
            configured: tokio::sync::Mutex::default(),
            containers: Mutex::default(),
            roots: Mutex::default(),
            shutting_down: Mutex::default(),
        }))
    }

    /// A container by its id.
    pub fn container(&self, id: &str) -> Result<Arc<Container>> {
        match lock(&self.containers).get(id) {
            Some(Slot::Ready(container)) => Ok(container.clone()),
            Some(Slot::Creating) => Err(AgentError::conflict(format!("container {id:?} is being created"))),
            None => Err(AgentError::not_found(format!("there is no container {id:?}"))),
        }
    }

    /// All containers.
    pub fn containers(&self) -> Vec<Arc<Container>> {
        let containers = lock(&self.containers);
        let ready = containers.values().filter_map(|slot| match slot {
            Slot::Ready(container) => Some(container.clone()),
            Slot::Creating => None,
        });
        ready.collect()
    }

    /// Creates a container, or finds the one that an equal request has created.
    pub async fn create(
        &self,
        id: String,
        fingerprint: [u8; 32],
        create: impl Future<Output = Result<Arc<Container>>>,
    ) -> Result<()> {
        check_id(&id)?;
        {
            let mut containers = lock(&self.containers);
            if *lock(&self.shutting_down) {
                return Err(AgentError::conflict("the guest is shutting down"));
            }
            match containers.get(&id) {
                None => {}
                Some(Slot::Ready(container)) if container.is_from(&fingerprint) => return Ok(()),
                Some(Slot::Ready(_)) => {
                    return Err(AgentError::already_exists(format!("container {id:?} was created by another request")));
                }
                Some(Slot::Creating) => return Err(AgentError::conflict(format!("container {id:?} is being created"))),
            }
            containers.insert(id.clone(), Slot::Creating);
        }
        let created = create.await;
        let mut containers = lock(&self.containers);
        match created {
            Ok(container) => {
                containers.insert(id, Slot::Ready(container));
                Ok(())
            }
            Err(error) => {
                containers.remove(&id);
                Err(error)
            }
        }
    }

    /// Deletes a container if it is there.
    pub async fn delete(&self, id: &str) -> Result<()> {
        let container = match self.container(id) {
            Err(error) if error.code() == "NOT_FOUND" => return Ok(()),
            found => found?,
        };
        container.delete().await?;
        lock(&self.containers).remove(id);
        Ok(())
    }

    /// No container is created from now on. Says whether this was the first call.
    pub fn begin_shutdown(&self) -> bool {
        !std::mem::replace(&mut *lock(&self.shutting_down), true)
    }

    /// Where the files of a container, or of a root that was mounted for them, are.
    pub fn files(&self, id: &str) -> Result<Arc<Files>> {
        if let Some(root) = lock(&self.roots).get(id) {
            return Ok(root.files.clone());
        }
        self.container(id)?.files()
    }

    /// Mounts a root file system for its files alone.
    pub fn mount_root(&self, request: MountRootRequest) -> Result<()> {
        check_id(&request.container_id)?;
        check_segment("scratch_directory", &request.scratch_directory)?;
        let mut roots = lock(&self.roots);
        match roots.get(&request.container_id) {
            Some(earlier) if earlier.request == request => return Ok(()),
            Some(_) => return Err(AgentError::already_exists("the root was mounted by another request")),
            None if lock(&self.containers).contains_key(&request.container_id) => {
                return Err(AgentError::already_exists(format!("there is a container {:?}", request.container_id)));
            }
            None if *lock(&self.shutting_down) => return Err(AgentError::conflict("the guest is shutting down")),
            None => {}
        }
        roots.insert(request.container_id.clone(), RootAtRest::mount(request, &self.services)?);
        Ok(())
    }

    /// Lets go of roots that were mounted for their files.
    pub fn unmount_roots(&self) {
        lock(&self.roots).drain().for_each(|(_, root)| root.unmount());
    }

    /// Turns out-of-memory kills into events, for ever.
    pub async fn watch_oom(self: Arc<Self>) -> io::Result<Infallible> {
        loop {
            for id in self.services.oom.changed().await? {
                if let Ok(container) = self.container(&id) {
                    container.check_out_of_memory();
                }
            }
        }
    }
}

fn check_id(id: &str) -> Result<()> {
    let plain = (1..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        && id.starts_with(|first: char| first.is_ascii_alphanumeric());
    if plain {
        Ok(())
    } else {
        Err(AgentError::invalid(format!(
            "container id {id:?} is not 1 to 128 letters, digits, dots, dashes and underscores"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn container_ids_are_plain_names() {
        assert!(check_id("box_1.a-b").is_ok());
        for wrong in ["", ".", "..", "a/b", "-a", &"x".repeat(129)] {
            assert!(check_id(wrong).is_err(), "{wrong:?}");
        }
    }
}
