//! Many processes at once, holders that die, and waiting.

mod crash;
mod wait;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::Command;
use std::time::Duration;

use dos_core::journal::LiveSet;
use dos_core::journal::decode::{Line, decode_line, split_line};
use dos_core::lane::lease::fold;
use dos_tests::{Output, Running, TestEnv, set_age, stopwatch};

use crate::{API_WEB, configured, empty};

/// As many disjoint lanes.
fn lanes(count: usize) -> String {
    let names: Vec<String> = (0..count).map(|number| format!("\"l{number}\"")).collect();
    let trees: String =
        (0..count).map(|number| format!("l{number} = [\"l{number}/**\"]\n")).collect();
    let names = names.join(", ");
    format!("[lanes]\nconcurrent = [{names}]\nautopick = [{names}]\n[lanes.trees]\n{trees}")
}

/// Runs all of these at once: nobody starts before everybody is ready.
fn at_once(env: &TestEnv, commands: &[String]) -> Vec<Output> {
    let gate_path = env.outer().join("gate");
    let gate = File::create(&gate_path).expect("a gate");
    gate.lock().expect("a closed gate");
    let has_flock = Command::new("flock").arg("--version").output().is_ok();
    let running: Vec<Running> = commands
        .iter()
        .map(|command| {
            let arguments = command.split_whitespace();
            if !has_flock {
                return env.spawn(arguments);
            }
            // The shared lock is had when the gate opens; then the process becomes the binary.
            let mut waiting = Command::new("flock");
            waiting.args(["--shared", "--no-fork"]).arg(&gate_path);
            waiting.arg(env.binary()).args(arguments);
            env.furnish(&mut waiting);
            Running::start(waiting)
        })
        .collect();
    drop(gate);
    running.into_iter().map(Running::finish).collect()
}

/// The journal never holds two live leases on one lane, at any time of its life, and its sequence
/// numbers strictly increase.
#[track_caller]
fn sound_at_every_prefix(journal: &[u8]) -> LiveSet {
    let (mut live, mut rest, mut last_seq, mut number) = (LiveSet::default(), journal, 0, 0);
    while let Some((line, after)) = split_line(rest) {
        (rest, number) = (after, number + 1);
        if let Line::Entry(entry) = decode_line(line, true) {
            assert!(entry.seq > last_seq, "line {number}: seq {} after {last_seq}", entry.seq);
            last_seq = entry.seq;
            live.apply(entry);
        }
        let held: Vec<String> = live.leases().map(|lease| fold(&lease.lane())).collect();
        let distinct: BTreeSet<&String> = held.iter().collect();
        assert_eq!(held.len(), distinct.len(), "line {number}: one lane is held twice: {held:?}");
    }
    live
}

/// How many of the answers have this exit code.
fn count(outputs: &[Output], code: i32) -> usize {
    outputs.iter().filter(|output| output.code == Some(code)).count()
}

#[test]
fn sixty_four_disjoint_lanes_are_granted_at_once() {
    let env = configured(&lanes(64));
    let commands: Vec<String> = (0..64)
        .map(|number| format!("lease-lane acquire --lane l{number} --owner o{number}"))
        .collect();
    let outputs = at_once(&env, &commands);
    let mut tokens = BTreeSet::new();
    for output in &outputs {
        tokens.insert(output.exits(0).json()["token"].as_u64().unwrap());
    }
    assert_eq!(tokens, (1..=64).collect());
    assert_eq!(sound_at_every_prefix(&env.journal()).len(), 64);
    assert_eq!(env.leftovers(), [""; 0]);
    assert!(!env.lock_path().exists());
}

#[test]
fn sixty_four_requests_for_any_lane_get_sixty_four_lanes() {
    let env = configured(&lanes(64));
    let commands: Vec<String> =
        (0..64).map(|number| format!("lease-lane acquire --owner o{number}")).collect();
    let mut granted = BTreeSet::new();
    for output in at_once(&env, &commands) {
        granted.insert(output.exits(0).json()["lane"].as_str().unwrap().to_string());
    }
    assert_eq!(granted.len(), 64);
    sound_at_every_prefix(&env.journal());
}

#[test]
fn one_of_sixty_four_gets_the_one_lane() {
    let env = configured(API_WEB);
    env.dos("lease-lane spawn --lane api --owner s").exits(0);
    let commands: Vec<String> =
        (0..64).map(|number| format!("lease-lane acquire --lane api --owner o{number}")).collect();
    let outputs = at_once(&env, &commands);
    assert_eq!((count(&outputs, 0), count(&outputs, 1)), (1, 63), "{outputs:#?}");
    let winner = outputs.iter().find(|output| output.code == Some(0)).unwrap().json();
    let live = sound_at_every_prefix(&env.journal());
    assert_eq!(live.leases().next().unwrap().holder(), winner["owner"].as_str());
    let refusals = env.operations().iter().filter(|op| *op == "REFUSE").count();
    assert_eq!(refusals, 63);
    for refused in outputs.iter().filter(|output| output.code == Some(1)) {
        assert_eq!(refused.json()["blocked_by"][0]["holder"], winner["owner"]);
    }
}

