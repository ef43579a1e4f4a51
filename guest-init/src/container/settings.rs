//! A config.json that was checked as a whole: everything in it can be applied, as far as that can be known beforehand.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::devices::{self, Node};
use super::late::LateSetup;
use crate::cgroup::Setting;
use crate::error::Result;
use crate::oci::mounts::{self, CheckedMount};
use crate::oci::parse::{parse, refuse};
use crate::oci::spec::{Config, Linux, Namespace, Process};
use crate::oci::{devices::DeviceFilter, resources, seccomp};
use crate::process::plan::Confinement;

const DOCUMENT: &str = "config.json";

/// Which namespaces the container has of its own. It always has a mount namespace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Process ids.
    pub pid: bool,
    /// System V IPC and message queues.
    pub ipc: bool,
    /// Host name.
    pub uts: bool,
    /// Control groups.
    pub cgroup: bool,
    /// Network.
    pub network: bool,
}

impl Namespaces {
    /// Their kinds (CLONE_NEW*), for setns.
    pub fn kinds(self) -> i32 {
        let kinds = [
            (self.pid, libc::CLONE_NEWPID),
            (self.ipc, libc::CLONE_NEWIPC),
            (self.uts, libc::CLONE_NEWUTS),
            (self.cgroup, libc::CLONE_NEWCGROUP),
            (self.network, libc::CLONE_NEWNET),
        ];
        kinds.into_iter().filter(|(own, _)| *own).fold(libc::CLONE_NEWNS, |all, (_, kind)| all | kind)
    }
}

/// Everything that a config.json says, checked.
#[derive(Debug)]
pub struct Settings {
    /// The container's own process.
    pub process: Process,
    /// Its confinement, which exec takes over.
    pub confinement: Confinement,
    /// Whether the container's own process runs on a terminal.
    pub terminal: bool,
    /// Its working directory.
    pub working_directory: String,
    /// Whether the root is read-only.
    pub read_only_root: bool,
    /// Propagation of the root mount: MS_ flag and recursion.
    pub root_propagation: Option<(u64, bool)>,
    /// Host name.
    pub hostname: Option<String>,
    /// Domain name.
    pub domainname: Option<String>,
    /// Namespaces.
    pub namespaces: Namespaces,
    /// Mounts, in order.
    pub mounts: Vec<CheckedMount>,
    /// What the first process does to the mounts.
    pub late: Arc<LateSetup>,
    /// Device nodes.
    pub devices: Vec<Node>,
    /// Which devices may be used.
    pub device_filter: DeviceFilter,
    /// Path of the cgroup.
    pub cgroup: PathBuf,
    /// Limits.
    pub limits: Vec<Setting>,
    /// Kernel parameters, by dotted name.
    pub sysctls: BTreeMap<String, String>,
    /// Whether the container's process runs below an init.
    pub init: bool,
}

impl Settings {
    /// Reads and checks a config.json.
    pub fn parse(container_id: &str, json: &[u8]) -> Result<Self> {
        let config: Config = parse(DOCUMENT, json)?;
        check_version(&config.oci_version)?;
        let Some(process) = config.process else { return Err(refuse("process", "is missing")) };
        let linux = config.linux;
        let namespaces = namespaces(&linux.namespaces)?;
        for (name, value, path) in [(&config.hostname, 64, "hostname"), (&config.domainname, 64, "domainname")] {
            if let Some(name) = name {
                check_name(path, name, value, namespaces)?;
            }
        }
        check_sysctls(&linux.sysctl, namespaces)?;
        let mounts = mounts::check("mounts", &config.mounts)?;
        let late = LateSetup::new(&mounts, &linux.masked_paths, &linux.readonly_paths)?;
        let filter = linux.seccomp.as_ref().map(|profile| seccomp::compile("linux.seccomp", profile)).transpose()?;
        let resources = linux.resources.clone().unwrap_or_default();
        Ok(Self {
            confinement: Confinement::of_container("process", &process, filter.map(Arc::new))?,
            terminal: process.terminal,
            working_directory: process.cwd.clone(),
            process,
            read_only_root: config.root.is_some_and(|root| root.readonly),
            root_propagation: root_propagation(&linux)?,
            hostname: config.hostname,
            domainname: config.domainname,
            namespaces,
            mounts,
            late: Arc::new(late),
            devices: devices::nodes("linux.devices", &linux.devices)?,
            device_filter: DeviceFilter::new(
                "linux.resources.devices",
                resources.devices.as_deref().unwrap_or_default(),
            )?,
            cgroup: cgroup_path(container_id, linux.cgroups_path.as_deref())?,
            limits: resources::settings("linux.resources", &resources)?,
            sysctls: linux.sysctl,
            init: config.init,
        })
    }
}

