//! Files of containers.

use std::future::Future;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tonic::codegen::tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};

use super::{Scope, complete};
use crate::container::Container;
use crate::error::{AgentError, Result};
use crate::files::changes::{ChangeSender, LayerSender, Walk};
use crate::files::entry::describe;
use crate::files::hold::HeldDisk;
use crate::files::items::{AHEAD, ItemSender};
use crate::files::path;
use crate::files::read::{self, TreeReader};
use crate::files::write::TreeWriter;
use crate::proto::files_server::Files as FilesApi;
use crate::proto::{
    ChangesRequest, FileChanges, FileItem, FileItems, HoldDiskRequest, HoldDiskResponse, MountRootRequest,
    MountRootResponse, ReadFilesRequest, ReadLayerRequest, StatFileRequest, StatFileResponse, WriteFilesRequest,
    WriteFilesResponse, write_files_request,
};

type Answers<T> = Pin<Box<dyn Stream<Item = std::result::Result<T, Status>> + Send>>;
type Reply<T> = std::result::Result<Response<T>, Status>;

#[derive(Debug)]
pub(super) struct FilesService(pub(super) Scope);

#[tonic::async_trait]
impl FilesApi for FilesService {
    async fn mount_root(&self, request: Request<MountRootRequest>) -> Reply<MountRootResponse> {
        let guest = self.0.guest.clone();
        // Volumes may have to be filled.
        from_thread(move || guest.mount_root(request.into_inner())).await?;
        Ok(Response::new(MountRootResponse {}))
    }

    async fn stat(&self, request: Request<StatFileRequest>) -> Reply<StatFileResponse> {
        let StatFileRequest { container_id, path } = request.into_inner();
        let files = self.0.guest.files(&container_id)?;
        let file = read::open(files.live.as_fd(), &path)?;
        let entry = path::status(file.as_fd())
            .and_then(|status| describe(file.as_fd(), &status, path.to_vec()))
            .map_err(|error| path::failed("find", &path, error))?;
        Ok(Response::new(StatFileResponse { entry: Some(entry) }))
    }

    type ReadStream = Answers<FileItems>;

