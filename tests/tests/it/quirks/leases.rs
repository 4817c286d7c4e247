//! L1 to L17: leases and locks.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::time::Duration;
use std::{ffi::OsStr, fs};

use dos_tests::{Running, TestEnv, now_millis, set_age, stamp, stopwatch};
use serde_json::json;

use crate::{API_WEB, configured, empty, field, live_lanes};

const YEARS: Duration = Duration::from_secs(20 * 365 * 86_400);

/// A process that runs until it is killed.
fn sleeper() -> Running {
    let mut command = Command::new("sleep");
    command.arg("300");
    Running::start(command)
}

/// Nothing of a lock or its drafts is left, but for what the kernel locks, which stays.
#[track_caller]
fn unlocked(env: &TestEnv) {
    let locks = |name: &String| {
        let stays = name.ends_with(".guard") || name.ends_with(".crew");
        name.contains("lock") && !stays
    };
    let left: Vec<String> = env.tree().into_iter().filter(locks).collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn l01_an_exclusive_lane_without_a_tree_is_exclusive() {
    let env = configured(
        "[lanes]\nconcurrent=[\"api\"]\nexclusive=[\"release\"]\nautopick=[\"api\"]\n\
         [lanes.trees]\napi=[\"api/**\"]\n",
    );
    let grant = env.dos("lease-lane acquire --lane release --owner a").exits(0).json();
    assert_eq!(grant["lane_kind"], "release");
    let refused = env.dos("lease-lane acquire --lane api --kind cluster --owner b");
    assert_eq!(refused.exits(1).json()["reason_class"], "EXCLUSIVE_LIVE");
    assert_eq!(live_lanes(&env), ["release"]);
    env.dos("lease-lane release --lane release --owner a").exits(0);
    // And the other way round: it waits for everybody else.
    env.dos("lease-lane acquire --lane api --owner b").exits(0);
    let refused = env.dos("lease-lane acquire --lane release --owner a");
    assert_eq!(refused.exits(1).json()["reason_class"], "MUST_RUN_ALONE");
}

#[test]
fn l02_the_auto_picker_knows_a_held_lane_in_any_case() {
    let env = configured("[lanes]\nconcurrent=[\"API\"]\nautopick=[\"API\"]\n");
    env.dos("lease-lane acquire --owner a --loop-ts t1").exits(0);
    env.dos("lease-lane acquire --owner b --loop-ts t2").exits(1);
    let live = env.dos("lease-lane live").exits(0).json();
    assert_eq!(field(&live, "lane"), ["API"]);
    assert_eq!(field(&live, "holder"), ["a"]);
    env.dos("lease-lane acquire --lane api --owner b").exits(1);
}

#[test]
fn l03_an_owner_with_blanks_at_its_ends_leaves_no_lock() {
    let env = empty();
    for owner in ["a ", " a", "a\nb", "a\n"] {
        for verb in ["acquire", "release", "heartbeat", "adopt", "spawn"] {
            let arguments = ["lease-lane", verb, "--lane", "main", "--owner", owner];
            let output = env.run(arguments);
            // Who gives back or beats under such a name holds nothing.
            let no = output.code == Some(1) && matches!(verb, "release" | "heartbeat" | "adopt");
            assert!(no || output.code == Some(2), "{output:#?}");
            unlocked(&env);
        }
    }
    assert_eq!(env.journal(), b"");
    env.dos("lease-lane acquire --lane main --kind cluster --owner b --retries 0").exits(0);
}

#[test]
fn l04_a_handle_and_an_archive_owner_with_blanks_leave_no_lock() {
    let env = empty();
    env.run(["halt", "--handle", "h "]).exits(2).says("handle");
    unlocked(&env);
    env.run(["lease", "acquire", "a "]).exits(2).says("owner");
    env.run(["lease", "release", "a "]).exits(2).says("owner");
    unlocked(&env);
    assert_eq!(env.dos("lease status").exits(0).stdout, "free\n");
    env.dos("lease acquire a").exits(0);
    env.dos("lease release a").exits(0);
    assert_eq!(env.dos("lease status").exits(0).stdout, "free\n");
}

#[test]
fn l05_an_owner_that_is_no_utf8_wedges_nothing() {
    let env = empty();
    let arguments = ["lease-lane", "acquire", "--lane", "main", "--kind", "cluster", "--owner"];
    let odd = OsStr::from_bytes(b"\xff");
    let output = env.run(arguments.iter().map(OsStr::new).chain([odd]));
    output.exits(2).says("UTF-8");
    assert_eq!(env.tree(), [""; 0]);
    env.dos("lease-lane acquire --lane main --kind cluster --owner b --retries 0").exits(0);
}

#[test]
fn l06_an_old_empty_lock_file_is_taken_over() {
    for (command, code) in [
        ("lease-lane acquire --lane main --kind cluster --owner a --retries 0", 0),
        ("lease-lane release --lane main --owner a", 1),
        ("lease-lane spawn --lane main --owner a", 0),
        ("halt --handle h", 0),
    ] {
        let env = empty();
        env.write(".dos/.lane-lease.lock", "");
        set_age(&env.lock_path(), YEARS);
        env.dos(command).exits(code);
        unlocked(&env);
    }
}

#[test]
fn l07_an_old_empty_archive_lock_is_taken_over() {
    let env = empty();
    env.write(".dos/leases/.archive.lock", "");
    set_age(&env.path(".dos/leases/.archive.lock"), YEARS);
    let taken = env.dos("lease acquire a --retries 0");
    assert!(taken.exits(0).stdout.starts_with("stole-stale"), "{taken:?}");
    let status = env.dos("lease status");
    assert!(status.exits(0).stdout.starts_with("held a "), "{status:?}");
}

#[test]
fn l08_an_empty_home_lock_delays_nothing() {
    let mut env = empty();
    let home = env.outer().join("store");
    fs::create_dir(&home).unwrap();
    fs::write(home.join(".home.lock"), "").unwrap();
    env.set("DISPATCH_HOME", &home);
    let watch = stopwatch();
    env.dos("lease-lane live").exits(0);
    env.dos("lease-lane acquire --lane main --owner a").exits(0);
    env.dos("lease-lane release --lane main --owner a").exits(0);
    env.dos("halt --handle h").exits(0);
    assert!(watch.elapsed() < Duration::from_secs(2), "took {:?}", watch.elapsed());
}

#[test]
fn l09_an_equal_owner_is_no_key_to_the_lock() {
    let env = empty();
    env.write_lock("w", Duration::ZERO);
    let before = fs::read(env.lock_path()).unwrap();
    env.dos("lease-lane acquire --lane main --kind cluster --owner w --retries 0").exits(4);
    assert_eq!(fs::read(env.lock_path()).unwrap(), before);
    assert_eq!(env.journal(), b"");
    fs::remove_file(env.lock_path()).unwrap();
    let ask = "lease-lane acquire --lane main --owner w";
    let asking: Vec<Running> = (0..12).map(|_| env.start(ask)).collect();
    let codes: Vec<Option<i32>> = asking.into_iter().map(|r| r.finish().code).collect();
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == Some(1)).count(), 11, "{codes:?}");
    let seqs: BTreeSet<u64> = env.records().iter().map(|r| r["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=12).collect());
}

#[test]
fn l10_nobody_releases_under_no_name() {
    let env = empty();
    env.dos("lease-lane acquire --lane main --kind cluster --owner a").exits(0);
    for verb in ["release", "heartbeat", "adopt"] {
        let arguments = ["lease-lane", verb, "--lane", "main", "--owner", ""];
        env.run(arguments).exits(2).says("owner");
    }
    assert_eq!(live_lanes(&env), ["main"]);
    assert_eq!(env.operations(), ["ACQUIRE"]);
}

#[test]
fn l11_every_writer_answers_a_busy_lock_with_its_own_code() {
    let env = empty();
    env.dos("lease-lane acquire --lane main --owner a").exits(0);
    let journal = env.journal();
    env.write_lock("ghost", Duration::ZERO);
    let lock = fs::read(env.lock_path()).unwrap();
    // All but `acquire` wait ten seconds for the lock: side by side.
    let asking: Vec<Running> = [
        "lease-lane acquire --lane main --owner b --retries 2 --retry-interval 0.05",
        "lease-lane heartbeat --lane main --owner a",
        "lease-lane release --lane main --owner a",
        "lease-lane adopt --lane main --owner b --from a",
        "lease-lane spawn --lane main --owner a",
        "halt --handle h",
        "journal compact",
    ]
    .map(|command| env.start(command))
    .into();
    for running in asking {
        let output = running.finish();
        output.exits(4).says(".lane-lease.lock").says("busy").says("held by ghost");
        assert_eq!(output.stdout, "", "{output:?}");
    }
    assert_eq!(env.journal(), journal);
    assert_eq!(fs::read(env.lock_path()).unwrap(), lock);
    assert_eq!(env.leftovers(), [""; 0]);
}

#[test]
fn l12_changed_a_provably_dead_holder_blocks_nobody() {
    // Lapsed: silent for longer than its time to live and the grace.
    let env = empty();
    let lapsed = json!({
        "op": "ACQUIRE", "lane": "main", "loop_ts": "t",
        "lease": {
            "lane": "main", "loop_ts": "t", "tree": ["**/*"], "pid": 99_999_999, "holder": "old",
            "acquired_at": "2001-01-01T00:00:00Z", "ttl_minutes": 1,
        },
    });
    env.write_journal(format!("{lapsed}\n"));
    assert_eq!(live_lanes(&env), [""; 0]);
    assert_eq!(field(&env.dos("lease-lane live --all").exits(0).json(), "lane"), ["main"]);
    env.dos("arbitrate --lane main --kind cluster").exits(0);
    let grant = env.dos("lease-lane acquire --lane main --kind cluster --owner b").exits(0).json();
    assert_eq!(grant["scavenged"][0]["holder"], "old", "{grant}");
    assert_eq!(env.operations(), ["ACQUIRE", "SCAVENGE", "ACQUIRE"]);
    assert_eq!(env.records()[1]["prev_holder"], "old");
    // A process number alone proves nothing: a command that took a lane for others has ended.
    let env = empty();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let fresh = json!({
        "op": "ACQUIRE", "lane": "main", "loop_ts": "t",
        "lease": {
            "lane": "main", "loop_ts": "t", "tree": ["**/*"], "pid": 99_999_999,
            "host_id": host.trim(), "acquired_at": stamp(now_millis()),
        },
    });
    env.write_journal(format!("{fresh}\n"));
    assert_eq!(live_lanes(&env), ["main"]);
    env.dos("lease-lane acquire --lane main --kind cluster --owner b").exits(1);
    // A process that the holder named, and that is gone, proves it.
    let env = empty();
    let holder = sleeper();
    env.dos(&format!("lease-lane acquire --lane main --owner a --pid {}", holder.pid())).exits(0);
    env.dos("lease-lane acquire --lane main --owner b").exits(1);
    holder.kill();
    let grant = env.dos("lease-lane acquire --lane main --owner b").exits(0).json();
    assert_eq!(grant["scavenged"][0]["holder"], "a", "{grant}");
}

#[test]
fn l13_a_dead_process_is_seen_under_the_host_name_that_named_it() {
    let mut env = empty();
    env.set("DISPATCH_HOST_ID", "h1");
    let holder = sleeper();
    env.dos(&format!("lease-lane acquire --lane main --owner a --pid {}", holder.pid())).exits(0);
    let live = env.dos("lease-lane live").exits(0).json();
    assert_eq!(field(&live, "host_id"), ["h1"]);
    holder.kill();
    assert_eq!(live_lanes(&env), [""; 0]);
    env.set("DISPATCH_HOST_ID", "h2");
    assert_eq!(live_lanes(&env), ["main"], "processes of another host are not judged");
    env.set("DISPATCH_HOST_ID", "");
    assert_eq!(live_lanes(&env), ["main"], "nor under the machine's own name");
    env.set("DISPATCH_HOST_ID", "h1");
    env.dos("lease-lane acquire --lane main --owner b").exits(0);
}

#[test]
fn l14_kept_the_kind_cluster_takes_any_other_free_lane() {
    let env = configured(API_WEB);
    let leases = r#"[{"lane":"api","tree":["api/**"]}]"#;
    let ask = ["arbitrate", "--lane", "api", "--leases", leases];
    let other = env.run(ask.iter().chain(&["--kind", "cluster"])).exits(0).json();
    assert_eq!((&other["lane"], &other["auto_picked"]), (&json!("web"), &json!(true)));
    let refused = env.run(ask).exits(1).json();
    assert_eq!(refused["reason_class"], "LANE_HELD");
    assert_eq!(refused["free_clusters"], json!(["web"]));
}

#[test]
fn l16_kept_a_release_of_somebody_elses_archive_lock_warns() {
    let env = empty();
    env.dos("lease acquire a").exits(0);
    env.dos("lease release b").exits(0).says("warning").says("a has the lock").says("--force");
    let status = env.dos("lease status");
    assert!(status.exits(0).stdout.starts_with("held a "), "{status:?}");
    assert_eq!(env.dos("lease release b --force").exits(0).stdout, "force-released (was: a)\n");
    assert_eq!(env.dos("lease status").exits(0).stdout, "free\n");
}

#[test]
fn l17_changed_negative_retries_try_once_and_say_who_is_busy() {
    let env = empty();
    env.dos("lease acquire a --retries -1").exits(0);
    let watch = stopwatch();
    env.dos("lease acquire b --retries -1").exits(1).says("busy a ");
    env.dos("lease-lane acquire --lane main --owner a --retries -1").exits(0);
    assert!(watch.elapsed() < Duration::from_secs(2), "took {:?}", watch.elapsed());
}
