//! `dos run`: whatever becomes of it or of its command, the lane is free afterwards, and not before.

use std::fs;
use std::process::Command;
use std::time::Duration;

use dos_tests::{Running, TestEnv, poll_until};
use serde_json::json;

use super::roster;
use crate::{field, live_lanes, skipped};

const SOON: Duration = Duration::from_secs(20);

/// `dos run` with these options over a script of the shell.
fn script(env: &TestEnv, options: &str, script: &str) -> Running {
    let options = options.split_whitespace();
    env.spawn(["run"].into_iter().chain(options).chain(["--", "sh", "-c", script]))
}

/// Waits until the lane is held, by a process that is named, and says which.
#[track_caller]
fn holder(env: &TestEnv, lane: &str) -> u32 {
    poll_until("the lane is held", SOON, || {
        let live = env.dos("lease-lane live").exits(0).json();
        let lease = live.as_array()?.iter().find(|lease| lease["lane"] == lane)?.clone();
        u32::try_from(lease["pid"].as_u64()?).ok()
    })
}

#[track_caller]
fn until_there(env: &TestEnv, file: &str) {
    poll_until("the command has begun", SOON, || env.path(file).exists().then_some(()));
}

#[test]
fn the_command_knows_what_it_holds_and_its_code_is_the_answer() {
    let mut env = roster();
    env.set("CID_RUN_ID", "RID-parent");
    env.set("CID_ROOT_ID", "RID-root");
    let output = script(&env, "--lane a --ttl 90s", "env; cat; exit 7").finish();
    output.exits(7);
    let live = &env.records()[0]["lease"];
    for (name, value) in [
        ("DISPATCH_LANE", "a".to_string()),
        ("DISPATCH_TOKEN", live["token"].to_string()),
        ("DISPATCH_LOOP_TS", live["loop_ts"].as_str().unwrap().to_string()),
        ("DISPATCH_OWNER", live["holder"].as_str().unwrap().to_string()),
        ("CID_RUN_ID", live["run_id"].as_str().unwrap().to_string()),
        ("CID_PARENT_ID", "RID-parent".to_string()),
        ("CID_ROOT_ID", "RID-root".to_string()),
        ("CID_PROCESS_ID", "PROC-sh".to_string()),
    ] {
        let line = format!("{name}={value}");
        assert!(output.stdout.lines().any(|said| said == line), "no {line} in {output:#?}");
    }
    assert_eq!(live["ttl_minutes"], 2);
    assert_eq!(env.operations(), ["ACQUIRE", "RELEASE"]);
    // Without a lane any free one is taken; the command runs where it was called.
    env.dos("lease-lane acquire --lane a --owner x").exits(0);
    let output = script(&env, "", "echo $DISPATCH_LANE; pwd").finish();
    assert_eq!(output.exits(0).stdout, format!("b\n{}\n", env.root().display()));
    assert_eq!(live_lanes(&env), ["a"]);
}

#[test]
fn a_taken_lane_is_refused_and_nothing_runs() {
    let env = roster();
    env.dos("lease-lane acquire --lane a --owner alice").exits(0);
    script(&env, "--lane a", "touch ran").finish().exits(1).says("alice").says("--wait");
    let refused = script(&env, "--lane a --json", "touch ran").finish().exits(1).json();
    assert_eq!(refused["blocked_by"][0]["holder"], "alice");
    assert!(!env.path("ran").exists());
    // It waits when it is told to, and holds nothing meanwhile.
    let waiting = script(&env, "--lane a --wait 60s", "touch ran");
    waiting.until_it_watches();
    env.dos("lease-lane release --lane a --owner alice").exits(0);
    waiting.finish().exits(0);
    assert!(env.path("ran").exists());
    // Killed while it waits, it leaves nothing behind.
    env.dos("lease-lane acquire --lane a --owner alice").exits(0);
    let waiting = script(&env, "--lane a --wait 60s", "touch again");
    waiting.until_it_watches();
    waiting.kill();
    env.dos("lease-lane release --lane a --owner alice").exits(0);
    script(&env, "--lane a", "true").finish().exits(0);
    assert!(!env.path("again").exists());
}

#[test]
fn a_command_that_cannot_run_leaves_the_lane_free() {
    let env = roster();
    env.write("text", "no program");
    env.dos("run --lane a -- nosuch").exits(127).says("nosuch");
    env.dos("run --lane a -- ./text").exits(126).says("text");
    env.dos("run --lane a").exits(2);
    env.dos("run --lane nosuch -- true").exits(1).says("nosuch");
    assert_eq!(live_lanes(&env), [""; 0]);
}

#[test]
fn signals_are_the_commands() {
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 129), ("USR1", 138)] {
        let env = roster();
        let running = script(&env, "--lane a", "touch begun; exec sleep 300");
        until_there(&env, "begun");
        running.signal(signal);
        running.finish().exits(code);
        assert_eq!(env.operations(), ["ACQUIRE", "RELEASE"], "{signal}");
    }
    // One that handles the signal ends in its own time.
    let env = roster();
    let trap = "trap 'echo bye; exit 9' TERM; touch begun; while :; do sleep 0.02; done";
    let running = script(&env, "--lane a", trap);
    until_there(&env, "begun");
    running.signal("TERM");
    assert_eq!(running.finish().exits(9).stdout, "bye\n");
    assert_eq!(live_lanes(&env), [""; 0]);
}

#[test]
fn the_kill_of_the_command_frees_the_lane() {
    let env = roster();
    let running = script(&env, "--lane a", "exec sleep 300");
    dos_tests::signal(holder(&env, "a"), "KILL");
    running.finish().exits(137);
    assert_eq!(env.operations(), ["ACQUIRE", "RELEASE"]);
}

