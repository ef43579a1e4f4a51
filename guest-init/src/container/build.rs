//! Makes a container's namespaces and mounts. This runs on a thread of its own that enters the new namespaces for good,
//! so that it can be ordinary code with ordinary errors; what lasts are the descriptors that it returns.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount_change, move_mount, open_tree,
    unmount,
};

use super::beneath;
use super::copy;
use super::devices::{self, Node};
use super::settings::{Namespaces, Settings};
use super::volumes::Fill;
use crate::error::{AgentError, Result};
use crate::network;
use crate::oci::mounts::{Attributes, CheckedMount, MountKind};
use crate::process::terminal::Terminal;
use crate::proto::InjectedFile;
use crate::sys::{mount_setattr, write_attribute};

const STAGE: &str = "/run/a3s-box/rootfs";

/// What the container is built from.
#[derive(Debug)]
pub struct Materials {
    /// The checked config.json.
    pub settings: Settings,
    /// Where the image is mounted.
    pub image: PathBuf,
    /// The container's folder on the scratch disk.
    pub scratch: PathBuf,
    /// Volumes to fill from the image.
    pub fills: Vec<Fill>,
    /// Files to make.
    pub files: Vec<InjectedFile>,
}

/// What lasts of a container that was built.
#[derive(Debug)]
pub struct Built {
    /// Namespaces and their kinds (CLONE_NEW*).
    pub namespaces: Vec<(OwnedFd, i32)>,
    /// The root directory.
    pub root: OwnedFd,
    /// The root file system alone, without what is mounted in it; read-only.
    pub plain: OwnedFd,
    /// The container's /dev/pts/ptmx, to open terminals with.
    pub terminals: Option<OwnedFd>,
    /// The first process's terminal, which is also /dev/console.
    pub console: Option<Terminal>,
}

/// Builds the container. Must be called on a thread that does nothing else afterwards.
pub fn build(materials: &Materials) -> Result<Built> {
    let settings = &materials.settings;
    let namespaces = enter(&settings.namespaces)?;
    make_private().map_err(|error| AgentError::system("make the mounts private", error))?;
    let root = mount_root(materials)?;
    let root_fd = root.as_fd();
    let plain = plain_root(root_fd).map_err(|error| AgentError::system("make a view of the root", error))?;
    for fill in &materials.fills {
        copy::fill(root_fd, fill)
            .map_err(|error| AgentError::system(format_args!("fill the volume for {}", fill.from), error))?;
    }
    for mount in &settings.mounts {
        apply_mount(root_fd, mount).map_err(|error| {
            AgentError::system(format_args!("mount {} on {}", mount.describe(), mount.destination), error)
        })?;
    }
    make_devices(root_fd, &settings.devices)?;
    let terminals =
        open_terminals(root_fd).map_err(|error| AgentError::system("open the container's terminals", error))?;
    let console = make_console(root_fd, settings, terminals.as_ref())?;
    for file in &materials.files {
        beneath::write_file(root_fd, &file.path, &file.content, file.mode)
            .map_err(|error| AgentError::system(format_args!("make file {}", file.path), error))?;
    }
    make_working_directory(root_fd, &settings.working_directory)?;
    set_names(settings)?;
    set_sysctls(settings)?;
    if settings.namespaces.network {
        network::loopback_up().map_err(|error| AgentError::system("bring up the loopback interface", error))?;
    }
    pivot(root_fd).map_err(|error| AgentError::system("change to the container's root", error))?;
    finish_root(settings).map_err(|error| AgentError::system("set the root mount's options", error))?;
    Ok(Built { namespaces, root, plain, terminals, console })
}

