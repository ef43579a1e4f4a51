//! `linux.seccomp` as a classic BPF program.
//!
//! The crate seccompiler cannot say what OCI profiles say: it has one action for all rules of a filter, ends processes of
//! every other architecture, and looks system calls up one after another. Here every rule keeps its action and error
//! number, all architectures of the profile share one program, and a search tree finds the rule.
//!
//! Rules of one system call are tried in the profile's order; the first whose conditions all hold decides. As with the
//! usual runtimes, a system call newer than all that the profile names fails with ENOSYS where the default action is an
//! error, so that programs fall back to older calls. Calls by the x32 convention fail with ENOSYS where the profile lists
//! x32 (the guest's kernel does not run them) and end the process where it does not, as those of any unlisted
//! architecture do.

use super::parse::refuse;
use super::spec::{Seccomp, SyscallArgument, SyscallRule};
use super::syscall_names::Architecture;
use crate::error::Result;

/// A compiled filter.
#[derive(Debug, Clone)]
pub struct Program {
    /// For SECCOMP_SET_MODE_FILTER.
    pub instructions: Vec<libc::sock_filter>,
    /// SECCOMP_FILTER_FLAG_ bits.
    pub flags: u32,
}

const RET_KILL_PROCESS: u32 = 0x8000_0000;
const RET_KILL_THREAD: u32 = 0;
const RET_TRAP: u32 = 0x0003_0000;
const RET_ERRNO: u32 = 0x0005_0000;
const RET_TRACE: u32 = 0x7ff0_0000;
const RET_LOG: u32 = 0x7ffc_0000;
const RET_ALLOW: u32 = 0x7fff_0000;
const RET_ENOSYS: u32 = RET_ERRNO | libc::ENOSYS as u32;
const LARGEST_ERRNO: u32 = 4095;
const X32_BIT: u32 = 0x4000_0000;
const LONGEST_PROGRAM: usize = 4096;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const GREATER: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
const NOT_LESS: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
const NUMBER_OFFSET: u32 = 0;
const ARCHITECTURE_OFFSET: u32 = 4;
const ARGUMENTS_OFFSET: u32 = 16;

/// Compiles a profile. `path` names the document's field in errors.
pub fn compile(path: &str, profile: &Seccomp) -> Result<Program> {
    let default = action(path, "defaultAction", &profile.default_action, profile.default_errno_ret)?;
    let architectures = Architectures::check(path, &profile.architectures)?;
    let rules = profile.syscalls.iter().enumerate();
    let rules = rules
        .map(|(index, rule)| Rule::check(&format!("{path}.syscalls[{index}]"), rule))
        .collect::<Result<Vec<_>>>()?;
    let mut code = vec![statement(LOAD, ARCHITECTURE_OFFSET)];
    for architecture in architectures.listed() {
        let section = section(architecture, &rules, default, architectures.x32);
        code.push(jump(EQUAL, architecture.token(), 1, 0));
        code.push(statement(JUMP, section.len() as u32));
        code.extend(section);
    }
    code.push(statement(RETURN, RET_KILL_PROCESS));
    if code.len() > LONGEST_PROGRAM {
        return Err(refuse(
            path,
            format_args!("compiles to {} instructions, of which the kernel takes {LONGEST_PROGRAM}", code.len()),
        ));
    }
    Ok(Program { instructions: code, flags: flags(path, &profile.flags)? })
}

fn action(path: &str, field: &str, name: &str, errno: Option<u32>) -> Result<u32> {
    let (value, takes_errno) = match name {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => (RET_KILL_THREAD, false),
        "SCMP_ACT_KILL_PROCESS" => (RET_KILL_PROCESS, false),
        "SCMP_ACT_TRAP" => (RET_TRAP, false),
        "SCMP_ACT_ERRNO" => (RET_ERRNO | errno.unwrap_or(libc::EPERM as u32), true),
        "SCMP_ACT_TRACE" => (RET_TRACE | errno.unwrap_or(libc::EPERM as u32), true),
        "SCMP_ACT_LOG" => (RET_LOG, false),
        "SCMP_ACT_ALLOW" => (RET_ALLOW, false),
        _ => {
            return Err(refuse(
                format_args!("{path}.{field}"),
                format_args!("{name:?} is not supported by this guest"),
            ));
        }
    };
    match errno {
        Some(_) if !takes_errno => {
            Err(refuse(format_args!("{path}.{field}"), format_args!("{name} takes no error number")))
        }
        Some(errno) if errno > LARGEST_ERRNO => {
            Err(refuse(format_args!("{path}.{field}"), format_args!("{errno} is not an error number")))
        }
        _ => Ok(value),
    }
}

fn flags(path: &str, names: &[String]) -> Result<u32> {
    let mut flags = 0;
    for (index, name) in names.iter().enumerate() {
        flags |= match name.as_str() {
            "SECCOMP_FILTER_FLAG_TSYNC" => libc::SECCOMP_FILTER_FLAG_TSYNC,
            "SECCOMP_FILTER_FLAG_LOG" => libc::SECCOMP_FILTER_FLAG_LOG,
            "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
            _ => {
                return Err(refuse(
                    format_args!("{path}.flags[{index}]"),
                    format_args!("{name:?} is not supported by this guest"),
                ));
            }
        } as u32;
    }
    Ok(flags)
}

