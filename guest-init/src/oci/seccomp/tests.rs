//! Programs are run as the kernel runs them.

use super::*;
use proptest::prelude::*;

/// Runs a program as the kernel does.
fn run(program: &Program, architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
    let mut data = [0u32; 16];
    data[0] = number;
    data[1] = architecture;
    for (index, argument) in arguments.iter().enumerate() {
        data[4 + 2 * index] = *argument as u32;
        data[5 + 2 * index] = (*argument >> 32) as u32;
    }
    let (mut at, mut accumulator) = (0usize, 0u32);
    loop {
        let libc::sock_filter { code, jt, jf, k } = program.instructions[at];
        at += 1;
        let mut branch = |holds: bool| at += usize::from(if holds { jt } else { jf });
        match code {
            LOAD => accumulator = data[k as usize / 4],
            AND => accumulator &= k,
            JUMP => at += k as usize,
            EQUAL => branch(accumulator == k),
            GREATER => branch(accumulator > k),
            NOT_LESS => branch(accumulator >= k),
            RETURN => return k,
            other => panic!("instruction {other:#x}"),
        }
    }
}

fn rule(names: &[&str], action: &str, args: &[(u32, &str, u64, u64)]) -> SyscallRule {
    SyscallRule {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        action: action.to_owned(),
        errno_ret: None,
        args: args
            .iter()
            .map(|(index, op, value, value_two)| SyscallArgument {
                index: *index,
                op: (*op).to_owned(),
                value: *value,
                value_two: *value_two,
            })
            .collect(),
    }
}

fn profile(default: &str, syscalls: Vec<SyscallRule>) -> Seccomp {
    Seccomp { default_action: default.to_owned(), syscalls, ..Seccomp::default() }
}

fn native(name: &str) -> u32 {
    Architecture::Native.number(name).unwrap()
}

fn answer(profile: &Seccomp, name: &str, arguments: [u64; 6]) -> u32 {
    run(&compile("seccomp", profile).unwrap(), Architecture::Native.token(), native(name), arguments)
}

#[test]
fn a_profile_in_the_usual_form_decides_as_it_says() {
    let mut clone3 = rule(&["clone3"], "SCMP_ACT_ERRNO", &[]);
    clone3.errno_ret = Some(38);
    let profile = profile(
        "SCMP_ACT_ERRNO",
        vec![
            rule(&["read", "write", "openat2", "cachestat"], "SCMP_ACT_ALLOW", &[]),
            rule(&["personality"], "SCMP_ACT_ALLOW", &[(0, "SCMP_CMP_EQ", 0, 0)]),
            rule(&["personality"], "SCMP_ACT_ALLOW", &[(0, "SCMP_CMP_EQ", 0xffff_ffff, 0)]),
            rule(&["clone"], "SCMP_ACT_ALLOW", &[(0, "SCMP_CMP_MASKED_EQ", 2_114_060_288, 0)]),
            rule(&["socket"], "SCMP_ACT_ALLOW", &[(0, "SCMP_CMP_NE", 40, 0)]),
            clone3,
        ],
    );
    let denied = RET_ERRNO | 1;
    for (name, first, expected) in [
        ("read", 0, RET_ALLOW),
        ("mount", 0, denied),
        ("personality", 0, RET_ALLOW),
        ("personality", 0xffff_ffff, RET_ALLOW),
        ("personality", 8, denied),
        ("clone", 0x11, RET_ALLOW),
        ("clone", 0x1000_0000, denied),
        ("socket", 1, RET_ALLOW),
        ("socket", 40, denied),
        ("socket", 40 | 1 << 40, RET_ALLOW),
        ("clone3", 0, RET_ENOSYS),
    ] {
        assert_eq!(answer(&profile, name, [first, 0, 0, 0, 0, 0]), expected, "{name} {first:#x}");
    }
}

#[test]
fn calls_newer_than_the_profile_do_not_exist() {
    let errno =
        compile("s", &profile("SCMP_ACT_ERRNO", vec![rule(&["read", "openat2"], "SCMP_ACT_ALLOW", &[])])).unwrap();
    assert_eq!(run(&errno, Architecture::Native.token(), native("openat2") + 1, [0; 6]), RET_ENOSYS);
    let kill = compile("s", &profile("SCMP_ACT_KILL_PROCESS", vec![rule(&["read"], "SCMP_ACT_ALLOW", &[])])).unwrap();
    assert_eq!(run(&kill, Architecture::Native.token(), 4000, [0; 6]), RET_KILL_PROCESS);
}

