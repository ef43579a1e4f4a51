//! The guest as a whole.

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};

use super::{Scope, complete};
use crate::boot;
use crate::clock;
use crate::error::{AgentError, Result};
use crate::guest::Guest;
use crate::pid1::power_off;
use crate::proto::agent_server::Agent;
use crate::proto::{
    ConfigureRequest, ConfigureResponse, Event, EventsRequest, HelloRequest, HelloResponse, Phase, SetTimeRequest,
    SetTimeResponse, ShutdownRequest, ShutdownResponse, StatsRequest, StatsResponse,
};
use crate::stats;
use crate::sync::lock;
use crate::sys::write_attribute;
use crate::transport::opening::SessionKey;

const PROTOCOL_MINOR: u32 = 1;
const ENTROPY_BYTES: usize = 32;
const CAPABILITIES: &[&str] = &["exec", "pty", "seccomp", "cgroup2", "freeze", "oom-events", "username"];
/// How long the guest waits, after its goodbye, for the host to close the session.
const LINGER: Duration = Duration::from_secs(2);
/// Events on their way to the host.
const EVENTS_AHEAD: usize = 16;

#[derive(Debug)]
pub(super) struct AgentService(pub(super) Scope);

#[tonic::async_trait]
impl Agent for AgentService {
    async fn hello(&self, request: Request<HelloRequest>) -> std::result::Result<Response<HelloResponse>, Status> {
        let request = request.into_inner();
        if request.template {
            clock::settled().await.map_err(|error| AgentError::system("wait for the clock", error))?;
        }
        Ok(Response::new(hello(&self.0, &request)?))
    }

    async fn configure(
        &self,
        request: Request<ConfigureRequest>,
    ) -> std::result::Result<Response<ConfigureResponse>, Status> {
        let guest = self.0.guest.clone();
        complete(async move { configure(&guest, request.into_inner()).await }).await?;
        Ok(Response::new(ConfigureResponse {}))
    }

    async fn set_time(
        &self,
        request: Request<SetTimeRequest>,
    ) -> std::result::Result<Response<SetTimeResponse>, Status> {
        let now = request.into_inner().host_time_ns;
        if now == 0 {
            return Err(AgentError::invalid("host_time_ns is 0").into());
        }
        clock::set_realtime(now).map_err(|error| AgentError::system("set the clock", error))?;
        Ok(Response::new(SetTimeResponse {}))
    }

    type EventsStream = Pin<Box<dyn Stream<Item = std::result::Result<Event, Status>> + Send>>;

