//! The process table of this host: which process is meant, and does it still run.
//!
//! A process is told apart from a later one with the same number by its start time, and from one
//! of another boot or another process namespace by a name for both.

use std::fs;

use dos_core::lane::lease::{Lease, ProcessId};
use dos_core::lane::vitality::ProcessState;
use dos_core::timestamp::Timestamp;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// The identity of a process that runs now; `None` when there is none, or the system does not say.
pub fn identify(pid: u32) -> Option<ProcessId> {
    let Stat { start, ended, .. } = stat(pid)?;
    let boot = boot_name()?;
    (!ended).then_some(ProcessId { pid, start, boot })
}

/// So far up are ancestors looked for.
const ANCESTORS_MAX: usize = 64;

/// The processes that this one descends from, the nearest first, as far as the system shows them.
pub fn ancestors() -> Vec<ProcessId> {
    let Some(boot) = boot_name() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut next = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    while let Some(pid) = next.and_then(|pid| u32::try_from(pid).ok()) {
        let Some(stat) = stat(pid).filter(|_| found.len() < ANCESTORS_MAX) else { break };
        found.push(ProcessId { pid, start: stat.start, boot: boot.clone() });
        next = (stat.parent > 1).then_some(stat.parent);
    }
    found
}

/// Does a process of that number run here? `None` when it cannot be told.
pub fn is_running(pid: u32) -> Option<bool> {
    let number = Pid::from_raw(i32::try_from(pid).ok()?)?;
    match test_kill_process(number) {
        Err(Errno::SRCH) => Some(false),
        _ => stat(pid).map(|stat| !stat.ended),
    }
}

/// Is that process running on this host? `None` when it cannot be told. `here` is this boot and
/// namespace, `last_seen` when the process's lease last showed a sign of life.
fn probe(process: &ProcessId, here: &str, last_seen: Option<Timestamp>) -> Option<ProcessState> {
    if here != process.boot {
        // Another namespace of this boot says nothing. Another boot has ended every process, if it
        // was one of this machine: then the lease was last seen before this boot began.
        let boot_of = |name: &str| name.split('/').next().unwrap_or_default().to_string();
        let before_boot = last_seen? < boot_time()?;
        let rebooted = boot_of(here) != boot_of(&process.boot) && before_boot;
        return rebooted.then_some(ProcessState::Gone);
    }
    let pid = Pid::from_raw(i32::try_from(process.pid).ok()?)?;
    if test_kill_process(pid) == Err(Errno::SRCH) {
        return Some(ProcessState::Gone);
    }
    // It exists, but `/proc` may hide it from this user: then nothing is proven.
    let Stat { start, ended, .. } = stat(process.pid)?;
    Some(match ended || start != process.start {
        true => ProcessState::Gone,
        false => ProcessState::Running,
    })
}

/// What the process table says of every process that one of these leases names on this host.
pub fn evidence<'a>(
    leases: impl Iterator<Item = &'a Lease>,
    host: &str,
) -> Vec<(ProcessId, ProcessState)> {
    let named: Vec<(ProcessId, Option<Timestamp>)> = leases
        .filter(|lease| lease.host() == Some(host))
        .filter_map(|lease| Some((lease.named_process()?, lease.newest_stamp())))
        .collect();
    states(named)
}

/// What the process table says of these processes, each with when it was last known to run. One of
/// which nothing can be told is left out.
pub fn states(named: Vec<(ProcessId, Option<Timestamp>)>) -> Vec<(ProcessId, ProcessState)> {
    if named.is_empty() {
        return Vec::new();
    }
    let Some(here) = boot_name() else {
        return Vec::new();
    };
    named
        .into_iter()
        .filter_map(|(process, seen)| probe(&process, &here, seen).map(|state| (process, state)))
        .collect()
}

/// The processes of a group.
pub fn group(number: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let of_group = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest);
        let group = fields.split_ascii_whitespace().nth(2);
        group.and_then(|group| group.parse().ok()) == Some(number)
    };
    pids.filter(of_group).collect()
}

/// What the system shows of one process.
struct Stat {
    parent: i32,
    /// In ticks since boot.
    start: u64,
    /// Has it ended, and only waits to be collected? A process whose first thread has ended while
    /// others run has not.
    ended: bool,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, even a parenthesis.
    let after_name = text.rsplit_once(')')?.1;
    let mut fields = after_name.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let threads: u64 = fields.nth(15)?.parse().ok()?;
    let start = fields.nth(1)?.parse().ok()?;
    let ended = state == "X" || (state == "Z" && threads <= 1);
    Some(Stat { parent, start, ended })
}

/// When this machine was started.
fn boot_time() -> Option<Timestamp> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let seconds: i64 = text.lines().find_map(|line| line.strip_prefix("btime "))?.parse().ok()?;
    Timestamp::from_millis(seconds.checked_mul(1000)?).ok()
}

/// The boot and the process namespace that process numbers belong to.
fn boot_name() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}/{}", boot.trim(), namespace.display()))
}
