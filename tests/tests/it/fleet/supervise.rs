//! `dos supervise` with real workers: told from the journal, git and the process table.

use std::fs;
use std::time::Duration;

use dos_tests::fleet::{Fleet, TWO, kills, scenario};
use dos_tests::raw::text;
use dos_tests::{poll_until, signal};
use serde_json::Value;

const DOS: &str = env!("CARGO_BIN_EXE_dos-under-test");
const SOON: Duration = Duration::from_secs(40);

#[test]
fn a_fleet_stays_at_its_target() {
    let seen = scenario(DOS, 3);
    assert_eq!(seen.faults, [""; 0], "{}", seen.shown);
    seen.said.exits(0).no_panic();
    // Asked to end before the end were those who hang, and nobody else.
    let lines = seen.said.json_lines();
    let lane = |run: &Value| {
        let started = |line: &&Value| line["event"] == "started" && line["run_id"] == *run;
        lines.iter().find(started).map(|line| line["lane"].clone())
    };
    let asked = lines.iter().filter(|line| line["event"] == "asked");
    for line in asked.filter(|line| line["reason"] != "the supervisor stops") {
        assert_eq!(lane(&line["run_id"]), Some("hang".into()), "{line}");
    }
}

#[test]
fn killed_supervisors_lose_and_double_nothing() {
    let (faults, shown) = kills(DOS, 12, 7);
    assert_eq!(faults, [""; 0], "{shown}");
}

#[test]
fn what_a_killed_supervisor_left_is_adopted_and_ended() {
    let fleet = Fleet::new(DOS, TWO);
    let first = fleet.supervise(&[]);
    fleet.until("both lanes are held", |fleet| fleet.held().len() == 2);
    let before = fleet.running("two");
    first.kill();
    fleet.running("one").iter().for_each(|pid| signal(*pid, "KILL"));
    let next = fleet.supervise(&[]);
    fleet.until("the other lane is filled again", |fleet| {
        fleet.starts("one") == 2 && fleet.held().len() == 2 && fleet.at_work(&["one", "two"])
    });
    assert_eq!(fleet.running("two"), before, "it runs on");
    next.signal("INT");
    let said = next.finish();
    let adopted = said.exits(0).json_lines().into_iter().filter(|line| line["event"] == "adopted");
    let adopted: Vec<Value> = adopted.map(|line| line["lane"].clone()).collect();
    assert_eq!(adopted, ["two"]);
    // They are ended as well, though they are nobody's children any more.
    assert_eq!((fleet.rest(), fleet.faults()), (vec![], vec![]));
}

#[test]
fn there_is_one_supervisor_and_it_may_leave_its_workers_running() {
    let fleet = Fleet::new(DOS, TWO);
    let first = fleet.supervise(&["--detach"]);
    fleet.until("both lanes are held", |fleet| fleet.held().len() == 2);
    fleet.supervise(&[]).finish().exits(1).says("another supervisor");
    first.signal("TERM");
    first.finish().exits(0);
    assert!(fleet.at_work(&["one", "two"]));
    // What is left is known to the plan, and to the next one, which ends it.
    let plan = fleet.env.dos("loop --json").exits(0).json();
    assert_eq!(plan["verdict"], "AT_TARGET");
    let next = fleet.supervise(&["--max-ticks", "1"]).finish();
    let adopted = next.exits(0).json_lines();
    assert_eq!(adopted.iter().filter(|line| line["event"] == "adopted").count(), 2);
    assert_eq!((fleet.rest(), fleet.faults()), (vec![], vec![]));
}

#[test]
fn what_a_worker_prints_is_kept_and_has_an_end() {
    let config = format!("{TWO}log_bytes_max = 4096\n").replace("target = 2", "target = 1");
    let fleet = Fleet::new(DOS, &config);
    let deaf = "#!/bin/sh\ntrap '' TERM\nwhile :; do echo $DISPATCH_LANE $CID_RUN_ID; done\n";
    fleet.script("worker.sh", deaf);
    let supervisor = fleet.supervise(&[]);
    let log = poll_until("a log is cut", SOON, || {
        fleet.env.tree().into_iter().find(|name| name.ends_with("worker.log.1"))
    });
    let run = log.split('/').nth(2).unwrap().to_string();
    let kept = fs::read_to_string(fleet.env.path(&log)).unwrap();
    assert!(kept.len() <= 4096, "{}", kept.len());
    let line = format!("one {run}");
    assert!(kept.lines().skip(1).take(5).all(|said| said == line), "{kept:.300}");
    let card = fs::read_to_string(fleet.env.path(format!(".dos/runs/{run}/run.json"))).unwrap();
    let card: Value = serde_json::from_str(&card).unwrap();
    assert_eq!(text(card.as_object().unwrap(), "run_id"), run);
    // It does not want to end: a second signal kills it.
    supervisor.signal("TERM");
    std::thread::sleep(Duration::from_millis(300));
    supervisor.signal("TERM");
    supervisor.finish().exits(0);
}
