//! Every system call of a command fails once, one run for each: full disks, broken disks.

use dos_tests::TestEnv;
use dos_tests::raw::Raw;

use super::strace::{Point, injected, points, traced, works};
use super::{goes_on, held, with_a_history};

/// Calls whose failure means something. A close that fails loses nothing that was synced, and the
/// debug build asks with fcntl whether a file is open.
const MAY_FAIL: [&str; 17] = [
    "faccessat2",
    "fdatasync",
    "flock",
    "fsync",
    "ftruncate",
    "getcwd",
    "getdents64",
    "mkdir",
    "newfstatat",
    "openat",
    "pread64",
    "pwrite64",
    "rename",
    "renameat2",
    "statx",
    "unlink",
    "write",
];

/// Lets each call fail in turn; nothing may be said to be done that is not, nothing may panic, and
/// the next command finds a workspace that works.
fn each_call_fails(arguments: &str, error: &str, done: fn(&TestEnv) -> bool) {
    let (mut refused, mut succeeded) = (0, 0);
    for point in points(&with_a_history(), arguments) {
        if !MAY_FAIL.contains(&point.call.as_str()) {
            continue;
        }
        let env = with_a_history();
        let before = env.journal();
        let output = injected(&env, &point, &format!("error={error}"), arguments);
        let name = format!("{error} at {point:?} of {arguments}: {output:#?}");
        output.no_panic();
        match output.code {
            Some(0) => {
                assert!(done(&env), "{name}: said to be done");
                succeeded += 1;
            }
            Some(2 | 4) => {
                // The answer itself may be what could not be written.
                assert!(output.stdout.is_empty(), "{name}");
                refused += 1;
            }
            _ => panic!("{name}"),
        }
        let raw = Raw::of(&env.journal());
        assert!(raw.bad_lines.is_empty() && !raw.torn, "{name}: {raw:?}");
        assert!(done(&env) || held(&env) == [("api".into(), "A".into())], "{name}");
        assert!(raw.records.len() >= 3 || done(&env), "{name}: history is gone");
        let kept = env.journal().starts_with(&before) || arguments == "journal compact";
        assert!(kept, "{name}: history was changed");
        goes_on(&env, &name);
    }
    eprintln!("{arguments}, {error}: {refused} refused, {succeeded} done all the same");
    assert!(refused > 10, "{refused} refused");
}

fn acquired(env: &TestEnv) -> bool {
    held(env) == [("api".into(), "A".into()), ("web".into(), "W".into())]
}

fn compacted(env: &TestEnv) -> bool {
    Raw::of(&env.journal()).of_op("CHECKPOINT").count() == 1
}

#[test]
fn acquire_with_each_call_failing() {
    if !works() {
        return;
    }
    let acquire = "lease-lane acquire --lane web --owner w --loop-ts W --retries 0";
    each_call_fails(acquire, "EIO", acquired);
    each_call_fails(acquire, "ENOSPC", acquired);
}

#[test]
fn release_with_each_call_failing() {
    if !works() {
        return;
    }
    each_call_fails("lease-lane release --lane api --owner a", "EIO", |env| held(env).is_empty());
}

#[test]
fn compaction_with_each_call_failing() {
    if !works() {
        return;
    }
    each_call_fails("journal compact", "EIO", compacted);
    each_call_fails("journal compact", "ENOSPC", compacted);
}

#[test]
fn a_journal_that_cannot_be_read_grants_nothing_and_is_named() {
    if !works() {
        return;
    }
    let env = with_a_history();
    let journal = env.journal_path().to_string_lossy().into_owned();
    let before = env.journal();
    for command in [
        "lease-lane acquire --lane web --owner w --retries 0",
        "lease-lane release --lane api --owner a",
        "lease-lane heartbeat --lane api --owner a",
        "arbitrate --lane web",
        "lease-lane live",
        "lease-lane check --lane api --token 2",
        "journal replay",
        "journal verify",
        "journal compact",
    ] {
        let fault = ["-P", &journal, "-e", "inject=pread64:error=EIO"];
        let output = traced(&env, &fault, command);
        output.exits(2).says("lane-journal.jsonl");
        assert_eq!(output.stdout, "", "{output:#?}");
        assert_eq!(env.journal(), before);
    }
    goes_on(&env, "read errors");
}

#[test]
fn a_failed_sync_is_never_acknowledged() {
    if !works() {
        return;
    }
    for error in ["EIO", "ENOSPC", "EDQUOT"] {
        for command in [
            "lease-lane acquire --lane web --owner w",
            "lease-lane release --lane api --owner a",
            "lease-lane heartbeat --lane api --owner a",
        ] {
            let env = with_a_history();
            let sync = Point { call: "fdatasync".into(), number: 1 };
            let output = injected(&env, &sync, &format!("error={error}"), command);
            output.exits(2).says("did not become durable").says("lane-journal.jsonl");
            assert_eq!(output.stdout, "", "{output:#?}");
            goes_on(&env, error);
        }
    }
}

#[test]
fn a_failed_sync_poisons_the_journal_until_it_is_repaired() {
    use std::os::unix::fs::MetadataExt;
    if !works() {
        return;
    }
    for error in ["EIO", "ENOSPC"] {
        let env = with_a_history();
        let sync = Point { call: "fdatasync".into(), number: 1 };
        let acquire = "lease-lane acquire --lane web --owner w --loop-ts W";
        let output = injected(&env, &sync, &format!("error={error}"), acquire);
        assert_ne!(output.no_panic().code, Some(0), "{output:#?}");
        assert_eq!(output.stdout, "");
        let marker = env.path(".dos/lane-journal.jsonl.poisoned");
        assert!(marker.exists(), "{:?}", env.tree());
        // Whoever opens it next knows nothing of the first failure but the marker.
        for command in ["lease-lane acquire --lane docs --owner b", "lease-lane live"] {
            let refused = env.dos(command);
            refused.exits(2).says("dos journal repair");
            assert_eq!(refused.stdout, "");
        }
        let (content, inode) = (env.journal(), env.journal_path().metadata().unwrap().ino());
        env.dos("journal repair").exits(0);
        assert!(!marker.exists());
        assert_eq!(env.journal(), content);
        assert_ne!(env.journal_path().metadata().unwrap().ino(), inode);
        env.dos("lease-lane acquire --lane docs --owner b").exits(0);
    }
}
