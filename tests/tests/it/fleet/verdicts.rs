//! `liveness`, `loop` and `lease-lane reap`.

use std::process::Command;

use dos_tests::{Running, now_millis};
use serde_json::json;

use super::{git, lanes, roster};
use crate::{empty, live_lanes};

const MINUTE: i64 = 60_000;

fn run_id(env: &dos_tests::TestEnv) -> String {
    let minted = env.dos("run-id mint test").exits(0).json();
    minted["run_id"].as_str().unwrap().to_string()
}

#[test]
fn a_run_is_judged_by_commits_beats_and_its_process() {
    let env = empty();
    git(&env, &["init", "-q"]);
    git(&env, &["commit", "-q", "--allow-empty", "-m", "one"]);
    let (start, run) = (git(&env, &["rev-parse", "HEAD"]), run_id(&env));
    let asked = |more: &str| env.dos(&format!("liveness --run-id {run} --json {more}"));
    assert_eq!(asked("").exits(4).json()["verdict"], "STALLED");
    assert_eq!(asked(&format!("--start-sha {start}")).exits(4).json()["verdict"], "STALLED");
    assert_eq!(asked("--last-heartbeat-age-ms 0").exits(0).json()["verdict"], "ADVANCING");
    let late = now_millis() + 31 * MINUTE;
    let beats = format!("--last-heartbeat-age-ms 0 --now-ms {late}");
    assert_eq!(asked(&beats).exits(3).json()["verdict"], "SPINNING");
    let mut sleep = Command::new("sleep");
    sleep.arg("300");
    let sleep = Running::start(sleep);
    let pid = sleep.pid();
    assert_eq!(asked(&format!("{beats} --pid {pid}")).exits(3).json()["verdict"], "SPINNING");
    sleep.kill();
    let verdict = asked(&format!("{beats} --pid {pid}")).exits(4).json();
    assert_eq!(verdict["evidence"]["process_alive"], false, "{verdict}");
    asked(&format!("{beats} --pid {pid} --no-proc")).exits(3);
    asked(&format!("{beats} --pid {pid} --host-id elsewhere")).exits(3);
    git(&env, &["commit", "-q", "--allow-empty", "-m", "two"]);
    let moved = asked(&format!("--start-sha {start}")).exits(0).json();
    assert_eq!(moved["evidence"]["commits_since_start"], 1);
    let text = env.dos(&format!("liveness --run-id {run} --start-sha {start}"));
    assert!(text.exits(0).stdout.starts_with("ADVANCING  "), "{text:#?}");
}

#[test]
fn the_journal_speaks_for_the_run_of_its_own_lease() {
    let env = roster();
    let run = run_id(&env);
    env.dos("lease-lane acquire --lane a --owner x --loop-ts t").exits(0);
    env.dos("lease-lane acquire --lane b --owner y --loop-ts u").exits(0);
    let late = now_millis() + 31 * MINUTE;
    let asked = |now: i64, lane: &str, loop_ts: &str| {
        let arguments = format!("--run-id {run} --lane {lane} --loop-ts {loop_ts} --now-ms {now}");
        env.dos(&format!("liveness --json {arguments}"))
    };
    asked(now_millis(), "a", "t").exits(0);
    asked(now_millis(), "a", "u").exits(4);
    asked(late, "a", "t").exits(4);
    // A compaction keeps what the verdict needs.
    env.dos("journal compact").exits(0);
    asked(now_millis(), "a", "t").exits(0);
}

#[test]
fn a_plan_fills_the_roster_and_leaves_what_is_held() {
    let env = roster();
    let plan = env.dos("loop --json").exits(0).json();
    assert_eq!(
        (&plan["verdict"], lanes(&plan, "spawn")),
        (&json!("FILLING"), vec!["a".to_string(), "b".into()])
    );
    env.dos("lease-lane acquire --lane a --owner x").exits(0);
    let plan = env.dos("loop --json").exits(0).json();
    assert_eq!((&plan["alive"], lanes(&plan, "spawn")), (&json!(1), vec!["b".to_string()]));
    // What is held under no lane of the roster is in the way all the same.
    env.dos("lease-lane acquire --lane fix --tree b/x.rs --owner z").exits(0);
    let plan = env.dos("loop --json").exits(0).json();
    assert_eq!(lanes(&plan, "spawn"), ["c"]);
    let plan = env.dos("loop --json --target 9").exits(0).json();
    assert_eq!((&plan["verdict"], &plan["admissible"]), (&json!("TARGET_UNREACHABLE"), &json!(3)));
    let text = env.dos("loop").exits(0).stdout.clone();
    assert!(text.contains("spawn c  -- run: /dos-dispatch-loop --lane c"), "{text}");
}

