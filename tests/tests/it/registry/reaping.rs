//! Reaping beside others who take lanes meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dos_tests::{now_millis, poll_until, snapshot, stamp};
use serde_json::json;

use crate::configured;

/// Has the process opened this file?
fn has_open(pid: u32, file: &Path) -> bool {
    let handles = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let open: Vec<PathBuf> =
        handles.filter_map(|handle| fs::read_link(handle.path()).ok()).collect();
    open.contains(&file.canonicalize().unwrap())
}

#[test]
fn a_run_whose_lease_is_taken_meanwhile_keeps_its_folder() {
    let env = configured("[retention]\nruns_keep_last = 0\n");
    env.dos("lease-lane spawn --lane main --owner o").exits(0);
    for name in ["mine", "old"] {
        env.write(format!(".dos/runs/{name}/log"), "x");
    }
    let guard = env.path(".dos/.lane-lease.lock.guard");
    let lock = fs::File::open(&guard).unwrap();
    lock.lock().unwrap();
    let mut reap = env.start("reap --apply --json");
    // It has planned, and now wants to be alone.
    poll_until("it waits for the lock", Duration::from_secs(60), || {
        (!reap.is_running() || has_open(reap.pid(), &guard)).then_some(())
    });
    let lease = json!({"lane": "main", "loop_ts": "mine", "tree": ["**/*"], "holder": "o"});
    let record =
        json!({"op": "ACQUIRE", "seq": 9, "lane": "main", "loop_ts": "mine", "lease": lease});
    let journal = [env.journal(), format!("{record}\n").into_bytes()].concat();
    env.write_journal(journal);
    drop(lock);
    let answer = reap.finish().exits(0).json();
    assert_eq!(answer["runs"]["dropped"], json!(["old"]));
    assert_eq!(answer["runs"]["spared"], json!([{"name": "mine", "why": "live"}]));
    assert_eq!(answer["runs"]["kept"], 1);
    assert!(env.path(".dos/runs/mine/log").exists() && !env.path(".dos/runs/old").exists());
}

#[test]
fn what_a_crash_left_half_removed_goes_with_the_next_reaping() {
    let env = configured("[retention]\nruns_keep_last = 5\n");
    env.write(".dos/runs/mine/log", "x");
    env.write(".dos/runs/.reaping-0123456789abcdef/log", "x");
    let before = snapshot(env.outer());
    let plan = env.dos("reap --json").exits(0).json();
    assert_eq!(plan["runs"]["dropped"], json!([".reaping-0123456789abcdef"]));
    assert_eq!(plan["runs"]["kept"], 1, "it counts as no run");
    env.dos("reap").exits(0).prints("(left by an earlier reap)");
    assert_eq!(snapshot(env.outer()), before);
    env.dos("reap --apply").exits(0);
    assert!(env.path(".dos/runs/mine/log").exists());
    assert_eq!(fs::read_dir(env.path(".dos/runs")).unwrap().count(), 1);
}

#[test]
fn a_worker_that_runs_keeps_its_folder_whoever_holds_its_lane() {
    let env = configured(
        "[lanes]\nconcurrent = [\"api\"]\nautopick = [\"api\"]\n[lanes.trees]\napi = [\"a/**\"]\n\
         [supervise]\ntarget = 1\n\
         [retention]\nruns_keep_last = 2\n",
    );
    let supervisor = env.spawn(["supervise", "--json", "--worker", "sleep 60"]);
    let log = env.path(".dos/runs/workers.jsonl");
    // It holds nothing yet.
    let run_id = poll_until("a worker runs", Duration::from_secs(60), || {
        let started = fs::read_to_string(&log).ok()?;
        let started: serde_json::Value = serde_json::from_str(started.lines().next()?).ok()?;
        Some(started["run_id"].as_str()?.to_string())
    });
    let folder = env.path(format!(".dos/runs/{run_id}"));
    assert!(folder.exists());
    for name in ["new1", "new2", "new3", "new4"] {
        env.write(format!(".dos/runs/{name}/log"), "x");
    }
    let answer = env.dos("reap --apply --json").exits(0).json();
    assert!(folder.exists(), "{answer}");
    assert_eq!(answer["runs"]["spared"], json!([{"name": run_id, "why": "its worker runs"}]));
    assert_eq!(answer["runs"]["dropped"], json!(["new1", "new2"]));
    supervisor.signal("INT");
    supervisor.finish().exits(0);
}

#[test]
fn a_run_that_another_holds_for_keeps_its_folder() {
    let env = configured("[retention]\nruns_keep_last = 0\n");
    for name in ["parent", "old"] {
        env.write(format!(".dos/runs/{name}/log"), "x");
    }
    let lease = json!({
        "lane": "main", "loop_ts": "t", "tree": ["**/*"], "holder": "me", "run_id": "child",
        "parent_id": "parent", "acquired_at": stamp(now_millis()),
    });
    let record = json!({"op": "ACQUIRE", "seq": 1, "lane": "main", "loop_ts": "t", "lease": lease});
    env.write_journal(format!("{record}\n"));
    let answer = env.dos("reap --apply --json").exits(0).json();
    assert_eq!(answer["runs"]["spared"], json!([{"name": "parent", "why": "live"}]));
    assert!(env.path(".dos/runs/parent/log").exists() && !env.path(".dos/runs/old").exists());
}
