//! System call numbers by name, for the guest's architecture and the 32-bit one that its kernel may run as well.

use std::collections::HashMap;
use std::sync::LazyLock;

/// An architecture as seccomp sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// The guest's own.
    Native,
    /// The 32-bit one of the same family.
    Compatible,
}

#[cfg(target_arch = "x86_64")]
mod tables {
    pub(super) use syscalls::x86::Sysno as Compatible;
    pub(super) use syscalls::x86_64::Sysno as Native;
    pub(super) const NATIVE_TOKEN: u32 = 0xC000_003E;
    pub(super) const COMPATIBLE_TOKEN: u32 = 0x4000_0003;
    pub(super) const NATIVE_NAME: &str = "SCMP_ARCH_X86_64";
    pub(super) const COMPATIBLE_NAME: &str = "SCMP_ARCH_X86";
}

#[cfg(target_arch = "aarch64")]
mod tables {
    pub(super) use syscalls::aarch64::Sysno as Native;
    pub(super) use syscalls::arm::Sysno as Compatible;
    pub(super) const NATIVE_TOKEN: u32 = 0xC000_00B7;
    pub(super) const COMPATIBLE_TOKEN: u32 = 0x4000_0028;
    pub(super) const NATIVE_NAME: &str = "SCMP_ARCH_AARCH64";
    pub(super) const COMPATIBLE_NAME: &str = "SCMP_ARCH_ARM";
}

// The crate compares a name with one after another: for a profile of some hundred names that is most of a start's time.
static NATIVE: LazyLock<HashMap<&'static str, u32>> =
    LazyLock::new(|| tables::Native::iter().map(|call| (call.name(), call.id() as u32)).collect());
static COMPATIBLE: LazyLock<HashMap<&'static str, u32>> =
    LazyLock::new(|| tables::Compatible::iter().map(|call| (call.name(), call.id() as u32)).collect());

impl Architecture {
    /// AUDIT_ARCH_ number.
    pub fn token(self) -> u32 {
        match self {
            Self::Native => tables::NATIVE_TOKEN,
            Self::Compatible => tables::COMPATIBLE_TOKEN,
        }
    }

    /// SCMP_ARCH_ name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => tables::NATIVE_NAME,
            Self::Compatible => tables::COMPATIBLE_NAME,
        }
    }

    /// Number of a system call.
    pub fn number(self, name: &str) -> Option<u32> {
        let numbers = match self {
            Self::Native => &NATIVE,
            Self::Compatible => &COMPATIBLE,
        };
        numbers.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_architecture() {
        assert_eq!(Architecture::Native.number("write").map(i64::from), Some(libc::SYS_write));
        assert_eq!(Architecture::Native.number("clone3").map(i64::from), Some(libc::SYS_clone3));
        assert_eq!(Architecture::Compatible.number("write"), Some(4));
        assert_eq!(Architecture::Native.number("no_such_call"), None);
    }
}
