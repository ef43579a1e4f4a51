//! The documents' types: config.json, its `process`, and its `linux.resources` (runtime-spec 1.x, camel case).

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

macro_rules! document {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $(
                $(#[$field_meta])*
                #[serde(default, deserialize_with = "null_as_default")]
                pub $field: $kind,
            )*
        }
    };
}

document! {
    /// config.json.
    Config {
        /// Version of the specification.
        oci_version: String,
        /// The container's own process.
        process: Option<Process>,
        /// The root file system; its path is given by the request.
        root: Option<Root>,
        /// Host name in the container's UTS namespace.
        hostname: Option<String>,
        /// Domain name in the container's UTS namespace.
        domainname: Option<String>,
        /// Mounts, in order.
        mounts: Vec<Mount>,
        /// What is particular to Linux.
        linux: Linux,
        /// Free metadata; it changes nothing, as the specification says.
        annotations: BTreeMap<String, String>,
        /// Not of the specification: whether the container's process runs below an init of the guest's.
        init: bool,
    }
}

document! {
    /// `root`.
    Root {
        /// Taken from the request instead.
        path: String,
        /// Whether the root is mounted read-only.
        readonly: bool,
    }
}

document! {
    /// `process`.
    Process {
        /// Whether it runs on a terminal.
        terminal: bool,
        /// The terminal's first size.
        console_size: Option<ConsoleSize>,
        /// Who runs it.
        user: User,
        /// Command and arguments.
        args: Vec<String>,
        /// Environment, NAME=value.
        env: Vec<String>,
        /// Working directory, absolute.
        cwd: String,
        /// Capability sets; none without it.
        capabilities: Option<Capabilities>,
        /// Resource limits.
        rlimits: Option<Vec<Rlimit>>,
        /// prctl(PR_SET_NO_NEW_PRIVS).
        no_new_privileges: Option<bool>,
        /// /proc/self/oom_score_adj.
        oom_score_adj: Option<i32>,
    }
}

document! {
    /// `process.consoleSize`, characters.
    ConsoleSize {
        /// Rows.
        height: u16,
        /// Columns.
        width: u16,
    }
}

document! {
    /// `process.user`.
    User {
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
        /// File mode creation mask.
        umask: Option<u32>,
        /// Supplementary groups.
        additional_gids: Vec<u32>,
        /// `USER[:GROUP]` by name or number, looked up in the container. With it, uid and gid are 0.
        username: Option<String>,
        /// Not of the specification: supplementary groups by name or number, looked up in the container.
        additional_groups: Vec<String>,
    }
}

document! {
    /// `process.capabilities`.
    Capabilities {
        /// Bounding set.
        bounding: Vec<String>,
        /// Effective set.
        effective: Vec<String>,
        /// Inheritable set.
        inheritable: Vec<String>,
        /// Permitted set.
        permitted: Vec<String>,
        /// Ambient set.
        ambient: Vec<String>,
    }
}

document! {
    /// One of `process.rlimits`.
    Rlimit {
        /// Name, RLIMIT_ and so on.
        r#type: String,
        /// Ceiling.
        hard: u64,
        /// Limit in force.
        soft: u64,
    }
}

document! {
    /// One of `mounts`.
    Mount {
        /// Where, in the container.
        destination: String,
        /// File system type.
        r#type: Option<String>,
        /// Device, path or label.
        source: Option<String>,
        /// Options.
        options: Vec<String>,
    }
}

document! {
    /// `linux`.
    Linux {
        /// Namespaces that the container has of its own.
        namespaces: Vec<Namespace>,
        /// Device nodes beyond the default ones.
        devices: Vec<Device>,
        /// Absolute path of the container's cgroup.
        cgroups_path: Option<String>,
        /// Limits.
        resources: Option<Resources>,
        /// System call filter.
        seccomp: Option<Seccomp>,
        /// Kernel parameters of the container's namespaces.
        sysctl: BTreeMap<String, String>,
        /// Paths that cannot be read.
        masked_paths: Vec<String>,
        /// Paths that cannot be written.
        readonly_paths: Vec<String>,
        /// Propagation of the root mount.
        rootfs_propagation: Option<String>,
    }
}

document! {
    /// One of `linux.namespaces`.
    Namespace {
        /// Kind of namespace.
        r#type: String,
    }
}

document! {
    /// One of `linux.devices`.
    Device {
        /// c, u, b or p.
        r#type: String,
        /// Path in the container.
        path: String,
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
        /// Permission bits.
        file_mode: Option<u32>,
        /// Owner.
        uid: Option<u32>,
        /// Group.
        gid: Option<u32>,
    }
}

document! {
    /// `linux.resources`.
    Resources {
        /// Device access rules, in order.
        devices: Option<Vec<DeviceRule>>,
        /// Memory.
        memory: Option<Memory>,
        /// CPU time.
        cpu: Option<Cpu>,
        /// Processes.
        pids: Option<Pids>,
        /// cgroup v2 files and what to write to them.
        unified: BTreeMap<String, String>,
    }
}

document! {
    /// One of `linux.resources.devices`.
    DeviceRule {
        /// Whether access is given or taken.
        allow: bool,
        /// a, c or b; all when left out.
        r#type: Option<String>,
        /// Major number; all when left out.
        major: Option<i64>,
        /// Minor number; all when left out.
        minor: Option<i64>,
        /// Any of r, w and m; all when left out.
        access: Option<String>,
    }
}

document! {
    /// `linux.resources.memory`, bytes.
    Memory {
        /// Limit; -1 for none.
        limit: Option<i64>,
        /// Protected memory; -1 for none.
        reservation: Option<i64>,
        /// Limit of memory and swap together; -1 for none.
        swap: Option<i64>,
    }
}

document! {
    /// `linux.resources.cpu`.
    Cpu {
        /// Relative weight in cgroup v1's terms (2 to 262144).
        shares: Option<u64>,
        /// Microseconds of CPU time a period; -1 for no limit.
        quota: Option<i64>,
        /// Microseconds that a burst may exceed the quota by.
        burst: Option<u64>,
        /// Microseconds.
        period: Option<u64>,
        /// CPUs that may be used, as a list.
        cpus: Option<String>,
        /// Memory nodes that may be used, as a list.
        mems: Option<String>,
        /// 1 to run only when nothing else does.
        idle: Option<i64>,
    }
}

document! {
    /// `linux.resources.pids`.
    Pids {
        /// Most processes; 0 or less for no limit.
        limit: Option<i64>,
    }
}

document! {
    /// `linux.seccomp`.
    Seccomp {
        /// Action where no rule matches.
        default_action: String,
        /// Error number of the default action.
        default_errno_ret: Option<u32>,
        /// Architectures, SCMP_ARCH_ and so on.
        architectures: Vec<String>,
        /// Filter flags, SECCOMP_FILTER_FLAG_ and so on.
        flags: Vec<String>,
        /// Rules.
        syscalls: Vec<SyscallRule>,
    }
}

document! {
    /// One of `linux.seccomp.syscalls`.
    SyscallRule {
        /// System calls by name.
        names: Vec<String>,
        /// Action.
        action: String,
        /// Error number of the action.
        errno_ret: Option<u32>,
        /// Conditions, all of which must hold.
        args: Vec<SyscallArgument>,
    }
}

document! {
    /// One of `linux.seccomp.syscalls[].args`.
    SyscallArgument {
        /// Number of the argument, 0 to 5.
        index: u32,
        /// Value to compare with; the mask of a masked comparison.
        value: u64,
        /// Value of a masked comparison.
        value_two: u64,
        /// Comparison, SCMP_CMP_ and so on.
        op: String,
    }
}
