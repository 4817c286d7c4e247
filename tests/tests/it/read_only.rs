//! Invariant: a verb that only reads writes nothing, creates nothing and waits for no lock.

use std::time::Duration;

use dos_tests::{TestEnv, snapshot, stopwatch};

use crate::{API_WEB, configured, empty};

/// Verbs that only read. `run/run.json` is there where anything is there.
const READ_ONLY: &[&str] = &[
    "arbitrate",
    "arbitrate --lane api",
    "arbitrate --lane nosuch --explain --pretty",
    "arbitrate --lane api --leases []",
    "lease-lane live",
    "lease-lane live --all --pretty",
    "lease-lane check --lane api --token 1",
    "journal tail",
    "journal tail 0",
    "journal replay",
    "journal seq",
    "journal seq --json",
    "journal verify",
    "journal verify --json",
    "exec-capability --command python",
    "exec-capability --command ls --json",
    "exit-codes",
    "exit-codes --json",
    "exit-codes arbitrate",
    "export",
    "export --json --tail 3",
    "export --to file --path x.jsonl --since auto --dry-run",
    "export --to statsd --dry-run",
    "doctor",
    "hook marker",
    "hook pretool",
    "hook stop",
    "lanes",
    "lanes --json",
    "lanes --dot",
    "lint",
    "lease-lane reap --dry-run",
    "liveness --run-id RID-1M89PYD52D6YY80 --lane api --loop-ts t --last-heartbeat-age-ms 0 --now-ms 1795622384802",
    "loop",
    "loop --json --target 3 --max-concurrency 4",
    "lint --strict --json",
    "observe",
    "observe --json --by lane",
    "observe --run r --tail 3 --since 2h",
    "notify --dry-run",
    "notify --to slack --url http://127.0.0.1:1 --dry-run --json",
    "overlap a/** --with a",
    "overlap a --with b --json",
    "projects",
    "projects --stale --json",
    "learn wedge-hotspots",
    "learn lane-refusals --json",
    "learn oracle-calibration",
    "reap",
    "reap --journal --json",
    "forget nosuch",
    "doctor --all",
    "doctor --all --json",
    "doctor --json",
    "run-id mint nightly",
    "run-id show run",
    "state-diff k --before dos.toml --after run/run.json",
    "state-diff --before tree:. --after git:",
    "snapshot list",
    "snapshot show run/run.json",
    "snapshot show tree:.",
    "snapshot show sqlite:dos.toml",
    "lease status",
    "lease status --json",
    "top",
    "top --once",
    "top --json",
    "completions bash",
    "completions fish",
    "man",
    "--help",
    "--version",
    "help lease-lane",
];

/// Runs every read-only verb; nothing in the workspace, the home or the temporary folder changes,
/// not even the time of a folder, as it would when a file came and went.
#[track_caller]
fn changes_nothing(env: &TestEnv) {
    let before = snapshot(env.outer());
    for command in READ_ONLY {
        let output = env.dos(command);
        output.no_panic();
        assert!(matches!(output.code, Some(0 | 1 | 3)), "{output:#?}");
        assert_eq!(snapshot(env.outer()), before, "{command} changed something");
    }
}

#[test]
fn nothing_is_created_in_an_empty_workspace() {
    let env = empty();
    changes_nothing(&env);
    assert_eq!(env.tree(), [""; 0]);
}

#[test]
fn nothing_is_created_in_a_home() {
    for home in ["store", "not/there"] {
        let mut env = configured(API_WEB);
        std::fs::create_dir(env.outer().join("store")).unwrap();
        env.set("DISPATCH_HOME", env.outer().join(home));
        changes_nothing(&env);
    }
}

#[test]
fn a_home_keeps_its_bytes_and_its_times() {
    let env = configured(API_WEB);
    env.dos("lease-lane acquire --lane api --owner a").exits(0);
    let leases = r#"[{"lane":"api","tree":["api/**"]}]"#;
    env.run(["arbitrate", "--lane", "api", "--force", "--leases", leases]).exits(0);
    let home = snapshot(&env.outer().join("home"));
    for name in ["projects/index.jsonl", "projects/roots.log", "decisions.jsonl"] {
        assert!(home.contains_key(&format!(".dos/{name}")), "{name} is not in {:?}", home.keys());
    }
    changes_nothing(&env);
}

#[test]
fn a_journal_keeps_its_bytes_and_its_time() {
    let env = configured(API_WEB);
    env.dos("lease-lane acquire --lane api --owner a").exits(0);
    env.dos("lease-lane heartbeat --lane api --owner a").exits(0);
    env.dos("lease acquire a").exits(0);
    env.write("run/run.json", "{}");
    changes_nothing(&env);
}

#[test]
fn a_damaged_journal_and_leftover_locks_stay_as_they_are() {
    let env = configured("[lanes]\nautopick = 3\n[overlap]\npolicy = \"nope\"\n");
    env.write_journal(
        b"\xef\xbb\xbf{}\nbad\n\xff\n{\"op\":\"ACQUIRE\",\"lane\":\"api\"}\n{\"op\":",
    );
    env.write_lock("ghost", Duration::from_secs(7200));
    env.write(".dos/.lane-lease.lock.t.0123456789abcdef", "owner: dos/x\n");
    env.write(".dos/lane-journal.jsonl.compact.tmp", "{}\n");
    env.write(".dos/leases/.archive.lock", "");
    changes_nothing(&env);
}

#[test]
fn nobody_who_reads_waits_for_the_lock() {
    let env = configured(API_WEB);
    env.dos("lease-lane acquire --lane api --owner a").exits(0);
    env.write_lock("ghost", Duration::ZERO);
    let guard = std::fs::File::open(env.path(".dos/.lane-lease.lock.guard")).unwrap();
    guard.lock().unwrap();
    let watch = stopwatch();
    changes_nothing(&env);
    assert!(watch.elapsed() < Duration::from_secs(8), "took {:?}", watch.elapsed());
}
