//! SIGKILL at every system call of a command, one run for each.

use dos_tests::raw::{Raw, text};
use dos_tests::{Output, TestEnv, now_millis, stamp};

use super::strace::{Point, injected, points, works};
use super::{THREE_LANES, goes_on, held, with_a_history};
use crate::{configured, field};

/// What is known of one run that was killed.
struct Crash<'a> {
    env: &'a TestEnv,
    /// The journal before it.
    before: Vec<u8>,
    point: Point,
    output: Output,
}

impl Crash<'_> {
    fn name(&self) -> String {
        format!("killed at {:?} of {}", self.point, self.output.command)
    }

    /// Was the answer given? Then it was given whole, and counts.
    fn acknowledged(&self) -> bool {
        match self.output.stdout.as_str() {
            "" => self.output.code == Some(0),
            _ => !self.output.json().is_null(),
        }
    }

    /// What was there is there still, byte for byte, and at most one more record or torn tail.
    #[track_caller]
    fn appended(&self, op: &str) -> bool {
        let (name, journal) = (self.name(), self.env.journal());
        assert!(journal.starts_with(&self.before), "{name}: history was changed");
        let new = Raw::of(&journal[self.before.len()..]);
        assert!(new.bad_lines.is_empty(), "{name}: {new:?}");
        assert!(new.records.len() + usize::from(new.torn) <= 1, "{name}: {new:?}");
        let there = new.records.iter().any(|record| text(record, "op") == op);
        assert_eq!(there, !new.records.is_empty(), "{name}: another record");
        assert!(there || !self.acknowledged(), "{name}: acknowledged and not there");
        there
    }
}

/// Kills the command at every point, each time in a workspace of its own, and lets `check` look.
/// Returns how many runs died, of which how many after the record was written.
fn at_every_point(
    workspace: fn() -> TestEnv,
    arguments: &str,
    check: impl Fn(&Crash<'_>) -> bool,
) -> (usize, usize) {
    let (mut died, mut written) = (0, 0);
    for point in points(&workspace(), arguments) {
        let env = workspace();
        let before = env.journal();
        let output = injected(&env, &point, "signal=SIGKILL", arguments);
        died += usize::from(output.code.is_none());
        let crash = Crash { env: &env, before, point, output };
        written += usize::from(check(&crash));
        goes_on(&env, &crash.name());
    }
    eprintln!("{arguments}: {died} crashes, {written} after the record was written");
    assert!(died > 30 && written > 2 && written < died, "{died} died, {written} written");
    (died, written)
}

#[test]
fn acquire_killed_at_every_call() {
    if !works() {
        return;
    }
    let acquire = "lease-lane acquire --lane web --owner w --loop-ts W";
    at_every_point(with_a_history, acquire, |crash| {
        let there = crash.appended("ACQUIRE");
        let lanes = if there { vec!["api", "web"] } else { vec!["api"] };
        let now: Vec<String> = held(crash.env).into_iter().map(|(lane, _)| lane).collect();
        assert_eq!(now, lanes, "{}", crash.name());
        retried(crash, acquire, there);
        there
    });
}

/// The caller of a command that gave no answer asks again: there is one grant in the end, and the
/// caller can tell that it is its own.
fn retried(crash: &Crash<'_>, acquire: &str, there: bool) {
    let (env, name) = (crash.env, crash.name());
    let again = env.dos(acquire);
    match there {
        false => drop(again.exits(0)),
        true => {
            let refused = again.exits(1).json();
            let mine = &refused["blocked_by"][0];
            assert_eq!((&mine["holder"], &mine["loop_ts"]), (&"w".into(), &"W".into()), "{name}");
        }
    }
    let raw = Raw::of(&env.journal());
    let grants = raw.of_op("ACQUIRE").filter(|record| text(record, "loop_ts") == "W");
    assert_eq!(grants.count(), 1, "{name}");
    let live = env.dos("lease-lane live").exits(0).json();
    let lease = live.as_array().unwrap().iter().find(|lease| lease["lane"] == "web").unwrap();
    let token = lease["token"].as_u64().unwrap();
    env.dos(&format!("lease-lane check --lane web --token {token}")).exits(0);
}

#[test]
fn release_killed_at_every_call() {
    if !works() {
        return;
    }
    let release = "lease-lane release --lane api --owner a";
    at_every_point(with_a_history, release, |crash| {
        let there = crash.appended("RELEASE");
        assert_eq!(held(crash.env).is_empty(), there, "{}", crash.name());
        // Asked again, it is done or was done.
        let again = crash.env.dos(release);
        again.exits(if there { 1 } else { 0 });
        assert!(held(crash.env).is_empty(), "{}", crash.name());
        there
    });
}

#[test]
fn heartbeat_killed_at_every_call() {
    if !works() {
        return;
    }
    at_every_point(with_a_history, "lease-lane heartbeat --lane api --owner a", |crash| {
        let there = crash.appended("HEARTBEAT");
        assert_eq!(held(crash.env), [("api".into(), "A".into())], "{}", crash.name());
        there
    });
}

#[test]
fn the_first_acquire_of_a_workspace_killed_at_every_call() {
    if !works() {
        return;
    }
    let acquire = "lease-lane acquire --lane web --owner w --loop-ts W";
    at_every_point(
        || configured(THREE_LANES),
        acquire,
        |crash| {
            let there = crash.appended("ACQUIRE");
            crash.env.dos(acquire).exits(if there { 1 } else { 0 });
            let ignore = crash.env.path(".dos/.gitignore");
            let ignore = std::fs::read_to_string(ignore).unwrap_or_default();
            assert!(ignore.contains("\n*\n"), "{}: {ignore:?}", crash.name());
            there
        },
    );
}

/// A workspace whose last writer died with the lock.
fn with_a_leftover() -> TestEnv {
    let env = with_a_history();
    let since = stamp(now_millis() - 10_000);
    let body = format!(
        "owner: dos/h/99999999/00ff\nacquired_at: {since}\npid: 99999999\nguard: 1\nnonce: 00ff\n"
    );
    env.write(".dos/.lane-lease.lock", body);
    env
}

#[test]
fn a_take_over_killed_at_every_call() {
    if !works() {
        return;
    }
    let acquire = "lease-lane acquire --lane web --owner w --loop-ts W";
    at_every_point(with_a_leftover, acquire, |crash| crash.appended("ACQUIRE"));
}

#[test]
fn compaction_killed_at_every_call() {
    if !works() {
        return;
    }
    at_every_point(with_a_history, "journal compact", |crash| {
        let name = crash.name();
        let raw = Raw::of(&crash.env.journal());
        assert!(raw.bad_lines.is_empty() && !raw.torn, "{name}: {raw:?}");
        assert_eq!(held(crash.env), [("api".into(), "A".into())], "{name}");
        let compacted = raw.of_op("CHECKPOINT").count() == 1;
        assert!(compacted || crash.env.journal() == crash.before, "{name}: half of both");
        assert!(compacted || !crash.acknowledged(), "{name}");
        let live = crash.env.dos("lease-lane live").exits(0).json();
        assert_eq!(field(&live, "lane"), ["api"], "{name}");
        // What a killed compaction leaves behind, the next one removes.
        crash.env.dos("journal compact").exits(0);
        compacted
    });
}
