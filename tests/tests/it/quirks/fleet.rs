//! C4 to C10 and P1 to P5: verdicts, plans, the supervisor.

use std::path::Path;
use std::time::Duration;

use dos_tests::{TestEnv, now_millis, poll_until, stamp};
use serde_json::json;

use crate::{configured, empty, field};

const RUN: &str = "--run-id RID-1M89PYD52D6YY80";

/// A lease of the lane `main` as the original writes it.
fn lease(loop_ts: &str, taken: i64, beat: i64) -> String {
    let (taken, beat) = (stamp(taken), stamp(beat));
    let lease = json!({"lane": "main", "loop_ts": loop_ts, "acquired_at": taken, "heartbeat_at": beat,
                       "host_id": "h", "holder": loop_ts, "tree": ["**/*"]});
    let record =
        json!({"op": "ACQUIRE", "lane": "main", "loop_ts": loop_ts, "ts": taken, "lease": lease});
    format!("{record}\n")
}

#[test]
fn c04_a_start_commit_is_never_an_option() {
    let env = empty();
    let target = env.path("pwned");
    for text in [format!("--output={}", target.display()), "HEAD".into(), "-n1".into()] {
        let arguments = format!("liveness {RUN} --start-sha={text}");
        env.dos(&arguments).exits(2).says("hexadecimal");
    }
    assert_eq!(env.tree(), [""; 0]);
}

#[test]
fn c05_a_run_id_is_never_a_path() {
    let env = empty();
    for run in ["../../../out", "/tmp/out", "RID-1/../../x", "x"] {
        env.run(["halt", "--handle", "h", "--resumable", "--run-id", run]).exits(2).says("run id");
    }
    assert_eq!(env.tree(), [""; 0]);
    env.dos("halt --handle h --resumable --run-id RID-1M89PYD52D6YY80 --resume-sha=--x").exits(2);
}

#[test]
fn c06_bad_numbers_are_told() {
    let env = empty();
    for command in ["loop --target -1", "loop --max-concurrency 0", "loop --interval 0 --watch"] {
        env.dos(command).exits(2).no_panic();
    }
    env.run(["run-id", "mint", ""]).exits(2);
}

#[test]
fn c07_a_template_may_hold_other_braces() {
    let template = "worker_launch_template = \"run {lane} {x} {} { {lane}\"\n";
    let env = configured(&format!("[supervise]\n{template}"));
    let text = env.dos("loop").exits(0).stdout.clone();
    assert!(text.contains("run main {x} {} { main"), "{text}");
    let env = configured("[supervise]\nworker_launch_template = \"run\"\n");
    env.dos("loop").exits(0).says("{lane}");
}

#[test]
fn c08_whole_numbers_are_digits() {
    let env = empty();
    for number in ["1_000", "٣", "1e3"] {
        env.run(["loop", "--now-ms", number]).exits(2);
    }
}

#[test]
fn c09_a_beat_is_no_younger_than_now() {
    empty().dos(&format!("liveness {RUN} --last-heartbeat-age-ms -5")).exits(2);
}

#[test]
fn c10_a_lane_of_both_kinds_is_exclusive_and_is_filled() {
    let env = configured("[lanes]\nconcurrent=[\"a\"]\nexclusive=[\"a\"]\nautopick=[\"a\"]\n");
    let plan = env.dos("loop --json").exits(0).json();
    assert_eq!(plan["evidence"]["lanes"].as_array().unwrap().len(), 1);
    assert_eq!(plan["evidence"]["lanes"][0]["is_exclusive"], true);
    assert_eq!(field(&plan["spawn"], "lane"), ["a"]);
}

fn worker(env: &TestEnv, script: &str) {
    env.write("worker.sh", format!("#!/bin/sh\n{script}\n"));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(env.path("worker.sh"), mode).unwrap();
}

#[test]
fn p01_of_two_leases_the_healthy_one_stays() {
    let env = configured("[supervise]\ntarget = 1\n");
    let now = now_millis();
    let hour = 3_600_000;
    env.write_journal(
        lease("stalled", now - 2 * hour, now - 2 * hour) + &lease("healthy", now - 3 * hour, now),
    );
    let plan = env.dos("loop --json").exits(0).json();
    assert_eq!((&plan["reap"], &plan["spawn"]), (&json!([]), &json!([])), "{plan}");
    // Nor does an operator free it.
    let reaped = env.dos("lease-lane reap").exits(0).json();
    assert_eq!(field(&reaped["reaped"], "loop_ts"), ["stalled"]);
    assert_eq!(env.records().pop().unwrap()["prev_holder"], "stalled");
    let live = env.dos("lease-lane live").exits(0).json();
    assert_eq!(field(&live, "loop_ts"), ["healthy"]);
}

#[test]
fn p02_the_supervisor_records_who_held_the_lane() {
    let env = configured("[supervise]\ntarget = 1\n");
    let now = now_millis();
    env.write_journal(lease("gone", now - 7_200_000, now - 7_200_000));
    worker(&env, "exit 0");
    let arguments = ["supervise", "--max-ticks", "1", "--worker", "./worker.sh {lane}"];
    env.run(arguments).exits(0);
    let scavenged = env.records().into_iter().find(|record| record["op"] == "SCAVENGE").unwrap();
    assert_eq!((&scavenged["prev_holder"], &scavenged["host_id"]), (&json!("gone"), &json!("h")));
}

#[test]
fn p03_the_supervisor_plans_what_loop_plans() {
    let env = configured("[supervise]\ntarget = 3\nmax_concurrency = 3\n");
    for lane in ["x1", "x2", "x3"] {
        env.dos(&format!("lease-lane acquire --lane {lane} --tree {lane}/** --owner {lane}"))
            .exits(0);
    }
    worker(&env, "touch started; exit 0");
    let plan = env.dos("loop --json").exits(0).json();
    assert_eq!((&plan["alive"], &plan["verdict"]), (&json!(3), &json!("AT_TARGET")));
    let arguments = ["supervise", "--max-ticks", "1", "--json", "--worker", "./worker.sh {lane}"];
    let lines = env.run(arguments).exits(0).json_lines();
    assert_eq!((&lines[0]["alive"], &lines[0]["spawn"]), (&json!(3), &json!([])));
    assert!(!env.path("started").exists());
}

#[test]
fn p04_the_supervisor_goes_by_the_template_and_by_the_lane_lock() {
    let env = configured("[supervise]\nworker_launch_template = \"./worker.sh mine {lane}\"\n");
    worker(&env, "echo \"$@\" > seen; exit 0");
    // Somebody else's lock file stays where it is.
    env.write(".dos/lane-journal.jsonl.supervisor.lock", "supervisor pid=1\n");
    env.dos("supervise --max-ticks 1 --detach").exits(0);
    let seen = || std::fs::read_to_string(env.path("seen")).ok().filter(|text| !text.is_empty());
    let seen = poll_until("the worker has run", Duration::from_secs(20), seen);
    assert_eq!(seen, "mine main\n");
    assert!(Path::new(&env.path(".dos/lane-journal.jsonl.supervisor.lock")).exists());
    // And without a template nothing is made up.
    empty().dos("supervise --max-ticks 1").exits(2).says("worker_launch_template");
}

#[test]
fn p05_commands_at_once_do_not_stumble_over_each_other() {
    let env = empty();
    let started: Vec<_> =
        (0..12).map(|n| env.start(&format!("lease-lane spawn --lane l{n} --owner o"))).collect();
    for running in started {
        running.finish().exits(0).no_panic();
    }
    assert_eq!((env.operations().len(), env.leftovers()), (12, vec![]));
}
