//! What `dos observe` shows.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use dos_tests::{TestEnv, stamp};
use serde_json::{Value, json};

use super::{JOURNAL, armed};
use crate::empty;

/// Rows of two runs, one without a time, and a line that nobody can read.
fn recorded() -> TestEnv {
    let env = empty();
    let row = |seq: u64, hour: u64, syscall: &str, verdict: &str, run: &str, lane: &str| {
        json!({
            "seq": seq, "ts": format!("2026-01-10T{hour:02}:00:00Z"), "syscall": syscall,
            "verdict": verdict, "run_id": run, "lane": lane, "subject": "", "detail": {"n": seq},
            "source": "kernel", "schema_family": "verdict-journal", "schema_version": 1,
        })
        .to_string()
    };
    let lines = [
        row(1, 1, "zeta", "yes", "R1", ""),
        row(2, 2, "pretool", "ALLOW", "R1", "api"),
        row(3, 3, "pretool", "BLOCK", "R2", "api"),
        row(4, 4, "liveness", "STALLED", "R2", "web"),
        r#"{"seq": 5, "syscall": "liveness", "verdict": "ADVANCING"}"#.to_string(),
    ];
    env.write(JOURNAL, lines.join("\n") + "\n");
    env
}

fn verdicts(answer: &Value) -> Vec<&str> {
    let events = answer["events"].as_array().unwrap();
    events.iter().map(|event| event["verdict"].as_str().unwrap()).collect()
}

#[test]
fn counts_have_the_keys_and_the_order_of_the_original() {
    let env = recorded();
    let answer = env.dos("observe --json").exits(0).json();
    let keys: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["corrupt", "events", "rollup", "run", "syscall_filter"]);
    assert_eq!(
        answer["rollup"],
        json!({
            "by": "syscall", "total": 5, "corrupt": 0, "dimensions": ["liveness", "pretool", "zeta"],
            "counts": {
                "liveness": {"ADVANCING": 1, "STALLED": 1},
                "pretool": {"ALLOW": 1, "BLOCK": 1},
                "zeta": {"yes": 1},
            },
        })
    );
    assert_eq!(
        answer["events"][1],
        json!({
            "schema_family": "verdict-journal", "schema_version": 1, "ts": "2026-01-10T02:00:00Z",
            "seq": 2, "syscall": "pretool", "verdict": "ALLOW", "run_id": "R1", "lane": "api",
            "subject": "", "detail": {"n": 2}, "source": "kernel",
        })
    );
    for (by, groups) in [
        ("verdict", json!(["ADVANCING", "ALLOW", "BLOCK", "STALLED", "yes"])),
        ("run_id", json!(["(unattributed)", "R1", "R2"])),
        ("lane", json!(["(none)", "api", "web"])),
        ("source", json!(["kernel"])),
    ] {
        let answer = env.dos(&format!("observe --json --by {by}")).exits(0).json();
        assert_eq!(
            (&answer["rollup"]["dimensions"], &answer["rollup"]["by"]),
            (&groups, &json!(by))
        );
    }
    let text = env.dos("observe --by verdict").exits(0).stdout.clone();
    assert_eq!(text.lines().nth(1), Some("ADVANCING     1"));
    let text = env.dos("observe --by lane").exits(0).stdout.clone();
    assert_eq!(
        text,
        "5 verdicts by lane\n\
         (none)     2  ADVANCING=1 yes=1\n\
         api        2  ALLOW=1 BLOCK=1\n\
         web        1  STALLED=1\n"
    );
}

