//! The gRPC services, on one session at a time.

mod agent;
mod container;
mod exec;
mod files;
mod pty;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tonic::Status;
use tonic::body::Body;
use tower_service::Service;

use crate::error::{AgentError, Result};
use crate::guest::Guest;
use crate::proto::agent_server::AgentServer;
use crate::proto::container_server::ContainerServer;
use crate::proto::exec_server::ExecServer;
use crate::proto::files_server::FilesServer;
use crate::proto::pty_server::PtyServer;
use crate::sync::lock;
use crate::transport::opening::SessionKey;
use crate::transport::session::Session;

/// Flow control is by the protocol's own windows; HTTP/2's are too large to matter.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;
const FRAME_BYTES: u32 = 256 << 10;
/// A config.json with its injected files.
const MESSAGE_LIMIT: usize = 64 << 20;
const HELLO_PATH: &str = "/a3s.box.agent.v1.Agent/Hello";

/// What a session's services share.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) guest: Arc<Guest>,
    greeted: Arc<AtomicBool>,
    /// The key for the next session, if this one's Hello gave one.
    pub(crate) given: Arc<Mutex<Option<SessionKey>>>,
    /// Ends when the session does.
    pub(crate) session: tokio::sync::watch::Receiver<()>,
}

/// Serves a session to its end.
pub async fn serve(guest: Arc<Guest>, session: Session) {
    let (alive, ended) = tokio::sync::watch::channel(());
    let scope = Scope { guest, greeted: Arc::default(), given: Arc::default(), session: ended };
    let mut server = http2::Builder::new(TokioExecutor::new());
    server
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME_BYTES)
        .auto_date_header(false);
    // A session ends in many ways, of which none is this side's fault.
    let _ = server.serve_connection(TokioIo::new(session), Services::new(scope)).await;
    drop(alive);
}

#[derive(Clone)]
struct Services {
    scope: Scope,
    agent: AgentServer<agent::AgentService>,
    container: ContainerServer<container::ContainerService>,
    exec: ExecServer<exec::ExecService>,
    files: FilesServer<files::FilesService>,
    pty: PtyServer<pty::PtyService>,
}

impl Services {
    fn new(scope: Scope) -> Self {
        Self {
            agent: AgentServer::new(agent::AgentService(scope.clone())),
            container: ContainerServer::new(container::ContainerService(scope.clone()))
                .max_decoding_message_size(MESSAGE_LIMIT),
            exec: ExecServer::new(exec::ExecService(scope.clone())),
            files: FilesServer::new(files::FilesService(scope.clone())),
            pty: PtyServer::new(pty::PtyService(scope.clone())),
            scope,
        }
    }
}

type Answer = Pin<Box<dyn Future<Output = std::result::Result<http::Response<Body>, Infallible>> + Send>>;

impl hyper::service::Service<http::Request<Incoming>> for Services {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: http::Request<Incoming>) -> Answer {
        let path = request.uri().path();
        if path == HELLO_PATH {
            self.scope.greeted.store(true, Ordering::Relaxed);
        } else if !self.scope.greeted.load(Ordering::Relaxed) {
            return refuse(AgentError::conflict("Hello is the first call of a session").into());
        } else if let Some(key) = lock(&self.scope.given).take() {
            self.scope.guest.keys.settle(key);
        }
        match path.split('/').nth(1).and_then(|service| service.rsplit('.').next()) {
            Some("Agent") => answer(self.agent.clone(), request),
            Some("Container") => answer(self.container.clone(), request),
            Some("Files") => answer(self.files.clone(), request),
            Some("Exec") => answer(self.exec.clone(), request),
            Some("Pty") => answer(self.pty.clone(), request),
            _ => refuse(Status::unimplemented("no such service")),
        }
    }
}

fn answer<S>(mut service: S, request: http::Request<Incoming>) -> Answer
where
    S: Service<http::Request<Incoming>, Response = http::Response<Body>, Error = Infallible> + Send + 'static,
    S::Future: Send,
{
    let mut context = Context::from_waker(std::task::Waker::noop());
    debug_assert!(matches!(service.poll_ready(&mut context), Poll::Ready(Ok(()))));
    Box::pin(service.call(request))
}

fn refuse(status: Status) -> Answer {
    Box::pin(std::future::ready(Ok(status.into_http())))
}

/// Runs `work` to its end even if the session ends meanwhile: half-done work would be lost to the host's repetition.
pub(crate) async fn complete<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> std::result::Result<T, Status> {
    match tokio::spawn(work).await {
        Ok(result) => Ok(result?),
        Err(error) => Err(AgentError::internal(format!("a task of the agent failed: {error}")).into()),
    }
}
