//! `linux.resources.devices` as a BPF program of the container's cgroup.
//!
//! The last rule that matches decides, and without one access is denied. The devices that every container has are always
//! allowed, as with the usual runtimes, and so is making device nodes, which then cannot be opened.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::parse::refuse;
use super::spec::DeviceRule;
use crate::error::{AgentError, Result};

const MKNOD: u32 = 1;
const READ: u32 = 2;
const WRITE: u32 = 4;
const ALL: u32 = MKNOD | READ | WRITE;
const BLOCK: u32 = 1;
const CHARACTER: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    allow: bool,
    kind: Option<u32>,
    major: Option<u32>,
    minor: Option<u32>,
    access: u32,
}

const fn always(kind: u32, major: Option<u32>, minor: Option<u32>, access: u32) -> Rule {
    Rule { allow: true, kind: Some(kind), major, minor, access }
}

/// null, zero, full, random, urandom, tty, console, ptmx, terminals, and making any node.
const ALWAYS: &[Rule] = &[
    always(CHARACTER, None, None, MKNOD),
    always(BLOCK, None, None, MKNOD),
    always(CHARACTER, Some(1), Some(3), ALL),
    always(CHARACTER, Some(1), Some(5), ALL),
    always(CHARACTER, Some(1), Some(7), ALL),
    always(CHARACTER, Some(1), Some(8), ALL),
    always(CHARACTER, Some(1), Some(9), ALL),
    always(CHARACTER, Some(5), Some(0), ALL),
    always(CHARACTER, Some(5), Some(1), ALL),
    always(CHARACTER, Some(5), Some(2), ALL),
    always(CHARACTER, Some(136), None, ALL),
];

/// Which devices a container may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceFilter {
    rules: Vec<Rule>,
}

impl DeviceFilter {
    /// Checks the rules. `path` names the document's field in errors.
    pub fn new(path: &str, rules: &[DeviceRule]) -> Result<Self> {
        let rules = rules.iter().enumerate().map(|(index, rule)| Rule::check(&format!("{path}[{index}]"), rule));
        let mut rules = rules.collect::<Result<Vec<_>>>()?;
        rules.extend_from_slice(ALWAYS);
        Ok(Self { rules })
    }

    fn load(&self) -> Result<OwnedFd> {
        load(&self.program()).map_err(|error| match error.raw_os_error() {
            Some(libc::ENOSYS | libc::EINVAL) => {
                AgentError::unsupported("device rules: this guest's kernel has no device filters")
            }
            _ => AgentError::system("load the device filter", error),
        })
    }

    fn program(&self) -> Vec<Instruction> {
        let mut code = vec![
            // r2 = kind, r3 = access, r4 = major, r5 = minor
            Instruction::load_word(2, 0),
            Instruction::move_register(3, 2),
            Instruction::and(2, 0xffff),
            Instruction::shift_right(3, 16),
            Instruction::load_word(4, 4),
            Instruction::load_word(5, 8),
        ];
        for rule in self.rules.iter().rev() {
            let tests = rule.tests();
            code.extend_from_slice(&tests);
            code.push(Instruction::set(0, i32::from(rule.allow)));
            code.push(Instruction::exit());
            if tests.is_empty() {
                // The kernel refuses code that is never reached.
                return code;
            }
        }
        code.push(Instruction::set(0, 0));
        code.push(Instruction::exit());
        code
    }
}

/// Loads device filters. That of a container without rules of its own is loaded when the guest boots, for the kernel's
/// checks of a program are a good part of what a container's start costs a guest that was cloned.
#[derive(Debug)]
pub struct DeviceFilters {
    usual: DeviceFilter,
    loaded: Option<OwnedFd>,
}

impl DeviceFilters {
    /// Loads the usual filter. Where that cannot be done, a container's start says why.
    pub fn load() -> Self {
        let usual = DeviceFilter { rules: ALWAYS.to_vec() };
        let loaded = usual.load().ok();
        Self { usual, loaded }
    }

    /// Puts a filter's rules in force for a cgroup.
    pub fn attach(&self, filter: &DeviceFilter, cgroup: BorrowedFd<'_>) -> Result<()> {
        let attached = match &self.loaded {
            Some(program) if *filter == self.usual => attach(program, cgroup),
            _ => attach(&filter.load()?, cgroup),
        };
        attached.map_err(|error| AgentError::system("attach the device filter", error))
    }
}

