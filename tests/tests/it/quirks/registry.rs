//! R1 to R11, L8 and P5: the home registry and what is reaped.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use dos_tests::{TestEnv, set_age, stopwatch};
use serde_json::{Value, json};

use crate::{configured, empty};

const ACQUIRE: &str = "lease-lane acquire --lane main --owner a";

fn home(env: &TestEnv, name: &str) -> PathBuf {
    let path = env.outer().join("home/.dos").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    path
}

fn index(env: &TestEnv, content: &str) {
    fs::write(home(env, "projects/index.jsonl"), content).unwrap();
}

fn projects(env: &TestEnv) -> Vec<Value> {
    env.dos("projects --json").exits(0).json().as_array().unwrap().clone()
}

fn reindexed(env: &TestEnv) -> Value {
    env.dos("reindex --json").exits(0).json()
}

#[test]
fn r01_rows_of_mixed_types_are_rows() {
    let env = empty();
    let mixed = [
        "{\"project_id\":1,\"label\":\"a\"}\n{\"project_id\":\"b\",\"label\":\"a\"}\n",
        "{\"project_id\":[\"x\"]}\n",
        "{\"project_id\":\"x\",\"first_seen\":1}\n{\"project_id\":\"x\",\"first_seen\":\"2026\"}\n",
        "{\"project_id\":\"b\",\"label\":1}\n{\"project_id\":\"c\",\"label\":\"a\",\"ts_ms\":null}\n",
    ];
    for rows in mixed {
        index(&env, rows);
        fs::write(home(&env, "decisions.jsonl"), rows).unwrap();
        env.dos("projects").exits(0).no_panic();
        env.dos("reindex").exits(0).no_panic();
        for axis in ["wedge-hotspots", "lane-refusals", "oracle-calibration"] {
            env.dos(&format!("learn {axis} --json")).exits(0).no_panic();
        }
    }
    index(&env, mixed[0]);
    assert_eq!(projects(&env), [json!({"project_id": "b", "label": "a"})], "1 names nobody");
    fs::write(home(&env, "decisions.jsonl"), "{\"label\":1}\n{\"label\":\"a\"}\n").unwrap();
    let tally = env.dos("learn wedge-hotspots --json").exits(0).json();
    assert_eq!(tally, json!([{"group": "?", "count": 1}, {"group": "a", "count": 1}]));
    env.dos(ACQUIRE).exits(0);
    fs::write(env.path(".dos/project.json"), "{\"project_id\": [\"x\"]}").unwrap();
    assert_eq!(reindexed(&env)["active"], 1);
}

#[test]
fn r02_a_root_that_is_no_path_is_no_root() {
    for root in ["5", "[\"a\"]", "\"a\\u0000b\"", "\"/a\\u0000b\"", "\"relative\"", "\"\""] {
        let env = empty();
        index(&env, &format!("{{\"project_id\":\"x\",\"root\":{root}}}\n"));
        assert_eq!(reindexed(&env)["projects"], 0, "{root}");
    }
}

#[test]
fn r03_a_card_without_an_id_is_completed() {
    let env = empty();
    env.write(".dos/project.json", "{\"mine\": true}");
    index(&env, &format!("{{\"project_id\":\"x\",\"root\":{:?}}}\n", env.root()));
    assert_eq!(reindexed(&env)["active"], 1);
    assert_eq!(projects(&env)[0]["project_id"], "x", "the index says who it is");
    env.dos(ACQUIRE).exits(0);
    let card = fs::read_to_string(env.path(".dos/project.json")).unwrap();
    let card: Value = serde_json::from_str(&card).unwrap();
    assert_eq!((card["project_id"].as_str().unwrap().len(), &card["mine"]), (16, &json!(true)));
}

#[test]
fn r04_bytes_that_are_no_utf8_stop_nobody() {
    let env = empty();
    env.write(".dos/project.json", b"{\"project_id\":\"\xff\"}");
    env.dos(ACQUIRE).exits(0).no_panic();
    assert_eq!(projects(&env).len(), 1);
    let mut roots = fs::read(home(&env, "projects/roots.log")).unwrap();
    roots.extend_from_slice(b"\xff\n");
    fs::write(home(&env, "projects/roots.log"), roots).unwrap();
    assert_eq!(reindexed(&env)["active"], 1);
}

#[test]
fn r05_a_moved_project_is_at_home_in_its_new_place() {
    let env = empty();
    fs::create_dir(env.path("pa")).unwrap();
    env.dos(&format!("{ACQUIRE} --workspace pa")).exits(0);
    fs::rename(env.path("pa"), env.path("pb")).unwrap();
    env.dos("lease-lane release --lane main --owner a --workspace pb").exits(0);
    let listed = projects(&env);
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["status"], &listed[0]["label"]), (&json!("active"), &json!("pb")));
    let summary = reindexed(&env);
    assert_eq!(
        (&summary["active"], &summary["moved"], &summary["stale"]),
        (&json!(1), &json!(0), &json!(0))
    );
}

#[test]
fn r06_overrides_of_a_project_that_is_away_stay() {
    let env = empty();
    let row = "{\"project_id\":\"gone\",\"lane\":\"api\",\"ts_ms\":1}\n";
    fs::write(home(&env, "decisions.jsonl"), row).unwrap();
    index(&env, "{\"project_id\":\"gone\",\"root\":\"/nowhere\"}\n");
    assert_eq!(reindexed(&env)["decisions"], 1);
    assert_eq!(env.dos("reindex --prune --json").exits(0).json()["decisions"], 0);
}

