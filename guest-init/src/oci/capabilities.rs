//! `process.capabilities`.

use std::str::FromStr;

use caps::Capability;

use super::parse::refuse;
use super::spec::Capabilities;
use crate::error::Result;

/// Capability sets as bit masks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapabilitySets {
    /// Bounding set.
    pub bounding: u64,
    /// Effective set.
    pub effective: u64,
    /// Inheritable set.
    pub inheritable: u64,
    /// Permitted set.
    pub permitted: u64,
    /// Ambient set.
    pub ambient: u64,
}

/// Checks names and that the kernel will take the sets. `path` names the document's field in errors.
pub fn check(path: &str, capabilities: &Capabilities) -> Result<CapabilitySets> {
    let sets = CapabilitySets {
        bounding: mask(path, "bounding", &capabilities.bounding)?,
        effective: mask(path, "effective", &capabilities.effective)?,
        inheritable: mask(path, "inheritable", &capabilities.inheritable)?,
        permitted: mask(path, "permitted", &capabilities.permitted)?,
        ambient: mask(path, "ambient", &capabilities.ambient)?,
    };
    if sets.effective & !sets.permitted != 0 {
        return Err(refuse(format_args!("{path}.effective"), "holds capabilities that are not permitted"));
    }
    if sets.ambient & !(sets.permitted & sets.inheritable) != 0 {
        return Err(refuse(
            format_args!("{path}.ambient"),
            "holds capabilities that are not both permitted and inheritable",
        ));
    }
    if sets.inheritable & !sets.bounding != 0 {
        return Err(refuse(format_args!("{path}.inheritable"), "holds capabilities that are not in the bounding set"));
    }
    Ok(sets)
}

fn mask(path: &str, set: &str, names: &[String]) -> Result<u64> {
    let mut mask = 0;
    for (index, name) in names.iter().enumerate() {
        let capability = Capability::from_str(name)
            .map_err(|_| refuse(format_args!("{path}.{set}[{index}]"), format_args!("{name:?} is not a capability")))?;
        mask |= 1 << capability.index();
    }
    Ok(mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn names_become_masks() {
        let capabilities = Capabilities { bounding: names(&["CAP_CHOWN", "CAP_SYS_ADMIN"]), ..Capabilities::default() };
        assert_eq!(check("c", &capabilities).map(|sets| sets.bounding), Ok(1 | 1 << 21));
    }

    #[test]
    fn sets_that_the_kernel_would_not_take_are_refused() {
        let all = names(&["CAP_KILL"]);
        for wrong in [
            Capabilities { effective: all.clone(), ..Capabilities::default() },
            Capabilities { ambient: all.clone(), permitted: all.clone(), ..Capabilities::default() },
            Capabilities { inheritable: all.clone(), ..Capabilities::default() },
            Capabilities { bounding: names(&["CAP_NOPE"]), ..Capabilities::default() },
        ] {
            assert!(check("c", &wrong).is_err(), "{wrong:?}");
        }
    }
}