/// The native architecture is always in; others when the profile lists them.
struct Architectures {
    compatible: bool,
    x32: bool,
}

impl Architectures {
    fn check(path: &str, names: &[String]) -> Result<Self> {
        const KNOWN: &[&str] =
            &["SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64"];
        if let Some(index) = names.iter().position(|name| !KNOWN.contains(&name.as_str())) {
            return Err(refuse(
                format_args!("{path}.architectures[{index}]"),
                format_args!("{:?} is not supported by this guest", names[index]),
            ));
        }
        let listed = |name: &str| names.iter().any(|listed| listed == name);
        Ok(Self { compatible: listed(Architecture::Compatible.name()), x32: listed("SCMP_ARCH_X32") })
    }

    fn listed(&self) -> impl Iterator<Item = Architecture> {
        [Some(Architecture::Native), self.compatible.then_some(Architecture::Compatible)].into_iter().flatten()
    }
}

#[derive(Debug)]
struct Rule {
    names: Vec<String>,
    action: u32,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Copy)]
struct Condition {
    argument: u32,
    comparison: Comparison,
    value: u64,
    mask: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Greater,
    NotLess,
    Less,
    NotGreater,
}

impl Rule {
    fn check(path: &str, rule: &SyscallRule) -> Result<Self> {
        if rule.names.is_empty() {
            return Err(refuse(format_args!("{path}.names"), "is empty"));
        }
        let action = action(path, "action", &rule.action, rule.errno_ret)?;
        for (index, name) in rule.names.iter().enumerate() {
            let known = [Architecture::Native, Architecture::Compatible]
                .iter()
                .any(|architecture| architecture.number(name).is_some());
            // A call that does not exist need not be allowed; but one that is to be stopped might exist.
            if !known && action != RET_ALLOW {
                return Err(refuse(
                    format_args!("{path}.names[{index}]"),
                    format_args!("{name:?} is not a known system call"),
                ));
            }
        }
        let mut conditions: Vec<Condition> = Vec::new();
        for (index, argument) in rule.args.iter().enumerate() {
            let path = format!("{path}.args[{index}]");
            let condition = Condition::check(&path, argument)?;
            if conditions.iter().any(|earlier| earlier.argument == condition.argument) {
                return Err(refuse(
                    format_args!("{path}.index"),
                    "two conditions on one argument are not supported by this guest",
                ));
            }
            conditions.push(condition);
        }
        Ok(Self { names: rule.names.clone(), action, conditions })
    }
}

impl Condition {
    fn check(path: &str, argument: &SyscallArgument) -> Result<Self> {
        if argument.index > 5 {
            return Err(refuse(format_args!("{path}.index"), "is not between 0 and 5"));
        }
        let (comparison, value, mask) = match argument.op.as_str() {
            "SCMP_CMP_EQ" => (Comparison::Equal, argument.value, u64::MAX),
            "SCMP_CMP_NE" => (Comparison::NotEqual, argument.value, u64::MAX),
            "SCMP_CMP_GT" => (Comparison::Greater, argument.value, u64::MAX),
            "SCMP_CMP_GE" => (Comparison::NotLess, argument.value, u64::MAX),
            "SCMP_CMP_LT" => (Comparison::Less, argument.value, u64::MAX),
            "SCMP_CMP_LE" => (Comparison::NotGreater, argument.value, u64::MAX),
            "SCMP_CMP_MASKED_EQ" => (Comparison::Equal, argument.value_two, argument.value),
            other => return Err(refuse(format_args!("{path}.op"), format_args!("{other:?} is not a comparison"))),
        };
        if comparison != Comparison::Equal && argument.value_two != 0 {
            return Err(refuse(format_args!("{path}.valueTwo"), format_args!("{} takes one value", argument.op)));
        }
        Ok(Self { argument: argument.index, comparison, value, mask })
    }

