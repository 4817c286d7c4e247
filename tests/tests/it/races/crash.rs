//! Writers that are killed or stopped at any moment.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use dos_tests::storm::Random;
use dos_tests::{Running, TestEnv, poll_until, stopwatch};

use super::sound_at_every_prefix;
use crate::{configured, empty, live_lanes};

const THREE_LANES: &str = "[lanes]\nconcurrent=[\"x\",\"y\",\"z\"]\nautopick=[\"x\",\"y\",\"z\"]\n\
    [lanes.trees]\nx=[\"x/**\"]\ny=[\"y/**\"]\nz=[\"z/**\"]\n";

/// What one worker of a storm saw.
#[derive(Default)]
struct Saw {
    /// The grants that were acknowledged: token and lane.
    granted: Vec<(u64, String)>,
    /// How many of its commands were killed, and how many of those left their lock behind.
    killed: u32,
    killed_with_the_lock: u32,
}

/// Takes and gives back lanes; every second command is killed within its first milliseconds.
fn worker(env: &TestEnv, seed: u64, compacting: bool) -> Saw {
    let mut random = Random(seed);
    let mut saw = Saw::default();
    for _ in 0..150 {
        let lane = ["x", "y", "z"][random.below(3) as usize];
        let verb = ["acquire", "acquire", "release", "release", "heartbeat"];
        let verb = verb[random.below(5) as usize];
        let command = match random.below(10) {
            0 if compacting => "journal compact".to_string(),
            1 => "halt --handle h".to_string(),
            _ => format!("lease-lane {verb} --lane {lane} --owner w"),
        };
        let running = env.start(&command);
        let answer = match random.below(2) {
            0 => Some(running.finish()),
            _ => {
                let pid = format!("\npid: {}\n", running.pid());
                std::thread::sleep(Duration::from_micros(random.below(6000)));
                let answer = running.kill_unless_done();
                saw.killed += u32::from(answer.is_none());
                let lock = fs::read_to_string(env.lock_path()).unwrap_or_default();
                saw.killed_with_the_lock += u32::from(lock.contains(&pid));
                answer
            }
        };
        let Some(answer) = answer else { continue };
        assert!(matches!(answer.no_panic().code, Some(0 | 1)), "{answer:#?}");
        if command.contains(" acquire ") && answer.code == Some(0) {
            let token = answer.json()["token"].as_u64().unwrap();
            saw.granted.push((token, lane.to_string()));
        }
    }
    saw
}

/// Four workers at once, and then the look at what they left.
fn storm(compacting: bool) {
    let env = configured(THREE_LANES);
    env.dos("lease-lane spawn --lane x --owner first").exits(0);
    let mut saw = Vec::new();
    std::thread::scope(|scope| {
        let env = &env;
        let start = |seed| scope.spawn(move || worker(env, seed, compacting));
        let workers: Vec<_> = (1..=4).map(start).collect();
        saw.extend(workers.into_iter().map(|worker| worker.join().unwrap()));
    });
    let sum = |count: fn(&Saw) -> u32| saw.iter().map(count).sum::<u32>();
    let (killed, with_the_lock) = (sum(|s| s.killed), sum(|s| s.killed_with_the_lock));
    let granted: Vec<&(u64, String)> = saw.iter().flat_map(|s| &s.granted).collect();
    eprintln!("{killed} killed, {with_the_lock} with the lock, {} grants", granted.len());
    assert!(granted.len() > 20 && killed > 20, "nothing was tried");
    sound_at_every_prefix(&env.journal());
    // No acknowledged grant is lost, and none was made twice.
    let records = env.records();
    for (token, lane) in &granted {
        let known = records.iter().any(|record| match record["op"].as_str() {
            Some("ACQUIRE") => record["seq"] == *token && record["lane"] == lane.as_str(),
            Some("CHECKPOINT") => record["seq_watermark"].as_u64() >= Some(*token),
            _ => false,
        });
        assert!(known, "the grant of {lane} with token {token} is lost");
    }
    let tokens: BTreeSet<u64> = granted.iter().map(|(token, _)| *token).collect();
    assert_eq!(tokens.len(), granted.len(), "a token was given twice");
    // Whatever the last killed one left: the next writer goes on at once and tidies up.
    let watch = stopwatch();
    env.dos("lease-lane spawn --lane x --owner next").exits(0);
    assert!(watch.elapsed() < Duration::from_secs(1), "took {:?}", watch.elapsed());
    if compacting {
        // What a killed compaction leaves, the next one removes.
        env.dos("journal compact").exits(0);
    }
    assert_eq!(env.leftovers(), [""; 0]);
    assert!(!env.lock_path().exists());
    for lane in live_lanes(&env) {
        env.dos(&format!("lease-lane release --lane {lane} --owner w")).exits(0);
    }
    for lane in ["x", "y", "z"] {
        env.dos(&format!("lease-lane acquire --lane {lane} --owner next --retries 0")).exits(0);
    }
    sound_at_every_prefix(&env.journal());
}

