//! The vsock listener, for machines that have no port of the agent's name. rustix has no vsock addresses, so the
//! calls that take one are made here.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::sys;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The agent's vsock port.
pub const PORT: u32 = 1024;
/// The host's port that a guest knocks at once it listens.
pub const ANNOUNCE_PORT: u32 = 1025;
const BACKLOG: i32 = 8;
/// The kernel sends no more ahead of what was acknowledged than it takes in itself, 256 KiB if nobody says otherwise, and
/// libkrun before 1.19 acknowledges in steps of megabytes: without this both wait for ever.
const BUFFER_BYTES: u64 = 16 * 1024 * 1024;
/// Of linux/vm_sockets.h.
const SO_VM_SOCKETS_BUFFER_SIZE: i32 = 0;
const SO_VM_SOCKETS_BUFFER_MAX_SIZE: i32 = 2;
const ADDRESS_BYTES: libc::socklen_t = size_of::<libc::sockaddr_vm>() as libc::socklen_t;

fn make_socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers; the result is checked.
    let fd = unsafe { libc::socket(libc::AF_VSOCK, kind, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` was just made and has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets the buffers of the connections that a socket will accept; the limit goes first.
fn set_buffers(socket: &OwnedFd) -> io::Result<()> {
    let bytes = BUFFER_BYTES;
    for option in [SO_VM_SOCKETS_BUFFER_MAX_SIZE, SO_VM_SOCKETS_BUFFER_SIZE] {
        // SAFETY: the value outlives the call and its true size is given.
        let result = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::AF_VSOCK,
                option,
                (&raw const bytes).cast(),
                size_of_val(&bytes) as libc::socklen_t,
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn address(cid: u32, port: u32) -> libc::sockaddr_vm {
    // SAFETY: all-zero is a valid sockaddr_vm.
    let mut address: libc::sockaddr_vm = unsafe { zeroed() };
    address.svm_family = libc::AF_VSOCK as libc::sa_family_t;
    address.svm_cid = cid;
    address.svm_port = port;
    address
}

/// Listens for the host alone: a workload in the guest may reach the port too, and is turned away.
#[derive(Debug)]
pub struct Listener {
    socket: AsyncFd<OwnedFd>,
}

impl Listener {
    /// Listens on the agent's port; `None` where the kernel has no vsock.
    pub fn bind() -> io::Result<Option<Self>> {
        let socket = match make_socket() {
            Ok(socket) => socket,
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::ENODEV)) => return Ok(None),
            Err(error) => return Err(error),
        };
        set_buffers(&socket)?;
        let address = address(libc::VMADDR_CID_ANY, PORT);
        // SAFETY: the address outlives the call and its true size is given.
        if unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), ADDRESS_BYTES) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: no pointers.
        if unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Some(Self { socket: sys::watch(socket, Interest::READABLE)? }))
    }

    /// Tells a host that cannot keep a connection until somebody takes it that this guest does from now on: by a connection
    /// to [`ANNOUNCE_PORT`], which is let go at once. A host that does not want to know refuses it; where there is no vsock
    /// device, nobody is told.
    pub fn announce(&self) -> io::Result<()> {
        let socket = make_socket()?;
        let address = address(libc::VMADDR_CID_HOST, ANNOUNCE_PORT);
        // SAFETY: the address outlives the call and its true size is given.
        let begun = unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), ADDRESS_BYTES) };
        match io::Error::last_os_error() {
            _ if begun == 0 => Ok(()),
            error if matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::ENODEV)) => Ok(()),
            error => Err(error),
        }
    }

    /// The next connection from the host.
    pub async fn accept(&self) -> io::Result<OwnedFd> {
        loop {
            let mut guard = self.socket.readable().await?;
            match self.accept_now() {
                Ok(Some(connection)) => return Ok(connection),
                Ok(None) => {}
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => guard.clear_ready(),
                    Some(libc::EINTR | libc::ECONNABORTED) => {}
                    _ => return Err(error),
                },
            }
        }
    }

    /// Takes a waiting connection; `None` if it was not the host's.
    fn accept_now(&self) -> io::Result<Option<OwnedFd>> {
        // SAFETY: all-zero is a valid sockaddr_vm.
        let mut peer: libc::sockaddr_vm = unsafe { zeroed() };
        let mut length = size_of::<libc::sockaddr_vm>() as libc::socklen_t;
        // SAFETY: `peer` and `length` outlive the call, and `length` is the size of `peer`.
        let fd = unsafe {
            libc::accept4(
                self.socket.get_ref().as_raw_fd(),
                (&raw mut peer).cast(),
                &raw mut length,
                libc::SOCK_CLOEXEC,
            )
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` was just made and has no other owner.
        let connection = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok((peer.svm_cid == libc::VMADDR_CID_HOST).then_some(connection))
    }
}
