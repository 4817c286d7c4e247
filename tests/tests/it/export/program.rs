//! Programs of one's own as exporters.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use dos_tests::TestEnv;

use super::{exported, recorded};

/// A program on `PATH`.
fn with_program(count: i64, name: &str, text: &str) -> TestEnv {
    let mut env = recorded(count);
    fs::create_dir_all(env.outer().join("bin")).unwrap();
    let program = env.outer().join("bin").join(name);
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    let bin = env.outer().join("bin");
    env.set("PATH", format!("relative:{}:{path}", bin.display()));
    env
}

#[test]
fn a_program_takes_rows_as_json_lines() {
    let script = "#!/bin/sh\necho \"$@\" >> arguments\ncat >> taken.jsonl\n";
    let env = with_program(10, "dos-export-mine", script);
    let export =
        ["export", "--to", "mine", "--since", "auto", "--batch", "4", "--", "--tenant", "a b"];
    env.run(export).exits(0).prints("10 rows delivered to dos-export-mine");
    env.run(export).exits(0).prints("nothing new");
    assert_eq!(exported(&env, "taken.jsonl"), (1..=10).collect::<Vec<i64>>());
    let arguments = fs::read_to_string(env.path("arguments")).unwrap();
    assert_eq!(arguments, "--tenant a b\n".repeat(3));
    // Other arguments, another destination.
    env.dos("export --to mine --since auto").exits(0).prints("10 rows");
    env.dos("export --to nosuch").exits(2).says("otlp, mine, and any");
}

#[test]
fn a_program_that_fails_has_taken_nothing() {
    let script =
        "#!/bin/sh\n[ -e works ] || { echo no such tenant >&2; exit 3; }\ncat >> taken.jsonl\n";
    let env = with_program(5, "dos-export-mine", script);
    env.dos("export --to mine --since auto").exits(1).prints("no such tenant").prints("5 not");
    env.write("works", "");
    env.dos("export --to mine --since auto").exits(0);
    assert_eq!(exported(&env, "taken.jsonl"), [1, 2, 3, 4, 5]);
}

#[test]
fn a_program_may_ask_to_be_asked_again() {
    let script = "#!/bin/sh\n[ -e once ] || { touch once; exit 75; }\ncat >> taken.jsonl\n";
    let env = with_program(5, "dos-export-mine", script);
    env.dos("export --to mine --since auto").exits(0);
    assert_eq!(exported(&env, "taken.jsonl"), [1, 2, 3, 4, 5]);
}

#[test]
fn a_program_is_not_looked_for_in_the_workspace() {
    let env = with_program(1, "other", "");
    env.write("relative/dos-export-mine", "#!/bin/sh\ntouch ran\n");
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(env.path("relative/dos-export-mine"), mode).unwrap();
    env.dos("export --to mine").exits(2);
    assert!(!env.path("ran").exists());
}