    /// Goes on behind its end where the condition holds; where not, its last instruction jumps to where `fail` is patched in.
    fn code(&self) -> Vec<libc::sock_filter> {
        use Target::{Fail, Next, Pass};
        let (low, high) = (self.value as u32, (self.value >> 32) as u32);
        let (high_tests, low_test) = match self.comparison {
            Comparison::Equal => (vec![(EQUAL, high, Next, Fail)], (EQUAL, low, Pass, Fail)),
            Comparison::NotEqual => (vec![(EQUAL, high, Next, Pass)], (EQUAL, low, Fail, Pass)),
            Comparison::Greater => {
                (vec![(GREATER, high, Pass, Next), (EQUAL, high, Next, Fail)], (GREATER, low, Pass, Fail))
            }
            Comparison::NotLess => {
                (vec![(GREATER, high, Pass, Next), (EQUAL, high, Next, Fail)], (NOT_LESS, low, Pass, Fail))
            }
            Comparison::Less => {
                (vec![(GREATER, high, Fail, Next), (EQUAL, high, Next, Pass)], (NOT_LESS, low, Fail, Pass))
            }
            Comparison::NotGreater => {
                (vec![(GREATER, high, Fail, Next), (EQUAL, high, Next, Pass)], (GREATER, low, Fail, Pass))
            }
        };
        let offset = ARGUMENTS_OFFSET + 8 * self.argument;
        let mut steps: Vec<Step> = load(offset + 4, (self.mask >> 32) as u32);
        steps.extend(high_tests.into_iter().map(Step::Test));
        steps.extend(load(offset, self.mask as u32));
        steps.push(Step::Test(low_test));
        let last = steps.len();
        let resolve = |at: usize, target: Target| match target {
            Next => 0,
            Fail => (last - at - 1) as u8,
            Pass => (last - at) as u8,
        };
        let mut code: Vec<libc::sock_filter> = steps
            .iter()
            .enumerate()
            .map(|(at, step)| match *step {
                Step::Statement(code, operand) => statement(code, operand),
                Step::Test((code, operand, holds, fails)) => {
                    jump(code, operand, resolve(at, holds), resolve(at, fails))
                }
            })
            .collect();
        code.push(statement(JUMP, 0));
        code
    }
}

#[derive(Debug, Clone, Copy)]
enum Target {
    Next,
    Pass,
    Fail,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Statement(u16, u32),
    Test((u16, u32, Target, Target)),
}

fn load(offset: u32, mask: u32) -> Vec<Step> {
    let mut steps = vec![Step::Statement(LOAD, offset)];
    if mask != u32::MAX {
        steps.push(Step::Statement(AND, mask));
    }
    steps
}

fn statement(code: u16, operand: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt: 0, jf: 0, k: operand }
}

fn jump(code: u16, operand: u32, holds: u8, fails: u8) -> libc::sock_filter {
    libc::sock_filter { code, jt: holds, jf: fails, k: operand }
}

/// What happens to the system calls from `first` up to the next range.
#[derive(Debug)]
struct Range {
    first: u32,
    code: Vec<libc::sock_filter>,
}

/// The program of one architecture. It begins with the architecture loaded.
fn section(architecture: Architecture, rules: &[Rule], default: u32, x32: bool) -> Vec<libc::sock_filter> {
    let mut code = vec![statement(LOAD, NUMBER_OFFSET)];
    if architecture == Architecture::Native && cfg!(target_arch = "x86_64") {
        code.push(jump(NOT_LESS, X32_BIT, 0, 1));
        code.push(statement(RETURN, if x32 { RET_ENOSYS } else { RET_KILL_PROCESS }));
    }
    let ranges = ranges(architecture, rules, default);
    code.extend(search(&ranges));
    code
}

fn ranges(architecture: Architecture, rules: &[Rule], default: u32) -> Vec<Range> {
    let mut by_number: std::collections::BTreeMap<u32, Vec<&Rule>> = std::collections::BTreeMap::new();
    for rule in rules {
        for number in rule.names.iter().filter_map(|name| architecture.number(name)) {
            by_number.entry(number).or_default().push(rule);
        }
    }
    let newest = by_number.keys().next_back().copied();
    let beyond = if default & 0xffff_0000 == RET_ERRNO && newest.is_some() { RET_ENOSYS } else { default };
    let mut ranges: Vec<Range> = Vec::new();
    let mut push = |first: u32, code: Vec<libc::sock_filter>| {
        let same = ranges
            .last()
            .is_some_and(|last: &Range| last.code.len() == 1 && code.len() == 1 && last.code[0].k == code[0].k);
        if !same {
            ranges.push(Range { first, code });
        }
    };
    let mut next = 0;
    for (number, rules) in by_number {
        if number > next {
            push(next, vec![statement(RETURN, default)]);
        }
        push(number, decide(&rules, default));
        next = number + 1;
    }
    push(next, vec![statement(RETURN, beyond)]);
    ranges
}

/// The rules of one system call, in order.
fn decide(rules: &[&Rule], default: u32) -> Vec<libc::sock_filter> {
    let mut code = Vec::new();
    for rule in rules {
        let begin = code.len();
        for condition in &rule.conditions {
            code.extend(condition.code());
        }
        code.push(statement(RETURN, rule.action));
        let end = code.len();
        for (at, instruction) in code.iter_mut().enumerate().skip(begin) {
            if instruction.code == JUMP {
                instruction.k = (end - at - 1) as u32;
            }
        }
        if rule.conditions.is_empty() {
            return code;
        }
    }
    code.push(statement(RETURN, default));
    code
}

/// A search tree over the ranges, with the system call's number loaded.
fn search(ranges: &[Range]) -> Vec<libc::sock_filter> {
    match ranges {
        [] => Vec::new(),
        [range] => range.code.clone(),
        _ => {
            let (low, high) = ranges.split_at(ranges.len() / 2);
            let low_code = search(low);
            let mut code = vec![jump(NOT_LESS, high[0].first, 0, 1), statement(JUMP, low_code.len() as u32)];
            code.extend(low_code);
            code.extend(search(high));
            code
        }
    }
}

#[cfg(test)]
mod tests;