#[test]
fn the_kill_of_the_runner_frees_the_lane_once_the_command_has_ended() {
    let env = roster();
    let running = script(&env, "--lane a", "exec sleep 300");
    holder(&env, "a");
    running.kill();
    // The kernel has asked the command to end, and its end is the proof.
    let free = || live_lanes(&env).is_empty().then_some(());
    poll_until("the lane is free", SOON, free);
    env.dos("run --lane a -- true").exits(0);
    // A command that does not end goes on holding its lane.
    let deaf = "trap '' TERM; touch begun; while [ ! -e end ]; do sleep 0.02; done";
    let running = script(&env, "--lane a", deaf);
    let pid = holder(&env, "a");
    until_there(&env, "begun");
    running.kill();
    let refused = env.dos("run --lane a --json -- true").exits(1).json();
    assert_eq!(refused["reason_class"], "LANE_HELD");
    assert!(fs::metadata(format!("/proc/{pid}")).is_ok(), "it has ended");
    env.write("end", "");
    poll_until("the lane is free", SOON, free);
}

#[test]
fn a_lost_lease_is_told_or_stops_the_command() {
    let config = format!("{}[liveness]\nspin_ms = 3000\n", super::ROSTER);
    for (policy, code) in [("warn", 4), ("stop", 143)] {
        let env = crate::configured(&config);
        let until = "touch begun; while [ ! -e end ]; do sleep 0.02; done; exit 4";
        let running = script(&env, &format!("--lane a --owner me --on-lost {policy}"), until);
        until_there(&env, "begun");
        env.dos("lease-lane adopt --lane a --owner thief --from me").exits(0);
        if policy == "warn" {
            std::thread::sleep(Duration::from_millis(1500));
            env.write("end", "");
        }
        running.finish().exits(code).says("lost: thief holds it");
        let live = env.dos("lease-lane live").exits(0).json();
        assert_eq!(field(&live, "holder"), ["thief"]);
    }
}

#[test]
fn beats_keep_the_lane_and_are_the_commands_alone() {
    let env = crate::configured(&format!("{}[liveness]\nspin_ms = 3000\n", super::ROSTER));
    let running = script(&env, "--lane a", "while [ ! -e end ]; do sleep 0.02; done");
    poll_until("two beats", SOON, || {
        let beats = env.operations().iter().filter(|op| *op == "HEARTBEAT").count();
        (beats >= 2).then_some(())
    });
    env.write("end", "");
    running.finish().exits(0);
    assert_eq!(env.operations().pop().unwrap(), "RELEASE");
}

/// On a disk that something else fills while the command runs.
const FULL_DISK: &str = r#"
root=$1 state=$2 binary=$3
mount -t tmpfs -o size=64k tmpfs "$root" || exit 77
printf '[liveness]\nspin_ms = 3000\n' > "$root/dos.toml"
mkdir "$state"
"$binary" run --lane main --workspace "$root" -- \
    sh -c "while [ ! -e $state/end ]; do sleep 0.02; done; exit 5" 2> "$state/err" &
runner=$!
until [ -s "$root/.dos/lane-journal.jsonl" ]; do sleep 0.02; done
head -c 1000000 /dev/zero > "$root/taken" 2> /dev/null
until grep -q 'no beat could be recorded' "$state/err"; do sleep 0.05; done
rm "$root/taken"
until grep -q 'recorded again' "$state/err"; do sleep 0.05; done
touch "$state/end"
wait $runner
echo $? > "$state/code"
cp "$root/.dos/lane-journal.jsonl" "$state/journal"
umount "$root"
"#;

#[test]
fn a_full_disk_while_beating_is_told_and_got_over() {
    let env = crate::empty();
    let state = env.outer().join("state");
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", FULL_DISK, "sh"]);
    command.arg(env.root()).arg(&state).arg(env.binary());
    env.furnish(&mut command);
    command.current_dir("/");
    let output = Running::start(command).finish();
    if !state.exists() {
        return skipped(&format!("a full disk: no mount namespace here: {}", output.stderr));
    }
    let read = |name: &str| fs::read_to_string(state.join(name)).unwrap_or_default();
    assert_eq!(read("code"), "5\n", "{output:#?} {}", read("err"));
    let raw = dos_tests::raw::Raw::of(read("journal").as_bytes());
    assert_eq!((raw.faults(), raw.held().len()), (vec![], 0));
    assert_eq!(json!(raw.bad_lines), json!([]));
}

#[test]
fn the_first_beat_after_the_machine_slept_comes_at_once() {
    let env = roster();
    let awake = env.outer().join("awake");
    let mut command = Command::new(env!("CARGO_BIN_EXE_dos-other-clock"));
    env.furnish(&mut command);
    command.args(["run", "--lane", "a", "--", "sh", "-c", "touch began; exec sleep 100"]);
    command.env("TEST_MACHINE_SLEPT", "1");
    command.env("TEST_SLEPT_FROM", &awake).env("TEST_SLEPT_SECONDS", "7200");
    let running = Running::start(command);
    until_there(&env, "began");
    fs::write(&awake, "").unwrap();
    // Awake all the time it would wait for a minute.
    poll_until("it beats", SOON, || env.operations().contains(&"HEARTBEAT".into()).then_some(()));
    let stamps: Vec<String> =
        env.records().iter().map(|record| record["ts"].as_str().unwrap().to_string()).collect();
    assert!(stamps[1] > stamps[0], "{stamps:?}");
    running.signal("TERM");
    running.finish().exits(143);
}