#[test]
fn r07_a_row_a_day_is_enough() {
    let env = empty();
    for number in 0..3 {
        env.dos(&format!("lease-lane spawn --lane main --owner o{number}")).exits(0);
    }
    let rows = fs::read_to_string(home(&env, "projects/index.jsonl")).unwrap();
    assert_eq!(rows.lines().count(), 1);
}

#[test]
fn r08_a_torn_index_takes_nobody_along() {
    let env = empty();
    index(&env, "{\"project_id\":\"zz\"");
    env.dos(ACQUIRE).exits(0);
    let listed = projects(&env);
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["root"], env.root().canonicalize().unwrap().to_str().unwrap());
}

#[test]
fn r09_the_workspace_may_stand_before_or_after_the_verb() {
    let env = empty();
    for verb in ["projects", "reindex", "reap", "learn lane-refusals"] {
        env.dos(&format!("--workspace . {verb}")).exits(0);
        env.dos(&format!("{verb} --workspace .")).exits(0);
    }
}

#[test]
fn r10_an_old_journal_is_compacted_and_true_is_no_time() {
    let old =
        "{\"op\":\"ACQUIRE\",\"lane\":\"a\",\"loop_ts\":\"t\",\"ts\":\"2001-01-01T00:00:00Z\"}\n";
    let env = empty();
    env.write_journal(old);
    let answer = env.dos("reap --journal --json").exits(0).json();
    assert_eq!(answer["journal"]["would_compact"], true);
    assert_eq!(env.journal(), old.as_bytes(), "a dry run");
    let answer = env.dos("reap --journal --apply --json").exits(0).json();
    assert_eq!(answer["journal"]["compacted"], true);
    assert_eq!(env.operations(), ["CHECKPOINT"]);
    let answer = env.dos("reap --journal --json").exits(0).json();
    assert_eq!(answer["journal"]["compacted"], false, "a CHECKPOINT has no age");
    let env = empty();
    env.write_journal("{\"op\":\"ACQUIRE\",\"lane\":\"a\",\"loop_ts\":\"t\",\"ts\":true}\n");
    assert_eq!(env.dos("reap --journal --json").exits(0).json()["journal"]["compacted"], false);
}

#[test]
fn r11_runs_that_are_parked_or_live_are_not_reaped() {
    let env = configured("[retention]\nruns_keep_last = 1\n");
    for name in ["old", "parked", "live", "lived", "new"] {
        env.write(format!(".dos/runs/{name}/log"), "x");
    }
    env.write(".dos/runs/parked/intent.jsonl", "{\"op\":\"INTENT\"}\n{\"op\":\"SUSPEND\"}\n");
    env.write(".dos/runs/lived/run.json", "{\"run_id\": \"RID-00000000000000A\"}");
    env.dos("lease-lane acquire --lane main --owner o --loop-ts live --run-id RID-00000000000000A")
        .exits(0);
    for name in ["old", "parked", "live", "lived"] {
        let folder = fs::File::open(env.path(format!(".dos/runs/{name}"))).unwrap();
        folder.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
    }
    let plan = env.dos("reap --json").exits(0).json();
    assert_eq!(plan["runs"]["dropped"], json!(["old"]));
    assert_eq!((&plan["_applied"], &plan["runs"]["kept"]), (&json!(false), &json!(4)));
    assert!(env.path(".dos/runs/old").exists());
    env.dos("reap --apply").exits(0).prints("old");
    let left = |name: &&str| env.path(format!(".dos/runs/{name}")).exists();
    let left: Vec<&str> =
        ["old", "parked", "live", "lived", "new"].into_iter().filter(left).collect();
    assert_eq!(left, ["parked", "live", "lived", "new"]);
    env.dos("lease-lane release --lane main --owner o").exits(0);
    let plan = env.dos("reap --json").exits(0).json();
    assert_eq!(plan["runs"]["dropped"], json!(["live", "lived"]));
}

#[test]
fn l08_an_empty_home_lock_delays_nobody() {
    let env = empty();
    let lock = home(&env, ".home.lock");
    fs::write(&lock, "").unwrap();
    set_age(&lock, Duration::from_secs(60));
    let watch = stopwatch();
    env.dos(ACQUIRE).exits(0);
    assert!(watch.elapsed() < Duration::from_secs(2), "{:?}", watch.elapsed());
    assert!(!lock.exists());
    assert_eq!(projects(&env).len(), 1);
    // One that is fresh may be somebody's: the lane is granted, and the registry is told later.
    let env = empty();
    fs::write(home(&env, ".home.lock"), "owner: home-1\nacquired_at: 2999-01-01T00:00:00Z\n")
        .unwrap();
    env.dos(ACQUIRE).exits(0);
    assert_eq!(projects(&env), [""; 0]);
    fs::remove_file(home(&env, ".home.lock")).unwrap();
    env.dos("lease-lane spawn --lane main --owner b").exits(0);
    assert_eq!(projects(&env).len(), 1);
}

#[test]
fn p05_many_first_writers_make_one_card() {
    let env = empty();
    let running: Vec<_> =
        (0..24).map(|number| env.start(&format!("halt --handle h{number}"))).collect();
    for one in running {
        one.finish().exits(0).no_panic();
    }
    let card = fs::read_to_string(env.path(".dos/project.json")).unwrap();
    assert!(serde_json::from_str::<Value>(&card).is_ok(), "{card}");
    assert_eq!(env.leftovers(), [""; 0]);
}
