//! Many writers at once, writers that are killed, and readers who follow meanwhile.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use dos_tests::{Running, TestEnv};
use serde_json::Value;

use super::{JOURNAL, armed, counts_from_one, rows};

const WRITERS: usize = 8;
const ROWS: usize = 100;

/// A process that lets so many others, one after the other, record a verdict on a program of its own.
fn writer(env: &TestEnv, name: &str, rows: usize) -> Running {
    let script = "i=0; while [ $i -lt $2 ]; do i=$((i+1)); \
                  \"$0\" exec-capability --command \"$1-$i\" || exit 9; done";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(env.binary()).args([name, &rows.to_string()]);
    env.furnish(&mut shell);
    Running::start(shell)
}

fn programs(rows: &[Value]) -> BTreeSet<&str> {
    rows.iter().map(|row| row["detail"]["program"].as_str().unwrap()).collect()
}

#[test]
fn of_many_writers_no_row_is_lost_and_no_number_is_given_twice() {
    let env = armed();
    let writers: Vec<Running> =
        (0..WRITERS).map(|number| writer(&env, &format!("w{number}"), ROWS)).collect();
    for writer in writers {
        writer.finish().exits(0).is_quiet();
    }
    let rows = rows(&env);
    counts_from_one(&rows);
    assert_eq!((rows.len(), programs(&rows).len()), (WRITERS * ROWS, WRITERS * ROWS));
}

#[test]
fn readers_follow_across_segments_while_writers_write() {
    let mut env = armed();
    env.write("dos.toml", "[observe]\nsegment_max_bytes = 3000\nsegments_keep_last = \"none\"\n");
    env.set("DISPATCH_OBSERVE", "1");
    let follower = env.start("observe --follow --json");
    let writers: Vec<Running> =
        (0..3).map(|number| writer(&env, &format!("w{number}"), 30)).collect();
    for writer in writers {
        writer.finish().exits(0).is_quiet();
    }
    // What is there when it is told to end was read before: it reads on when it is woken.
    std::thread::sleep(Duration::from_millis(1500));
    follower.signal("TERM");
    let followed = follower.finish();
    let followed = followed.exits(0).is_quiet().json_lines();
    let rows = rows(&env);
    counts_from_one(&rows);
    assert_eq!((&followed, rows.len()), (&rows, 90));
    assert!(std::fs::read_dir(env.path(".dos/verdict-journal.archive")).unwrap().count() > 5);
    let counted = env.dos("observe --json").exits(0).json();
    assert_eq!(counted["rollup"]["total"], 90);
}

#[test]
fn writers_that_are_killed_damage_nothing_and_who_has_answered_has_recorded() {
    let env = armed();
    let mut answered = BTreeSet::new();
    for round in 0..40_u64 {
        let started: Vec<(String, Running)> = (0..4)
            .map(|number| {
                let program = format!("p{round}-{number}");
                let command = format!("exec-capability --command {program}");
                (program, env.start(&command))
            })
            .collect();
        std::thread::sleep(Duration::from_micros(round * 37 % 29 * 300));
        for (program, running) in started {
            if let Some(output) = running.kill_unless_done() {
                output.exits(0).is_quiet();
                answered.insert(program);
            }
        }
    }
    env.dos("exec-capability --command last").exits(0).is_quiet();
    let rows = rows(&env);
    counts_from_one(&rows);
    let found = programs(&rows);
    let lost: Vec<&String> =
        answered.iter().filter(|name| !found.contains(name.as_str())).collect();
    assert!(lost.is_empty(), "{lost:?}");
    env.dos("observe").exits(0);
}

#[test]
fn half_a_row_costs_itself_alone() {
    let env = armed();
    env.dos("exec-capability --command a").exits(0);
    let whole = std::fs::read_to_string(env.path(JOURNAL)).unwrap();
    env.write(JOURNAL, format!("{whole}{}", &whole[..whole.len() / 2]));
    env.dos("observe").exits(0).prints("1 verdict");
    env.dos("exec-capability --command b").exits(0).is_quiet();
    let answer = env.dos("observe --json").exits(1).json();
    assert_eq!((&answer["rollup"]["total"], &answer["corrupt"]), (&2.into(), &1.into()));
    assert_eq!(answer["events"][1]["seq"], 2);
}