/// Enters new namespaces of the wanted kinds and returns them.
fn enter(wanted: &Namespaces) -> Result<Vec<(OwnedFd, i32)>> {
    let kinds = [
        (true, libc::CLONE_NEWNS, "mnt"),
        (wanted.uts, libc::CLONE_NEWUTS, "uts"),
        (wanted.ipc, libc::CLONE_NEWIPC, "ipc"),
        (wanted.network, libc::CLONE_NEWNET, "net"),
    ];
    let mut namespaces = Vec::new();
    for (_, kind, name) in kinds.into_iter().filter(|(wanted, ..)| *wanted) {
        let failed = |error: io::Error| AgentError::system(format_args!("make a {name} namespace"), error);
        // SAFETY: no pointers. It changes this thread alone, which has nothing to do afterwards.
        if unsafe { libc::unshare(kind) } != 0 {
            return Err(failed(io::Error::last_os_error()));
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let namespace = rustix::fs::open(format!("/proc/thread-self/ns/{name}"), flags, Mode::empty())
            .map_err(|error| failed(error.into()))?;
        namespaces.push((namespace, kind));
    }
    Ok(namespaces)
}

fn make_private() -> io::Result<()> {
    Ok(mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?)
}

/// Mounts the overlay and returns its root.
fn mount_root(materials: &Materials) -> Result<OwnedFd> {
    let failed = |error: io::Error| AgentError::system("mount the root file system", error);
    let stage = || rustix::fs::open(STAGE, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    std::fs::create_dir_all(STAGE).map_err(failed)?;
    let mount = overlay(&materials.image, &materials.scratch)?;
    let mounted = (|| {
        attach(&mount, stage()?.as_fd())?;
        Ok::<_, io::Error>(stage()?)
    })();
    mounted.map_err(failed)
}

/// An overlay of an image and a folder on the scratch disk, attached nowhere.
pub fn overlay(image: &Path, scratch: &Path) -> Result<OwnedFd> {
    let failed = |error: io::Error| AgentError::system("mount the root file system", error);
    let upper = scratch.join("upper");
    let work = scratch.join("work");
    for directory in [&upper, &work] {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    let mounted = (|| {
        let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        let options = [
            ("source", Path::new("overlay")),
            ("lowerdir", image),
            ("upperdir", &upper),
            ("workdir", &work),
            ("redirect_dir", Path::new("off")),
            ("metacopy", Path::new("off")),
            ("index", Path::new("off")),
        ];
        for (key, value) in options {
            fsconfig_set_string(&context, key, value)?;
        }
        fsconfig_create(&context)?;
        Ok::<_, io::Error>(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?)
    })();
    mounted.map_err(failed)
}

/// A second view of a root in which nothing is mounted yet.
pub fn plain_root(root: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let view = open_tree(root, "", flags)?;
    mount_setattr(view.as_fd(), false, libc::MOUNT_ATTR_RDONLY, 0, 0)?;
    Ok(view)
}

/// Attaches a mount to a directory or file.
pub fn attach(mount: &OwnedFd, target: BorrowedFd<'_>) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(mount, "", target, "", flags)?)
}

/// Mounts beneath a root what a config asks for.
pub fn apply_mount(root: BorrowedFd<'_>, mount: &CheckedMount) -> io::Result<()> {
    let made = match mount.kind {
        // The first process mounts it; here is where.
        MountKind::Own(_) => return beneath::make_directory(root, &mount.destination).map(drop),
        MountKind::Bind { recursive } => return bind(root, mount, recursive),
        MountKind::FileSystem(kind) => new_file_system(kind, mount)?,
    };
    let target = beneath::make_directory(root, &mount.destination)?;
    set_attributes(&made, mount)?;
    attach(&made, target.as_fd())
}

fn new_file_system(kind: &str, mount: &CheckedMount) -> io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    let source = if mount.source.is_empty() { kind } else { &mount.source };
    fsconfig_set_string(&context, "source", source)?;
    for (key, value) in &mount.options {
        // devpts instances are always new ones.
        if kind == "devpts" && key == "newinstance" {
            continue;
        }
        let set = match value {
            Some(value) => fsconfig_set_string(&context, key.as_str(), value.as_str()),
            None => fsconfig_set_flag(&context, key.as_str()),
        };
        set.map_err(|error| {
            io::Error::new(io::Error::from(error).kind(), format!("option {key:?} is not taken by {kind} ({error})"))
        })?;
    }
    fsconfig_create(&context)?;
    Ok(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?)
}

fn bind(root: BorrowedFd<'_>, mount: &CheckedMount, recursive: bool) -> io::Result<()> {
    let source = rustix::fs::open(&mount.source, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    let tree = open_tree(&source, "", flags)?;
    set_attributes(&tree, mount)?;
    let directory =
        rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&source)?.st_mode) == rustix::fs::FileType::Directory;
    let target = if directory {
        beneath::make_directory(root, &mount.destination)?
    } else {
        beneath::make_file(root, &mount.destination)?
    };
    attach(&tree, target.as_fd())
}

fn set_attributes(made: &OwnedFd, mount: &CheckedMount) -> io::Result<()> {
    for (attributes, recursive) in [(mount.recursive_attributes, true), (mount.attributes, false)] {
        if attributes != Attributes::default() {
            mount_setattr(made.as_fd(), recursive, attributes.set, attributes.clear, 0)?;
        }
    }
    for (propagation, recursive) in &mount.propagation {
        mount_setattr(made.as_fd(), *recursive, 0, 0, *propagation)?;
    }
    Ok(())
}

fn make_devices(root: BorrowedFd<'_>, nodes: &[Node]) -> Result<()> {
    for node in nodes {
        devices::make_node(root, node)
            .map_err(|error| AgentError::system(format_args!("make device {}", node.path), error))?;
    }
    devices::make_links(root).map_err(|error| AgentError::system("make the links in /dev", error))
}

fn open_terminals(root: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    match beneath::open(root, "/dev/pts/ptmx", OFlags::PATH, 0) {
        Ok(ptmx) => Ok(Some(ptmx)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn make_console(root: BorrowedFd<'_>, settings: &Settings, terminals: Option<&OwnedFd>) -> Result<Option<Terminal>> {
    if !settings.terminal {
        return Ok(None);
    }
    let console = Terminal::open(terminals.map(AsFd::as_fd))?;
    let failed = |error: io::Error| AgentError::system("make /dev/console", error);
    let target = beneath::make_file(root, "/dev/console").map_err(failed)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = open_tree(console.follower(), "", flags).map_err(|error| failed(error.into()))?;
    attach(&tree, target.as_fd()).map_err(failed)?;
    Ok(Some(console))
}

fn make_working_directory(root: BorrowedFd<'_>, path: &str) -> Result<()> {
    beneath::make_directory(root, path)
        .map(drop)
        .map_err(|error| AgentError::invalid(format!("process.cwd: make {path}: {error}")))
}

fn set_names(settings: &Settings) -> Result<()> {
    if let Some(name) = &settings.hostname {
        rustix::system::sethostname(name.as_bytes()).map_err(|error| AgentError::system("set the host name", error))?;
    }
    if let Some(name) = &settings.domainname {
        rustix::system::setdomainname(name.as_bytes())
            .map_err(|error| AgentError::system("set the domain name", error))?;
    }
    Ok(())
}

fn set_sysctls(settings: &Settings) -> Result<()> {
    for (name, value) in &settings.sysctls {
        let path = Path::new("/proc/sys").join(name.replace('.', "/"));
        write_attribute(path, value).map_err(|error| AgentError::system(format_args!("set sysctl {name}"), error))?;
    }
    Ok(())
}

fn pivot(root: BorrowedFd<'_>) -> io::Result<()> {
    rustix::process::fchdir(root)?;
    rustix::process::pivot_root(".", ".")?;
    // The old root lies on top of the new one now.
    unmount(".", UnmountFlags::DETACH)?;
    Ok(rustix::process::chdir("/")?)
}

fn finish_root(settings: &Settings) -> io::Result<()> {
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    if settings.read_only_root {
        mount_setattr(root.as_fd(), false, libc::MOUNT_ATTR_RDONLY, 0, 0)?;
    }
    if let Some((propagation, recursive)) = settings.root_propagation {
        mount_setattr(root.as_fd(), recursive, 0, 0, propagation)?;
    }
    Ok(())
}
