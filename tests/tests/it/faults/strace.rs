//! The binary under strace, which kills it at a system call or lets the call fail.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use dos_tests::{Output, Running, TestEnv};

use crate::skipped;

/// One call of one run: its name, and the how-manieth of that name it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    pub call: String,
    pub number: usize,
}

/// Is strace there, and may it trace? Says so loudly if not.
pub fn works() -> bool {
    let mut probe = Command::new("strace");
    probe.args(["-f", "-qq", "-o", "/dev/null", "true"]);
    let works = probe.output().is_ok_and(|output| output.status.success());
    if !works {
        skipped("faults at system calls, for lack of a strace that may trace");
    }
    works
}

/// Calls that touch no file: memory, signals, the process itself.
const ELSEWHERE: [&str; 22] = [
    "access",
    "arch_prctl",
    "brk",
    "clock_gettime",
    "clock_nanosleep",
    "execve",
    "exit_group",
    "getpid",
    "getrandom",
    "gettid",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "poll",
    "prlimit64",
    "rseq",
    "rt_sigaction",
    "sched_getaffinity",
    "sigaltstack",
    "uname",
    "exit",
];

/// Every call of a run that could matter to a file, from where the binary first looks at the
/// workspace; the run itself is made in `env`.
pub fn points(env: &TestEnv, arguments: &str) -> Vec<Point> {
    let trace = env.outer().join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(&trace).arg(env.binary());
    command.args(arguments.split_whitespace());
    env.furnish(&mut command);
    let output = Running::start(command).finish();
    assert!(matches!(output.code, Some(0 | 1)), "{output:#?}");
    let text = fs::read_to_string(trace).expect("a trace");
    let place = env.outer().to_string_lossy().into_owned();
    let (mut counts, mut started, mut points) = (BTreeMap::new(), false, Vec::new());
    for line in text.lines() {
        // `1234  openat(AT_FDCWD, ...`
        let Some((head, _)) = line.split_once('(') else { continue };
        let call = head.rsplit(' ').next().unwrap_or_default().to_string();
        let number: &mut usize = counts.entry(call.clone()).or_default();
        *number += 1;
        started = started || (call != "execve" && line.contains(&place));
        if started && !ELSEWHERE.contains(&call.as_str()) {
            points.push(Point { call, number: *number });
        }
    }
    assert!(points.len() > 20, "a trace without calls: {text}");
    points
}

/// Runs the binary with something injected: `fault` is what strace does at the point.
pub fn injected(env: &TestEnv, point: &Point, fault: &str, arguments: &str) -> Output {
    let Point { call, number } = point;
    traced(env, &["-e", &format!("inject={call}:{fault}:when={number}")], arguments)
}

/// Runs the binary under strace with these options.
pub fn traced(env: &TestEnv, options: &[&str], arguments: &str) -> Output {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null"]).args(options).arg(env.binary());
    command.args(arguments.split_whitespace());
    env.furnish(&mut command);
    Running::start(command).finish()
}
