//! Finds the agent's virtio-serial port. Its name comes from the host by a message of its own, so it may turn up after
//! the guest has started; the kernel's uevents say when to look again.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use crate::sys;
use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, netlink};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Name of the agent's port.
pub const PORT_NAME: &str = "a3s.box.agent";
const PORTS: &str = "/sys/class/virtio-ports";

/// Kernel uevents, subscribed to before the first look so that nothing is missed.
#[derive(Debug)]
pub struct DeviceEvents {
    socket: AsyncFd<OwnedFd>,
}

impl DeviceEvents {
    /// Subscribes. Must be called within the runtime.
    pub fn subscribe() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(netlink::KOBJECT_UEVENT))?;
        rustix::net::bind(&socket, &netlink::SocketAddrNetlink::new(0, 1))?;
        Ok(Self { socket: sys::watch(socket, Interest::READABLE)? })
    }

    /// Waits for the next event, whatever it is. Lost events count as one.
    pub async fn changed(&self) -> io::Result<()> {
        loop {
            let mut guard = self.socket.readable().await?;
            match rustix::net::recv(self.socket.get_ref(), &mut [0u8; 1], RecvFlags::empty()) {
                Ok(_) | Err(rustix::io::Errno::NOBUFS) => return Ok(()),
                Err(rustix::io::Errno::AGAIN) => guard.clear_ready(),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Opens the agent's port if it is there now.
pub fn open() -> io::Result<Option<OwnedFd>> {
    let Some(device) = find(Path::new(PORTS))? else { return Ok(None) };
    let path = Path::new("/dev").join(device);
    match rustix::fs::open(&path, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty()) {
        Ok(fd) => Ok(Some(fd)),
        // devtmpfs makes the node at about the time of the event.
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn find(ports: &Path) -> io::Result<Option<std::ffi::OsString>> {
    let entries = match fs::read_dir(ports) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        // A port without a name has no such file.
        if fs::read(entry.path().join("name")).is_ok_and(|name| name.trim_ascii() == PORT_NAME.as_bytes()) {
            return Ok(Some(entry.file_name()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_found_by_its_name() -> io::Result<()> {
        let class = std::env::temp_dir().join(format!("a3s-ports-{}", std::process::id()));
        fs::create_dir_all(class.join("vport0p0"))?;
        fs::create_dir_all(class.join("vport1p1"))?;
        assert_eq!(find(&class)?, None);
        fs::write(class.join("vport1p1/name"), "a3s.box.agent\n")?;
        assert_eq!(find(&class)?, Some("vport1p1".into()));
        fs::remove_dir_all(&class)?;
        assert_eq!(find(&class)?, None);
        Ok(())
    }
}