fn check_version(version: &str) -> Result<()> {
    if version.split('.').next() == Some("1") {
        Ok(())
    } else {
        Err(refuse("ociVersion", format_args!("{version:?} is not version 1 of the specification")))
    }
}

fn namespaces(wanted: &[Namespace]) -> Result<Namespaces> {
    let mut namespaces = Namespaces::default();
    let mut mount = false;
    for (index, namespace) in wanted.iter().enumerate() {
        let path = format!("linux.namespaces[{index}].type");
        let own = match namespace.r#type.as_str() {
            "mount" => &mut mount,
            "pid" => &mut namespaces.pid,
            "ipc" => &mut namespaces.ipc,
            "uts" => &mut namespaces.uts,
            "cgroup" => &mut namespaces.cgroup,
            "network" => &mut namespaces.network,
            other => return Err(refuse(path, format_args!("namespace {other:?} is not supported by this guest"))),
        };
        if std::mem::replace(own, true) {
            return Err(refuse(path, format_args!("{:?} is given twice", namespace.r#type)));
        }
    }
    if mount { Ok(namespaces) } else { Err(refuse("linux.namespaces", "a container needs a mount namespace")) }
}

fn check_name(path: &str, name: &str, longest: usize, namespaces: Namespaces) -> Result<()> {
    if !namespaces.uts {
        return Err(refuse(path, "needs a uts namespace"));
    }
    if name.is_empty() || name.len() > longest || name.contains('\0') {
        return Err(refuse(path, format_args!("is not a name of 1 to {longest} bytes")));
    }
    Ok(())
}

/// Only parameters of the container's own namespaces, so that no container changes the guest's.
fn check_sysctls(sysctls: &BTreeMap<String, String>, namespaces: Namespaces) -> Result<()> {
    const IPC: &[&str] = &[
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
    ];
    for name in sysctls.keys() {
        let path = format!("linux.sysctl[{name:?}]");
        let plain = name.split('.').all(|part| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/'))
        });
        if !plain || name.starts_with('/') {
            return Err(refuse(path, "is not a dotted name"));
        }
        let (known, own, kind) = match name.as_str() {
            name if IPC.contains(&name) || name.starts_with("fs.mqueue.") => (true, namespaces.ipc, "ipc"),
            name if name.starts_with("net.") => (true, namespaces.network, "network"),
            _ => (false, false, ""),
        };
        if !known {
            return Err(refuse(path, "is not a parameter of a container's namespaces"));
        }
        if !own {
            return Err(refuse(path, format_args!("needs a {kind} namespace")).hint("set it for the guest as a whole"));
        }
    }
    Ok(())
}

fn root_propagation(linux: &Linux) -> Result<Option<(u64, bool)>> {
    match linux.rootfs_propagation.as_deref() {
        None | Some("") => Ok(None),
        Some(name) => match mounts::propagation(name) {
            Some(propagation) => Ok(Some(propagation)),
            None => Err(refuse("linux.rootfsPropagation", format_args!("{name:?} is no propagation"))),
        },
    }
}

fn cgroup_path(container_id: &str, path: Option<&str>) -> Result<PathBuf> {
    let Some(path) = path.filter(|path| !path.is_empty()) else { return Ok(Path::new("/a3s-box").join(container_id)) };
    let cgroup = Path::new(path);
    let plain = cgroup.components().all(|component| matches!(component, Component::RootDir | Component::Normal(_)));
    // Files of the cgroup file system have a dot in their names, or are these.
    let clash = |component: Component<'_>| {
        matches!(component.as_os_str().to_str(), None | Some("cgroup" | "cpu" | "io" | "memory" | "pids"))
            || component.as_os_str().to_string_lossy().starts_with("cgroup.")
    };
    if !cgroup.is_absolute() || !plain || cgroup.components().count() < 2 || cgroup.components().any(clash) {
        return Err(refuse("linux.cgroupsPath", format_args!("{path:?} is not a plain absolute path")));
    }
    Ok(cgroup.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(patch: serde_json::Value) -> String {
        let mut config = serde_json::json!({
            "ociVersion": "1.2.0",
            "process": { "args": ["sh"], "cwd": "/" },
            "root": { "path": "rootfs" },
            "linux": { "namespaces": [{ "type": "mount" }, { "type": "pid" }] },
        });
        merge(&mut config, patch);
        match Settings::parse("c", config.to_string().as_bytes()) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.message().to_owned(),
        }
    }

    fn merge(into: &mut serde_json::Value, patch: serde_json::Value) {
        match (into, patch) {
            (serde_json::Value::Object(into), serde_json::Value::Object(patch)) => {
                for (key, value) in patch {
                    merge(into.entry(key).or_insert(serde_json::Value::Null), value);
                }
            }
            (into, patch) => *into = patch,
        }
    }

    #[test]
    fn each_value_that_cannot_be_applied_is_named_by_its_path() {
        use serde_json::json;
        assert_eq!(error(json!({})), "accepted");
        for (path, patch) in [
            ("ociVersion", json!({ "ociVersion": "2.0.0" })),
            ("process", json!({ "process": null })),
            ("hostname", json!({ "hostname": "h" })),
            ("linux.namespaces[0].type", json!({ "linux": { "namespaces": [{ "type": "user" }] } })),
            (
                "linux.namespaces[1].type",
                json!({ "linux": { "namespaces": [{ "type": "mount" }, { "type": "mount" }] } }),
            ),
            ("linux.namespaces", json!({ "linux": { "namespaces": [] } })),
            ("linux.sysctl", json!({ "linux": { "sysctl": { "kernel.panic": "1" } } })),
            ("linux.sysctl", json!({ "linux": { "sysctl": { "net.ipv4.ip_forward": "1" } } })),
            ("linux.sysctl", json!({ "linux": { "sysctl": { "net./../x": "1" } } })),
            ("linux.cgroupsPath", json!({ "linux": { "cgroupsPath": "a" } })),
            ("linux.cgroupsPath", json!({ "linux": { "cgroupsPath": "/a/../b" } })),
            ("linux.rootfsPropagation", json!({ "linux": { "rootfsPropagation": "odd" } })),
            ("process.capabilities.bounding[0]", json!({ "process": { "capabilities": { "bounding": ["CAP_X"] } } })),
            ("process.rlimits[0].type", json!({ "process": { "rlimits": [{ "type": "X", "hard": 1, "soft": 1 }] } })),
            ("process.oomScoreAdj", json!({ "process": { "oomScoreAdj": 1001 } })),
            ("linux.seccomp.defaultAction", json!({ "linux": { "seccomp": { "defaultAction": "SCMP_ACT_NOTIFY" } } })),
            ("mounts[0].type", json!({ "mounts": [{ "destination": "/x", "type": "nfs" }] })),
            ("linux.devices[0].type", json!({ "linux": { "devices": [{ "type": "q", "path": "/dev/q" }] } })),
            ("linux.maskedPaths[0]", json!({ "linux": { "maskedPaths": ["proc"] } })),
        ] {
            let message = error(patch);
            assert!(message.starts_with(path), "{path}: {message}");
        }
    }

    #[test]
    fn kinds_are_those_of_the_container() {
        let namespaces = Namespaces { pid: true, ..Namespaces::default() };
        assert_eq!(namespaces.kinds(), libc::CLONE_NEWNS | libc::CLONE_NEWPID);
    }
}