#[test]
fn writers_killed_at_any_moment_leave_a_sound_journal() {
    storm(false);
}

#[test]
fn writers_and_compactions_killed_at_any_moment_leave_a_sound_journal() {
    storm(true);
}

#[test]
fn compaction_under_fire_keeps_what_is_held() {
    let env = configured(THREE_LANES);
    env.dos("lease-lane acquire --lane x --owner keeper").exits(0);
    let mut random = Random(7);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..60 {
                env.dos("lease-lane heartbeat --lane x --owner keeper").exits(0);
            }
        });
        for _ in 0..60 {
            let running = env.start("journal compact");
            std::thread::sleep(Duration::from_micros(random.below(7000)));
            let _ = running.kill_unless_done();
            let live = sound_at_every_prefix(&env.journal());
            assert_eq!(live.leases().map(|lease| lease.lane()).collect::<Vec<_>>(), ["x"]);
        }
    });
    env.dos("journal compact").exits(0);
    assert_eq!(env.leftovers(), [""; 0]);
    assert_eq!(live_lanes(&env), ["x"]);
}

#[test]
fn what_killed_writers_leave_is_removed_by_the_next_one() {
    for (leftover, command) in [
        (".dos/.lane-lease.lock.t.0123456789abcdef", "lease-lane spawn --lane x --owner a"),
        (".dos/.lane-lease.lock.swap.0123456789abcdef", "lease-lane spawn --lane x --owner a"),
        (".dos/lane-journal.jsonl.compact.tmp", "journal compact"),
    ] {
        let env = configured(THREE_LANES);
        env.write_journal("{}\n");
        env.write(leftover, "owner: dos/h/99999999/0123456789abcdef\nguard: 1\n");
        env.dos(command).exits(0);
        assert_eq!(env.leftovers(), [""; 0]);
    }
}

#[test]
fn what_a_killed_first_writer_left_empty_is_written_by_the_next_one() {
    let env = configured(THREE_LANES);
    env.write(".dos/.gitignore", "");
    env.dos("lease-lane spawn --lane x --owner a").exits(0);
    let ignore = std::fs::read_to_string(env.path(".dos/.gitignore")).unwrap();
    assert!(ignore.ends_with("\n*\n"), "{ignore}");
    assert_eq!(env.leftovers(), [""; 0]);
}

/// A workspace, and a writer that holds the lock until the file `hold` is gone.
fn slow_holder() -> (TestEnv, Running) {
    let env = empty();
    env.write("hold", "");
    env.write_journal("");
    let mut command = Command::new(env!("CARGO_BIN_EXE_dos-slow-writer"));
    env.furnish(&mut command);
    let holder = Running::start(command);
    poll_until("the holder shows its lock", Duration::from_secs(10), || {
        fs::read(env.lock_path()).is_ok_and(|body| !body.is_empty()).then_some(())
    });
    (env, holder)
}

#[test]
fn the_lock_of_a_killed_writer_is_replaced_at_once() {
    let (env, holder) = slow_holder();
    holder.kill();
    let left =
        fs::read_to_string(env.lock_path()).expect("the lock stays when its holder is killed");
    assert!(left.starts_with("owner: dos/"), "{left}");
    assert_eq!(env.journal(), b"", "the killed writer wrote nothing");
    let watch = stopwatch();
    env.dos("lease-lane acquire --lane main --owner b --retries 0").exits(0);
    assert!(watch.elapsed() < Duration::from_millis(500), "took {:?}", watch.elapsed());
    assert!(!env.lock_path().exists());
    assert_eq!(env.leftovers(), [""; 0]);
}

#[test]
fn the_lock_of_a_stopped_writer_stays_its_own() {
    let (env, holder) = slow_holder();
    holder.signal("STOP");
    let lock = fs::read(env.lock_path()).unwrap();
    env.dos("lease-lane acquire --lane main --owner b --retries 0").exits(4);
    assert_eq!(fs::read(env.lock_path()).unwrap(), lock);
    env.dos("lease-lane live").exits(0);
    fs::remove_file(env.path("hold")).unwrap();
    holder.signal("CONT");
    holder.finish().exits(0);
    assert_eq!(env.operations(), ["HALT"]);
    assert!(!env.lock_path().exists());
}

#[test]
fn a_writer_whose_lock_was_taken_away_writes_nothing() {
    let (env, holder) = slow_holder();
    // Another program judges it stale and takes it, as the original does.
    fs::remove_file(env.lock_path()).unwrap();
    env.write_lock("ghost", Duration::ZERO);
    let lock = fs::read(env.lock_path()).unwrap();
    fs::remove_file(env.path("hold")).unwrap();
    holder.finish().exits(4).says("taken away");
    assert_eq!(env.journal(), b"");
    assert_eq!(fs::read(env.lock_path()).unwrap(), lock, "the other program keeps its lock");
}
