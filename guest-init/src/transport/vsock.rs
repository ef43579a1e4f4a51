//! The vsock listener, for machines that have no port of the agent's name. rustix has no vsock addresses, so the three
//! calls that take one are made here.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::sys;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The agent's vsock port.
pub const PORT: u32 = 1024;
const BACKLOG: i32 = 8;

/// Listens for the host alone: a workload in the guest may reach the port too, and is turned away.
#[derive(Debug)]
pub struct Listener {
    socket: AsyncFd<OwnedFd>,
}

impl Listener {
    /// Listens on the agent's port; `None` where the kernel has no vsock.
    pub fn bind() -> io::Result<Option<Self>> {
        let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no pointers; the result is checked.
        let fd = unsafe { libc::socket(libc::AF_VSOCK, kind, 0) };
        if fd < 0 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::EAFNOSUPPORT | libc::ENODEV) => Ok(None),
                _ => Err(error),
            };
        }
        // SAFETY: `fd` was just made and has no other owner.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: all-zero is a valid sockaddr_vm.
        let mut address: libc::sockaddr_vm = unsafe { zeroed() };
        address.svm_family = libc::AF_VSOCK as libc::sa_family_t;
        address.svm_cid = libc::VMADDR_CID_ANY;
        address.svm_port = PORT;
        // SAFETY: the address outlives the call and its true size is given.
        let bound = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of::<libc::sockaddr_vm>() as libc::socklen_t,
            )
        };
        if bound != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: no pointers.
        if unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Some(Self { socket: sys::watch(socket, Interest::READABLE)? }))
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