impl Rule {
    fn check(path: &str, rule: &DeviceRule) -> Result<Self> {
        let kind = match rule.r#type.as_deref() {
            None | Some("" | "a") => None,
            Some("c" | "u") => Some(CHARACTER),
            Some("b") => Some(BLOCK),
            Some(other) => return Err(refuse(format_args!("{path}.type"), format_args!("{other:?} is not a, b or c"))),
        };
        let number = |field: &str, number: Option<i64>| match number {
            None | Some(-1) => Ok(None),
            Some(number) => u32::try_from(number)
                .map(Some)
                .map_err(|_| refuse(format_args!("{path}.{field}"), "is not a device number")),
        };
        let mut access = 0;
        for letter in rule.access.as_deref().filter(|access| !access.is_empty()).unwrap_or("rwm").chars() {
            access |= match letter {
                'r' => READ,
                'w' => WRITE,
                'm' => MKNOD,
                _ => return Err(refuse(format_args!("{path}.access"), format_args!("{letter:?} is not r, w or m"))),
            };
        }
        Ok(Self {
            allow: rule.allow,
            kind,
            major: number("major", rule.major)?,
            minor: number("minor", rule.minor)?,
            access,
        })
    }

    /// Skips the rule's verdict (two instructions behind these) unless all hold. An access that is allowed in part only
    /// does not match; one that is denied in part does.
    fn tests(&self) -> Vec<Instruction> {
        let mut tests = Vec::new();
        let equal = |register: u8, value: u32| Instruction::jump_unless_equal(register, value);
        tests.extend(self.kind.map(|kind| equal(2, kind)));
        if self.access != ALL {
            tests.push(Instruction::move_register(1, 3));
            if self.allow {
                tests.push(Instruction::and(1, !self.access & ALL));
                tests.push(Instruction::jump_unless_equal(1, 0));
            } else {
                tests.push(Instruction::and(1, self.access));
                tests.push(Instruction::jump_if_equal(1, 0));
            }
        }
        tests.extend(self.major.map(|major| equal(4, major)));
        tests.extend(self.minor.map(|minor| equal(5, minor)));
        let end = tests.len() + 2;
        for (at, test) in tests.iter_mut().enumerate().filter(|(_, test)| test.is_jump()) {
            test.offset = (end - at - 1) as i16;
        }
        tests
    }
}

/// An eBPF instruction (bpf(2), struct bpf_insn).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    operand: i32,
}

impl Instruction {
    const LOAD_WORD: u8 = 0x61;
    const MOVE_REGISTER: u8 = 0xbc;
    const AND: u8 = 0x54;
    const SHIFT_RIGHT: u8 = 0x74;
    const SET: u8 = 0xb4;
    const JUMP_IF_EQUAL: u8 = 0x16;
    const JUMP_UNLESS_EQUAL: u8 = 0x56;
    const EXIT: u8 = 0x95;

    const fn new(code: u8, registers: u8, offset: i16, operand: i32) -> Self {
        Self { code, registers, offset, operand }
    }

    const fn load_word(to: u8, offset: i16) -> Self {
        Self::new(Self::LOAD_WORD, to | 1 << 4, offset, 0)
    }

    const fn move_register(to: u8, from: u8) -> Self {
        Self::new(Self::MOVE_REGISTER, to | from << 4, 0, 0)
    }

    const fn and(register: u8, mask: u32) -> Self {
        Self::new(Self::AND, register, 0, mask as i32)
    }

    const fn shift_right(register: u8, bits: i32) -> Self {
        Self::new(Self::SHIFT_RIGHT, register, 0, bits)
    }

    const fn set(register: u8, value: i32) -> Self {
        Self::new(Self::SET, register, 0, value)
    }

    const fn jump_if_equal(register: u8, value: u32) -> Self {
        Self::new(Self::JUMP_IF_EQUAL, register, 0, value as i32)
    }

    const fn jump_unless_equal(register: u8, value: u32) -> Self {
        Self::new(Self::JUMP_UNLESS_EQUAL, register, 0, value as i32)
    }

    const fn exit() -> Self {
        Self::new(Self::EXIT, 0, 0, 0)
    }

    const fn is_jump(self) -> bool {
        matches!(self.code, Self::JUMP_IF_EQUAL | Self::JUMP_UNLESS_EQUAL)
    }
}

const BPF_PROG_LOAD: i32 = 5;
const BPF_PROG_ATTACH: i32 = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
/// The workload's own cgroups may have filters of theirs, which then hold as well.
const BPF_F_ALLOW_MULTI: u32 = 2;

