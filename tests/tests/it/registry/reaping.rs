//! Reaping beside others who take lanes meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dos_tests::{poll_until, snapshot};
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
    assert_eq!(snapshot(env.outer()), before);
    env.dos("reap --apply").exits(0);
    assert!(env.path(".dos/runs/mine/log").exists());
    assert_eq!(fs::read_dir(env.path(".dos/runs")).unwrap().count(), 1);
}
