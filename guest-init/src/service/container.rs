//! OCI containers.

use tonic::{Request, Response, Status};

use super::{Scope, complete};
use crate::container::{Container, fingerprint};
use crate::proto::container_server::Container as ContainerApi;
use crate::proto::{
    CreateContainerRequest, CreateContainerResponse, DeleteContainerRequest, DeleteContainerResponse,
    FreezeContainerRequest, FreezeContainerResponse, ListProcessesRequest, ListProcessesResponse,
    StartContainerRequest, StartContainerResponse, UpdateContainerRequest, UpdateContainerResponse,
};

#[derive(Debug)]
pub(super) struct ContainerService(pub(super) Scope);

#[tonic::async_trait]
impl ContainerApi for ContainerService {
    async fn create(
        &self,
        request: Request<CreateContainerRequest>,
    ) -> Result<Response<CreateContainerResponse>, Status> {
        let guest = self.0.guest.clone();
        let request = request.into_inner();
        complete(async move {
            let create = Container::create(request.clone(), guest.services.clone());
            guest.create(request.container_id.clone(), fingerprint(&request), create).await
        })
        .await?;
        Ok(Response::new(CreateContainerResponse {}))
    }

    async fn start(&self, request: Request<StartContainerRequest>) -> Result<Response<StartContainerResponse>, Status> {
        let StartContainerRequest { container_id, stdin } = request.into_inner();
        let container = self.0.guest.container(&container_id)?;
        let pid = complete(container.start(stdin)).await?;
        Ok(Response::new(StartContainerResponse { pid }))
    }

    async fn update(
        &self,
        request: Request<UpdateContainerRequest>,
    ) -> Result<Response<UpdateContainerResponse>, Status> {
        let UpdateContainerRequest { container_id, resources } = request.into_inner();
        self.0.guest.container(&container_id)?.update(&resources)?;
        Ok(Response::new(UpdateContainerResponse {}))
    }

    async fn delete(
        &self,
        request: Request<DeleteContainerRequest>,
    ) -> Result<Response<DeleteContainerResponse>, Status> {
        let guest = self.0.guest.clone();
        complete(async move { guest.delete(&request.into_inner().container_id).await }).await?;
        Ok(Response::new(DeleteContainerResponse {}))
    }

    async fn list_processes(
        &self,
        request: Request<ListProcessesRequest>,
    ) -> Result<Response<ListProcessesResponse>, Status> {
        let container = self.0.guest.container(&request.into_inner().container_id)?;
        Ok(Response::new(container.processes()?))
    }

    async fn freeze(
        &self,
        request: Request<FreezeContainerRequest>,
    ) -> Result<Response<FreezeContainerResponse>, Status> {
        let FreezeContainerRequest { container_id, frozen } = request.into_inner();
        let container = self.0.guest.container(&container_id)?;
        complete(async move { container.freeze(frozen).await }).await?;
        Ok(Response::new(FreezeContainerResponse {}))
    }
}