#[test]
fn other_architectures_are_stopped_unless_listed() {
    let mut listed = profile("SCMP_ACT_ERRNO", vec![rule(&["write"], "SCMP_ACT_ALLOW", &[])]);
    let number = Architecture::Compatible.number("write").unwrap();
    let alone = compile("s", &listed).unwrap();
    assert_eq!(run(&alone, Architecture::Compatible.token(), number, [0; 6]), RET_KILL_PROCESS);
    assert_eq!(run(&alone, 0x1234, 0, [0; 6]), RET_KILL_PROCESS);
    listed.architectures = vec![Architecture::Compatible.name().to_owned()];
    let both = compile("s", &listed).unwrap();
    assert_eq!(run(&both, Architecture::Compatible.token(), number, [0; 6]), RET_ALLOW);
    assert_eq!(run(&both, Architecture::Native.token(), native("write"), [0; 6]), RET_ALLOW);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn x32_calls_are_never_allowed() {
    let mut profile = profile("SCMP_ACT_ALLOW", vec![]);
    let write = native("write") | X32_BIT;
    assert_eq!(run(&compile("s", &profile).unwrap(), Architecture::Native.token(), write, [0; 6]), RET_KILL_PROCESS);
    profile.architectures = vec!["SCMP_ARCH_X32".to_owned()];
    assert_eq!(run(&compile("s", &profile).unwrap(), Architecture::Native.token(), write, [0; 6]), RET_ENOSYS);
}

#[test]
fn what_cannot_be_compiled_is_refused_by_its_path() {
    let with = |change: &dyn Fn(&mut Seccomp)| {
        let mut profile =
            profile("SCMP_ACT_ERRNO", vec![rule(&["read"], "SCMP_ACT_ALLOW", &[(0, "SCMP_CMP_EQ", 1, 0)])]);
        change(&mut profile);
        compile("seccomp", &profile).map(|_| ()).unwrap_err().message().to_owned()
    };
    type Change = Box<dyn Fn(&mut Seccomp)>;
    let cases: Vec<(&str, Change)> = vec![
        ("seccomp.defaultAction", Box::new(|p| p.default_action = "SCMP_ACT_NOTIFY".into())),
        ("seccomp.architectures[0]", Box::new(|p| p.architectures = vec!["SCMP_ARCH_S390X".into()])),
        ("seccomp.flags[0]", Box::new(|p| p.flags = vec!["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV".into()])),
        ("seccomp.syscalls[0].names", Box::new(|p| p.syscalls[0].names.clear())),
        ("seccomp.syscalls[0].action", Box::new(|p| p.syscalls[0].errno_ret = Some(1))),
        ("seccomp.syscalls[0].args[0].index", Box::new(|p| p.syscalls[0].args[0].index = 6)),
        ("seccomp.syscalls[0].args[0].op", Box::new(|p| p.syscalls[0].args[0].op = "SCMP_CMP_X".into())),
        (
            "seccomp.syscalls[0].args[1].index",
            Box::new(|p| {
                let arg = p.syscalls[0].args[0].clone();
                p.syscalls[0].args.push(arg)
            }),
        ),
        ("seccomp.syscalls[1].names[0]", Box::new(|p| p.syscalls.push(rule(&["no_such_call"], "SCMP_ACT_KILL", &[])))),
    ];
    for (path, change) in cases {
        let message = with(&*change);
        assert!(message.starts_with(path), "{path}: {message}");
    }
    assert!(compile("s", &profile("SCMP_ACT_ERRNO", vec![rule(&["no_such_call"], "SCMP_ACT_ALLOW", &[])])).is_ok());
}

const OPERATORS: [&str; 7] =
    ["SCMP_CMP_EQ", "SCMP_CMP_NE", "SCMP_CMP_GT", "SCMP_CMP_GE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_MASKED_EQ"];
const NAMES: [&str; 8] = ["read", "write", "open", "close", "mmap", "clone", "ioctl", "prctl"];

fn interesting() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0u64..4,
        (0u64..4).prop_map(|high| high << 32),
        Just(u64::MAX),
        (0u64..4, 0u64..4).prop_map(|(high, low)| high << 32 | low)
    ]
}

fn holds(argument: &SyscallArgument, arguments: [u64; 6]) -> bool {
    let actual = arguments[argument.index as usize];
    match argument.op.as_str() {
        "SCMP_CMP_EQ" => actual == argument.value,
        "SCMP_CMP_NE" => actual != argument.value,
        "SCMP_CMP_GT" => actual > argument.value,
        "SCMP_CMP_GE" => actual >= argument.value,
        "SCMP_CMP_LT" => actual < argument.value,
        "SCMP_CMP_LE" => actual <= argument.value,
        _ => actual & argument.value == argument.value_two,
    }
}

proptest! {
    #[test]
    fn any_profile_decides_as_its_rules_read(
        rules in proptest::collection::vec((0usize..8, 0usize..8, proptest::collection::btree_map(0u32..6, (0usize..7, interesting(), interesting()), 0..4)), 0..12),
        calls in proptest::collection::vec((0usize..8, [interesting(), interesting(), interesting(), interesting(), interesting(), interesting()]), 1..20),
    ) {
        const ACTIONS: [(&str, u32); 4] = [("SCMP_ACT_ALLOW", RET_ALLOW), ("SCMP_ACT_LOG", RET_LOG), ("SCMP_ACT_TRAP", RET_TRAP), ("SCMP_ACT_ERRNO", RET_ERRNO | 1)];
        let rules: Vec<(SyscallRule, u32)> = rules.into_iter().map(|(name, action, args)| {
            let args: Vec<_> = args.into_iter().map(|(index, (op, value, two))| (index, OPERATORS[op], value, if op == 6 { two & value } else { 0 })).collect();
            (rule(&[NAMES[name]], ACTIONS[action % 4].0, &args), ACTIONS[action % 4].1)
        }).collect();
        let profile = profile("SCMP_ACT_KILL_PROCESS", rules.iter().map(|(rule, _)| rule.clone()).collect());
        for (name, arguments) in calls {
            let matching = rules.iter().find(|(rule, _)| rule.names[0] == NAMES[name] && rule.args.iter().all(|arg| holds(arg, arguments)));
            let expected = matching.map_or(RET_KILL_PROCESS, |(_, value)| *value);
            prop_assert_eq!(answer(&profile, NAMES[name], arguments), expected);
        }
    }
}
