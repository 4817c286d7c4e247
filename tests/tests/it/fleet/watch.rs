//! `dos watch`, and `dos halt --resumable`.

use dos_tests::{Running, now_millis};
use serde_json::json;

use super::roster;
use crate::empty;

#[test]
fn one_episode_is_one_proposal_whoever_looks() {
    let env = roster();
    let minted = env.dos("run-id mint test").exits(0).json();
    let run = minted["run_id"].as_str().unwrap().to_string();
    env.dos(&format!("lease-lane acquire --lane a --owner x --loop-ts t --run-id {run}")).exits(0);
    let seen = env.dos("watch --discover --json").exits(0).json();
    assert_eq!((&seen["watched"], &seen["advancing"]), (&json!(1), &json!([run])));
    let late = now_millis() + 20 * 60_000;
    let hung = format!("watch --discover --json --now-ms {late}");
    let young = env.dos(&format!("{hung} --budget-ms 3600000")).exits(0).json();
    assert_eq!(young["stalled_within_budget"], json!([run]));
    let command = [hung.split(' ').collect(), vec!["--command", "kill 1"]].concat();
    let seen = env.run(command).exits(0).json();
    assert_eq!(
        (&seen["proposed_halts"], &seen["verdicts"][&run]),
        (&json!([run]), &json!("STALLED"))
    );
    let halt = env.records().pop().unwrap();
    assert_eq!(
        (&halt["op"], &halt["run_id"], &halt["command"]),
        (&json!("HALT"), &json!(run), &json!("kill 1"))
    );
    assert_eq!((&halt["lane"], &halt["handle"]), (&json!("a"), &json!(run)));
    // Another process does not propose the same again, and after the window one does.
    let seen = env.dos(&hung).exits(0).json();
    assert_eq!(seen["proposed_halts"], json!([]));
    let again = env.dos(&format!("{hung} --repropose-ms 1 --max-ticks 1")).exits(0).json();
    assert_eq!(again["proposed_halts"], json!([run]));
    // The lease is as it was: nothing was stopped.
    assert_eq!(crate::live_lanes(&env), ["a"]);
}

#[test]
fn who_commits_is_not_proposed_to_be_halted() {
    let env = roster();
    let run = env.dos("run-id mint test").exits(0).json()["run_id"].as_str().unwrap().to_string();
    let take = format!("lease-lane acquire --lane a --owner x --loop-ts t --run-id {run}");
    env.dos(&take).exits(0);
    let held = &env.dos("lease-lane live --json").exits(0).json()[0];
    let folder = held["tree"][0].as_str().unwrap().split('*').next().unwrap().to_string();
    env.write(format!("{folder}work"), "done");
    let minute = now_millis() / 1000 + 60;
    let commit = format!(
        "git init -q && git add -A && git -c user.name=a -c user.email=a@b commit -qm work \
         --date @{minute}"
    );
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &commit]);
    env.furnish(&mut shell);
    shell.env("GIT_COMMITTER_DATE", format!("@{minute} +0000"));
    Running::start(shell).finish().exits(0);
    let late = now_millis() + 20 * 60_000;
    let seen = env.dos(&format!("watch --discover --json --now-ms {late}")).exits(0).json();
    assert_eq!((&seen["advancing"], &seen["proposed_halts"]), (&json!([run]), &json!([])));
}

#[test]
fn what_cannot_be_watched_is_told() {
    let env = empty();
    env.dos("watch").exits(2).says("--discover");
    env.dos("watch --track :abcd").exits(2);
    env.dos("watch --track RID-1:--output=x").exits(2).says("hexadecimal");
    let seen = env.dos("watch --track nosuch --json").exits(0).json();
    assert_eq!(seen["skipped"], json!(["nosuch"]));
    assert_eq!(env.tree(), [""; 0]);
    let text = env
        .dos("watch --track RID-1M89PYD52D6YY80 --max-ticks 2 --interval 0.01")
        .exits(0)
        .stdout
        .clone();
    assert_eq!(text.matches("WATCH 1 run(s)").count(), 2, "{text}");
    assert_eq!(env.operations(), ["HALT"]);
}

#[test]
fn a_resumable_halt_parks_the_run() {
    let env = empty();
    let run = "RID-1M89PYD52D6YY80";
    let halt = format!("halt --handle h --resumable --run-id {run} --resume-sha abcd --owner me");
    assert_eq!(env.dos(&halt).exits(0).json()["suspended"], true);
    let ledger =
        std::fs::read_to_string(env.path(format!(".dos/runs/{run}/intent.jsonl"))).unwrap();
    let record: serde_json::Value = serde_json::from_str(&ledger).unwrap();
    let wanted = json!({"op": "SUSPEND", "reason": "resumable-halt:me", "resume_sha": "abcd", "run_id": run,
                        "schema": {"family": "intent-ledger", "version": 1}, "ts": record["ts"]});
    assert_eq!(record, wanted);
    assert_eq!(env.dos("halt --handle h --resumable").exits(0).json()["suspended"], false);
    assert_eq!(env.operations(), ["HALT", "HALT"]);
}
