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
    fleet.until("that worker is gone", |fleet| fleet.running("one").is_empty());
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

/// The first worker that was asked to end: its lane, and why.
fn first_asked(said: &[Value]) -> Option<(String, String)> {
    let asked = said.iter().find(|line| line["event"] == "asked")?;
    let started =
        said.iter().find(|line| line["event"] == "started" && line["run_id"] == asked["run_id"])?;
    let word = |value: &Value| value.as_str().map(str::to_string);
    Some((word(&started["lane"])?, word(&asked["reason"])?))
}

#[test]
fn a_worker_that_holds_no_lane_is_replaced() {
    let config =
        format!("{TWO}start_ms = 2000\nstop_ms = 100\n").replace("target = 2", "target = 1");
    let give_back = "$DOS lease-lane release --lane $1 --owner $DISPATCH_OWNER > /dev/null\n";
    let take = "$DOS lease-lane acquire --lane $1 --owner $DISPATCH_OWNER --pid $$ > /dev/null\n";
    let stays = format!("{take}sleep 1.5\n{give_back}");
    for (script, wanted) in [
        ("", "it has not taken its lane"),
        (stays.as_str(), "it runs on, and has held no lane for long"),
    ] {
        let fleet = Fleet::new(DOS, &config);
        let script = format!("#!/bin/sh\necho $$ >> $1.pids\n{script}exec sleep 1000\n");
        fleet.script("worker.sh", &script);
        let supervisor = fleet.supervise(&[]);
        fleet.until("it is replaced", |fleet| fleet.starts("one") == 2);
        supervisor.signal("TERM");
        let said = supervisor.finish().exits(0).json_lines();
        let asked = first_asked(&said);
        assert_eq!(asked, Some(("one".to_string(), wanted.to_string())), "{said:?}");
        assert_eq!((fleet.rest(), fleet.faults()), (vec![], vec![]));
    }
}

#[test]
fn a_worker_under_a_name_of_its_own_is_known_by_its_run() {
    let config = TWO.replace("target = 2", "target = 1");
    let config = format!("{config}[liveness]\ngrace_ms = 1000\nspin_ms = 1000\n");
    let fleet = Fleet::new(DOS, &config);
    // It beats, and then no longer: its `dos run` is stopped.
    let script =
        "#!/bin/sh\necho $$ >> $1.pids\nexec $DOS run --lane $1 --owner agent -- sleep 1000\n";
    fleet.script("worker.sh", script);
    let supervisor = fleet.supervise(&[]);
    fleet.until("the lane is held", |fleet| fleet.held().len() == 1);
    let stopped = fleet.running("one");
    stopped.iter().for_each(|pid| signal(*pid, "STOP"));
    fleet.until("it is replaced", |fleet| fleet.starts("one") == 2);
    supervisor.signal("TERM");
    let said = supervisor.finish().exits(0).json_lines();
    assert_eq!(first_asked(&said).unwrap().1, "it shows no sign of life", "{said:?}");
    // Not even the command of the first is left, though nobody was there to end it.
    assert_eq!((fleet.rest(), fleet.faults()), (vec![], vec![]));
    let left = std::process::Command::new("pgrep").args(["-f", "^sleep 1000$"]).output().unwrap();
    let left = String::from_utf8_lossy(&left.stdout).into_owned();
    let ours = |pid: &&str| {
        let environment = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.contains(fleet.env.root().to_str().unwrap())
    };
    assert_eq!(left.lines().filter(ours).count(), 0, "{left}");
}

#[test]
fn nobody_is_ended_because_the_machine_slept() {
    let mut fleet = Fleet::new(env!("CARGO_BIN_EXE_dos-other-clock"), TWO);
    let awake = fleet.env.outer().join("awake");
    fleet.env.set("TEST_MACHINE_SLEPT", "1");
    fleet.env.set("TEST_SLEPT_FROM", &awake);
    fleet.env.set("TEST_SLEPT_SECONDS", "7200");
    let silent = "#!/bin/sh\necho $$ >> $1.pids\n\
                  $DOS lease-lane acquire --lane $1 --owner $DISPATCH_OWNER --pid $$ > /dev/null\n\
                  exec sleep 1000\n";
    fleet.script("worker.sh", silent);
    let supervisor = fleet.supervise(&[]);
    fleet.until("both lanes are held", |fleet| fleet.held().len() == 2);
    fs::write(&awake, "").unwrap();
    // Its death makes the supervisor look.
    fleet.running("two").iter().for_each(|pid| signal(*pid, "KILL"));
    fleet.until("the other lane is filled again", |fleet| fleet.starts("two") == 2);
    supervisor.signal("TERM");
    let said = supervisor.finish().exits(0).json_lines();
    assert_eq!(first_asked(&said).unwrap().1, "the supervisor stops", "{said:?}");
    assert_eq!((fleet.rest(), fleet.faults()), (vec![], vec![]));
}

#[test]
fn lanes_that_are_picked_are_shared_up_to_the_budget() {
    let fleet = Fleet::new(DOS, &TWO.replace("target = 2", "target = 4\nmax_concurrency = 4"));
    let script = "#!/bin/sh\necho $$ >> ${1:-auto}.pids\n[ -n \"$1\" ] && exec $DOS run --lane $1 -- sleep 1000\n\
                  exec $DOS run --tree \"part/$$/**\" -- sleep 1000\n";
    fleet.script("worker.sh", script);
    let supervisor = fleet.supervise(&[]);
    fleet.until("four hold something", |fleet| fleet.raw().held().len() == 4);
    let plan = fleet.plan();
    assert_eq!((&plan["alive"], &plan["verdict"]), (&4.into(), &"AT_TARGET".into()), "{plan}");
    supervisor.signal("TERM");
    let said = supervisor.finish().exits(0).json_lines();
    let started = said.iter().filter(|line| line["event"] == "started");
    let mut lanes: Vec<&str> = started.filter_map(|line| line["lane"].as_str()).collect();
    lanes.sort_unstable();
    assert_eq!(lanes, ["auto", "auto", "one", "two"]);
}