fn load(code: &[Instruction]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attributes {
        kind: u32,
        count: u32,
        instructions: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log: u64,
        kernel_version: u32,
        flags: u32,
    }
    let attributes = Attributes {
        kind: BPF_PROG_TYPE_CGROUP_DEVICE,
        count: code.len() as u32,
        instructions: code.as_ptr() as u64,
        license: c"MIT".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
    };
    // SAFETY: the attributes, the instructions and the licence outlive the call, and their true sizes are given.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const attributes, size_of::<Attributes>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

fn attach(program: &OwnedFd, cgroup: BorrowedFd<'_>) -> io::Result<()> {
    #[repr(C)]
    struct Attributes {
        target: u32,
        program: u32,
        kind: u32,
        flags: u32,
    }
    let attributes = Attributes {
        target: cgroup.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        kind: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI,
    };
    // SAFETY: the attributes outlive the call and their true size is given.
    let attached =
        unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_ATTACH, &raw const attributes, size_of::<Attributes>()) };
    if attached == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a program as the kernel does.
    fn allowed(filter: &DeviceFilter, kind: u32, access: u32, major: u32, minor: u32) -> bool {
        let program = filter.program();
        let mut registers = [0u32; 11];
        let mut at = 0;
        loop {
            let instruction = program[at];
            let (to, from) = (usize::from(instruction.registers & 15), usize::from(instruction.registers >> 4));
            let operand = instruction.operand as u32;
            at += 1;
            match instruction.code {
                Instruction::LOAD_WORD => {
                    registers[to] = [access << 16 | kind, major, minor][instruction.offset as usize / 4]
                }
                Instruction::MOVE_REGISTER => registers[to] = registers[from],
                Instruction::AND => registers[to] &= operand,
                Instruction::SHIFT_RIGHT => registers[to] >>= operand,
                Instruction::SET => registers[to] = operand,
                Instruction::JUMP_IF_EQUAL if registers[to] == operand => at += instruction.offset as usize,
                Instruction::JUMP_UNLESS_EQUAL if registers[to] != operand => at += instruction.offset as usize,
                Instruction::JUMP_IF_EQUAL | Instruction::JUMP_UNLESS_EQUAL => {}
                Instruction::EXIT => return registers[0] == 1,
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    fn rule(
        allow: bool,
        kind: Option<&str>,
        major: Option<i64>,
        minor: Option<i64>,
        access: Option<&str>,
    ) -> DeviceRule {
        DeviceRule { allow, r#type: kind.map(str::to_owned), major, minor, access: access.map(str::to_owned) }
    }

    fn filter(rules: &[DeviceRule]) -> DeviceFilter {
        DeviceFilter::new("devices", rules).unwrap()
    }

    #[test]
    fn without_rules_only_the_usual_devices_can_be_used() {
        let filter = filter(&[]);
        assert!(allowed(&filter, CHARACTER, READ | WRITE, 1, 3));
        assert!(allowed(&filter, CHARACTER, READ, 136, 7));
        assert!(allowed(&filter, BLOCK, MKNOD, 254, 0));
        assert!(!allowed(&filter, BLOCK, READ, 254, 0));
        assert!(!allowed(&filter, CHARACTER, READ, 1, 1));
    }

    #[test]
    fn the_last_rule_that_matches_decides() {
        let filter = filter(&[
            rule(false, None, None, None, None),
            rule(true, Some("c"), Some(10), Some(229), Some("rw")),
            rule(true, Some("b"), Some(8), None, Some("r")),
            rule(false, Some("b"), Some(8), Some(1), Some("r")),
        ]);
        assert!(allowed(&filter, CHARACTER, READ | WRITE, 10, 229));
        assert!(!allowed(&filter, CHARACTER, READ, 10, 200));
        assert!(allowed(&filter, BLOCK, READ, 8, 0));
        assert!(!allowed(&filter, BLOCK, READ | WRITE, 8, 0));
        assert!(!allowed(&filter, BLOCK, READ, 8, 1));
    }

    #[test]
    fn a_privileged_container_may_use_everything() {
        let filter = filter(&[rule(true, Some("a"), Some(-1), Some(-1), Some("rwm"))]);
        assert!(allowed(&filter, BLOCK, ALL, 254, 0));
        assert!(filter.program().ends_with(&[Instruction::set(0, 1), Instruction::exit()]));
    }

    #[test]
    fn rules_that_say_nothing_known_are_refused() {
        for wrong in [
            rule(true, Some("x"), None, None, None),
            rule(true, None, Some(-2), None, None),
            rule(true, None, None, None, Some("x")),
        ] {
            assert!(DeviceFilter::new("d", std::slice::from_ref(&wrong)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_kernel_accepts_the_program() {
        let rules = [
            rule(false, None, None, None, None),
            rule(true, Some("b"), Some(8), None, Some("r")),
            rule(false, Some("c"), None, Some(1), Some("w")),
        ];
        match load(&filter(&rules).program()) {
            // Not allowed to, or no such kernel: the VM tests show it.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOSYS)) => {}
            loaded => assert!(loaded.is_ok(), "{loaded:?}"),
        }
    }
}