#[test]
fn who_spins_is_flagged_and_who_commits_is_not() {
    let env = roster();
    git(&env, &["init", "-q"]);
    git(&env, &["commit", "-q", "--allow-empty", "-m", "zero"]);
    env.write(
        "dos.toml",
        format!("{}spin_halt_after_ms = 1000\n[liveness]\ngrace_ms = 0\n", super::ROSTER),
    );
    env.dos("lease-lane acquire --lane a --owner x").exits(0);
    env.dos("lease-lane acquire --lane b --owner y").exits(0);
    let soon = now_millis() + 5000;
    let plan = env.dos(&format!("loop --json --now-ms {soon}")).exits(0).json();
    assert_eq!(lanes(&plan, "flag"), ["a", "b"]);
    assert_eq!(lanes(&plan, "proposed_halt"), ["a", "b"]);
    assert_eq!((lanes(&plan, "reap"), &plan["alive"]), (vec![], &json!(2)));
    // One commits in its own tree, the other one somewhere else.
    env.write("dos.toml", format!("{}[liveness]\ngrace_ms = 60000\n", super::ROSTER));
    for file in ["a/new file.rs", "elsewhere.rs"] {
        env.write(file, "x");
        git(&env, &["add", file]);
        git(&env, &["commit", "-q", "-m", file]);
    }
    let late = now_millis() + 30_000;
    let plan = env.dos(&format!("loop --json --now-ms {late}")).exits(0).json();
    assert_eq!(lanes(&plan, "flag"), [""; 0], "{plan}");
    let later = now_millis() + 61_500;
    env.dos("lease-lane heartbeat --lane b --owner y").exits(0);
    let commit = "GIT_COMMITTER_DATE";
    let mut dated = Command::new("git");
    dated.args(["-c", "user.name=t", "-c", "user.email=t@example.invalid"]);
    dated.args(["commit", "-q", "--allow-empty", "--amend", "-m", "later", "--", "a"]);
    env.furnish(&mut dated);
    env.write("a/more.rs", "y");
    git(&env, &["add", "a"]);
    dated.env(commit, format!("@{} +0000", now_millis() / 1000 + 30));
    assert!(dated.status().unwrap().success());
    let plan = env.dos(&format!("loop --json --now-ms {later}")).exits(0).json();
    assert_eq!(lanes(&plan, "flag"), ["b"], "{plan}");
}

#[test]
fn exactly_the_provably_dead_are_freed() {
    let env = roster();
    env.dos("lease-lane reap").exits(1);
    assert_eq!(env.tree(), ["dos.toml"]);
    let mut sleep = Command::new("sleep");
    sleep.arg("300");
    let sleep = Running::start(sleep);
    let pid = sleep.pid();
    env.dos("lease-lane acquire --lane a --owner alive").exits(0);
    env.dos(&format!("lease-lane acquire --lane b --owner dead --pid {pid}")).exits(0);
    env.dos(&format!("lease-lane acquire --lane c --owner dead --pid {pid}")).exits(0);
    env.dos("lease-lane reap").exits(1);
    sleep.kill();
    let dry = env.dos("lease-lane reap --dry-run").exits(0).json();
    assert_eq!(crate::field(&dry["reaped"], "lane"), ["b", "c"]);
    assert_eq!(env.operations().len(), 3);
    let reaped = env.dos("lease-lane reap --lane B").exits(0).json();
    let freed = &reaped["reaped"][0];
    assert_eq!((&freed["lane"], &freed["proof"]), (&json!("b"), &json!("PROCESS_GONE")));
    let record = env.records().pop().unwrap();
    assert_eq!((&record["op"], &record["prev_holder"]), (&json!("SCAVENGE"), &json!("dead")));
    assert_eq!(record["reason"], freed["reason"]);
    env.dos("lease-lane reap --lane a").exits(1);
    env.dos("lease-lane reap").exits(0);
    env.dos("lease-lane reap").exits(1);
    assert_eq!(live_lanes(&env), ["a"]);
    assert_eq!(env.operations().len(), 5);
}
