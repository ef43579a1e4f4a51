//! `mounts`: kinds and options.

use super::parse::refuse;
use super::spec::Mount;
use crate::error::Result;

/// What is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountKind {
    /// A file or directory of the guest.
    Bind {
        /// With the mounts below it.
        recursive: bool,
    },
    /// A file system of its own; the kernel's name of its type.
    FileSystem(&'static str),
    /// proc and cgroup: they show the namespaces of who mounts them, so the container's first process does it.
    Own(&'static str),
}

/// Mount attributes to set and to clear, as mount_setattr(2) takes them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Bits to set.
    pub set: u64,
    /// Bits to clear.
    pub clear: u64,
}

/// A mount whose options were all understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedMount {
    /// Where, in the container.
    pub destination: String,
    /// What.
    pub kind: MountKind,
    /// Path, tag or label.
    pub source: String,
    /// Attributes of the mount.
    pub attributes: Attributes,
    /// The same for everything below as well.
    pub recursive_attributes: Attributes,
    /// MS_SHARED and the like, and whether for everything below as well.
    pub propagation: Vec<(u64, bool)>,
    /// Options of the file system: a flag, or key and value. Unknown ones are refused by the kernel.
    pub options: Vec<(String, Option<String>)>,
}

const RDONLY: u64 = libc::MOUNT_ATTR_RDONLY;
const NOSUID: u64 = libc::MOUNT_ATTR_NOSUID;
const NODEV: u64 = libc::MOUNT_ATTR_NODEV;
const NOEXEC: u64 = libc::MOUNT_ATTR_NOEXEC;
const ATIME_MASK: u64 = libc::MOUNT_ATTR__ATIME;
const NOATIME: u64 = libc::MOUNT_ATTR_NOATIME;
const STRICTATIME: u64 = libc::MOUNT_ATTR_STRICTATIME;
const NODIRATIME: u64 = libc::MOUNT_ATTR_NODIRATIME;
const NOSYMFOLLOW: u64 = libc::MOUNT_ATTR_NOSYMFOLLOW;

/// Name, bits to set, bits to clear. With an `r` before the name it holds for everything below as well.
const ATTRIBUTES: &[(&str, u64, u64)] = &[
    ("ro", RDONLY, 0),
    ("rw", 0, RDONLY),
    ("nosuid", NOSUID, 0),
    ("suid", 0, NOSUID),
    ("nodev", NODEV, 0),
    ("dev", 0, NODEV),
    ("noexec", NOEXEC, 0),
    ("exec", 0, NOEXEC),
    ("noatime", NOATIME, ATIME_MASK),
    ("relatime", 0, ATIME_MASK),
    ("strictatime", STRICTATIME, ATIME_MASK),
    ("atime", 0, ATIME_MASK),
    ("nodiratime", NODIRATIME, 0),
    ("diratime", 0, NODIRATIME),
    ("nosymfollow", NOSYMFOLLOW, 0),
    ("symfollow", 0, NOSYMFOLLOW),
];

const FILE_SYSTEMS: &[&str] = &["sysfs", "tmpfs", "devpts", "mqueue", "virtiofs"];

impl Attributes {
    fn add(&mut self, set: u64, clear: u64) {
        self.set = (self.set & !clear) | set;
        self.clear = (self.clear & !set) | clear;
        // Whoever sets an access time mode clears the others.
        if set & ATIME_MASK != 0 {
            self.clear |= ATIME_MASK;
        }
    }
}

/// MS_ flag and recursion of a propagation option.
pub fn propagation(option: &str) -> Option<(u64, bool)> {
    let (name, recursive) = option.strip_prefix('r').map_or((option, false), |name| (name, true));
    let flag = match name {
        "private" => libc::MS_PRIVATE,
        "shared" => libc::MS_SHARED,
        "slave" => libc::MS_SLAVE,
        "unbindable" => libc::MS_UNBINDABLE,
        _ => return None,
    };
    Some((flag, recursive))
}

/// Checks all mounts. `path` names the document's field in errors.
pub fn check(path: &str, mounts: &[Mount]) -> Result<Vec<CheckedMount>> {
    let mut checked: Vec<CheckedMount> = Vec::with_capacity(mounts.len());
    for (index, mount) in mounts.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let mount = check_mount(&path, mount)?;
        let hides = |earlier: &&CheckedMount| {
            matches!(earlier.kind, MountKind::Own(_)) && is_beneath(&mount.destination, &earlier.destination)
        };
        if let Some(earlier) = checked.iter().find(hides)
            && !matches!(mount.kind, MountKind::Own(_))
        {
            return Err(refuse(
                format_args!("{path}.destination"),
                format_args!("a mount beneath {} is not supported", earlier.destination),
            ));
        }
        checked.push(mount);
    }
    Ok(checked)
}