#[test]
fn the_first_write_of_a_workspace_is_made_once() {
    let env = configured(API_WEB);
    let commands: Vec<String> =
        (0..64).map(|number| format!("lease-lane acquire --lane api --owner o{number}")).collect();
    let outputs = at_once(&env, &commands);
    assert_eq!((count(&outputs, 0), count(&outputs, 1)), (1, 63), "{outputs:#?}");
    sound_at_every_prefix(&env.journal());
    let expected = [
        ".dos",
        ".dos/.gitignore",
        ".dos/.lane-lease.lock.crew",
        ".dos/.lane-lease.lock.guard",
        ".dos/lane-journal.jsonl",
        ".dos/lane-journal.jsonl.snapshot",
        ".dos/project.json",
        ".dos/project.json.guard",
        "dos.toml",
    ];
    assert_eq!(env.tree(), expected);
    let ignore = fs::read_to_string(env.path(".dos/.gitignore")).unwrap();
    assert!(ignore.lines().any(|line| line == "*"), "{ignore}");
}

#[test]
fn the_first_writer_of_a_workspace_says_so_and_nobody_else() {
    let env = configured(API_WEB);
    let commands: Vec<String> =
        (0..64).map(|number| format!("lease-lane acquire --lane api --owner o{number}")).collect();
    let said: Vec<String> = at_once(&env, &commands)
        .iter()
        .flat_map(|output| output.stderr.lines().map(str::to_string).collect::<Vec<_>>())
        .collect();
    assert_eq!(said.len(), 1, "one courtesy line among all: {said:#?}");
    assert!(said[0].contains(".dos"), "{said:?}");
    let later = env.dos("lease-lane acquire --lane web --owner late");
    later.exits(0).is_quiet();
}

#[test]
fn the_archive_lock_has_one_holder() {
    let env = empty();
    let commands: Vec<String> =
        (0..16).map(|number| format!("lease acquire o{number} --retries 0")).collect();
    let outputs = at_once(&env, &commands);
    assert_eq!((count(&outputs, 0), count(&outputs, 1)), (1, 15), "{outputs:#?}");
    assert_eq!(env.leftovers(), [""; 0]);
}

#[test]
fn sixteen_forced_overrides_are_sixteen_records() {
    let env = configured(API_WEB);
    env.dos("lease-lane acquire --lane api --owner a").exits(0);
    let commands: Vec<String> =
        (0..16).map(|_| "arbitrate --lane api --force".to_string()).collect();
    let outputs = at_once(&env, &commands);
    assert_eq!(count(&outputs, 0), 16, "{outputs:#?}");
    let log = fs::read_to_string(env.path(".dos/decisions/resolved.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 16, "{log}");
}

#[test]
fn a_stale_lock_of_another_program_is_taken_over_once() {
    let env = configured(API_WEB);
    env.write_journal("");
    env.write_lock("ghost", Duration::from_secs(3600));
    let commands: Vec<String> =
        (0..16).map(|number| format!("lease-lane acquire --lane api --owner o{number}")).collect();
    let outputs = at_once(&env, &commands);
    assert_eq!((count(&outputs, 0), count(&outputs, 1)), (1, 15), "{outputs:#?}");
    sound_at_every_prefix(&env.journal());
    assert!(!env.lock_path().exists());
    assert_eq!(env.leftovers(), [""; 0]);
}

#[test]
fn a_fresh_lock_of_another_program_is_busy_and_stays() {
    let env = configured(API_WEB);
    env.write_lock("ghost", Duration::from_secs(200));
    let lock = fs::read(env.lock_path()).unwrap();
    let busy = env.dos("lease-lane acquire --lane api --owner a --retries 0");
    busy.exits(4).says("lock-busy").says("held by ghost");
    assert_eq!(busy.stdout, "");
    let said = busy.stderr.lines().find(|line| line.starts_with('{')).unwrap();
    let said: serde_json::Value = serde_json::from_str(said).unwrap();
    assert_eq!((&said["outcome"], &said["lane"]), (&"lock-busy".into(), &"api".into()));
    assert_eq!(fs::read(env.lock_path()).unwrap(), lock);
    assert_eq!(env.journal(), b"");
    // As soon as its program lets it go, whoever waits goes on.
    let waiting = env.start("lease-lane acquire --lane api --owner a");
    std::thread::sleep(Duration::from_millis(50));
    let watch = stopwatch();
    fs::remove_file(env.lock_path()).unwrap();
    waiting.finish().exits(0);
    assert!(watch.elapsed() < Duration::from_secs(1), "took {:?}", watch.elapsed());
    // Nobody knows whose an empty file is; while it is young it may be one that is being written.
    fs::write(env.lock_path(), "").unwrap();
    env.dos("lease-lane acquire --lane web --owner a --retries 0").exits(4);
    set_age(&env.lock_path(), Duration::from_secs(3600));
    env.dos("lease-lane acquire --lane web --owner a --retries 0").exits(0);
    assert!(!env.lock_path().exists());
}
