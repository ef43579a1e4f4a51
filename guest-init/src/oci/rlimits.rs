//! `process.rlimits`.

use super::parse::refuse;
use super::spec::Rlimit;
use crate::error::Result;

/// A resource limit as prlimit(2) takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceLimit {
    /// RLIMIT_ number.
    pub resource: libc::c_int,
    /// Limit in force.
    pub soft: u64,
    /// Ceiling.
    pub hard: u64,
}

const NAMES: &[(&str, libc::__rlimit_resource_t)] = &[
    ("RLIMIT_CPU", libc::RLIMIT_CPU),
    ("RLIMIT_FSIZE", libc::RLIMIT_FSIZE),
    ("RLIMIT_DATA", libc::RLIMIT_DATA),
    ("RLIMIT_STACK", libc::RLIMIT_STACK),
    ("RLIMIT_CORE", libc::RLIMIT_CORE),
    ("RLIMIT_RSS", libc::RLIMIT_RSS),
    ("RLIMIT_NPROC", libc::RLIMIT_NPROC),
    ("RLIMIT_NOFILE", libc::RLIMIT_NOFILE),
    ("RLIMIT_MEMLOCK", libc::RLIMIT_MEMLOCK),
    ("RLIMIT_AS", libc::RLIMIT_AS),
    ("RLIMIT_LOCKS", libc::RLIMIT_LOCKS),
    ("RLIMIT_SIGPENDING", libc::RLIMIT_SIGPENDING),
    ("RLIMIT_MSGQUEUE", libc::RLIMIT_MSGQUEUE),
    ("RLIMIT_NICE", libc::RLIMIT_NICE),
    ("RLIMIT_RTPRIO", libc::RLIMIT_RTPRIO),
    ("RLIMIT_RTTIME", libc::RLIMIT_RTTIME),
];

/// Checks the limits. `path` names the document's field in errors.
pub fn check(path: &str, rlimits: &[Rlimit]) -> Result<Vec<ResourceLimit>> {
    let mut checked: Vec<ResourceLimit> = Vec::with_capacity(rlimits.len());
    for (index, rlimit) in rlimits.iter().enumerate() {
        let name = &rlimit.r#type;
        let Some((_, resource)) = NAMES.iter().find(|(known, _)| known == name) else {
            return Err(refuse(format_args!("{path}[{index}].type"), format_args!("{name:?} is not a resource limit")));
        };
        if rlimit.soft > rlimit.hard {
            return Err(refuse(format_args!("{path}[{index}].soft"), "is above the hard limit"));
        }
        let resource = *resource as libc::c_int;
        if checked.iter().any(|earlier| earlier.resource == resource) {
            return Err(refuse(format_args!("{path}[{index}].type"), format_args!("{name} is given twice")));
        }
        checked.push(ResourceLimit { resource, soft: rlimit.soft, hard: rlimit.hard });
    }
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(name: &str, soft: u64, hard: u64) -> Rlimit {
        Rlimit { r#type: name.into(), soft, hard }
    }

    #[test]
    fn limits_are_checked_by_name_and_order() {
        assert_eq!(check("p", &[limit("RLIMIT_NOFILE", 1, 2)]).map(|limits| limits.len()), Ok(1));
        assert!(check("p", &[limit("RLIMIT_NOPE", 1, 2)]).is_err());
        assert!(check("p", &[limit("RLIMIT_CPU", 3, 2)]).is_err());
        assert!(check("p", &[limit("RLIMIT_CPU", 1, 2), limit("RLIMIT_CPU", 1, 2)]).is_err());
    }
}