fn is_beneath(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn check_mount(path: &str, mount: &Mount) -> Result<CheckedMount> {
    if !mount.destination.starts_with('/') || mount.destination.split('/').any(|segment| segment == "..") {
        return Err(refuse(
            format_args!("{path}.destination"),
            format_args!("{:?} is not a plain absolute path", mount.destination),
        ));
    }
    let source = mount.source.clone().unwrap_or_default();
    let mut checked = CheckedMount {
        destination: mount.destination.clone(),
        kind: kind(path, mount)?,
        source,
        attributes: Attributes::default(),
        recursive_attributes: Attributes::default(),
        propagation: Vec::new(),
        options: Vec::new(),
    };
    if matches!(checked.kind, MountKind::Bind { .. }) && !checked.source.starts_with('/') {
        return Err(refuse(
            format_args!("{path}.source"),
            format_args!("{:?} is not an absolute path", checked.source),
        ));
    }
    if checked.kind == MountKind::FileSystem("virtiofs") && checked.source.is_empty() {
        return Err(refuse(format_args!("{path}.source"), "is the tag of a share and cannot be empty"));
    }
    for (index, option) in mount.options.iter().enumerate() {
        checked.add_option(&format!("{path}.options[{index}]"), option)?;
    }
    Ok(checked)
}

fn kind(path: &str, mount: &Mount) -> Result<MountKind> {
    let has = |name: &str| mount.options.iter().any(|option| option == name);
    let kind = mount.r#type.as_deref().unwrap_or_default();
    match kind {
        _ if has("rbind") => Ok(MountKind::Bind { recursive: true }),
        _ if has("bind") || kind == "bind" => Ok(MountKind::Bind { recursive: false }),
        "proc" => Ok(MountKind::Own("proc")),
        "cgroup" | "cgroup2" => Ok(MountKind::Own("cgroup2")),
        _ => match FILE_SYSTEMS.iter().find(|known| **known == kind) {
            Some(known) => Ok(MountKind::FileSystem(known)),
            None => Err(refuse(
                format_args!("{path}.type"),
                format_args!("file system {kind:?} is not supported by this guest"),
            )),
        },
    }
}

impl CheckedMount {
    fn add_option(&mut self, path: &str, option: &str) -> Result<()> {
        if matches!(option, "bind" | "rbind" | "defaults") {
            return Ok(());
        }
        if let Some(propagation) = propagation(option) {
            self.propagation.push(propagation);
            return Ok(());
        }
        let attribute = |name: &str| ATTRIBUTES.iter().find(|(known, ..)| *known == name);
        if let Some((_, set, clear)) = attribute(option) {
            self.attributes.add(*set, *clear);
            return Ok(());
        }
        if let Some((_, set, clear)) = option.strip_prefix('r').and_then(attribute) {
            self.recursive_attributes.add(*set, *clear);
            return Ok(());
        }
        if matches!(self.kind, MountKind::Bind { .. }) || option.is_empty() {
            return Err(refuse(path, format_args!("{option:?} is not an option of a {} mount", self.describe())));
        }
        let (key, value) = option.split_once('=').map_or((option, None), |(key, value)| (key, Some(value.to_owned())));
        if key == "source" {
            return Err(refuse(path, "the source is a field of its own"));
        }
        self.options.push((key.to_owned(), value));
        Ok(())
    }

    /// The kind of mount, for messages.
    pub fn describe(&self) -> &'static str {
        match self.kind {
            MountKind::Bind { .. } => "bind",
            MountKind::FileSystem(kind) | MountKind::Own(kind) => kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(kind: &str, options: &[&str]) -> Mount {
        Mount {
            destination: "/x".into(),
            r#type: Some(kind.into()),
            source: Some("/s".into()),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
        }
    }

    fn one(kind: &str, options: &[&str]) -> Result<CheckedMount> {
        check_mount("mounts[0]", &mount(kind, options))
    }

    #[test]
    fn options_become_attributes_and_file_system_options() {
        let tmpfs = one("tmpfs", &["nosuid", "noexec", "ro", "rw", "size=64k", "mode=1777"]).unwrap();
        assert_eq!(tmpfs.attributes, Attributes { set: NOSUID | NOEXEC, clear: RDONLY });
        assert_eq!(
            tmpfs.options,
            [("size".to_owned(), Some("64k".to_owned())), ("mode".to_owned(), Some("1777".to_owned()))]
        );
        let bind = one("none", &["rbind", "rro", "rprivate", "noatime"]).unwrap();
        assert_eq!(bind.kind, MountKind::Bind { recursive: true });
        assert_eq!(bind.recursive_attributes.set, RDONLY);
        assert_eq!(bind.propagation, [(libc::MS_PRIVATE, true)]);
        assert_eq!(bind.attributes, Attributes { set: NOATIME, clear: ATIME_MASK });
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(one("nfs", &[]).is_err());
        assert!(one("bind", &["idmap"]).is_err());
        assert!(one("tmpfs", &["source=/dev/vda"]).is_err());
        let relative = Mount { destination: "x".into(), ..mount("tmpfs", &[]) };
        assert!(check_mount("m", &relative).is_err());
        let dots = Mount { destination: "/a/../b".into(), ..mount("tmpfs", &[]) };
        assert!(check_mount("m", &dots).is_err());
    }

    #[test]
    fn mounts_beneath_proc_are_refused() {
        let proc = Mount { destination: "/proc".into(), ..mount("proc", &[]) };
        let beneath = Mount { destination: "/proc/acpi".into(), ..mount("tmpfs", &[]) };
        let beside = Mount { destination: "/process".into(), ..mount("tmpfs", &[]) };
        assert!(check("mounts", &[proc.clone(), beside]).is_ok());
        assert!(check("mounts", &[proc, beneath]).unwrap_err().message().contains("mounts[1].destination"));
    }
}
