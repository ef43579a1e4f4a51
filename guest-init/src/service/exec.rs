//! Processes in containers and their streams.

use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{Scope, complete};
use crate::container::fingerprint;
use crate::error::AgentError;
use crate::process::attach::Attachment;
use crate::proto::exec_server::Exec;
use crate::proto::{
    AttachRequest, AttachResponse, ExitStatus, ReleaseRequest, ReleaseResponse, SignalRequest, SignalResponse,
    StartProcess, StartProcessRequest, StartProcessResponse, WaitRequest, attach_request,
};

/// Messages on their way to the host, each of at most 64 KiB.
const OUTPUT_AHEAD: usize = 4;

#[derive(Debug)]
pub(super) struct ExecService(pub(super) Scope);

impl ExecService {
    async fn start_process(&self, request: StartProcessRequest) -> Result<u32, Status> {
        let container = self.0.guest.container(&request.container_id)?;
        let fingerprint = fingerprint(&request);
        let StartProcessRequest { process_id, process, stdin, .. } = request;
        complete(container.exec(process_id, fingerprint, process.to_vec(), stdin)).await
    }
}

#[tonic::async_trait]
impl Exec for ExecService {
    async fn start(&self, request: Request<StartProcessRequest>) -> Result<Response<StartProcessResponse>, Status> {
        let pid = self.start_process(request.into_inner()).await?;
        Ok(Response::new(StartProcessResponse { pid }))
    }

    type AttachStream = ReceiverStream<Result<AttachResponse, Status>>;

    async fn attach(&self, request: Request<Streaming<AttachRequest>>) -> Result<Response<Self::AttachStream>, Status> {
        let mut requests = request.into_inner();
        let mut open = match requests.message().await?.and_then(|request| request.request) {
            Some(attach_request::Request::Open(open)) => open,
            _ => return Err(AgentError::invalid("attach: the first message is not open").into()),
        };
        if let Some(StartProcess { process, stdin }) = open.start.take() {
            let (container_id, process_id) = (open.container_id.clone(), open.process_id.clone());
            self.start_process(StartProcessRequest { container_id, process_id, process, stdin }).await?;
        }
        let process = self.0.guest.container(&open.container_id)?.process(&open.process_id)?;
        let (attachment, opened) = Attachment::new(process, &open);
        let (sender, receiver) = mpsc::channel(OUTPUT_AHEAD);
        // The channel is new and has room.
        let _ = sender.try_send(Ok(opened));
        tokio::spawn(attachment.run(requests, sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn signal(&self, request: Request<SignalRequest>) -> Result<Response<SignalResponse>, Status> {
        let SignalRequest { container_id, process_id, signal, all } = request.into_inner();
        if !(1..=64).contains(&signal) {
            return Err(AgentError::invalid(format!("{signal} is not a signal number from 1 to 64")).into());
        }
        self.0.guest.container(&container_id)?.signal(&process_id, signal as i32, all)?;
        Ok(Response::new(SignalResponse {}))
    }

    async fn wait(&self, request: Request<WaitRequest>) -> Result<Response<ExitStatus>, Status> {
        let WaitRequest { container_id, process_id } = request.into_inner();
        let process = self.0.guest.container(&container_id)?.process(&process_id)?;
        Ok(Response::new(process.wait().await))
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        let ReleaseRequest { container_id, process_id } = request.into_inner();
        match self.0.guest.container(&container_id) {
            // With its container, a process is forgotten too.
            Err(error) if error.code() == "NOT_FOUND" => {}
            container => container?.release(&process_id)?,
        }
        Ok(Response::new(ReleaseResponse {}))
    }
}
