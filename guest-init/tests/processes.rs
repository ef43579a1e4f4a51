//! Starting and reaping real processes, outside a guest. Must run as root, as everything that makes containers.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use guest_init::error::AgentError;
use guest_init::oci::spec;
use guest_init::oci::user::Identity;
use guest_init::process::plan::{Confinement, ProcessPlan};
use guest_init::process::reaper::{ChildExit, Reaper, Registry};
use guest_init::process::spawn::{Entry, Place, spawn};
use rustix::pipe::{PipeFlags, pipe_with};

type Case = (&'static str, fn(&Registry, &tokio::runtime::Runtime));

const CASES: &[Case] = &[
    ("a_process_gets_its_streams_arguments_environment_and_directory", runs),
    ("statuses_tell_codes_and_signals", statuses),
    ("what_cannot_be_executed_is_told_exactly", failures),
    ("no_descriptor_of_the_parent_reaches_the_program", descriptors),
    ("a_storm_of_processes_and_orphans_loses_no_status", storm),
    ("a_child_with_memory_of_its_own_starts_as_one_that_shares_it", own_memory),
];

fn main() {
    let reaper = Reaper::new().unwrap();
    // SAFETY: no pointers. Orphans come to this process, as they do to PID 1.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }, 0);
    let registry = reaper.registry();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.spawn(reaper.run());
    println!("\nrunning {} tests", CASES.len());
    for (name, case) in CASES {
        case(&registry, &runtime);
        println!("test {name} ... ok");
    }
    println!("\ntest result: ok. {} passed; 0 failed; 0 ignored; 0 measured; 0 filtered out", CASES.len());
}

fn plan(args: &[&str], change: impl FnOnce(&mut spec::Process)) -> Arc<ProcessPlan> {
    let mut process = spec::Process {
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: vec!["PATH=/usr/bin:/bin".to_owned()],
        cwd: "/".to_owned(),
        ..spec::Process::default()
    };
    change(&mut process);
    let confinement = Confinement::of_container("process", &process, None).unwrap();
    Arc::new(ProcessPlan::new("process", &process, Identity::default(), confinement).unwrap())
}

async fn start(plan: &Arc<ProcessPlan>, registry: &Registry) -> Result<(ChildExit, String), AgentError> {
    let null: OwnedFd = File::open("/dev/null").unwrap().into();
    let (output, end) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let place = Place { cgroup: None, entry: Entry::Guest, stdio: [null.as_fd(), end.as_fd(), end.as_fd()] };
    let spawned = spawn(plan, &place, registry)?;
    drop(end);
    let executed = spawned.executed().await?;
    let read = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        File::from(output).read_to_string(&mut text).map(|_| text)
    });
    let exit = executed.exit.await.unwrap();
    Ok((exit, read.await.unwrap().unwrap()))
}

fn runs(registry: &Registry, runtime: &tokio::runtime::Runtime) {
    let plan = plan(&["sh", "-c", "echo $0 $1 $A; pwd; umask; cat; exit 3", "zero", "one"], |process| {
        process.env.push("A=b".to_owned());
        process.cwd = "/usr".to_owned();
        process.user.umask = Some(0o077);
    });
    let (exit, output) = runtime.block_on(start(&plan, registry)).unwrap();
    assert_eq!((exit.code, output.as_str()), (3, "zero one b\n/usr\n0077\n"));
}

fn statuses(registry: &Registry, runtime: &tokio::runtime::Runtime) {
    for (script, code, signal) in
        [("exit 0", 0, 0), ("exit 255", 255, 0), ("kill -TERM $$", 143, 15), ("kill -KILL $$", 137, 9)]
    {
        let (exit, _) = runtime.block_on(start(&plan(&["sh", "-c", script], |_| {}), registry)).unwrap();
        assert_eq!((exit.code, exit.signal), (code, signal), "{script}");
    }
}

fn failures(registry: &Registry, runtime: &tokio::runtime::Runtime) {
    let directory = std::env::temp_dir().join(format!("a3s-spawn-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = |name: &str, content: &str, mode: u32| {
        let path = directory.join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let plain = file("plain", "#!/bin/sh\n", 0o644);
    let garbage = file("garbage", "garbage", 0o755);
    let orphan = file("orphan", "#!/no/such/interpreter\n", 0o755);
    for (command, code, words) in [
        ("no-such-command", "COMMAND_NOT_FOUND", "not found in $PATH"),
        ("/no/such/command", "COMMAND_NOT_FOUND", "no such file"),
        (orphan.as_str(), "COMMAND_NOT_FOUND", "load"),
        (plain.as_str(), "COMMAND_NOT_EXECUTABLE", "ermission denied"),
        (garbage.as_str(), "COMMAND_NOT_EXECUTABLE", "format"),
        ("/usr", "COMMAND_NOT_EXECUTABLE", "directory"),
    ] {
        let error = runtime.block_on(start(&plan(&[command], |_| {}), registry)).unwrap_err();
        assert_eq!(error.code(), code, "{command}: {error}");
        assert!(error.message().contains(words), "{command}: {error}");
    }
    let error =
        runtime.block_on(start(&plan(&["true"], |process| process.cwd = "/no/such".to_owned()), registry)).unwrap_err();
    assert_eq!(error.code(), "INVALID_ARGUMENT", "{error}");
    std::fs::remove_dir_all(&directory).unwrap();
}

fn descriptors(registry: &Registry, runtime: &tokio::runtime::Runtime) {
    // Without close-on-exec, as a careless library might open it.
    let leak = rustix::fs::open("/etc/passwd", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
    let script = "for fd in /proc/$$/fd/*; do readlink $fd; done";
    let (_, output) = runtime.block_on(start(&plan(&["sh", "-c", script], |_| {}), registry)).unwrap();
    drop(leak);
    let targets: Vec<&str> = output.lines().collect();
    assert_eq!(targets.len(), 3, "{targets:?}");
    assert!(!output.contains("passwd"), "{targets:?}");
}

fn storm(registry: &Registry, runtime: &tokio::runtime::Runtime) {
    const COUNT: u32 = 200;
    runtime.block_on(async {
        let mut running = Vec::new();
        for code in 0..COUNT {
            let registry = registry.clone();
            // Orphans with statuses of their own come to this process, too.
            let script = format!("(exit 99) & (sh -c 'exit 98' &) ; exit {}", code % 97);
            running.push(tokio::spawn(async move { start(&plan(&["sh", "-c", &script], |_| {}), &registry).await }));
        }
        for (code, process) in running.into_iter().enumerate() {
            let (exit, _) = process.await.unwrap().unwrap();
            assert_eq!(exit.code, code as u32 % 97);
        }
    });
}

fn own_memory(registry: &Registry, runtime: &tokio::runtime::Runtime) {
    let plan = plan(&["cat", "/proc/self/oom_score_adj"], |process| process.oom_score_adj = Some(321));
    let (exit, output) = runtime.block_on(start(&plan, registry)).unwrap();
    assert_eq!((exit.code, output.as_str()), (0, "321\n"));
}
