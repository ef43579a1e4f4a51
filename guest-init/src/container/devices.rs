//! Device nodes of a container.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, FileType, Mode, makedev};

use super::beneath;
use crate::error::Result;
use crate::oci::parse::refuse;
use crate::oci::spec::Device;

/// A device node to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Where, in the container.
    pub path: String,
    /// Kind of node.
    pub kind: NodeKind,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Kind of device node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// Character device.
    Character,
    /// Block device.
    Block,
    /// Named pipe.
    Pipe,
}

const DEFAULTS: &[(&str, u32, u32)] = &[
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

const LINKS: &[(&str, &str)] = &[
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
];

/// The nodes that every container has, then those of its own.
pub fn nodes(path: &str, devices: &[Device]) -> Result<Vec<Node>> {
    let default = |(path, major, minor): &(&str, u32, u32)| Node {
        path: (*path).to_owned(),
        kind: NodeKind::Character,
        major: *major,
        minor: *minor,
        mode: 0o666,
        uid: 0,
        gid: 0,
    };
    let mut nodes: Vec<Node> = DEFAULTS.iter().map(default).collect();
    for (index, device) in devices.iter().enumerate() {
        let node = node(&format!("{path}[{index}]"), device)?;
        nodes.retain(|earlier| earlier.path != node.path);
        nodes.push(node);
    }
    Ok(nodes)
}

fn node(path: &str, device: &Device) -> Result<Node> {
    let kind = match device.r#type.as_str() {
        "c" | "u" => NodeKind::Character,
        "b" => NodeKind::Block,
        "p" => NodeKind::Pipe,
        other => return Err(refuse(format_args!("{path}.type"), format_args!("{other:?} is not c, u, b or p"))),
    };
    if !device.path.starts_with('/') || device.path.split('/').any(|segment| segment == "..") {
        return Err(refuse(format_args!("{path}.path"), "is not a plain absolute path"));
    }
    let mode = device.file_mode.unwrap_or(0o666);
    if mode & !0o7777 != 0 {
        return Err(refuse(format_args!("{path}.fileMode"), "holds more than permission bits"));
    }
    Ok(Node {
        path: device.path.clone(),
        kind,
        major: device.major,
        minor: device.minor,
        mode,
        uid: device.uid.unwrap_or(0),
        gid: device.gid.unwrap_or(0),
    })
}

/// Makes a node in the place of what is there.
pub fn make_node(root: BorrowedFd<'_>, node: &Node) -> io::Result<()> {
    let (directory, name) = beneath::parent(root, &node.path)?;
    remove(directory.as_fd(), name)?;
    let (kind, number) = match node.kind {
        NodeKind::Character => (FileType::CharacterDevice, makedev(node.major, node.minor)),
        NodeKind::Block => (FileType::BlockDevice, makedev(node.major, node.minor)),
        NodeKind::Pipe => (FileType::Fifo, 0),
    };
    rustix::fs::mknodat(&directory, name, kind, Mode::from_raw_mode(0o600), number)?;
    rustix::fs::chownat(
        &directory,
        name,
        Some(rustix::fs::Uid::from_raw(node.uid)),
        Some(rustix::fs::Gid::from_raw(node.gid)),
        AtFlags::SYMLINK_NOFOLLOW,
    )?;
    Ok(rustix::fs::chmodat(&directory, name, Mode::from_raw_mode(node.mode), AtFlags::empty())?)
}

/// Makes the usual links, but leaves what is there.
pub fn make_links(root: BorrowedFd<'_>) -> io::Result<()> {
    for (path, target) in LINKS {
        let (directory, name) = beneath::parent(root, path)?;
        match rustix::fs::symlinkat(*target, &directory, name) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn remove(directory: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(kind: &str, path: &str) -> Device {
        Device { r#type: kind.into(), path: path.into(), major: 10, minor: 229, ..Device::default() }
    }

    #[test]
    fn a_container_has_the_default_devices_and_its_own() {
        let nodes = nodes("linux.devices", &[device("c", "/dev/fuse"), device("p", "/dev/null")]).unwrap();
        assert_eq!(nodes.len(), DEFAULTS.len() + 1);
        assert_eq!(
            nodes.iter().filter(|node| node.path == "/dev/null").map(|node| node.kind).collect::<Vec<_>>(),
            [NodeKind::Pipe]
        );
    }

    #[test]
    fn what_is_no_device_is_refused() {
        for wrong in [
            device("x", "/dev/a"),
            device("c", "dev/a"),
            device("c", "/dev/../a"),
            Device { file_mode: Some(0o100_666), ..device("c", "/a") },
        ] {
            assert!(node("d", &wrong).is_err(), "{wrong:?}");
        }
    }
}