    async fn events(
        &self,
        request: Request<Streaming<EventsRequest>>,
    ) -> std::result::Result<Response<Self::EventsStream>, Status> {
        let mut requests = request.into_inner();
        let Some(first) = requests.message().await? else {
            return Err(AgentError::invalid("events: the first message is missing").into());
        };
        let events = self.0.guest.events.clone();
        events.acknowledge(first.acknowledge);
        let (sender, receiver) = mpsc::channel(EVENTS_AHEAD);
        tokio::spawn(async move {
            let mut sent = first.acknowledge;
            let mut listening = true;
            loop {
                tokio::select! {
                    event = events.after(sent) => {
                        sent = event.sequence;
                        if sender.send(Ok(event)).await.is_err() {
                            return;
                        }
                    }
                    request = requests.message(), if listening => match request {
                        Ok(Some(request)) => events.acknowledge(request.acknowledge),
                        Ok(None) => listening = false,
                        Err(_) => return,
                    },
                    () = sender.closed() => return,
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn stats(&self, _request: Request<StatsRequest>) -> std::result::Result<Response<StatsResponse>, Status> {
        let mut stats = stats::guest().map_err(|error| AgentError::system("read the guest's figures", error))?;
        stats.containers = self.0.guest.containers().iter().map(|container| container.stats()).collect();
        Ok(Response::new(stats))
    }

    async fn shutdown(
        &self,
        request: Request<ShutdownRequest>,
    ) -> std::result::Result<Response<ShutdownResponse>, Status> {
        let guest = self.0.guest.clone();
        let grace = Duration::from_millis(request.into_inner().grace_ms.into());
        let first = guest.begin_shutdown();
        complete(async move {
            end_everything(&guest, grace).await;
            Ok(())
        })
        .await?;
        if first {
            let mut session = self.0.session.clone();
            let hung_up = self.0.guest.hung_up.clone().notified_owned();
            tokio::spawn(async move {
                tokio::select! {
                    // An error is the session's end.
                    _ = session.changed() => {}
                    () = hung_up => {}
                    () = tokio::time::sleep(LINGER) => {}
                }
                power_off();
            });
        }
        Ok(Response::new(ShutdownResponse {}))
    }
}

fn hello(scope: &Scope, request: &HelloRequest) -> Result<HelloResponse> {
    if request.template && request.next_session_key.is_empty() {
        return Err(AgentError::invalid("hello: a template needs a next_session_key"));
    }
    if !request.template && request.entropy.len() < ENTROPY_BYTES {
        return Err(AgentError::invalid(format!("hello: entropy has fewer than {ENTROPY_BYTES} bytes")));
    }
    let next_key = match request.next_session_key.len() {
        0 => None,
        _ => Some(
            SessionKey::try_from(&request.next_session_key[..])
                .map_err(|_| AgentError::invalid("hello: next_session_key has not 32 bytes"))?,
        ),
    };
    if !request.template {
        if request.host_time_ns != 0 {
            clock::set_realtime(request.host_time_ns).map_err(|error| AgentError::system("set the clock", error))?;
        }
        clock::add_entropy(&request.entropy).map_err(|error| AgentError::system("add entropy", error))?;
    }
    let response = describe(&scope.guest, request.template)?;
    if let Some(key) = next_key {
        scope.guest.keys.set_next(key);
        *lock(&scope.given) = Some(key);
    }
    Ok(response)
}

/// What the guest is. The first reading of the boot id makes it, so a template leaves that to its clones.
fn describe(guest: &Guest, template: bool) -> Result<HelloResponse> {
    let read = |path: &str| {
        let text =
            std::fs::read_to_string(path).map_err(|error| AgentError::system(format_args!("read {path}"), error))?;
        Ok::<_, AgentError>(text.trim().to_owned())
    };
    let kernel = rustix::system::uname();
    Ok(HelloResponse {
        protocol_minor: PROTOCOL_MINOR,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        capabilities: CAPABILITIES.iter().map(|&name| name.to_owned()).collect(),
        kernel_release: kernel.release().to_string_lossy().into_owned(),
        architecture: kernel.machine().to_string_lossy().into_owned(),
        boot_id: if template { String::new() } else { read("/proc/sys/kernel/random/boot_id")? },
        clock_source: read(clock::SOURCE)?,
        vcpus: stats::cpus().map_err(|error| AgentError::system("count the CPUs", error))?,
        memory_bytes: stats::memory_total(),
        phases: guest
            .phases
            .iter()
            .map(|phase| Phase { name: phase.name.to_owned(), start_ns: phase.start, end_ns: phase.end })
            .collect(),
        boottime_ns: clock::boottime(),
    })
}

async fn configure(guest: &Guest, request: ConfigureRequest) -> Result<()> {
    let mut configured = guest.configured.lock().await;
    match &*configured {
        Some(earlier) if *earlier == request => return Ok(()),
        // What was made ahead of its use was told all but these.
        Some(earlier) if earlier.sysctls.is_empty() && *earlier == without_sysctls(&request) => {
            check_configuration(&request)?;
            set_sysctls(&request)?;
            *configured = Some(request);
            return Ok(());
        }
        Some(_) => return Err(AgentError::conflict("the guest was configured with other values")),
        None => {}
    }
    check_configuration(&request)?;
    if !request.hostname.is_empty() {
        rustix::system::sethostname(request.hostname.as_bytes())
            .map_err(|error| AgentError::system("set the host name", error))?;
    }
    if !request.machine_id.is_empty() {
        let text = format!("{}\n", request.machine_id);
        std::fs::write("/etc/machine-id", text).map_err(|error| AgentError::system("write the machine id", error))?;
    }
    guest.cards.configure(&request.interfaces, &request.routes)?;
    set_sysctls(&request)?;
    *configured = Some(request);
    Ok(())
}

fn without_sysctls(request: &ConfigureRequest) -> ConfigureRequest {
    ConfigureRequest { sysctls: std::collections::HashMap::new(), ..request.clone() }
}

fn set_sysctls(request: &ConfigureRequest) -> Result<()> {
    for (name, value) in &request.sysctls {
        let path = std::path::Path::new("/proc/sys").join(name.replace('.', "/"));
        write_attribute(path, value).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                AgentError::unsupported(format!("sysctl {name}: this kernel does not have it"))
            }
            std::io::ErrorKind::InvalidInput => {
                AgentError::invalid(format!("sysctl {name}: the kernel refuses {value:?}"))
            }
            _ => AgentError::system(format_args!("set sysctl {name}"), error),
        })?;
    }
    Ok(())
}

fn check_configuration(request: &ConfigureRequest) -> Result<()> {
    if request.hostname.len() > 64 || request.hostname.contains('\0') {
        return Err(AgentError::invalid("hostname is longer than 64 bytes"));
    }
    let digits = |id: &str| id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !request.machine_id.is_empty() && !digits(&request.machine_id) {
        return Err(AgentError::invalid("machine_id is not 32 lower-case hexadecimal digits"));
    }
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    match request.sysctls.keys().find(|name| !name.split('.').all(plain)) {
        Some(name) => Err(AgentError::invalid(format!("sysctl {name:?} is not a dotted name"))),
        None => Ok(()),
    }
}

/// Ends all containers and writes back the disks. What fails is said on the console: the machine ends all the same.
async fn end_everything(guest: &Guest, grace: Duration) {
    let containers = guest.containers();
    if !grace.is_zero() {
        containers.iter().for_each(|container| container.terminate());
        let all_ended = async {
            for container in &containers {
                if let Err(error) = container.wait_empty().await {
                    eprintln!("guest-init: {error}");
                }
            }
        };
        // Out of time is no failure: what is left is killed.
        let _ = tokio::time::timeout(grace, all_ended).await;
    }
    for container in containers {
        if let Err(error) = container.delete().await {
            eprintln!("guest-init: {error}");
        }
    }
    guest.unmount_roots();
    let services = &guest.services;
    boot::unmount_all(services.share.target().into_iter().chain(services.slots.targets()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_configuration_is_refused_before_anything_is_changed() {
        let good =
            ConfigureRequest { hostname: "box".into(), machine_id: "0".repeat(32), ..ConfigureRequest::default() };
        assert!(check_configuration(&good).is_ok());
        let sysctls = |name: &str| std::collections::HashMap::from([(name.to_owned(), "1".to_owned())]);
        for wrong in [
            ConfigureRequest { hostname: "x".repeat(65), ..good.clone() },
            ConfigureRequest { machine_id: "X".repeat(32), ..good.clone() },
            ConfigureRequest { sysctls: sysctls("kernel/../x"), ..good.clone() },
            ConfigureRequest { sysctls: sysctls("kernel..x"), ..good.clone() },
        ] {
            assert!(check_configuration(&wrong).is_err(), "{wrong:?}");
        }
    }
}
