//! The terminals of processes that have one.

use tonic::{Request, Response, Status};

use super::Scope;
use crate::error::AgentError;
use crate::proto::pty_server::Pty;
use crate::proto::{ResizeRequest, ResizeResponse};

#[derive(Debug)]
pub(super) struct PtyService(pub(super) Scope);

#[tonic::async_trait]
impl Pty for PtyService {
    async fn resize(&self, request: Request<ResizeRequest>) -> Result<Response<ResizeResponse>, Status> {
        let ResizeRequest { container_id, process_id, columns, rows } = request.into_inner();
        let (Ok(rows), Ok(columns)) = (u16::try_from(rows), u16::try_from(columns)) else {
            return Err(AgentError::invalid(format!("a terminal has no {columns} columns and {rows} rows")).into());
        };
        self.0.guest.container(&container_id)?.process(&process_id)?.resize(rows, columns)?;
        Ok(Response::new(ResizeResponse {}))
    }
}