#[test]
fn rows_are_filtered_and_listed() {
    let env = recorded();
    let asked = |arguments: &str| env.dos(&format!("observe --json {arguments}")).exits(0).json();
    for (arguments, wanted) in [
        ("--run R1", vec!["yes", "ALLOW"]),
        ("--syscall liveness", vec!["STALLED", "ADVANCING"]),
        ("--run R2 --syscall pretool", vec!["BLOCK"]),
        ("--run nosuch", vec![]),
        ("--tail 2", vec!["STALLED", "ADVANCING"]),
        ("--tail 1 --run R1", vec!["ALLOW"]),
        ("--since 3", vec!["STALLED", "ADVANCING"]),
        ("--since -1 --tail 9", vec!["yes", "ALLOW", "BLOCK", "STALLED", "ADVANCING"]),
        // The row without a time was decided after the one before it.
        ("--since 2026-01-10T03:30Z", vec!["STALLED", "ADVANCING"]),
        ("--since 2h", vec![]),
        ("--since 99", vec![]),
    ] {
        assert_eq!(verdicts(&asked(arguments)), wanted, "{arguments}");
    }
    assert_eq!(asked("--tail 1")["rollup"]["total"], 5, "the rest is counted");
    let text = env.dos("observe --run R2").exits(0).stdout.clone();
    assert_eq!(text.lines().count(), 2);
    assert!(
        text.contains(
            "2026-01-10T03:00:00Z      3  pretool         BLOCK         lane=api  run=R2  {n=3}"
        ),
        "{text}"
    );
    env.dos("observe --run nosuch").exits(0).prints("no such verdicts");
    env.dos("observe --tail -1").exits(2);
    env.dos("observe --since yesterday").exits(2).says("2h");
}

#[test]
fn lines_that_nobody_can_read_are_counted_and_told_by_the_exit_code() {
    let env = recorded();
    let whole = std::fs::read_to_string(env.path(JOURNAL)).unwrap();
    env.write(JOURNAL, format!("{whole}no json\n[1]\n\n{{\"seq\":\n{{\"seq\": 6}}\n{{\"torn"));
    let answer = env.dos("observe --json").exits(1).json();
    assert_eq!((&answer["corrupt"], &answer["rollup"]["total"]), (&json!(2), &json!(6)));
    env.dos("observe").exits(1).says("2 lines").prints("6 verdicts");
    env.dos("observe --tail 1").exits(1);
}

#[test]
fn nothing_recorded_is_no_error_and_says_how_to_record() {
    let env = empty();
    env.dos("observe").exits(0).prints("DISPATCH_OBSERVE=1");
    let answer = env.dos("observe --json").exits(0).json();
    assert_eq!((&answer["rollup"]["total"], &answer["events"]), (&json!(0), &json!([])));
}

#[test]
fn who_follows_sees_each_verdict_as_it_comes_and_ends_when_told() {
    let env = armed();
    for program in ["a", "b", "c"] {
        env.dos(&format!("exec-capability --command {program}")).exits(0);
    }
    let mut command = env.command(["observe", "--follow", "--tail", "2", "--json"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!([next()["seq"].as_i64(), next()["seq"].as_i64()], [Some(2), Some(3)]);
    for program in ["d", "e"] {
        env.dos(&format!("exec-capability --command {program}")).exits(0);
        assert_eq!(next()["detail"]["program"], program);
    }
    dos_tests::signal(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_follower_ends_when_nobody_reads_any_more() {
    let env = armed();
    let mut command = env.command(["observe", "--follow"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    env.dos("exec-capability --command a").exits(0);
    let ended = dos_tests::poll_until("it has ended", std::time::Duration::from_secs(20), || {
        child.try_wait().unwrap()
    });
    assert_eq!(ended.code(), Some(0));
}

#[test]
fn text_of_others_moves_no_cursor() {
    let env = empty();
    let now = stamp(dos_tests::now_millis());
    let odd = "x\u{1b}[2J\u{9b}";
    let row = json!({"ts": odd, "seq": 1, "syscall": odd, "verdict": odd, "lane": odd, "run_id": odd,
        "subject": odd, "detail": {odd: odd}, "source": now});
    env.write(JOURNAL, row.to_string() + "\n");
    for arguments in ["observe", "observe --tail 1", "observe --by lane", "observe --by run"] {
        let output = env.dos(arguments);
        let shown = &output.exits(0).stdout;
        assert!(!shown.chars().any(|it| it.is_control() && it != '\n'), "{shown:?}");
    }
}
