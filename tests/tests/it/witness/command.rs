//! States that a command prints.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use dos_tests::{Running, poll_until};
use serde_json::json;

use crate::empty;

#[test]
fn a_command_is_run_and_its_output_keyed() {
    let env = empty();
    env.write("b", "{}");
    env.write("api.sh", "printf '{\"id\": 7, \"status\": \"paid\"}\\n{\"id\": 8}\\n'");
    let after = "command:sh 'api.sh'";
    let ask = |flags: &[&str]| {
        let usual = ["state-diff", "7", "--before", "b", "--after", after, "--json"];
        env.run([&usual[..], flags].concat())
    };
    // A bare file of the other side is read in the same way: an empty object is no line with an id.
    ask(&["--key", "id"]).exits(3);
    env.write("b", "");
    let answer = ask(&["--key", "id", "--expect", "status=paid"]).exits(0).json();
    assert_eq!(answer["accountability"], "OS_RECORDED");
    assert_eq!(answer["delta"]["inserted"], json!(["7", "8"]));
    let said = ask(&["--key", "id", "--third-party"]).exits(0).json();
    assert_eq!(said["accountability"], "THIRD_PARTY");
}

#[test]
fn a_command_that_fails_tells_nothing() {
    let env = empty();
    for (command, said) in [
        ("nosuch-program", "cannot be started"),
        ("sh -c 'echo {}; echo broken >&2; exit 3'", "broken"),
        ("sh -c 'kill -9 $$'", "signal: 9"),
        ("echo nothing", "no JSON"),
        ("'unclosed", "a quote in it is not closed"),
        ("''", "cannot be started"),
    ] {
        let source = format!("command:{command}");
        let output = env.run(["snapshot", "show", &source]);
        output.exits(3).prints(said);
    }
    // Nothing is no empty state, with a key as well.
    for command in ["true", "echo"] {
        let source = format!("command:{command}");
        env.run(["snapshot", "show", &source, "--key", "id"]).exits(3).prints("printed nothing");
    }
    env.dos("snapshot show command:").exits(2).says("command:COMMAND");
}

#[test]
fn what_ends_us_ends_the_command() {
    let env = empty();
    env.write("api.sh", "sleep 600 & echo $! > left; wait");
    env.write("secret", "secret");
    for signal in ["INT", "TERM", "KILL"] {
        for verb in [
            &["snapshot", "show", "command:sh api.sh"][..],
            &["attest", "--claim", "k", "--key-file", "secret", "--accept-cmd", "sh api.sh"],
        ] {
            let running = Running::start(env.command(verb));
            let pid = poll_until("the command runs", Duration::from_secs(10), || {
                let pid = std::fs::read_to_string(env.path("left")).ok()?;
                pid.ends_with('\n').then_some(pid)
            });
            running.signal(signal);
            assert!(running.status().signal().is_some(), "it was not ended by SIG{signal}");
            super::is_ended(pid.trim());
            std::fs::remove_file(env.path("left")).unwrap();
        }
    }
}

#[test]
fn what_a_command_leaves_running_is_ended() {
    let env = empty();
    let script = "command:sh -c 'sleep 600 & echo $! > left; echo {}'";
    env.run(["snapshot", "show", script]).exits(0);
    let pid = std::fs::read_to_string(env.path("left")).unwrap();
    super::is_ended(pid.trim());
}

#[test]
fn a_command_has_the_time_that_it_is_given() {
    let env = empty();
    env.write("secret", "secret");
    let attest = ["attest", "--claim", "k", "--key-file", "secret", "--accept-cmd", "sleep 600"];
    let output = env.run([&attest[..], &["--within", "200ms"]].concat());
    output.exits(3).prints("did not end within 0.2 s");
    let output = env.run(["snapshot", "show", "command:sleep 600", "--within", "200ms"]);
    output.exits(3).prints("did not end within 0.2 s");
    env.run([&attest[..], &["--within", "soon"]].concat()).exits(2);
}

#[test]
fn only_what_is_handed_over_is_another_partys() {
    let env = empty();
    env.write("b.json", "{}");
    fs::create_dir(env.path("t")).unwrap();
    for source in ["tree:t", "git:", "git:HEAD", "sqlite:x.db"] {
        let sides = ["--before", "b.json", "--after", source, "--third-party"];
        let output = env.run([&["state-diff", "k"][..], &sides].concat());
        output.exits(2).says("by this machine itself");
        let output = env.run(["snapshot", "take", "x", "--from", source, "--third-party"]);
        output.exits(2).says("by this machine itself");
    }
    env.dos("snapshot take x --from tree:t").exits(0);
    let shown = env.dos("snapshot show x --third-party --json").exits(0).json();
    assert_eq!(shown["accountability"], "OS_RECORDED");
}