    async fn read(&self, request: Request<ReadFilesRequest>) -> Reply<Self::ReadStream> {
        let ReadFilesRequest { container_id, path, name, root_only } = request.into_inner();
        let files = self.0.guest.files(&container_id)?;
        let root = if root_only { &files.plain } else { &files.live };
        let file = read::open(root.as_fd(), &path)?;
        let name = if name.is_empty() { b".".to_vec() } else { name.to_vec() };
        path::check_relative(&name)?;
        let upper = if root_only && &path[..] == b"/" { Some(files.upper()?) } else { None };
        let (sender, receiver) = mpsc::channel(AHEAD);
        in_thread(move || {
            let mut items = ItemSender::new(sender);
            let mut reader = match upper {
                Some(upper) => TreeReader::of_overlay(&mut items, upper),
                None => TreeReader::new(&mut items),
            };
            let outcome = reader.tree(&file, &name);
            items.finish(outcome);
        })?;
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn write(&self, request: Request<Streaming<WriteFilesRequest>>) -> Reply<WriteFilesResponse> {
        let mut requests = request.into_inner();
        let Some(write_files_request::Request::Open(open)) = requests.message().await?.and_then(|first| first.request)
        else {
            return Err(AgentError::invalid("write: the first message is not \"open\"").into());
        };
        let files = self.0.guest.files(&open.container_id)?;
        let writer = TreeWriter::new(&files.live, &open)?;
        let bytes = write(writer, requests).await?;
        if files.at_rest {
            // What was copied is kept from the answer on, also when the machine is killed.
            let services = self.0.guest.services.clone();
            from_thread(move || services.slots.write_back()).await?;
        }
        Ok(Response::new(WriteFilesResponse { bytes }))
    }

    type ChangesStream = Answers<FileChanges>;

    async fn changes(&self, request: Request<ChangesRequest>) -> Reply<Self::ChangesStream> {
        let ChangesRequest { container_id, except } = request.into_inner();
        let files = self.0.guest.files(&container_id)?;
        let (sender, receiver) = mpsc::channel(AHEAD);
        in_thread(move || {
            let mut changes = ChangeSender::new(sender);
            let outcome = Walk::new(&except).run(&files, &mut changes);
            changes.finish(outcome);
        })?;
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    type ReadLayerStream = Answers<FileItems>;

    async fn read_layer(&self, request: Request<ReadLayerRequest>) -> Reply<Self::ReadLayerStream> {
        let ReadLayerRequest { container_id, except, freeze } = request.into_inner();
        let files = self.0.guest.files(&container_id)?;
        let frozen = match freeze {
            true => Some(Frozen::freeze(self.0.guest.container(&container_id)?).await?),
            false => None,
        };
        let (sender, receiver) = mpsc::channel(AHEAD);
        in_thread(move || {
            let mut items = ItemSender::new(sender);
            let outcome = Walk::new(&except).run(&files, &mut LayerSender::new(&mut items));
            // Before the end is told, so that who waits for it finds the container going on.
            drop(frozen);
            items.finish(outcome);
        })?;
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    type HoldDiskStream = Answers<HoldDiskResponse>;

    async fn hold_disk(&self, request: Request<HoldDiskRequest>) -> Reply<Self::HoldDiskStream> {
        let HoldDiskRequest { container_id, limit_ms } = request.into_inner();
        if limit_ms == 0 {
            return Err(AgentError::invalid("hold_disk: limit_ms is 0").into());
        }
        let files = self.0.guest.files(&container_id)?;
        let held = from_thread(move || HeldDisk::hold(&files.scratch)).await?;
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            // The host may be gone already.
            let _ = sender.send(Ok(HoldDiskResponse {})).await;
            let ended = tokio::time::timeout(Duration::from_millis(limit_ms.into()), sender.closed()).await;
            drop(held);
            if ended.is_err() {
                let late = AgentError::conflict("the scratch disk was held for too long, and goes on");
                let _ = sender.send(Err(late.into())).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// A container whose processes stand still, for as long as this lives.
struct Frozen {
    container: Arc<Container>,
}

impl Frozen {
    async fn freeze(container: Arc<Container>) -> std::result::Result<Self, Status> {
        let frozen = Self { container: container.clone() };
        complete(async move { container.freeze(true).await }).await?;
        Ok(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        if let Err(error) = self.container.thaw() {
            eprintln!("guest-init: {error}");
        }
    }
}

/// Hands what comes to a thread that writes it; files are no matter for the event loop.
async fn write(writer: TreeWriter, mut requests: Streaming<WriteFilesRequest>) -> std::result::Result<u64, Status> {
    let (items, received) = mpsc::channel::<Vec<FileItem>>(AHEAD);
    let mut written = Box::pin(from_thread(move || take(writer, received)));
    let mut sender = Some(items);
    loop {
        tokio::select! {
            biased;
            result = &mut written => return Ok(result?),
            request = requests.message(), if sender.is_some() => match request?.map(|request| request.request) {
                Some(Some(write_files_request::Request::Items(items))) => {
                    let Some(sender) = &sender else { continue };
                    // An error is the thread's, which tells it.
                    let _ = sender.send(items.items).await;
                }
                Some(_) => return Err(AgentError::invalid("write: a message holds no items").into()),
                None => sender = None,
            },
        }
    }
}

fn take(mut writer: TreeWriter, mut received: mpsc::Receiver<Vec<FileItem>>) -> Result<u64> {
    while let Some(items) = received.blocking_recv() {
        for item in items {
            writer.item(item)?;
        }
    }
    writer.finish()
}

fn in_thread(work: impl FnOnce() + Send + 'static) -> Result<()> {
    let started = std::thread::Builder::new().name("files".to_owned()).spawn(work);
    started.map(drop).map_err(|error| AgentError::system("start a thread", error))
}

fn from_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> impl Future<Output = Result<T>> + Send {
    let (sender, receiver) = oneshot::channel();
    let started = in_thread(move || {
        // Whoever waits may be gone.
        let _ = sender.send(work());
    });
    async move {
        started?;
        receiver.await.map_err(|_| AgentError::internal("a thread has ended without an answer"))?
    }
}
